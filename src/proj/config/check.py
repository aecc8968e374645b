"""Refuses a wrong setting in one sentence, before a folder is made or anything heavy is imported."""

import os
import re
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from proj.config.declared import arguments, declared
from proj.config.explain import OLD, elsewhere, sentences
from proj.config.kinds import check_types, compose_defaults
from proj.config.new_folder import make_new_folder, refuse_run_in_a_sweep, refuse_sweep_in_a_run
from proj.config.policies import policy, refusal, with_above
from proj.config.ranges import JOBS_AT_ONCE
from proj.config.settings import SETTINGS
from proj.config.values import check_names, check_ranges, loggers
from proj.config.words import key_of
from proj.errors import UserError, nearest
from proj.system.platform import refuse_no_text
from proj.system.run_folder import SweepFolder


def check_single(cfg: DictConfig) -> None:
    """`check` for a run that is no job of a sweep, whose words it refuses."""
    if cfg.hydra.runtime.choices.sweep or cfg.sweep_name:
        raise UserError("sweep=… and sweep_name=… are of a sweep: add -m, as in python -m proj.train -m …")
    refuse_words(cfg.hydra.overrides, OF_A_SWEEP)
    check(cfg)


def check(cfg: DictConfig) -> None:
    """Raises UserError for a pair of dataset and model that cannot work, or a value out of its range.

    cfg: the composed configuration with its `hydra` node.
    """
    check_classes(cfg)
    check_additions(cfg)
    check_types(cfg, list(cfg.hydra.overrides.task))
    chosen = cfg.hydra.runtime.choices
    if chosen.preset:
        meant = compose_defaults(cfg, f"preset={chosen.preset}")
        if (kind_of(meant), meant.model._target_) != (kind_of(cfg), cfg.model._target_):
            its = meant.hydra.runtime.choices
            raise UserError(
                f"preset={chosen.preset} is made for dataset={its.dataset} model={its.model}: leave it out for "
                f"dataset={chosen.dataset} model={chosen.model}."
            )
    if not takes(cfg.model, kind_of(cfg)):
        words = [f"model={name}" for name in GlobalHydra.instance().config_loader().get_group_options("model")]
        fitting = " or ".join(word for word in words if takes(compose_defaults(cfg, word).model, kind_of(cfg)))
        raise UserError(
            f"model={chosen.model} takes {' or '.join(accepted(cfg.model))} data, and dataset={chosen.dataset} is "
            f"{kind_of(cfg)} data: use {fitting}."
        )
    check_ranges(cfg)
    check_fold_part(cfg)
    check_momentum(cfg)
    check_augmentation(cfg)
    if cfg.model._target_.startswith("proj.models."):
        check_names(cfg.model)
    if cfg.trainer.get("fast_dev_run") and cfg.hydra.mode == RunMode.MULTIRUN:
        raise UserError("trainer.fast_dev_run leaves no result that a sweep could compare: leave it or -m out.")


def check_classes(cfg: DictConfig) -> None:
    """Raises UserError where a part of the configuration names no class; a scheduler or a callback may be left out."""
    callbacks = cfg.callbacks if OmegaConf.is_dict(cfg.callbacks) else {}
    parts = {name: cfg[name] for name in ("dataset", "model", "optimizer", "scheduler", "trainer")}
    parts |= {f"callbacks.{name}": one for name, one in callbacks.items() if one}
    parts |= {f"logger.{name}": one for name, one in loggers(cfg).items() if one}
    for name, node in parts.items():
        target = node.get("_target_") if OmegaConf.is_dict(node) else node
        group, _, option = name.partition(".")
        left_out = target is None and (name == "scheduler" or (option and "_target_" in node))
        if not left_out and not (isinstance(target, str) and "." in target):
            shown = "null" if target is None else target
            key = f"{name}._target_" if OmegaConf.is_dict(node) else name
            plus = "" if not OmegaConf.is_dict(node) or "_target_" in node else "+"
            known = option in GlobalHydra.instance().config_loader().get_group_options(group)
            how = f", or {group}={option}, which names it" if known else ""
            raise UserError(
                f"{key}={shown} is no class: give its full name, {plus}{name}._target_=package.module.Class{how}."
            )


def check_additions(cfg: DictConfig) -> None:
    """Raises UserError for a word that adds a setting which nothing reads, such as +lr=0.1 in place of optimizer.lr, or
    which the class of its part does not take, as far as its source tells."""
    for word in cfg.hydra.overrides.task:
        key = key_of(word)
        place, _, name = key.rpartition(".")
        meant = elsewhere(key, cfg) if word.startswith("+") and not place else ""
        if meant and not re.search(rf"\$\{{\.*{key}\}}", OmegaConf.to_yaml(cfg)):
            raise UserError(f"{word} adds a setting that nothing reads.{meant}")
        node = OmegaConf.select(cfg, place) if word.startswith("+") and place else None
        target = str(node.get("_target_")) if OmegaConf.is_dict(node) else ""
        # A class of one's own may hand on what its source does not name.
        taken = arguments(target) if target.startswith(("proj.", "torch.", "torchvision.", "lightning.")) else None
        if taken is not None and name not in taken and not name.startswith("_") and key not in OLD:
            options = [one for one in taken if not policy(f"{place}.{one}").instead]
            raise UserError(f"There is no setting {key!r}.{elsewhere(key, cfg) or nearest(name, options)}")


def kind_of(cfg: DictConfig) -> str | None:
    """What the dataset's class says that its examples are, image or table; None where it does not say it."""
    return declared(cfg.dataset._target_, "kind")


def accepted(model: DictConfig) -> tuple[str, ...]:
    """The kinds of data that a model's class says it takes."""
    return declared(model._target_, "accepts") or ()


def takes(model: DictConfig, kind: str | None) -> bool:
    """Whether a model can be trained on data of a kind; where one of them does not say it, that is found out later."""
    return kind is None or not accepted(model) or kind in accepted(model)


def check_fold_part(cfg: DictConfig) -> None:
    """Raises UserError for a word that gives the size of the part that a fold takes the place of."""
    part, folds = declared(cfg.dataset._target_, "fold_part"), cfg.dataset.get("folds")
    for word in cfg.hydra.overrides.task:
        if folds and key_of(word) == f"dataset.{part}_fraction":
            why = f"since a fold is the {part} part: leave it out"
            raise UserError(f"{word} has no effect with dataset.folds={folds}, {why}.")


def check_momentum(cfg: DictConfig) -> None:
    """Raises UserError for a momentum in place of which the schedule has its own."""
    scheduler, keeps_its_own = cfg.scheduler, str(cfg.optimizer.get("_target_")).endswith(".Muon")
    moves = str(scheduler.get("_target_")).endswith(".OneCycleLR") and scheduler.get("cycle_momentum", True)
    if keeps_its_own or not moves:
        return
    low, high = scheduler.get("base_momentum", 0.85), scheduler.get("max_momentum", 0.95)
    given = {"momentum": cfg.optimizer.get("momentum"), "betas": (cfg.optimizer.get("betas") or [None])[0]}
    for word in cfg.hydra.overrides.task:
        value = given.get(key_of(word).removeprefix("optimizer."))
        if isinstance(value, int | float) and (0 <= value < low or high < value < 1):
            raise UserError(
                f"{word} has no effect with this scheduler, which moves the momentum between {low} and {high}: add "
                "+scheduler.cycle_momentum=false, or leave it out."
            )


def check_augmentation(cfg: DictConfig) -> None:
    """Raises UserError where augment=strong does not suit the data, or its mixed labels do not suit the loss, or where
    the network enlarges again what dataset.sizes has shrunk."""
    if cfg.dataset.get("sizes") and cfg.model._target_ == "proj.models.Pretrained":
        raise UserError("dataset.sizes shrinks images, and model=pretrained enlarges them: give dataset.sizes=null.")
    strong, loss = cfg.dataset.get("augment"), str(OmegaConf.select(cfg, "model.loss._target_"))
    if strong and kind_of(cfg) == "table":
        raise UserError("augment=strong changes images, and the dataset is a table: leave it out.")
    if cfg.model._target_ == "proj.models.Pretrained" and cfg.model.get("train") == "head":
        for word in cfg.hydra.overrides.task:
            if re.match(r"\+*dataset\.augment\.(mixup|cutmix)=(?!0(\.0*)?$)", word):
                raise UserError(f"{word} has no effect on model.train=head, which sees single pictures: leave it out.")
    mixes = strong and (strong.get("mixup") or strong.get("cutmix"))
    if mixes and loss.startswith("torch.nn.") and not loss.endswith(".CrossEntropyLoss"):
        cure = "use torch.nn.CrossEntropyLoss, or dataset.augment.mixup=0 dataset.augment.cutmix=0"
        raise UserError(f"model.loss._target_={loss} takes no mixed labels: {cure}.")


class Check(Callback):
    """Checks a run before it starts, and makes the folder of a new run or sweep; the sweepers check their jobs."""

    def on_run_start(self, config: DictConfig, **kwargs) -> None:
        with sentences():
            check_single(config)
            HydraConfig.instance().set_config(config.copy())  # to which the folder's name refers
            self.make_folder(config.hydra.run)
            refuse_run_in_a_sweep(config.hydra.run.dir)
            try:
                Path(config.hydra.run.dir).mkdir(parents=True, exist_ok=True)
            except FileNotFoundError as error:
                raise UserError(f"{error.filename} cannot be made: choose another folder, hydra.run.dir=…") from error

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        with sentences():
            sweep = SweepFolder(config.hydra.sweep.dir)
            if not sweep.manifest.is_file():  # else it goes on as an older version began it
                refuse_words(config.hydra.overrides, OF_A_RUN)
                refuse_sweep_in_a_run(config.hydra.sweep.dir)
            if (workers := config.hydra.launcher.get("n_jobs", 1)) is not None:  # joblib's
                JOBS_AT_ONCE.check("hydra.launcher.n_jobs", workers)
            self.make_folder(config.hydra.sweep)

    def make_folder(self, where: DictConfig) -> None:
        if not where.dir:
            raise UserError("hydra.run.dir= and hydra.sweep.dir= take a folder: . is the current one.")
        with read_write(where):
            where.dir = make_new_folder(os.path.expanduser(where.dir))
        refuse_no_text(Path(where.dir))
        for place in (Path(where.dir), *Path(where.dir).parents):
            if os.path.lexists(place) and not place.is_dir():
                raise UserError(f"{place} is a file where a folder is needed: choose another folder than {where.dir}.")


# What a command for one run leaves unused, and one for a sweep, with what the user types instead.
OF_A_SWEEP = {r"hydra[./](sweep|sweeper|launcher)\b|isolate$": "is of a sweep: add -m"}
OF_A_RUN = {
    r"hydra\.run\b": "is of a single run: a sweep's folder is hydra.sweep.dir=path/to/folder",
    r"hydra\.output_subdir$": "is of a single run: a job's configuration is in its job.yaml",
}


def refuse_words(overrides: DictConfig, others: dict[str, str]) -> None:
    """Raises UserError for a word of the command line that would change nothing."""
    for word in [*overrides.task, *overrides.hydra]:
        key, value = key_of(word), word.partition("=")[2]
        for name in with_above(key):
            if name in SETTINGS and SETTINGS[name].instead and value != "null":
                raise UserError(refusal(name))
        for pattern, why in others.items():
            if re.match(pattern, key) and value not in ("null", "false"):
                raise UserError(f"{word} {why}.")
