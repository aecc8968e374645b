"""Runs as rows of one configuration each, the best first: a `Comparison`, which all of a report is made from."""

import math
import os
import statistics
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from proj.config.monitors import BY_CLASS
from proj.config.settings.table import policy
from proj.reports.columns import choose_columns, is_class, names_of, varies
from proj.reports.runs import Run
from proj.reports.verdicts import Verdict
from proj.system.names import one_line
from proj.system.run_folder import RunFolder

OWN_DATA = ("CSVDataModule", "ImageFolderDataModule")  # whose data_dir is the data itself, not where a known one lies
Spread = tuple[float | None, float | None, int]  # a figure's mean, its sample standard deviation, of how many runs


class Row(TypedDict):
    """A configuration. It also holds, by their names, the `Spread` of each of the comparison's metrics, of "parameters"
    and of "seconds"."""

    settings: list | None  # the values of the comparison's columns; None where no configuration is known
    name: str  # for a row without settings
    data: Any  # the checksum of the data, or the dataset's name where that is not known
    status: Counter[str]  # of the runs
    runs: list[Run]  # those that count first, then the finished ones, the best of them first
    verdict: Verdict | None  # of the best row on its data against this one, once `conclude` has given it


class Comparison(TypedDict):
    monitor: str  # the metric that the rows are sorted by, and which is better of it, min or max
    mode: str
    metrics: list[str]  # that the table shows: the monitor, and those of the test
    common: dict[str, Any]  # the settings that all runs share
    columns: list[str]  # the names of those in which rows differ, see `choose_columns`
    rows: list[Row]  # the best first
    resume: str  # the command that goes on with the runs' sweep, where more seeds are wanted, or ""


def dataset_of(run: Run) -> tuple[Any, str | None]:
    """The choice of dataset, and of data of one's own, which data_dir names, where it lies."""
    kind, folder = run.config.get("choices.dataset"), run.config.get("dataset.data_dir", run.config.get("data_dir"))
    is_own = str(run.settings.get("dataset._target_")).endswith(OWN_DATA)
    return kind, os.path.abspath(str(folder)) if is_own else None


def names_of_data(run: Run) -> tuple[tuple, tuple]:
    """(A run's dataset with the settings of its data, the dataset alone), from which its checksum follows."""
    settings = sorted((key, str(value)) for key, value in run.settings.items() if key.startswith("dataset."))
    return (dataset_of(run), *settings), dataset_of(run)


def name_data(runs: list[Run]) -> None:
    """Fill in the data of a run that has no checksum: an old one, or one that stopped before its training.

    It is taken for that of the runs with the same dataset and the same settings of it, or else with the same dataset,
    if they all have one checksum; or else its data is what its data_dir names.
    """
    known: dict[tuple, set] = defaultdict(set)
    for run in runs:
        if run.settings.get("data"):
            for name in names_of_data(run):
                known[name].add(run.settings["data"])
    for run in runs:
        if run.settings and not run.settings["data"]:
            with_settings, dataset = names_of_data(run)
            checksums = known[with_settings] or known[dataset]
            run.settings["data"] = next(iter(checksums)) if len(checksums) == 1 else dataset[1]


def name_drawn_data(runs: list[Run]) -> None:
    """Give runs of a dataset of one's own whose seed draws the examples one name for their data, that of the dataset:
    they repeat a configuration, and those of one seed are a pair. It does where three seeds or more have a checksum of
    their own each, which all runs of that seed have; of two the data may have changed in between."""
    known: dict[tuple, dict[Any, set]] = defaultdict(lambda: defaultdict(set))
    own = [run for run in runs if not str(run.settings.get("dataset._target_", "proj.")).startswith("proj.")]
    for run in own:
        known[dataset_of(run)][run.seed].add(run.settings["data"])
    for run in own:
        checksums = known[dataset_of(run)].values()
        if len(checksums) > 2 and sum(map(len, checksums)) == len(checksums) == len(set.union(*checksums)):
            run.settings["data"] = run.config.get("choices.dataset")


def data_names(runs: list[Run]) -> dict[str, str]:
    """Checksum -> the name of the folder or file, with as many folders above it as tell them apart.

    Of a place that has changed between runs, where the same settings gave several checksums, these stay.
    """
    places: dict[str, tuple[str, ...]] = {}
    known: dict[tuple, set[str]] = defaultdict(set)
    for run in runs:
        if checksum := run.settings.get("data"):
            places[checksum] = Path(str(run.config.get("dataset.data_dir", run.config.get("choices.dataset")))).parts
            known[places[checksum], names_of_data(run)[0]].add(checksum)
    for checksums in known.values():
        if len(checksums) > 1:
            places = {checksum: parts for checksum, parts in places.items() if checksum not in checksums}
    different = set(places.values())
    length = next((n for n in range(1, 99) if len({parts[-n:] for parts in different}) == len(different)), 0)
    return {checksum: str(Path(*parts[-length:])) for checksum, parts in places.items()}


def mark_repeats(runs: list[Run]) -> None:
    """Of runs of one configuration that have a seed and fold in common, the one that finished last counts alone."""

    def order(run: Run) -> tuple:
        ended = 0.0
        with suppress(OSError):  # there is none, or it was set aside this moment
            ended = os.path.getmtime(RunFolder(run.folder).metrics)
        return run.status == "finished", ended, str(run.folder)

    last = {run.repetition: run for run in sorted(runs, key=order)}
    for run in runs:
        counts = last[run.repetition]
        run.repeats = None if counts is run else counts.folder


def counted(runs: list[Run]) -> list[Run]:
    """The finished runs, or all where none is finished; a repeated run never counts."""
    runs = [run for run in runs if not run.repeats]
    return [run for run in runs if run.status == "finished"] or runs


def spread(runs: list[Run], metric: str, mode: str) -> Spread:
    """That of a metric's values in the `counted` runs; no deviation of less than two, nor where one is not finite."""
    values = [value for run in counted(runs) if (value := run.value(metric, mode)) is not None]
    deviation = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
    return (math.fsum(values) / len(values) if values else None), deviation, len(values)


def rank(runs: list[Run], monitor: str, mode: str) -> tuple:
    """What configurations are sorted by: the best mean first, those without a number last, and then by name. Those of
    which no run is finished come after the others, since a training that failed may have been the best before."""
    mean, unfinished = spread(runs, monitor, mode)[0], all(run.status != "finished" for run in runs)
    if mean is None or math.isnan(mean):
        return unfinished, True, 0.0, str(runs[0].folder)
    return unfinished, False, -mean if mode == "max" else mean, str(runs[0].folder)


def row_of(runs: list[Run], values: list | None, metrics: list[str], mode: str) -> Row:
    model, dataset = (runs[0].config.get(f"choices.{key}") for key in ("model", "dataset"))
    name = runs[0].folder.name
    order = sorted(runs, key=lambda run: (bool(run.repeats), rank([run], metrics[0], mode)))
    counted_first = sorted(runs, key=lambda run: bool(run.repeats))
    words = ["repeated" if run.repeats and run.status == "finished" else run.status for run in counted_first]
    return {
        "settings": values,
        "name": f"{model} on {dataset}" if len(runs) > 1 or name.isdigit() else one_line(name),  # 0: a sweep's one job
        **{metric: spread(runs, metric, mode) for metric in (*metrics, "parameters", "seconds")},
        "data": runs[0].settings.get("data") or dataset,
        "status": Counter(words),
        "runs": order,
        "verdict": None,
    }


def name_precision(runs: list[Run]) -> None:
    """Give a run that stopped before it chose its precision that of the others."""
    chosen = {run.settings.get("trainer.precision", "auto") for run in runs} - {"auto"}
    for run in runs:
        if run.settings.get("trainer.precision") == "auto" and chosen:
            run.settings["trainer.precision"] = min(chosen)


def compare(runs: list[Run]) -> Comparison:
    monitors = Counter((run.config["monitor"], run.config.get("mode")) for run in runs if "monitor" in run.config)
    (monitor, mode), _ = (monitors.most_common(1) or [(("val/acc", "max"), 0)])[0]
    of_test = str(monitor).replace("val/", "test/") if str(monitor).endswith(BY_CLASS) else "test/acc"
    tests = dict.fromkeys((of_test, "test/acc", "test/macro_f1_threshold"))
    metrics = [monitor, *(name for name in tests if any(name in run.metrics for run in runs))]
    name_data(runs)
    name_drawn_data(runs)
    name_precision(runs)
    settings = [run.settings for run in runs if run.settings]
    keys = list(dict.fromkeys(key for one in settings for key in one))
    keys.sort(key=lambda key: (is_class(key), policy(key).report != "first"))  # classes last, what tells most first
    columns = choose_columns(settings, keys)

    groups: dict[tuple, list[Run]] = {}  # the values of the columns, or the folder where there is no configuration
    for run in runs:
        key = tuple(map(run.settings.get, columns)) if run.settings else (run.folder,)
        groups.setdefault(key, []).append(run)
    for group in groups.values():
        mark_repeats(group)
    names = data_names(runs)
    rows = []
    for key, group in sorted(groups.items(), key=lambda pair: rank(pair[1], monitor, mode)):
        values = None
        if group[0].config:
            pairs = zip(columns, key, strict=True)
            values = [names.get(value, value) if column == "data" else value for column, value in pairs]
        rows.append(row_of(group, values, metrics, mode))
    return {
        "monitor": monitor,
        "mode": mode,
        "metrics": metrics,
        "common": {key: settings[0].get(key) for key in keys if not varies(settings, key)},
        "columns": names_of(columns),
        "rows": rows,
        "resume": "",
    }
