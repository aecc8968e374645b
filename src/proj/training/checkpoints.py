"""The callbacks that write checkpoints: best.ckpt, and others that the configuration asks for."""

import math
import re
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import DictConfig, OmegaConf

from proj.config.instantiate import build, build_a
from proj.errors import UserError
from proj.system.run_folder import RunFolder

ONLY_BEST = {  # with these values of callbacks.best, best.ckpt is its only checkpoint
    "filename": ("best", None),
    "save_top_k": (1,),
    "save_last": (False, None),
    "every_n_epochs": (1, None),
    "save_on_train_epoch_end": (False, None),
}


class Best(ModelCheckpoint):
    """Lightning's ModelCheckpoint for the best epoch, with three differences.

    It does nothing for a score that is no improvement, where Lightning would first copy all metrics; only with
    `verbose` it is called, to say so. A NaN is never the best. Of epochs with the same score, the one with the lowest
    val/loss is the best: among few validation examples, many epochs share the best accuracy, and the first of them has
    hardly been trained.
    """

    loss = -math.inf  # the val/loss of the best; a run of an older version, which has none, keeps the first

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_batch_end(self, *step: Any) -> None:
        """Do nothing: no setting has it save after a number of steps, or a time."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._may_save(trainer):
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._may_save(trainer):
            super().on_validation_end(trainer, pl_module)

    def _may_save(self, trainer: Trainer) -> bool:
        if trainer.sanity_checking:
            return False
        metrics = trainer.callback_metrics  # once, since Lightning computes them each time
        score = metrics.get(self.monitor)
        if score is None:
            return True  # Lightning's callback then says that nothing has measured it
        if not math.isfinite(score):
            return False
        is_validated = self.monitor.startswith("val/")  # any other metric may come with the loss of an earlier epoch
        loss = float(metrics.get("val/loss", math.inf)) if is_validated else math.inf
        best = self.best_model_score
        is_tie = best is not None and float(score) == float(best)
        if is_tie and loss < self.loss:
            self.best_k_models.clear()  # so that Lightning, which asks for a higher score, takes this one for the first
        better = self.check_monitor_top_k(trainer, score)
        self.loss = loss if better else self.loss
        return self.verbose or better

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "loss": self.loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.loss = state_dict.get("loss", self.loss)


class Kept(ModelCheckpoint):
    """Writes further checkpoints beside best.ckpt.

    Lightning stores the state of a checkpoint callback under its class, monitor, mode and intervals, which may equal
    those of the callback of best.ckpt. So the key of this one also contains its `name`.
    """

    name = "kept"

    @property
    def state_key(self) -> str:
        return f"{self.name} {super().state_key}"


def build_callbacks(folder: Path, cfg: DictConfig) -> dict:
    """The callbacks of the configuration by name. The one of best.ckpt is first, so that the run reports its file."""
    best = build_best(folder, cfg)
    others = {
        name: build_a(Callback, f"callbacks.{name}", callback)
        for name, callback in cfg.callbacks.items()
        if name != "best" and callback and callback.get("_target_")
    }
    for name, callback in others.items():
        if type(callback) is ModelCheckpoint and callback.state_key == best.state_key:
            callback.__class__, callback.name = Kept, name
    node = cfg.callbacks.best
    if is_model_checkpoint(node) and any(key in node and node[key] not in usual for key, usual in ONLY_BEST.items()):
        others["kept"] = build_kept(folder, node)
    return {"best": best, **others}


def is_model_checkpoint(best: DictConfig) -> bool:
    return best._target_ == "lightning.pytorch.callbacks.ModelCheckpoint"


def build_best(folder: Path, cfg: DictConfig) -> ModelCheckpoint:
    """The callback that keeps the best checkpoint in best.ckpt, and nothing else, whatever callbacks.best asks for.

    Raises UserError for a user's own class that is no ModelCheckpoint, or monitors another metric than `monitor`.
    """
    node = cfg.callbacks.best
    if is_model_checkpoint(node):
        settings = {key: value for key, value in node.items() if key not in (*ONLY_BEST, "auto_insert_metric_name")}
        settings |= {"filename": RunFolder(folder).best.stem, "enable_version_counter": False}
        settings |= {"save_on_train_epoch_end": saved_at_epoch_end(cfg.monitor)}
        return build({**settings, "_target_": f"{__name__}.Best", "dirpath": str(folder.absolute())})
    best = build_a(ModelCheckpoint, "callbacks.best", node)
    best.dirpath = str(folder.absolute())
    for key in ("monitor", "mode"):
        if getattr(best, key) != cfg[key]:
            raise UserError(f"callbacks.best goes by {key}={getattr(best, key)}: use {key}={getattr(best, key)}.")
    return best


def saved_at_epoch_end(monitor: str) -> bool | None:
    """The argument of Lightning's ModelCheckpoint: False for a metric of the validation, so that the weights are saved
    as they were validated, before a hook at the epoch's end changes them, as pruning does; else Lightning decides."""
    return False if monitor.startswith("val/") else None


def build_kept(folder: Path, best: DictConfig) -> Kept:
    """The callback for what callbacks.best asks for beside best.ckpt, such as the best three, or every fifth epoch.

    All checkpoints get different names, so that none overwrites another and a resumed run writes the same ones.
    """
    node = OmegaConf.to_container(best, resolve=True)
    pattern = None if node.get("filename") in ONLY_BEST["filename"] else node["filename"]
    if pattern and node.get("save_top_k", 1) != 1 and not re.search(r"\{(epoch|step)\b", pattern):
        pattern += "-{epoch}-{step}"
    if pattern and node.get("auto_insert_metric_name", True):  # Lightning would make a folder "val" for val/acc=0.9
        pattern = re.sub(r"\{([^{}:]+)", lambda found: f"{found[1].replace('/', '_')}={found[0]}", pattern)
        node["auto_insert_metric_name"] = False
    node |= {"_target_": f"{__name__}.Kept", "dirpath": str(folder.absolute()), "filename": pattern}
    if node.get("save_on_train_epoch_end") is None:
        node["save_on_train_epoch_end"] = saved_at_epoch_end(node["monitor"])
    return build({**node, "enable_version_counter": False})
