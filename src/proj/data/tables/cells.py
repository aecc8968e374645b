"""Parses the cells of a table: numbers in the notations of various programs and countries, missing values, and words.

`plain_number` accepts what Python's float() accepts; `number` also accepts thousands separators, currencies and units.
A cell such as 1,234 is ambiguous on its own: `decimal_marks.py` decides from the other cells whether its comma is a
decimal mark, and `values` then parses the whole column.
"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from proj.data.tables.one_column import Column
from proj.data.tables.plain_numbers import MISSING, plain_number

# Further words that mark a missing number, beside MISSING; nd and nv come from Italian and German spreadsheets.
NO_NUMBER = {"-", "--", "---", "–", "—", "−", ".", "..", "…", "<na>", "<null>", "(null)", "\\n", "nat", "-nan", "nil"}
NO_NUMBER |= {"#n/a", "#na", "#n/d", "#nd", "#nv", "n/d", "nd", "n.a.", "n.d.", "k.a.", "unknown", "missing"}
FAILED = re.compile(r"#[^\s\d]\S*[!?]")  # a formula that has no value, in any language: #DIV/0! #WERT! #NAME?

# Invisible characters: soft hyphens, zero-width joiners, marks of the writing direction, byte order marks.
HIDDEN = dict.fromkeys([0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF])
# Typographic minus signs, spaces and apostrophes become the ASCII ones; invisible characters are removed.
PLAIN = str.maketrans("−–‒‑﹣－’\u00a0\u2007\u2008\u2009\u200a\u202f", "------'      ") | HIDDEN
SYMBOL = "[$¢-¥\u058f\u060b\u0e3f\u20a0-\u20cf]"  # of a currency
NUMBER = re.compile(
    rf"(?P<sign>[-+]?) ?(?P<before>{SYMBOL}?) ?(?P<second>-?)(?P<digits>[\d.,' ]*[\d.,])(?P<power>e[-+]?\d+)?"
    rf" ?(?P<after>(?:[%‰]|{SYMBOL})?)",
    re.I,
)
CODES = "CHF|EUR|USD|GBP|INR|JPY|CNY|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|ZAR|TRY|Rs\\.?|R\\$"  # of currencies
NEGATIVE = re.compile(r"^\((.+)\)$|^([\d.,' ]*\d)-$")  # (92) and 92- are -92, as accountants and SAP write it
EVEN = re.compile(r"(?<=\d)[.,]--?(?=$|[^\d.,-])")  # 12,- and 12.-- are 12, a price without cents
# <5 is read as 5: a laboratory's notation for "below 5"; and so is 5+, "5 or more" in a survey.
LIMIT = re.compile(r"^(<|>|≤|≥|<=|>=) ?(?=[-+\d.,])|(?<=\d) ?\+$")
AROUND = re.compile(r"^'(.+)'$|^(.+)/-$")  # '5' in quotation marks that the CSV reader has left, and rupees as 5/-
WITH_WORD = re.compile(  # 12.5 kg, CHF 900 or €12.1M, but not 940xx, a code whose last digits are hidden
    rf"(?:(?P<before>{CODES}) ?|{SYMBOL} ?)?(?P<number>[-+]?[\d.,' ]*\d[.,]?)"
    r"(?: ?(?P<after>(?!x+$)(?:[^\W\d_]|[°/]){1,10})\.?)?(?:/-)?"
)
SHOWS = {  # for each decimal mark, the digits that allow no other: 0,5 or 1.234,5 or 1.234.567 can only have a comma
    "": re.compile(r"\d+|[1-9]\d{0,2}([ ']\d{3})+"),
    "?": re.compile(r"[1-9]\d{0,2}[.,]\d{3}"),  # ambiguous: the mark may also separate thousands
    ".": re.compile(r"\d*\.\d+|\d+\.|[1-9]\d{0,2}([ ',]\d{3})+\.\d*|[1-9]\d{0,2}(,\d{2,3})+,\d{3}(\.\d*)?"),
    ",": re.compile(r"\d*,\d+|\d+,|[1-9]\d{0,2}([ '.]\d{3})+,\d*|[1-9]\d{0,2}(\.\d{3}){2,}(,\d*)?"),
}


class Number(NamedTuple):
    digits: str  # with the sign, all marks and the exponent
    mark: str  # the decimal mark if the digits prove it, "?" if it is ambiguous, "" if there is none
    unit: str  # a currency symbol, a percent sign, or ""; or the word, such as kg, that all of the column's cells have

    def value(self, decimal: str) -> float:
        """The number as a float. decimal: the decimal mark to assume if this number's own is ambiguous."""
        decimal = self.mark if self.mark in (".", ",") else decimal
        return float(self.digits.replace("." if decimal == "," else ",", "").replace(decimal, "."))


def number(cell: str, unit: str = "") -> Number | None:
    """Parse a cell as a number in any of these notations, or beside its column's `unit` if that is a word, such as kg;
    None if it is something else."""
    if any(map(str.isalpha, unit)) and (parts := number_and_word(cell)) and parts[1] == unit:
        read = number(parts[0])
        return read and read._replace(unit=unit)
    # Without what says nothing about the value:
    inside = LIMIT.sub("", AROUND.sub(r"\1\2", EVEN.sub("", cell.translate(PLAIN))))
    found = NUMBER.fullmatch(NEGATIVE.sub(r"-\1\2", inside))
    if not found or (found["before"] and found["after"]) or (found["sign"] and found["second"]):
        return None
    digits, power = found["digits"], found["power"] or ""
    # With an exponent, as in 1.234e5, the mark cannot separate thousands.
    fitting = (mark for mark, form in SHOWS.items() if form.fullmatch(digits) and not (mark == "?" and power))
    if (mark := next(fitting, None)) is None:
        return None
    digits = re.sub("[ ']", "", digits)
    return Number(found["sign"] + found["second"] + digits + power, mark, found["before"] or found["after"])


def number_and_word(cell: str) -> tuple[str, str] | None:
    """Split a cell such as "12.5 kg" or "CHF 900" into (the number as text, the word); None for any other cell."""
    found = WITH_WORD.fullmatch(LIMIT.sub("", EVEN.sub("", cell.translate(PLAIN))))
    words = [word for word in (found["before"], found["after"]) if word] if found else []
    return (found["number"], words[0]) if len(words) == 1 else None


def common_word(words: Iterable[str]) -> str:
    """The word, such as kg, that stands beside a number in every one of these cells; "" if there is no such word."""
    unit = ""
    for word in words:
        parts = number_and_word(word)
        unit = unit or (parts[1] if parts else "")
        if not parts or parts[1] != unit or not number(parts[0]):
            return ""
    return unit


def cell_text(value: Any) -> str:
    """A value of a spreadsheet or of a Parquet file, as a CSV file would hold it."""
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def is_no_number(cell: str) -> bool:
    """Whether a cell in a column of numbers marks a missing value."""
    cell = cell if cell.isascii() else cell.translate(HIDDEN).strip()
    return cell.lower() in MISSING or cell.lower() in NO_NUMBER or bool(FAILED.fullmatch(cell))


def is_number(cell: str) -> bool:
    return plain_number(cell) is not None or number(cell) is not None


def sort_key(word: str) -> tuple:
    """A key for sorting: numbers by their value, then words."""
    value = plain_number(word)
    return (True, 0, word) if value is None else (False, value, word)


def examples_of(words: Counter) -> str:
    """The three most frequent words, quoted, for a message."""
    return ", ".join(repr(word if len(word) <= 20 else f"{word[:19]}…") for word, _ in words.most_common(3))


class Count(NamedTuple):
    """What the cells of a column hold, counted by kind. The counters map the text of a cell to its frequency."""

    numbers: int
    words: Counter
    missing: Counter  # cells that mark a missing number, but would be words in a column of words; see `NO_NUMBER`
    unit: str  # the most frequent unit of the numbers
    negative: str = ""  # an example of a negative number in the notation of accountants, such as (92)
    limits: Counter = Counter()  # those of the numbers that are limits, such as <5

    @property
    def mostly_numbers(self) -> bool:
        """Whether 95 % of the cells that are not missing hold numbers, and at most half of these are limits. (A column
        of <18 and >=65 holds age groups, which are words.)"""
        enough = self.numbers >= max(1, 2 * self.limits.total())
        return enough and self.numbers >= 0.95 * (self.numbers + self.words.total())


def count(cells: Column) -> Count:
    if cells.numbers is not None:
        return Count(int(np.isfinite(cells.numbers).sum()), Counter(), Counter(), "")
    units, words, missing, limits, negative = Counter(), Counter(), Counter(), Counter(), ""
    for cell, times, _ in cells.different():
        if LIMIT.search(cell):
            limits[cell] = times
        if plain_number(cell) is not None:
            units[""] += times
        elif is_missing(cell):
            continue  # it is missing in a column of words, too
        elif is_no_number(cell):
            missing[cell] += times
        elif read := number(cell):
            units[read.unit] += times
            negative = cell if NEGATIVE.match(cell.translate(PLAIN)) else negative
        else:
            words[cell] += times
    if not units and (unit := common_word(words)):
        return Count(words.total(), Counter(), missing, unit, limits=limits)
    return Count(units.total(), words, missing, max(units, key=units.get, default=""), negative, limits - words)
