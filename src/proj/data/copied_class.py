"""Columns that say the class itself, as its code does, or are known once it is: a model of them is of no use."""

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

SAMPLE = 1000  # rows, which tell of most columns that they are none


def describe_copied_class(
    table: Table, columns: dict[int, dict], target: int, dropped: list[int], rows: np.ndarray, x: Tensor, y: np.ndarray
) -> list[str]:
    """A line on the columns of which each class has a value of its own, some cells may be missing; one on those that
    are filled in for some classes and never for the others, such as a cause of death; and one on columns that tell all
    classes together, as one-hot codes do.

    Ids are none, since the rows of a class have several, nor is a column that tells all classes but for one row. Of a
    few rows a column may do so by chance.
    columns: by their places, as `target` and `dropped` are. rows: the examples, of which x (N, F) are the inputs
    and y (N,) the classes.
    """
    if len(y) < EVIDENCE:
        return []
    telling, filled_in, told_by = [], [], {}
    everywhere = np.arange(len(y))
    some = everywhere[:: max(1, len(y) // SAMPLE)]
    for (place, column), inputs in zip(columns.items(), x.split([*map(width, columns.values())], 1), strict=True):
        cells = table.columns[place].take(rows)
        for chosen in (some, everywhere):
            if cells.numbers is None:
                known = ~cells.take(chosen).each(is_missing, bool)
            else:  # to ask for the words of numbers would take longer than to read the file
                known = ~np.isnan(cells.numbers[chosen])
            of_words = kind_of(column) == "words"  # the rare ones of which have no input
            values = cells.codes[chosen] if of_words else marks_of(inputs[chosen]).numpy()
            tells, in_full = tell_each_other(values, known, y[chosen]), known_by_class(known, y[chosen])
            told = rows_told(values, y[chosen])
            if not (tells or in_full or told is not None):
                break
        else:
            if tells or in_full:
                (telling if tells else filled_in).append(table.names[place])
            else:
                told_by[table.names[place]] = told
    others = [table.names[place] for place in dropped]
    lines = []
    if telling:
        says, it = agree(len(telling), "tells", "tell"), agree(len(telling), "it is", "they are")
        why = f"{says} {table.names[target]} without a mistake, one value a class: if {it} the class in other words"
        lines.append(advice(telling, why, others))
    if filled_in:
        has, it = agree(len(filled_in), "has", "have"), agree(len(filled_in), "it comes", "they come")
        why = f"{has} values in all rows of some classes and in none of the others: if {it} once the class is known"
        lines.append(advice(filled_in, why, others))
    if code := one_hot_code(told_by, y):
        why = f"together tell {table.names[target]} without a mistake: if they are its one-hot code"
        lines.append(advice(code, why, others))
    return lines


def advice(names: list[str], why: str, others: list[str]) -> str:
    """The line on columns. others: those that are left out already."""
    how, them = typed("dataset.drop", *names, *others, listed=True), agree(len(names), "it", "them")
    return wrapped(f"{', '.join(names)} {why}, {how} leaves {them} out")


def known_by_class(known: np.ndarray, classes: np.ndarray) -> bool:
    """Whether the rows of each class are all known, or all missing, and there are both. known: (N,) bool."""
    return not np.intersect1d(classes[known], classes[~known]).size and 0 < known.sum() < len(known)


def rows_told(values: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """(N,) bool: the rows of one of two values, where all of these are of one class; None where there is none."""
    different = np.unique(values)
    sides = [values == value for value in different[:2]] if len(different) == 2 else []
    return next((side for side in sides if len(np.unique(classes[side])) == 1), None)


def one_hot_code(told: dict[str, np.ndarray], classes: np.ndarray) -> list[str]:
    """The columns that together tell all classes but at most one, which follows from the others; [] where none do.

    A class is told by one column, or by several which have none of its rows in common: those of the other classes, once
    one of them has become the target, is_setosa beside is_versicolor and is_virginica.
    told: the rows that each column tells, see `rows_told`.
    """
    left, code = np.ones(len(classes), bool), set()
    for name, rows in sorted(told.items(), key=lambda one: -one[1].sum()):
        if left[rows].all():
            left &= ~rows
            code.add(name)
    whole = np.setdiff1d(classes, classes[left])
    if len(whole) < len(np.unique(classes)) - 1:
        return []
    return [name for name, rows in told.items() if name in code and classes[rows][0] in whole]


def tell_each_other(values: np.ndarray, known: np.ndarray, classes: np.ndarray) -> bool:
    """Whether each class has one value, which no other class has: of all rows, a missing cell being a value like the
    others, or of those that are known, if they are at least half and of all classes."""

    def in_pairs(values: np.ndarray, classes: np.ndarray) -> bool:
        pairs = {*zip(values.tolist(), classes.tolist(), strict=True)}
        return len(pairs) == len(np.unique(values)) == len(np.unique(classes))

    if in_pairs(values, classes):
        return True
    of_all = known.mean() >= 0.5 and len(np.unique(classes[known])) == len(np.unique(classes))
    return of_all and in_pairs(values[known], classes[known])
