"""Files of comma-separated values: their rows of text, and what the cells hold."""

import csv
import math
import re
from collections.abc import Iterable
from itertools import chain, islice

from proj.errors import UserError

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # in any case


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def number(text: str) -> float | None:
    """The number that a cell holds, within float32, NaN where it is missing, None where it holds something else."""
    try:
        value = float(text) if "_" not in text else math.inf  # Python takes 1_000
    except ValueError:
        value = math.inf
    return value if abs(value) < 3e38 else math.nan if is_missing(text) else None


def in_order(word: str) -> tuple:
    """Sorts numbers by their value, before words."""
    value = number(word)
    return (True, 0, word) if value is None or math.isnan(value) else (False, value, word)


def read_table(lines: Iterable[str], name: str) -> list[list[str]]:
    """The rows of a CSV file's lines, blank ones left out, the header among them if there is one.

    The separator (comma, semicolon, tab or |) is the one that cuts the first lines into the most pieces, all alike;
    beside semicolons a number may have a decimal comma.
    Raises UserError for what is no CSV file in UTF-8, for no row, and for a row of another length than the first.
    """

    def pieces(separator: str) -> tuple[bool, list[int]]:
        lengths = [len(row) for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if row]
        return len(set(lengths)) == 1 and lengths[0] > 1, lengths[:1]

    lines, rows = iter(lines), []
    try:
        head = list(islice(lines, 20))
        separator = max(";,\t|", key=pieces)
        reader = csv.reader(chain(head, lines), delimiter=separator, skipinitialspace=True)
        for row in reader:
            row = [cell.strip() for cell in row]
            if any(row):
                rows.append(row)
                if len(row) != len(rows[0]):
                    lengths = f"{len(row)} in line {reader.line_num}, {len(rows[0])} in the first"
                    raise UserError(f"{name} has rows of different numbers of values: {lengths}.")
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{name} is no CSV file in UTF-8 ({error}): save the table as one.") from error
    if not rows:
        raise UserError(f"{name} is empty.")
    if separator == ";":
        rows = [[re.sub(r"^([-+]?\d+),(\d+)$", r"\1.\2", cell) for cell in row] for row in rows]
    return rows


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it holds no number, and nothing that comes again in its column."""
    if any(number(cell) is not None and not is_missing(cell) for cell in rows[0]):
        return False
    return not any(cell and cell in {row[place] for row in rows[1:1000]} for place, cell in enumerate(rows[0]))
