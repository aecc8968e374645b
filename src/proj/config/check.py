"""Refuses a wrong setting in one sentence, before a folder is made or anything heavy is imported."""

from functools import cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from proj.config import trainer as trainer_settings
from proj.config.declared import declared
from proj.config.explain import sentences
from proj.config.settings import KINDS, MONITORS, RANGES, SIZE, STEPS
from proj.errors import UserError, choose, nearest


def check(cfg: DictConfig) -> None:
    """Raises UserError for a pair of dataset and model that cannot work, or a value out of its range.

    cfg: the composed configuration with its `hydra` node.
    """
    check_types(cfg, list(cfg.hydra.overrides.task))
    chosen = cfg.hydra.runtime.choices
    if chosen.preset:
        meant = composed(GlobalHydra.instance().config_loader(), f"preset={chosen.preset}")
        if (kind_of(meant), meant.model._target_) != (kind_of(cfg), cfg.model._target_):
            its = meant.hydra.runtime.choices
            raise UserError(
                f"preset={chosen.preset} is made for dataset={its.dataset} model={its.model}: leave it out for "
                f"dataset={chosen.dataset} model={chosen.model}."
            )
    if not takes(cfg.model, kind_of(cfg)):
        loader = GlobalHydra.instance().config_loader()
        words = [f"model={name}" for name in loader.get_group_options("model")]
        fitting = " or ".join(word for word in words if takes(composed(loader, word).model, kind_of(cfg)))
        raise UserError(
            f"model={chosen.model} takes {' or '.join(accepted(cfg.model))} data, and dataset={chosen.dataset} is "
            f"{kind_of(cfg)} data: use {fitting}."
        )
    check_ranges(cfg)
    if cfg.trainer.get("fast_dev_run") and cfg.hydra.mode == RunMode.MULTIRUN:
        raise UserError("trainer.fast_dev_run leaves no result that a sweep could compare: leave it or -m out.")


def kind_of(cfg: DictConfig) -> str | None:
    """What the dataset's class says that its examples are, image or table; None where it does not say it."""
    return declared(cfg.dataset._target_, "kind")


def accepted(model: DictConfig) -> tuple[str, ...]:
    """The kinds of data that a model's class says it takes."""
    return declared(model._target_, "accepts") or ()


def takes(model: DictConfig, kind: str | None) -> bool:
    """Whether a model can be trained on data of a kind; where one of them does not say it, that is found out later."""
    return kind is None or not accepted(model) or kind in accepted(model)


def check_ranges(cfg: DictConfig) -> None:
    """Raises UserError for a value out of its range, and for what cannot tell the best checkpoint."""
    for key, (words, holds) in RANGES.items():
        value = OmegaConf.select(cfg, key)
        kind = KINDS.get(key, (int, float))
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool) or not holds(value)):
            raise UserError(f"{key}={value} is not {words}.")
    check_trainer(cfg.trainer)
    check_callbacks(cfg)
    if cfg.model._target_.startswith("proj."):  # a model of one's own may have other metrics
        choose("monitor", str(cfg.monitor), MONITORS)
    if cfg.on_nan == "skip" and str(cfg.trainer.precision).startswith("16"):
        raise UserError(
            f"trainer.precision={cfg.trainer.precision} leaves such steps out itself: leave on_nan=skip out."
        )
    best = MONITORS.get(cfg.monitor, cfg.mode)
    if cfg.mode != best:
        raise UserError(f"monitor={cfg.monitor} mode={cfg.mode} would keep the worst checkpoint: use mode={best}.")


def check_trainer(trainer: DictConfig) -> None:
    """Raises UserError for what Lightning's Trainer does not take, and for what the program sets itself."""
    if trainer.get("_target_") != "lightning.pytorch.Trainer":
        return  # a class of one's own, with arguments of its own
    for key, value in trainer.items():
        if key in trainer_settings.OWN:
            raise UserError(trainer_settings.refusal(key))
        if key != "_target_" and key not in trainer_settings.RANGES:
            raise UserError(f"There is no setting 'trainer.{key}'." + nearest(key, trainer_settings.RANGES))
        if key != "_target_" and not trainer_settings.RANGES[key][1](value):
            shown = "null" if value is None else value
            raise UserError(f"trainer.{key}={shown} is not {trainer_settings.RANGES[key][0]}.")
    epochs = trainer.max_epochs
    if epochs in (-1, None) and trainer.get("max_steps", -1) == -1 and not trainer.get("max_time"):
        shown = "null" if epochs is None else epochs
        raise UserError(f"trainer.max_epochs={shown} has no end: give trainer.max_steps=… or trainer.max_time=… too.")
    every = trainer.get("check_val_every_n_epoch")
    if every and epochs and 0 < epochs < every:
        raise UserError(
            f"trainer.check_val_every_n_epoch={every} is more than trainer.max_epochs={epochs}: no validation would "
            f"tell the best checkpoint. Use trainer.check_val_every_n_epoch={epochs} or less."
        )


def check_callbacks(cfg: DictConfig) -> None:
    """Raises UserError where no callback would keep the best checkpoint, which is what a run is for."""
    best = cfg.callbacks.get("best") if OmegaConf.is_dict(cfg.callbacks) else None
    if not OmegaConf.is_dict(best) or not best.get("_target_"):
        raise UserError(
            "callbacks.best keeps the best checkpoint, which the end of a run measures: leave ~callbacks.best out "
            "(test=false leaves the test out)."
        )
    if best._target_ != "lightning.pytorch.callbacks.ModelCheckpoint":
        return  # a class of one's own, with arguments of its own
    for key, value in best.items():
        if key in trainer_settings.OWN_OF_BEST:
            raise UserError(f"callbacks.best.{key} is set by this program: {trainer_settings.OWN_OF_BEST[key]}.")
        if key in ("monitor", "mode") and value != cfg[key]:
            raise UserError(
                f"callbacks.best.{key}={'null' if value is None else value}: use {key}={value or cfg[key]}."
            )
        words, holds = trainer_settings.RANGES_OF_BEST.get(key, ("", lambda value: True))
        if not holds(value):
            raise UserError(f"callbacks.best.{key}={'null' if value is None else value} is not {words}.")


@cache
def composed(loader: ConfigLoader, *words: str) -> DictConfig:
    return loader.load_configuration("train", list(words), run_mode=RunMode.RUN)


def check_types(cfg: DictConfig, overrides: list[str]) -> None:
    """Raises UserError where the command line gives text for a number, say; the default value tells the type."""
    parsed = [override for override in OverridesParser.create().parse_overrides(overrides) if not override.is_delete()]
    loader = GlobalHydra.instance().config_loader()
    groups = [override.input_line for override in parsed if loader.get_group_options(override.key_or_group)]
    keys = [override.key_or_group for override in parsed if override.input_line not in groups]
    for key in keys:
        if key.startswith("trainer."):
            continue  # `check_trainer` knows all of them
        value = OmegaConf.select(cfg, key)
        if value is None and RANGES.get(key) is STEPS and "epochs" not in cfg.scheduler:  # else OneCycleLR counts them
            raise UserError(f"{key}=null is not {STEPS[0]}.")
        if key in RANGES and (type(value) in (int, float) or RANGES[key] is SIZE):
            continue  # `check_ranges` looks at it, and needs no defaults
        default = OmegaConf.select(composed(loader, *groups), key)
        if isinstance(default, bool):
            fits, words = isinstance(value, bool), "true or false"
        elif isinstance(default, int | float):
            fits, words = type(value) in (int, float), f"a number, such as {default}"
        elif isinstance(default, ListConfig):
            fits, words = isinstance(value, ListConfig), f"a list, such as {default}"
        else:
            continue
        empty_too = key in ("dataset.mean", "dataset.std", "optimizer.fused")  # they may be left open
        if not fits and (value is not None or not empty_too):
            raise UserError(f"{key}={'null' if value is None else value} is not {words}.")


class Check(Callback):
    """Checks a run before it starts; the sweepers check their jobs."""

    def on_run_start(self, config: DictConfig, **kwargs) -> None:
        with sentences():
            if config.hydra.runtime.choices.sweep or config.sweep_name:
                raise UserError("sweep=… and sweep_name=… are of a sweep: add -m, as in python -m proj.train -m …")
            if any(word.startswith("output_dir=") for word in config.hydra.overrides.task):
                raise UserError("a run's folder is chosen with hydra.run.dir=path/to/folder; output_dir follows it.")
            check(config)
