"""Checkpoints that say all about themselves and hold nothing but tensors and plain values."""

from pathlib import Path

import lightning
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf

from proj.command import build
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError


class Contents(Callback):
    """Adds to every checkpoint what it takes to use it without the run's folder: see `load_model`."""

    def __init__(self, cfg: DictConfig, data: InMemoryDataModule) -> None:
        self.contents = {
            "config": OmegaConf.to_container(cfg, resolve=True),
            "class_names": data.class_names,
            "input_shape": list(data.input_shape),
            "mean": getattr(data, "mean", None),
            "std": getattr(data, "std", None),
            "versions": {"torch": str(torch.__version__), "lightning": lightning.__version__},
        }

    def on_save_checkpoint(self, trainer, pl_module, checkpoint: dict) -> None:
        checkpoint["proj"] = self.contents


def load_checkpoint(path: str | Path) -> dict:
    """A checkpoint's contents, on the CPU; only tensors and plain values are ever read. Raises UserError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}.") from None


def load_model(path: str | Path):
    """(model in evaluation mode, its "proj" contents) of a checkpoint, from the file alone."""
    checkpoint = load_checkpoint(path)
    contents = checkpoint["proj"]
    shape, classes = contents["input_shape"], len(contents["class_names"])
    model = build(contents["config"]["model"], input_shape=shape, num_classes=classes)
    model.load_state_dict(checkpoint["state_dict"])
    return model.eval(), contents
