"""What every classifier shares: the step, the metrics, the optimizer."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from torchmetrics import Metric

from proj.data.batches import Batches
from proj.errors import UserError, choose, settings_of


class Tally(Metric):
    """Loss and confusion matrix over examples, from one cheap update a batch.

    50 µs a batch of 64 where torchmetrics' MeanMetric and two accuracies take 386, in steps of 500.
    """

    full_state_update = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("loss", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("confusion", torch.zeros(num_classes**2), dist_reduce_fx="sum")  # rows: the right classes
        self.register_buffer("one", torch.ones(()), persistent=False)

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """loss: mean over the batch; logits: (B, num_classes); y: (B,)."""
        if not len(y):  # of several processes some have no share of the last batch, and their mean is NaN
            return
        self.loss.add_(loss, alpha=len(y))
        cells = torch.add(logits.argmax(1), y, alpha=self.num_classes)
        self.confusion.index_add_(0, cells, self.one.expand(len(y)))

    def compute(self) -> dict[str, Tensor]:
        confusion = self.confusion.view(self.num_classes, self.num_classes)
        count, correct = confusion.sum(1), confusion.diagonal()
        total = count.sum()
        return {
            "loss": self.loss / total,
            "acc": correct.sum() / total,
            "acc_per_class": correct / count,  # (num_classes,), NaN for a class that never came
            "count": total,
            "confusion": confusion,
        }


class EpochMeans(Metric):
    """Loss and accuracy over the windows of an epoch so far; a window's figures are those of all processes already."""

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)
        self.add_state("sums", torch.zeros(3))  # of the losses, of the right answers, of the examples

    def update(self, loss: Tensor, correct: Tensor, count: Tensor) -> None:
        self.sums += torch.stack([loss * count, correct, count])

    def compute(self) -> dict[str, Tensor]:
        loss, correct, count = self.sums
        return {"train/loss": loss / count, "train/acc": correct / count}


class Classifier(LightningModule):
    """A network with a loss, an optimizer and metrics; a subclass sets `self.network`.

    loss: (logits, targets) -> scalar, the mean over the batch.
    optimizer: parameters -> torch optimizer. scheduler: optimizer -> torch scheduler, stepped after every batch; an
    argument that it is given as "steps" or "steps/3" becomes that number of the run's optimizer steps.
    """

    network: nn.Module
    tta = False  # test with test-time augmentation too
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
        self.tallies = nn.ModuleDict({f"{split}_": Tally(num_classes) for split in ("train", "val", "test", "tta")})
        self.epoch_means = EpochMeans()

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> tuple[Tensor, Tensor]:
        x, y = batch
        logits = self(x)
        loss = self.loss(logits, y)
        self.tallies[f"{split}_"].update(loss.detach(), logits.detach(), y)
        return loss, logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss, _ = self._step(batch, "train")
        processes, loader = self.trainer.world_size, self.trainer.train_dataloader
        if processes > 1 and isinstance(loader, Batches):  # DDP averages over processes: weigh them by their examples
            loss = loss * (len(batch[1]) * processes / loader.size(batch_idx))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._step(batch, "val")[1]  # for the dashboard

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._step(batch, "test")
        if self.tta:
            x, y = batch
            logits = augmented_logits(self.network, x, self.trainer.datamodule.flip)
            self.tallies["tta_"].update(self.loss(logits, y), logits, y)

    def predict_step(self, batch: tuple[Tensor, Tensor] | Tensor, batch_idx: int) -> Tensor:
        """(B, num_classes) probabilities, for a batch (x, y) or x alone."""
        return self(batch[0] if isinstance(batch, tuple | list) else batch).softmax(1)

    def _results(self, split: str) -> dict[str, Tensor]:
        tally = self.tallies[f"{split}_"]
        results = tally.compute()
        tally.reset()
        for name in ("acc_per_class", "count", "confusion"):
            setattr(self, name, results.pop(name))
        return {f"{split}/{name}": value for name, value in results.items()}

    def on_train_epoch_start(self) -> None:
        self._window_start = time.perf_counter()

    on_train_start = on_train_epoch_start  # an epoch that is resumed half-way does not start

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The gradients' norm in the last step of a window, before they are clipped."""
        trainer = self.trainer
        batches = trainer.fit_loop.epoch_loop.batch_idx + 1
        ends = -batches % trainer.log_every_n_steps < trainer.accumulate_grad_batches
        if ends or batches == trainer.num_training_batches:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            if gradients:  # as torch.nn.utils.get_total_norm, without its sorting by device: two thirds of its time
                norm = torch.stack(torch._foreach_norm(gradients)).norm()
                scaler = getattr(trainer.precision_plugin, "scaler", None)  # of trainer.precision=16-mixed
                if scaler and getattr(optimizer, "_step_supports_amp_scaling", False):  # it unscales in its own step
                    norm = norm / scaler.get_scale()
                trainer.callback_metrics["train/grad_norm"] = norm

    def on_train_batch_end(self, outputs: dict[str, Tensor], batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        last = batch_idx + 1 == self.trainer.num_training_batches
        if last or (batch_idx + 1) % self.trainer.log_every_n_steps == 0:
            values = self._results("train")
            if (norm := self.trainer.callback_metrics.get("train/grad_norm")) is not None:
                values["train/grad_norm"] = norm
            start, self._window_start = self._window_start, time.perf_counter()
            values["train/examples_per_second"] = self.count / (self._window_start - start)
            self._publish({**values, "lr": self.trainer.optimizers[0].param_groups[0]["lr"]})
            # The curves have the window's figures. What monitors a metric gets the epoch's, up to here.
            self.epoch_means.update(values["train/loss"], self.confusion.diagonal().sum(), self.count)
            self.trainer.callback_metrics.update(self.epoch_means.compute())
            if last:
                self.epoch_means.reset()

    def on_validation_start(self) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_end(self) -> None:
        self._window_start += time.perf_counter() - self._validation_start  # no time of the training

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
        """To the curves and to the callbacks that monitor a metric. `self.log` takes 1 ms a value, the steps of a small
        network take less."""
        self.trainer.callback_metrics.update({name: torch.as_tensor(value) for name, value in values.items()})
        for logger in self.loggers:
            logger.log_metrics(values, step=self.global_step)

    def on_test_epoch_end(self) -> None:
        if self.tta:
            self.log("test/acc_tta", self._results("tta")["tta/acc"], sync_dist=True)
        self.log_dict(self._results("test"), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer | dict[str, Any]:
        # Tried on a few numbers first: some settings are refused at the first step, not before.
        few = [nn.Parameter(torch.ones(shape, device=self.device)) for shape in ((2, 2), (2,), (2, 2))]
        with settings_of("optimizer", self.optimizer):
            trial = self.optimizer(few)
            trial.step(lambda: _squares(few))
            optimizer = self.optimizer([parameter for parameter in self.parameters() if parameter.requires_grad])
        if self.scheduler is None:
            return optimizer
        with settings_of("scheduler", self.scheduler):
            scheduler = self._schedule(trial)
            trial.step(lambda: _squares(few))  # before the scheduler's, as torch wants it
            scheduler.step(0.0) if isinstance(scheduler, ReduceLROnPlateau) else scheduler.step()
            scheduler = self._schedule(optimizer)
        settings = {"scheduler": scheduler, "interval": "step"}
        if isinstance(scheduler, ReduceLROnPlateau):  # at the end of every epoch that has a validation
            every = self.trainer.check_val_every_n_epoch or 1
            settings |= {"interval": "epoch", "frequency": every, "monitor": self.monitor, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def _schedule(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        settings, steps = dict(self.scheduler.keywords), self.trainer.estimated_stepping_batches
        for name, value in settings.items():
            if isinstance(value, str) and value[:5] == "steps":
                if math.isinf(steps):
                    raise UserError(
                        f"scheduler.{name}={value} takes a run whose steps are known: give trainer.max_epochs=… or "
                        "trainer.max_steps=…, or use scheduler=none."
                    )
                settings[name] = max(1, int(steps) // int(value[6:] or 1))
        if "max_lr" in settings:  # OneCycleLR would give all groups the same
            first = optimizer.param_groups[0]["lr"]
            settings["max_lr"] = [settings["max_lr"] * group["lr"] / first for group in optimizer.param_groups]
        if settings.get("pct_start", 0) * (settings.get("total_steps") or 0) == 1:
            settings["total_steps"] += 1  # OneCycleLR divides by zero where the rise has a single step
        if self.scheduler.func is ReduceLROnPlateau:
            settings.setdefault("mode", self.mode)
        scheduler = self.scheduler.func(optimizer, **settings)
        if isinstance(scheduler, OneCycleLR) and scheduler.total_steps < steps:  # it raises at the step after its last
            raise UserError(
                f"the scheduler ends after {scheduler.total_steps} steps, and the run has "
                f"{'no end' if math.isinf(steps) else steps}: use scheduler.total_steps=steps, or end the run with "
                f"trainer.max_steps={scheduler.total_steps}."
            )
        return scheduler


def _squares(parameters: list[nn.Parameter]) -> Tensor:
    """A loss with a gradient for each parameter."""
    loss = torch.stack([parameter.square().sum() for parameter in parameters]).sum()
    loss.backward()
    return loss


def augmented_logits(network: nn.Module, x: Tensor, mirror: bool) -> Tensor:
    """(B, num_classes) logits of the images, half, and of their moves by one pixel up-left and down-right, a quarter
    each; each averaged with its mirror image where `mirror` (Jordan, arXiv 2404.00498)."""

    def logits(x: Tensor) -> Tensor:
        return (network(x) + network(x.flip(3))) / 2 if mirror else network(x)

    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")  # (B, C, H + 2, W + 2)
    return logits(x) / 2 + (logits(padded[..., :-2, :-2]) + logits(padded[..., 2:, 2:])) / 4


def make_activation(name: str) -> nn.Module:
    """An activation of torch.nn by its name. Raises UserError with the nearest one."""
    common = ("ELU", "GELU", "LeakyReLU", "Mish", "ReLU", "SELU", "SiLU", "Sigmoid", "Softplus", "Tanh")
    return choose("model.activation", name, {option: getattr(nn, option) for option in common})()
