"""The progress bars: of a run, and of a sweep's job, whose other output all goes to its log."""

import math
import os
import time
from importlib.util import find_spec
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar as AnyProgressBar
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import CustomTimeColumn, ProcessingSpeedColumn
from rich import get_console
from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from proj.errors import UserError
from proj.system.platform import may_go_unread

MIN_WIDTHS = {ProcessingSpeedColumn: 80, BarColumn: 72, CustomTimeColumn: 60}  # the narrowest terminal that shows each
LINE_INTERVAL = 60.0  # seconds between two lines of progress, if the output goes to a file
SHOWN = {"loss": "train/loss", "val/acc": "val/acc"}  # the name in the progress bar: the name of the metric


def epoch_of(epoch: int, max_epochs: int | None) -> str:
    """An epoch, counted from 0, as "3/10"; or as "3" in a run whose number of epochs is not limited."""
    return f"{epoch + 1}/{max_epochs}" if (max_epochs or -1) > 0 else str(epoch + 1)


class Speed(ProcessingSpeedColumn):
    """Lightning's column, but blank instead of 0.00 as long as the speed is not known, as in a very short epoch."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.speed else Text(" " * len("0.00it/s"))


class ProgressBar(RichProgressBar):
    """Lightning's progress bar, updated `refresh_rate` times a second, since an update takes as long as a small step.

    So an epoch or a validation that ends sooner is not shown, unless `leave` asks for a line for each epoch. If the
    output goes to a file, or to a notebook without ipywidgets, a line is printed after a validation, at most every
    LINE_INTERVAL seconds.
    epoch_shown, validation_shown: whether the current one is shown. updated, printed: the times of the last update of
    the bar and of the last printed line. over: 1 at the end of the training, when Lightning has counted the last epoch.
    """

    updated, printed, epoch_shown, validation_shown, over = 0.0, 0.0, False, False, 0

    def __init__(self, refresh_rate: float, leave: bool = False, **settings: Any) -> None:
        if refresh_rate <= 0:
            none = "'~callbacks.progress' leaves the bar out"
            raise UserError(f"callbacks.progress.refresh_rate={refresh_rate} is not above 0: {none}.")
        super().__init__(max(refresh_rate, 1), leave, **settings)  # the run's end waits 1 / rate seconds for its thread
        self.seconds, self.keeps_lines = 1 / refresh_rate, leave

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self.updated <= self.seconds:
            return False
        self.updated = now
        return True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self.printed, self.over = time.monotonic(), 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epoch_shown = self.keeps_lines
        if self.keeps_lines:
            super().on_train_epoch_start(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs, batch, batch_idx) -> None:
        ends = self.epoch_shown and batch_idx + 1 == self.total_train_batches
        if not (self._is_due() or ends):
            return
        if not self.epoch_shown:
            super().on_train_epoch_start(trainer, pl_module)
            self.epoch_shown = True
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.epoch_shown:
            super().on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the last epoch, whichever it was, since its bar remains on the screen."""
        self.over = 1
        if not self.epoch_shown:
            super().on_train_epoch_start(trainer, pl_module)
        last = trainer.fit_loop.epoch_loop.batch_progress.current.completed - 1
        super().on_train_batch_end(trainer, pl_module, None, None, last)

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        if self.validation_shown or self._is_due():
            self.validation_shown = True
            super().on_validation_batch_start(trainer, pl_module, *batch)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *results: Any) -> None:
        if self.validation_shown:
            super().on_validation_batch_end(trainer, pl_module, *results)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the validation's bar. Lightning only hides it, and adds another one each time, and draws them all."""
        if self.validation_shown and self.progress is not None and self.val_progress_bar_id is not None:
            self.progress.remove_task(self.val_progress_bar_id)
            self.val_progress_bar_id = None
        self.validation_shown = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.epoch_shown:
            super().on_validation_end(trainer, pl_module)
        else:
            self.reset_dataloader_idx_tracker()
        if self.is_enabled and time.monotonic() - self.printed >= LINE_INTERVAL and not trainer.sanity_checking:
            self._print_line(trainer, pl_module)

    def _print_line(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print a line on the progress of the training, if the output goes where rich shows no bar: to a file, or to a
        notebook without ipywidgets."""
        self.printed, console = time.monotonic(), get_console()
        shows_bar = find_spec("ipywidgets") if console.is_jupyter else console.is_terminal
        if not shows_bar and trainer.state.fn == "fit":
            figures = (f"{name} {value:.4f}" for name, value in self.get_metrics(trainer, pl_module).items())
            print("   ".join([self._get_train_description(trainer.current_epoch).rstrip(), *figures]), flush=True)

    def configure_columns(self, trainer: Trainer) -> list:
        """Lightning's columns, shortened to fit 80 characters, with the remaining time instead of the elapsed one. A
        narrower terminal shows fewer columns, so that the metrics are not cut off."""
        columns, width = [], get_console().width
        for column in super().configure_columns(trainer):
            if any(isinstance(column, kind) and width < min_width for kind, min_width in MIN_WIDTHS.items()):
                continue
            if isinstance(column, BarColumn):
                column.bar_width = 12
            elif isinstance(column, CustomTimeColumn):
                column = TimeRemainingColumn(elapsed_when_finished=True)
            elif isinstance(column, ProcessingSpeedColumn):
                column = Speed(column.style)
            columns.append(column)
        return columns

    def _get_train_description(self, current_epoch: int) -> str:
        text = f"Epoch {epoch_of(current_epoch - self.over, self.trainer.max_epochs)}"
        return text.ljust(len(self.validation_description))

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict:
        known = trainer.callback_metrics
        return {name: float(known[figure]) for name, figure in SHOWN.items() if figure in known}


class JobBar(AnyProgressBar):
    """The progress bar of a sweep's job: one line of the terminal, which is removed when the job ends.

    terminal: the terminal's file descriptor. title: the beginning of the line. batches: the number of training batches
    of the whole run, which `build_trainer` sets.
    """

    batches = math.inf

    def __init__(self, terminal: str, title: str) -> None:
        super().__init__()
        self.terminal, self.title, self.updated = int(terminal), title, 0.0
        self.progress: Progress | None = None

    def disable(self) -> None:
        """Do nothing: Lightning calls it in all processes but the first, for which `setup` draws nothing anyway."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if not trainer.is_global_zero or not os.isatty(self.terminal):  # the terminal may have been closed since
            return
        own = open(self.terminal, "w", encoding="locale", errors="backslashreplace", closefd=False)  # noqa: SIM115
        file = may_go_unread(own)
        file.write("\r")  # overwrite the title, which was written when the job was started
        columns = TextColumn("{task.description}", markup=False), BarColumn(14), TextColumn("{task.fields[at]}")
        self.progress = Progress(
            *columns,
            TimeRemainingColumn(),
            console=Console(file=file, width=os.get_terminal_size(self.terminal).columns),
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,  # the job's output goes to its log
            redirect_stderr=False,
        )
        self.progress.add_task(self.title, total=None, at="testing" if stage == "test" else "")
        self.progress.start()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        now = time.monotonic()
        if self.progress and now - self.updated > 0.25:
            self.updated = now
            batches = trainer.fit_loop.epoch_loop.batch_progress.total.completed
            total = self.batches if math.isfinite(self.batches) else None
            at = f"epoch {epoch_of(trainer.current_epoch, trainer.max_epochs)}"
            self.progress.update(TaskID(0), total=total, completed=batches, at=at)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.progress:
            self.progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "")
