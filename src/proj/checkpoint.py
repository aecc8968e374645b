"""Checkpoints: written whole or not at all, nothing in them but tensors and plain values, checked when read."""

import io
import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.plugins.io import CheckpointIO

from proj.atomic_write import write_atomically
from proj.config import build
from proj.data.datamodule import InMemoryDataModule
from proj.errors import OUT_OF_MEMORY, UserError
from proj.stored import check_stored, strangers


class DamagedCheckpoint(UserError):
    """A file that is truncated, altered, or no checkpoint at all."""


def contents(config: dict, data: InMemoryDataModule) -> dict[str, Any]:
    """What a checkpoint says about itself, so that `load_model` needs the file alone."""
    return {
        "config": config,
        "class_names": data.class_names,
        "input_shape": list(data.input_shape),
        "mean": getattr(data, "mean", None),
        "std": getattr(data, "std", None),
        "columns": data.columns,
        "data": data.checksum(),
        "versions": {"torch": str(torch.__version__), "lightning": lightning.__version__},
    }


def foreign(error: pickle.UnpicklingError) -> str:
    """The names of what torch.load refused."""
    return ", ".join(sorted(set(re.findall(r"GLOBAL ([\w.]+)", str(error))))) or "an unknown object"


class AtomicCheckpointIO(CheckpointIO):
    """Lightning 2.6 writes through $TMPDIR without fsync: killed or on a full disk it leaves a truncated file."""

    def __init__(self) -> None:
        self._readable = False

    def save_checkpoint(self, checkpoint: dict, path: str, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        if not self._readable:  # the first one shows whether it can be opened safely
            buffer.seek(0)
            try:
                torch.load(buffer, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise UserError(
                    f"a checkpoint may hold tensors and plain values alone, this one holds {foreign(error)}. Pass "
                    "plain values to the network, or leave them out of save_hyperparameters."
                ) from error
            self._readable = True
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # of a checkpoint callback with a folder of its own
        write_atomically(Path(path), buffer.getbuffer())

    def load_checkpoint(self, path: str, map_location: Any = None, weights_only: bool | None = None) -> dict:
        return load_checkpoint(path)

    def remove_checkpoint(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)


def load_checkpoint(path: str | Path) -> dict:
    """A checkpoint's contents, on the CPU; nothing in the file is ever executed.

    Raises UserError for a missing or dangerous file, DamagedCheckpoint for one that is not whole.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not look at the checksums
        if damaged:
            raise DamagedCheckpoint(f"{path} is damaged: {damaged} fails its checksum.")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors and plain values ({foreign(error)}), so it was not opened: it "
            "could run any code. If it is not a file of your own, treat it as malicious."
        ) from error
    except OSError as error:  # a file server that is away is no damage
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except Exception as error:
        if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
            raise
        raise DamagedCheckpoint(f"{path} is truncated or is not a checkpoint ({error}).") from error
    if not isinstance(checkpoint, dict) or "proj" not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of this project.")
    return checkpoint


def load_model(path: str | Path, trust: Sequence[str] = ()):
    """(model in evaluation mode, its `contents`) of a checkpoint, from the file alone.

    trust: the modules of classes of one's own that it may name, such as ["linear"]; see `check_stored`.
    Raises UserError for a file that is damaged, or that names anything else than this project does.
    """
    checkpoint = load_checkpoint(path)
    known = checkpoint["proj"]
    try:
        return model_of(checkpoint, path, trust), known
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise DamagedCheckpoint(f"{path} does not hold a model of this project ({error!r}).") from error


def model_of(checkpoint: dict, path: str | Path, trust: Sequence[str]):
    """The model that a checkpoint describes, with its weights, in evaluation mode."""
    known = checkpoint["proj"]
    node = check_stored(known["config"], path, trust)["model"]
    facts = {"input_shape": known["input_shape"], "num_classes": len(known["class_names"])}
    if not strangers({"model": node}):  # whatever sizes it names, they take no memory before they fit the weights
        with torch.device("meta"):
            build(node, **facts).load_state_dict(checkpoint["state_dict"], assign=True)
    model = build(node, **facts)
    model.load_state_dict(checkpoint["state_dict"])
    return model.eval()
