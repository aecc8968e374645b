"""A search by Optuna: its study on disk, the end of a trial that is hopeless, the plots."""

import warnings
from pathlib import Path

import optuna
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from proj.errors import UserError


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, begun where there is none. A file: any number of processes can write it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return optuna.create_study(storage=storage, study_name=folder.name, load_if_exists=True, **settings)


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
            hopeless = self.trial.should_prune()
        if not trainer.strategy.broadcast(hopeless):
            return
        if not trainer.is_global_zero:
            raise SystemExit(0)  # the first process speaks
        raise Pruned(f"pruned in epoch {trainer.current_epoch + 1}, at {self.monitor} {value:.4g}")


def draw(study: optuna.Study, folder: Path) -> None:
    """Optuna's plots of a search with two results or more, as PNGs in `folder`."""
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as plots

    if len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < 2:
        return
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    for name in ("optimization_history", "param_importances", "parallel_coordinate"):
        plt.figure(figsize=(10, 6))
        getattr(plots, f"plot_{name}")(study)
        plt.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
        plt.close("all")
        print(folder / f"{name}.png")
