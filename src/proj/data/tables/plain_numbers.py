"""Parses numbers that Python's float() accepts: of one cell, or of many at once."""

import re

import numpy as np

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # a missing value in any kind of column, in any case
SPELLED = {word: "nan" for each in MISSING for word in (each, each.upper(), each.title(), "NaN")}  # the usual spellings


def plain_number(cell: str) -> float | None:
    """The number in a cell, if float() accepts it and it is finite in float32; else None."""
    try:
        value = float(cell) if "_" not in cell else np.inf  # float() accepts 1_000, which is rather a name
    except ValueError:
        return None
    return value if abs(value) < 3e38 else None  # the range of float32


def plain_numbers(text: str) -> np.ndarray | None:
    """(N,) float64, the numbers in cells that are joined by zero bytes, NaN for a missing one. None if any other cell
    has no `plain_number`."""
    cells = text.split("\0")
    try:
        read = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        try:
            read = np.fromiter(map(float, map(SPELLED.get, cells, cells)), np.float64, len(cells))
        except ValueError:
            return None
    missing = np.isnan(read)
    fine = ((abs(read) < 3e38) | missing).all() and "_" not in text  # see `plain_number`
    signed_nan = missing.any() and re.search("[-+]nan", text, re.I)  # float() accepts it, MISSING does not
    return read if fine and not signed_nan else None
