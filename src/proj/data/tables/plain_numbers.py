"""Reads numbers as Python writes them: of a cell, and of many at once."""

import re

import numpy as np

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # in any case, also in a column of words
SPELLED = {word: "nan" for each in MISSING for word in (each, each.upper(), each.title(), "NaN")}  # most of them


def plain_number(cell: str) -> float | None:
    """The finite number that Python reads in a cell; None for another cell."""
    try:
        value = float(cell) if "_" not in cell else np.inf  # Python takes 1_000
    except ValueError:
        return None
    return value if abs(value) < 3e38 else None  # within float32


def plain_numbers(text: str) -> np.ndarray | None:
    """The numbers that Python reads in cells that zero bytes separate, NaN for a missing one; None where one of them is
    another cell, or is not finite as float32."""
    cells = text.split("\0")
    try:
        read = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        try:
            read = np.fromiter(map(float, map(SPELLED.get, cells, cells)), np.float64, len(cells))
        except ValueError:
            return None
    missing = np.isnan(read)
    fine = ((abs(read) < 3e38) | missing).all() and "_" not in text  # Python takes 1_000
    return read if fine and not (missing.any() and re.search("[-+]nan", text, re.I)) else None
