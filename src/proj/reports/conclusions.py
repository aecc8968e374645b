"""What a comparison of runs comes to: whether the best row is better than the others, and how good it is."""

from typing import Any

from proj.reports.compare import counted
from proj.reports.table import label
from proj.reports.verdicts import LEVEL, MOST_SEEDS, Verdict, interval_of_mean, interval_of_share, verdicts

SHOWN = 3  # rows that are compared with the best in the terminal and on the page; report.json has them all
ENOUGH = "0,1,2,3,4,5"  # seeds that tell a difference of two standard deviations mostly


def values_by_seed(row: dict, metric: str, mode: str) -> dict[Any, float]:
    """A row's values of a metric over its finished runs, each by its seed; by its folder where that is not known."""
    found = {}
    for run in counted(row["runs"]):
        value = run.value(metric, mode)
        if value is not None and run.status == "finished":
            found[run.folder if run.seed is None else run.seed] = value
    return found


def conclude(comparison: dict) -> dict:
    """Give each row of a comparison its `verdict`: the best row against it, None for the best and where none is due.

    Only rows on the same data are compared.
    """
    rows, monitor, mode = comparison["rows"], comparison["monitor"], comparison["mode"]
    alike = [row for row in rows if row["data"] == rows[0]["data"]]
    found = verdicts([values_by_seed(row, monitor, mode) for row in alike], mode)
    for row in rows:
        row["verdict"] = None
    for row, verdict in zip(alike[1:], found, strict=True):
        row["verdict"] = verdict
    return comparison


def in_doubt(comparison: dict) -> list[dict]:
    """The best row and those on the same data that are not told from it; none where it is told from all of them."""
    best, *others = comparison["rows"]
    alike = [row for row in others if row["data"] == best["data"] and "finished" in row["status"]]
    doubtful = [row for row in alike if not (row["verdict"] and row["verdict"].told)]
    return [best, *doubtful] if doubtful or not alike else []


def name_of(comparison: dict, row: dict) -> str:
    return label(comparison, row) or row["name"]


def written(value: float, metric: str) -> str:
    """A difference in a metric as the table has the metric: accuracies in per cent, hence points."""
    return f"{100 * value:.2f}" if "acc" in metric else f"{value:.4f}"


def sentence(comparison: dict, row: dict, verdict: Verdict) -> str:
    monitor = comparison["monitor"]
    best, other = name_of(comparison, comparison["rows"][0]), name_of(comparison, row)
    by = written(verdict.difference, monitor) + (" points" if "acc" in monitor else "")
    interval = f"[{written(verdict.low, monitor)}, {written(verdict.high, monitor)}]"
    if verdict.told:
        p = "p < 0.001" if verdict.p < 0.001 else f"p = {verdict.p:.1g}"
        return f"{best} beats {other} by {by} {interval}, {verdict.seeds} seeds, {p}"
    more = verdict.more_seeds or 0
    typed = f": {comparison['resume']} seeds=+{more}" if comparison.get("resume") else ""
    about = (
        f"about {more} more seeds would{typed}" if more < MOST_SEEDS else f"even {MOST_SEEDS} more seeds would hardly"
    )
    return f"cannot tell {best} from {other} ({by} {interval}, {verdict.seeds} seeds): {about}"


def figures_on_test(comparison: dict, row: dict) -> dict[str, Any] | None:
    """A row's mean accuracy on the test set with two 95 % intervals: over its seeds, and for the size of the test set.

    None where no run of the row was tested.
    """
    values = list(values_by_seed(row, "test/acc", "max").values()) if "test/acc" in comparison["metrics"] else []
    if not values:
        return None
    mean = sum(values) / len(values)
    sizes = {run.metrics.get("test_examples") for run in counted(row["runs"])}
    examples = sizes.pop() if len(sizes) == 1 else None  # None as well of runs of before it was noted
    usable = isinstance(examples, int) and examples > 0 and 0 <= mean <= 1
    return {
        "mean": mean,
        "seeds": len(values),
        "over_seeds": interval_of_mean(values),
        "examples": examples if usable else None,
        "over_examples": interval_of_share(mean, examples) if usable else None,
    }


def sentence_on_test(comparison: dict) -> str | None:
    """How good the best row is on examples that had no part in choosing it."""
    found = figures_on_test(comparison, comparison["rows"][0])
    if not found:
        return None
    intervals = []
    if found["over_seeds"]:
        low, high = found["over_seeds"]
        intervals.append(f"[{100 * low:.2f}, {100 * high:.2f}] over {found['seeds']} seeds")
    if found["over_examples"]:
        low, high = found["over_examples"]
        intervals.append(f"[{100 * low:.2f}, {100 * high:.2f}] for {found['examples']:,} test examples")
    accuracy = f"test accuracy of {name_of(comparison, comparison['rows'][0])}: {100 * found['mean']:.2f} %"
    return ", ".join([accuracy, *intervals])


def sentences(comparison: dict) -> list[str]:
    """The verdicts on the rows next to the best, what would make one possible, and the accuracy on the test set."""
    rows = comparison["rows"]
    judged = [row for row in rows if row["verdict"]]
    found = [sentence(comparison, row, row["verdict"]) for row in judged[:SHOWN]]
    if rest := judged[SHOWN:]:
        beaten = sum(row["verdict"].told for row in rest)
        others = "the other one" if beaten == len(rest) == 1 else f"{beaten} of the {len(rest)} others"
        found.append(f"{name_of(comparison, rows[0])} beats {others}")
    of_a_search = any("trial.number" in run.config for row in rows for run in row["runs"])
    if len(rows) > 1 and not judged and not of_a_search and all(len(row["runs"]) == 1 for row in rows):
        command = comparison.get("resume")
        typed = f"{command} seeds=+{ENOUGH.count(',')}" if command else f"add seed={ENOUGH}"
        found.append(f"one seed each does not tell which is better by more than chance: {typed}")
    return [*found, *filter(None, [sentence_on_test(comparison)])]


def as_dict(verdict: Verdict | None) -> dict[str, Any] | None:
    """For report.json."""
    if verdict is None:
        return None
    return vars(verdict) | {"told": verdict.told, "level": LEVEL}
