"""Classes that are written otherwise, and those that are left out: of too few examples to be in every part, or such as
no training row has."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from proj.data.table_parts import part_of_rows
from proj.data.tables.cells import number, plain_number
from proj.data.tables.column_list import wrapped
from proj.data.tables.one_column import Column
from proj.data.tables.text_table import Table
from proj.errors import UserError, first_of, how_many
from proj.system.platform import plain_name


def rare_classes(
    labels: Iterable[str], groups: np.ndarray | None, parts: int, fold: tuple[int, int] | None, least: int | None
) -> dict[str, int]:
    """The classes of fewer than `least` examples, or groups, with how many they have, fewest first.

    labels: the class of each example. parts: how many parts there are, each of which needs an example of every class;
    with folds there are at least as many. least: None takes what the parts need.
    No class is rare where fewer than two classes, or less than half of the examples, would be left.
    """
    asked = least
    if least is None:
        # Beside a fold the other parts are drawn: of two folds, each holds half of a class, which is in two parts.
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
        rank_zero_only(print)(f"dataset.min_examples={asked} leaves no class out, since less than {kept} would be left")
    return {}


def doubt_numbers(name: str, labels: Column) -> list[str]:
    """A line where the classes are many different numbers, which may be measured ones.

    Raises UserError where most of them come once: of whole ones, which may be classes, most rows have one of these.
    """
    words = labels.different()
    numbers = [number(word) for word, *_ in words] if len(words) > 20 else [None]
    if None in numbers:
        return []
    many, how = f"{len(words):,} different numbers", "have groups of numbers in it, such as low and high"
    once = sum(times == 1 for _, times, _ in words)
    if 2 * once > len(labels) or (2 * once > len(words) and any(read.value(".") % 1 for read in numbers)):
        raise UserError(
            f"{name} holds {many} in {len(labels):,} rows, and a classifier takes classes: name another column with "
            f"dataset.target=…, or {how}."
        )
    return [wrapped(f"{name}: {many}, each a class of its own: if they are measured, {how}")]


def absent_classes(labels: Column, part_of: np.ndarray) -> dict[str, int]:
    """The classes that no training row has, with how many rows they have in the files that are parts.

    labels, part_of: (N,) the class and the part of each row, see `part_of_rows`. There are none where they are more
    than half of such a file: then its classes are of another kind.
    """
    if not part_of.any():
        return {}
    known = np.isin(labels.codes, np.unique(labels.codes[part_of == 0]))
    if any(known[part_of == part].mean() < 0.5 for part in np.unique(part_of)):
        return {}
    return dict(Counter(labels.take(np.flatnonzero(~known))))


def spelling(word: str) -> str | float:
    """What is the same for classes that differ in how they are written alone: in case, spaces or accents, with a full
    stop at the end, or as numbers, 1 and 1.0."""
    value = plain_number(word)
    return plain_name(word).removesuffix(".") if value is None else value


def written_alike(names: list[str]) -> str:
    """The first classes that have one `spelling`."""
    groups: dict[str | float, list[str]] = {}
    for name in names:
        groups.setdefault(spelling(name), []).append(name)
    return ", ".join(" and ".join(group) for group in [one for one in groups.values() if len(one) > 1][:5])


def classes_among(words: Sequence[str], class_names: list[str]) -> dict[str, int]:
    """The words that are one of these classes, with its place: also by their `spelling`, where that is no other's."""
    places = {spelling(name): place for place, name in enumerate(class_names)}
    known_spellings = places if len(places) == len(class_names) else {}
    found = {word: known_spellings[spelling(word)] for word in words if spelling(word) in known_spellings}
    given = {*words}
    return found | {name: place for place, name in enumerate(class_names) if name in given}


def targets_among(labels: Column, class_names: list[str]) -> tuple[np.ndarray, dict[str, int]]:
    """((N,) the place of each label among these classes, -1 for another; the others, with how often they come.)"""
    words = labels.different()
    places = classes_among([word for word, *_ in words], class_names)
    others = {word: times for word, times, _ in words if word and word not in places}
    return labels.each(lambda word: places.get(word, -1), np.int64), others


def spell_as_training(table: Table, target: int, parts_of_files: list[str]) -> list[str]:
    """Write the classes in the files that are parts as the training writes them: see `classes_among`. Returns a line
    on those that were written otherwise. target: the place of their column."""
    labels, part_of = table.columns[target], part_of_rows(table, np.arange(len(table.lines)), parts_of_files)
    if not part_of.any():
        return []
    known = [word for word, *_ in labels.take(np.flatnonzero(part_of == 0)).different() if word]
    others = {word for word, *_ in labels.different() if word} - {*known}
    spelled = {word: known[place] for word, place in classes_among([*others], known).items()}
    if not spelled:
        return []
    table.columns[target] = Column(labels.each(lambda word: spelled.get(word, word), object).tolist())
    pairs = [f"{word!r} for {other!r}" for word, other in sorted(spelled.items())]
    return [wrapped(f"classes that another part writes otherwise than the training: {first_of(pairs, 5)}")]


def unknown_classes(labels: Sequence[str], class_names: list[str]) -> dict[str, int]:
    """The classes of images that a model with these classes does not know, where it knows others, with how many images
    they have; which is printed."""
    counts = Counter(labels)
    known = classes_among([*counts], class_names)
    unknown = {name: count for name, count in counts.items() if known and name not in known}
    if unknown:
        rank_zero_only(print)(describe_unknown(unknown, "the model", "image"))
    return unknown


def describe_unknown(classes: dict[str, int], who: str, example: str = "row") -> str:
    """A line on examples that are left out, since `who`, the model or the training, does not have their classes."""
    what = "of a class" if len(classes) == 1 else f"of {len(classes):,} classes"
    return f"left out, {how_many(sum(classes.values()), example)} {what} that {who} does not have: {listed(classes)}"


def describe_rare(rare: dict[str, int], examples: int) -> str:
    """A line on classes that are left out. examples: how many there are of them."""
    what = "a class" if len(rare) == 1 else f"{len(rare):,} classes"
    return f"left out, {what} of too few examples, {examples:,} in all (dataset.min_examples): {listed(rare)}"


def listed(classes: dict[str, int]) -> str:
    return first_of([f"{label} ({count:,})" for label, count in classes.items()], 30)
