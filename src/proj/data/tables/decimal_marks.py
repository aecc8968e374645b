"""Decides which decimal mark the numbers of each column have: 1.5 and 1,234.5 a point, 1,5 and 1.234,5 a comma.

A number such as 1,234 is ambiguous. It is read by the mark of the other numbers in its column; if these are ambiguous,
too, by the mark of the other columns, or by the mark that the column had when the model was trained. If that does not
decide it either, a wrong guess would be wrong by a factor of 1,000, so the user is asked to set dataset.decimal.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, NoReturn

from proj.data.tables.cells import number
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import WholeColumn
from proj.data.tables.text_table import Table
from proj.errors import UserError

MARKS = {"point": ".", "comma": ","}  # by the value of dataset.decimal


class Evidence(NamedTuple):
    """What the numbers of a column reveal about its decimal mark."""

    marks: set[str]  # the marks that can only be decimal marks
    doubtful: dict[str, int]  # the marks of ambiguous numbers such as 1,234, each with the index of the first such cell
    has_unmarked: bool  # whether some numbers have no mark: if the marks separate thousands, small numbers have none


def evidence(cells: WholeColumn, unit: str) -> Evidence:
    """The evidence in the cells of a column that has marks. unit: the unit of its numbers."""
    are_plain = cells.numbers is not None
    if are_plain and cells.is_sure:
        return Evidence({cells.mark}, {}, False)  # a certain mark decides all other numbers of the column
    if are_plain and not any("e" in text or "E" in text for text in cells.texts):
        first = next(place for place, cell in enumerate(cells) if cells.mark in cell)
        return Evidence(set(), {cells.mark: first}, any(cell.lstrip("+-").isdecimal() for cell in cells))
    marks, doubtful, has_unmarked = set(), {}, False
    for cell, _, place in cells.different():
        read = number(cell, unit)
        if read and read.mark == "?":
            doubtful.setdefault("," if "," in cell else ".", place)
        elif read:
            marks.add(read.mark)
            has_unmarked |= not read.mark and bool(re.fullmatch(r"\D*\d+\D*", cell))
    return Evidence(marks - {""}, doubtful, has_unmarked)


def decimal_mark(column: Evidence, everywhere: set[str], trained: str, refuse: Callable[[int], NoReturn]) -> str:
    """The decimal mark of a column, by which its ambiguous numbers are read.

    everywhere: the certain marks of all columns. trained: the column's mark in the training, or "" if there is none.
    refuse: raises UserError for the index of a cell that remains ambiguous.
    """
    if column.marks or not column.doubtful:
        if len(column.marks) > 1 and column.doubtful:
            refuse(min(column.doubtful.values()))
        return "," if column.marks == {","} else "."
    found = {}
    for mark, place in column.doubtful.items():
        elsewhere = everywhere | set(trained)
        # Where no number has a decimal comma, 1.234 is read as Python reads it.
        possible = elsewhere if mark == "," or "," in elsewhere else {"."}
        # Decimal commas in other columns do not decide whether 1,234 beside 999 means thousands, nor what 1.234 is.
        is_open = possible == {","} and not trained and (column.has_unmarked or mark == ".")
        if len(possible) != 1 or is_open:
            refuse(place)
        (found[mark],) = possible
    return found.get(",") or found["."]


def decimal_marks(
    table: Table, columns: dict[int, NumberColumn], decimal: str | None, notes: list[str]
) -> dict[int, str]:
    """The decimal mark of each column of numbers, by column index.

    columns: these columns by index; their `decimal` is the mark that they had in the training.
    decimal: "point" or "comma" if the user has set it; with None, remarks on doubtful decisions are added to `notes`.
    Raises UserError if the numbers of a column are ambiguous and nothing decides.
    """
    marks = dict.fromkeys(columns, MARKS.get(decimal, "."))
    if decimal:
        return marks
    with_marks = [place for place in columns if table.columns[place].mark]
    found = {place: evidence(table.columns[place], columns[place].unit) for place in with_marks}
    everywhere = set().union(*(column.marks for column in found.values()))
    for place, column in found.items():
        name, trained = columns[place].name, columns[place].decimal
        marks[place] = decimal_mark(column, everywhere, trained, partial(refuse_doubtful, table, place, name))
        why = "as in the training" if trained else "as the other columns have it"
        if not trained and marks[place] == "." and "," not in column.doubtful:
            why = "which dataset.decimal=comma changes" if column.has_unmarked and not everywhere else ""
        if column.doubtful and not column.marks and why:
            cell = table.columns[place].at(min(column.doubtful.values()))
            read = number(cell, columns[place].unit).value(marks[place])
            notes.append(f"{cell} in column {name} is read as {read:g}, {why}")
    return marks


def refuse_doubtful(table: Table, place: int, name: str, row: int) -> NoReturn:
    """Raises UserError for a number that can be read in two ways. place: its column's index. row: its row's index."""
    cell, line = table.columns[place].at(row), table.line(row)
    point, whole = re.sub("[.,]", ".", cell), re.sub("[.,]", "", cell)
    clear = re.sub(r"(\d)(\D*)$", r"\g<1>0\2", point)  # 2.1540 € for 2.154 €
    raise UserError(
        f"row {line}, column {name}: {cell!r} can be {point} or {whole}; write numbers with a decimal point, and "
        f"thousands without a mark ({clear} or {whole}), or train with dataset.decimal=point or dataset.decimal=comma."
    )
