"""Runs that take long and cost nothing, so that a test can stop them half-way, and runs that die."""

import os
import time
from pathlib import Path

from lightning.pytorch import Callback


class Slow(Callback):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, *args) -> None:
        time.sleep(self.seconds)


class Dies(Callback):
    """Takes its process along in the second epoch, without a word, where the seed is 2; `times` times in all."""

    def __init__(self, seed: int, folder: str, times: int = 1) -> None:
        self.notes = [Path(folder, f"died{number}") for number in range(times if seed == 2 else 0)]

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        for note in self.notes if trainer.current_epoch == 1 else []:
            if not note.exists():
                note.touch()
                os._exit(7)


def slow(seconds: float) -> list[str]:
    return ["+callbacks.slow._target_=slow.Slow", f"+callbacks.slow.seconds={seconds}"]


def dies(folder: Path, times: int = 1) -> list[str]:
    words = ["_target_=slow.Dies", "seed=${seed}", f"folder={folder}", f"times={times}"]
    return [f"+callbacks.dies.{word}" for word in words]


ENV = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{Path(__file__).parent}"}
