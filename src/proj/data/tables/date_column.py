"""Columns of dates and times, whose year, month, weekday and so on become inputs, and remarks on their dates."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from proj.config.quoting import typed
from proj.data.tables.cells import examples_of, is_missing
from proj.data.tables.date_forms import DAY_FIRST, FORMS, ISO, MONTH_FIRST, is_no_date, moment
from proj.data.tables.date_parts import DATE_PARTS, parts_of
from proj.data.tables.dates import ends_of, moment_of_column, units_at
from proj.data.tables.input_column import InputColumn, standardised
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import Column
from proj.data.tables.row_numbers import doubt_far
from proj.data.tables.text_table import Table
from proj.data.tables.timestamps import EXCEL, SINCE_1970, since_1970
from proj.errors import UserError
from proj.wording import how_many, percent

TEN_YEARS = 10 * 365.25 * 86_400  # seconds
# So many different dates are not all in the first twelve days of a month by chance: 0.4 ** 20 is 1e-8.
MANY_DATES = 20
FAR, ENOUGH = 10, 5  # standard deviations from the training's mean that are too many; rows that suffice as evidence


@dataclass(frozen=True)
class DateColumn(InputColumn):
    """Dates, times or durations, of which each part is a standardised input.

    date: the form in which they are written, of `date_forms.FORMS` or SINCE_1970. parts: the parts that vary, each a
    column of numbers with a name of DATE_PARTS. lenient: whether a cell without a date counts as missing, since a
    setting says that the column holds dates. no_end: whether a date without an end (9999-12-31) counts as missing. iso:
    whether a lenient column takes dates of the form `ISO` beside its own. Checkpoints of older versions lack the last
    two.
    """

    date: str
    parts: list[NumberColumn]
    lenient: bool = False
    no_end: bool = False
    iso: bool = False

    kind = "dates"

    def _is_sound(self) -> bool:
        names = {part.name for part in self.parts if isinstance(part, NumberColumn)}
        return self.date in (*FORMS, *SINCE_1970) and len(names) == len(self.parts) and names <= {*DATE_PARTS}

    @property
    def width(self) -> int:
        return len(self.parts)

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"parts": [part.to_dict() for part in self.parts]}

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        numbers = parts_of(self.moments(cells, line))
        return torch.cat([standardised(numbers[part.name], part.mean, part.std) for part in self.parts], 1)

    def moments(self, cells: Column, line: Callable[[int], str]) -> np.ndarray:
        """(N,) float64, the cells in seconds since 1970; NaN for a missing one. line: see `NumberColumn.values`.

        Dates of the form `ISO` are unambiguous, so they are accepted beside dates of any other.
        Raises UserError for the first cell that is no date of the column's form, and for timestamps in another unit.
        """
        form, known = self.date, dict[str, float]()
        if form in SINCE_1970:
            self._refuse_other_unit(cells, line)
            if cells.numbers is not None:
                return since_1970(cells.numbers, form)
        different, read = cells.different(), moment_of_column
        if self.lenient and not self.iso:  # older versions took ISO dates only if all cells were such
            all_iso = all(is_no_date(cell, self.no_end) or moment(cell, ISO) is not None for cell, *_ in different)
            read = moment_of_column if all_iso else moment
        for cell, _, place in different:
            found = np.nan if is_no_date(cell, self.no_end) else read(cell, form)
            if found is None and not self.lenient:
                others = [word for word, *_ in different if word != cell and not is_no_date(word, self.no_end)]
                self._refuse(cell, line(place), others)
            known[cell] = np.nan if found is None else found
        return cells.each(lambda cell: known.get(cell, np.nan))

    def _refuse(self, cell: str, line: str, others: list[str]) -> NoReturn:
        """Raises UserError for a cell that is no date of the column's form. others: the other different cells."""
        form, said = self.date, f"row {line}, column {self.name}: {cell!r} is not a date"
        if others and all(moment_of_column(word, form) is None for word in others):  # the whole table has another form
            raise UserError(f"{said} as in the training ({form}), nor are the others: write all of them that way.")
        swapped = {DAY_FIRST: MONTH_FIRST, MONTH_FIRST: DAY_FIRST}.get(form)
        if swapped and moment(cell, swapped) is not None:
            raise UserError(f"{said} as the others are ({form}), but {swapped}: write all of them as 2020-01-31.")
        how = f"delete the row if it is a note, or train with {typed('dataset.dates', self.name, listed=True)}"
        raise UserError(f"{said} as the others are ({form}): empty the cell if it is unknown, {how}.")

    def _refuse_other_unit(self, cells: Column, line: Callable[[int], str]) -> None:
        """Raises UserError if the first number is a timestamp, but not in the unit that the training had."""
        places = ends_of(cells)
        units = units_at([cells.at(place) for place in places])
        if units and self.date not in units:
            unit = units[0] if units[0] == EXCEL else f"{units[0]} since 1970"
            raise UserError(
                f"row {line(places[0])}, column {self.name}: {cells.at(places[0])!r} is a time in {unit}, and the "
                f"training's are in {self.date}: write all of them in one unit."
            )


def date_remarks(column: DateColumn, cells: Column, seconds: np.ndarray) -> list[str]:
    """Remarks on dates in another form, on cells that are taken for missing, on years of two digits that are read as of
    the far future, and on a frequent date such as 1900-01-01 that may mark missing ones.
    seconds: those of the column's cells, see `DateColumn.moments`."""
    if cells.numbers is not None:
        return []
    name, form = column.name, column.date
    times_of, second_of = Counter[str](), dict[str, float]()  # of each different cell that is not empty
    for word, times, first in cells.different():
        if not is_missing(word):
            times_of[word], second_of[word] = times, seconds[first]

    def those(is_such: Callable[[str], bool]) -> Counter[str]:
        return Counter({word: times for word, times in times_of.items() if is_such(word)})

    none = those(lambda word: np.isnan(second_of[word]))
    iso = those(lambda word: form != ISO and word[:4].isdecimal() and word not in none and moment(word, form) is None)
    total, notes = times_of.total(), []
    if iso:
        of_iso, days = cells.holds(iso), parts_of(seconds)["day"]
        such = f"{examples_of(iso)}, the others as {form}"
        # A spreadsheet of another country turns 3/4/2024 into 2024-03-04, but leaves 13/4/2024, with a day above 12.
        swapped = np.nanmax(days[of_iso]) <= 12 < np.nanmin(days[~of_iso]) and min(of_iso.sum(), (~of_iso).sum()) > 5
        doubt = "; none of the first has a day above 12: are day and month swapped?" if swapped else ""
        notes.append(f"{name}: dates in two forms, {percent(iso.total() / total)} as {such}{doubt}")
    if none:
        notes.append(f"{name}: dates, and {percent(none.total() / total)} count as missing ({examples_of(none)})")
    soon = time() + TEN_YEARS
    if short := those(lambda word: second_of[word] > soon and not re.search(r"\d{4}", word)):
        such = f"years of two digits are read as 1969 to 2068 ({examples_of(short)})"
        notes.append(f"{name}: {such}: write four if not so")
    found = seconds[~np.isnan(seconds)]
    return [*notes, *doubt_far(name, found, lambda end: cells.at(int(np.flatnonzero(seconds == end)[0])))]


def are_early(seconds: np.ndarray) -> bool:
    """Whether these are many different dates, all of which have a day up to 12: 3/4/2020 fits day/month and month/day.
    seconds: (N,) the dates, NaN for a missing one."""
    dates = np.unique(seconds[~np.isnan(seconds)] // 86_400)
    return len(dates) >= MANY_DATES and not (parts_of(seconds)["day"] > 12).any()


def doubt_files(column: DateColumn, seconds: np.ndarray, table: Table, rows: np.ndarray) -> list[str]:
    """A remark on each file whose dates, read in the form of the column, `are_early`, while those of others are not.

    seconds: (N,) the column's dates. rows: (N,) the rows of the table in which they are.
    """
    if column.date not in (DAY_FIRST, MONTH_FIRST) or len(table.files) == 1:
        return []
    file_of = table.file_of(rows)
    early = [file for place, (file, _) in enumerate(table.files) if are_early(seconds[file_of == place])]
    if not (parts_of(seconds)["day"] > 12).any():
        return []
    why = "has no day above 12, others have: are day and month swapped? Write its dates as 2020-01-31"
    return [f"{column.name}: read as {column.date}; {file} {why}" for file in early]


def doubt_order(name: str, seconds: np.ndarray) -> list[str]:
    """A remark if the rows are in the order of these dates, so that test rows which are drawn at random lie between
    others of about the same time. seconds: (N,) the dates, nearly all of which must be different."""
    steps = np.diff(seconds[~np.isnan(seconds)])
    if len(np.unique(seconds)) < 0.9 * len(seconds) or not ((steps >= 0).all() or (steps <= 0).all()):
        return []
    return [f"{name}: the rows are in its order: {typed('dataset.order', name)} tests on later rows"]


def doubt_new_dates(column: DateColumn, cells: Column, seconds: np.ndarray) -> list[str]:
    """Remarks on the dates of a new table: on those that count as missing, on years far from the training's, and on
    days that all are up to 12, while the training has later ones. seconds: (B,) the dates."""
    words = {word: (times, place) for word, times, place in cells.different() if not is_missing(word)}
    none = Counter({word: times for word, (times, place) in words.items() if np.isnan(seconds[place])})
    total, notes = sum(times for times, _ in words.values()), list[str]()
    if none:
        notes.append(f"{percent(none.total() / total)} count as missing ({examples_of(none)}; read as {column.date})")
    for part in column.parts:
        if part.name == "year":
            far = np.abs(parts_of(seconds)["year"] - part.mean) > FAR * part.std  # false for a missing one
            if far.sum() >= max(ENOUGH, 0.02 * len(far)):
                such = f"{how_many(int(far.sum()), 'date')} such as {cells.at(int(np.flatnonzero(far)[0]))}"
                notes.append(f"{such} are far from the training's years, {part.mean:.0f} ± {part.std:.2g}")
        # A mean above 12 proves that the training has days above 12.
        if part.name == "day" and part.mean > 12 and column.date in (DAY_FIRST, MONTH_FIRST) and are_early(seconds):
            swapped = "no day is above 12: are day and month swapped? Write them as 2020-01-31"
            notes.append(f"read as {column.date}, and {swapped}")
    return notes
