"""Columns that say the class itself, as a code of it does: a model of them is perfect, and of no use."""

import numpy as np
from torch import Tensor

from proj.config.words import typed
from proj.data.table_parts import marks_of
from proj.data.tables.cells import is_missing
from proj.data.tables.column_list import wrapped
from proj.data.tables.columns import EVIDENCE
from proj.data.tables.encode import kind_of, width
from proj.data.tables.text_table import Table
from proj.errors import agree

FIRST = 1000  # rows, which tell of most columns that they are none


def describe_copied_class(
    table: Table, columns: dict[int, dict], target: int, dropped: list[int], rows: np.ndarray, x: Tensor, y: np.ndarray
) -> list[str]:
    """A line on the columns of which each class has a value of its own, some cells may be missing.

    Ids are none, since the rows of a class have several, nor is a column that tells all classes but for one row. Of a
    few rows a column may do so by chance.
    columns: by their places, as `target` and `dropped` are. rows: the examples, of which x (N, F) are the inputs
    and y (N,) the classes.
    """
    if len(y) < EVIDENCE:
        return []
    found = []
    for (place, column), inputs in zip(columns.items(), x.split([*map(width, columns.values())], 1), strict=True):
        cells = table.columns[place].take(rows)
        for size in (min(FIRST, len(y)), len(y)):
            if kind_of(column) == "words":  # the rare ones of which have no input
                values, known = cells.codes[:size], ~cells.each(is_missing, bool)[:size]
            else:
                values, known = marks_of(inputs[:size]).numpy(), inputs[:size].any(1).numpy()
            if not tell_each_other(values, known, y[:size]):
                break
        else:
            found.append(table.names[place])
    if not found:
        return []
    how = typed("dataset.drop", *found, *(table.names[place] for place in dropped), listed=True)
    tells, it = agree(len(found), "tells", "tell"), agree(len(found), "it is", "they are")
    said = f"{', '.join(found)} {tells} {table.names[target]} without a mistake, one value a class"
    them = agree(len(found), "it", "them")
    return [wrapped(f"{said}: if {it} the class in other words, {how} leaves {them} out")]


def tell_each_other(values: np.ndarray, known: np.ndarray, classes: np.ndarray) -> bool:
    """Whether each class has one value, which no other class has: of all rows, a missing cell being a value like the
    others, or of those that are known, if they are at least half and of all classes."""

    def numbers(one: np.ndarray) -> np.ndarray:
        return np.unique(one, return_inverse=True)[1]

    def in_pairs(values: np.ndarray, classes: np.ndarray) -> bool:
        values, classes = numbers(values), numbers(classes)
        pairs = len(np.unique(values * (classes.max() + 1) + classes))
        return pairs == values.max() + 1 == classes.max() + 1

    if in_pairs(values, classes):
        return True
    of_all = known.mean() >= 0.5 and len(np.unique(classes[known])) == len(np.unique(classes))
    return of_all and in_pairs(values[known], classes[known])
