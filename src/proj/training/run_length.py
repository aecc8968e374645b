"""Computes the length of a run: how many batches its limits leave."""

import math

from lightning.pytorch import LightningDataModule, Trainer
from omegaconf import DictConfig

from proj.errors import UserError
from proj.wording import how_many


def limited_batches(trainer: Trainer, split: str, available: int) -> int:
    """How many of the batches the setting `trainer.limit_…_batches` leaves. Raises UserError if it leaves none."""
    limit = getattr(trainer, f"limit_{split}_batches")
    left = min(available, limit) if isinstance(limit, int) else int(available * limit)
    if isinstance(limit, float) and left == 0:
        word = "overfit_batches" if trainer.overfit_batches and split != "test" else f"limit_{split}_batches"
        batches = how_many(available, f"{split} batch")
        raise UserError(
            f"trainer.{word}={limit} of {batches} is none: give a number of batches, such as trainer.{word}=1."
        )
    return left


def batches_of(data: LightningDataModule, part: str) -> int:
    """The number of batches of a part. Raises UserError for anything but a single loader with a length."""
    loader = getattr(data, f"{part}_dataloader")()
    gives, cure = "nothing", "return a loader, or leave the method out"
    if isinstance(loader, list | tuple | dict):
        gives = "a collection of loaders"
        cure = "return one, of all examples together, as of torch.utils.data.ConcatDataset"
    elif loader is not None:
        try:
            return len(loader)
        except TypeError:
            gives, cure = "a loader without a length", "give its dataset a __len__, the number of examples"
    raise UserError(f"{type(data).__name__}.{part}_dataloader gives {gives}: {cure}.")


def training_batches(trainer: Trainer, data: LightningDataModule, test: bool) -> float:
    """The number of training batches of a run; infinity if only a time limits it.

    data: a user's own gets its trainer already here, since its loaders may ask for it. test: whether the run ends with
    a test. Raises UserError for a limit that leaves no batch, or no validation.
    """
    if not type(data).__module__.startswith("proj."):
        data.trainer = trainer
    epoch = limited_batches(trainer, "train", batches_of(data, "train"))
    limited_batches(trainer, "val", batches_of(data, "val"))
    if test:
        limited_batches(trainer, "test", batches_of(data, "test"))
    batches = epoch * trainer.max_epochs if (trainer.max_epochs or -1) > 0 else float("inf")
    if trainer.max_steps > 0:
        batches = min(batches, trainer.max_steps * trainer.accumulate_grad_batches)
    every, steps = trainer.check_val_every_n_epoch, math.ceil(epoch / trainer.accumulate_grad_batches)
    if every and trainer.max_steps > 0 and math.ceil(trainer.max_steps / steps) < every and not trainer.fast_dev_run:
        raise UserError(
            f"trainer.max_steps={trainer.max_steps} ends before the first validation, which comes in epoch {every} "
            f"(trainer.check_val_every_n_epoch): use trainer.max_steps={(every - 1) * steps + 1} or more, or "
            "trainer.check_val_every_n_epoch=1."
        )
    interval = getattr(trainer, "val_check_interval", None)  # Lightning does not set it if it is a time
    most, whole = (batches, "the run") if trainer.check_val_every_n_epoch is None else (epoch, "an epoch")
    if not trainer.fast_dev_run and isinstance(interval, int) and interval > most:
        raise UserError(
            f"trainer.val_check_interval={interval} is more than the {how_many(most, 'batch')} of {whole}: no "
            f"validation would choose the best checkpoint. Use trainer.val_check_interval={most} or less."
        )
    return batches


def share_of_initial_weights(average: DictConfig | None, steps: float) -> float:
    """The weight that a moving average of the weights, after these steps, gives to the weights of the first step.

    average: the settings of Lightning's EMAWeightAveraging; for any other callback, or None, the result is 0.
    """
    if not average or not str(average.get("_target_")).endswith(".EMAWeightAveraging"):
        return 0.0
    return average.get("decay", 0.999) ** ((steps - 1) // average.get("update_every_n_steps", 1))
