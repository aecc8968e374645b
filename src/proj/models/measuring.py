"""The figures of a training, its validations and its test: counted in each step, and given to curves and callbacks."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from proj.models.metrics import EpochMeans, Tally

EVALUATED = ("val", "test")
FIGURES = ("loss", "acc", "balanced_acc", "macro_f1", "auc")  # of a split; what is not measured of it is left out


def tally_key(split: str) -> str:
    """The name of a split's tally: with an underscore, since "train" is a method of every module."""
    return f"{split}_"


def make_tallies(num_classes: int) -> nn.ModuleDict:
    splits = ("train", "val", "test", "tta")
    return nn.ModuleDict({tally_key(split): Tally(num_classes, split in EVALUATED) for split in splits})


def set_training(modules: list[nn.Module], training: bool) -> None:
    """Set the modules' own flags alone; most directly, since assigning to a module takes longer."""
    for module in modules:
        own = vars(module)
        if "training" in own:
            own["training"] = training
        else:  # one of torch.jit.script keeps it elsewhere
            module.training = training


class Measuring(LightningModule):
    """A module whose steps count what they give. A subclass sets `tallies`, of `make_tallies`, and `epoch_means`."""

    tallies: nn.ModuleDict
    epoch_means: EpochMeans
    tta = False  # test with test-time augmentation too
    confusion: Tensor | None = None  # (C, C) counts of the last validation or test, a row for each right class
    _window_start = _validation_start = 0.0

    def count_batch(self, split: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch to the figures of a split. loss: its mean over the batch. logits: (B, C). labels: (B,)."""
        self.tallies[tally_key(split)].update(loss, logits, labels)

    def _results(self, split: str) -> dict[str, float]:
        """The figures since the last call, whose counts become `confusion`."""
        tally = self.tallies[tally_key(split)]
        results = tally.compute()
        tally.reset()
        self.confusion = results["confusion"]
        return {f"{split}/{name}": results[name] for name in FIGURES if name in results}

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """In evaluation mode and without gradients; then each part is in the mode that it had, since a model of one's
        own may keep a frozen part in evaluation mode. As by `self.eval()`, without its calls for each module."""
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
        count = self.confusion.sum().item()
        values["train/examples_per_second"] = count / (self._window_start - start)
        values["lr"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.epoch_means.update(values["train/loss"], values["train/acc"] * count, count)
        self._publish(values, monitored=self.epoch_means.compute())
        if last:
            self.epoch_means.reset()

    def on_validation_model_zero_grad(self) -> None:
        """Before a validation give up the gradients' memory; of the trained parameters alone, without a search."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None

    def on_validation_start(self) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_end(self) -> None:
        self._window_start += time.perf_counter() - self._validation_start  # the window's time is of training alone

    def on_validation_epoch_end(self) -> None:
        values = self._results("val")
        if self.trainer.sanity_checking:  # a few batches before the training are no validation
            return
        if self.trainer.state.fn == "fit":
            earlier = self.trainer.callback_metrics
            for name, better in (("acc", max), ("loss", min)):
                known = [values[f"val/{name}"], float(earlier.get(f"val_best/{name}", math.nan))]
                values[f"val_best/{name}"] = better((one for one in known if not math.isnan(one)), default=math.nan)
            self._publish(values)
        else:
            self.log_dict(values, sync_dist=True)

    def _publish(self, values: dict[str, Tensor | float], monitored: dict[str, float] | None = None) -> None:
        """Give values to the curves, and to the callbacks that monitor a metric.

        monitored: what these callbacks get in place of a value: of an epoch up to here, where the curve is of a window.
        `self.log` would take 1 ms a value, more than a step of a small network.
        """
        names = [*values, *(monitored or ())]
        numbers = torch.tensor([*map(float, values.values()), *(monitored or {}).values()], dtype=torch.float32)
        self.trainer.callback_metrics.update(zip(names, numbers.unbind(), strict=True))
        shown = dict(zip(values, numbers.tolist(), strict=False))
        if "lr" in values:
            shown["lr"] = values["lr"]  # as it was set: 0.001, in float32 0.0010000000474974513
        for logger in self.loggers:
            logger.log_metrics(shown, step=self.global_step)

    def on_test_epoch_end(self) -> None:
        if self.tta:
            self.log("test/acc_tta", self._results("tta")["tta/acc"], sync_dist=True)
        self.log_dict(self._results("test"), sync_dist=True)
