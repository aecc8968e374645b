"""Columns that say the class itself, as its code does, or are known once it is: a model of them is of no use."""

import re
from collections import Counter

import numpy as np
from torch import Tensor

from proj.config.words import typed
from proj.data.table_parts import marks_of
from proj.data.tables.cells import is_missing
from proj.data.tables.columns import EVIDENCE
from proj.data.tables.encode import kind_of, width
from proj.data.tables.text_table import Table
from proj.errors import agree

SAMPLE = 1000  # rows, which tell of most columns that they are none
# A column that mistakes one row of FEW at most, and of the smallest class a tenth at most, may be a copy with errors:
# of Iris the best one mistakes one of 25. In less than MANY rows so few mistakes may be chance.
FEW, MANY = 40, 100
MOST = 100  # classes that are looked at for ranges, since each takes a pass over all rows
WHY = {  # by the kinds of `how_it_tells`; one column says what stands before the stroke, and several what is behind it
    "value": "[tells|tell] {}{}, one value a class: if [it is|they are] the class in other words",
    "range": "[tells|tell] {}{}, a range a class: if one was made from the other",
    "filled": "[has|have] values in all rows of some classes and in none of the others{1}: if [it comes|they come] "
    "once the class is known",
    "code": "together tell {}{}: if they are its one-hot code",
}


def describe_copied_class(
    table: Table, columns: dict[int, dict], target: int, dropped: list[int], rows: np.ndarray, x: Tensor, y: np.ndarray
) -> list[str]:
    """A line on the columns of each kind of `how_it_tells`: those of which each class has a value or a range;
    those that are filled in for some classes and never for the others, such as a cause of death; and those that tell
    all classes together, as one-hot codes do.

    Ids are none, since the rows of a class have several. Of a few rows a column may do so by chance.
    columns: by their places, as `target` and `dropped` are. rows: the examples, of inputs x (N, F), classes y (N,).
    """
    if len(y) < EVIDENCE:
        return []
    found: dict[str, dict] = {how: {} for how in WHY}
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
    found["code"] = dict.fromkeys(one_hot_code(found["code"], y), 0)  # mistakes
    others, lines = [table.names[place] for place in dropped], []  # those that are left out already
    for how, mistakes in found.items():
        if mistakes:
            names, most = [*mistakes], max(mistakes.values())
            but = f" but for {most:,} of {len(y):,} rows" if most else "" if how == "filled" else " without a mistake"
            why = re.sub(r"\[(.*?)\|(.*?)\]", agree(len(names), r"\1", r"\2"), WHY[how])
            without, them = typed("dataset.drop", *names, *others, listed=True), agree(len(names), "it", "them")
            said = f"{', '.join(names)} {why.format(table.names[target], but)}"
            lines.append(f"{said}, {without} leaves {them} out")
    return lines


def how_it_tells(
    values: np.ndarray, numbers: np.ndarray | None, known: np.ndarray, classes: np.ndarray
) -> tuple[str, int | np.ndarray]:
    """How a column tells classes (N,), "" where it does not: by a "value" or a "range" a class, or because it is
    "filled" in for some of them, with the number of mistakes; or as a part of a "code", with the rows of `rows_told`.

    A missing cell is a value like the others, or none, if at least half of the cells are known, and some of each class.
    values: (N,) a code of each cell. numbers: (N,) in a column of numbers. known: (N,) whether there is a value.
    """
    sizes = np.unique(classes, return_counts=True)[1]
    few = min(len(classes) // FEW, sizes.min() // 10) if len(classes) >= MANY else 0
    of_all = known.mean() >= 0.5 and len(np.unique(classes[known])) == len(sizes)
    ways = [("value", mistaken_values(values, classes)), ("filled", mistaken_gaps(known, classes))]
    if of_all:
        ways.append(("value", mistaken_values(values[known], classes[known])))
        if numbers is not None and len(sizes) <= MOST:
            ways.append(("range", outside_ranges(numbers[known], classes[known])))
    if (told := min(ways, key=lambda way: way[1]))[1] <= few:
        return told
    code = rows_told(values, classes)
    return ("", 0) if code is None else ("code", code)


def mistaken_values(values: np.ndarray, classes: np.ndarray) -> int:
    """How many cells are not the most frequent value of their class; all, where two classes have the same one."""
    of_class: dict[int, int] = {}
    right = 0
    for (value, label), times in Counter(zip(values.tolist(), classes.tolist(), strict=True)).most_common():
        if label not in of_class:
            of_class[label] = value
            right += times
    return len(classes) - right if len({*of_class.values()}) == len(of_class) else len(classes)


def outside_ranges(numbers: np.ndarray, classes: np.ndarray) -> int:
    """How many numbers lie outside the range of their class, if each class has one beside those of the others, as
    points have for marks, and these are cut where that is fewest."""
    order = numbers.argsort(kind="stable")
    numbers, classes = numbers[order], classes[order]
    cuts = np.flatnonzero(np.diff(numbers, prepend=-np.inf, append=np.inf))
    inside = np.zeros(len(cuts), int)  # below each cut, at most, by the classes so far
    for label in sorted(np.unique(classes), key=lambda label: np.median(numbers[classes == label])):
        below = np.append(0, np.cumsum(classes == label))[cuts]
        inside = np.maximum.accumulate(inside - below) + below
    return len(classes) - int(inside[-1])


def mistaken_gaps(known: np.ndarray, classes: np.ndarray) -> int:
    """How many cells are missing in classes most rows of which have one, or known in the others; all, where there is
    but one kind of class. known: (N,) bool."""
    labels, counts = np.unique(classes, return_inverse=True, return_counts=True)[1:]
    mostly = 2 * np.bincount(labels, known) > counts
    return int((known != mostly[labels]).sum()) if 0 < mostly.sum() < len(mostly) else len(classes)


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
