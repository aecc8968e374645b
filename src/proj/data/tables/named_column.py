"""Looks up the column of a table that a setting names, and the columns that a model needs, by their names."""

import re
from collections import Counter
from unicodedata import normalize

from proj.config.quoting import typed
from proj.data.tables.plain_numbers import plain_number
from proj.data.tables.text_table import Table
from proj.errors import UserError, nearest
from proj.system.names import plain_name

SPREADSHEET = re.compile(r"\.(xls[xmb]?|ods|parquet)", re.I)


def find_column(table: Table, setting: str, key: str | int | float | None) -> int:
    """The index of the column that `key`, the value of a `setting` such as "target", names by its name or its place.
    Raises UserError if there is no such column, or if the key fits two."""
    names, setting, listed = table.names, f"dataset.{setting}", setting not in ("target", "group", "order", "split")
    if key in names:
        return names.index(key)
    key = f"[{', '.join(map(str, key))}]" if isinstance(key, list) else key  # a name that Hydra takes for a list
    composed = [normalize("NFC", name) for name in names]  # a keyboard types é as one character, macOS may store two
    if isinstance(key, str) and composed.count(normalize("NFC", key)) == 1:
        return composed.index(normalize("NFC", key))
    if key is None and not listed:
        called_null = [f" {typed(setting, name)} is the column {name}." for name in names if name.lower() == "null"]
        raise UserError(f"{setting} names no column yet." + "".join(called_null or nearest("", names)))
    if not isinstance(key, str):
        named = named_like(key, names)
        at = [key % len(names)] if type(key) is int and -len(names) <= key < len(names) else []
        places = list(dict.fromkeys(named + at))
        if len(places) == 1:
            return places[0]
        if named:
            words = " or ".join(typed(setting, names[place], listed=listed) for place in places)
            raise UserError(f"{setting}={key} can be a column's name or its place: use {words}.")
    with_commas = [name for name in names if str(key) in (part.strip() for part in name.split(","))]
    if len(names) > 1 and with_commas:
        how = f". Type {typed(setting, with_commas[0], listed=listed)}."
    else:
        how = why_absent(table, key, f".{nearest(str(key), names)}")
    raise UserError(f"{setting}={key} is no column of {table.file}{how}")


def named_like(key: int | float | bool | None, names: list[str]) -> list[int]:
    """The indices of the columns whose name, typed as a setting, Hydra reads as this number, boolean or null."""
    alike = [place for place, name in enumerate(names) if name.lower() == ("null" if key is None else str(key).lower())]
    if alike or isinstance(key, bool) or key is None:
        return alike
    return [place for place, name in enumerate(names) if plain_number(name) == key]


def where_it_stands(table: Table, key: str | int | float | None) -> str:
    """The end of a message on a missing column: the line that holds its name and so may be the header, or that the
    table has one column because no separator was found; "" if neither is the case."""
    for row, line in enumerate(table.lines[:20]):
        cells = {part.strip(' "') for column in table.columns for part in re.split(r"[,;\t|]", column.at(row))}
        if key in cells and not table.headed and row == len(table.above) - 1:
            return " It is in the first row: leave dataset.header=false out."
        if key in cells:
            turn = "; if it names a row, swap rows and columns" if table.columns[0].at(row) == key else ""
            return f" It is in line {line}: if that is the header, delete the lines above it{turn}."
    if len(table.names) == 1 and not any("sheet=" in note for note in table.notes):
        return f" Its one column is {table.names[0]!r}: {how_to_separate(table)}."
    return ""


def how_to_separate(table: Table) -> str:
    """What gives a table of one column further ones, as part of a sentence."""
    if re.search(r"[,;|]", table.names[0]):
        return "remove the quotation marks around whole lines"
    if SPREADSHEET.search(table.file):
        return "write the columns to learn from beside it"
    has_blanks = " " in table.first[0] and re.search(r"\.csv\b", table.file, re.I)
    rename = "name the file .txt in place of .csv if blanks separate its values, else " if has_blanks else ""
    return f"{rename}separate values by commas, semicolons, tabs or |"


def why_absent(table: Table, key: str | int | float | None, otherwise: str) -> str:
    """The end of a message on a missing column: `where_it_stands`, or `otherwise` if that is "", followed by the sheets
    of a workbook that are not read."""
    sheets = "".join(f" {note}." for note in table.notes if "sheet=" in note)
    return (f".{stands}" if (stands := where_it_stands(table, key)) else otherwise) + sheets


def bare_name(name: str) -> str:
    """A name without case, spaces, underscores, dots, parentheses and a final "cm", and with accents stored in one way:
    `sepal_length`, `sepal length (cm)` and `SepalLengthCm` are all sepallength."""
    return re.sub(r"[\s.()]|cm\)?$", "", plain_name(name))  # in which underscores are spaces


def find_columns(names: list[str], header: list[str]) -> list[int | None]:
    """The index in a header of each column that a model needs, found by its name, or by its `bare_name` if that is
    unique; None for a column that is not there."""
    places, wanted = {name: place for place, name in enumerate(header)}, Counter(map(bare_name, names))
    others = {name: bare_name(name) for name in places.keys() - {*names}}
    given = Counter(others.values())
    alike = {word: places[name] for name, word in others.items() if word and given[word] == wanted[word] == 1}
    return [places.get(name, alike.get(bare_name(name))) for name in names]
