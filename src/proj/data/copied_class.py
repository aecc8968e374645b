"""Warns of columns that reveal the class (target leakage): its code, or what is only known once the class is known."""

from collections import Counter

import numpy as np
from torch import Tensor

from proj.config.quoting import typed
from proj.data.copies import marks_of
from proj.data.tables.cells import is_missing
from proj.data.tables.finding import EVIDENCE
from proj.data.tables.input_column import InputColumn
from proj.data.tables.text_table import Table
from proj.wording import agree

SAMPLE = 1000  # rows, which suffice to rule out most columns
# A column may be a copy of the class with errors if it is wrong in at most one of FEW rows, and at most in a tenth of
# the smallest class. (The best column of Iris is wrong in one of 25.) With fewer than MANY rows no error is allowed.
FEW, MANY = 40, 100
MOST = 100  # with more classes, ranges are not compared, since each class takes a pass over all rows
ROWS_A_VALUE, CHANCE = 3, 1e-6  # of a "finer" column: the fewest rows a value on average; see `agree_by_chance`
WAYS = ("value", "range", "filled", "finer", "code")  # of columns that reveal the class, see `how_it_tells`


def describe_copied_class(
    table: Table,
    columns: dict[int, InputColumn],
    target: int,
    dropped: list[int],
    rows: np.ndarray,
    x: Tensor,
    y: np.ndarray,
) -> list[str]:
    """Warnings of columns that reveal the class, one for each kind of `how_it_tells`: in some, each class has a value
    or a range of its own; some are filled in for certain classes only, such as a cause of death; and some reveal all
    classes together, as a one-hot code does. There are none for a table of a few rows, which may do so by chance.

    columns: by index; `target` and `dropped` are indices, too. rows: the indices of the examples.
    x: (N, F) their inputs. y: (N,) their classes.
    """
    if len(y) < EVIDENCE:
        return []
    found: dict[str, dict] = {how: {} for how in WAYS}
    everywhere = np.arange(len(y))
    some = everywhere[:: max(1, len(y) // SAMPLE)]
    widths = [column.width for column in columns.values()]
    for (place, column), inputs in zip(columns.items(), x.split(widths, 1), strict=True):
        cells, kind = table.columns[place].take(rows), column.kind
        for chosen in (some, everywhere):  # most columns are ruled out by the sample already
            if cells.numbers is None:
                known = ~cells.take(chosen).each(is_missing, bool)
            else:  # turning the numbers back into words would take longer than reading the file
                known = ~np.isnan(cells.numbers[chosen])
            # For words, the codes of the cells are taken, since rare words have no input of their own.
            values = cells.codes[chosen] if kind in ("words", "texts") else marks_of(inputs[chosen]).numpy()
            numbers = inputs[chosen, 0].numpy() if kind == "numbers" else None
            if kind == "dates":  # sorted by year, month and so on, the rows of their inputs are in the order of time
                numbers = np.unique(inputs[chosen].numpy(), axis=0, return_inverse=True)[1].ravel()
            how, told = how_it_tells(values, numbers, known, y[chosen])
            if not how:
                break
        else:  # it reveals the class in the sample and in all rows
            if how != "finer" or ROWS_A_VALUE * len(np.unique(values)) <= len(y):
                found[how][table.names[place]] = told
    found["code"] = dict.fromkeys(one_hot_code(found["code"], y), 0)  # a one-hot code makes no mistakes
    others, lines = [table.names[place] for place in dropped], []  # the advised dataset.drop=… keeps the dropped ones
    for how, mistakes in found.items():
        if mistakes:
            names, most = [*mistakes], max(mistakes.values())
            but = f" but for {most:,} of {len(y):,} rows" if most else ""
            without, them = typed("dataset.drop", *names, *others, listed=True), agree(len(names), "it", "them")
            said = f"{', '.join(names)} {what_they_tell(how, names, table.names[target], but)}"
            lines.append(f"{said}, {without} leaves {them} out")
    return lines


def what_they_tell(how: str, names: list[str], target: str, but: str) -> str:
    """What columns of one of the WAYS say of the class, and when to leave them out, as part of a sentence.
    but: names their mistakes, or is ""."""
    count = len(names)
    if how == "filled":
        they_come = agree(count, "it comes", "they come")
        has = f"{agree(count, 'has', 'have')} values in all rows of some classes and in none of the others"
        return f"{has}{but}: if {they_come} only after the class is known"
    reveals = f"{agree(count, 'reveals', 'reveal')} {target}{but or ' without a mistake'}"
    if how == "value":
        they_are = agree(count, "it is", "they are")
        return f"{reveals}, with one value for each class: if {they_are} the class in other words"
    if how == "finer":
        they_are, group = agree(count, "it is", "they are"), typed("dataset.group", names[0])
        together = f"if rows of one value belong together, {group} keeps them in one part"
        return f"{reveals}, since each class has values of its own: {together}; if {they_are} the class in finer words"
    if how == "range":
        return f"{reveals}, with a range for each class: if one was made from the other"
    return f"together {reveals}: if they are its one-hot code"


def how_it_tells(
    values: np.ndarray, numbers: np.ndarray | None, known: np.ndarray, classes: np.ndarray
) -> tuple[str, int | np.ndarray]:
    """How a column reveals the classes (N,), and with how many mistakes.

    ("value" or "range", mistakes): each class has a value or a range of its own. ("filled", mistakes): it is filled in
    for some classes only. ("finer", 0): each of its values, of which there are more than classes, has one class, as the
    patients of a table with several rows each. ("code", the rows of `rows_told`): it may be part of a one-hot code.
    ("", 0): it does not.
    Missing cells count as a value. If half of the cells are known, and some of each class, these are also tried alone.
    values: (N,) a code of each cell. numbers: (N,) of numbers or dates. known: (N,) whether a cell has a value.
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
    if agree_by_chance(values, classes) < CHANCE:
        return "finer", 0
    code = rows_told(values, classes)
    return ("", 0) if code is None else ("code", code)


def mistaken_values(values: np.ndarray, classes: np.ndarray) -> int:
    """The number of cells that differ from their class's most frequent value; N if two classes share that value."""
    of_class: dict[int, int] = {}
    right = 0
    for (value, label), times in Counter(zip(values.tolist(), classes.tolist(), strict=True)).most_common():
        if label not in of_class:
            of_class[label] = value
            right += times
    return len(classes) - right if len({*of_class.values()}) == len(of_class) else len(classes)


def agree_by_chance(values: np.ndarray, classes: np.ndarray) -> float:
    """The probability that all rows of a value have the same class, for every value, if the classes were shuffled; 1 if
    they do not, or if there are no more values than classes."""
    different, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    labels, counts = np.unique(classes, return_counts=True)
    if len(different) <= len(labels) or len(different) == len(values):
        return 1.0
    of_value = np.empty(len(different), classes.dtype)
    of_value[place] = classes
    if (of_value[place] != classes).any():
        return 1.0
    sizes, times = np.unique(sizes, return_counts=True)
    return float(np.prod(((counts / len(classes)) ** sizes[:, None]).sum(1) ** times))


def outside_ranges(numbers: np.ndarray, classes: np.ndarray) -> int:
    """The number of cells outside the range of their class, if the axis is cut into one range for each class, as grades
    cut a scale of points; the cuts are placed where this number is smallest."""
    order = numbers.argsort(kind="stable")
    numbers, classes = numbers[order], classes[order]
    cuts = np.flatnonzero(np.diff(numbers, prepend=-np.inf, append=np.inf))
    inside = np.zeros(len(cuts), int)  # by cut: the most cells below it that can be in the ranges of the classes so far
    for label in sorted(np.unique(classes), key=lambda label: np.median(numbers[classes == label])):
        below = np.append(0, np.cumsum(classes == label))[cuts]
        inside = np.maximum.accumulate(inside - below) + below
    return len(classes) - int(inside[-1])


def mistaken_gaps(known: np.ndarray, classes: np.ndarray) -> int:
    """The number of cells that are missing although most of their class are known, or the reverse; N if most cells are
    known in all classes, or in none. known: (N,) bool."""
    labels, counts = np.unique(classes, return_inverse=True, return_counts=True)[1:]
    mostly = 2 * np.bincount(labels, known) > counts
    return int((known != mostly[labels]).sum()) if 0 < mostly.sum() < len(mostly) else len(classes)


def rows_told(values: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """(N,) bool, the rows with one of the column's two values, if all of them have the same class; None if the column
    does not have two values, or if neither fits."""
    different = np.unique(values)
    sides = [values == value for value in different[:2]] if len(different) == 2 else []
    return next((side for side in sides if len(np.unique(classes[side])) == 1), None)


def one_hot_code(told: dict[str, np.ndarray], classes: np.ndarray) -> list[str]:
    """The columns that together reveal all classes, except perhaps one, which follows from the others; [] if none do.

    Each class must be revealed by one column, or by several that share none of its rows. (These may be columns for
    other classes: if is_setosa is the target, is_versicolor and is_virginica reveal its class 0.)
    told: the rows that each column reveals, see `rows_told`.
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
