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
    """A line on the columns of each kind of `how_it_tells`: those of which each class has a value or a range;
    those that are filled in for some classes and never for the others, such as a cause of death; and those that tell
    all classes together, as one-hot codes do.

    Ids are none, since the rows of a class have several, nor is a column that tells all classes but for one row. Of a
    few rows a column may do so by chance.
    columns: by their places, as `target` and `dropped` are. rows: the examples, of which x (N, F) are the inputs
    and y (N,) the classes.
    """
    if len(y) < EVIDENCE:
        return []
    found: dict[str, dict[str, np.ndarray | None]] = {"value": {}, "range": {}, "filled": {}, "code": {}}
    everywhere = np.arange(len(y))
    some = everywhere[:: max(1, len(y) // SAMPLE)]
    for (place, column), inputs in zip(columns.items(), x.split([*map(width, columns.values())], 1), strict=True):
        cells, kind = table.columns[place].take(rows), kind_of(column)
        for chosen in (some, everywhere):
            if cells.numbers is None:
                known = ~cells.take(chosen).each(is_missing, bool)
            else:  # to ask for the words of numbers would take longer than to read the file
                known = ~np.isnan(cells.numbers[chosen])
            # Of words, the rare ones have no input.
            values = cells.codes[chosen] if kind == "words" else marks_of(inputs[chosen]).numpy()
            numbers = inputs[chosen, 0].numpy() if kind == "numbers" else None
            how, told = how_it_tells(values, numbers, known, y[chosen])
            if not how:
                break
        else:
            found[how][table.names[place]] = told
    others, lines, the_class = [table.names[place] for place in dropped], [], table.names[target]
    if names := [*found["value"]]:
        says, it = agree(len(names), "tells", "tell"), agree(len(names), "it is", "they are")
        why = f"{says} {the_class} without a mistake, one value a class: if {it} the class in other words"
        lines.append(advice(names, why, others))
    if names := [*found["range"]]:
        says = agree(len(names), "tells", "tell")
        why = f"{says} {the_class} without a mistake, a range a class: if one was made from the other"
        lines.append(advice(names, why, others))
    if names := [*found["filled"]]:
        has, it = agree(len(names), "has", "have"), agree(len(names), "it comes", "they come")
        why = f"{has} values in all rows of some classes and in none of the others: if {it} once the class is known"
        lines.append(advice(names, why, others))
    if names := one_hot_code(found["code"], y):
        why = f"together tell {the_class} without a mistake: if they are its one-hot code"
        lines.append(advice(names, why, others))
    return lines


def advice(names: list[str], why: str, others: list[str]) -> str:
    """The line on columns. others: those that are left out already."""
    how, them = typed("dataset.drop", *names, *others, listed=True), agree(len(names), "it", "them")
    return wrapped(f"{', '.join(names)} {why}, {how} leaves {them} out")


def how_it_tells(
    values: np.ndarray, numbers: np.ndarray | None, known: np.ndarray, classes: np.ndarray
) -> tuple[str, np.ndarray | None]:
    """How a column tells classes (N,): by a "value" or a "range" a class; because it is "filled" in for some of them;
    or as a part of a "code", then with the rows that it tells, see `rows_told`. "" where it does not.

    A missing cell is a value like the others, or none, if at least half of the cells are known, and some of each class.
    values: (N,) a code of each cell. numbers: (N,) in a column of numbers. known: (N,) whether there is a value.
    """
    of_all = known.mean() >= 0.5 and len(np.unique(classes[known])) == len(np.unique(classes))
    if tell_each_other(values, classes) or (of_all and tell_each_other(values[known], classes[known])):
        return "value", None
    if numbers is not None and of_all and in_ranges(numbers[known], classes[known]):
        return "range", None
    if known_by_class(known, classes):
        return "filled", None
    told = rows_told(values, classes)
    return "" if told is None else "code", told


def in_ranges(numbers: np.ndarray, classes: np.ndarray) -> bool:
    """Whether the numbers of each class lie beside those of the others, as points do for marks."""
    order = numbers.argsort(kind="stable")
    ends = np.flatnonzero(np.diff(classes[order]))  # where another class begins
    return len(ends) == len(np.unique(classes)) - 1 and bool((np.diff(numbers[order])[ends] > 0).all())


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


def tell_each_other(values: np.ndarray, classes: np.ndarray) -> bool:
    """Whether each class has one value, which no other class has."""
    pairs = {*zip(values.tolist(), classes.tolist(), strict=True)}
    return len(pairs) == len(np.unique(values)) == len(np.unique(classes))
