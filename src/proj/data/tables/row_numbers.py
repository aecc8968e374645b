"""Columns of numbers that are given out to the rows of a table, such as ids, and tell nothing."""

import re

import numpy as np

ID = re.compile(r"(\b|_)(id|uid|uuid|guid)(\b|_)|[a-z]I[dD]\b|[a-z]{4}id\b|^index$")
YEAR = re.compile(r"year|jahr|ann[eé]e|año", re.I)


def is_id(name: str, numbers: np.ndarray) -> str:
    """How numbers show that they are given out to the rows, and not measured; "" for others.

    They are whole, all different, and in "order", or "shuffled" and so close together that measured ones would agree;
    or the column's "name" says it and nearly all are different. Years, by their name, are none.
    """
    found = numbers[~np.isnan(numbers)]
    few = len(np.unique(found[:1000])) < 0.5 * min(len(found), 1000)  # which the most part of numbers shows at once
    if few or len(found) < max(3, 0.95 * len(numbers)) or (found % 1).any():
        return ""
    low, high, different = found.min(), found.max(), len(np.unique(found))
    named = "name" if ID.search(name) and different >= 0.9 * len(found) else ""
    if different < len(found) or (YEAR.search(name) and low >= 1500 and high <= 2100):
        return named
    steps = np.diff(found)
    if (steps > 0).all() or (steps < 0).all():
        return "order"
    close = high - low < max(1.6 * len(found), len(found) ** 2 / 20) and len(found) >= 10
    return named or ("shuffled" if close else "")
