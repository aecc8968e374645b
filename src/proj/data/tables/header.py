"""Whether the first row of a table names its columns, or is an example like the others."""

import re
from collections.abc import Iterable
from itertools import islice
from textwrap import shorten

import numpy as np

from proj.data.tables.cells import is_no_number, is_number
from proj.data.tables.text_table import Table
from proj.errors import UserError, first_of

# What begins a row that sums up others, as spreadsheets write it, also "North Total"; and a row of averages, of which a
# table has few: more of them are of a kind of their own, between poor and good.
TOTAL = re.compile("((.+ )?(grand |sub-?)?total|.+ ergebnis|(zwischen|gesamt)?summe|insgesamt|sum|somme|suma):?", re.I)
AVERAGE = re.compile("(average|mean|median|durchschnitt|mittelwert|moyenne):?", re.I)


def find_header(table: Table, target: str | int | None, notes: list[str]) -> bool:
    """Whether the first row names the columns; what can be doubted in that is added to `notes`.

    target: the setting; a header may be told by it. Raises UserError for a title above the table.
    """
    width, first = len(table.first), table.first
    place = target if type(target) is int and -width <= target < width else None
    is_named = table.is_named or isinstance(target, str) or (place is None and str(target) in first)
    header = is_named or has_header(table, place)
    filled = [cell for cell in first if cell]
    rows = islice(zip(*table.columns, strict=True), 20)
    if not is_named and width > 2 and len(filled) == 1 and any(map(all, rows)):  # below it one is full
        raise UserError(
            f"{table.file}: line {table.above[-1]} holds nothing but {filled[0]!r}: if that is a title, delete what "
            "stands above the names of the columns; dataset.header=true takes it for names, and false for a row."
        )
    numbers = [cell for cell in first if is_number(cell)]
    if target is None:  # which is refused, with the names that there are: a few of them may be numbers
        return header or 0 < len(numbers) < width / 2
    in_doubt = bool(numbers) and not is_named if header else counts(first)
    if in_doubt:
        kind, other = ("names of the columns", "false") if header else ("an example", "true")
        row = shorten(", ".join(first), 60, placeholder=" …")
        notes.append(f"the first row, {row}, is taken for {kind}: dataset.header={other} if it is not")
    return header


def has_header(table: Table, target: int | None = None) -> bool:
    """Whether the first row names the columns: it holds no number, and no cell of it comes again in its column, as a y
    does that is a name and a class; or one of its words stands above numbers.

    It may hold numbers if it counts the columns from 0 or 1, as pandas and R do for a table without names, and there
    are three of them or one is of fractions; or if its cell in the column of the classes, `target`, comes but once,
    since a class has several examples.
    """
    if table.is_named:
        return True
    filled = [cell for cell in table.first if cell]
    again = {cell for place, cell in enumerate(table.first) if cell and cell in table.beginning(place)}
    places = [place for place, cell in enumerate(table.first) if is_number(cell)]
    numbers = [table.first[place] for place in places]
    if not numbers:
        return not again or any(is_above_numbers(table, place) for place in range(len(table.first)))
    if len(set(filled)) < len(filled) or again - set(numbers):
        return False
    if counts(numbers) and table.lines and (len(numbers) > 2 or any(has_fractions(table, place) for place in places)):
        return True
    label = "" if target is None else table.first[target]
    return bool(label) and sum(map(label.__eq__, table.columns[target])) == len(table.again)


def is_above_numbers(table: Table, place: int) -> bool:
    """Whether a column, but for a word in its first row, holds numbers alone."""
    below = [cell for cell in table.beginning(place) if not is_no_number(cell)]
    return bool(below) and not is_no_number(table.first[place]) and all(map(is_number, below))


def has_fractions(table: Table, place: int) -> bool:
    """Whether a column, but for its first row, holds numbers none of which is written as a whole one."""
    cells = [cell for cell in table.beginning(place) if cell]
    return bool(cells) and is_number(cells[0]) and not any(map(str.isdecimal, cells))


def refuse_second_header(table: Table, numbers: list[int], rows: np.ndarray) -> None:
    """Raises UserError where a row among the examples, which its class keeps from being one, may name the columns of
    another table: its cells are several different words, also in columns of numbers, and none is of the examples.

    numbers: the places of the columns of numbers. rows: the examples.
    """
    if not numbers or any(table.columns[place].numbers is not None for place in numbers):  # which has no word
        return
    between = np.setdiff1d(np.arange(rows[0], rows[-1]), rows, assume_unique=True)
    for place in numbers:
        cells = table.columns[place].take(between)
        between = between[[not (is_number(cell) or is_no_number(cell)) for cell in cells]]
    for row in between.tolist():
        cells = [column.at(row) for column in table.columns]
        filled, pairs = [cell for cell in cells if cell], zip(cells, table.columns, strict=True)
        if not 1 < len(filled) == len({*filled}):  # as "refused" comes several times in the answers of one person
            continue
        if not any(column.take(rows).holds([cell]).any() for cell, column in pairs if cell):
            names = shorten(", ".join(cells), 60, placeholder=" …")
            raise UserError(
                f"{table.file}: line {table.line(row)}, {names}, may name the columns of another "
                "table: move that to a file of its own, or delete the line if the rows below it belong to the first."
            )


def describe_totals(table: Table, target: int, rows: np.ndarray) -> list[str]:
    """A line on the rows among the examples whose first cell says that they sum up others; none where these are more
    than a quarter, as of a column of kinds. target: the place of the classes. rows: the examples."""
    cells = table.columns[0 if target else 1]
    if cells.numbers is not None:  # to ask for the words of numbers would take longer than to read the file
        return []
    first = cells.take(rows)
    totals = first.each(lambda cell: bool(TOTAL.fullmatch(cell)), bool)
    averages = first.each(lambda cell: bool(AVERAGE.fullmatch(cell)), bool)
    found = rows[totals | averages if averages.sum() <= 3 else totals]
    if not 0 < len(found) <= len(rows) / 4:
        return []
    said = [f"{table.line(row)} ({cells.at(row)})" for row in found[:6]]
    return [f"rows that may sum up others: {first_of(said, 5)}: delete them if they do, since they are no examples"]


def counts(cells: Iterable[str]) -> bool:
    """Whether the cells are 0, 1, 2 … or 1, 2, 3 …"""
    cells = iter(cells)
    first = next(cells, "0")
    return first in ("0", "1") and all(cell == str(number) for number, cell in enumerate(cells, int(first) + 1))


def is_unnamed(name: str) -> bool:
    """Whether a column has its name from this program, or from pandas, because its file gives it none."""
    return bool(re.fullmatch(r"column \d+|Unnamed: \d+", name))
