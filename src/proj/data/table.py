"""Tables of text: columns of numbers are standardised, columns of words become one input a word."""

import math

import torch
from torch import Tensor

from proj.errors import UserError

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # in any case


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def number(text: str) -> float | None:
    """The finite number that a cell holds, NaN where it is missing, None where it holds something else."""
    try:
        value = float(text) if "_" not in text else math.inf  # Python takes 1_000
    except ValueError:
        value = math.inf
    return value if math.isfinite(value) else math.nan if is_missing(text) else None


def encode(rows: list[list[str]], columns: list[dict], first: int = 1) -> Tensor:
    """(B, F) float32 inputs of a network, from B rows of text whose cells are in the order of `columns`.

    columns: a checkpoint's `contents["columns"]`. {"name", "mean", "std"}: numbers, standardised; a missing one becomes
        the mean, 0. {"name", "categories"}: words, an input for each of them, 1 or 0; all 0 for a missing or other one.
    first: what messages call the first row.
    Raises UserError that names the row and the column of what is no number, or a row of another length.
    """
    for place, row in enumerate(rows, first):
        if len(row) != len(columns):
            names = ", ".join(column["name"] for column in columns)
            raise UserError(f"row {place} has {len(row)} values for {len(columns)} columns: {names}.")
    encoded = torch.zeros(len(rows), sum(len(column.get("categories", "1")) for column in columns))
    start = 0
    for index, column in enumerate(columns):
        texts = [row[index].strip() for row in rows]
        if "categories" in column:
            codes = {word: code for code, word in enumerate(column["categories"])}
            found = torch.tensor([codes.get(text, -1) for text in texts])
            end = start + len(codes)
            encoded[:, start:end] = found[:, None] == torch.arange(len(codes))
        else:
            numbers = [number(text) for text in texts]
            if None in numbers:
                place = numbers.index(None)
                raise UserError(
                    f"row {place + first}, column {column['name']}: {texts[place]!r} is no number; leave the cell "
                    "empty if it is not known."
                )
            end = start + 1
            standard = (torch.tensor(numbers, dtype=torch.float64) - column["mean"]) / column["std"]
            encoded[:, start] = standard.nan_to_num()
        start = end
    return encoded
