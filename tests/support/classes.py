"""Classes that the tests' configurations name as the user's own. A file may name them only with `trust=support`."""

import os
import signal
import time
from pathlib import Path

import torchvision
from lightning.pytorch import Callback


class CIFAR10(torchvision.datasets.CIFAR10):
    """torchvision's class without its checksums, which the tests' tiny files cannot match."""

    train_list = [[name, None] for name, _ in torchvision.datasets.CIFAR10.train_list]
    test_list = [[name, None] for name, _ in torchvision.datasets.CIFAR10.test_list]
    meta = {**torchvision.datasets.CIFAR10.meta, "md5": None}


class Slow(Callback):
    """Sleeps after each batch, so that a test can stop the run half-way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, *args) -> None:
        time.sleep(self.seconds)


class Dies(Callback):
    """Kills the process of the run with seed 2, without any message, in its second epoch; `times` times in all."""

    def __init__(self, seed: int, folder: str, times: int = 1) -> None:
        self.notes = [Path(folder, f"died{number}") for number in range(times if seed == 2 else 0)]

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        for note in self.notes if trainer.current_epoch == 1 else []:
            if not note.exists():
                note.touch()
                os._exit(7)


class Ends(Callback):
    """Ends a run as its training begins. how: "die" exits, "break" raises an error, any other prints and is killed."""

    def __init__(self, how: str) -> None:
        self.how = how

    def on_train_start(self, *args) -> None:
        if self.how == "die":
            os._exit(7)
        if self.how == "break":
            raise RuntimeError("a bug")
        print("its last words")
        os.system("echo of a process")
        os.kill(os.getpid(), signal.SIGKILL)


def ends(*how: str) -> list[str]:
    return ["+callbacks.ends._target_=support.classes.Ends", f"+callbacks.ends.how={','.join(how)}"]


def slow(seconds: float) -> list[str]:
    return ["+callbacks.slow._target_=support.classes.Slow", f"+callbacks.slow.seconds={seconds}"]


def dies(folder: Path, times: int = 1) -> list[str]:
    words = ["_target_=support.classes.Dies", "seed=${seed}", f"folder={folder}", f"times={times}"]
    return [f"+callbacks.dies.{word}" for word in words]


# The environment for a process that has to import these classes.
ENV = {**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{Path(__file__).parents[1]}"}
