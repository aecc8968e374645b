"""Stops a run whose loss turns NaN or infinite, or that has no loss at all; or skips steps with such gradients."""

import math
from pathlib import Path
from typing import NoReturn

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.nn.utils import get_total_norm

from proj.config.allowed_classes import resume_command
from proj.errors import UserError
from proj.system.ranks import say
from proj.system.run_folder import RunFolder
from proj.wording import agree, how_many


class Divergence:
    """Looks for NaN and infinity every `trainer.log_every_n_steps` batches and before each checkpoint.

    Until then the losses stay on their device, so that no step has to wait for it.
    stop: whether a loss that is not finite ends the run; weights and batch norm statistics must be finite in any case.
    resumed: whether the run is resumed, and so has had a loss before.
    """

    def __init__(self, folder: Path, stop: bool, resumed: bool) -> None:
        self.folder, self.stop, self.has_had_a_loss = folder, stop, resumed
        self.losses: list[torch.Tensor] = []  # of the batches since the last check
        self.rates: list[float] = []  # the learning rate of each of them
        self.rate = 0.0  # that of the current batch
        self.has_remarked = False  # that the loss of a validation is not finite

    def step_begins(self, trainer: Trainer) -> None:
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]

    def step_ends(self, trainer: Trainer, outputs: dict, batch_idx: int, is_last: bool) -> None:
        """Note the loss of a batch, and check the noted losses if it is time. is_last: whether it is the epoch's last.

        Raises UserError for a loss that is not finite, and at the end of an epoch without any loss.
        """
        self.has_had_a_loss = self.has_had_a_loss or bool(outputs)
        if outputs and self.stop:
            self.losses.append(outputs["loss"])
            self.rates.append(self.rate)
        if is_last or (batch_idx + 1) % trainer.log_every_n_steps == 0:
            self._check_losses(trainer)
        if is_last and not self.has_had_a_loss and (model := trainer.lightning_module).automatic_optimization:
            step = f"{type(model).__name__}.training_step"
            raise_in_first(trainer, UserError(f"{step} returns no loss, so nothing is learned: return it."))

    def check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raises UserError if a loss since the last check, a weight, or a batch norm statistic is not finite."""
        self._check_losses(trainer)
        weights = list(pl_module.parameters())
        if are_finite([*weights, *batch_norm_statistics(pl_module)]):
            return
        what = "batch norm's statistics" if are_finite(weights) else "a weight"  # though all losses were finite
        self._end_run(trainer, f"{what} turned NaN or infinite by step {trainer.global_step}", self.rate)

    def validation_ends(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """`check` where the validation's loss is not finite, before other callbacks stop the run, or later steps are
        blamed; print a remark if all weights are finite, once."""
        if math.isfinite(loss := float(trainer.callback_metrics.get("val/loss", 0.0))):
            return
        self.check(trainer, pl_module)
        if not self.has_remarked:
            say(
                f"val/loss is {loss} in epoch {trainer.current_epoch + 1}, though all weights are finite: look for "
                "such numbers in the validation's examples, and for a logarithm or a division in the loss."
            )
        self.has_remarked = True

    def _check_losses(self, trainer: Trainer) -> None:
        if not self.losses:
            return
        losses = torch.stack(self.losses)
        if trainer.world_size > 1 or not math.isfinite(losses.sum()):
            wrong = losses.isfinite().logical_not().nonzero().flatten()
            first = wrong[0] if len(wrong) else torch.tensor(len(losses), device=losses.device)
            first = int(trainer.strategy.reduce(first, reduce_op="min"))  # so that all processes stop together
            if first < len(losses):
                step = trainer.global_step - (len(losses) - 1 - first) // trainer.accumulate_grad_batches
                self._end_run(trainer, f"the loss turned NaN or infinite in step {step}", self.rates[first])
        self.losses.clear()
        self.rates.clear()

    def _end_run(self, trainer: Trainer, what: str, rate: float) -> None:
        last = RunFolder(self.folder).last
        kept = f"The last good checkpoint is {last}" if last.is_file() else "There was no checkpoint yet"
        skip = f", or skip such steps: {resume_command(self.folder)} on_nan=skip" if self.stop else ""
        sentence = (
            f"{what} (epoch {trainer.current_epoch + 1}), at a learning rate of {rate:.3g}. {kept}. Start a new run "
            f"with a lower optimizer.lr or trainer.gradient_clip_val=1{skip}"
        )
        raise_in_first(trainer, UserError(sentence))


def raise_in_first(trainer: Trainer, error: UserError) -> NoReturn:
    """Raise an error that all processes of a run have in the first one alone; the others end without a word."""
    raise error if trainer.is_global_zero else SystemExit(0)


def refuse_no_optimizer(trainer: Trainer) -> None:
    """Raises UserError if a model of the user's own has no optimizer."""
    if not any(optimizer.param_groups for optimizer in trainer.optimizers):  # Lightning's stand-in has none
        method = f"{type(trainer.lightning_module).__name__}.configure_optimizers"
        raise_in_first(trainer, UserError(f"{method} returns no optimizer, so nothing is learned: return one."))


def are_finite(tensors: list[torch.Tensor]) -> bool:
    return math.isfinite(get_total_norm(tensors, math.inf))


def batch_norm_statistics(model: LightningModule) -> list[torch.Tensor]:
    """The batch norm statistics: running means and variances."""
    return [tensor for name, tensor in model.named_buffers() if name.endswith(("running_mean", "running_var"))]


class SkipNaN(Callback):
    """Skips each step with NaN or infinite gradients or batch norm statistics, and counts the skipped steps.

    Buffers that the step's batches have changed, such as these statistics, are restored. Steps wait for the device.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self.in_epoch = [0, 0]  # the epoch's skipped steps, and all its steps
        self.before: list[torch.Tensor] = []  # copies of the buffers when the step began
        self.clip: float | None = None  # trainer.gradient_clip_val, while a step is skipped

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.in_epoch = [0, 0]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch, batch_idx: int) -> None:
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self.before = [buffer.clone() for buffer in pl_module.buffers()]

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.in_epoch[1] += 1
        if are_finite([*gradients, *batch_norm_statistics(pl_module)]):
            return
        optimizer.zero_grad(set_to_none=True)  # without gradients the step changes neither weights nor moments
        self.clip, trainer.gradient_clip_val = trainer.gradient_clip_val, None  # torch cannot clip missing gradients
        for buffer, before in zip(pl_module.buffers(), self.before, strict=True):
            buffer.copy_(before)
        self.skipped += 1
        self.in_epoch[0] += 1

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest) -> None:
        if self.clip is not None:
            trainer.gradient_clip_val, self.clip = self.clip, None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        skipped, steps = self.in_epoch
        if skipped and skipped == steps:
            all_steps, were = agree(steps, "the only step", f"all {steps:,} steps"), agree(steps, "was", "were")
            sentence = (
                f"{all_steps} of epoch {trainer.current_epoch + 1} gave NaN or infinite gradients "
                f"and {were} left out, so the network no longer learns: start a new run with a lower optimizer.lr or "
                "trainer.gradient_clip_val=1, and check the data for such numbers."
            )
            raise_in_first(trainer, UserError(sentence))

    def refuse_most(self, steps: int) -> int:
        """The number of skipped steps. Raises UserError if most of the `steps` were skipped, so little was learned."""
        if self.skipped > steps / 2:
            were = agree(self.skipped, "was", "were")
            raise UserError(
                f"{self.skipped} of {how_many(steps, 'step')} {were} left out because of NaN or infinite gradients: "
                "the network is hardly trained. Start a new run with a lower optimizer.lr or with "
                "trainer.gradient_clip_val=1."
            )
        return self.skipped

    def summary(self, steps: int) -> str:
        """The sentence for the end of the run."""
        share = self.skipped / max(steps, 1)
        return f"Steps left out because of NaN or infinite gradients: {self.skipped} of {steps} ({share:.0%})."

    def state_dict(self) -> dict:
        return {"skipped": self.skipped, "in_epoch": list(self.in_epoch)}

    def load_state_dict(self, state: dict) -> None:
        self.skipped = state["skipped"]
        self.in_epoch = list(state.get("in_epoch", [0, 0]))  # which older checkpoints do not have
