"""Reads CSV files, and finds out which separator and quotation mark they use."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import chain, pairwise
from typing import Any, BinaryIO

from proj.data.tables.cells import is_number
from proj.data.tables.text_table import Table, table_of_rows
from proj.errors import UserError

csv.field_size_limit(10_000_000)  # characters of a cell; 131,072 is less than some texts have
LONGEST = 100_000_000  # characters of a line; ten million columns of numbers take fewer
SEPARATORS = ";,\t|"


def read_csv(file: BinaryIO, name: str, inner: str, encoding: str) -> Table | None:
    """The table in a CSV file; None if the file has no row. inner: the CSV file's own name if `name` is compressed.

    The separator is the comma, semicolon, tab or | that cuts all of the first lines into the same, largest number of
    values; a separator that leaves commas only within numbers is preferred to the comma. It may also be given by a
    first line `sep=;`, as Excel writes it, or by the suffix .tsv. Blanks separate values if nothing else does and the
    file is not called .csv. If the header has one name less than the rows have values, and the first values all
    differ, R wrote the file and they are its row names.
    Raises UserError for a row of another length than the first, or a line that would fill the memory; csv.Error or
    UnicodeError if it is no CSV file.
    """
    lines = TextIOWrapper(file, encoding, newline="")
    head: list[str] = []
    while len(head) < 20 and (line := lines.readline(LONGEST)):
        if len(line) == LONGEST:
            raise UserError(f"{name} has a line of {LONGEST:,} characters or more: a table has one line for each row.")
        head.append(line)
    if head:
        head[0] = head[0].removeprefix("\ufeff")  # the byte order mark, which an encoding such as utf-8 leaves there
    said = re.fullmatch(rf"sep=([{SEPARATORS}])\s*", head[0]) if head else None
    head = head[1:] if said else head
    quote = find_quote(head)
    separator = said[1] if said else find_separator(head, inner.lower(), quote)
    names, *rows = rows_of(head, separator, quote) or [[]]
    has_row_names = len(names) > 1 and len(rows) > 1 and all(len(row) == len(names) + 1 and row[-1] for row in rows)
    has_row_names = has_row_names and not any(map(is_number, names)) and len({row[0] for row in rows}) == len(rows)
    rows = numbered(chain(head, lines), name, separator, quote, skipped=1 if said else 0)
    table = table_of_rows(rows, name, [""] if has_row_names else [], why_longer_rows(head, separator, quote))
    lines.detach()  # or it would close the file, which is the caller's
    if table and has_row_names:
        what = "the first column has no name, since there is one name too few, as in tables that R writes"
        table.notes.append(f"{name}: {what}")
    if table and quote == "'":
        table.notes.append(f"{name}: the apostrophes around its cells are taken for quotation marks")
    return table


def find_quote(head: list[str]) -> str:
    """The quotation mark of a file, judged by its first lines: the apostrophe if they contain no double quote and
    apostrophes enclose all names, or a cell of each line below the names."""
    is_single = not any('"' in line for line in head) and any(is_quoted(head, separator) for separator in SEPARATORS)
    return "'" if is_single else '"'


def why_longer_rows(head: list[str], separator: str, quote: str) -> str:
    """A remedy for rows that have more values than there are names: the names may have another separator, or the commas
    may be decimal marks as well; "" if neither seems to be the case."""
    names, *rows = rows_of(head, separator, quote) or [[]]
    row = next((row for row in rows if len(row) > len(names)), [])
    for other in SEPARATORS:
        of_names = rows_of(head[:1], other, quote) if row and other != separator else []
        if of_names and len(names) == 1 and len(of_names[0]) == len(row):
            return f"{other!r} separates the names of the columns, but {separator!r} the values: use one in all lines"
    pairs = sum(re.fullmatch(r"-?\d+,\d+", ",".join(pair)) is not None for pair in pairwise(row))
    if separator == "," and 1 < len(names) < len(row) <= len(names) + pairs and not any(map(is_number, names)):
        return "if its numbers have decimal commas, write points, or semicolons between the values"
    return ""


def is_quoted(head: list[str], separator: str) -> bool:
    """Whether apostrophes enclose the cells if the lines are cut at this separator; see `find_quote`."""
    lines = [line for line in head if line.strip()]
    try:
        rows = [row for line in lines for row in reader([line], separator, quotechar="'", strict=True)]
    except csv.Error:  # a closing apostrophe is not at the end of a cell
        return False
    if len(rows) < 2 or len(rows[0]) < 2 or len(set(map(len, rows))) > 1:
        return False
    opened = [len(re.findall(rf"(?:^|{re.escape(separator)}) *'", line)) for line in lines]
    return opened[0] == len(rows[0]) or all(opened[1:])


def find_separator(head: list[str], name: str, quote: str) -> str:
    """The separator of a file, judged by its first lines. name: the file's name in lower case."""
    if name.endswith((".tsv", ".tab")) and any("\t" in line for line in head):
        return "\t"
    fits = {separator: fitness(head, separator, quote) for separator in [*SEPARATORS, " "]}
    best = max(SEPARATORS, key=fits.get)
    all_alike, *_ = fits[best]
    return best if all_alike or name.endswith(".csv") else max(best, " ", key=fits.get)


def reader(lines: Iterable[str], separator: str, **how: Any) -> Iterator[list[str]]:
    """`csv.reader`; if the separator is a blank, several of them in a row count as one."""
    if separator == " ":
        lines = (re.sub(r"[ \t]+", " ", line.strip()) + "\n" for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != " ", **how)


def numbered(
    lines: Iterable[str], name: str, separator: str, quote: str, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """(The line on which it begins, the row) for each row. skipped: the number of lines of the file before `lines`.

    Raises UserError if a quotation mark is not closed: csv.reader would silently make one cell of all lines up to the
    next quotation mark. It shows in a row of several lines in which a closing mark is not at the end of its cell.
    """
    taken: list[str] = []  # the lines of the current row
    end = skipped
    try:
        for row in reader(remembered(lines, taken), separator, quotechar=quote):
            if len(taken) > 1:
                list(reader(taken, separator, quotechar=quote, strict=True))
            yield end + 1, row
            end += len(taken)
            taken.clear()
    except csv.Error as error:
        if len(taken) < 2:
            raise
        mark = "a quotation mark" if quote == '"' else "an apostrophe, which quotes the cells above it,"
        raise UserError(
            f"{name}: {mark} in line {end + 1} is not closed within its cell, so that {len(taken):,} lines "
            "would become one row: close it, or double it if it belongs to the text."
        ) from error


def remembered(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """Yield the lines, and add each one to `taken` when it is read."""
    for line in lines:
        taken.append(line)
        yield line


def rows_of(head: list[str], separator: str, quote: str) -> list[list[str]]:
    """The rows of the first lines of a file."""
    rows = [row for row in reader(head, separator, quotechar=quote) if row]
    if len(head) > 18 and len(rows) > 1:
        rows.pop()  # the last row may go on below the first lines
    return rows


def fitness(head: list[str], separator: str, quote: str) -> tuple[bool, bool, int]:
    """How well a separator suits the first lines of a file, a key for `max`: whether all lines have the same number of
    values, and more than one; whether they do and all commas left are within numbers; the values in most lines."""
    rows = rows_of(head, separator, quote)
    lengths = Counter(map(len, rows))
    pieces = max(lengths, key=lengths.get, default=0)
    commas = [cell.strip() for row in rows for cell in row if "," in cell]
    in_numbers = bool(commas) and all(map(is_number, commas))
    one_length = len(lengths) == 1
    return one_length and pieces > 1, one_length and in_numbers, pieces
