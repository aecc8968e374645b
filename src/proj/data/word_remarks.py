"""Remarks on the words of a table: on those of its columns, and on the names of its classes."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from proj.data.class_names import describe_alike, describe_lists
from proj.data.part_names import describe_part_words
from proj.data.tables.cells import is_no_number
from proj.data.tables.input_column import InputColumn
from proj.data.tables.row_numbers import CODE, SKIPPED
from proj.data.tables.word_column import WordColumn
from proj.wording import how_many


def describe_words(columns: Sequence[InputColumn]) -> list[str]:
    """Remarks on the words of columns that differ only in spelling, or that name parts, such as train and test."""
    notes = list[str]()
    for column in columns:
        if isinstance(column, WordColumn):
            notes += describe_alike(f"{column.name}: words", column.categories)
            notes += describe_part_words(column.name, column.categories, "it is an input like any other")
    return notes


def describe_classes(names: list[str]) -> list[str]:
    """Remarks on classes that may be missing values, such as NA, and on those that look like lists of others."""
    words = [name for name in names if is_no_number(name)] or missing_codes(names)
    what = f"taken as class names: {', '.join(words)}; leave the cell empty if a row's class is unknown"
    return [*([what] if words else []), *describe_lists(names)]


def describe_groups(key: str | int, groups: np.ndarray) -> list[str]:
    """Remarks on groups that differ only in spelling, and on those that may be missing values, such as "unknown".
    groups: of the rows, from the column `key`."""
    times = Counter(groups.tolist())
    notes = [
        f"groups of {key}: {name} is one group of {how_many(count, 'row')}: if theirs are unknown, give each its own"
        for name, count in times.items()
        if is_no_number(name) and count > 1
    ]
    return [*describe_alike(f"groups of {key}", sorted(times)), *notes]


def missing_codes(names: list[str]) -> list[str]:
    """Those classes that seem to mark missing values, such as -9 beside 1 and 2, or 99 beside 0 and 1: codes that are
    far from two or more other whole numbers. names: of the classes."""
    if not all(re.fullmatch(r"-?\d{1,9}", name) for name in names):
        return []
    others = [int(name) for name in names if not CODE.fullmatch(name)]
    codes = [name for name in names if CODE.fullmatch(name)]
    return [name for name in codes if len(others) > 1 and min(abs(int(name) - other) for other in others) >= SKIPPED]
