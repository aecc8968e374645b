"""Numbers that are times: in a unit since 1970, or in days as Excel counts them."""

from typing import Any

EXCEL, EXCEL_1970 = "days since 1899-12-30", 25_569  # as Excel keeps a date, and shows it in a cell without a format
SINCE_1970 = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9, EXCEL: 1 / 86_400}
LIKELY = 631_152_000, 2_208_988_800  # the years 1990 and 2040 in seconds since 1970: a timestamp lies between them
LIKELY_DAYS = -1_262_304_000, LIKELY[1]  # from 1930 on, since a column of Excel's days is named a date: maybe of birth


def since_1970(numbers: Any, unit: str) -> Any:
    """The seconds since 1970 of a number, array or tensor in a unit of SINCE_1970; rounded to whole ones for EXCEL."""
    return ((numbers - EXCEL_1970) * 86_400 + 0.5) // 1 if unit == EXCEL else numbers / SINCE_1970[unit]


def is_likely(number: float, unit: str) -> bool:
    """Whether a number may be a timestamp in this unit."""
    low, high = LIKELY_DAYS if unit == EXCEL else LIKELY
    return low <= since_1970(number, unit) < high
