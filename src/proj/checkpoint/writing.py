"""Writes checkpoints: completely or not at all, and only if `load_checkpoint` can read them back."""

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

from proj.checkpoint.file import BUILT, load_checkpoint
from proj.config.own_code import own_code
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError
from proj.system.files import write_atomically
from proj.system.run_folder import RunFolder
from proj.wording import first_of

SMALL = 2**20  # bytes: a best.ckpt up to this size is kept in memory for a while, see AtomicCheckpointIO


def contents(config: dict, data: InMemoryDataModule, measured: dict[str, Any]) -> dict[str, Any]:
    """The description that is stored in a checkpoint, under "proj", so that `load_model` needs no other file.

    config: of the run, as plain values. measured: see `Classifier.measure`.
    """
    return {
        "config": config,
        **data.facts.to_dict(),
        "measured": measured,
        "positive": data.rarest_class,
        "code": own_code({part: config[part] for part in BUILT}),
        "versions": {"torch": str(torch.__version__), "lightning": lightning.__version__},
    }


def save_or_say_why_not(value: Any, buffer: io.BytesIO) -> str | None:
    """Write `value` into `buffer` as a checkpoint. Return the names in it that `load_checkpoint` would refuse, or why
    it cannot be written; None if all is well.

    The names come from the pickle's opcodes, which takes half a millisecond for a hundred tensors of any size; reading
    them back as a test would take as long as writing them.
    """
    try:
        torch.save(value, buffer)
        buffer.seek(0)
        names = torch.serialization.get_unsafe_globals_in_checkpoint(buffer)
    except (pickle.PickleError, AttributeError, TypeError, ValueError) as error:  # a function, an open file, say
        return str(error)
    return first_of(sorted(names), 3) or None


def keys_to_unreadable(value: Any) -> list[str]:
    """The keys, from the outermost inwards, of the first part of `value` that could not be read back."""
    if isinstance(value, dict):
        for key, part in value.items():
            if save_or_say_why_not(part, io.BytesIO()):
                return [str(key), *keys_to_unreadable(part)]
    return []


def without_numpy(value: Any) -> Any:
    """`value` with NumPy scalars as Python numbers and numeric arrays as tensors, at any depth; all else unchanged."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if type(value) in (list, tuple):
        return type(value)(map(without_numpy, value))
    if isinstance(value, dict):
        items = {without_numpy(key): without_numpy(part) for key, part in value.items()}
        value = copy.copy(value)  # keeps the class, and the `_metadata` of a state_dict
        value.clear()
        value.update(items)
    return value


class AtomicCheckpointIO(CheckpointIO):
    """Writes checkpoints atomically: Lightning 2.6 writes through $TMPDIR without fsync, and leaves a truncated file if
    it is killed or the disk is full.

    folder: the run's folder, in which `Resume` alone may write last.ckpt and its predecessor; None if there is none.
    A small best.ckpt is held in memory until one of those is written or the training ends: after short epochs, each of
    which may be the best so far, writing it would take longer than the epoch. Nothing is lost if the run is killed
    meanwhile: it resumes from the older last.ckpt, and finds the same best.ckpt again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.run = folder and RunFolder(folder.resolve())
        self.waiting: bytes | None = None  # the content of a best.ckpt that is not written yet
        self.is_training = True

    def _is_resumed_from(self, path: Path) -> bool:
        return bool(self.run) and self.run.is_resumed_from(path)

    def save_checkpoint(self, checkpoint: dict, path: str, storage_options: Any = None) -> None:
        if self._is_resumed_from(Path(path)) and "resume" not in checkpoint:
            raise UserError(f"a callback wants to write {path}, from which the run resumes: let it take another name.")
        buffer = io.BytesIO()
        if save_or_say_why_not(checkpoint, buffer):
            checkpoint, buffer = without_numpy(checkpoint), io.BytesIO()
            if names := save_or_say_why_not(checkpoint, buffer):
                where = ".".join(keys_to_unreadable(checkpoint))
                raise UserError(
                    f"a checkpoint may hold tensors and plain values alone, and this one's {where} holds {names}. Keep "
                    "plain values in a callback's state_dict and in the network's arguments, or leave them out of "
                    "save_hyperparameters. What was saved before is intact."
                )
        content = buffer.getvalue()  # without a copy. Python 3.12 crashes if a `getbuffer` is in an error's traceback
        if self.run and Path(path).resolve() == self.run.best:
            self.waiting = None  # an earlier one, which was worse
            if self.is_training and len(content) <= SMALL:
                self.waiting = content
                return
        self.write_waiting()
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # a callback may name a folder that does not exist yet
        write_atomically(Path(path), content)

    def write_waiting(self) -> None:
        """Write the best.ckpt that is held in memory."""
        if self.run and self.waiting:
            write_atomically(self.run.best, self.waiting)
            self.waiting = None

    def teardown(self) -> None:
        """Lightning calls this when a training ends, even by an error. From then on, nothing is held in memory."""
        self.write_waiting()
        self.is_training = False

    def load_checkpoint(self, path: str, map_location: Any = None, weights_only: bool | None = None) -> dict:
        return load_checkpoint(path)

    def remove_checkpoint(self, path: str) -> None:
        if not self._is_resumed_from(Path(path)):
            Path(path).unlink(missing_ok=True)


def refuse_reserved_names(trainer: Trainer, folder: Path) -> None:
    """Raises UserError if a checkpoint callback would overwrite a checkpoint that the run itself writes into `folder`:
    last.ckpt, its predecessor, or, for any callback but the first, best.ckpt."""
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
