"""The formats in which people and programs write dates and times, and `moment`, which parses a cell in one of them."""

import re
from contextlib import suppress
from datetime import datetime
from unicodedata import normalize

from proj.data.tables.cells import HIDDEN, is_no_number
from proj.data.tables.plain_numbers import plain_number
from proj.data.tables.timestamps import SINCE_1970, since_1970

EPOCH = datetime(1970, 1, 1)
ISO, DURATION = "year-month-day", "hours:minutes"  # a duration may have any number of hours, or be 2 days 03:00:00
DAY_FIRST, MONTH_FIRST = "day.month.year", "month/day/year"
PLAIN = TOGETHER, COMPACT = "yearmonthday", "20000101T100000"  # cells of these formats may be plain numbers instead
HOURS = "hour:minute", DURATION  # formats without a date
NEVER = ("0000-00-00", "0001-01-01")  # how databases write a missing date

TIME = (
    r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?(?: ?(?:Z|(?:UTC|GMT)(?:[+-]\d\d?(?::?\d\d)?)?|[+-]\d\d(?::?\d\d)?))?"
)
AT = rf"(?:(?:,? |T){TIME})?"
YEAR, MONTH, DAY = r"(?P<year>(?:1[5-9]|2[01])\d\d)", r"(?P<month>0?[1-9]|1[0-2])", r"(?P<day>0?[1-9]|[12]\d|3[01])"
SHORT = r"(?!\d\d?-\d\d?-\d\d(?!\d))"  # with hyphens, a year needs four digits: 12-05-33 is a number, not a date
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# How the months' names begin in German, French, Spanish, Italian, Portuguese, Dutch and the Scandinavian languages.
ELSEWHERE = ("jän|gen|ene", "fév|fev", "mär|mrz|maa|mrt", "avr|abr", "mai|mag|maj|mei", "giu|jui", "lug|juil")
ELSEWHERE += ("aoû|aou|ago", "set", "okt|ott|out", "", "dez|déc|dic|des")
ANY_MONTH = [[own, *filter(None, others.split("|"))] for own, others in zip(MONTHS, ELSEWHERE, strict=True)]
NUMBER_OF = {name: number for number, names in enumerate(ANY_MONTH, 1) for name in names}
NAME = rf"(?P<month>{'|'.join(MONTHS)})[a-z]*\.?"
ANY_NAME = rf"(?P<month>{'|'.join(sorted(NUMBER_OF, key=len, reverse=True))})[^\W\d_]*\.?"
ANY_YEAR, WEEKDAY = YEAR.replace(r"\d\d)", r"\d\d|\d\d)"), r"(?:[a-z]+\.?,? )?"
FORMS = {  # by the name that messages and checkpoints use
    ISO: rf"{YEAR}(?P<mark>[-/.]){MONTH}(?:(?P=mark){DAY}{AT})?",
    DAY_FIRST: rf"{SHORT}{DAY}(?P<mark>[-/.]){MONTH}(?P=mark){ANY_YEAR}{AT}",
    MONTH_FIRST: rf"{SHORT}{MONTH}(?P<mark>[-/]){DAY}(?P=mark){ANY_YEAR}{AT}",
    "1 Jan 2000": (  # 01JAN2000:10:00:00 is written by SAS
        rf"{WEEKDAY}{DAY}(?:\.|st|nd|rd|th)?[ -]?{NAME},?[ -]?{ANY_YEAR}{AT.replace('T)', 'T|:)')}"
    ),
    "1. Januar 2000": (  # in the other languages; dates in English may be among them
        rf"(?:[^\W\d_]+\.?,? )?{DAY}(?:\.|er|[º°])?[ /-]?(?:de )?{ANY_NAME},?[ /-]?(?:de )?{ANY_YEAR}{AT}"
    ),
    "Jan 1, 2000": rf"{WEEKDAY}{NAME} {DAY}(?:st|nd|rd|th)?,? {YEAR}{AT}",
    "Sat Jan 1 10:00:00 2000": rf"[a-z]{{3}} {NAME} {{1,2}}{DAY} {TIME} {YEAR}",  # as C and Twitter write it
    "2000年1月1日": rf"{YEAR}年{MONTH}月{DAY}日{AT}",
    "hour:minute": TIME,
    DURATION: (
        r"(?:(?P<days>\d{1,4}) days?,? )?(?P<hours>\d{1,4}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?"
    ),
    TOGETHER: rf"{YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:\.0)?",
    COMPACT: (
        rf"{YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:[T _-]|(?=\d{{6}}(?!\d)))"
        r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?:(?P<second>[0-5]\d)(?:[.,]\d+)?)? ?(?:Z|[+-]\d\d(?::?\d\d)?)?"
    ),
}
# Dates with which people and databases mark an open end: 9999-12-31, 31.12.2999, Dec 31 9999, 9999-01-01. They begin
# in 2700, since smaller years may be real ones of the Buddhist calendar.
FAR_YEAR, FAR_DAY = r"(?:2[7-9]|[3-9]\d)\d\d", r"(?:0?1|12|3[01]|dec[a-z]*\.?|jan[a-z]*\.?)"
MARK = r"(?:[-/. ]|, ?)"
NO_END = re.compile(
    rf"(?:{FAR_YEAR}[-/.]?{FAR_DAY}[-/.]?{FAR_DAY}|{FAR_DAY}{MARK}{FAR_DAY}{MARK}{FAR_YEAR}){AT}(?:\.0)?", re.I
)
FAR = (datetime(2700, 1, 1) - EPOCH).total_seconds()
# Dates that a spreadsheet makes of numbers and ranges: of 5,3 (in German) or 3-5 it makes 05. Mrz, 5-Mar or Mar 5,
# which an Excel file holds as 2024-03-05 00:00:00.
SHORT_NAME = ANY_NAME.replace("*", "?")  # as Mrz. or Sept
SPOILT = (rf"(?P<other>\d\d?)[-. ]+{SHORT_NAME}", rf"{SHORT_NAME}[-. ]*(?P<other>\d\d?)")
SPOILT += (r"20\d\d-(?P<month>\d\d)-(?P<other>\d\d)(?: 00:00:00)?",)
PATTERNS = {form: re.compile(pattern, re.I) for form, pattern in FORMS.items()}


def moment(cell: str, form: str) -> float | None:
    """Parse a cell of this form as seconds since 1970 in its own time zone; None if it is not of this form."""
    if form in SINCE_1970:
        value = plain_number(cell)
        return None if value is None else since_1970(value, form)
    if form == ISO and cell[4:5] == cell[7:8] == "-":
        with suppress(ValueError):  # the pattern below parses what `fromisoformat` of Python 3.10 does not
            return (datetime.fromisoformat(cell).replace(tzinfo=None, microsecond=0) - EPOCH).total_seconds()
    cell = cell if cell.isascii() else normalize("NFC", cell.translate(HIDDEN))
    if not (found := PATTERNS[form].fullmatch(cell)):
        return None
    part = {"year": "1970", "month": "1", "day": "1"} | {name: text for name, text in found.groupdict().items() if text}
    if form == DURATION:
        days, hours, minute, second = (int(part.get(name, 0)) for name in ("days", "hours", "minute", "second"))
        return float(86_400 * days + 3600 * hours + 60 * minute + second)
    year, month, hour = int(part["year"]), part["month"].lower(), int(part.get("hour", 0))
    if len(part["year"]) == 2:
        year += 1900 if year > 68 else 2000  # the convention of POSIX, which strptime follows
    if half := part.get("half"):
        hour = hour % 12 + (12 if half in "pP" else 0)
    clock = hour, int(part.get("minute", 0)), int(part.get("second", 0))
    number = NUMBER_OF[month] if month in NUMBER_OF else int(month)
    try:
        return (datetime(year, number, int(part["day"]), *clock) - EPOCH).total_seconds()
    except ValueError:  # such as February 30
        return None


def spoilt(cell: str) -> tuple[int, ...]:
    """The two numbers, the smaller first, of which a spreadsheet may have made this date; () if it is no such date."""
    found = next(filter(None, (re.fullmatch(pattern, cell, re.I) for pattern in SPOILT)), None)
    if not found:
        return ()
    month = found["month"].lower()
    return tuple(sorted((NUMBER_OF[month] if month in NUMBER_OF else int(month), int(found["other"]))))


def is_no_date(cell: str, no_end: bool = True) -> bool:
    """Whether a cell in a column of dates marks a missing one. no_end: whether 9999-12-31 and the like do so, too."""
    return is_no_number(cell) or cell.startswith(NEVER) or (no_end and bool(NO_END.fullmatch(cell)))
