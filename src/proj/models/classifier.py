"""The base class of all classifiers: step, loss, optimizer and schedule. The metrics are in `measuring.py`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim.lr_scheduler import ReduceLROnPlateau

from proj.config.check_values import NAMES
from proj.data.batches import Batches
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError, choose
from proj.models.logits import augmented_logits, check_number, check_outputs
from proj.models.measuring import Measuring, make_tallies
from proj.models.metrics import EpochMeans
from proj.models.schedules import Rehearsal, make_schedule, settings_of

HALF = (torch.bfloat16, torch.float16)


class Classifier(Measuring):
    """A network with a loss, an optimizer and metrics. A subclass sets `self.network`, or overrides `forward`, which
    returns (B, num_classes) logits. Training, evaluation, prediction and export all use `forward`.

    loss: (logits, targets) -> scalar, the mean over the batch. Targets are (B,) classes; or, if the training mixes
        examples (MixUp, CutMix), the shares of the classes in them, (B, num_classes).
    optimizer: parameters -> torch optimizer.
    scheduler: a partial of torch's (`make_schedule`); it steps with the optimizer, or (ReduceLROnPlateau) with epochs.
    accepts: the kinds of data that the network accepts, as literals, since they are read from the source code.
    """

    accepts: tuple[str, ...] = ("image", "table")
    network: nn.Module
    weighted_loss: Callable[[Tensor, Tensor], Tensor] | None = None  # replaces `loss` in training, if set
    measured: dict[str, Any] = {}  # what `measure` returned
    temperature, smoothing = 1.0, 0.0  # the calibration of a model from a checkpoint, see `load_model`
    costs: Tensor | None = None  # set for a model from a checkpoint with a decision threshold, see `decided`
    monitor, mode = "val/acc", "max"  # the metric that ReduceLROnPlateau watches, and which of its values are better

    def __init__(
        self,
        num_classes: int,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        optimizer: Callable | None = None,
        scheduler: Callable | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loss = loss or nn.CrossEntropyLoss()
        self.optimizer, self.scheduler = optimizer, scheduler
        self.tallies, self.epoch_means = make_tallies(num_classes), EpochMeans()

    def take_shapes(self, input_shape: tuple[int, ...]) -> None:
        """Let lazy layers, such as `nn.LazyLinear`, take their shapes from two examples of zeros."""
        if any(map(is_lazy, (*self.parameters(), *self.buffers()))):
            with self.evaluating():
                self(torch.zeros(2, *input_shape))

    @property
    def multiplications(self) -> int:
        """An estimate of the multiplications for one example: one for each weight, also in a convolution."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> tuple[Tensor, Tensor]:
        x, y = batch
        logits = self(x)
        check_outputs(logits, len(y), self.num_classes, several=self.training)
        if self.dtype in HALF:  # with trainer.precision=bf16-true, whose 8 bits are too few for a loss
            logits, y = logits.float(), y.float() if y.is_floating_point() else y
            if isinstance(self.loss, nn.Module):
                self.loss.float()  # it may have class weights
        measure = self.weighted_loss if self.weighted_loss and split == "train" else self.loss
        if logits.ndim == 3:  # (B, K, num_classes): in training, each member of an ensemble has its own loss
            loss = measure(logits.flatten(0, 1), y.repeat_interleave(logits.shape[1], 0))
            logits = logits.mean(1)
        else:
            loss = measure(logits, y)
        check_number(loss, measure, len(y))
        labels = y.argmax(1) if y.is_floating_point() else y  # for a mixed example, the class with the largest share
        self.count_batch(split, loss.detach(), logits.detach(), labels)
        return loss, logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, _ = self._step(batch, "train")
        processes = self.trainer.world_size
        if processes > 1 and isinstance(loader := self.trainer.train_dataloader, Batches):
            # DDP averages over processes, so each process is weighted by its number of examples.
            loss = loss * (len(batch[1]) * processes / loader.size(batch_idx))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._step(batch, "val")[1]  # for the dashboard

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._step(batch, "test")
        if self.tta:
            x, y = batch
            logits = augmented_logits(self, x, getattr(self.trainer.datamodule, "flip", False)).float()
            self.count_batch("tta", self.loss(logits, y), logits, y)

    def predict_step(self, batch: tuple[Tensor, Tensor] | Tensor, batch_idx: int) -> Tensor:
        """(B, num_classes) probabilities, for a batch (x, y) or x alone."""
        return self(batch[0] if isinstance(batch, tuple | list) else batch).float().softmax(1)

    @classmethod
    def measure(cls, data: InMemoryDataModule) -> dict[str, Any]:
        """Further arguments for the constructor that are computed from the data; every checkpoint stores them."""
        return {}

    def begin(self, data: InMemoryDataModule) -> None:
        """Called before a new training (not a resumed one), with the data in memory."""

    def trained(self) -> list:
        """The parameters to train, or parameter groups, for the optimizer."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def configure_optimizers(self) -> torch.optim.Optimizer | dict[str, Any]:
        with settings_of("optimizer", self.optimizer):
            Rehearsal(self.optimizer, self.device).step()
            optimizer = self.optimizer(self.trained())
        if self.trainer.gradient_clip_val:  # gradients are unscaled to be clipped, so a fused step must not do it again
            optimizer._step_supports_amp_scaling = False
        if self.scheduler is None:
            return optimizer
        steps = self.trainer.estimated_stepping_batches  # opens the training's loader, whose errors are its own
        with settings_of("scheduler", self.scheduler):
            rehearsal = Rehearsal(self.optimizer, self.device)  # another one, which has made no step without a schedule
            rehearsal.follow(make_schedule(self.scheduler, rehearsal.optimizer, steps, self.mode))
            schedule = make_schedule(self.scheduler, optimizer, steps, self.mode)
        settings = {"scheduler": schedule, "interval": "step"}
        if isinstance(schedule, ReduceLROnPlateau):  # it steps at the end of each epoch with a validation
            every = self.trainer.check_val_every_n_epoch or 1
            batches, between = self.trainer.num_training_batches, self.trainer.val_check_batch or 0
            if between > batches:  # several epochs would count the same validation
                raise UserError(
                    "scheduler=plateau asks after each epoch whether the last validation was better, and "
                    f"trainer.val_check_interval={between} is longer than an epoch of {batches:,} batches: use "
                    "trainer.check_val_every_n_epoch=… instead."
                )
            settings |= {"interval": "epoch", "frequency": every, "monitor": self.monitor, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": settings}


def make_activation(name: str) -> nn.Module:
    """The activation of torch.nn with this name. Raises UserError, with the nearest name, if there is none."""
    return choose("model.activation", name, {option: getattr(nn, option) for option in NAMES["activation"]})()
