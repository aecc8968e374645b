"""Detects columns of dates and times, and the form in which they are written."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from proj.config.quoting import typed
from proj.data.tables.date_forms import ANY_NAME, DAY_FIRST, FORMS, HOURS, ISO, MONTH_FIRST, PLAIN, is_no_date, moment
from proj.data.tables.one_column import Column
from proj.data.tables.plain_numbers import plain_number
from proj.data.tables.timestamps import EXCEL, SINCE_1970, is_likely
from proj.errors import UserError

# Names of columns of Excel's days: date begins or ends a word; amounts are as large (consolidated_debt, Datenvolumen).
DATES = re.compile(r"(?i:(\b|_)date(?!n)|(?<!candi)(?<!man)(?<!up)(?<!vali)dates?(?![^\W\d_])|datum|fecha)|[a-z]Date")
TIMES = re.compile(r"time|date|stamp|epoch|unix|created|updated|(\b|_)(at|ts|when)\b|zeit|datum", re.I)
# Notations that are read as words although their order may matter: a pattern, and what the user can write instead.
AS_WORDS = {
    "quarters": (r"Q[1-4][ /-]?\d{4}|\d{4}[ /-]?Q[1-4]", "their first days, such as 2024-04-01"),
    "weeks": (r"\d{4}[ -]?W\d{1,2}(?:-\d)?", "their first days, such as 2024-01-29"),
    "months": (rf"(?:0?[1-9]|1[0-2])[/.-]\d{{4}}|{ANY_NAME}[ '/-]?(?:\d\d|\d{{4}})", "them such as 2024-03"),
    "durations": (r"P(?=\d|T\d)[\d.,YMWDTHS]+[YMWDHS]|(?:\d+ ?(?:[dhms]|min|sec)\b ?){2,}", "them such as 1:30:00"),
    "numbers or codes after a sign of Excel": (r"=\"-?[\d.,]+\"|'-?[\d.,]+", "numbers without it"),
}


def moment_of_column(cell: str, form: str) -> float | None:
    """`moment` of a cell, which may also be of the form `ISO` whatever the form of its column is."""
    found = moment(cell, form)
    if found is None and form not in HOURS and plain_number(cell) is None:  # 1999.5 is not May 1999
        return moment(cell, ISO)
    return found


def find_form(name: str, cells: Column, day_first: bool | None, asked: bool, line: Callable[[int], str]) -> str | None:
    """The form of a column's dates; None if the column holds something else.

    asked: whether a setting says that the column holds dates. day_first: whether 1/2/2000 is in February; None infers
    it from the other cells. line: see `NumberColumn.values`.
    Raises UserError for a cell such as 1/2/2000 if `day_first` is None and the other cells do not decide it.
    """
    least = 0.0 if asked else 0.95  # the share of the different cells that must be dates of one form
    places = ends_of(cells)
    ends = [cells.at(place) for place in places]
    forms = forms_at(ends, asked)
    units = [unit for unit in units_at(ends) if asked or are_since_1970(name, cells, unit)]
    words: list[str] = []
    if forms or (asked and units):
        words = [word for word, *_ in cells.different() if not is_no_date(word)]
    fits = {form: share_of_dates(words, form, least) for form in forms}
    if fits.get(ISO, 1) < 1 and (others := [word for word in words if moment(word, ISO) is None]):
        fits |= {form: share_of_dates(words, form, least) for form in forms_at([others[0], others[-1]], asked)}
    for unit in units:
        fits[unit] = share_of_dates(words, unit, least) if asked else 1.0
    forms = [form for form, fit in fits.items() if fit >= least]
    if {*forms} <= {*PLAIN} and not (asked or len(words) >= 10 or TIMES.search(name)):
        return None
    if {DAY_FIRST, MONTH_FIRST} <= {*forms}:
        if day_first is None and fits[DAY_FIRST] == fits[MONTH_FIRST]:
            first = next(place for word, _, place in cells.different() if moment(word, DAY_FIRST) is not None)
            raise UserError(
                f"row {line(first)}, column {name}: {cells.at(first)!r} can be day/month or month/day: train with "
                "dataset.day_first=true or dataset.day_first=false."
            )
        is_day_first = fits[DAY_FIRST] > fits[MONTH_FIRST] if day_first is None else day_first
        forms.remove(MONTH_FIRST if is_day_first else DAY_FIRST)
    return max(forms, key=fits.get, default=None)


def forms_at(ends: list[str], asked: bool) -> list[str]:
    """The forms in which at least one of these cells is a date. Unless the user has `asked` for dates, numbers can have
    only PLAIN forms, such as 20000101: 1999.5 is not May 1999."""
    are_numbers = all(plain_number(cell) is not None for cell in ends)
    known = PLAIN if are_numbers and not asked else FORMS
    return [form for form in known if any(moment(cell, form) is not None for cell in ends)]


def units_at(ends: list[str]) -> list[str]:
    """The units of SINCE_1970 in which the first of these cells may be a timestamp."""
    first = (plain_number(ends[0]) or 0) if ends else 0
    return [unit for unit in SINCE_1970 if is_likely(first, unit)]


def ends_of(cells: Column) -> list[int]:
    """The indices of the first and the last cell that is not missing; [] if all are missing."""
    missing = cells.each(is_no_date, bool) if cells.numbers is None else np.isnan(cells.numbers)
    there = np.flatnonzero(~missing)
    return [int(there[0]), int(there[-1])] if len(there) else []


def share_of_dates(words: Sequence[str], form: str, least: float) -> float:
    """The share of the words that are dates of a form, or 0 if it is less than `least`."""
    fitting = len(words)
    for word in words:
        if moment_of_column(word, form) is None:
            fitting -= 1
            if fitting / len(words) < least:
                return 0.0
    return fitting / len(words)


def doubt_words(name: str, words: Sequence[str]) -> list[str]:
    """A remark on a column of words if a fifth or more of them are dates, or most are quarters, durations and the like.
    words: its different words, of which the first decide whether they are looked at at all."""
    first = words[:50]
    with_digits = sum(any(map(str.isdecimal, word)) for word in first)
    if not first or with_digits < 0.2 * len(first):  # a quick test, which settles most columns
        return []
    for what, (pattern, others) in AS_WORDS.items():
        if sum(bool(re.fullmatch(pattern, word, re.I)) for word in first) >= 0.8 * len(first):
            these = f"although they are {what} ({words[0][:20]})"
            return [f"{name}: taken for words, {these}: write {others}, if their order matters"]
    form = max(FORMS, key=lambda form: share_of_dates(first, form, 0.2))
    if not (fit := share_of_dates(first, form, 0.2) and share_of_dates(words, form, 0.2)):
        return []
    other = next((word for word in words if moment_of_column(word, form) is None), "")
    but = f", others not ({other[:20]!r})" if other else ""
    how = typed("dataset.dates", name, listed=True)
    return [f"{name}: taken for words, although {fit:.0%} are dates ({form}){but}: {how} reads it as dates"]


def are_since_1970(name: str, cells: Column, unit: str) -> bool:
    """Whether the numbers of a column are timestamps in this unit: all are likely, and they span more than a day
    (else the parts of a date would say no more than the number); and the column's name says so, or they are whole
    and too large to be much else."""
    if cells.numbers is not None:
        numbers = cells.numbers[~np.isnan(cells.numbers)]
    else:
        read = [plain_number(word) for word, *_ in cells.different() if not is_no_date(word)]
        numbers = np.array([np.nan if number is None else number for number in read])
    low, high = numbers.min(), numbers.max()
    if not (is_likely(low, unit) and is_likely(high, unit)):  # also false if a cell is no number: `low` is NaN then
        return False
    a_day = high - low > 86_400 * SINCE_1970[unit]
    is_named = bool((DATES if unit == EXCEL else TIMES).search(name))
    return bool(a_day and (is_named or (unit not in ("seconds", EXCEL) and not (numbers % 1).any())))
