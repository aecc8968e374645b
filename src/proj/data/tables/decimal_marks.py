"""Which decimal mark the numbers of each column have: 1.5 and 1,234.5 a point, 1,5 and 1.234,5 a comma.

Of a number such as 1,234 its own text does not tell. Then the other numbers of its column do, or else those of the
other columns and, of a model that is used, the column's mark in the training. Where they leave it open, and a wrong
guess would make a thousand of a one, the user is asked (dataset.decimal).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, NoReturn

from proj.data.tables.cells import number
from proj.data.tables.one_column import WholeColumn
from proj.data.tables.text_table import Table
from proj.errors import UserError

MARKS = {"point": ".", "comma": ","}  # by the words of dataset.decimal


class Evidence(NamedTuple):
    """What the numbers of a column show of its decimal mark."""

    marks: set[str]  # that are beyond doubt decimal ones
    doubtful: dict[str, int]  # the marks of numbers such as 1,234, each with the first place of such a cell
    has_unmarked: bool  # whether some numbers have no mark, as small ones have none between thousands


def evidence(cells: WholeColumn, unit: str) -> Evidence:
    """Of cells with marks. unit: of the numbers."""
    are_plain = cells.numbers is not None
    if are_plain and cells.is_sure:
        return Evidence({cells.mark}, {}, False)  # which decides all others of the column
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
    """The decimal mark of a column, by which its doubtful numbers are read.

    everywhere: the marks that the numbers of all columns show. trained: what the column's was in the training, or "".
    refuse: called with the place of a cell that can be read in two ways.
    """
    if column.marks or not column.doubtful:
        if len(column.marks) > 1 and column.doubtful:
            refuse(min(column.doubtful.values()))
        return "," if column.marks == {","} else "."
    found = {}
    for mark, place in column.doubtful.items():
        elsewhere = everywhere | set(trained)
        # Without a comma anywhere, 1.234 is what Python reads.
        possible = elsewhere if mark == "," or "," in elsewhere else {"."}
        # That other columns have decimal commas does not tell whether 1,234 beside 999 is large, nor what 1.234 is.
        is_open = possible == {","} and not trained and (column.has_unmarked or mark == ".")
        if len(possible) != 1 or is_open:
            refuse(place)
        (found[mark],) = possible
    return found.get(",") or found["."]


def decimal_marks(table: Table, columns: dict[int, dict], decimal: str | None, notes: list[str]) -> dict[int, str]:
    """The decimal mark of each column.

    columns: those of numbers, by their places; "decimal" in one is what it was in the training.
    decimal: "point" or "comma" where the user says it. Else what can be doubted is added to `notes`.
    Raises UserError where the numbers leave it open.
    """
    marks = dict.fromkeys(columns, MARKS.get(decimal, "."))
    if decimal:
        return marks
    with_marks = [place for place in columns if table.columns[place].mark]
    found = {place: evidence(table.columns[place], columns[place].get("unit", "")) for place in with_marks}
    everywhere = set().union(*(column.marks for column in found.values()))
    for place, column in found.items():
        name, trained = columns[place]["name"], columns[place].get("decimal", "")
        marks[place] = decimal_mark(column, everywhere, trained, partial(refuse_doubtful, table, place, name))
        why = "as in the training" if trained else "as the other columns have it"
        if not trained and marks[place] == "." and "," not in column.doubtful:
            why = "which dataset.decimal=comma changes" if column.has_unmarked and not everywhere else ""
        if column.doubtful and not column.marks and why:
            cell = table.columns[place].at(min(column.doubtful.values()))
            read = number(cell, columns[place].get("unit", "")).value(marks[place])
            notes.append(f"{cell} in column {name} is read as {read:g}, {why}")
    return marks


def refuse_doubtful(table: Table, place: int, name: str, row: int) -> NoReturn:
    """Raises UserError for a number that can be read in two ways."""
    cell, line = table.columns[place].at(row), table.line(row)
    point, whole = re.sub("[.,]", ".", cell), re.sub("[.,]", "", cell)
    raise UserError(
        f"row {line}, column {name}: {cell!r} can be {point} or {whole}; write numbers with a decimal point, and "
        f"thousands without a mark ({point}0 or {whole}), or train with dataset.decimal=point or dataset.decimal=comma."
    )
