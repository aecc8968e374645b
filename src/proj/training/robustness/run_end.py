"""Decides whether a run is finished, or which validation is its last."""

from collections.abc import Mapping

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig


def is_done(state: dict, trainer: DictConfig) -> bool:
    """Whether the run of a checkpoint is finished. state: the checkpoint. trainer: the settings of the Trainer now."""
    if not state["resume"]["finished"]:
        return False
    before = state["proj"]["config"]["trainer"]

    def has_all(settings: Mapping) -> bool:
        """Whether the run has all of these epochs or steps. Older versions did not store all settings."""
        has_all_epochs = 0 < (settings.get("max_epochs") or 0) <= state["epoch"]
        return has_all_epochs or 0 < settings.get("max_steps", -1) <= state["global_step"]

    same_time = trainer.max_time is not None and trainer.max_time == before.get("max_time")
    ended_by_time = same_time and not has_all(before)
    return state["resume"]["stopped_early"] or has_all(trainer) or ended_by_time


def stopped_early(trainer: Trainer) -> bool:
    """Whether a callback has ended the training, and not a limit that can be raised, such as max_steps."""
    if not trainer.should_stop:
        return False
    times_left = [callback.time_remaining() for callback in trainer.callbacks if isinstance(callback, Timer)]
    at_limit = trainer.global_step == trainer.max_steps or any(left is not None and left <= 0 for left in times_left)
    return not at_limit or any(getattr(callback, "stopped_epoch", 0) for callback in trainer.callbacks)


def is_last_to_validate(trainer: Trainer) -> bool:
    """Whether this epoch is the last one that ends with a validation."""
    every, epochs = trainer.check_val_every_n_epoch or 1, trainer.max_epochs or 0
    return trainer.current_epoch + 1 == epochs // every * every
