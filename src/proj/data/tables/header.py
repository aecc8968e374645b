"""Detects whether the first row of a table names its columns or is an example, and warns of rows that are neither."""

import re
from bisect import bisect
from collections.abc import Iterable
from itertools import islice
from textwrap import shorten

import numpy as np

from proj.config.quoting import typed
from proj.data.tables.cells import is_no_number, is_number
from proj.data.tables.text_table import Table
from proj.errors import UserError
from proj.wording import agree, first_of

# The first cell of a row that sums up others in a spreadsheet, such as "Total" or "North Total"; and of a row of
# averages. If more than a few cells are "average", they are a category, as in poor, average and good.
TOTAL = re.compile("((.+ )?(grand |sub-?)?total|.+ ergebnis|(zwischen|gesamt)?summe|insgesamt|sum|somme|suma):?", re.I)
AVERAGE = re.compile("(average|mean|median|durchschnitt|mittelwert|moyenne):?", re.I)


def find_header(table: Table, target: str | int | None, notes: list[str]) -> bool:
    """Whether the first row names the columns. If that is doubtful, a remark is added to `notes`.

    target: the setting dataset.target; a target given by name, or its values, may show whether there is a header.
    Raises UserError if the first row seems to be a title above the table.
    """
    width, first = len(table.first), table.first
    place = target if type(target) is int and -width <= target < width else None
    is_named = table.is_named or isinstance(target, str) or (place is None and str(target) in first)
    header = is_named or has_header(table, place)
    filled = [cell for cell in first if cell]
    rows = islice(zip(*table.columns, strict=True), 20)
    if not is_named and width > 2 and len(filled) == 1 and any(map(all, rows)):  # one cell alone, above a full row
        raise UserError(
            f"{table.file}: line {table.above[-1]} holds only {filled[0]!r}: if that is a title, delete all lines "
            "above the names of the columns; dataset.header=true reads it as names, dataset.header=false as a row."
        )
    numbers = [cell for cell in first if is_number(cell)]
    if target is None:  # refused later, in a message that lists the columns' names, some of which may be numbers
        return header or 0 < len(numbers) < width / 2
    in_doubt = bool(numbers) and not is_named if header else is_counting(first)
    if in_doubt:
        kind, other = ("names of the columns", "false") if header else ("an example", "true")
        row = shorten(", ".join(first), 60, placeholder=" …")
        notes.append(f"the first row, {row}, is taken for {kind}: dataset.header={other} if it is not")
    return header


def has_header(table: Table, target: int | None = None) -> bool:
    """Whether the first row names the columns.

    A row without numbers does, if none of its cells occurs again in its column (a y may be a name as well as a class),
    or if a word in it stands above numbers. A row with numbers does if these count the columns from 0 or 1, as pandas
    and R do for a table without names, and there are at least three, or one stands above fractions; or if its cell in
    the target column, whose index is `target`, occurs nowhere else, since a class has several examples.
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
    is_above_others = len(numbers) > 2 or any(has_fractions(table, place) for place in places)
    if table.lines and is_counting(numbers) and is_above_others:
        return True
    label = "" if target is None else table.first[target]
    return bool(label) and sum(map(label.__eq__, table.columns[target])) == len(table.again)


def is_above_numbers(table: Table, place: int) -> bool:
    """Whether a column holds a word in the first row and only numbers below it."""
    below = [cell for cell in table.beginning(place) if not is_no_number(cell)]
    return bool(below) and not is_no_number(table.first[place]) and all(map(is_number, below))


def has_fractions(table: Table, place: int) -> bool:
    """Whether a column holds numbers below the first row, and none of them is written as a whole number."""
    cells = [cell for cell in table.beginning(place) if cell]
    return bool(cells) and is_number(cells[0]) and not any(map(str.isdecimal, cells))


def check_second_header(table: Table, target: int, numbers: list[int], rows: np.ndarray) -> list[str]:
    """Raises UserError if a row between the examples seems to be the header of a second table in the same file: it is
    no example because of its class, it has different words even in columns of numbers, and none occurs in an example.
    Such a row above all examples may be the header itself, below a title: it is named in a remark, and so is the first
    row if it `completes_header`.

    target: the index of the target column. numbers: those of the columns of numbers. rows: those of the examples.
    """
    above = [0] if rows[0] and completes_header(table, target) else []
    if not numbers or any(table.columns[place].numbers is not None for place in numbers):  # a column without any word
        return [said_above(table, row) for row in above]
    others = np.setdiff1d(np.arange(rows[-1]), rows, assume_unique=True)
    for place in numbers:
        cells = table.columns[place].take(others)
        others = others[[not (is_number(cell) or is_no_number(cell)) for cell in cells]]
    for row in others.tolist():
        cells = [column.at(row) for column in table.columns]
        filled = {cell: column for cell, column in zip(cells, table.columns, strict=True) if cell}
        are_names = 1 < len(filled) == sum(map(bool, cells))  # a row of repeated words, such as "refused", is no header
        if not are_names or any(column.take(rows).holds([cell]).any() for cell, column in filled.items()):
            continue
        if row > rows[0]:
            how = "move that to a file of its own, or delete the line if the rows below it belong to the first"
            raise UserError(f"{line_with(table, row)} may name the columns of another table: {how}.")
        above.append(row)
    return [said_above(table, row) for row in dict.fromkeys(above)]


def completes_header(table: Table, target: int) -> bool:
    """Whether the row below the header may be its second line, with years above numbers, say: its class is the name of
    the target, as in merged cells; or a column without a name has a word there that is in no other row."""
    first = [column.at(0) for column in table.columns]
    words = [
        place for place, cell in enumerate(first) if is_unnamed(table.names[place]) and cell and not is_number(cell)
    ]
    alone = any(sum(map(first[place].__eq__, table.columns[place])) == 1 for place in words)
    return table.headed and (first[target] == table.names[target] or alone)


def said_above(table: Table, row: int) -> str:
    """A remark on a row above all examples that may be the header."""
    how = "delete the lines above it" if row or table.headed else "dataset.header=true says so"
    return f"{line_with(table, row)} is no example: if it names the columns, {how}"


def line_with(table: Table, row: int) -> str:
    """The line of a row for messages, with the beginning of its cells."""
    cells = ", ".join(column.at(row) for column in table.columns)
    return f"{table.file}: line {table.line(row)}, {shorten(cells, 60, placeholder=' …')},"


def describe_totals(table: Table, target: int, rows: np.ndarray) -> list[str]:
    """A warning of rows whose first cell, such as Total, says that they sum up others; none if these are more than a
    quarter, since it is a category then. target: the index of the target column. rows: those of the examples."""
    cells = table.columns[0 if target else 1]
    if cells.numbers is not None:  # turning the numbers back into words would take longer than reading the file
        return []
    first = cells.take(rows)
    totals = first.each(TOTAL.fullmatch, bool)
    averages = first.each(AVERAGE.fullmatch, bool)
    found = rows[totals | averages if averages.sum() <= 3 else totals]
    if not 0 < len(found) <= len(rows) / 4:
        return []
    said = [f"{table.line(row)} ({cells.at(row)})" for row in found[:6]]
    return [f"rows that may be sums of others: {first_of(said, 5)}: delete them if so, since they are no examples"]


def describe_gaps(table: Table, target: int, places: list[int]) -> list[str]:
    """A warning of columns that an empty one without a name separates from the target, as in two tables side by side:
    their rows may not belong together. target, places: the indices of the target column and of the possible inputs."""
    gaps = [at for at in places if table.headed and is_unnamed(table.names[at]) and not any(table.columns[at])]
    others = [table.names[at] for at in places if at not in gaps and bisect(gaps, at) != bisect(gaps, target)]
    if not others:
        return []
    separates = f"an empty column separates {table.names[target]} from {first_of(others, 5)}"
    how = f"{typed('dataset.drop', *others, listed=True)} leaves {agree(len(others), 'it', 'them')} out"
    return [f"{separates}: if these are another table, whose rows are other things, {how}"]


def is_counting(cells: Iterable[str]) -> bool:
    """Whether the cells are 0, 1, 2 … or 1, 2, 3 …"""
    cells = iter(cells)
    first = next(cells, "0")
    return first in ("0", "1") and all(cell == str(number) for number, cell in enumerate(cells, int(first) + 1))


def is_unnamed(name: str) -> bool:
    """Whether this program or pandas made up a column's name because its file gives it none."""
    return bool(re.fullmatch(r"column \d+|Unnamed: \d+", name))
