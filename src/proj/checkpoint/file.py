"""Reads checkpoints without running any code in them, and builds the model from the file alone."""

import math
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from proj.config.allowed_classes import check_stored, strangers
from proj.config.check_types import check_each
from proj.config.instantiate import build
from proj.config.own_code import changed_since
from proj.config.settings.table import SETTINGS
from proj.data.facts import FORMAT
from proj.errors import UserError, message_of, named, out_of_memory
from proj.models.classifier import Classifier
from proj.models.logits import UNCALIBRATED, calibrated_logits
from proj.system.files import damage
from proj.system.ranks import say
from proj.system.run_folder import RunFolder
from proj.system.shell import local_path
from proj.wording import first_of

BUILT = ("model", "dataset")  # the parts of a configuration that evaluate, predict and export build
USED = [key for key in SETTINGS if key.startswith(("model.", "dataset.")) or key == "trainer.precision"]


class DamagedCheckpoint(UserError):
    """The file is truncated, altered, or not a checkpoint at all."""


class RefusedCheckpoint(UserError):
    """The file is intact, but torch.load refuses objects in it, or another program wrote it."""


def unsafe_names(path: Path) -> str:
    """The names of the functions and classes for which torch.load refuses a file, for the message about it."""
    names: list[str] = []
    with suppress(Exception):  # a file that was crafted to mislead may raise anything
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return first_of(sorted(names), 3) or "an unknown object"


def load_checkpoint(path: str | Path) -> dict:
    """The contents of a checkpoint, with all tensors on the CPU. No code in the file is run.

    Raises DamagedCheckpoint for a damaged file, RefusedCheckpoint for one that could run code or that another program
    wrote, and UserError for one that is missing, cannot be read, or comes from a newer version.
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
    except pickle.UnpicklingError as error:
        raise RefusedCheckpoint(
            f"{path} holds more than tensors and plain values ({unsafe_names(path)}), so it was not opened: it "
            "could run any code. If it is not a file of your own, treat it as malicious."
        ) from error
    except OSError as error:  # such as a file server that does not answer: the file itself may be intact
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except Exception as error:
        if isinstance(error, UserError) or out_of_memory(error):
            raise
        best = RunFolder(path.parent).best
        meant = f" Did you mean {best}?" if path.suffix != best.suffix and best.is_file() else ""
        reason = f"truncated or is not a checkpoint ({message_of(error, 100)})"
        raise DamagedCheckpoint(f"{path} is {reason}.{meant}") from error
    contents = checkpoint.get("proj") if isinstance(checkpoint, dict) else None
    if not isinstance(contents, dict) or not isinstance(contents.get("format", 0), int):
        raise RefusedCheckpoint(f"{path} is not a checkpoint of this project: give the best.ckpt of a run.")
    if contents.get("format", 0) > FORMAT:
        raise UserError(f"{path} was written by a newer version of proj (format {contents['format']}): update proj.")
    return checkpoint


def load_model(path: str | Path, trust: Sequence[str] = ()) -> tuple[Classifier, dict[str, Any]]:
    """Return (the model on the CPU in evaluation mode, the description stored with it), from the file alone.

    The model maps normalised inputs (B, *input_shape) to calibrated logits (B, num_classes): their softmax gives
    calibrated probabilities (see `calibrated_logits`). `model.network` gives the uncalibrated logits of the training;
    both are the same if the checkpoint has no fitted temperature, as in older versions. If the training had a
    threshold, `model.costs` holds what `decided` needs to choose a class by it; else it is None.
    The description holds the run's `config`, the `class_names`, and all else that `Facts.from_dict` reads.
    trust: the modules of your own classes that the file may name, such as ["linear"]; see `check_stored`.
    Raises UserError for a damaged file, and for one whose model or dataset names any class but this project's and the
    trusted ones. Callbacks, optimizer and scheduler are not built, so their classes need no trust, nor be there.
    """
    checkpoint, trust = load_checkpoint(path), trust.split(",") if isinstance(trust, str) else trust
    contents = checkpoint["proj"]
    try:
        return model_of(checkpoint, path, trust), contents
    except Exception as error:
        if isinstance(error, UserError) or out_of_memory(error):
            raise
        raise DamagedCheckpoint(f"{path} does not hold a model of this project ({named(error, 300)}).") from error


def model_of(checkpoint: dict, path: str | Path, trust: Sequence[str]) -> Classifier:
    """Build the model that a checkpoint describes, with its weights, in evaluation mode.
    Raises UserError for a class that it may not name, and errors of any kind if the weights or figures do not fit."""
    contents = checkpoint["proj"]
    config = check_stored(contents["config"], path, trust, BUILT)
    try:
        check_each(config, USED)
    except UserError as error:
        raise DamagedCheckpoint(f"{path} holds a setting that no training takes: {error}") from error
    node = config["model"]
    facts = {"input_shape": contents["input_shape"], "num_classes": len(contents["class_names"])}
    facts |= contents.get("measured", {})
    if not strangers({"model": node}):
        # Tensors may share their numbers, so that a few of them may stand for a network that fills the memory.
        weights = checkpoint["state_dict"].values()
        stored = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in weights}
        if sum(one.nbytes for one in weights) > 10 * sum(stored.values()):
            raise ValueError("weights that take more than ten times the memory of the numbers that are stored")
        # Built on the meta device first: a damaged file may ask for a huge network, and this takes no memory until
        # its sizes are known to fit the weights. A user's own class may not support that device.
        with torch.device("meta"):  # a copy, since torch notes in the dict that its tensors are to be assigned
            build(node, **facts).load_state_dict(dict(checkpoint["state_dict"]), assign=True)
    code = contents.get("code", {})  # older versions did not store it
    if changed := changed_since(code, {part: config[part] for part in BUILT if part in config}):
        say(f"{', '.join(changed)} changed since {path} was trained: the model may give other answers than then.")
    model = build(node, **facts)
    model.take_shapes(facts["input_shape"])
    model.load_state_dict(checkpoint["state_dict"])
    calibration = contents.get("calibration", UNCALIBRATED)
    if not callable(model.loss):
        raise TypeError(f"a loss that is no function: {model.loss!r}")
    model.temperature, model.smoothing = float(calibration["temperature"]), float(calibration["smoothing"])
    if not (0 < model.temperature < math.inf and 0 <= model.smoothing < 1):
        raise ValueError(f"a temperature of {model.temperature}, a smoothing of {model.smoothing}")
    model.positive = range(facts["num_classes"])[contents.get("positive", 1)]  # older versions did not store it
    if threshold := calibration.get("threshold"):
        model.costs = torch.tensor(threshold["costs"], dtype=torch.float64)
        if model.costs.shape != (facts["num_classes"],) or not (model.costs.isfinite() & (model.costs >= 0)).all():
            raise ValueError(f"costs of {model.costs}")
    model.register_forward_hook(lambda model, x, logits: calibrated_logits(logits, model.temperature, model.smoothing))
    return model.eval()
