"""A search by Optuna: its study on disk and its plots."""

import warnings
from html import escape
from pathlib import Path

import optuna
import optuna.visualization as plots
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, begun where there is none. A file: any number of processes can write it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return optuna.create_study(storage=storage, study_name=folder.name, load_if_exists=True, **settings)


def draw(study: optuna.Study, monitor: str, file: Path) -> None:
    """Optuna's plots of a search with two results or more, in one HTML file that loads nothing."""
    if len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < 2:
        return
    warnings.filterwarnings("ignore", module="optuna")  # of importances where few trials are finished
    figures = (
        plots.plot_optimization_history(study, target_name=monitor),
        plots.plot_param_importances(study, target_name=monitor),
        plots.plot_parallel_coordinate(study, target_name=monitor),
        plots.plot_intermediate_values(study),
    )
    parts = (figure.to_html(full_html=False, include_plotlyjs=not place) for place, figure in enumerate(figures))
    file.write_text(f"<!doctype html><meta charset=utf-8><title>{escape(study.study_name)}</title>{''.join(parts)}")
    print(file)
