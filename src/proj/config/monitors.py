"""Checks the settings by which callbacks and schedulers follow a metric: its name, which direction is better, and that
it has been measured when they look at it."""

from omegaconf import DictConfig, OmegaConf

from proj.config.declared import parts_with_a_class, target_of
from proj.config.settings.ranges import whole
from proj.errors import UserError, choose

BY_CLASS = ("balanced_acc", "macro_f1", "auc", "ap")  # metrics in which a frequent class does not outweigh the others
# The metrics by which the best checkpoint may be chosen.
MONITORS = ("val/acc", "val/loss", "train/acc", "train/loss", *(f"val/{name}" for name in BY_CLASS))
MEASURED = (*MONITORS, "val_best/acc", "val_best/loss", "train/grad_norm", "train/examples_per_second", "lr")


def mode_of(monitor: str, otherwise: str) -> str:
    """Whether less ("min") or more ("max") is better of a metric; `otherwise` if it is not one of this project's.

    conf/ uses it as ${mode_of:…}, so that a command that gives only a monitor need not give its mode.
    """
    return {"loss": "min", **dict.fromkeys(("acc", *BY_CLASS), "max")}.get(str(monitor).rpartition("/")[2], otherwise)


OmegaConf.register_new_resolver("mode_of", mode_of, replace=True)


def check_monitors(cfg: DictConfig) -> None:
    """Raises UserError for a metric that nothing measures, and for a mode that takes the worst for the best."""
    parts = {place: one for place, one in parts_with_a_class(cfg).items() if target_of(one)}
    callbacks = {place: one for place, one in parts.items() if place.startswith("callbacks.")}
    targets = [cfg.model._target_, *(one._target_ for one in callbacks.values())]
    # The user's own model or callback may measure other metrics.
    all_known = all(str(target).startswith(("proj.", "lightning.")) for target in targets)
    if all_known:
        choose("monitor", "null" if cfg.monitor is None else str(cfg.monitor), dict.fromkeys(MONITORS))
    if cfg.mode != (best := mode_of(cfg.monitor, cfg.mode)):
        raise UserError(f"monitor={cfg.monitor} mode={cfg.mode} would keep the worst checkpoint: use mode={best}.")
    for place, callback in callbacks.items():
        check_callback(place, callback, cfg, all_known)
    mode = cfg.scheduler.get("mode", cfg.mode)
    if target_of(cfg.scheduler).endswith(".ReduceLROnPlateau") and mode != cfg.mode:
        raise UserError(
            f"scheduler.mode={mode} would lower the rate while {cfg.monitor} improves: use scheduler.mode={cfg.mode}."
        )


def check_callback(place: str, callback: DictConfig, cfg: DictConfig, all_known: bool) -> None:
    """Raises UserError for a callback's monitor or mode that does not fit, for a metric that is not measured when the
    callback looks at it, and for a negative patience. all_known: whether only MEASURED exist."""
    is_best, monitor = place == "callbacks.best", callback.get("monitor")
    if is_best and "monitor" in callback and monitor != cfg.monitor:
        shown = "null" if monitor is None else monitor
        raise UserError(f"{place}.monitor={shown}: use monitor={monitor or cfg.monitor}.")
    if monitor and all_known:
        choose(f"{place}.monitor", str(monitor), dict.fromkeys(MEASURED))
    usual = "min" if callback._target_.startswith("lightning.") else None  # the default in Lightning's callbacks
    mode = callback.get("mode", usual)
    if monitor and mode and mode != (best := mode_of(monitor, mode)):
        word = f"{place}.mode={best}" if "mode" in callback else f"+{place}.mode={best}"
        raise UserError(f"{place}.monitor={monitor} with mode={mode} treats the worst as the best: use {word}.")
    if is_best and mode not in (None, cfg.mode):
        raise UserError(f"{place}.mode={mode}: use mode={mode}.")
    if callback._target_.endswith(".EarlyStopping"):
        whole(0).check(f"{place}.patience", callback.get("patience", 0))
    every = cfg.trainer.get("check_val_every_n_epoch", 1)
    for key in ("check_on_train_epoch_end", "save_on_train_epoch_end"):
        if callback.get(key) is True and str(monitor).startswith("val") and every != 1:
            raise UserError(
                f"{place}.{key}=true needs {callback.monitor} after every epoch, but "
                f"trainer.check_val_every_n_epoch={'null' if every is None else every} validates less often: use "
                f"{place}.{key}=false."
            )
