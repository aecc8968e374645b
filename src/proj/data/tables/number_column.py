"""Columns of numbers, whose cells are parsed and standardised."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from torch import Tensor

from proj.config.quoting import typed
from proj.data.tables.cells import LIMIT, is_no_number, is_number, number, number_and_word
from proj.data.tables.date_forms import spoilt
from proj.data.tables.input_column import InputColumn, are_numbers, standardised
from proj.data.tables.one_column import Column
from proj.data.tables.plain_numbers import plain_number
from proj.errors import UserError


@dataclass(frozen=True)
class NumberColumn(InputColumn):
    """Numbers, each of which becomes one standardised input.

    mean, std: of the training part, see `mean_and_std`. unit: of all numbers, such as % or kg; "" if there is none.
    lenient: whether a cell without a number counts as missing, since a setting says that the column holds numbers.
    limits: whether a limit such as <5 is then a number; in the checkpoints of older versions it is missing.
    decimal: the decimal mark of the training, if the column had any marks; see `decimal_marks`.
    """

    mean: float
    std: float
    unit: str = ""
    lenient: bool = False
    limits: bool = False
    decimal: str = ""

    kind = "numbers"

    def _is_sound(self) -> bool:
        return are_numbers(self.mean, self.std) and isinstance(self.unit, str) and self.decimal in ("", ".", ",")

    @property
    def takes_limits(self) -> bool:
        return self.limits or not self.lenient

    @property
    def excess(self) -> float:
        """The variance, as a multiple of what numbers of 0 and 1 alone have with this mean: m (1 - m). It is then
        n / (n - 1) for n numbers, and less for any other numbers from 0 to 1. Infinite for any other mean."""
        largest = self.mean * (1 - self.mean)
        return self.std**2 / largest if largest > 0 else math.inf

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        return standardised(self.values(cells, line, decimal, marks), self.mean, self.std)

    def values(self, cells: Column, line: Callable[[int], str], decimal: str = ".", marks: str = ".,") -> np.ndarray:
        """(N,) float64, the numbers in the cells; NaN for a missing one.

        line: maps a cell's index to its line in the file. decimal: the mark by which an ambiguous number such as 1,234
        is read. marks: the decimal marks that unambiguous numbers may have.
        Raises UserError for the first cell that is no number, or has another unit.
        """
        if cells.numbers is not None and decimal in marks and cells.mark in ("", decimal) and not self.unit:
            return cells.numbers
        number_of: dict[str, float] = {}
        for cell, _, place in cells.different():
            value = self._read(cell, decimal, marks)
            if value is None and not self.lenient:
                self._refuse(cell, line(place), cells, marks)
            number_of[cell] = np.nan if value is None else value
        # `each` also asks for the words of other rows than these, which are in no cell here.
        return cells.each(lambda cell: number_of.get(cell, np.nan))

    def _read(self, cell: str, decimal: str, marks: str) -> float | None:
        """The number in a cell, NaN if it marks a missing one; None if it is neither, or too large for float32."""
        if decimal == "." and "." in marks and not self.unit and (value := plain_number(cell)) is not None:
            return value  # most cells, fast
        if is_no_number(cell):
            return np.nan
        if LIMIT.search(cell) and not self.takes_limits:
            return None
        read = number(cell, self.unit)
        if not read or read.unit != self.unit or read.mark not in ("", "?", *marks):
            return None
        value = read.value(decimal)
        return value if abs(value) < 3e38 else None

    def _refuse(self, cell: str, line: str, cells: Column, marks: str) -> NoReturn:
        """Raises UserError for a cell that cannot be used as a number. The message names the likelier remedy first: few
        different values, several words, or a letter behind a number, as in a house number, suggest labels."""
        where, read = f"row {line}, column {self.name}", number(cell, self.unit)
        parts = None if read else number_and_word(cell)  # 142.2 lb among kg
        is_amount = parts and number(parts[0]) and (self.unit or len(parts[1]) > 1)  # 12a may be a house number
        unit = read.unit if read else parts[1] if is_amount else self.unit
        settings = ("dataset.categorical", "dataset.numeric")
        as_words, as_numbers = (typed(setting, self.name, listed=True) for setting in settings)
        as_empty = f"train with {as_numbers}, which treats such cells as empty"
        if spoilt(cell):
            how = f"import the column as text from where it is right, or {as_empty}"
            raise UserError(f"{where}: {cell!r} is no number, but a date, maybe what a spreadsheet made of one: {how}.")
        if unit != self.unit:
            kind = f"in {self.unit}" if self.unit else f"without {unit}"
            ways = f"write all numbers of a column in one unit{f', or {as_empty}' if is_amount else ''}"
            raise UserError(f"{where}: {cell!r} is among numbers {kind}: {ways}.")
        kind = f" in {self.unit}" if self.unit else ""
        if read and abs(read.value(".")) >= 3e38:
            kind = " below 3e38"
        if marks == ",":
            kind = " with a decimal comma"
        different = [word for word, *_ in cells.different()]
        others = [word for word in different if not (is_number(word) or is_no_number(word))]
        labels = len(others) > 2 or 10 * len(different) < len(cells) or re.fullmatch(r"\d+ ?[a-zA-Z]", cell)
        ways = [
            f"empty the cell if its value is unknown, delete the row if it is a note, or {as_empty}",
            f"train with {as_words} if the column holds labels",
        ]
        raise UserError(f"{where}: {cell!r} is no number{kind}; {'; or '.join(ways[::-1] if labels else ways)}.")
