"""Groups runs into rows, one for each configuration, the best first: a `Comparison`, on which a report is based."""

import math
import os
import statistics
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from proj.config.monitors import BY_CLASS
from proj.config.settings.table import policy
from proj.reports.columns import choose_columns, is_class, names_of, shown, varies
from proj.reports.inferred import infer_code, infer_data, infer_precision, settings_of_data, unify_drawn_data
from proj.reports.runs import Run
from proj.reports.verdicts import Verdict
from proj.system.names import one_line
from proj.system.run_folder import RunFolder

Spread = tuple[float | None, float | None, int]  # a metric's mean, its sample standard deviation, the number of runs


class Row(TypedDict):
    """One configuration with its runs. The row also has a `Spread` under the name of each of the comparison's metrics,
    and under "parameters" and "seconds"."""

    settings: list | None  # the values of the comparison's columns; None if the configuration is not known
    name: str  # shown if there are no settings
    data: Any  # the checksum of the data, or if that is not known, the dataset's name
    status: Counter[str]  # how many runs have each status
    runs: list[Run]  # sorted: repeated runs are last, unfinished ones behind finished ones, the best is first
    verdict: Verdict | None  # compares the best row on the same data with this one; `conclude` sets it


class Comparison(TypedDict):
    monitor: str  # the metric by which the rows are sorted
    mode: str  # "max" if more of the monitor is better, else "min"
    metrics: list[str]  # the metrics in the table: the monitor, then those of the test
    common: dict[str, Any]  # the settings that are the same in all runs
    columns: list[str]  # the short names of the settings that differ, see `choose_columns`
    rows: list[Row]  # the best first
    resume: str  # the command that resumes the sweep of these runs, if more seeds would help; else ""


def data_names(runs: list[Run]) -> dict[str, str]:
    """For the checksum of each data, the name of its folder or file, with as many parent folders as make it unique.
    If the same settings gave several checksums, the data has changed between runs, and these checksums get no name."""
    places: dict[str, tuple[str, ...]] = {}
    known: dict[tuple, set[str]] = defaultdict(set)
    for run in runs:
        if checksum := run.settings.get("data"):
            places[checksum] = Path(str(run.config.get("dataset.data_dir", run.config.get("choices.dataset")))).parts
            known[places[checksum], settings_of_data(run)].add(checksum)
    for checksums in known.values():
        if len(checksums) > 1:
            places = {checksum: parts for checksum, parts in places.items() if checksum not in checksums}
    different = set(places.values())
    length = next((n for n in range(1, 99) if len({parts[-n:] for parts in different}) == len(different)), 0)
    return {checksum: str(Path(*parts[-length:])) for checksum, parts in places.items()}


def mark_repeats(runs: list[Run]) -> None:
    """Set `repeats` in the runs of a configuration: of those with the same seed and fold, only the last one counts."""

    def order(run: Run) -> tuple:
        ended = 0.0
        with suppress(OSError):  # the file is missing, or has just been set aside
            ended = os.path.getmtime(RunFolder(run.folder).metrics)
        return run.status == "finished", ended, str(run.folder)

    last = {run.repetition: run for run in sorted(runs, key=order)}
    for run in runs:
        counts = last[run.repetition]
        run.repeats = None if counts is run else counts.folder


def counted(runs: list[Run]) -> list[Run]:
    """The runs that count for a row: the finished ones, or all if none is finished, but no repeated one."""
    runs = [run for run in runs if not run.repeats]
    return [run for run in runs if run.status == "finished"] or runs


def spread(runs: list[Run], metric: str, mode: str) -> Spread:
    """The `Spread` of a metric over the `counted` runs; the deviation is None unless all of several are finite."""
    values = [value for run in counted(runs) if (value := run.value(metric, mode)) is not None]
    deviation = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
    return (math.fsum(values) / len(values) if values else None), deviation, len(values)


def rank(runs: list[Run], monitor: str, mode: str) -> tuple:
    """The key by which configurations are sorted: the best mean first, those without a number last, ties by folder.
    Those without a finished run come after all others, since a failed training may have had the best value before."""
    is_unfinished, mean = all(run.status != "finished" for run in runs), spread(runs, monitor, mode)[0]
    is_missing = mean is None or math.isnan(mean)
    smaller_is_better = 0.0 if is_missing else -mean if mode == "max" else mean
    return is_unfinished, is_missing, smaller_is_better, str(runs[0].folder)


def row_of(runs: list[Run], values: list | None, metrics: list[str], mode: str) -> Row:
    model, dataset = (runs[0].config.get(f"choices.{key}") for key in ("model", "dataset"))
    name = one_line(runs[0].folder.resolve().name)  # of . and .. too
    if len(runs) > 1 or name.isdigit():  # such as 0, the folder of a sweep's only job
        name = f"{model} on {dataset}"
    order = sorted(runs, key=lambda run: (bool(run.repeats), rank([run], metrics[0], mode)))
    counted_first = sorted(runs, key=lambda run: bool(run.repeats))
    words = ["repeated" if run.repeats and run.status == "finished" else run.status for run in counted_first]
    return {
        "settings": values,
        "name": name,
        **{metric: spread(runs, metric, mode) for metric in (*metrics, "parameters", "seconds")},
        "data": runs[0].settings.get("data") or dataset,
        "status": Counter(words),
        "runs": order,
        "verdict": None,
    }


def compare(runs: list[Run]) -> Comparison:
    """Group runs by their configurations. The rows have no verdicts yet, see `conclude`."""
    monitors = Counter((run.config["monitor"], run.config.get("mode")) for run in runs if "monitor" in run.config)
    (monitor, mode), _ = (monitors.most_common(1) or [(("val/acc", "max"), 0)])[0]
    of_test = str(monitor).replace("val/", "test/") if str(monitor).endswith(BY_CLASS) else "test/acc"
    tests = dict.fromkeys((of_test, "test/acc", "test/macro_f1_threshold"))
    metrics = [monitor, *(name for name in tests if any(name in run.metrics for run in runs))]
    infer_data(runs)
    unify_drawn_data(runs)
    infer_precision(runs)
    infer_code(runs)
    settings = [run.settings for run in runs if run.settings]
    keys = list(dict.fromkeys(key for one in settings for key in one))
    keys.sort(key=lambda key: (is_class(key), policy(key).report != "first"))  # the most informative first
    columns = choose_columns(settings, keys, {key for run in runs for key in run.typed})

    groups: dict[tuple, list[Run]] = {}  # by the values of the columns, or by the folder if no configuration is known
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
            values = [shown(column, value, names) for column, value in pairs]
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
