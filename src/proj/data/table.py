"""Tables of text: columns of numbers are standardised, columns of words become one input a word."""

import re
from collections import Counter
from collections.abc import Sequence
from textwrap import shorten

import numpy as np
import torch
from torch import Tensor

from proj.config.words import typed
from proj.data.cells import Count, Look, decimal_mark, in_order, is_missing, look, number, values
from proj.data.csv_file import Table
from proj.data.one_column import Column
from proj.errors import UserError

MARKS = {"point": ".", "comma": ","}  # by the words of dataset.decimal


def encode_column(cells: Column, column: dict, lines: Sequence[int], decimal: str, marks: str = ".,") -> Tensor:
    """(B, F) float32 inputs of a network from the B cells of a column. decimal, marks, lines: see `values`.

    column: one of a checkpoint's `contents["columns"]`. {"name", "mean", "std"}: numbers, standardised; a missing one
        becomes the mean, 0. {"name", "categories"}: words, an input for each of them, 1 or 0; all 0 for a missing or
        other one. A column of numbers may also have "unit", such as %, "lenient", see `values`, and "decimal", see
        `decimals`.
    """
    if "categories" in column:
        found = torch.from_numpy(cells.among(column["categories"]))
        known = found >= 0
        encoded = torch.zeros(len(cells), len(column["categories"]))
        encoded[known.nonzero().flatten(), found[known]] = 1
        return encoded
    how = (decimal, marks, column.get("unit", ""), column.get("lenient", False))
    read = torch.from_numpy(values(column["name"], cells, lines, *how))
    return ((read - column["mean"]) / column["std"]).nan_to_num()[:, None].float()


def encode_table(
    table: Table,
    places: list[int],
    columns: list[dict],
    decimal: str | None = None,
    notes: list[str] | None = None,
    rows: np.ndarray | None = None,
) -> Tensor:
    """`encode_column` for all columns of a table, beside each other.

    places: of `columns` in the table. decimal: see `decimals`, which also says what else is refused, and gives `notes`.
    rows: those to encode, in their order; None for all.
    """
    rows = np.arange(len(table.lines)) if rows is None else rows
    numbers = {place: column for place, column in zip(places, columns, strict=True) if "mean" in column}
    found = decimals(table, numbers, decimal, [] if notes is None else notes)
    lines = table.lines_of(rows)
    encoded = torch.zeros(len(rows), sum(len(column.get("categories", "1")) for column in columns))
    start = 0
    for place, column in zip(places, columns, strict=True):
        cells, marks = table.column(place).take(rows), MARKS.get(decimal, ".,")
        part = encode_column(cells, column, lines, found.get(place, "."), marks)
        encoded[:, start : start + part.shape[1]] = part
        start += part.shape[1]
    return encoded


def decimals(table: Table, columns: dict[int, dict], decimal: str | None, notes: list[str]) -> dict[int, str]:
    """The decimal mark of each column, for its numbers in doubt, such as 1,234.

    columns: those of numbers, by their places; "decimal" in one is what it was in the training.
    decimal: "point" or "comma" where the user says it. Else the file's other numbers tell, as `decimal_mark` explains,
    and what can be doubted is added to `notes`.
    Raises UserError where they leave it open.
    """
    marks = dict.fromkeys(columns, MARKS.get(decimal, "."))
    open_ones = [place for place in columns if has_marks(table, place)]
    if decimal or not open_ones:
        return marks
    seen: dict[int, Look] = {place: look(table.column(place)) for place in open_ones}
    points = {"."} if any(table.column(place).mark == "." for place in columns.keys() - seen) else set()
    everywhere = points.union(*(one.marks for one in seen.values()))
    for place, one in seen.items():
        name, known = columns[place]["name"], columns[place].get("decimal", "")

        def refuse(row: int, place: int = place, name: str = name) -> None:
            cell = table.column(place).at(row)
            point, whole = re.sub("[.,]", ".", cell), re.sub("[.,]", "", cell)
            line = table.lines_of([row])[0]
            raise UserError(
                f"row {line}, column {name}: {cell!r} can be {point} or {whole}; write numbers with a "
                f"decimal point, and thousands without a mark ({point}0 or {whole}), or train with "
                "dataset.decimal=point or dataset.decimal=comma."
            )

        marks[place] = decimal_mark(one, everywhere, known, refuse)
        why = "as in the training" if known else "as the other columns have it"
        if not known and marks[place] == "." and "," not in one.doubtful:
            why = "which dataset.decimal=comma changes" if one.whole and not everywhere else ""
        if one.doubtful and not one.marks and why:
            cell = table.column(place).at(min(one.doubtful.values()))
            notes.append(f"{cell} in column {name} is read as {number(cell).value(marks[place]):g}, {why}")
    return marks


def has_marks(table: Table, place: int) -> bool:
    """Whether a column has commas, or points alone that can all be between thousands."""
    column = table.column(place)
    return any("," in text for text in column.texts) or (column.mark == "." and not column.is_sure)


def measure_words(name: str, cells: Column, most: int) -> dict:
    """A column of words as `encode_column` takes it, from its cells in the training part.

    most: how many words become inputs, the most frequent; one that comes once tells nothing and becomes none.
    """
    times = Counter({cell: times for cell, times, _ in cells.different() if not is_missing(cell)})
    frequent = times.most_common(most)
    return {"name": name, "categories": sorted((word for word, count in frequent if count > 1), key=in_order)}


def measure_numbers(name: str, numbers: np.ndarray) -> dict:
    """A column of numbers as `encode_column` takes it, from those in the training part, NaN for a missing one.

    The mean and the deviation are float64, and so are the numbers that they standardise: float32 would take the
    milliseconds since 1970 for the same within two minutes.
    """
    found = torch.from_numpy(numbers[~np.isnan(numbers)])
    std = (
        float(found.std()) if len(found) and bool((found != found[0]).any()) else 0.0
    )  # of equal numbers rounding would leave a little
    return {"name": name, "mean": float(found.mean()), "std": std or 1.0}


def remarks(name: str, seen: Count, is_numeric: bool, kind: str) -> list[str]:
    """What is to be said of a column whose cells are in part numbers: what it is taken for, and what changes that.

    kind: what the settings say it is, or "".
    """
    words = [word for word, _ in (seen.missing + seen.words).most_common(3)]
    such = ", ".join(f"{shorten(word, 20, placeholder='…')!r}" for word in words)
    share = seen.numbers / (seen.numbers + seen.words.total() + seen.missing.total())
    if is_numeric and seen.missing + (seen.words if kind else Counter()):
        how = f": {typed('dataset.categorical', name, listed=True)} takes all for words" if not kind else ""
        return [f"{name}: numbers, and {1 - share:.0%} are taken for missing ones ({such}){how}"]
    if not is_numeric and not kind and share >= 0.2:
        how = typed("dataset.numeric", name, listed=True)
        return [f"{name}: words, though {share:.0%} are numbers, others not ({such}): {how} takes it for numbers"]
    return []
