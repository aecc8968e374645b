"""How often the verdicts of a report are wrong, and how often they find a difference: `python benchmarks/verdicts.py`.

Each case simulates `--sweeps` sweeps with some number of configurations (rows) and of seeds, whose accuracies are
normally distributed. Three things are measured. "Wrong claims": the share of sweeps without any difference in which
the report says that the best row beats another one. "Intervals hold": the share of sweeps in which all printed
intervals contain the true difference, without any difference and where one row is better by two standard deviations of
a seed. "Told at 1 sd" and so on, the power: one row is better by one, two or three standard deviations of a seed, and
this is the share of the other rows of which the report says that it beats them. "After more": the rows' true
means are normally distributed with the standard deviation of a seed, and where the report cannot tell the best two
apart, this is the share of sweeps in which it can after as many more seeds as it has named.
Takes a few minutes, and writes benchmarks/results/verdicts.json.
"""

import argparse

import numpy as np
from record import record

from proj.reports.verdicts import MOST_SEEDS, Verdict, verdicts

SHAPES = [(rows, seeds) for rows in (2, 5, 12) for seeds in (3, 4, 6, 8, 10)]


def simulated(random, rows: int, seeds: int, better_by: float) -> tuple[bool, bool, float]:
    """One sweep: (whether a claim was wrong, whether all intervals hold, the share of differences that were found)."""
    truth = np.zeros(rows)
    truth[0] = better_by
    # The second term is the effect of a seed, which all rows share.
    order, found = judged(measured(random, truth, seeds))
    differences = truth[order[0]] - truth[order[1:]]
    pairs = list(zip(found, differences, strict=True))
    wrong = any(verdict.is_significant and difference <= 0 for verdict, difference in pairs)
    hold = all(verdict.low <= difference <= verdict.high for verdict, difference in pairs)
    return wrong, hold, np.mean([verdict.is_significant and difference > 0 for verdict, difference in pairs])


def measured(random, truth: np.ndarray, seeds: int) -> np.ndarray:
    """Accuracies (seeds, rows) of rows with these true means, with the effect of a seed that all rows share."""
    return random.standard_normal((seeds, len(truth))) + random.standard_normal((seeds, 1)) + truth


def judged(values: np.ndarray) -> tuple[np.ndarray, list[Verdict]]:
    """(The rows in their order, the verdict on each but the best)."""
    order = np.argsort(-values.mean(0))
    return order, verdicts([dict(enumerate(values[:, row])) for row in order], "max")


def told_after_more(random, rows: int, seeds: int) -> list[bool]:
    """One sweep in which the report cannot tell the best two rows apart and names a number of further seeds: whether
    it tells these two apart after them. [] for another sweep."""
    truth = random.standard_normal(rows)
    values = measured(random, truth, seeds)
    order, (first, *_) = judged(values)
    if first.is_significant or first.more_seeds >= MOST_SEEDS:
        return []
    values = np.concatenate([values, measured(random, truth, first.more_seeds)])
    again, found = judged(values)
    best, second = order[:2]
    if again[0] not in (best, second):
        return [False]
    other = second if again[0] == best else best
    return [found[again[1:].tolist().index(other)].is_significant]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each case")
    sweeps = parser.parse_args().sweeps
    found = []
    for rows, seeds in SHAPES:
        random = np.random.default_rng([rows, seeds])
        wrong, hold, _ = np.mean([simulated(random, rows, seeds, 0.0) for _ in range(sweeps)], axis=0)
        of_differences = [[simulated(random, rows, seeds, d) for _ in range(sweeps // 3)] for d in (1, 2, 3)]
        holds, power = np.mean(of_differences, axis=1).T[1:]
        more = [told for _ in range(sweeps // 10) for told in told_after_more(random, rows, seeds)]
        found.append({"rows": rows, "seeds": seeds, "wrong": wrong, "hold": hold, "hold_at_2": holds[1]})
        found[-1] |= {"power": power.tolist(), "more": np.mean(more)}
    header = (
        "| rows | seeds | wrong claims | intervals hold | at 2 sd | told at 1 sd | 2 sd | 3 sd | after more seeds |"
    )
    template = (
        "| {rows:d} | {seeds:d} | {wrong:.1%} | {hold:.1%} | {hold_at_2:.1%} | {power[0]:.0%} | {power[1]:.0%} "
        "| {power[2]:.0%} | {more:.0%} |"
    )
    record("verdicts", header, template, found)


if __name__ == "__main__":
    main()
