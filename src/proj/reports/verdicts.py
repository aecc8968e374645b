"""Decides statistically which configuration is better.

The best row is compared with every other row. If one row has all seeds of the other, the runs with the same seed form
pairs, whose differences count; else the rows are compared as in Welch's test. How far the best row is ahead by chance
alone depends on the number of rows from which it was chosen, so it is simulated: p is the share of sweeps with equally
good rows, and as many rows and seeds, in which the best row is at least as many standard errors ahead of some other
row. Thus at most 5 % of the sweeps without any difference claim one, however many rows they have, and all intervals of
a sweep hold simultaneously in 95 % of cases.

Folds are not independent repetitions, since two of them share most of their training examples. Their variance is
corrected after Nadeau and Bengio (Machine Learning 52, 2003): 1/n becomes 1/n + `overlap`, where `overlap` is the
number of examples in a fold divided by the number of all others, of which some are for validation.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.05  # the significance level: the share of sweeps without a difference that claim one
SIMULATIONS = 10_000
AT_A_TIME = 2_000_000  # numbers held in memory while simulating
POOLED = 1.0  # the mean variance of all comparisons counts in the variance of each as that many seeds would
MOST_SEEDS = 100  # stands for this number of seeds or any larger one
LARGEST = 1e150  # the square of a larger number is no float


@dataclass(frozen=True)
class Verdict:
    """The comparison of the best row with another one, in the metric's units; a positive difference favours the best.

    low, high: the simultaneous 95 % interval of the difference. p: adjusted for the number of rows. seeds: how many
    were compared. more_seeds: how many more would give a significant difference in four of five cases; None if it is
    significant already, see `is_significant`.
    """

    difference: float
    low: float
    high: float
    p: float
    seeds: int
    more_seeds: int | None

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant, so that the two rows can be told apart."""
        return self.p <= LEVEL


def verdicts(rows: list[dict[Hashable, float]], mode: str, overlap: float = 0.0) -> list[Verdict | None]:
    """The verdict on the first row, the best, against each other row; None if one of the two has less than two
    values, or one with which nothing can be computed.

    rows: the values of each configuration by seed (or seed and fold). mode: "max" if more is better, else "min".
    overlap: of folds, see the top of this file; 0 without folds.
    """
    usable = [at for at, row in enumerate(rows) if len(row) > 1 and all(map(is_usable, row.values()))]
    if 0 not in usable or len(usable) < 2:
        return [None] * (len(rows) - 1)
    seeds = list(dict.fromkeys(seed for at in usable for seed in rows[at]))
    table = np.array([[rows[at].get(seed, math.nan) for at in usable] for seed in seeds])  # (seeds, rows)
    found = dict(zip(usable, judge(table if mode == "max" else -table, overlap), strict=True))
    return [found.get(at) for at in range(1, len(rows))]


def is_usable(value: float) -> bool:
    """Whether one can compute with a value: it is no NaN, and neither infinite nor so large that its square is."""
    return abs(value) < LARGEST


def judge(table: np.ndarray, overlap: float = 0.0) -> list[Verdict | None]:
    """The verdicts on the first row of a table (seeds, rows), more being better, against each row; None for itself.
    NaN stands for a seed that a row does not have.

    This is a step-down procedure: first all rows are judged together. Those that differ significantly have their
    verdict, and the others are judged again, among fewer rows, of which the best stands off less by chance; and so on
    until none differs.
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
        significant = []
        for at in left:
            standing = ratio(difference[at], error[at])
            p = float((1 + (chance >= standing).sum()) / (1 + len(chance)))
            if p <= LEVEL:
                significant.append(at)
            margin = critical * error[at]
            more = None if p <= LEVEL else more_seeds(standing, critical, int(counts[at]), overlap)
            low, high = difference[at] - margin, difference[at] + margin
            found[at] = Verdict(float(difference[at]), float(low), float(high), p, int(counts[at]), more)
        if not significant:
            break
        left = [at for at in left if at not in significant]
    return [found[at] for at in range(table.shape[1])]


def ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How many standard errors the best row is ahead; 0 if it is not ahead."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference > 1e-12, difference / error, 0.0)


def stand_off(tables: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(The difference between the best row and each row, its standard error), both of shape (tables, rows).
    tables: (tables, seeds, rows), NaN for a seed that a row does not have. best: the index of each table's best row."""
    leader = np.take_along_axis(tables, best[:, None, None], axis=2)  # (tables, seeds, 1)
    seeds, leader_seeds, common = (count_seeds(values) for values in (tables, leader, leader - tables))
    fewer = np.minimum(seeds, leader_seeds)
    paired = common == fewer  # the row with fewer seeds has none that the other lacks
    mean, squared_error = mean_and_squared_error(tables)
    leaders_mean, leaders_squared_error = mean_and_squared_error(leader)
    mean_of_pairs, squared_error_of_pairs = mean_and_squared_error(leader - tables)
    difference = np.where(paired, mean_of_pairs, leaders_mean - mean)
    squared = np.where(paired, squared_error_of_pairs, leaders_squared_error + squared_error)
    # Accuracies on few examples are coarse, and seeds may agree by chance: the square of half the smallest step between
    # two values is added to the variance.
    squared = squared + (smallest_step(tables) ** 2 / 4)[:, None] / fewer
    others = np.arange(tables.shape[2]) != best[:, None]
    # A variance estimated from few seeds is uncertain, so it is shrunk towards the mean over all comparisons.
    typical = (squared * others).sum(1, keepdims=True) / others.sum(1, keepdims=True)
    squared = ((fewer - 1) * squared + POOLED * typical) / (fewer - 1 + POOLED)
    return np.where(others, difference, 0.0), np.sqrt(squared)


def count_seeds(tables: np.ndarray) -> np.ndarray:
    """The number of seeds that each row has: (tables, seeds, rows) -> (tables, rows)."""
    return (~np.isnan(tables)).sum(1)


def mean_and_squared_error(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(The means over the seeds that each row has, the squares of their standard errors), of tables (tables, seeds,
    rows); both (tables, rows)."""
    count = np.maximum(count_seeds(tables), 1)
    mean = np.nansum(tables, axis=1) / count
    variance = np.nansum((tables - mean[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1)
    return mean, variance / count


def smallest_step(tables: np.ndarray) -> np.ndarray:
    """The smallest difference between two different values in each table; 0 if all are equal."""
    steps = np.diff(np.sort(tables.reshape(len(tables), -1), axis=1), axis=1)
    steps = np.where(steps > 1e-9, steps, np.inf).min(1)  # NaN is sorted to the end, and is not > 1e-9
    return np.where(np.isfinite(steps), steps, 0.0)


@lru_cache(64)
def by_chance(missing: bytes, shape: tuple[int, int]) -> np.ndarray:
    """For each of SIMULATIONS sweeps of equally good rows, by how many standard errors the best row is ahead at most.

    missing: which seeds the rows do not have, a bool array of this shape (seeds, rows) as bytes, so that results can be
    cached. The random numbers are always the same, so a repeated report says the same.
    """
    random = np.random.default_rng(0)
    absent = np.frombuffer(missing, bool).reshape(shape)
    stands = []
    size = max(1, AT_A_TIME // absent.size)
    for start in range(0, SIMULATIONS, size):
        tables = random.standard_normal((min(size, SIMULATIONS - start), *shape))
        tables[:, absent] = math.nan
        best = mean_and_squared_error(tables)[0].argmax(1)
        stands.append(ratio(*stand_off(tables, best)).max(1))
    return np.concatenate(stands)


def more_seeds(standing: float, critical: float, seeds: int, overlap: float) -> int:
    """How many more seeds would give a significant difference in four of five cases, if difference and variance are as
    measured; at most MOST_SEEDS, which stands for any larger number."""
    sure = NormalDist().inv_cdf(0.8)
    for more in range(1, MOST_SEEDS):
        needed = critical * stdtrit(seeds + more - 1, 0.975) / stdtrit(seeds - 1, 0.975) + sure
        if standing * math.sqrt((1 / seeds + overlap) / (1 / (seeds + more) + overlap)) >= needed:
            return more
    return MOST_SEEDS


def interval_of_mean(values: list[float], overlap: float = 0.0) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over seeds; None if all values are equal, which shows no spread, or if
    nothing can be computed with one of them."""
    if len(set(values)) < 2 or not all(map(is_usable, values)):
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    margin = float(stdtrit(len(values) - 1, 0.975)) * deviation * math.sqrt(1 / len(values) + overlap)
    return mean - margin, mean + margin


def interval_of_share(share: float, examples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy that was measured on this number of examples."""
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    margin = z / (1 + z * z / examples) * math.sqrt(share * (1 - share) / examples + z * z / (4 * examples**2))
    return max(0.0, middle - margin), min(1.0, middle + margin)
