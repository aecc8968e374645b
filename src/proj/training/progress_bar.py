"""The progress bar."""

import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import BarColumn

SHOWN = ("train/loss", "val/acc")  # in the progress bar


class ProgressBar(RichProgressBar):
    """Lightning's, touched `refresh_rate` times a second: in every step it takes as long as a small network's step."""

    drawn = 0.0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        now = time.monotonic()
        if now - self.drawn > 1 / self.refresh_rate or batch_idx + 1 == self.total_train_batches:
            self.drawn = now
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def configure_columns(self, trainer: Trainer) -> list:
        columns = super().configure_columns(trainer)
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = 16  # so that a line of 80 columns has room for the rest
        return columns

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}".ljust(len(self.validation_description))

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict:
        return {name: float(trainer.callback_metrics[name]) for name in SHOWN if name in trainer.callback_metrics}
