"""Handles the signals that ask a run to save and stop."""

import os
import signal
import threading
import time

import torch
from lightning.pytorch import Trainer

from proj.system.exits import CAME
from proj.system.platform import STOP_SIGNALS
from proj.system.slurm import requeue


class StopSignals:
    """Notes a signal that asks to stop. If the same one comes again after more than a second, it ends the process."""

    def __init__(self) -> None:
        self.number = 0  # that of the first signal, or 0 as long as there was none
        self.came = 0.0  # when it came, by `time.monotonic`

    def install(self) -> None:
        """Install the handlers, in place of those of Lightning and submitit.

        Slurm sends TERM before preemption, and before the end of a job's time the signal of `sbatch --signal`: usually
        USR1, with submitit USR2. Python allows only the main thread to install handlers.
        """
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                signal.signal(number, self._note)
            for number in CAME:  # before this training, if the exit by it got lost
                self._note(number, None)

    def _note(self, number: int, frame) -> None:
        if self.number == number and time.monotonic() > self.came + 1:  # Slurm and others send each signal twice
            os.write(2, b"\nStopped at once, without saving once more.\n")  # `print` may be at work in this thread
            os._exit(128 + number)
        if not self.number:
            self.number, self.came = number, time.monotonic()

    def asked(self, trainer: Trainer, batch_idx: int, is_due: bool = False) -> tuple[bool, int]:
        """(Whether to save, the signal by which to end, or 0). Several processes decide together, and only every
        `trainer.log_every_n_steps` steps, so that the answer is the same in all.

        is_due: whether it is time for this process to save, even without a signal.
        """
        alone = trainer.world_size == 1
        window = trainer.accumulate_grad_batches * (1 if alone else trainer.log_every_n_steps)
        if batch_idx % window:
            return False, 0
        to_save, number = is_due or self.number != 0, self.number
        if not alone:
            answers = torch.tensor([float(to_save), number], device=trainer.strategy.root_device)
            to_save, number = trainer.strategy.reduce(answers, reduce_op="max").int().tolist()
        return bool(to_save), number


def end_by(trainer: Trainer, number: int) -> None:
    """End this process because of the signal `number`; 0 stands for none."""
    if not number:
        return
    if trainer.is_global_zero:
        requeue(number)
        raise SystemExit(128 + number)
    raise SystemExit(0)  # no error, since Lightning kills the first process if another one ends with an error
