"""Stops a trial of a search that is hopeless beside the others."""

from pathlib import Path

import optuna
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from proj.errors import UserError
from proj.system.run_folder import SweepFolder

FORMAT = 1  # of study.log; a change that an older version would read wrongly makes it one more


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, begun where there is none. A file: any number of processes can write it.

    Raises UserError for one that a newer version has begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = str(SweepFolder(folder).study)
    # Optuna's usual lock is a symbolic link, which Windows lets few users make.
    storage = JournalStorage(JournalFileBackend(file, JournalFileOpenLock(file)))
    # Its name is the folder's when the search began. An older version began another study where that had changed.
    there = optuna.get_all_study_summaries(storage, include_best_trial=False)
    largest = max(there, key=lambda study: study.n_trials, default=None)
    name = largest.study_name if largest else folder.absolute().name
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, **settings)
    if not there:
        study.set_user_attr("format", FORMAT)
    if (number := study.user_attrs.get("format", FORMAT)) > FORMAT:
        raise UserError(
            f"{file} has format {number}, and this version of proj reads formats up to {FORMAT}: "
            "continue the search with the newer version that began it."
        )
    return study


class Pruned(UserError):
    status = "pruned"


class Prune(Callback):
    """Reports each validation's `monitor` to the study in `folder`; raises Pruned where its pruner says so."""

    def __init__(self, folder: Path, monitor: str, number: int, pruner: dict) -> None:
        study = open_study(folder, pruner=instantiate(pruner))
        self.trial = optuna.trial.Trial(study, study.trials[number]._trial_id)
        self.monitor = monitor

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        hopeless = False
        if trainer.is_global_zero:
            value = float(trainer.callback_metrics[self.monitor])
            self.trial.report(value, trainer.current_epoch)
            hopeless = self.trial.should_prune() and trainer.current_epoch + 1 < trainer.max_epochs
        if not trainer.strategy.broadcast(hopeless):
            return
        if not trainer.is_global_zero:
            raise SystemExit(0)  # the first process speaks
        raise Pruned(f"pruned in epoch {trainer.current_epoch + 1}, at {self.monitor} {value:.4g}")
