"""The callbacks that keep checkpoints: best.ckpt, and what else a run is asked to keep beside it."""

import re
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import DictConfig, OmegaConf

from proj.config.compose import build, build_a
from proj.errors import UserError
from proj.system.run_folder import RunFolder

PLAIN = {  # the values of callbacks.best with which best.ckpt is all that it keeps
    "filename": ("best", None),
    "save_top_k": (1,),
    "save_last": (False, None),
    "every_n_epochs": (1, None),
    "save_on_train_epoch_end": (False, None),
}


class Best(ModelCheckpoint):
    """Lightning's, asked only where it may save: it copies all metrics before it looks at its own.

    by_steps: whether it also saves after so many steps, or so much time.
    """

    by_steps = False

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        if self.by_steps:
            super().on_train_batch_end(trainer, *rest)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._may_save(trainer):
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._may_save(trainer):
            super().on_validation_end(trainer, pl_module)

    def _may_save(self, trainer: Trainer) -> bool:
        score = trainer.callback_metrics.get(self.monitor)
        return self.by_steps or score is None or self.check_monitor_top_k(trainer, score)


class Kept(ModelCheckpoint):
    """Keeps checkpoints beside best.ckpt.

    Lightning tells the states of callbacks apart by their class, monitor, mode and intervals, which may be those of
    the callback of best.ckpt. name: tells this one from all others.
    """

    name = "kept"

    @property
    def state_key(self) -> str:
        return f"{self.name} {super().state_key}"


def build_callbacks(folder: Path, cfg: DictConfig) -> dict:
    """The callbacks of the configuration by their names, that of best.ckpt first: the run reports its checkpoint."""
    best = build_best(folder, cfg)
    others = {
        name: build_a(Callback, f"callbacks.{name}", callback)
        for name, callback in cfg.callbacks.items()
        if name != "best" and callback and callback.get("_target_")
    }
    for name, callback in others.items():
        if type(callback) is ModelCheckpoint and callback.state_key == best.state_key:
            callback.__class__, callback.name = Kept, name
    asked = cfg.callbacks.best
    if is_lightnings(asked) and any(key in asked and asked[key] not in usual for key, usual in PLAIN.items()):
        others["kept"] = build_kept(folder, asked)
    return {"best": best, **others}


def is_lightnings(best: DictConfig) -> bool:
    return best._target_ == "lightning.pytorch.callbacks.ModelCheckpoint"


def build_best(folder: Path, cfg: DictConfig) -> ModelCheckpoint:
    """The callback that has the best checkpoint in best.ckpt at any time, whatever else callbacks.best asks for.

    Raises UserError for a class of one's own that does not do this, or goes by another metric than `monitor`.
    """
    node = cfg.callbacks.best
    if is_lightnings(node):
        ours = {key: value for key, value in node.items() if key not in (*PLAIN, "auto_insert_metric_name")}
        ours |= {"filename": RunFolder(folder).best.stem, "enable_version_counter": False}
        best = build({**ours, "_target_": f"{__name__}.Best", "dirpath": str(folder.absolute())})
        best.by_steps = any(node.get(name) for name in ("every_n_train_steps", "train_time_interval", "verbose"))
        return best
    best = build_a(ModelCheckpoint, "callbacks.best", node)
    best.dirpath = str(folder.absolute())
    for key in ("monitor", "mode"):
        if getattr(best, key) != cfg[key]:
            raise UserError(f"callbacks.best goes by {key}={getattr(best, key)}: use {key}={getattr(best, key)}.")
    return best


def build_kept(folder: Path, best: DictConfig) -> Kept:
    """What callbacks.best asks for beside best.ckpt: the best three, names that tell the figures, one in five epochs.

    Each checkpoint has a name of its own, so that none overwrites another, and a run that goes on writes the same.
    """
    node = OmegaConf.to_container(best, resolve=True)
    name = None if node.get("filename") in PLAIN["filename"] else node["filename"]
    if name and node.get("save_top_k", 1) != 1 and not re.search(r"\{(epoch|step)\b", name):
        name += "-{epoch}-{step}"
    if name and node.get("auto_insert_metric_name", True):  # Lightning would make a folder of val/acc=0.9
        name = re.sub(r"\{([^{}:]+)", lambda found: f"{found[1].replace('/', '_')}={found[0]}", name)
        node["auto_insert_metric_name"] = False
    node |= {"_target_": f"{__name__}.Kept", "dirpath": str(folder.absolute()), "filename": name}
    return build({**node, "enable_version_counter": False})
