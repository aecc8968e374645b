"""Refuses a wrong setting in one sentence, before a folder is made or anything heavy is imported."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf, read_write

from proj.config.check_types import check_arguments, check_types, compose_defaults
from proj.config.check_values import check_file_names, check_ranges
from proj.config.check_words import (
    OF_A_RUN,
    OF_A_SWEEP,
    check_additions,
    check_augmentation,
    check_fold_part,
    check_length,
    check_momentum,
    refuse_unread_data,
    refuse_words,
    unread_additions,
)
from proj.config.declared import accepted, declared, kind_of_data, parts_with_a_class, takes
from proj.config.explain import sentences
from proj.config.new_folder import (
    make_folder,
    make_new_folder,
    refuse_files_of_others,
    refuse_run_in_a_sweep,
    refuse_sweep_in_a_run,
)
from proj.config.settings.ranges import JOBS_AT_ONCE
from proj.errors import UserError
from proj.system.platform import refuse_no_text
from proj.system.ranks import say
from proj.system.run_folder import RunFolder, SweepFolder
from proj.system.shell import local_path


def check_single(cfg: DictConfig) -> None:
    """`check` for a single run. It also refuses words that only a sweep takes."""
    if cfg.hydra.runtime.choices.sweep or cfg.sweep_name:
        raise UserError("sweep=… and sweep_name=… work only in a sweep: add -m, as in python -m proj.train -m …")
    refuse_words(cfg, OF_A_SWEEP)
    check(cfg)
    say(*unread_additions(cfg))


def check(cfg: DictConfig) -> None:
    """Raises UserError for a wrong setting, or for a dataset and a model that cannot work together.

    cfg: the composed configuration with its `hydra` node.
    """
    check_own_options(cfg)
    join_files(cfg)
    for key in ("data_dir", "dataset.data_dir"):  # the path may come from PROJ_DATA_DIR or from a file, too
        if (place := OmegaConf.select(cfg, key)) is not None:
            local_path(str(place), f"{key}=")
    check_classes(cfg)
    check_additions(cfg)
    check_types(cfg)
    chosen = cfg.hydra.runtime.choices
    if chosen.preset not in (None, "none"):
        meant = compose_defaults(cfg, f"preset={chosen.preset}")
        if (kind_of_data(meant), meant.model._target_) != (kind_of_data(cfg), cfg.model._target_):
            its = meant.hydra.runtime.choices
            raise UserError(
                f"preset={chosen.preset} is made for dataset={its.dataset} model={its.model}: leave it out for "
                f"dataset={chosen.dataset} model={chosen.model}."
            )
    if not takes(cfg.model, kind_of_data(cfg)):
        words = [f"model={name}" for name in GlobalHydra.instance().config_loader().get_group_options("model")]
        fitting = " or ".join(word for word in words if takes(compose_defaults(cfg, word).model, kind_of_data(cfg)))
        cure = f"use {fitting}" if fitting else "its class says kind = 'image' or 'table'"
        raise UserError(
            f"model={chosen.model} takes {' or '.join(accepted(cfg.model))} data, and dataset={chosen.dataset} is "
            f"{kind_of_data(cfg)} data: {cure}."
        )
    check_ranges(cfg)
    check_file_names(cfg)
    check_fold_part(cfg)
    check_momentum(cfg)
    check_length(cfg.scheduler)
    check_augmentation(cfg)
    check_arguments(cfg)
    if cfg.trainer.get("fast_dev_run") and cfg.hydra.mode == RunMode.MULTIRUN:
        raise UserError("trainer.fast_dev_run leaves no result that a sweep could compare: leave it or -m out.")


def join_files(cfg: DictConfig) -> DictConfig:
    """Join a list of files that a YAML file gives for data_dir, as `words.one_value` does a command's; return `cfg`."""
    for key in ("data_dir", "dataset.data_dir"):
        if OmegaConf.is_list(place := OmegaConf.select(cfg, key)):
            files = [os.path.abspath(local_path(str(one), f"{key}=")) for one in place]
            OmegaConf.update(cfg, key, os.pathsep.join(files))
    return cfg


def check_own_options(cfg: DictConfig) -> None:
    """Raises UserError if an option in a folder of --config-dir has the name of one in conf/: Hydra would read the one
    in conf/. A sweep's copy of conf/ is no such folder; it may be from an older version, and differ."""
    ours, *others = [Path(source.path) for source in cfg.hydra.runtime.config_sources if source.schema == "file"]
    names = [Path(group, f"{option}.yaml") for group, option in cfg.hydra.runtime.choices.items()]
    for folder in [other for other in others if not SweepFolder(other.parent).manifest.is_file()]:
        for name in [*names, Path(f"{cfg.hydra.job.config_name}.yaml")]:
            own, shadowing = folder / name, ours / name
            if own.is_file() and shadowing.is_file() and own.read_bytes() != shadowing.read_bytes():
                raise UserError(f"{own} is not read, since proj has its own {name}: rename your file.")


def check_data(cfg: DictConfig) -> None:
    """Raises UserError if the user's data is missing. The function that finds out is named by the datamodule's class
    attribute `checked_by`; a class without it is not checked."""
    if function := declared(cfg.dataset._target_, "checked_by"):
        get_method(function)(cfg.dataset)


def check_classes(cfg: DictConfig) -> None:
    """Raises UserError if a part of the configuration names no class. A scheduler, a callback or a logger may have a
    null `_target_`, which leaves it out."""
    for place, node in parts_with_a_class(cfg).items():
        target = node.get("_target_") if OmegaConf.is_dict(node) else node
        names_a_class = isinstance(target, str) and "." in target
        left_out = target is None and (place == "scheduler" or ("." in place and (not node or "_target_" in node)))
        if names_a_class or left_out:
            continue
        key, plus = place, ""
        if OmegaConf.is_dict(node):
            key, plus = f"{place}._target_", "" if "_target_" in node else "+"
        shown = "null" if target is None else target
        group, _, option = place.partition(".")
        known = option in GlobalHydra.instance().config_loader().get_group_options(group)
        how = f", or {group}={option}, which names it" if known else ""
        named = f"{plus}{place}._target_=package.module.Class{how}"
        raise UserError(f"{key}={shown} is no class: give its full name, {named}.")


@contextmanager
def ending_the_command() -> Iterator[None]:
    """`sentences` for one of Hydra's callbacks: Hydra only logs a callback's error and goes on, so any error exits."""
    try:
        with sentences():
            yield
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


class Check(Callback):
    """Hydra's callback that checks a run before it starts, and makes the folder of a new run or sweep. The jobs of a
    sweep are checked by its sweeper."""

    def on_run_start(self, config: DictConfig, **kwargs) -> None:
        with ending_the_command():
            check_single(config)
            refuse_unread_data(config)
            HydraConfig.instance().set_config(config.copy())  # the folder's name may refer to it as ${hydra:…}
            if not RunFolder(os.path.expanduser(config.hydra.run.dir)).last.is_file():
                check_data(config)  # a run with a checkpoint may be finished, and then needs no data
            self.name_folder(config.hydra.run)
            refuse_run_in_a_sweep(config.hydra.run.dir)
            if not config.trainer.get("fast_dev_run"):  # which writes nothing
                refuse_files_of_others(RunFolder(config.hydra.run.dir))
            make_folder(Path(config.hydra.run.dir), "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        with ending_the_command():
            sweep = SweepFolder(config.hydra.sweep.dir)
            if not sweep.manifest.is_file():  # a sweep that goes on may have words that an older version took
                refuse_words(config, OF_A_RUN)
                refuse_sweep_in_a_run(config.hydra.sweep.dir)
            if (workers := config.hydra.launcher.get("n_jobs", 1)) is not None:  # a setting of joblib's launcher
                JOBS_AT_ONCE.check("hydra.launcher.n_jobs", workers)
            self.name_folder(config.hydra.sweep)

    def name_folder(self, where: DictConfig) -> None:
        """Set `where.dir` to the folder to use; make it if it is named by the time. Raises UserError for no folder."""
        if not where.dir:
            raise UserError("hydra.run.dir= and hydra.sweep.dir= take a folder: . is the current one.")
        with read_write(where):
            folder = os.path.expanduser(where.dir)  # of a/../b, only b is made
            where.dir = make_new_folder(os.path.realpath(folder) if ".." in Path(folder).parts else folder)
        refuse_no_text(Path(where.dir))
        for place in (Path(where.dir), *Path(where.dir).parents):
            if os.path.lexists(place) and not place.is_dir():
                raise UserError(f"{place} is a file where a folder is needed: choose another folder than {where.dir}.")
