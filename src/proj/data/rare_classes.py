"""Leaves out classes with too few examples to be in every part, and classes that the training does not have."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from proj.data.class_names import classes_among
from proj.data.tables.answers import find_answers
from proj.data.tables.cells import is_missing, is_no_number, is_number, number
from proj.data.tables.one_column import Column
from proj.data.tables.text_table import Table
from proj.errors import UserError
from proj.system.ranks import say
from proj.wording import first_of, how_many


def rare_classes(
    labels: Iterable[str], groups: np.ndarray | None, parts: int, fold: tuple[int, int] | None, least: int | None
) -> dict[str, int]:
    """The classes with fewer than `least` examples (with groups: fewer groups), and that number, in ascending order.

    labels: the class of each example. parts: the number of parts to draw, each of which needs an example of every
    class. least: None takes the number that the parts, or the folds, need.
    No class counts as rare if fewer than two classes, or less than half of the examples, would be left.
    """
    asked = least
    if least is None:
        # With two folds, the other one is split again into training and validation: so each needs two examples.
        least = max(parts, fold[1] if fold[1] > 2 else 4) if fold else parts
    counts = sizes = Counter(labels)
    if groups is not None:
        counts = Counter(label for label, _ in dict.fromkeys(zip(labels, groups, strict=True)))
    rare = {label: count for label, count in reversed(counts.most_common()) if count < least}
    left = sum(size for label, size in sizes.items() if label not in rare)
    if len(counts) - len(rare) > 1 and 2 * left >= sizes.total():
        return rare
    if asked and rare:
        kept = "two classes" if len(counts) - len(rare) < 2 else "half of the examples"
        say(f"dataset.min_examples={asked} leaves no class out, since less than {kept} would be left")
    return {}


def doubt_numbers(name: str, labels: Column) -> list[str]:
    """A warning if the classes are many different numbers, so that they may be measurements.

    Raises UserError if most rows have a class that occurs only once (of numbers: twice), or if most classes do and some
    are fractions.
    """
    words = labels.different()
    once = sum(times == 1 for _, times, _ in words)
    numbers = [number(word) for word, *_ in words]
    are_numbers = None not in numbers
    alone = sum(times for _, times, _ in words if times <= 1 + are_numbers)
    mostly_once = 2 * alone > len(labels) and len(words) >= 10
    if not mostly_once and (len(words) <= 20 or not are_numbers):
        return []
    kind, how = ("numbers", "replace its numbers by groups such as low and high") if are_numbers else ("values", "")
    many = f"{len(words):,} different {kind}"
    if mostly_once or (2 * once > len(words) and any(read.value(".") % 1 for read in numbers)):
        how = f", or {how}" if how else ""
        raise UserError(
            f"{name} holds {many} in {len(labels):,} rows, too many for classes: name another column with "
            f"dataset.target=…{how}."
        )
    return [f"{name}: {many}, each a class of its own: if they are measurements, {how}"]


def rows_with_class(table: Table, target: int, known: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(The indices of the rows that have a class, what there is to say about the others, and about the classes).

    known: the classes of an earlier training, in which NA and the like may have counted as one: see `missing_marks`.
    Raises UserError if the column cannot hold classes, see `doubt_numbers`.
    """
    name, labels = table.names[target], table.columns[target]
    marks = missing_marks([word for word, *_ in labels.different()], table.columns)
    marks = [word for word in marks if word not in known]
    rows = np.flatnonzero(~labels.holds(["", *marks])).astype(np.int32)
    such = f" ({', '.join(filter(None, marks))})" if any(marks) else ""
    said = [f"rows without {name} left out: {len(labels) - len(rows):,}{such}"] if len(rows) < len(labels) else []
    return rows, said + doubt_numbers(name, labels.take(rows))


def missing_marks(words: Collection[str], columns: Sequence[Column] = ()) -> list[str]:
    """Those of a target's words that mark a missing class rather than name one: NA and the like, if all others are
    numbers, or two answers such as FALSE and TRUE; or if it also stands for a missing number in one of the table's
    `columns`, and two other words are left."""
    for is_mark, are_classes in ((is_no_number, lambda words: all(map(is_number, words))), (is_missing, find_answers)):
        marks = [word for word in words if is_mark(word)]
        if (others := {*words} - {*marks}) and are_classes(others):
            return marks
    doubtful = [word for word in words if word and is_missing(word)]
    with_numbers = [column for column in columns if column.numbers is not None] if doubtful else []
    marks = [word for word in doubtful if any(word in column.words for column in with_numbers)]
    return marks if len({*words} - {*marks, ""}) > 1 else []


def absent_classes(labels: Column, part_of: np.ndarray) -> dict[str, int]:
    """The classes that no training row has, with the number of rows in the validation and test files that have them.

    labels, part_of: (N,) the class and the part of each row, see `part_of_rows`. The result is {} if more than half of
    a file has such classes: then they must be something else, which is an error that `table_parts` raises.
    """
    if not part_of.any():
        return {}
    known = np.isin(labels.codes, np.unique(labels.codes[part_of == 0]))
    if any(known[part_of == part].mean() < 0.5 for part in np.unique(part_of)):
        return {}
    return dict(Counter(labels.take(np.flatnonzero(~known))))


def unknown_classes(labels: Sequence[str], class_names: list[str]) -> dict[str, int]:
    """The classes that a model does not know, with their counts; printed, too. {} if it knows none of all classes."""
    counts = Counter(labels)
    known = classes_among([*counts], class_names)
    unknown = {name: count for name, count in counts.items() if known and name not in known}
    if unknown:
        say(describe_unknown(unknown, "the model", "image"))
    return unknown


def describe_unknown(classes: dict[str, int], who: str, example: str = "row") -> str:
    """A line on examples that are left out because `who` ("the model" or "the training") does not have their class."""
    what = "of a class" if len(classes) == 1 else f"of {len(classes):,} classes"
    return f"left out, {how_many(sum(classes.values()), example)} {what} that {who} does not have: {listed(classes)}"


def describe_rare(rare: dict[str, int], examples: int) -> str:
    """A line on the rare classes that are left out. examples: the number of their examples."""
    what = "a class" if len(rare) == 1 else f"{len(rare):,} classes"
    return f"left out, {what} with too few examples, {examples:,} in all (dataset.min_examples): {listed(rare)}"


def listed(classes: dict[str, int]) -> str:
    return first_of([f"{label} ({count:,})" for label, count in classes.items()], 30)
