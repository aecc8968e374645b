"""Checkpoints read: nothing in a file is ever executed, and the model comes out of the file alone."""

import math
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from proj.config.compose import build
from proj.config.stored import check_stored, strangers
from proj.data.facts import FORMAT
from proj.errors import UserError, first_of, message_of, out_of_memory
from proj.models.classifier import Classifier
from proj.models.logits import UNCALIBRATED, trusted
from proj.system.files import damage
from proj.system.platform import local_path
from proj.system.run_folder import RunFolder


class DamagedCheckpoint(UserError):
    """A file that is truncated, altered, or no checkpoint at all."""


class RefusedCheckpoint(UserError):
    """A whole file that is not what it should be."""


def foreign(path: Path) -> str:
    """The names of what torch.load refuses in a file."""
    names: list[str] = []
    with suppress(Exception):  # of any kind, where the file is made to mislead
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return first_of(sorted(names), 3) or "an unknown object"


def load_checkpoint(path: str | Path) -> dict:
    """A checkpoint's contents, on the CPU; nothing in the file is ever executed.

    Raises UserError for a missing file, RefusedCheckpoint for a dangerous one, DamagedCheckpoint for a damaged one.
    """
    path = Path(local_path(path))
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the checkpoint in it, {RunFolder(path).best}")
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}.")
    try:
        if found := damage(path):
            raise DamagedCheckpoint(f"{path} is damaged: {found}.")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise RefusedCheckpoint(
            f"{path} holds more than tensors and plain values ({foreign(path)}), so it was not opened: it "
            "could run any code. If it is not a file of your own, treat it as malicious."
        ) from error
    except OSError as error:  # a file server that is away is no damage
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except Exception as error:
        if out_of_memory(error):
            raise
        best = RunFolder(path.parent).best
        meant = f" Did you mean {best}?" if path.suffix != best.suffix and best.is_file() else ""
        reason = f"truncated or is not a checkpoint ({message_of(error, 100)})"
        raise DamagedCheckpoint(f"{path} is {reason}.{meant}") from error
    contents = checkpoint.get("proj") if isinstance(checkpoint, dict) else None
    if not isinstance(contents, dict) or not isinstance(contents.get("format", 0), int):
        raise RefusedCheckpoint(f"{path} is not a checkpoint of this project.")
    if contents.get("format", 0) > FORMAT:
        raise UserError(f"{path} was written by a newer version of proj (format {contents['format']}): update proj.")
    return checkpoint


def load_model(path: str | Path, trust: Sequence[str] = ()) -> tuple[Classifier, dict[str, Any]]:
    """(The model, on the CPU and in evaluation mode; what the checkpoint says of it), from the file alone.

    The model takes normalised inputs, (B, *input_shape), and gives (B, num_classes) `trusted` logits, whose softmax are
    probabilities one can trust; those of its `network` alone are as in the training. They are the same where no
    temperature was fitted, as in older versions. `decided` names a class by the model's `costs`, which are there where
    the training had a threshold.
    What the checkpoint says are its `config`, and the `class_names` and all else that `Facts.from_dict` takes.
    trust: the modules of classes of one's own that it may name, such as ["linear"]; see `check_stored`.
    Raises UserError for a file that is damaged, or that names anything else than this project does.
    """
    checkpoint, trust = load_checkpoint(path), trust.split(",") if isinstance(trust, str) else trust
    contents = checkpoint["proj"]
    try:
        return model_of(checkpoint, path, trust), contents
    except UserError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise DamagedCheckpoint(f"{path} does not hold a model of this project ({error!r}).") from error


def model_of(checkpoint: dict, path: str | Path, trust: Sequence[str]) -> Classifier:
    """The model that a checkpoint describes, with its weights, in evaluation mode."""
    contents = checkpoint["proj"]
    node = check_stored(contents["config"], path, trust)["model"]
    facts = {"input_shape": contents["input_shape"], "num_classes": len(contents["class_names"])}
    facts |= contents.get("measured", {})
    if not strangers({"model": node}):  # whatever sizes it names, they take no memory before they fit the weights
        with torch.device("meta"):
            build(node, **facts).load_state_dict(checkpoint["state_dict"], assign=True)
    model = build(node, **facts)
    model.load_state_dict(checkpoint["state_dict"])
    found = contents.get("calibration", UNCALIBRATED)
    model.temperature, model.smoothing = float(found["temperature"]), float(found["smoothing"])
    if not (0 < model.temperature < math.inf and 0 <= model.smoothing < 1):
        raise ValueError(f"a temperature of {model.temperature}, a smoothing of {model.smoothing}")
    if threshold := found.get("threshold"):
        model.costs = torch.tensor(threshold["costs"], dtype=torch.float64)
        if model.costs.shape != (facts["num_classes"],) or not (model.costs.isfinite() & (model.costs >= 0)).all():
            raise ValueError(f"costs of {model.costs}")
    model.register_forward_hook(lambda model, x, logits: trusted(logits, model.temperature, model.smoothing))
    return model.eval()
