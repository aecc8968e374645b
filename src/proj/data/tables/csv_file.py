"""Files of comma-separated values: the text of their cells, a column at a time, and the names of their columns."""

import csv
import re
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import chain, islice, pairwise
from typing import Any, BinaryIO

import numpy as np

from proj.data.tables.cells import is_number
from proj.data.tables.one_column import Column
from proj.errors import UserError

CELLS, ROWS = 10_000, 50  # so many cells, or rows of a wide table, are texts of their own at a time: they fit the cache
csv.field_size_limit(10_000_000)  # characters of a cell; 131,072 is less than some texts have


class Table:
    """The rows of a file below its first one, as text without the spaces around it.

    first: the cells of the first row, which may be names: see `take_header`.
    names: of the columns. lines: the line of the file on which each row begins, the first being 1; those of several
    files are counted on from file to file, see `where`. files: their names, each with the lines before it.
    is_named: whether the first row holds names for certain. notes: what was found out, and can be doubted.
    """

    is_named = False
    notes: list[str] = []

    def __init__(self, file: str, first: list[str], line: int, empty: list[int]) -> None:
        self.file, self.first, self.names, self.headed = file, first, list[str](), False
        self.lines, self.files = array("i"), [(file, 0)]
        self.columns = [Column() for _ in first]
        self.above = [*empty, line]  # the lines of the first row, and of empty ones above it
        self.piece = -(-100_000 // len(first))  # so many rows are looked at as its beginning

    def add(self, columns: Iterable[Sequence[str]]) -> None:
        """Move the cells of each column to its end. Raises UserError for a zero byte."""
        try:
            for column, cells in zip(self.columns, columns, strict=True):
                column.add(cells)
        except ValueError as error:
            raise UserError(f"{self.file} is no CSV file ({error}).") from None

    def column(self, place: int) -> Column:
        return self.columns[place]

    def beginning(self, place: int) -> list[str]:
        """The first cells of a column, some hundreds or thousands."""
        return list(islice(self.column(place), self.piece))

    def lines_of(self, rows: Sequence[int] | np.ndarray) -> "Lines":
        return Lines(self, rows)

    def take_header(self, is_header: bool) -> None:
        """Name the columns by the first row, `column 3` where it says nothing; or make it a row like the others.

        Raises UserError where two names are the same.
        """
        if not is_header:
            for column, cell in zip(self.columns, self.first, strict=True):
                column.add([""] * (len(self.above) - 1) + [cell], first=True)
            self.lines = array("i", self.above) + self.lines
        self.headed = is_header
        given = self.first if is_header else [""] * len(self.first)
        self.names = [re.sub(r"\s+", " ", name) or f"column {place}" for place, name in enumerate(given)]
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise UserError(f"{self.file} has two columns {twice[0]!r}: give each a name of its own.")

    def checksum(self) -> str:
        """CRC-32 of all cells, a column after the other, cut as older versions kept them: no zero byte at a cut."""
        above, crc = 0 if self.headed else len(self.above), 0
        cuts = sorted({0, *range(above, len(self.lines), self.piece), len(self.lines)})
        for column in self.columns:
            cells = list(column)
            for start, end in pairwise(cuts):
                crc = zlib.crc32("\0".join(cells[start:end]).encode(), crc)
        return f"{crc:08x}"


class Lines:
    """The lines of some rows, as messages name them: looked up once one is asked for, not kept for a million rows."""

    def __init__(self, table: Table, rows: Sequence[int] | np.ndarray) -> None:
        self.table, self.rows = table, rows

    def __getitem__(self, place: int) -> str:
        return where(self.table.files, self.table.lines[int(self.rows[place])])


def where(files: list[tuple[str, int]], line: int) -> str:
    """A row's line, and of several files its file: see `Table`."""
    if len(files) == 1:
        return str(line)
    name, before = files[bisect_left([before for _, before in files], line) - 1]
    return f"{name}:{line - before}"


def read_csv(file: BinaryIO, name: str, inner: str, encoding: str) -> Table | None:
    """The table in a CSV file; None for no row. inner: its name where `name` is that of a compressed file.

    The separator (comma, semicolon, tab or |) is the one that cuts the first lines into the most pieces, all alike,
    but no comma that is within numbers beside another separator; or what Excel's first line, `sep=;`, says; or the
    ending of the file's name, .tsv.
    Raises UserError for a row of another length than the first, csv.Error and UnicodeError for what is no such file.
    """
    lines = TextIOWrapper(file, encoding, newline="")
    head = list(islice(lines, 20))
    head[:1] = [line.removeprefix("\ufeff") for line in head[:1]]  # which an encoding that is said may leave there
    said = re.fullmatch(r"sep=([;,\t|])\s*", head[0]) if head else None
    head = head[1:] if said else head
    tabs = inner.lower().endswith((".tsv", ".tab")) and any("\t" in line for line in head)
    separator = said[1] if said else max("\t" if tabs else ";,\t|", key=lambda separator: pieces(head, separator))
    return fill(numbered(chain(head, lines), name, separator, skipped=bool(said)), name)


def numbered(lines: Iterable[str], name: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """(The line on which it begins, the row) for each row. skipped: lines of the file above these.

    Raises UserError for a row of several lines whose quotation marks do not end where a cell does: one of them is not
    closed, and csv.reader would make all lines up to the next one a single cell.
    """
    taken: list[str] = []  # the lines of a row
    how: dict[str, Any] = {"delimiter": separator, "skipinitialspace": True}
    end = skipped
    try:
        for row in csv.reader(remembered(lines, taken), **how):
            if len(taken) > 1:
                list(csv.reader(taken, strict=True, **how))
            yield end + 1, row
            end += len(taken)
            taken.clear()
    except csv.Error as error:
        if len(taken) < 2:
            raise
        raise UserError(
            f"{name}: a quotation mark in line {end + 1} is not closed within its cell, and would make one row of "
            f"{len(taken):,} lines: close it, or write two of them for one that belongs to the text."
        ) from error


def remembered(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """The lines, each of which is added to `taken` as it is asked for."""
    for line in lines:
        taken.append(line)
        yield line


def fill(rows: Iterable[tuple[int, list[str]]], name: str) -> Table | None:
    """The table that these rows make, each with its line; None for no row.

    A row may have more cells than the first, or fewer, where those are empty.
    """
    rows, empty = iter(rows), list[int]()
    for line, row in rows:
        first = [cell.strip() for cell in row]
        if any(first):
            break
        if len(first) > 1:
            empty.append(line)
    else:
        return None
    table, width, waiting = Table(name, first, line, empty), len(first), list[list[str]]()
    enough = max(CELLS // width, ROWS)
    for line, row in rows:
        if len(row) != width:
            row = [cell.strip() for cell in row]
            if not row or row == [""]:  # a line with nothing on it
                continue
            if any(row[width:]) or any(table.first[len(row) :]):
                lengths = f"{len(row)} in line {line}, {width} in the first"
                raise UserError(f"{name} has rows of different numbers of values: {lengths}.")
            row = (row + [""] * width)[:width]
        waiting.append(row)
        table.lines.append(line)
        if len(waiting) == enough:
            table.add(zip(*waiting, strict=True))
            waiting.clear()
    if waiting:
        table.add(zip(*waiting, strict=True))
    return table


def pieces(head: list[str], separator: str) -> tuple[bool, bool, list[int]]:
    """How well a separator suits the first lines of a file: whether it cuts all into as many pieces, whether the commas
    that it leaves are within numbers, and the number of pieces."""
    rows = [row for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if row]
    if len(head) > 18 and len(rows) > 1:
        rows.pop()  # its end may be on a later line
    lengths = [len(row) for row in rows]
    commas = [cell.strip() for row in rows for cell in row if "," in cell]
    alike = len(set(lengths)) == 1 and lengths[0] > 1
    return alike, alike and bool(commas) and all(map(is_number, commas)), lengths[:1]
