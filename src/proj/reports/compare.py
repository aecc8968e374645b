"""Runs as rows of one configuration each, the best first."""

import math
import os
import statistics
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from proj.config.settings import policy
from proj.reports.runs import Run
from proj.system.run_folder import RunFolder

OWN_DATA = ("csv", "image_folder")  # where data_dir names the data itself, not the place of a known one


def name_data(runs: list[Run], settings: list[dict[str, Any]]) -> None:
    """Give a run without a checksum (an old one, or one that stopped before its training) that of the runs that agree
    with it in the dataset's settings, or in its name and place; or else what its data_dir names."""

    def place_of(run: Run, one: dict[str, Any]) -> tuple:
        kind, folder = run.config.get("choices.dataset"), run.config.get("dataset.data_dir", run.config.get("data_dir"))
        own = kind in OWN_DATA or str(one.get("dataset._target_")).endswith(("CSVDataModule", "ImageFolderDataModule"))
        rest = sorted((key, str(value)) for key, value in one.items() if key.startswith("dataset."))
        return (kind, os.path.abspath(str(folder)) if own else None), tuple(rest)

    places = [place_of(run, one) for run, one in zip(runs, settings, strict=True)]
    known: dict[tuple, set] = {}
    for place, one in zip(places, settings, strict=True):
        if one.get("data"):
            for key in (place, place[0]):
                known.setdefault(key, set()).add(one["data"])
    for place, one in zip(places, settings, strict=True):
        if one and not one["data"]:
            sums = known.get(place) or known.get(place[0]) or set()
            one["data"] = next(iter(sums)) if len(sums) == 1 else place[0][1]


def data_names(runs: list[Run], settings: list[dict[str, Any]]) -> dict[str, str]:
    """Checksum -> the name of the folder or file, where names tell all data apart."""
    names = {
        one["data"]: Path(str(run.config.get("dataset.data_dir", run.config.get("choices.dataset")))).name
        for run, one in zip(runs, settings, strict=True)
        if one.get("data")
    }
    return names if len(set(names.values())) == len(names) else {}


def mark_repeats(runs: list[Run]) -> None:
    """Of runs of one configuration, those with a seed that another has count no second time: the one that finished last
    counts."""

    def order(run: Run) -> tuple:
        ended = 0.0
        with suppress(OSError):  # there is none, or it was set aside this moment
            ended = os.path.getmtime(RunFolder(run.folder).metrics)
        return run.status == "finished", ended, str(run.folder)

    counts: dict[Any, Run] = {}
    for run in sorted(runs, key=order):
        counts[run.folder if run.seed is None else run.seed] = run
    for run in runs:
        counted = counts.get(run.seed, run)
        run.repeats = counted.folder if counted is not run else None


def compare(runs: list[Run]) -> dict[str, Any]:
    """The runs as rows of one configuration each, the best first.

    common: the settings that all runs share. columns: those in which rows differ and that do not follow from the others
    (from the choice of dataset, model, …; or as a copy, such as OneCycleLR's max_lr); a class where nothing else tells
    them apart. rows: their values of the columns, a name where there are none, and (mean, sample standard deviation, n)
    of the metrics over the finished runs, or else over all; of those with the same seed one counts.
    """
    monitors = Counter((run.config["monitor"], run.config.get("mode")) for run in runs if "monitor" in run.config)
    (monitor, mode), _ = (monitors.most_common(1) or [(("val/acc", "max"), 0)])[0]
    metrics = [monitor] + ["test/acc"] * any("test/acc" in run.metrics for run in runs)
    settings = [run.settings for run in runs]
    name_data(runs, settings)
    measured = {one.get("trainer.precision", "auto") for one in settings} - {"auto"}
    for one in settings:
        if one.get("trainer.precision") == "auto" and measured:  # it stopped before it chose
            one["trainer.precision"] = min(measured)
    known = [one for one in settings if one]
    keys = list(dict.fromkeys(key for one in known for key in one))
    classes = {key for key in keys if key.endswith(("_target_", "_partial_"))}
    classes.add("data")  # it may follow from the dataset's settings
    keys.sort(key=lambda key: (key in classes, policy(key).report != "first"))
    choices = [key for key in keys if key.startswith("choices.")]

    def groups(*names: str) -> int:
        return len({tuple(map(one.get, names)) for one in known})

    columns = [key for key in choices if groups(key) > 1]
    for key in [key for key in keys if key not in choices and groups(key) > 1]:
        if key in classes and groups(*columns) == groups(*columns, key):
            continue
        copied = [[one] for one in columns if all(run.get(key) in (None, run.get(one)) for run in known)]
        if all(groups(*choices, *one) < groups(*choices, *one, key) for one in [[], *copied]):
            columns.append(key)

    def spread(runs: list[Run], metric: str) -> tuple[float | None, float | None, int]:
        runs = [run for run in runs if not run.repeats]
        chosen = [run for run in runs if run.status == "finished"] or runs
        values = [value for run in chosen if (value := run.value(metric, mode)) is not None]
        deviation = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
        return (math.fsum(values) / len(values) if values else None), deviation, len(values)

    def rank(runs: list[Run]) -> tuple:
        mean = spread(runs, monitor)[0]
        measured = mean is not None and not math.isnan(mean)
        return not measured, (-mean if mode == "max" else mean) if measured else 0.0, str(runs[0].folder)

    def name(runs: list[Run]) -> str:
        model, dataset = (runs[0].config.get(f"choices.{key}") for key in ("model", "dataset"))
        return f"{model} on {dataset}" if len(runs) > 1 else runs[0].folder.name

    def word(run: Run) -> str:
        return "repeated" if run.repeats and run.status == "finished" else run.status

    ends = Counter(key.split(".")[-1] for key in columns)
    rows: dict[tuple, list[Run]] = {}
    for run, one in zip(runs, settings, strict=True):
        rows.setdefault(tuple(map(one.get, columns)) if one else (run.folder,), []).append(run)
    for group in rows.values():
        mark_repeats(group)
    names = data_names(runs, settings)

    def shown(key: tuple) -> list:
        return [names.get(value, value) if name == "data" else value for name, value in zip(columns, key, strict=True)]

    return {
        "monitor": monitor,
        "mode": mode,
        "metrics": metrics,
        "common": {key: known[0].get(key) for key in keys if groups(key) == 1},
        "columns": [key if key in classes or ends[key.split(".")[-1]] > 1 else key.split(".")[-1] for key in columns],
        "rows": [
            {
                "settings": shown(key) if group[0].config else None,
                "name": name(group),
                **{metric: spread(group, metric) for metric in (*metrics, "parameters", "seconds")},
                "status": Counter(word(run) for run in sorted(group, key=lambda run: bool(run.repeats))),
                "runs": sorted(group, key=lambda run: (bool(run.repeats), run.status != "finished", rank([run]))),
            }
            for key, group in sorted(rows.items(), key=lambda row: rank(row[1]))
        ],
    }
