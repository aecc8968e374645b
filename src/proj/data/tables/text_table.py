"""A table as text, stored by column, with the names of its columns and the lines of its rows in the file."""

import math
import re
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import NoReturn
from unicodedata import normalize

import numpy as np

from proj.data.tables.one_column import SPACES, WholeColumn
from proj.errors import UserError
from proj.system.platform import memory
from proj.wording import agree, first_of

CELLS, ROWS = 10_000, 50  # cells (in a wide table, rows) that are added at once: so many strings fit the CPU's cache
LEAST = 6  # bytes that a cell takes in memory: its text and a separator, and its code or number
AROUND = f'{SPACES}"\ufeff'  # with quotation marks, which the reader keeps behind the byte order mark of a second file


class Table:
    """The rows of a file below its first one, as text without surrounding spaces.

    first: the cells of the first row, which may be the columns' names: see `take_header`. is_named: whether they are,
    for certain. names: the columns' names.
    lines: the line on which each row begins, counted from 1, and on from file to file if there are several, see
    `where`. files: the files' names, each with the number of lines before it.
    notes: remarks on doubtful decisions while the file was read.
    again: the indices of rows that repeat the first one, as in files concatenated by `cat`. mixed: the lines of rows
    that hold its cells in another order. joints: the indices of the rows with which another file begins, be it joined
    here or by `cat`.
    """

    is_named = False

    def __init__(self, file: str, first: list[str], line: int, empty: list[int]) -> None:
        self.file, self.first, self.names, self.headed = file, first, list[str](), False
        self.lines, self.files = array("i"), [(file, 0)]
        self.columns = [WholeColumn() for _ in first]
        self.above = [*empty, line]  # the lines of empty rows above the first row, and its own
        self.piece = math.ceil(100_000 / len(first))  # the number of rows that `beginning` returns
        self.again, self.mixed, self.notes = list[int](), list[int](), list[str]()
        self.joints = list[int]()

    def add(self, columns: Iterable[Sequence[str]]) -> None:
        """Append some rows, given as the cells of each column. Raises UserError for a zero byte."""
        try:
            for column, cells in zip(self.columns, columns, strict=True):
                column.add(cells)
        except ValueError as error:
            raise UserError(f"{self.file} is no CSV file ({error}).") from None

    def beginning(self, place: int) -> list[str]:
        """The first `piece` cells of a column, without those of rows that repeat the first row."""
        cells = list(islice(self.columns[place], self.piece))
        for row in [row for row in reversed(self.again) if row < self.piece]:
            del cells[row]
        return cells

    def line(self, row: int) -> str:
        """The line on which a row begins, for messages."""
        return where(self.files, self.lines[int(row)])

    def file_of(self, rows: np.ndarray) -> np.ndarray:
        """(N,) for each of these rows the index in `files` of its file."""
        return np.searchsorted([before for _, before in self.files], np.array(self.lines)[rows]) - 1

    def note_again(self, cells: list[str], line: int) -> None:
        """Note in `again` or `mixed` if the row added next repeats the first row, or has its cells in another order."""
        found, first = ([cell.strip(AROUND) for cell in one] for one in (cells, self.first))
        if len(first) == 1:  # a cell that occurs again
            return
        if found == first:
            self.again.append(len(self.lines))
        elif sorted(found) == sorted(first) and len({*first}) == len(first):
            self.mixed.append(line)

    def take_header(self, is_header: bool) -> None:
        """Take the first row as the names of the columns, and drop its repetitions; or, if not `is_header`, as an
        example. A column without a name is called `column 3` or the like.

        Raises UserError if two names look the same, or if a later row holds the names in another order.
        """
        if not is_header:
            for column, cell in zip(self.columns, self.first, strict=True):
                column.add([""] * (len(self.above) - 1) + [cell], first=True)
            self.lines = array("i", self.above) + self.lines
        elif self.mixed:
            raise UserError(
                f"{self.file}: line {self.mixed[0]} repeats the names of the columns in another order, as if several "
                "files had been joined: give these files themselves, data_dir=[a.csv,b.csv]."
            )
        elif self.again:
            self._leave_out_again()
        self.headed = is_header
        given = self.first if is_header else [""] * len(self.first)
        self.names = [re.sub(r"\s+", " ", name) or f"column {place}" for place, name in enumerate(given)]
        composed = Counter(normalize("NFC", name) for name in self.names)  # else both look the same
        if twice := [name for name, count in composed.items() if count > 1]:
            raise UserError(f"{self.file} has two columns {twice[0]!r}: give each a name of its own.")

    def _leave_out_again(self) -> None:
        """Leave out the rows that repeat the first row, with a note, unless every name also occurs in other rows: in a
        survey whose ticks are written as the names, they are answers."""
        times = (sum(map(name.__eq__, column)) for name, column in zip(self.first, self.columns, strict=True))
        if len(self.again) not in times:
            return
        rows = np.delete(np.arange(len(self.lines)), self.again)
        lines = f"{agree(len(self.again), 'line', 'lines')} {first_of([str(self.lines[row]) for row in self.again], 5)}"
        self.notes.append(f"{self.file}: left out, as repeated names of the columns: {lines}")
        self.lines = array("i", np.array(self.lines)[rows].tolist())
        self.columns = [WholeColumn(list(column.take(rows))) for column in self.columns]
        self.joints = [row - before for before, row in enumerate(self.again)]
        self.again = []

    def checksum(self) -> str:
        """CRC-32 of all cells, column by column, with a zero byte between two cells. None is between the pieces in
        which older versions kept a column, so that the checksum stays the same."""
        above, crc = 0 if self.headed else len(self.above), 0
        cuts = sorted({0, *range(above, len(self.lines), self.piece), len(self.lines)})
        for column in self.columns:
            cells = list(column)
            for start, end in pairwise(cuts):
                crc = zlib.crc32("\0".join(cells[start:end]).encode(), crc)
        return f"{crc:08x}"


def where(files: list[tuple[str, int]], line: int) -> str:
    """The line of a row for messages, with its file if there are several. files, line: as in `Table`."""
    if len(files) == 1:
        return str(line)
    name, before = files[bisect_left([before for _, before in files], line) - 1]
    return f"{name}:{line - before}"


def most_cells() -> float:
    """The most cells that a table may have: more would not fit into the memory."""
    return (memory() or math.inf) / LEAST


def refuse_too_many(cells: int, most: float, name: str) -> None:
    """Raises UserError if the table `name` has more than the `most` cells."""
    if cells > most:
        raise UserError(f"{name} has {cells:,} cells, more than fit into this machine's memory: take fewer rows of it.")


def refuse_other_length(table: Table, row: list[str], line: int, cure: str) -> NoReturn:
    """Raises UserError for a row of another length than the first. cure: see `table_of_rows`."""
    width, is_longer = len(table.first), len(row) > len(table.first)
    if not cure and re.search("^'.*'$", "\n".join(row), re.M | re.S):
        cure = "write quotation marks for the apostrophes around its cells"
    how = "mend that line, or delete it if it is a note or begins another table"
    if is_longer and cure:
        how = cure
    elif is_longer and (width == 1 or not table.lines):
        how = f"if the table begins in line {line}, delete the lines above it"
    lengths = f"{len(row)} in line {line}, {width} in the first"
    raise UserError(f"{table.file} has rows of different numbers of values: {lengths}: {how}.")


def table_of_rows(
    rows: Iterable[tuple[int, list[str]]], name: str, before: Sequence[str] = (), cure: str = ""
) -> Table | None:
    """The table of some rows, each given as (its line in the file, its cells); None if there is no row with content.

    before: cells to put before those of the first row. cure: the remedy to name for a row of more cells, if known.
    Raises UserError for a row that is longer or shorter than the first, unless only empty cells make the difference.
    """
    rows, empty = iter(rows), list[int]()
    for line, row in rows:
        first = [*before, *(cell.strip() for cell in row)]
        if any(first):
            break
        if len(first) > 1:
            empty.append(line)
    else:
        return None
    table, width, waiting = Table(name, first, line, empty), len(first), list[list[str]]()
    enough, names = max(CELLS // width, ROWS), {cell.strip(AROUND) for cell in table.first}
    most = most_cells()
    for line, row in rows:
        if len(row) != width:
            row = [cell.strip() for cell in row]
            if not row or row == [""]:  # a line with nothing on it
                continue
            if any(row[width:]) or any(table.first[len(row) :]):
                refuse_other_length(table, row, line, cure)
            row = (row + [""] * width)[:width]
        if row[0].strip(AROUND) in names:
            table.note_again(row, line)
        waiting.append(row)
        table.lines.append(line)
        if len(waiting) == enough:
            table.add(zip(*waiting, strict=True))
            waiting.clear()
            refuse_too_many(len(table.lines) * width, most, name)  # a small compressed file may hold any number of rows
    if waiting:
        table.add(zip(*waiting, strict=True))
    return table
