"""Writes, reads and encodes small tables."""

import csv
from pathlib import Path

import torch

from proj.data.tables.encode import encode_column
from proj.data.tables.one_column import WholeColumn


def write_rows(file: Path, rows, separator: str = ",") -> Path:
    with open(file, "w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, delimiter=separator).writerows(rows)
    return file


def read_rows(file: Path) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def encode(rows: list[list[str]], columns: list[dict]) -> torch.Tensor:
    """(B, F): the inputs for rows of cells, which are in the order of `columns` and have decimal points."""
    cells = [WholeColumn([row[place] for row in rows]) for place in range(len(columns))]
    return torch.cat([encode_column(*pair, str, ".", ".") for pair in zip(cells, columns, strict=True)], 1)


def numbers(*names: str, **more) -> list[dict]:
    """The descriptions of columns of numbers, which become inputs as they are."""
    return [{"name": name, "mean": 0.0, "std": 1.0, **more} for name in names]
