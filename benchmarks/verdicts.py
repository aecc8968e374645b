"""How often a sweep's verdicts are wrong, and how often they see a difference: `python benchmarks/verdicts.py`.

Each case simulates sweeps of so many configurations (rows) and seeds with normal values. Wrong claims: the share of the
sweeps without any difference of which the report says that the best row beats another one. Intervals hold: the share of
the sweeps in which all printed intervals hold the true difference. Power: the share of the sweeps in which the one row
that is better by one, two or three standard deviations of a seed is said to beat another row.
"""

import argparse

import numpy as np
from record import record

from proj.reports.verdicts import verdicts

SHAPES = [(rows, seeds) for rows in (2, 5, 12) for seeds in (3, 4, 6, 8, 10)]


def simulated(random, rows: int, seeds: int, better_by: float) -> tuple[bool, bool, float]:
    """One sweep: whether something was claimed wrongly, whether all intervals hold, the share of true claims."""
    truth = np.zeros(rows)
    truth[0] = better_by
    values = random.standard_normal((seeds, rows)) + random.standard_normal((seeds, 1)) + truth  # seeds are shared
    order = np.argsort(-values.mean(0))
    found = verdicts([dict(enumerate(values[:, row])) for row in order], "max")
    differences = truth[order[0]] - truth[order[1:]]
    pairs = list(zip(found, differences, strict=True))
    wrong = any(verdict.is_significant and difference <= 0 for verdict, difference in pairs)
    hold = all(verdict.low <= difference <= verdict.high for verdict, difference in pairs)
    return wrong, hold, np.mean([verdict.is_significant and difference > 0 for verdict, difference in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=1000, help="sweeps a case")
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
