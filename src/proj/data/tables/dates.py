"""Dates and times as people and programs write them."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

import numpy as np

from proj.config.words import typed
from proj.data.tables.cells import is_no_number, plain_number
from proj.data.tables.one_column import Column
from proj.errors import UserError

EPOCH = datetime(1970, 1, 1)
ISO, DURATION = "year-month-day", "hours:minutes"  # of any number of hours, also 2 days 03:00:00
NEVER = ("0000-00-00", "0001-01-01")  # with which databases write that there is no date

TIME = (
    r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
AT = rf"(?:(?:,? |T){TIME})?"
YEAR, MONTH, DAY = r"(?P<year>(?:1[5-9]|2[01])\d\d)", r"(?P<month>0?[1-9]|1[0-2])", r"(?P<day>0?[1-9]|[12]\d|3[01])"
SHORT = r"(?!\d\d?-\d\d?-\d\d(?!\d))"  # before a year that may have two digits: 12-05-33 is no date, but a number
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAME = rf"(?P<month>{'|'.join(MONTHS)})[a-z]*\.?"
ANY_YEAR, WEEKDAY = YEAR.replace(r"\d\d)", r"\d\d|\d\d)"), r"(?:[a-z]+\.?,? )?"
FORMS = {  # by their names in messages and in checkpoints
    ISO: rf"{YEAR}(?P<mark>[-/.]){MONTH}(?:(?P=mark){DAY}{AT})?",
    "day.month.year": rf"{SHORT}{DAY}(?P<mark>[-/.]){MONTH}(?P=mark){ANY_YEAR}{AT}",
    "month/day/year": rf"{SHORT}{MONTH}(?P<mark>[-/]){DAY}(?P=mark){ANY_YEAR}{AT}",
    "1 Jan 2000": rf"{WEEKDAY}{DAY}(?:\.|st|nd|rd|th)?[ -]?{NAME},?[ -]?{ANY_YEAR}{AT}",
    "Jan 1, 2000": rf"{WEEKDAY}{NAME} {DAY}(?:st|nd|rd|th)?,? {YEAR}{AT}",
    "Sat Jan 1 10:00:00 2000": rf"[a-z]{{3}} {NAME} {{1,2}}{DAY} {TIME} {YEAR}",  # as C and Twitter write it
    "2000年1月1日": rf"{YEAR}年{MONTH}月{DAY}日{AT}",
    "hour:minute": TIME,
    DURATION: (
        r"(?:(?P<days>\d{1,4}) days?,? )?(?P<hours>\d{1,4}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?"
    ),
    "yearmonthday": rf"{YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:\.0)?",
}
PATTERNS = {form: re.compile(pattern, re.I) for form, pattern in FORMS.items()}
SINCE_1970 = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
LIKELY = 631_152_000, 2_208_988_800  # 1990 and 2040 in seconds since 1970, between which a number may be a time
TIMES = re.compile(r"time|date|stamp|epoch|unix|created|updated|(\b|_)(at|ts|when)\b|zeit|datum", re.I)


def moment(cell: str, form: str) -> float | None:
    """Seconds since 1970 on the clock and in the zone in which a date is written; None for a cell of another form."""
    if form in SINCE_1970:
        value = plain_number(cell)
        return None if value is None else value / SINCE_1970[form]
    if form == ISO and cell[4:5] == cell[7:8] == "-":
        with suppress(ValueError):  # Python 3.10 reads fewer of them, and the pattern below the others
            return (datetime.fromisoformat(cell).replace(tzinfo=None, microsecond=0) - EPOCH).total_seconds()
    if not (found := PATTERNS[form].fullmatch(cell)):
        return None
    part = {"year": "1970", "month": "1", "day": "1"} | {name: text for name, text in found.groupdict().items() if text}
    if form == DURATION:
        days, hours, minute, second = (int(part.get(name, 0)) for name in ("days", "hours", "minute", "second"))
        return float(86_400 * days + 3600 * hours + 60 * minute + second)
    year, month, hour = int(part["year"]), part["month"][:3].lower(), int(part.get("hour", 0))
    if len(part["year"]) == 2:
        year += 1900 if year > 68 else 2000  # as Python and the C library do
    if half := part.get("half"):
        hour = hour % 12 + (12 if half in "pP" else 0)
    clock = hour, int(part.get("minute", 0)), int(part.get("second", 0))
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
    try:
        return (datetime(year, number, int(part["day"]), *clock) - EPOCH).total_seconds()
    except ValueError:  # such as February 30
        return None


def is_no_date(cell: str) -> bool:
    """Whether a cell of a column of dates says that there is none."""
    return is_no_number(cell) or cell.startswith(NEVER)


def moments(column: dict, cells: Column, lines: Sequence[int]) -> np.ndarray:
    """The float64 seconds since 1970 of a column of dates, NaN for what is missing. lines: of the cells, for messages.

    Raises UserError for the first cell that holds no date of the column's form, unless all are of the form `ISO`, which
    no other form can be, and for a time in another unit.
    """
    name, form, known = column["name"], column["date"], dict[str, float]()
    if form in SINCE_1970:
        refuse_other_unit(name, form, cells, lines)
        if are_plain(cells):
            return cells.numbers / SINCE_1970[form]
    different, dated = cells.different(), form not in ("hour:minute", DURATION)
    if dated and all(is_no_date(cell) or moment(cell, ISO) is not None for cell, *_ in different):
        form = ISO
    for cell, _, place in different:
        found = np.nan if is_no_date(cell) else moment(cell, form)
        if found is None and not column.get("lenient"):
            raise UserError(
                f"row {lines[place]}, column {name}: {cell!r} is no date, which the others are ({form}): leave the "
                f"cell empty if it is not known, or train with {typed('dataset.dates', name, listed=True)}."
            )
        known[cell] = np.nan if found is None else found
    return cells.each(lambda cell: known.get(cell, np.nan))


def refuse_other_unit(name: str, form: str, cells: Column, lines: Sequence[int]) -> None:
    """Raises UserError where the first number is a time, but not in the unit of the training."""
    if not (places := ends_of(cells)):
        return
    first = cells.at(places[0])
    units = [unit for unit in SINCE_1970 if is_likely(plain_number(first) or 0, unit)]
    if units and form not in units:
        raise UserError(
            f"row {lines[places[0]]}, column {name}: {first!r} is a time in {units[0]} since 1970, and the training's "
            f"are in {form}: write all of them in one unit."
        )


def are_plain(cells: Column) -> bool:
    """Whether `cells.numbers` are those that `plain_number` reads in the cells."""
    return cells.numbers is not None and cells.mark != ","


def find_form(
    name: str, cells: Column, day_first: bool | None, asked: bool, refuse: Callable[[int], NoReturn]
) -> str | None:
    """The form of a column's dates; None for a column of something else.

    asked: whether the user says that it holds dates. day_first: what 1/2/2000 is; None calls `refuse` with the place of
    such a cell, where no other one tells.
    """
    places = ends_of(cells)
    ends = [cells.at(place) for place in places]
    are_numbers = all(plain_number(cell) is not None for cell in ends)
    known = ["yearmonthday"] if are_numbers and not asked else FORMS  # 1999.5 is a number, and no May
    forms = [form for form in known if any(moment(cell, form) is not None for cell in ends)]
    units = [unit for unit in SINCE_1970 if ends and is_likely(plain_number(ends[0]) or 0, unit)]
    units = [unit for unit in units if asked or are_since_1970(name, cells, unit)]
    words = [word for word, *_ in cells.different() if not is_no_date(word)] if forms or (asked and units) else []
    fits = {form: share(words, form, 0 if asked else 0.95) for form in forms}
    fits |= {unit: share(words, unit, 0) if asked else 1.0 for unit in units}
    forms = [form for form, fit in fits.items() if fit >= (0 if asked else 0.95)]
    if forms == ["yearmonthday"] and not (asked or len(words) >= 10 or TIMES.search(name)):
        return None
    days = [fits[form] for form in forms if form in ("day.month.year", "month/day/year")]
    if len(days) == 2:
        if day_first is None and days[0] == days[1]:
            refuse(places[0])
        forms.remove("month/day/year" if day_first or (day_first is None and days[0] > days[1]) else "day.month.year")
    return max(forms, key=fits.get, default=None)


def ends_of(cells: Column) -> list[int]:
    """The places of the first and the last cell that is not missing; none where all are."""
    missing = cells.each(is_no_date, bool) if cells.numbers is None else np.isnan(cells.numbers)
    there = np.flatnonzero(~missing)
    return [int(there[0]), int(there[-1])] if len(there) else []


def share(words: Sequence[str], form: str, least: float) -> float:
    """How many of the words are dates of a form, as a share; 0 as soon as it is less than `least`."""
    fitting = len(words)
    for word in words:
        if moment(word, form) is None:
            fitting -= 1
            if fitting / len(words) < least:
                return 0.0
    return fitting / len(words)


def is_likely(number: float, unit: str) -> bool:
    """Whether a number may be a time in this unit."""
    return LIKELY[0] <= number / SINCE_1970[unit] < LIKELY[1]


def are_since_1970(name: str, cells: Column, unit: str) -> bool:
    """Whether numbers are a time in this unit: all lie between 1990 and 2040, and the column's name says it, or they
    are whole and too large to be much else. Within a day the time is no more than the number."""
    if are_plain(cells):
        numbers = cells.numbers[~np.isnan(cells.numbers)]
    else:
        read = [plain_number(word) for word, *_ in cells.different() if not is_no_date(word)]
        numbers = np.array([np.nan if number is None else number for number in read])
    low, high = numbers.min(), numbers.max()
    if not (is_likely(low, unit) and is_likely(high, unit)):  # nor is one likely that is no number
        return False
    a_day = high - low > 86_400 * SINCE_1970[unit]
    return bool(a_day and (TIMES.search(name) or (unit != "seconds" and not (numbers % 1).any())))
