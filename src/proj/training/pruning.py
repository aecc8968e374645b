"""Stops a trial of a search that is hopeless compared with the others."""

from pathlib import Path

import optuna
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer

from proj.errors import UserError
from proj.training.robustness.divergence import raise_in_first
from proj.training.study import open_study


class Pruned(UserError):
    status = "pruned"


class Prune(Callback):
    """Reports the `monitor` of each validation as trial `number` of the study in `folder`; raises Pruned if the pruner,
    whose configuration is `pruner`, says so."""

    def __init__(self, folder: Path, monitor: str, number: int, pruner: dict) -> None:
        study = open_study(folder, pruner=instantiate(pruner))
        self.trial = optuna.trial.Trial(study, study.trials[number]._trial_id)
        self.monitor = monitor

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        value, hopeless = float(trainer.callback_metrics[self.monitor]), False
        if trainer.is_global_zero:
            self.trial.report(value, trainer.current_epoch)
            hopeless = self.trial.should_prune() and trainer.current_epoch + 1 < trainer.max_epochs
        if trainer.strategy.broadcast(hopeless):
            sentence = f"pruned in epoch {trainer.current_epoch + 1}, at {self.monitor} {value:.4g}"
            raise_in_first(trainer, Pruned(sentence))
