"""Tables of text: columns of numbers are standardised, columns of words become one input a word."""

from collections import Counter

import torch
from torch import Tensor

from proj.data.csv_file import in_order, is_missing, number, with_decimal_points
from proj.errors import UserError


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


def encode_file(rows: list[list[str]], columns: list[dict], first: int) -> Tensor:
    """`encode` for rows of a file, whose numbers may have decimal commas; see `with_decimal_points`."""
    numeric = [place for place, column in enumerate(columns[: len(rows[0]) if rows else 0]) if "mean" in column]
    rows = with_decimal_points(rows, numeric, [column["name"] for column in columns], first)
    return encode(rows, columns, first)


def measure(name: str, texts: list[str], words: bool, most: int) -> dict:
    """A column as `encode` takes it, from its cells in the training part: numbers, if 95 % of the filled ones are.

    words: take numbers for words too. most: how many words become inputs, the most frequent; one that comes once tells
    nothing and becomes none.
    Raises UserError if all cells are empty.
    """
    filled = [text for text in texts if not is_missing(text)]
    if not filled:
        raise UserError(f"column {name} is empty in all training rows: leave it out with 'dataset.drop=[{name}]'.")
    numbers = [value for value in map(number, filled) if value is not None]
    if words or len(numbers) < 0.95 * len(filled):
        frequent = Counter(filled).most_common(most)
        return {"name": name, "categories": sorted((word for word, count in frequent if count > 1), key=in_order)}
    values = torch.tensor(numbers, dtype=torch.float64)
    std = float(values.std()) if len(set(numbers)) > 1 else 0.0  # of equal numbers rounding would leave a little
    return {"name": name, "mean": float(values.mean()), "std": std or 1.0}
