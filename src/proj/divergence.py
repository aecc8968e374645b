"""A loss that turns NaN or infinite stops the run, or its step is left out."""

import math
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.nn.utils import get_total_norm

from proj.errors import UserError
from proj.stored import resume_command


class Divergence:
    """Looks for NaN and infinity, once a window of steps (`trainer.log_every_n_steps`) and before each checkpoint.

    The losses wait on their device until then: no step waits for the device.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.losses: list[torch.Tensor] = []  # of the window
        self.rates: list[float] = []  # the learning rate of each
        self.rate = 0.0  # of the step now

    def step_begins(self, trainer: Trainer) -> None:
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]

    def step_ends(self, trainer: Trainer, outputs: dict, batch_idx: int) -> None:
        if outputs:
            self.losses.append(outputs["loss"])
            self.rates.append(self.rate)
        if (batch_idx + 1) % trainer.log_every_n_steps == 0 or batch_idx + 1 == trainer.num_training_batches:
            self._look_at_losses(trainer)

    def look(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raises UserError if a loss since the last look, or a weight now, is not finite."""
        self._look_at_losses(trainer)
        if not math.isfinite(get_total_norm(pl_module.parameters(), math.inf)):  # after a step with a finite loss
            self._refuse(trainer, f"a weight turned NaN or infinite by step {trainer.global_step}", self.rate)

    def _look_at_losses(self, trainer: Trainer) -> None:
        if not self.losses:
            return
        losses = torch.stack(self.losses)
        if trainer.world_size > 1 or not math.isfinite(losses.sum()):
            first = torch.cat([losses.isfinite().logical_not(), losses.new_ones(1)]).argmax()  # their number if none
            first = int(trainer.strategy.reduce(first, reduce_op="min"))  # all processes leave together
            if first < len(losses):
                step = trainer.global_step - (len(losses) - 1 - first) // trainer.accumulate_grad_batches
                self._refuse(trainer, f"the loss turned NaN or infinite in step {step}", self.rates[first])
        self.losses.clear()
        self.rates.clear()

    def _refuse(self, trainer: Trainer, what: str, rate: float) -> None:
        if not trainer.is_global_zero:
            raise SystemExit(0)  # the first process speaks
        last = self.folder / "last.ckpt"
        kept = f"The last good checkpoint is {last}" if last.is_file() else "There was no checkpoint yet"
        raise UserError(
            f"{what} (epoch {trainer.current_epoch + 1}), at a learning rate of {rate:.3g}. {kept}. Start a new run "
            "with a lower optimizer.lr or trainer.gradient_clip_val=1, or leave such steps out: "
            f"{resume_command(self.folder)} on_nan=skip"
        )


class SkipNaN(Callback):
    """Leaves a step out whose gradients are NaN or infinite, and counts. Each step then waits for the device."""

    def __init__(self) -> None:
        self.skipped = 0

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if gradients and not math.isfinite(get_total_norm(gradients, math.inf)):
            optimizer.zero_grad(set_to_none=True)  # without gradients its step changes neither weights nor moments
            self.skipped += 1

    def state_dict(self) -> dict[str, int]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.skipped = state["skipped"]
