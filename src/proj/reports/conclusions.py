"""What a comparison of runs comes to: whether the best row is better than the others, and how good it is."""

import math
from collections import Counter
from typing import Any

from proj.errors import how_many
from proj.reports.compare import Comparison, Row, counted, dataset_of
from proj.reports.table import label, written
from proj.reports.verdicts import MOST_SEEDS, Verdict, interval_of_mean, interval_of_share, verdicts

SHOWN = 3  # rows that are compared with the best in the terminal and on the page; report.json has them all
ENOUGH = "0,1,2,3,4,5"  # seeds that tell a difference of two standard deviations mostly


def values_by_seed(row: Row, metric: str, mode: str, as_pairs: bool = False) -> dict[Any, float]:
    """A row's values of a metric over its finished runs, each by the run's `repetition`, or by its `pair`."""
    runs = [run for run in counted(row["runs"]) if run.status == "finished"]
    values = [(run, run.value(metric, mode)) for run in runs]
    return {run.pair if as_pairs else run.repetition: value for run, value in values if value is not None}


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


def data_of(row: Row) -> set[tuple]:
    """What tells whether another row is on the same data, of which they have one in common: its checksum, or of one
    table or folder of photos which examples each part has, as inputs of another size or other columns have the same."""
    runs = [run for run in counted(row["runs"]) if run.status == "finished"]
    # The checksum of data in folds is that of a whole table: it does not say which classes are learnt.
    learnt = [runs[0].config.get(f"dataset.{key}") for key in ("target", "min_examples") if folds_of(row)]
    chosen = {run.record.get("examples") for run in runs}
    place = *dataset_of(runs[0]), runs[0].config.get("dataset.sheet")
    return {(row["data"], *learnt)} | (set() if None in chosen else {(place, frozenset(chosen))})


def by_data(comparison: Comparison) -> list[list[Row]]:
    """The rows that have a finished run, in groups on the same data, each with its best row first."""
    groups: list[tuple[set[tuple], list[Row]]] = []
    for row in comparison["rows"]:
        if "finished" in row["status"]:
            data = data_of(row)
            known, rows = next((group for group in groups if group[0] & data), (set(), []))
            if not rows:
                groups.append((known, rows))
            known |= data
            rows.append(row)
    return [rows for _, rows in groups]


def conclude(comparison: Comparison) -> Comparison:
    """Give the rows of a comparison their verdicts. A row is compared with the best on its data."""
    monitor, mode = comparison["monitor"], comparison["mode"]
    for rows in by_data(comparison):
        values = [values_by_seed(row, monitor, mode, as_pairs=True) for row in rows]
        found = verdicts(values, mode, max(map(overlap_of, rows)))
        for row, verdict in zip(rows[1:], found, strict=True):
            row["verdict"] = verdict
    return comparison


def in_doubt(comparison: Comparison) -> list[Row]:
    """Of all rows on the same data the best and those that are not told from it; none where it is told from all."""
    found = [] if by_data(comparison) else comparison["rows"][:1]  # of which none is finished
    for best, *others in by_data(comparison):
        doubtful = [row for row in others if not (row["verdict"] and row["verdict"].told)]
        found += [best, *doubtful] if doubtful or not others else []
    return found


def name_of(comparison: Comparison, row: Row) -> str:
    return label(comparison, row) or row["name"]


def sentence(comparison: Comparison, best_row: Row, row: Row, verdict: Verdict) -> str:
    monitor = comparison["monitor"]
    best, other = name_of(comparison, best_row), name_of(comparison, row)
    by = written(verdict.difference, monitor) + (" points" if "acc" in monitor else "")
    interval = f"[{written(verdict.low, monitor)}, {written(verdict.high, monitor)}]"
    counted_as = f"{verdict.seeds} {repetitions(row)}"
    if verdict.told:
        p = "p < 0.001" if verdict.p < 0.001 else f"p = {verdict.p:.1g}"
        return f"{best} beats {other} by {by} {interval}, {counted_as}, {p}"
    # A seed more is a run in each fold that a row has.
    folds = min(len({run.fold for run in one["runs"]} - {None}) for one in (best_row, row))
    each = " of all folds" if folds else ""
    more = verdict.more_seeds or 0
    if more >= MOST_SEEDS:
        about = f"even {how_many(MOST_SEEDS // (folds or 1), 'more seed')}{each} would hardly"
    else:
        more = math.ceil(more / (folds or 1))
        about = f"about {how_many(more, 'more seed')}{each} would"
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
    usable = bool(examples) and 0 <= mean <= 1
    return {
        "mean": mean,
        "seeds": len(values),
        "over_seeds": interval_of_mean(values, overlap_of(row)),
        "examples": examples if usable else None,
        "over_examples": interval_of_share(mean, examples) if usable else None,
    }


def sentence_on_test(comparison: Comparison, row: Row) -> str | None:
    """How good a row, the best on its data, is on examples that had no part in choosing it."""
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
    """On each data, the verdicts on the rows next to the best, what would make one possible, and its test accuracy."""
    groups, found = by_data(comparison), []
    if len(groups) > 1:
        found.append(f"configurations on {len(groups)} sets of data are not compared with each other")
    for best, *others in groups[:SHOWN]:
        judged = [(row, row["verdict"]) for row in others if row["verdict"]]
        found += [sentence(comparison, best, row, verdict) for row, verdict in judged[:SHOWN]]
        if rest := judged[SHOWN:]:
            beaten = sum(verdict.told for _, verdict in rest)
            all_of_them = "the other one" if beaten == len(rest) == 1 else f"{beaten} of the {len(rest)} others"
            found.append(f"{name_of(comparison, best)} beats {all_of_them}")
        of_a_search = any("trial.number" in run.config for run in best["runs"])
        once = [row for row in (best, *others) if len(counted(row["runs"])) == 1]
        if others and once and not judged and not of_a_search:
            command = comparison["resume"]
            typed = f"{command} seeds=+{ENOUGH.count(',')}" if command else f"add seed={ENOUGH}"
            each = "each " if len(once) > 1 else ""
            found.append(f"one seed {each}does not tell which is better by more than chance: {typed}")
        found += filter(None, [sentence_on_test(comparison, best)])
    return [*dict.fromkeys(found)]
