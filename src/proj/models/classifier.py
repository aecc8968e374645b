"""What every classifier shares: the step, the metrics, the optimizer."""

import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from proj.config.values import NAMES
from proj.data.batches import Batches
from proj.data.datamodule import InMemoryDataModule
from proj.errors import choose, settings_of
from proj.models.logits import augmented_logits, check_outputs
from proj.models.metrics import EpochMeans, Tally
from proj.models.schedules import Rehearsal, make_schedule

EVALUATED = ("val", "test")
FIGURES = ("loss", "acc", "balanced_acc", "macro_f1", "auc")  # of a split; what is not measured of it is left out
HALF = (torch.bfloat16, torch.float16)


class Classifier(LightningModule):
    """A network with a loss, an optimizer and metrics; a subclass sets `self.network`.

    loss: (logits, targets) -> scalar, the mean over the batch. Targets are (B,) classes, or (B, num_classes) shares of
        the classes in examples that the training mixes.
    optimizer: parameters -> torch optimizer.
    scheduler: a class of torch's schedulers with its settings, see `make_schedule`; stepped after every batch.
    accepts: the kinds of data that the network takes; plain values, since they are read from the source.
    """

    accepts: tuple[str, ...] = ("image", "table")
    network: nn.Module
    tta = False  # test with test-time augmentation too
    weighted_loss: Callable[[Tensor, Tensor], Tensor] | None = None  # what the training takes in place of `loss`
    measured: dict[str, Any] = {}  # what `measure` found
    temperature, smoothing = 1.0, 0.0  # of a model from a checkpoint, see `load_model`
    costs: Tensor | None = None  # of a model from a checkpoint with a threshold, see `decided`
    confusion: Tensor | None = None  # (C, C) counts of the last validation or test, a row for each right class
    _window_start = _validation_start = 0.0
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
        # With an underscore, since "train" is a method of every module.
        splits = ("train", "val", "test", "tta")
        self.tallies = nn.ModuleDict({f"{split}_": Tally(num_classes, split in EVALUATED) for split in splits})
        self.epoch_means = EpochMeans()

    @property
    def multiplications(self) -> int:
        """By weights, for one example; those of a convolution count once."""
        return sum(parameter.numel() for parameter in self.network.parameters())

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
        self.tallies[f"{split}_"].update(loss.detach(), logits.detach(), labels)
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
            logits = augmented_logits(self.network, x, self.trainer.datamodule.flip).float()
            self.tallies["tta_"].update(self.loss(logits, y), logits, y)

    def predict_step(self, batch: tuple[Tensor, Tensor] | Tensor, batch_idx: int) -> Tensor:
        """(B, num_classes) probabilities, for a batch (x, y) or x alone."""
        return self(batch[0] if isinstance(batch, tuple | list) else batch).float().softmax(1)

    def _results(self, split: str) -> dict[str, Tensor]:
        """The figures since the last call, whose counts become `confusion`."""
        tally = self.tallies[f"{split}_"]
        results = tally.compute()
        tally.reset()
        self.confusion = results["confusion"]
        return {f"{split}/{name}": results[name] for name in FIGURES if name in results}

    def on_train_epoch_start(self) -> None:
        self._window_start = time.perf_counter()

    on_train_start = on_train_epoch_start  # Lightning calls no `on_train_epoch_start` for an epoch that goes on

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Note the gradients' norm in the last step of a window, before they are clipped."""
        trainer, window = self.trainer, self.trainer.log_every_n_steps
        batch_idx = trainer.fit_loop.epoch_loop.batch_idx
        left = window - 1 - batch_idx % window  # batches of the window after this one
        if left >= trainer.accumulate_grad_batches and batch_idx + 1 < trainer.num_training_batches:
            return  # another step follows in this window
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if gradients:  # as torch.nn.utils.get_total_norm, without its sorting by device: two thirds of its time
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            scaler = getattr(trainer.precision_plugin, "scaler", None)  # of trainer.precision=16-mixed
            if scaler and getattr(optimizer, "_step_supports_amp_scaling", False):  # it unscales in its own step
                norm = norm / scaler.get_scale()
            trainer.callback_metrics["train/grad_norm"] = norm

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """At the end of a window, and of an epoch, give the window's figures to the curves."""
        last = batch_idx + 1 == self.trainer.num_training_batches
        if not last and (batch_idx + 1) % self.trainer.log_every_n_steps:
            return
        values = self._results("train")
        if (norm := self.trainer.callback_metrics.get("train/grad_norm")) is not None:
            values["train/grad_norm"] = norm
        start, self._window_start = self._window_start, time.perf_counter()
        count = self.confusion.sum()
        values["train/examples_per_second"] = count / (self._window_start - start)
        self._publish({**values, "lr": self.trainer.optimizers[0].param_groups[0]["lr"]})
        # The callbacks that monitor a metric get that of the epoch up to here.
        self.epoch_means.update(values["train/loss"], self.confusion.diagonal().sum(), count)
        self.trainer.callback_metrics.update(self.epoch_means.compute())
        if last:
            self.epoch_means.reset()

    def on_validation_start(self) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_end(self) -> None:
        self._window_start += time.perf_counter() - self._validation_start  # the window's time is of training alone

    def on_validation_epoch_end(self) -> None:
        values = self._results("val")
        if self.trainer.sanity_checking:  # a few batches before the training are no validation
            return
        if self.trainer.state.fn == "fit":
            for name, better in (("acc", torch.fmax), ("loss", torch.fmin)):
                value = values[f"val/{name}"]
                best = self.trainer.callback_metrics.get(f"val_best/{name}", value)
                values[f"val_best/{name}"] = better(value, best.to(value.device))
            self._publish(values)
        else:
            self.log_dict(values, sync_dist=True)

    def _publish(self, values: dict[str, Tensor | float]) -> None:
        """Give values to the curves and to the callbacks that monitor a metric.

        `self.log` would take 1 ms a value, more than a step of a small network.
        """
        self.trainer.callback_metrics.update({name: torch.as_tensor(value) for name, value in values.items()})
        for logger in self.loggers:
            logger.log_metrics(values, step=self.global_step)

    def on_test_epoch_end(self) -> None:
        if self.tta:
            self.log("test/acc_tta", self._results("tta")["tta/acc"], sync_dist=True)
        self.log_dict(self._results("test"), sync_dist=True)

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
            optimizer = self.optimizer(self.trained())
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
