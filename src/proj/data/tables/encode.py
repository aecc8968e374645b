"""Encodes the rows of a table as inputs of a network."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from proj.data.tables.answers import answer_codes
from proj.data.tables.cells import examples_of
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.input_column import InputColumn
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import WholeColumn
from proj.data.tables.text_table import Table
from proj.data.tables.word_column import words_of


def encode_table(
    table: Table,
    columns: dict[int, InputColumn],
    rows: np.ndarray,
    decimal: str | None = None,
    notes: list[str] | None = None,
) -> Tensor:
    """(B, F) float32, the inputs of these B rows of a table, with the inputs of all columns side by side.

    columns: by their index in the table. rows: indices of rows. decimal: see `decimal_marks`, which may raise UserError
    and adds its remarks to `notes`, which only a table that is not the training's has.
    """
    numbers = {place: column for place, column in columns.items() if isinstance(column, NumberColumn)}
    if notes is not None:
        notes += spell_as_numbers(table, columns)
    found = decimal_marks(table, numbers, decimal, [] if notes is None else notes)
    marks, widths = MARKS.get(decimal, ".,"), [column.width for column in columns.values()]
    encoded = torch.zeros(len(rows), sum(widths))
    for (place, column), part in zip(columns.items(), encoded.split(widths, 1), strict=True):
        cells = table.columns[place].take(rows)
        part[:] = column.encode(cells, lambda at: table.line(rows[at]), found.get(place, "."), marks)
    return encoded


def spell_as_numbers(table: Table, columns: dict[int, InputColumn]) -> Iterator[str]:
    """If a column held only 0 and 1 in the training, which `NumberColumn.excess` tells, and this table has answers such
    as yes and no there, write these as 0 and 1. Yields a remark on each such column."""
    codes = answer_codes(("0", "1"))
    for place, column in columns.items():
        cells = table.columns[place]
        if not isinstance(column, NumberColumn) or cells.numbers is not None or not 0.999 < column.excess <= 1.5:
            continue
        words = {word: times for word, times in words_of(cells).items() if word in codes and word not in ("0", "1")}
        read = {code: Counter({word: words[word] for word in words if codes[word] == code}) for code in (1, 0)}
        if words:
            table.columns[place] = WholeColumn([f"{codes[cell]:g}" if cell in codes else cell for cell in cells])
            said = " and ".join(f"{examples_of(some)} as {code}" for code, some in read.items() if some)
            yield f"column {column.name}: answers are read as the training has them, {said}"
