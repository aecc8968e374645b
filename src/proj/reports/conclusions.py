"""What a comparison of runs comes to: whether the best row is better than the others, and how good it is."""

import math
from collections import Counter
from typing import Any

from proj.errors import how_many
from proj.reports.compare import Comparison, Row, counted
from proj.reports.table import label, written
from proj.reports.verdicts import MOST_SEEDS, Verdict, interval_of_mean, interval_of_share, verdicts

SHOWN = 3  # rows that are compared with the best in the terminal and on the page; report.json has them all
ENOUGH = "0,1,2,3,4,5"  # seeds that tell a difference of two standard deviations mostly


def values_by_seed(row: Row, metric: str, mode: str) -> dict[Any, float]:
    """A row's values of a metric over its finished runs, each by the run's `repetition`."""
    runs = [run for run in counted(row["runs"]) if run.status == "finished"]
    return {run.repetition: value for run in runs if (value := run.value(metric, mode)) is not None}


def folds_of(row: Row) -> int:
    """How many folds a row's data is dealt into; 0 for none."""
    return max(run.folds for run in row["runs"])


def overlap_of(row: Row) -> float:
    """How many examples a fold is tested on for each that it is trained on; 0 without folds."""
    return 1 / (folds_of(row) - 1) if folds_of(row) else 0.0


def repetitions(*rows: Row) -> str:
    """What the runs of a row differ in, or those of several rows."""
    if not max(map(folds_of, rows), default=0):
        return "seeds"
    return "folds" if len({str(run.seed) for row in rows for run in row["runs"]}) == 1 else "runs, seeds × folds"


def conclude(comparison: Comparison) -> Comparison:
    """Give the rows of a comparison their verdicts. Only rows on the same data are compared with the best."""
    rows, monitor, mode = comparison["rows"], comparison["monitor"], comparison["mode"]
    alike = [row for row in rows if row["data"] == rows[0]["data"]]
    found = verdicts([values_by_seed(row, monitor, mode) for row in alike], mode, max(map(overlap_of, alike)))
    for row, verdict in zip(alike[1:], found, strict=True):
        row["verdict"] = verdict
    return comparison


def finished_others(comparison: Comparison) -> tuple[list[Row], list[Row]]:
    """(The rows beside the best with a finished run on its data, those on other data)."""
    best, *others = comparison["rows"]
    others = [row for row in others if "finished" in row["status"]]
    alike = [row for row in others if row["data"] == best["data"]]
    return alike, [row for row in others if row["data"] != best["data"]]


def in_doubt(comparison: Comparison) -> list[Row]:
    """The best row and those on the same data that are not told from it; none where it is told from all of them."""
    alike, _ = finished_others(comparison)
    doubtful = [row for row in alike if not (row["verdict"] and row["verdict"].told)]
    return [comparison["rows"][0], *doubtful] if doubtful or not alike else []


def name_of(comparison: Comparison, row: Row) -> str:
    return label(comparison, row) or row["name"]


def sentence(comparison: Comparison, row: Row, verdict: Verdict) -> str:
    monitor = comparison["monitor"]
    best, other = name_of(comparison, comparison["rows"][0]), name_of(comparison, row)
    by = written(verdict.difference, monitor) + (" points" if "acc" in monitor else "")
    interval = f"[{written(verdict.low, monitor)}, {written(verdict.high, monitor)}]"
    counted_as = f"{verdict.seeds} {repetitions(row)}"
    if verdict.told:
        p = "p < 0.001" if verdict.p < 0.001 else f"p = {verdict.p:.1g}"
        return f"{best} beats {other} by {by} {interval}, {counted_as}, {p}"
    more = verdict.more_seeds or 0
    if more >= MOST_SEEDS:
        about = f"even {MOST_SEEDS} more seeds would hardly"
    else:
        folds = folds_of(row)  # of which a seed more is a run each
        more = math.ceil(more / (folds or 1))
        about = f"about {how_many(more, 'more seed')}{' of all folds' if folds else ''} would"
        about += f": {comparison['resume']} seeds=+{more}" if comparison["resume"] else ""
    return f"cannot tell {best} from {other} ({by} {interval}, {counted_as}): {about}"


def figures_on_test(comparison: Comparison, row: Row) -> dict[str, Any] | None:
    """A row's mean accuracy on the test set with two 95 % intervals: over its seeds, and for the size of the test set.

    None where no run of the row was tested.
    """
    values = list(values_by_seed(row, "test/acc", "max").values()) if "test/acc" in comparison["metrics"] else []
    if not values:
        return None
    mean = sum(values) / len(values)
    tested: dict[Any, int] = Counter()  # in each run, or by all folds of a seed, which share out the test
    for run in counted(row["runs"]):
        size = run.metrics.get("test_examples")
        key = run.seed if run.metrics.get("fold_part") == "test" else run.folder
        tested[key] += size if isinstance(size, int) else 0
    sizes = set(tested.values())
    examples = sizes.pop() if len(sizes) == 1 else None  # 0 of runs of before it was noted
    usable = isinstance(examples, int) and examples > 0 and 0 <= mean <= 1
    return {
        "mean": mean,
        "seeds": len(values),
        "over_seeds": interval_of_mean(values, overlap_of(row)),
        "examples": examples if usable else None,
        "over_examples": interval_of_share(mean, examples) if usable else None,
    }


def sentence_on_test(comparison: Comparison) -> str | None:
    """How good the best row is on examples that had no part in choosing it."""
    row = comparison["rows"][0]
    found = figures_on_test(comparison, row)
    if not found:
        return None
    intervals = []
    if found["over_seeds"]:
        low, high = (min(max(end, 0.0), 1.0) for end in found["over_seeds"])
        intervals.append(f"[{100 * low:.2f}, {100 * high:.2f}] over {found['seeds']} {repetitions(row)}")
    if found["over_examples"]:
        low, high = found["over_examples"]
        intervals.append(f"[{100 * low:.2f}, {100 * high:.2f}] for {how_many(found['examples'], 'test example')}")
    accuracy = f"test accuracy of {name_of(comparison, row)}: {100 * found['mean']:.2f} %"
    return ", ".join([accuracy, *intervals])


def sentences(comparison: Comparison) -> list[str]:
    """The verdicts on the rows next to the best, what would make one possible, and the accuracy on the test set."""
    rows = comparison["rows"]
    judged = [row for row in rows if row["verdict"]]
    found = [sentence(comparison, row, row["verdict"]) for row in judged[:SHOWN]]
    if rest := judged[SHOWN:]:
        beaten = sum(row["verdict"].told for row in rest)
        others = "the other one" if beaten == len(rest) == 1 else f"{beaten} of the {len(rest)} others"
        found.append(f"{name_of(comparison, rows[0])} beats {others}")
    of_a_search = any("trial.number" in run.config for row in rows for run in row["runs"])
    alike, on_other_data = finished_others(comparison)
    once = [row for row in (rows[0], *alike) if len(counted(row["runs"])) == 1]
    if alike and once and not judged and not of_a_search:
        command = comparison["resume"]
        typed = f"{command} seeds=+{ENOUGH.count(',')}" if command else f"add seed={ENOUGH}"
        each = "each " * (len(once) > 1)
        found.append(f"one seed {each}does not tell which is better by more than chance: {typed}")
    if on_other_data:
        left_out = f"{how_many(len(on_other_data), 'configuration')} on other data"
        found.append(f"not compared with {name_of(comparison, rows[0])}: {left_out}")
    return [*found, *filter(None, [sentence_on_test(comparison)])]
