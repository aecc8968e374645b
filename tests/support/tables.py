"""Tables as the tests make them."""

import torch

from proj.data.one_column import Column
from proj.data.table import encode_column


def encode(rows: list[list[str]], columns: list[dict]) -> torch.Tensor:
    """(B, F) inputs of rows of cells that are in the order of the columns, with decimal points."""
    cells = [Column([row[place] for row in rows]) for place in range(len(columns))]
    lines = range(1, len(rows) + 1)
    return torch.cat([encode_column(*pair, lines, ".", ".") for pair in zip(cells, columns, strict=True)], 1)
