"""Puts a comparison into sentences: whether the best row is really better than the others, and how accurate it is."""

import math
from collections import Counter
from typing import Any

from proj.reports.compare import Comparison, Row, counted
from proj.reports.inferred import dataset_of
from proj.reports.runs import Run
from proj.reports.table import label, written
from proj.reports.verdicts import MOST_SEEDS, Verdict, interval_of_mean, interval_of_share, verdicts
from proj.wording import how_many, share

SHOWN = 3  # the most rows that sentences compare with the best one; report.json holds all verdicts
ENOUGH = "0,1,2,3,4,5"  # as many seeds usually detect a difference of two standard deviations


def finished(row: Row) -> list[Run]:
    """The finished runs that count for a row."""
    return [run for run in counted(row["runs"]) if run.status == "finished"]


def values_by_seed(row: Row, metric: str, mode: str, as_pairs: bool = False) -> dict[Any, float]:
    """The values of a metric in a row's finished runs, by the runs' `repetition`, or by their `pair`."""
    values = [(run, run.value(metric, mode)) for run in finished(row)]
    return {run.pair if as_pairs else run.repetition: value for run, value in values if value is not None}


def folds_of(row: Row) -> int:
    """The number of folds into which a row's data is split; 0 without cross-validation."""
    return max(run.folds for run in row["runs"])


def overlap_of(row: Row) -> float:
    """The size of a fold's test part relative to its training part; 0 without folds. See `verdicts`."""
    return 1 / (folds_of(row) - 1) if folds_of(row) else 0.0


def repetitions(*rows: Row) -> str:
    """What the runs within a row are, in words: seeds, folds, or both."""
    if not max(map(folds_of, rows), default=0):
        return "seeds"
    return "folds" if len({str(run.seed) for row in rows for run in row["runs"]}) == 1 else "runs, seeds × folds"


def data_of(row: Row) -> set[tuple]:
    """Keys of a row's data. Two rows are on the same data if they have a key in common.
    One key is the checksum. The other is the file or folder with the examples in each part, so that rows with other
    columns or another image size can be compared, although their inputs have another checksum."""
    runs = finished(row)
    # With folds, the checksum is that of the whole table, and does not depend on which column is the target.
    learnt = [runs[0].config.get(f"dataset.{key}") for key in ("target", "min_examples") if folds_of(row)]
    chosen = {run.record.get("examples") for run in runs}
    place = *dataset_of(runs[0]), runs[0].config.get("dataset.sheet")
    return {(row["data"], *learnt)} | (set() if None in chosen else {(place, frozenset(chosen))})


def by_data(comparison: Comparison) -> list[list[Row]]:
    """The rows with a finished run in groups, one for each data; the best row of each group is first."""
    groups: list[tuple[set[tuple], list[Row]]] = []
    for row in comparison["rows"]:
        if "finished" in row["status"]:
            data = data_of(row)
            group = next((one for one in groups if one[0] & data), None)
            if group is None:
                group = set(), []
                groups.append(group)
            known, rows = group
            known |= data
            rows.append(row)
    return [rows for _, rows in groups]


def conclude(comparison: Comparison) -> Comparison:
    """Set the verdicts of the rows, each of which is compared with the best row on the same data, and return all."""
    monitor, mode = comparison["monitor"], comparison["mode"]
    for rows in by_data(comparison):
        values = [values_by_seed(row, monitor, mode, as_pairs=True) for row in rows]
        found = verdicts(values, mode, max(map(overlap_of, rows)))
        for row, verdict in zip(rows[1:], found, strict=True):
            row["verdict"] = verdict
    return comparison


def in_doubt(comparison: Comparison) -> list[Row]:
    """The rows that more seeds would help to compare: on each data, the best row and those not significantly worse, if
    there are any. A single row on its data also needs more seeds."""
    found = [] if by_data(comparison) else comparison["rows"][:1]  # no run is finished: the first row
    for best, *others in by_data(comparison):
        doubtful = [row for row in others if not (row["verdict"] and row["verdict"].is_significant)]
        found += [best, *doubtful] if doubtful or not others else []
    return found


def name_of(comparison: Comparison, row: Row) -> str:
    """How sentences name a row: by its settings, or else by its folder."""
    return label(comparison, row) or row["name"]


def sentence(comparison: Comparison, best_row: Row, row: Row, verdict: Verdict) -> str:
    """The verdict in words: by how much the best row beats another one, or how many more seeds would decide it."""
    monitor = comparison["monitor"]
    best, other = name_of(comparison, best_row), name_of(comparison, row)
    by = written(verdict.difference, monitor) + (" points" if "acc" in monitor else "")
    interval = f"[{written(verdict.low, monitor)}, {written(verdict.high, monitor)}]"
    counted_as = f"{verdict.seeds} {repetitions(row)}"
    if verdict.is_significant:
        p = "p < 0.001" if verdict.p < 0.001 else f"p = {verdict.p:.2g}"
        return f"{best} beats {other} by {by} {interval}, {counted_as}, {p}"
    here, there = (values_by_seed(one, monitor, comparison["mode"]) for one in (best_row, row))
    if here == there:
        return f"{best} and {other} have the same {monitor} with each seed ({counted_as}), so it cannot tell them apart"
    # `more_seeds` counts runs. One more seed means a run in each of the folds that both rows have.
    folds = min(len({run.fold for run in one["runs"]} - {None}) for one in (best_row, row))
    each = " of all folds" if folds else ""
    more = verdict.more_seeds or 0
    if more >= MOST_SEEDS:
        seeds = f"{how_many(MOST_SEEDS // (folds or 1), 'more seed')}{each}"
        about = f"even {seeds} would not decide it in four of five cases"
    else:
        more = math.ceil(more / (folds or 1))
        about = f"about {how_many(more, 'more seed')}{each} may suffice"
        about += f": {comparison['resume']} seeds=+{more}" if comparison["resume"] else ""
    return f"cannot tell {best} from {other} ({by} {interval}, {counted_as}): {about}"


def figures_on_test(comparison: Comparison, row: Row) -> dict[str, Any] | None:
    """A row's mean test accuracy with two 95 % intervals: one over the seeds, one for the size of the test set.
    None if no run of the row was tested."""
    values = list(values_by_seed(row, "test/acc", "max").values()) if "test/acc" in comparison["metrics"] else []
    if not values:
        return None
    mean = sum(values) / len(values)
    tested: dict[Any, int] = Counter()  # examples by run; or by seed, whose folds together test each example once
    for run in counted(row["runs"]):
        size = run.metrics.get("test_examples")
        key = run.seed if run.metrics.get("fold_part") == "test" else run.folder
        tested[key] += size if isinstance(size, int) else 0
    sizes = set(tested.values())
    examples = sizes.pop() if len(sizes) == 1 else None  # 0 for runs of versions that did not note it
    usable = bool(examples) and 0 <= mean <= 1
    return {
        "mean": mean,
        "seeds": len(values),
        "over_seeds": interval_of_mean(values, overlap_of(row)),
        "examples": examples if usable else None,
        "over_examples": interval_of_share(mean, examples) if usable else None,
    }


def sentence_on_test(comparison: Comparison, row: Row) -> str | None:
    """The test accuracy of a row with its intervals, in words; None if no run was tested."""
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
    accuracy = f"test accuracy of {name_of(comparison, row)}: {share(found['mean']).replace('%', ' %')}"
    return ", ".join([accuracy, *intervals])


def sentences(comparison: Comparison) -> list[str]:
    """The lines below the table. For each data: the verdicts on the rows behind the best one, or which seeds to add so
    that there can be verdicts; and the best row's test accuracy."""
    groups, found = by_data(comparison), []
    if len(groups) > 1:
        found.append(f"configurations on {len(groups)} sets of data are not compared with each other")
    for best, *others in groups[:SHOWN]:
        judged = [(row, row["verdict"]) for row in others if row["verdict"]]
        found += [sentence(comparison, best, row, verdict) for row, verdict in judged[:SHOWN]]
        if rest := judged[SHOWN:]:
            beaten = sum(verdict.is_significant for _, verdict in rest)
            all_of_them = "the other one" if len(rest) == 1 else f"{beaten or 'none'} of the {len(rest)} others"
            beats = "beats" if beaten or len(rest) > 1 else "does not beat"
            found.append(f"{name_of(comparison, best)} {beats} {all_of_them}")
        of_a_search = any("trial.number" in run.config for run in best["runs"])
        once = [row for row in (best, *others) if len(counted(row["runs"])) == 1]
        if others and once and not judged and not of_a_search:
            command = comparison["resume"]
            typed = f"{command} seeds=+{ENOUGH.count(',')}" if command else f"add seed={ENOUGH}"
            each = "each " if len(once) > 1 else ""
            found.append(f"one seed {each}cannot tell a better configuration from a lucky one: {typed}")
        found += filter(None, [sentence_on_test(comparison, best)])
    return [*dict.fromkeys(found)]
