"""What the cells of a table hold: numbers, however programs and countries write them, missing ones, or words.

`plain_number` reads a cell as Python does, `number` with all the marks and units that people write. Whether 1,234 is
large or small follows from other cells, which `decimal_marks.py` looks at; `values` then reads a whole column.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from proj.config.words import typed
from proj.data.tables.one_column import Column
from proj.data.tables.plain_numbers import MISSING, plain_number
from proj.errors import UserError

# What else stands in a column of numbers where there is none; nd and nv are said in Italian and German spreadsheets.
NO_NUMBER = {"-", "--", "---", "–", "—", "−", ".", "..", "…", "<na>", "<null>", "(null)", "\\n", "nat", "-nan", "nil"}
NO_NUMBER |= {"#n/a", "#na", "#n/d", "#nd", "#nv", "n/d", "nd", "n.a.", "n.d.", "k.a.", "unknown", "missing"}
FAILED = re.compile(r"#[^\s\d]\S*[!?]")  # a formula that has no value, in any language: #DIV/0! #WERT! #NAME?

# What nobody sees: soft hyphens, joiners, marks of the direction of writing, byte order marks within a text.
HIDDEN = dict.fromkeys([0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF])
# The minus signs, spaces and apostrophes that people and programs write for the plain ones.
PLAIN = str.maketrans("−–‒‑﹣－’\u00a0\u2007\u2008\u2009\u200a\u202f", "------'      ") | HIDDEN
SYMBOL = "[$¢-¥\u058f\u060b\u0e3f\u20a0-\u20cf]"  # of a currency
NUMBER = re.compile(
    rf"(?P<sign>[-+]?) ?(?P<before>{SYMBOL}?) ?(?P<second>-?)(?P<digits>[\d.,' ]*[\d.,])(?P<power>e[-+]?\d+)?"
    rf" ?(?P<after>(?:[%‰]|{SYMBOL})?)",
    re.I,
)
CODES = "CHF|EUR|USD|GBP|INR|JPY|CNY|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|ZAR|TRY|Rs\\.?|R\\$"  # of currencies
NEGATIVE = re.compile(r"^\((.+)\)$|^([\d.,' ]+)-$")  # (92) and 92- are -92, as accountants and SAP write it
LIMIT = re.compile(r"^(<|>|≤|≥|<=|>=) ?(?=[-+\d.,])")  # <5 is read as 5: laboratories write it for what is below
AROUND = re.compile(r"^'(.+)'$|^(.+)/-$")  # '5' where other cells have other quotation marks, and rupees as 5/-
WITH_WORD = re.compile(  # 12.5 kg or CHF 900, but no 940xx, of which the end is not told
    rf"(?:(?P<before>{CODES}) ?)?(?P<number>[-+]?[\d.,' ]*\d[.,]?)"
    r"(?: ?(?P<after>(?!x+$)(?:[^\W\d_]|[°/]){1,10})\.?)?(?:/-)?"
)
SHOWS = {  # by the decimal mark: digits that can have no other, such as 0,5 or 1.234,5 or 1.234.567 for the comma
    "": re.compile(r"\d+|[1-9]\d{0,2}([ ']\d{3})+"),
    "?": re.compile(r"[1-9]\d{0,2}[.,]\d{3}"),  # or one between thousands, but before an exponent
    ".": re.compile(r"\d*\.\d+|\d+\.|[1-9]\d{0,2}([ ',]\d{3})+\.\d*|[1-9]\d{0,2}(,\d{2,3})+,\d{3}(\.\d*)?"),
    ",": re.compile(r"\d*,\d+|\d+,|[1-9]\d{0,2}([ '.]\d{3})+,\d*|[1-9]\d{0,2}(\.\d{3}){2,}(,\d*)?"),
}


class Number(NamedTuple):
    digits: str  # with a sign, marks and an exponent
    mark: str  # the decimal mark that it shows beyond doubt, "?" where it may have either, "" where it has none
    unit: str  # a currency's symbol, a percent sign, or ""; a word such as kg where the column has it

    def value(self, decimal: str) -> float:
        """As Python reads it; decimal: the mark of one in doubt."""
        decimal = self.mark if self.mark in (".", ",") else decimal
        return float(self.digits.replace("." if decimal == "," else ",", "").replace(decimal, "."))


def number(cell: str, unit: str = "") -> Number | None:
    """The number that a cell holds, with whatever marks; None for anything else. unit: of its column, maybe a word."""
    if any(map(str.isalpha, unit)) and (parts := number_and_word(cell)) and parts[1] == unit:
        read = number(parts[0])
        return read and read._replace(unit=unit)
    found = NUMBER.fullmatch(NEGATIVE.sub(r"-\1\2", LIMIT.sub("", AROUND.sub(r"\1\2", cell.translate(PLAIN)))))
    if not found or (found["before"] and found["after"]) or (found["sign"] and found["second"]):
        return None
    digits, power = found["digits"], found["power"] or ""
    possible = (mark for mark, form in SHOWS.items() if form.fullmatch(digits) and not (mark == "?" and power))
    if (mark := next(possible, None)) is None:
        return None
    digits = re.sub("[ ']", "", digits)
    return Number(found["sign"] + found["second"] + digits + power, mark, found["before"] or found["after"])


def number_and_word(cell: str) -> tuple[str, str] | None:
    """(A number, the one word that stands behind it or, of a currency, before it); None for another cell."""
    found = WITH_WORD.fullmatch(LIMIT.sub("", cell.translate(PLAIN)))
    words = [word for word in (found["before"], found["after"]) if word] if found else []
    return (found["number"], words[0]) if len(words) == 1 else None


def common_word(words: Iterable[str]) -> str:
    """The word that all of them have beside a number, or ""."""
    unit = ""
    for word in words:
        parts = number_and_word(word)
        unit = unit or (parts[1] if parts else "")
        if not parts or parts[1] != unit or not number(parts[0]):
            return ""
    return unit


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def is_no_number(cell: str) -> bool:
    """Whether a cell of a column of numbers says that there is none."""
    cell = cell if cell.isascii() else cell.translate(HIDDEN).strip()
    return cell.lower() in MISSING or cell.lower() in NO_NUMBER or bool(FAILED.fullmatch(cell))


def is_number(cell: str) -> bool:
    return plain_number(cell) is not None or number(cell) is not None


def in_order(word: str) -> tuple:
    """Sorts numbers by their value, before words."""
    value = plain_number(word)
    return (True, 0, word) if value is None else (False, value, word)


def examples_of(words: Counter) -> str:
    """The three most frequent of some words, for a message."""
    return ", ".join(repr(word if len(word) <= 20 else f"{word[:19]}…") for word, _ in words.most_common(3))


class Count(NamedTuple):
    """How many of a column's cells hold numbers, words, and what stands for no number."""

    numbers: int
    words: Counter
    missing: Counter  # but for empty cells and the like, which no column takes for words
    unit: str  # of most numbers
    negative: str = ""  # one of the numbers that are negative as accountants write it
    limits: Counter = Counter()  # those of the numbers that are limits, such as <5

    @property
    def mostly_numbers(self) -> bool:
        """Whether 95 % of the cells that are not missing hold numbers, and no more than half of these are limits, as
        groups of ages such as <18 and >=65 are."""
        enough = self.numbers >= max(1, 2 * self.limits.total())
        return enough and self.numbers >= 0.95 * (self.numbers + self.words.total())


def count(cells: Column) -> Count:
    if cells.numbers is not None:
        return Count(int(np.isfinite(cells.numbers).sum()), Counter(), Counter(), "")
    units, words, missing, limits, negative = Counter(), Counter(), Counter(), Counter(), ""
    for cell, times, _ in cells.different():
        if LIMIT.match(cell):
            limits[cell] = times
        if plain_number(cell) is not None:
            units[""] += times
        elif is_missing(cell):
            continue  # no column takes it for a word
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


def values(
    column: dict, cells: Column, line: Callable[[int], str], decimal: str = ".", marks: Sequence[str] = ".,"
) -> np.ndarray:
    """The float64 numbers of a column, NaN for what is missing.

    column: as `encode_column` takes it. In a "lenient" one, what is no number is missing, and so is a limit such as
        <5 if it has no "limits" too, since an older version took these for none.
    line: of the file, by a cell's place, for messages. decimal: the mark of numbers in doubt. marks: those of others.
    Raises UserError for the first cell that holds no number, or one in another unit than "unit".
    """
    name, unit, lenient = (column.get(key, "") for key in ("name", "unit", "lenient"))
    if cells.numbers is not None and decimal in marks and cells.mark in ("", decimal) and not unit:
        return cells.numbers
    as_python_does = decimal == "." and "." in marks and not unit
    number_of: dict[str, float] = {}
    for cell, _, place in cells.different():
        value = plain_number(cell) if as_python_does else None
        if value is None and is_no_number(cell):
            value = np.nan
        elif value is None and not (LIMIT.match(cell) and lenient and "limits" not in column):
            read = number(cell, unit)
            if read and read.unit == unit and read.mark in ("", "?", *marks):
                value = read.value(decimal)
        if value is not None and not abs(value) >= 3e38:
            number_of[cell] = value
        elif not lenient:
            refuse_cell(f"row {line(place)}, column {name}", cell, unit, marks, name, cells)
    return cells.each(lambda cell: number_of.get(cell, np.nan))


def refuse_cell(where: str, cell: str, unit: str, marks: Sequence[str], name: str, cells: Column) -> NoReturn:
    """Raises UserError for one of a column's cells, `where` it stands, that is none of its numbers. The likelier cure
    is said first: a few values, several words or a letter behind a number, as of houses, may be labels."""
    read = number(cell, unit)
    if read and read.unit != unit:
        kind = f"in {unit}" if unit else f"without {read.unit}"
        raise UserError(f"{where}: {cell!r} stands beside numbers {kind}: write all numbers of a column in one unit.")
    kind = f" in {unit}" if unit else ""
    if read and abs(read.value(".")) >= 3e38:
        kind = " below 3e38"
    if marks == ",":
        kind = " with a decimal comma"
    different = [word for word, *_ in cells.different()]
    others = [word for word in different if not (is_number(word) or is_no_number(word))]
    labels = len(others) > 2 or 10 * len(different) < len(cells) or re.fullmatch(r"\d+ ?[a-zA-Z]", cell)
    as_words, as_numbers = (typed(f"dataset.{setting}", name, listed=True) for setting in ("categorical", "numeric"))
    ways = [
        "leave the cell empty if it is not known, delete a line of notes, or train with "
        f"{as_numbers}, which takes such cells for empty ones",
        f"train with {as_words} if the column holds labels",
    ]
    raise UserError(f"{where}: {cell!r} is no number{kind}; {'; or '.join(ways[::-1] if labels else ways)}.")
