"""Writes, reads and encodes small tables."""

import csv
from pathlib import Path

import torch

from proj.data.tables.column_kinds import column_from
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import WholeColumn


def write_rows(file: Path, rows, separator: str = ",") -> Path:
    with open(file, "w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, delimiter=separator).writerows(rows)
    return file


def read_rows(file: Path) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def encode(rows: list[list[str]], columns: list) -> torch.Tensor:
    """(B, F): the inputs for rows of cells, which are in the order of `columns` and have decimal points. columns: as a
    datamodule has them, or as a checkpoint stores them."""
    cells = [WholeColumn([row[place] for row in rows]) for place in range(len(columns))]
    pairs = zip(cells, map(column_from, columns), strict=True)
    return torch.cat([column.encode(given, str, ".", ".") for given, column in pairs], 1)


def numbers(*names: str, **more) -> list[NumberColumn]:
    """Columns of numbers, which become inputs as they are."""
    return [NumberColumn(name, 0.0, 1.0, **more) for name in names]
