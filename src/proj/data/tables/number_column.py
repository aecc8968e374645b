"""Columns of numbers, whose cells are parsed and standardised."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from torch import Tensor

from proj.config.words import typed
from proj.data.tables.cells import LIMIT, is_no_number, is_number, number
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

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        return standardised(self.values(cells, line, decimal, marks), self.mean, self.std)

    def values(self, cells: Column, line: Callable[[int], str], decimal: str = ".", marks: str = ".,") -> np.ndarray:
        """(N,) float64, the numbers in the cells; NaN for a missing one.

        line: maps a cell's index to its line in the file. decimal: the mark of ambiguous numbers such as 1,234. marks:
        those that other numbers may have. Raises UserError for the first cell that is no number, or has another unit.
        """
        unit = self.unit
        if cells.numbers is not None and decimal in marks and cells.mark in ("", decimal) and not unit:
            return cells.numbers
        as_python_does = decimal == "." and "." in marks and not unit
        number_of: dict[str, float] = {}
        for cell, _, place in cells.different():
            value = plain_number(cell) if as_python_does else None
            if value is None and is_no_number(cell):
                value = np.nan
            elif value is None and (self.takes_limits or not LIMIT.search(cell)):
                read = number(cell, unit)
                if read and read.unit == unit and read.mark in ("", "?", *marks):
                    value = read.value(decimal)
            if value is not None and not abs(value) >= 3e38:
                number_of[cell] = value
            elif not self.lenient:
                self._refuse(cell, line(place), cells, marks)
        return cells.each(lambda cell: number_of.get(cell, np.nan))

    def _refuse(self, cell: str, line: str, cells: Column, marks: str) -> NoReturn:
        """Raises UserError for a cell that cannot be used as a number. The message names the likelier remedy first: few
        different values, several words, or a letter behind a number, as in a house number, suggest labels."""
        where, read = f"row {line}, column {self.name}", number(cell, self.unit)
        if read and read.unit != self.unit:
            kind = f"in {self.unit}" if self.unit else f"without {read.unit}"
            raise UserError(f"{where}: {cell!r} is among numbers {kind}: write all numbers of a column in one unit.")
        kind = f" in {self.unit}" if self.unit else ""
        if read and abs(read.value(".")) >= 3e38:
            kind = " below 3e38"
        if marks == ",":
            kind = " with a decimal comma"
        different = [word for word, *_ in cells.different()]
        others = [word for word in different if not (is_number(word) or is_no_number(word))]
        labels = len(others) > 2 or 10 * len(different) < len(cells) or re.fullmatch(r"\d+ ?[a-zA-Z]", cell)
        settings = ("dataset.categorical", "dataset.numeric")
        as_words, as_numbers = (typed(setting, self.name, listed=True) for setting in settings)
        ways = [
            "empty the cell if its value is unknown, delete the row if it is a note, or train with "
            f"{as_numbers}, which treats such cells as empty",
            f"train with {as_words} if the column holds labels",
        ]
        raise UserError(f"{where}: {cell!r} is no number{kind}; {'; or '.join(ways[::-1] if labels else ways)}.")
