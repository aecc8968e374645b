"""The numbers in dates and durations that a network can learn from."""

import numpy as np
import torch
from torch import Tensor

PARTS = ("year", "month", "day", "weekday", "hour", "hours")  # durations have "hours" alone, and dates all others


def parts_of(seconds: np.ndarray) -> dict[str, np.ndarray]:
    """(N,) each of PARTS, see `date_parts`, of (N,) seconds since 1970."""
    return dict(zip(PARTS, date_parts(torch.from_numpy(seconds)).numpy().T, strict=True))


def date_parts(seconds: Tensor) -> Tensor:
    """(..., len(PARTS)) the numbers in dates, of seconds since 1970: the year, the month from 1, the day of the month,
    the weekday from Monday, 0, the hour with its minutes as a fraction, and the hours of a duration; NaN for a missing
    date. An exported network computes them too, so that all are operations on tensors.

    The year begins in March here, so that a leap day is its last one (Hinnant, chrono-compatible date algorithms).
    """
    days = (seconds / 86_400).floor()
    era = ((days + 719_468) / 146_097).floor()  # of 400 years
    rest = days + 719_468 - 146_097 * era
    leaps = (rest / 1460).floor() - (rest / 36_524).floor() + (rest / 146_096).floor()
    year = ((rest - leaps) / 365).floor()
    rest = rest - (365 * year + (year / 4).floor() - (year / 100).floor())
    month = ((5 * rest + 2) / 153).floor()  # March is 0
    day = rest - ((153 * month + 2) / 5).floor() + 1
    after = (month >= 10).to(seconds)  # January and February
    weekday = days + 3 - 7 * ((days + 3) / 7).floor()
    parts = [year + 400 * era + after, month + 3 - 12 * after, day, weekday, (seconds - 86_400 * days) / 3600]
    return torch.stack([*parts, seconds / 3600], -1)
