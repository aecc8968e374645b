"""The configuration with which a run goes on: the one in its folder, with what an older version did not write in it,
changed by the words of the command."""

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from proj.config.allowed_classes import check_destinations, check_stored
from proj.config.check_types import check_type
from proj.config.check_values import check_ranges
from proj.config.compose import CONF, literal
from proj.config.monitors import mode_of
from proj.config.settings.table import below, policy, refusal
from proj.config.words import GROUPS, as_hydra_reads, key_of
from proj.errors import UserError, choose, message_of
from proj.system.folders import runs_near
from proj.system.run_folder import RunFolder, SweepFolder, flat, parse_yaml
from proj.system.shell import as_command


@cache
def listed_since() -> dict[str, Any]:
    """Settings that conf/ did not list in older versions, by their keys, with the values that they had in effect."""
    trainer = OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))
    return flat({"trainer": trainer, "balance": "none", "threshold": None, "choices": {"augment": "light"}}, ".")


def bring_up_to_date(cfg: DictConfig) -> None:
    """Add to a stored configuration what conf/ did not list when it was composed, and remove settings that this program
    now sets itself."""
    with open_dict(cfg):
        for key, setting in below("trainer").items():
            if setting.instead:
                cfg.trainer.pop(key, None)
        for key, value in listed_since().items():
            above, _, name = key.rpartition(".")
            node = cfg[above] if above else cfg
            if name not in node:
                node[name] = value
        if "logger" not in cfg:
            cfg.logger = OmegaConf.load(CONF / "logger" / "tensorboard.yaml")
        if best := cfg.callbacks.get("best"):
            best.pop("dirpath", None)


def update_copies(cfg: DictConfig, before: dict, typed: set[str]) -> None:
    """Where the command has changed a setting of the top level, such as data_dir, change its copies too.

    conf/ refers to it as ${data_dir}, in dataset.data_dir for one, and a stored configuration has the values of such
    references. A setting is taken for a copy if it has the same name and had the same value in `before`; settings in
    `typed`, which the command gives itself, stay.
    """

    def change(node: dict, place: str) -> None:
        for name, value in node.items():
            if isinstance(value, dict):
                change(value, f"{place}{name}.")
            elif name in changed and before[name] == OmegaConf.select(cfg, key := place + name) and key not in typed:
                OmegaConf.update(cfg, key, cfg[name])

    changed = {name for name, value in before.items() if not isinstance(value, dict) and cfg[name] != value}
    change(before, "")


def stored_config(folder: Path, overrides: list[str], trust: Sequence[str] = ()) -> DictConfig:
    """The configuration that a run wrote into its folder, changed as the words of a command say.

    trust: the user's own modules and classes that it may name, see `check_stored`.
    Raises UserError if there is none, if it names a class that is not allowed, and for a value out of range; raises
    OmegaConf's error for an unknown setting.
    """
    file = RunFolder(folder).config
    if folder.is_file():
        raise UserError(f"{folder} is a file: give the folder of its run, resume={folder.parent}")
    if SweepFolder(folder).manifest.is_file():
        raise UserError(f"{folder} is the folder of a sweep: python -m proj.sweep {as_command([f'resume={folder}'])}")
    if not file.is_file() and RunFolder(folder).job.is_file():
        above = as_command([f"resume={folder.parent}"])
        raise UserError(f"{folder} is a job that has not started: resume its sweep, python -m proj.sweep {above}")
    if not file.is_file() and RunFolder(folder).last.is_file():
        raise UserError(
            f"there is no file {file}: put it back, or start the run with its command again, which goes on from there."
        )
    if not file.is_file() and RunFolder(folder).notes.is_dir():
        raise UserError(
            f"{folder} is of a run that stopped before its training began: start it with its command again."
        )
    if not file.is_file():
        raise UserError(f"{folder} is not the folder of a run (no config.yaml).{runs_near('resume', folder, file)}")
    try:
        parse_yaml(file.read_bytes())  # which refuses what OmegaConf would take long to read
        read = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{file} cannot be read, or is no YAML ({message_of(error, 200)}).") from error
    stored = check_stored(read, file, trust)
    if not {"dataset", "model", "trainer"} <= stored.keys():
        raise UserError(f"{file} holds no configuration of this project.")
    typed = {*map(key_of, overrides)}
    check_destinations(stored, file, [*trust, *typed])
    keep_inside(stored, folder, file, trust)
    if "source" in stored.get("dataset", {}) and not typed & {"data_dir", "dataset.data_dir"}:
        stored["dataset"]["download"] = False  # a file must not choose the folder into which to download
    cfg = OmegaConf.create(literal(stored))
    bring_up_to_date(cfg)
    OmegaConf.set_struct(cfg, True)
    before = OmegaConf.to_container(cfg)
    apply_words(cfg, overrides, folder)
    if "mode" not in typed:  # as conf/ does, so that another monitor is what is refused, and not its mode
        cfg.mode = mode_of(cfg.monitor, cfg.mode)
    update_copies(cfg, before, typed)
    cfg.output_dir = str(folder)
    check_ranges(cfg)
    return cfg


def keep_inside(stored: dict, folder: Path, file: Path, trust: Sequence[str]) -> None:
    """Have the callbacks of a run, or of a sweep's job, write into its present folder, which may have moved.

    Raises UserError for a callback that would write outside of it, unless `trust` names its setting.
    """
    homes = [os.path.abspath(home) for home in (stored.get("output_dir"), folder) if home]
    for name, callback in (stored.get("callbacks") or {}).items():
        for key in ("dirpath", "filename"):
            value = callback.get(key) if isinstance(callback, dict) else None
            setting = f"callbacks.{name}.{key}"
            if not value or setting in trust:
                continue
            path = re.sub(r"\$\{(hydra:runtime\.)?output_dir\}", lambda _: str(folder), str(value))  # in a sweep's job
            place = Path(os.path.abspath(path if key == "dirpath" else folder / path))
            inside = next((place.relative_to(home) for home in homes if place.is_relative_to(home)), None)
            leads_out = inside and not (folder / inside).resolve().is_relative_to(folder.resolve())  # by a link
            if inside is None or leads_out or "${" in path:
                raise UserError(f"{file} would write to {value}: if that is intended, add trust={setting}")
            if key == "dirpath":
                callback[key] = str(folder / inside)


def apply_words(cfg: DictConfig, words: list[str], folder: Path) -> None:
    """Change the stored configuration of the run in `folder` as the words say.

    Raises UserError for a word that only a new run takes, and for a value of the wrong type.
    """
    for word in words:
        refuse(word, folder)
    before, settings = cfg.copy(), []
    for override in OverridesParser.create().parse_overrides([as_hydra_reads(word) for word in words]):
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} gives several values, but a resumed run takes only one.")
        if override.key_or_group in GROUPS:
            choose_option(cfg, override)
        else:
            settings.append(override)
    ConfigLoaderImpl._apply_overrides_to_config(settings, cfg)
    for override in settings:
        key = override.key_or_group
        if not override.is_delete() and not policy(key).range:  # `check_ranges` checks those that have a range
            check_type(key, OmegaConf.select(cfg, key), OmegaConf.select(before, key))


def refuse(word: str, folder: Path) -> None:
    """Raises UserError for a word that only a new run or a sweep takes."""
    key = key_of(word)
    if key.startswith("-"):
        raise UserError(f"{word} works only in a new run. A resumed run takes settings like trainer.accelerator=cpu.")
    if key == "output_dir" or key.startswith(("hydra.", "hydra/")):
        raise UserError(f"{word} works only in a new run. This one resumes in its folder, {folder}: leave it out.")
    if key.split(".")[0] in ("choices", "trial"):
        raise UserError(refusal(key.split(".")[0]))
    if key in ("sweep", "sweep_name"):
        raise UserError(f"{word} works only in a sweep, and {folder} is the folder of a run: leave it out.")


def choose_option(cfg: DictConfig, override: Override) -> None:
    """Set what an option's file says, such as that of trainer=cpu, on top of the run's settings.

    Raises UserError for a group other than trainer, callbacks and logger, unless it is the option that the run has.
    """
    group, option = override.key_or_group, override.value()
    if group in ("trainer", "callbacks", "logger") and isinstance(option, str | list) and not override.is_delete():
        options = {file.stem: file for file in (CONF / group).glob("*.yaml")}
        for one in option if isinstance(option, list) else [option]:
            choose(group, one, options)
            said = own_settings(options, one)
            with open_dict(cfg):  # the file of logger=none is empty, and means that there is no logger
                cfg[group] = OmegaConf.merge(cfg[group], said) if said else {}
    elif override.is_delete() or option != OmegaConf.select(cfg, f"choices.{group}"):
        raise UserError(
            f"{override.input_line} works only in a new run: a resumed run takes single settings, such as "
            "trainer.accelerator=cpu, and other options of trainer, callbacks and logger."
        )


def own_settings(options: dict[str, Path], option: str) -> dict:
    """The settings in an option's file, and in the files on which it builds, except default.yaml."""
    said = OmegaConf.to_container(OmegaConf.load(options[option]))
    settings: dict = {}
    for other in said.pop("defaults", []):
        settings |= own_settings(options, other) if other != "default" else {}
    return settings | said
