"""The metrics of training, validation and test: updated in each step, and published to loggers and callbacks."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn

from proj.errors import UserError
from proj.models.metrics import EpochMeans, Tally

EVALUATED = ("val", "test")
FIGURES = ("loss", "acc", "balanced_acc", "macro_f1", "auc", "ap")  # all metrics of a split; some have only a few


def tally_key(split: str) -> str:
    """The key of a split's tally. It ends in an underscore, since "train" is a method of every module."""
    return f"{split}_"


def make_tallies(num_classes: int) -> nn.ModuleDict:
    splits = ("train", "val", "test", "tta")
    return nn.ModuleDict({tally_key(split): Tally(num_classes, split in EVALUATED) for split in splits})


def set_training(modules: list[nn.Module], training: bool) -> None:
    """Set the `training` flag of each module, without its submodules."""
    for module in modules:
        own = vars(module)
        if "training" in own:  # faster than an assignment, which calls Module.__setattr__
            own["training"] = training
        else:  # a module of torch.jit.script stores the flag elsewhere
            module.training = training


class Measuring(LightningModule):
    """A module that measures its steps. A subclass sets `tallies`, from `make_tallies`, and `epoch_means`."""

    tallies: nn.ModuleDict
    epoch_means: EpochMeans
    positive = 1  # of two classes, the index of the one whose average precision is measured
    tta = False  # whether to test with test-time augmentation as well
    confusion: Tensor | None = None  # (C, C) counts of the last validation or test; a row is a true class
    _window_start = _validation_start = 0.0

    def count_batch(self, split: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch to the metrics of a split. loss: its mean over the batch. logits: (B, C). labels: (B,)."""
        self.tallies[tally_key(split)].update(loss, logits, labels)

    def _results(self, split: str) -> dict[str, float]:
        """The metrics since the last call; also sets `confusion`."""
        tally = self.tallies[tally_key(split)]
        if tally.keeps_scores:
            tally.positive = self.positive
        results = tally.compute()
        tally.reset()
        self.confusion = results["confusion"]
        return {f"{split}/{name}": results[name] for name in FIGURES if name in results}

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A context in evaluation mode and without gradients. Afterwards each module has its former mode, since a model
        may keep a frozen part in evaluation mode. It is faster than `self.eval()`, which calls each module."""
        modules = list(self.modules())
        training = [module for module in modules if module.training]
        if any(type(one).train is not nn.Module.train or type(one).eval is not nn.Module.eval for one in modules):
            self.eval()
        set_training(training, False)
        try:
            with torch.no_grad():
                yield
        finally:
            set_training(training, True)

    def on_train_epoch_start(self) -> None:
        self._window_start = time.perf_counter()

    on_train_start = on_train_epoch_start  # for a resumed epoch, Lightning does not call `on_train_epoch_start`

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Measure the norm of the gradients before they are clipped, in the last step before each logging."""
        trainer, window = self.trainer, self.trainer.log_every_n_steps
        batches = trainer.fit_loop.epoch_loop.batch_idx + 1  # those of this epoch so far
        before_logging = -batches % window  # how many more batches there are until the metrics are logged
        if before_logging >= trainer.accumulate_grad_batches and batches < trainer.num_training_batches:
            return  # another step follows in this window
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if gradients:  # torch.nn.utils.get_total_norm also sorts them by device, and takes 1.5 times as long
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            scaler = getattr(trainer.precision_plugin, "scaler", None)  # with trainer.precision=16-mixed
            if scaler and getattr(optimizer, "_step_supports_amp_scaling", False):  # it will unscale them in its step
                norm = norm / scaler.get_scale()
            trainer.callback_metrics["train/grad_norm"] = norm

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Every `log_every_n_steps` batches (a window), and at the end of an epoch, log the window's metrics."""
        last = batch_idx + 1 == self.trainer.num_training_batches
        if not last and (batch_idx + 1) % self.trainer.log_every_n_steps:
            return
        values = self._results("train")
        if (norm := self.trainer.callback_metrics.get("train/grad_norm")) is not None:
            values["train/grad_norm"] = norm
        start, self._window_start = self._window_start, time.perf_counter()
        count = self.confusion.sum().item()
        values["train/examples_per_second"] = count / (self._window_start - start)
        values["lr"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.epoch_means.update(values["train/loss"], values["train/acc"] * count, count)
        self._publish(values, monitored=self.epoch_means.compute())
        if last:
            self.epoch_means.reset()

    def on_validation_model_zero_grad(self) -> None:
        """Free the gradients before a validation. `zero_grad` would search all modules for parameters."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None

    def on_validation_start(self) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_end(self) -> None:
        self._window_start += time.perf_counter() - self._validation_start  # so that examples/s measures training alone

    def on_validation_epoch_end(self) -> None:
        values = self._results("val")
        if self.trainer.sanity_checking or not self.confusion.any():
            return  # Lightning's few batches before the training; or a step of one's own, which logs what it measures
        if self.trainer.state.fn == "fit":
            earlier = self.trainer.callback_metrics
            for name, better in (("acc", max), ("loss", min)):
                known = [values[f"val/{name}"], float(earlier.get(f"val_best/{name}", math.nan))]
                values[f"val_best/{name}"] = better((one for one in known if not math.isnan(one)), default=math.nan)
            self._publish(values)
        else:
            self.log_dict(values, sync_dist=True)

    def _publish(self, values: dict[str, Tensor | float], monitored: dict[str, float] | None = None) -> None:
        """Pass values to the loggers, and to the callbacks that monitor a metric.

        monitored: values for the callbacks that differ from those for the loggers: means over the epoch so far, where
        the loggers get means over a window.
        `self.log` would take 1 ms for each value, more than a whole step of a small network.
        """
        names = [*values, *(monitored or ())]
        numbers = torch.tensor([*map(float, values.values()), *(monitored or {}).values()], dtype=torch.float32)
        self.trainer.callback_metrics.update(zip(names, numbers.unbind(), strict=True))
        shown = dict(zip(values, numbers.tolist(), strict=False))
        if "lr" in values:
            shown["lr"] = values["lr"]  # exactly: in float32, 0.001 would be 0.0010000000474974513
        for logger in self.loggers:
            logger.log_metrics(shown, step=self.global_step)

    def on_test_epoch_end(self) -> None:
        if self.tta:
            self.log("test/acc_tta", self._results("tta")["tta/acc"], sync_dist=True)
        self.log_dict(self._results("test"), sync_dist=True)


def run_test(trainer: Trainer, model: LightningModule, data: LightningDataModule) -> dict[str, float]:
    """The metrics of a test. Raises UserError if a user's own model has counted no example in it, and has not logged
    the loss and the accuracy itself."""
    (metrics,) = trainer.test(model, data, verbose=False)
    if math.isnan(metrics.get("test/acc", math.nan)) or "test/loss" not in metrics:
        hooks = "test_step and on_test_epoch_end, as far as it has its own"
        raise UserError(
            f"{type(model).__name__} has counted no test example: its {hooks}, must call those of super(), or log "
            "test/loss and test/acc."
        )
    return metrics
