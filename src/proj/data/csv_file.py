"""Files of comma-separated values: their rows of text, and what the cells hold."""

import csv
import math
import re
from collections import Counter
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

    The separator (comma, semicolon, tab or |) is the one that cuts the first lines into the most pieces, all alike,
    but no comma that is within numbers beside another separator.
    Raises UserError for what is no CSV file in UTF-8, for no row, and for a row of another length than the first.
    """
    lines, rows = iter(lines), []
    try:
        head = list(islice(lines, 20))
        separator = max(";,\t|", key=lambda separator: pieces(head, separator))
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
    return rows


def pieces(head: list[str], separator: str) -> tuple[bool, bool, list[int]]:
    """How well a separator suits the first lines of a file: whether it cuts all into as many pieces, whether the commas
    that it leaves are within numbers, and the number of pieces."""
    rows = [row for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if row]
    lengths = [len(row) for row in rows]
    commas = [cell.strip() for row in rows for cell in row if "," in cell]
    alike = len(set(lengths)) == 1 and lengths[0] > 1
    return alike, alike and bool(commas) and all(map(is_number, commas)), lengths[:1]


SHOWS = {  # by the decimal mark: numbers that can have no other, such as 0,5 or 1.234,5 or 1.234.567 for the comma
    mark: re.compile(
        rf"[-+]?(\d*[{mark}]\d+|\d{{1,3}}([{other}]\d{{3}})+([{mark}]\d+|[{other}]\d{{3}}))(e[-+]?\d+)?", re.I
    )
    for mark, other in (".,", ",.")
}
DOUBTFUL = re.compile(r"[-+]?[1-9]\d{0,2}([.,])\d{3}")  # with a decimal mark, or one between thousands


def shown(cell: str) -> str:
    """The decimal mark that a number shows beyond doubt, or ""."""
    return "" if DOUBTFUL.fullmatch(cell) else next((mark for mark in SHOWS if SHOWS[mark].fullmatch(cell)), "")


def is_number(cell: str) -> bool:
    """Whether a cell that is not missing holds a number, with whatever marks."""
    value = number(cell)
    return bool(DOUBTFUL.fullmatch(cell) or shown(cell)) if value is None else not math.isnan(value)


def is_numeric(cells: Iterable[str]) -> bool:
    """Whether 95 % of the cells that are not missing hold numbers."""
    filled = [is_number(cell) for cell in cells if not is_missing(cell)]
    return sum(filled) >= 0.95 * len(filled)


def with_decimal_points(
    rows: list[list[str]], places: Iterable[int], names: list[str], first: int = 1
) -> list[list[str]]:
    """The rows with the numbers of some columns as Python reads them, whatever their decimal mark.

    places: of columns that hold numbers. names: of all columns. first: what messages call the first row.
    1,234 is what the other numbers of its column show it to be, or where they show nothing, those of all columns.
    Raises UserError where these leave it open, as they do beside 999, which may have no mark because it is small, and
    for 1.234 in a file of decimal commas.
    """
    columns = {place: [row[place] for row in rows] for place in places}
    if not any("," in cell for column in columns.values() for cell in column):
        return rows
    marks = {place: set(map(shown, column)) - {""} for place, column in columns.items()}
    everywhere = set().union(*marks.values())
    rows = [[*row] for row in rows]
    for place, column in columns.items():
        own, unmarked = marks[place], any(re.fullmatch(r"[-+]?\d+", cell) for cell in column)
        for row, cell in enumerate(column):
            decimal = shown(cell)
            if doubtful := DOUBTFUL.fullmatch(cell):
                known = own or (everywhere if doubtful[1] == "," or "," in everywhere else {"."})
                if len(known) != 1 or (not own and known == {","} and (unmarked or doubtful[1] == ".")):
                    raise UserError(
                        f"row {row + first}, column {names[place]}: {cell!r} can be {cell.replace(',', '.')} or "
                        f"{re.sub('[.,]', '', cell)}; write numbers with a decimal point, and thousands without a mark."
                    )
                (decimal,) = known
            if decimal:
                rows[row][place] = cell.replace("." if decimal == "," else ",", "").replace(decimal, ".")
    return rows


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it holds no number, and nothing that comes again in its column."""
    if any(map(is_number, rows[0])):
        return False
    return not any(cell and cell in {row[place] for row in rows[1:1000]} for place, cell in enumerate(rows[0]))


def named(header: list[str], file: str) -> list[str]:
    """A header's names, `column 3` for an empty one. Raises UserError where two are the same."""
    names = [name or f"column {place}" for place, name in enumerate(header)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{file} has two columns {twice[0]!r}: give each a name of its own.")
    return names


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
