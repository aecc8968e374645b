"""What every classifier shares: the step, the optimizer, activations. `measuring.py` has the figures of the steps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from proj.config.check_values import NAMES
from proj.data.batches import Batches
from proj.data.datamodule import InMemoryDataModule
from proj.errors import choose
from proj.models.logits import augmented_logits, check_outputs
from proj.models.measuring import Measuring, make_tallies
from proj.models.metrics import EpochMeans
from proj.models.schedules import Rehearsal, make_schedule, settings_of

HALF = (torch.bfloat16, torch.float16)


class Classifier(Measuring):
    """A network with a loss, an optimizer and metrics; a subclass sets `self.network`, or has a `forward` of its own,
    inputs -> (B, num_classes) logits, which training, evaluation, prediction and export then go by.

    loss: (logits, targets) -> scalar, the mean over the batch. Targets are (B,) classes, or (B, num_classes) shares of
        the classes in examples that the training mixes.
    optimizer: parameters -> torch optimizer.
    scheduler: a class of torch's schedulers with its settings, see `make_schedule`; stepped after every batch.
    accepts: the kinds of data that the network takes; plain values, since they are read from the source.
    """

    accepts: tuple[str, ...] = ("image", "table")
    network: nn.Module
    weighted_loss: Callable[[Tensor, Tensor], Tensor] | None = None  # what the training takes in place of `loss`
    measured: dict[str, Any] = {}  # what `measure` found
    temperature, smoothing = 1.0, 0.0  # of a model from a checkpoint, see `load_model`
    costs: Tensor | None = None  # of a model from a checkpoint with a threshold, see `decided`
    monitor, mode = "val/acc", "max"  # what ReduceLROnPlateau looks at, and which is better

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

    @property
    def multiplications(self) -> int:
        """By weights, for one example; those of a convolution count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> tuple[Tensor, Tensor]:
        x, y = batch
        logits = self(x)
        check_outputs(logits, self.num_classes)
        if self.dtype in HALF:  # of trainer.precision=bf16-true: eight bits are too few for a loss
            logits, y = logits.float(), y.float() if y.is_floating_point() else y
            if isinstance(self.loss, nn.Module):
                self.loss.float()  # the weights of its classes
        measure = self.weighted_loss if self.weighted_loss and split == "train" else self.loss
        if logits.ndim == 3:  # (B, K, num_classes) of an ensemble in training, each of whose members learns alone
            loss = measure(logits.flatten(0, 1), y.repeat_interleave(logits.shape[1], 0))
            logits = logits.mean(1)
        else:
            loss = measure(logits, y)
        labels = y.argmax(1) if y.is_floating_point() else y  # of mixed examples that of the largest share
        self.count_batch(split, loss.detach(), logits.detach(), labels)
        return loss, logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, _ = self._step(batch, "train")
        processes = self.trainer.world_size
        if processes > 1 and isinstance(loader := self.trainer.train_dataloader, Batches):
            # DDP averages over processes: weigh them by their examples.
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
        """More arguments of the class, plain values that it finds in the data: they are kept in every checkpoint."""
        return {}

    def begin(self, data: InMemoryDataModule) -> None:
        """Before a training that begins afresh, with its data in memory."""

    def trained(self) -> list:
        """The parameters that are trained, or groups of them, as an optimizer takes them."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def configure_optimizers(self) -> torch.optim.Optimizer | dict[str, Any]:
        with settings_of("optimizer", self.optimizer):
            rehearsal = Rehearsal(self.optimizer, self.device)
            rehearsal.step()
            optimizer = self.optimizer(self.trained())
        if self.trainer.gradient_clip_val:  # before the step, so that a fused one must not unscale within it
            optimizer._step_supports_amp_scaling = False
        if self.scheduler is None:
            return optimizer
        with settings_of("scheduler", self.scheduler):
            steps = self.trainer.estimated_stepping_batches
            rehearsal.follow(make_schedule(self.scheduler, rehearsal.optimizer, steps, self.mode))
            schedule = make_schedule(self.scheduler, optimizer, steps, self.mode)
        settings = {"scheduler": schedule, "interval": "step"}
        if isinstance(schedule, ReduceLROnPlateau):  # at the end of every epoch that has a validation
            every = self.trainer.check_val_every_n_epoch or 1
            settings |= {"interval": "epoch", "frequency": every, "monitor": self.monitor, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": settings}


def make_activation(name: str) -> nn.Module:
    """An activation of torch.nn by its name. Raises UserError with the nearest one."""
    return choose("model.activation", name, {option: getattr(nn, option) for option in NAMES["activation"]})()
