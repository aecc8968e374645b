"""How often the verdicts of a report are wrong, and how often they find a difference: `python benchmarks/verdicts.py`.

Each case simulates `--sweeps` sweeps with some number of configurations (rows) and of seeds, whose accuracies are
normally distributed. Three things are measured. "Wrong claims": the share of sweeps without any difference in which
the report says that the best row beats another one. "Intervals hold": the share of sweeps in which all printed
intervals contain the true difference. "Told at 1 sd" and so on, the power: one row is better by one, two or three
standard deviations of a seed, and this is the share of the other rows of which the report says that it beats them.
Takes a few minutes, and writes benchmarks/results/verdicts.json.
"""

import argparse

import numpy as np
from record import record

from proj.reports.verdicts import verdicts

SHAPES = [(rows, seeds) for rows in (2, 5, 12) for seeds in (3, 4, 6, 8, 10)]


def simulated(random, rows: int, seeds: int, better_by: float) -> tuple[bool, bool, float]:
    """One sweep: (whether a claim was wrong, whether all intervals hold, the share of differences that were found)."""
    truth = np.zeros(rows)
    truth[0] = better_by
    # The second term is the effect of a seed, which all rows share.
    values = random.standard_normal((seeds, rows)) + random.standard_normal((seeds, 1)) + truth
    order = np.argsort(-values.mean(0))
    found = verdicts([dict(enumerate(values[:, row])) for row in order], "max")
    differences = truth[order[0]] - truth[order[1:]]
    pairs = list(zip(found, differences, strict=True))
    wrong = any(verdict.is_significant and difference <= 0 for verdict, difference in pairs)
    hold = all(verdict.low <= difference <= verdict.high for verdict, difference in pairs)
    return wrong, hold, np.mean([verdict.is_significant and difference > 0 for verdict, difference in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each case")
    sweeps = parser.parse_args().sweeps
    found = []
    for rows, seeds in SHAPES:
        random = np.random.default_rng([rows, seeds])
        wrong, hold, _ = np.mean([simulated(random, rows, seeds, 0.0) for _ in range(sweeps)], axis=0)
        power = [np.mean([simulated(random, rows, seeds, d)[2] for _ in range(sweeps // 3)]) for d in (1, 2, 3)]
        found.append({"rows": rows, "seeds": seeds, "wrong": wrong, "hold": hold, "power": power})
    header = "| rows | seeds | wrong claims | intervals hold | told at 1 sd | at 2 sd | at 3 sd |"
    template = "| {rows:d} | {seeds:d} | {wrong:.1%} | {hold:.1%} | {power[0]:.0%} | {power[1]:.0%} | {power[2]:.0%} |"
    record("verdicts", header, template, found)


if __name__ == "__main__":
    main()
