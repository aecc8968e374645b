"""The numbers in dates and durations that a network can learn from."""

import numpy as np
import torch
from torch import Tensor

DATE_PARTS = ("year", "month", "day", "weekday", "hour", "hours")  # a duration has only "hours", a date all the others


def parts_of(seconds: np.ndarray) -> dict[str, np.ndarray]:
    """An (N,) array for each name in DATE_PARTS, see `date_parts`. seconds: (N,) float64, since 1970."""
    return dict(zip(DATE_PARTS, date_parts(torch.from_numpy(seconds)).numpy().T, strict=True))


def date_parts(seconds: Tensor) -> Tensor:
    """The parts of dates that are given as seconds since 1970 (...,), as a tensor (..., len(DATE_PARTS)).

    They are the year, the month (1 to 12), the day of the month, the weekday (0 is Monday), the hour with its minutes
    as a fraction, and the hours of a duration; all are NaN for a missing date. An exported network computes them as
    well, so only tensor operations are used.
    Years begin in March here, which puts the leap day last (Hinnant, chrono-compatible date algorithms).
    """
    days = (seconds / 86_400).floor()
    era = ((days + 719_468) / 146_097).floor()  # periods of 400 years since 0000-03-01
    rest = days + 719_468 - 146_097 * era  # days since the beginning of that period, later of its year
    leaps = (rest / 1460).floor() - (rest / 36_524).floor() + (rest / 146_096).floor()
    year = ((rest - leaps) / 365).floor()
    rest = rest - (365 * year + (year / 4).floor() - (year / 100).floor())
    month = ((5 * rest + 2) / 153).floor()  # 0 is March
    day = rest - ((153 * month + 2) / 5).floor() + 1
    after = (month >= 10).to(seconds)  # 1 in January and February, which belong to the next calendar year
    weekday = days + 3 - 7 * ((days + 3) / 7).floor()
    parts = [year + 400 * era + after, month + 3 - 12 * after, day, weekday, (seconds - 86_400 * days) / 3600]
    return torch.stack([*parts, seconds / 3600], -1)
