"""Fills in what the files of some runs do not say: the checksum of their data, their precision, their code."""

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from proj.reports.runs import Run

OWN_DATA = ("CSVDataModule", "ImageFolderDataModule")  # their data_dir names the user's own data


def dataset_of(run: Run) -> tuple[Any, str | None]:
    """(The option of the group `dataset`, the absolute path of the user's own data or None for any other dataset)."""
    kind, folder = run.config.get("choices.dataset"), run.config.get("dataset.data_dir", run.config.get("data_dir"))
    is_own = str(run.settings.get("dataset._target_")).endswith(OWN_DATA)
    return kind, os.path.abspath(str(folder)) if is_own else None


def settings_of_data(run: Run) -> tuple:
    """A key for a run's data: its dataset with all of the dataset's settings."""
    settings = sorted((key, str(value)) for key, value in run.settings.items() if key.startswith("dataset."))
    return dataset_of(run), *settings


def fill_in(runs: list[Run], key: str, kind: Callable[[Run], Any]) -> None:
    """Give the runs that lack a setting the value that the runs of the same kind have, if these agree in it."""
    known: dict[Any, set] = defaultdict(set)
    for run in runs:
        known[kind(run)] |= {run.settings.get(key)} - {None}
    for run in runs:
        if run.settings and run.settings.get(key) is None and len(known[kind(run)]) == 1:
            (run.settings[key],) = known[kind(run)]


def infer_data(runs: list[Run]) -> None:
    """Fill in `settings["data"]` of runs without a checksum: old runs, and those that stopped before the training.

    Such a run gets the checksum of the runs with the same dataset and dataset settings, or if there are none, of the
    runs with the same dataset, provided that they all have the same one. Else it gets the path of the user's own data,
    or None for any other dataset.
    """
    for kind in (settings_of_data, dataset_of):
        fill_in(runs, "data", kind)
    for run in runs:
        if run.settings and run.settings["data"] is None:
            _, run.settings["data"] = dataset_of(run)


def unify_drawn_data(runs: list[Run]) -> None:
    """Replace the checksum of the data by the dataset's name if the user's datamodule draws its examples by the seed.

    Their checksums differ with the seed, yet these runs repeat one configuration, and those with the same seed are
    pairs. Examples count as drawn if there are at least three seeds, each seed has one checksum, and no two seeds have
    the same: with only two seeds, the data may just have changed between the runs.
    """
    known: dict[tuple, dict[Any, set]] = defaultdict(lambda: defaultdict(set))
    own = [run for run in runs if not str(run.settings.get("dataset._target_", "proj.")).startswith("proj.")]
    for run in own:
        known[dataset_of(run)][run.seed].add(run.settings["data"])
    for run in own:
        checksums = known[dataset_of(run)].values()  # those of each seed
        one_each = all(len(of_seed) == 1 for of_seed in checksums)
        all_differ = len(set.union(*checksums)) == len(checksums)
        if len(checksums) > 2 and one_each and all_differ:
            run.settings["data"] = run.config.get("choices.dataset")


def infer_precision(runs: list[Run]) -> None:
    """Give runs that stopped before the precision "auto" was resolved the precision of the other runs."""
    chosen = {run.settings.get("trainer.precision", "auto") for run in runs} - {"auto"}
    for run in runs:
        if run.settings.get("trainer.precision") == "auto" and chosen:
            run.settings["trainer.precision"] = min(chosen)


def infer_code(runs: list[Run]) -> None:
    """Give runs of older versions, which did not note the user's own code, that of the runs with the same model if
    these agree in it."""
    fill_in(runs, "code", lambda run: run.settings.get("model._target_"))
