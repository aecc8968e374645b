"""Files of comma-separated values: the text of their cells, a column at a time, and the names of their columns."""

import codecs
import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import chain, islice
from typing import Any, BinaryIO

from proj.data.cells import is_number
from proj.errors import UserError

CELLS = 100_000  # so many are lists of texts at a time; an even larger file takes little more memory than its size


class Table:
    """The rows of a file below its first one, as text without the spaces around it.

    first: the cells of the first row, which may be names: see `take_header`.
    names: of the columns. lines: the line of the file on which each row begins, the first being 1.
    """

    def __init__(self, file: str, first: list[str], line: int, empty: list[int]) -> None:
        self.file, self.first, self.names, self.headed = file, first, list[str](), False
        self.lines = array("q")
        self.texts: list[list[str]] = [[] for _ in first]  # of each column, pieces of its cells joined by zero bytes
        self.above = [*empty, line]  # the lines of the first row, and of empty ones above it

    def add(self, rows: list[list[str]]) -> None:
        """Move the rows to the end of the table."""
        for texts, cells in zip(self.texts, zip(*rows, strict=True), strict=False):
            texts.append("\0".join(cells))
        rows.clear()

    def column(self, place: int) -> list[str]:
        return "\0".join(self.texts[place]).split("\0") if self.lines else []

    def beginning(self, place: int) -> list[str]:
        """The first cells of a column, some hundreds or thousands."""
        return self.texts[place][0].split("\0") if self.texts[place] else []

    def take_header(self, is_header: bool) -> None:
        """Name the columns by the first row, `column 3` where it says nothing; or make it a row like the others.

        Raises UserError where two names are the same.
        """
        if not is_header:
            for texts, cell in zip(self.texts, self.first, strict=True):
                texts.insert(0, "\0".join([""] * (len(self.above) - 1) + [cell]))
            self.lines = array("q", self.above) + self.lines
        self.headed = is_header
        given = self.first if is_header else [""] * len(self.first)
        self.names = [re.sub(r"\s+", " ", name) or f"column {place}" for place, name in enumerate(given)]
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise UserError(f"{self.file} has two columns {twice[0]!r}: give each a name of its own.")


def read_table(file: BinaryIO, name: str) -> Table:
    """The table in a CSV file, in UTF-8, or in UTF-16 where its first bytes say so, as Excel's "Unicode text" does.

    The separator (comma, semicolon, tab or |) is the one that cuts the first lines into the most pieces, all alike,
    but no comma that is within numbers beside another separator; or what Excel's first line, `sep=;`, says.
    Raises UserError for what is no such file, for no row, and for a row of another length than the first.
    """
    utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    file.seek(0)
    lines = text_lines(TextIOWrapper(file, "utf-16" if utf16 else "utf-8-sig", newline=""))
    try:
        head = list(islice(lines, 20))
        said = re.fullmatch(r"sep=([;,\t|])\s*", head[0]) if head else None
        head = head[1:] if said else head
        separator = said[1] if said else max(";,\t|", key=lambda separator: pieces(head, separator))
        rows = csv.reader(chain(head, lines), delimiter=separator, skipinitialspace=True)
        table = fill(rows, name, skipped=bool(said))
    except (csv.Error, UnicodeError) as error:
        how = "save the table as one, in Excel as CSV UTF-8; iconv -f WINDOWS-1252 -t UTF-8 changes an older one"
        raise UserError(f"{name} is no CSV file in UTF-8 ({error}): {how}.") from error
    if table is None:
        raise UserError(f"{name} is empty.")
    return table


def text_lines(lines: TextIOWrapper) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("it holds zero bytes")
        yield line


def fill(reader: Any, name: str, skipped: int) -> Table | None:
    """The table that a csv.reader's rows make; None for no row. skipped: lines above those of the reader.

    A row may have more cells than the first, or fewer, where those are empty.
    """
    table, rows, empty, end = None, [], [], skipped
    for row in reader:
        line, end = end + 1, reader.line_num + skipped
        row = [cell.strip() for cell in row]
        if table is None:
            if any(row):
                table = Table(name, row, line, empty)
            elif len(row) > 1:
                empty.append(line)
            continue
        width = len(table.first)
        if not row or (row == [""] and width > 1):  # a line with nothing on it
            continue
        if len(row) != width:
            if any(row[width:]) or any(table.first[len(row) :]):
                lengths = f"{len(row)} in line {line}, {width} in the first"
                raise UserError(f"{name} has rows of different numbers of values: {lengths}.")
            row = (row + [""] * width)[:width]
        rows.append(row)
        table.lines.append(line)
        if len(rows) * width >= CELLS:
            table.add(rows)
    if rows:
        table.add(rows)
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


def has_header(table: Table, target: int | None = None) -> bool:
    """Whether the first row names the columns: no cell of it comes again in its column, and it holds no number.

    It may hold numbers if it counts the columns from 0 or 1, as pandas and R do for a table without names, and there
    are three of them or one is of fractions; or if its cell in the column of the classes, `target`, comes but once,
    since a class has several examples.
    """
    filled = [cell for cell in table.first if cell]
    again = {cell for place, cell in enumerate(table.first) if cell and cell in table.beginning(place)}
    places = [place for place, cell in enumerate(table.first) if is_number(cell)]
    numbers = [table.first[place] for place in places]
    if not numbers:
        return not again
    if len(set(filled)) < len(filled) or again - set(numbers):
        return False
    if counts(numbers) and table.lines and (len(numbers) > 2 or any(has_fractions(table, place) for place in places)):
        return True
    return target is not None and bool(table.first[target]) and table.first[target] not in table.column(target)


def has_fractions(table: Table, place: int) -> bool:
    """Whether a column, but for its first row, holds numbers none of which is written as a whole one."""
    cells = [cell for cell in table.beginning(place) if cell]
    return bool(cells) and is_number(cells[0]) and not any(map(str.isdecimal, cells))


def counts(cells: list[str]) -> bool:
    """Whether the cells are 0, 1, 2 … or 1, 2, 3 …"""
    start = int(cells[:1] == ["1"])
    return cells == list(map(str, range(start, start + len(cells))))


def is_unnamed(name: str) -> bool:
    """Whether a column has its name from this program, or from pandas, because its file gives it none."""
    return bool(re.fullmatch(r"column \d+|Unnamed: \d+", name))


def plain(name: str) -> str:
    """sepallength for `sepal_length`, `sepal length (cm)` and `SepalLengthCm`: what a column's name is without the way
    in which it is written."""
    return re.sub(r"[\s_.()]|cm\)?$", "", name.lower())


def find_columns(names: list[str], header: list[str]) -> list[int | None]:
    """The place in a header of each column that a model takes, by its name, or by its plain name if that leaves no
    choice; None for one that is not there."""
    wanted, given = Counter(map(plain, names)), [None if name in names else plain(name) for name in header]

    def place(name: str) -> int | None:
        if name in header:
            return header.index(name)
        word = plain(name)
        return given.index(word) if word and wanted[word] == given.count(word) == 1 else None

    return [place(name) for name in names]
