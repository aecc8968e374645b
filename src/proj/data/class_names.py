"""The names of classes: which of them are one class, written in two ways."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from proj.data.table_parts import part_of_rows
from proj.data.tables.cells import common_word, number
from proj.data.tables.encode import WHOLE_WORDS
from proj.data.tables.one_column import Column, WholeColumn
from proj.data.tables.plain_numbers import plain_number
from proj.data.tables.text_table import Table
from proj.errors import first_of
from proj.system.names import plain_name

TRUTH_NUMBERS = {word: float(value) for pair in WHOLE_WORDS for value, word in enumerate(pair)}


def spelling(word: str) -> str | float:
    """What is the same for classes that differ in how they are written alone: in case, spaces or accents, with a full
    stop at the end, as numbers, 1 and 1.0, or as truths, 1, yes and TRUE."""
    value, name = plain_number(word), plain_name(word).removesuffix(".")
    return TRUTH_NUMBERS.get(name, name) if value is None else value


def ordered(names: list[str], trained: list[str]) -> list[str]:
    """Classes in order: numbers by their value before words; or as in another training, maybe of an older version."""
    if (given := {*names}) <= {*trained}:
        return [name for name in trained if name in given]
    unit = common_word(names)
    read = {name: number(name, unit) for name in names}
    decimal = "," if any(one and one.mark == "," for one in read.values()) else "."
    values = {name: one.value(decimal) for name, one in read.items() if one}
    return sorted(names, key=lambda name: (name not in values, values.get(name, 0), name))


def describe_alike(what: str, names: Iterable[str]) -> list[str]:
    """A line with the first classes, or groups, that have one `spelling`; of what nobody sees, such as a joiner, as
    \\u200b and so on. what: these are."""
    spelled: dict[str | float, list[str]] = {}
    for name in names:
        spelled.setdefault(spelling(name), []).append(name if name.isprintable() else repr(name))
    alike = [" and ".join(names) for names in spelled.values() if len(names) > 1]
    if not alike:
        return []
    return [f"{what} that differ in how they are written alone, and count as several: {', '.join(alike[:5])}"]


def describe_lists(names: Sequence[str]) -> list[str]:
    """A line on the first classes that are lists of others, such as cat;dog beside cat and dog."""
    parts = {name: re.split(r" *[;,|/+&] *", name) for name in names}
    lists = [repr(name) for name in names if len(parts[name]) > 1 and {*parts[name]}.issubset(names)]
    said = "classes that list others, each a class of its own here, where an example has one"
    return [f"{said}: {first_of(lists, 5)}"] if lists else []


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
    known = [word for word, *_ in labels.take(np.flatnonzero(part_of == 0)).different() if word]
    others = {word for word, *_ in labels.different() if word} - {*known}
    spelled = {word: known[place] for word, place in classes_among([*others], known).items()}
    if not spelled:
        return []
    table.columns[target] = WholeColumn(labels.each(lambda word: spelled.get(word, word), object).tolist())
    pairs = [f"{word!r} for {other!r}" for word, other in sorted(spelled.items())]
    return [f"classes that another part writes otherwise than the training: {first_of(pairs, 5)}"]
