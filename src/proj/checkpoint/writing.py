"""Checkpoints written: whole or not at all, and of nothing but what can be read back."""

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.io import CheckpointIO

from proj.checkpoint.file import load_checkpoint
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError, first_of
from proj.system.files import write_atomically
from proj.system.run_folder import RunFolder

SMALL = 2**20  # bytes of a checkpoint that is cheaper to hold than to write


def contents(config: dict, data: InMemoryDataModule, measured: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says about itself, so that `load_model` needs the file alone.

    measured: see `Classifier.measure`.
    """
    return {
        "config": config,
        **data.facts.to_dict(),
        "measured": measured,
        "versions": {"torch": str(torch.__version__), "lightning": lightning.__version__},
    }


def unreadable(value: Any, buffer: io.BytesIO) -> str | None:
    """Write `value` into `buffer`, as a checkpoint; return what in it `load_checkpoint` would refuse, None for nothing.

    That takes half a millisecond for a hundred tensors of any size; to read them back takes as long as to write them.
    """
    try:
        torch.save(value, buffer)
        buffer.seek(0)
        names = torch.serialization.get_unsafe_globals_in_checkpoint(buffer)
    except (pickle.PickleError, AttributeError, TypeError, ValueError) as error:  # a function, an open file, …
        return str(error)
    return first_of(sorted(names), 3) or None


def keys_to_unreadable(value: Any) -> list[str]:
    """The keys that lead to the part of `value` that could not be read back."""
    if isinstance(value, dict):
        for key, part in value.items():
            if unreadable(part, io.BytesIO()):
                return [str(key), *keys_to_unreadable(part)]
    return []


def without_numpy(value: Any) -> Any:
    """NumPy's numbers as Python's and its arrays as tensors, of the same values; the rest as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if type(value) in (list, tuple):
        return type(value)(map(without_numpy, value))
    if isinstance(value, dict):
        items = {without_numpy(key): without_numpy(part) for key, part in value.items()}
        value = copy.copy(value)  # of the same class, with torch's `_metadata`
        value.clear()
        value.update(items)
    return value


class AtomicCheckpointIO(CheckpointIO):
    """Lightning 2.6 writes through $TMPDIR without fsync: killed or on a full disk it leaves a truncated file.

    folder: the run's, in which nobody but `Resume` writes the checkpoints that the run goes on from. A small best.ckpt
    waits in memory until the next of these is written, or the training ends: in short epochs each may be better, and
    to write it takes longer than an epoch. A run that is killed before finds the same one again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.run = folder and RunFolder(folder.resolve())
        self.waiting: memoryview | None = None  # what best.ckpt is to hold

    def _is_ours(self, path: Path) -> bool:
        return bool(self.run) and self.run.is_resumed_from(path)

    def save_checkpoint(self, checkpoint: dict, path: str, storage_options: Any = None) -> None:
        if self._is_ours(Path(path)) and "resume" not in checkpoint:
            raise UserError(f"a callback wants to write {path}, from which the run goes on: let it take another name.")
        buffer = io.BytesIO()
        if unreadable(checkpoint, buffer):
            checkpoint, buffer = without_numpy(checkpoint), io.BytesIO()
            if names := unreadable(checkpoint, buffer):
                where = ".".join(keys_to_unreadable(checkpoint))
                raise UserError(
                    f"a checkpoint may hold tensors and plain values alone, and this one's {where} holds {names}. Keep "
                    "plain values in a callback's state_dict and in the network's arguments, or leave them out of "
                    "save_hyperparameters. What the run saved before is whole."
                )
        content = buffer.getbuffer()
        if self.run and Path(path).resolve() == self.run.best:
            self.waiting = content if content.nbytes <= SMALL else None  # in place of a worse one
            if self.waiting:
                return
        self.teardown()
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # of a checkpoint callback with a folder of its own
        write_atomically(Path(path), content)

    def teardown(self) -> None:
        """Write what waits. Lightning calls it at the end of a training, also of one that fails."""
        if self.run and self.waiting:
            write_atomically(self.run.best, self.waiting)
            self.waiting = None

    def load_checkpoint(self, path: str, map_location: Any = None, weights_only: bool | None = None) -> dict:
        return load_checkpoint(path)

    def remove_checkpoint(self, path: str) -> None:
        if not self._is_ours(Path(path)):
            Path(path).unlink(missing_ok=True)


def refuse_names(trainer: Trainer, folder: Path) -> None:
    """Raises UserError for a checkpoint callback that would write a checkpoint of ours."""
    run = RunFolder(folder)
    for callback in trainer.checkpoint_callbacks:
        stems = {getattr(callback, "filename", None): "give it another filename or dirpath"}
        if getattr(callback, "save_last", None):
            stems[callback.CHECKPOINT_NAME_LAST] = "leave its save_last out, last.ckpt is saved anyway"
        for stem, cure in stems.items():
            path = Path(getattr(callback, "dirpath", None) or "", f"{stem}.ckpt")
            taken = [run.last, run.previous]
            if callback is not trainer.checkpoint_callback:
                taken.append(run.best)
            if path.name.lower() in [file.name for file in taken] and path.parent.resolve() == folder.resolve():
                raise UserError(
                    f"the callback {type(callback).__name__} would write {folder / path.name}, which the run itself "
                    f"writes: {cure}."
                )
