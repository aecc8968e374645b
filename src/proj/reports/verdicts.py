"""Which configuration is better, and how sure a sweep's seeds make us.

The best row is compared with each other row. The same seed in two rows makes a pair, whose difference counts; rows
without common seeds are compared by Welch's way. How far the best row of a sweep stands off by chance alone depends on
how many rows it was chosen from, and is found by simulation: p is the share of sweeps without any difference, with as
many rows and seeds, in which the best row stands off from some other row at least as far. So at most 5 % of the sweeps
without a difference end in a claim, however many rows they have, and all intervals of a sweep hold together in 95 %.

Folds are no independent repetitions: two of them share most of their training examples. Their variance is corrected as
by Nadeau and Bengio (Machine Learning 52, 2003): 1/n becomes 1/n + `overlap`, the tested share over the trained one.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.05  # of wrong claims a sweep
SIMULATIONS = 10_000
AT_A_TIME = 2_000_000  # numbers held in memory while simulating
POOLED = 1.0  # how much the spread of the other comparisons counts in the spread of one, in seeds
MOST_SEEDS = 100  # of more than that, nobody asks for the exact number


@dataclass(frozen=True)
class Verdict:
    """The best row against another one, in the metric's own units; a positive difference is in the best row's favour.

    low, high: the interval of the difference. seeds: how many were compared. p: how often chance alone does as much.
    more_seeds: how many more would decide in four of five cases; None where the rows are told apart already.
    """

    difference: float
    low: float
    high: float
    p: float
    seeds: int
    more_seeds: int | None

    @property
    def told(self) -> bool:
        return self.p <= LEVEL


def verdicts(rows: list[dict[Hashable, float]], mode: str, overlap: float = 0.0) -> list[Verdict | None]:
    """The verdict on the first row against each other row; None where one of the two has fewer than two finite values.

    rows: the values of each configuration by seed (or by seed and fold). mode: "max" where more is better, or "min".
    overlap: of folds, see above.
    """
    usable = [at for at, row in enumerate(rows) if len(row) > 1 and all(map(math.isfinite, row.values()))]
    if 0 not in usable or len(usable) < 2:
        return [None] * (len(rows) - 1)
    seeds = list(dict.fromkeys(seed for at in usable for seed in rows[at]))
    table = np.array([[rows[at].get(seed, math.nan) for at in usable] for seed in seeds])  # (seeds, rows)
    found = dict(zip(usable, judge(table if mode == "max" else -table, overlap), strict=True))
    return [found.get(at) for at in range(1, len(rows))]


def judge(table: np.ndarray, overlap: float = 0.0) -> list[Verdict | None]:
    """The verdicts on the first row of a table (seeds, rows) against the others. NaN: a row has not that seed.

    Rows that are told apart from the best leave the family, and the rest is judged again among fewer (step-down).
    """
    difference, error = (part[0] for part in stand_off(table[None], best=np.zeros(1, int)))
    counts = np.minimum((~np.isnan(table)).sum(0), (~np.isnan(table[:, 0])).sum())
    error = error * np.sqrt(1 + counts * overlap)
    found: dict[int, Verdict | None] = {0: None}
    left = list(range(1, table.shape[1]))
    while left:
        among = np.isnan(table[:, [0, *left]])
        chance = by_chance(among.tobytes(), among.shape)
        critical = float(np.quantile(chance, 1 - LEVEL))
        told = []
        for at in left:
            standing = ratio(difference[at], error[at])
            p = float((1 + (chance >= standing).sum()) / (1 + len(chance)))
            if p <= LEVEL:
                told.append(at)
            margin = critical * error[at]
            more = None if p <= LEVEL else more_seeds(standing, critical, int(counts[at]), overlap)
            low, high = difference[at] - margin, difference[at] + margin
            found[at] = Verdict(float(difference[at]), float(low), float(high), p, int(counts[at]), more)
        if not told:
            break
        left = [at for at in left if at not in told]
    return [found[at] for at in range(table.shape[1])]


def ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How many standard errors the best row stands off; 0 where it does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference > 1e-12, difference / error, 0.0)


def stand_off(tables: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The difference between the best row and each row, and its standard error: both (tables, rows).

    tables: (tables, seeds, rows), NaN where a row has not that seed. best: the index of each table's best row.
    """
    here = ~np.isnan(tables)
    leader = np.take_along_axis(tables, best[:, None, None], axis=2)  # (tables, seeds, 1)
    shared = here & ~np.isnan(leader)
    own, its, both = here.sum(1), (~np.isnan(leader)).sum(1), shared.sum(1)  # counts of seeds
    smaller = np.minimum(own, its)
    paired = both == smaller
    mean, variance = mean_and_variance(tables)
    leaders_mean, leaders_variance = mean_and_variance(leader)
    pairs_mean, pairs_variance = mean_and_variance(leader - tables)
    difference = np.where(paired, pairs_mean, leaders_mean - mean)
    # Accuracies on few examples are coarse, and seeds that agree in them prove little: at least half the smallest step
    # between two values counts as their spread.
    squared_step = smallest_step(tables) ** 2 / 4
    squared = np.where(paired, pairs_variance / np.maximum(both, 1), leaders_variance / its + variance / own)
    squared = squared + squared_step[:, None] / smaller
    others = np.arange(tables.shape[2]) != best[:, None]
    # A spread from a few seeds is uncertain: that of the other comparisons counts as well.
    typical = (squared * others).sum(1, keepdims=True) / others.sum(1, keepdims=True)
    squared = ((smaller - 1) * squared + POOLED * typical) / (smaller - 1 + POOLED)
    return np.where(others, difference, 0.0), np.sqrt(squared)


def mean_and_variance(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over the seeds that are there: (tables, seeds, rows) -> two of (tables, rows)."""
    here = ~np.isnan(tables)
    count = np.maximum(here.sum(1), 1)
    mean = np.where(here, tables, 0.0).sum(1) / count
    squares = np.where(here, tables - mean[:, None], 0.0) ** 2
    return mean, squares.sum(1) / np.maximum(count - 1, 1)


def smallest_step(tables: np.ndarray) -> np.ndarray:
    """The smallest difference between two unlike values of each table; 0 where all are alike."""
    steps = np.diff(np.sort(tables.reshape(len(tables), -1), axis=1), axis=1)
    steps = np.where(steps > 1e-9, steps, np.inf).min(1)  # NaN, which is sorted to the end, is no step either
    return np.where(np.isfinite(steps), steps, 0.0)


@lru_cache(64)
def by_chance(missing: bytes, shape: tuple[int, int]) -> np.ndarray:
    """How far the best row stands off at most in each of SIMULATIONS sweeps without a difference: standard errors.

    missing: of a table of that shape (seeds, rows), the seeds that a row has not, as the bytes of an array of bool. The
    random numbers are the same each time, so that a report is too.
    """
    random = np.random.default_rng(0)
    absent = np.frombuffer(missing, bool).reshape(shape)
    stands = []
    size = max(1, AT_A_TIME // absent.size)
    for start in range(0, SIMULATIONS, size):
        tables = random.standard_normal((min(size, SIMULATIONS - start), *shape))
        tables[:, absent] = math.nan
        best = mean_and_variance(tables)[0].argmax(1)
        stands.append(ratio(*stand_off(tables, best)).max(1))
    return np.concatenate(stands)


def more_seeds(standing: float, critical: float, seeds: int, overlap: float) -> int:
    """How many more seeds would tell the rows apart in four of five cases, where difference and spread are as seen.

    At most MOST_SEEDS, which stands for more than that.
    """
    sure = NormalDist().inv_cdf(0.8)
    for more in range(1, MOST_SEEDS):
        needed = critical * stdtrit(seeds + more - 1, 0.975) / stdtrit(seeds - 1, 0.975) + sure
        if standing * math.sqrt((1 / seeds + overlap) / (1 / (seeds + more) + overlap)) >= needed:
            return more
    return MOST_SEEDS


def interval_of_mean(values: list[float], overlap: float = 0.0) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over seeds; None where all values are one, which tell no spread."""
    if len(set(values)) < 2:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    margin = float(stdtrit(len(values) - 1, 0.975)) * deviation * math.sqrt(1 / len(values) + overlap)
    return mean - margin, mean + margin


def interval_of_share(share: float, examples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy that was measured on so many examples."""
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    margin = z / (1 + z * z / examples) * math.sqrt(share * (1 - share) / examples + z * z / (4 * examples**2))
    return max(0.0, middle - margin), min(1.0, middle + margin)
