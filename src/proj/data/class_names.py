"""Matches class names that are spelled differently, such as Cat and cat, and puts classes in order."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from proj.data.table_parts import part_of_rows
from proj.data.tables.answers import WHOLE_WORDS
from proj.data.tables.cells import common_word, number
from proj.data.tables.one_column import Column, WholeColumn
from proj.data.tables.plain_numbers import plain_number
from proj.data.tables.text_table import Table
from proj.system.names import plain_name
from proj.wording import first_of

TRUTH_NUMBERS = {word: float(value) for pair in WHOLE_WORDS for value, word in enumerate(pair)}


def spelling(word: str) -> str | float:
    """A key that is equal for different spellings of a class: it ignores case, outer spaces, how accents are stored and
    a final full stop, and is equal for equal numbers (1 and 1.0) and answers that mean the same (1, yes and TRUE)."""
    value, name = plain_number(word), plain_name(word).removesuffix(".")
    return TRUTH_NUMBERS.get(name, name) if value is None else value


def ordered(names: list[str], trained: list[str]) -> list[str]:
    """The classes in order: numbers by their value, then words; or as in `trained`, if they are all among these."""
    if (given := {*names}) <= {*trained}:
        return [name for name in trained if name in given]
    unit = common_word(names)
    read = {name: number(name, unit) for name in names}
    decimal = "," if any(one and one.mark == "," for one in read.values()) else "."
    are_words = None in read.values()  # then 65+ is one as well, which comes after 18-24
    values = {name: one.value(decimal) for name, one in read.items() if one and not (are_words and name[-1] == "+")}
    return sorted(names, key=lambda name: (name not in values, values.get(name, 0), name))


def describe_alike(what: str, names: Iterable[str]) -> list[str]:
    """A warning that names the first few classes (or groups, as `what` says) with the same `spelling`. Those that look
    like others are in quotation marks, with invisible characters as \\u200b and so on."""
    spelled: dict[str | float, list[str]] = {}
    for name in names:
        is_plain = name.isprintable() and name == " ".join(name.split())
        spelled.setdefault(spelling(name), []).append(name if is_plain else repr(name))
    alike = [" and ".join(names) for names in spelled.values() if len(names) > 1]
    if not alike:
        return []
    return [f"{what} that differ only in spelling, but count as different: {', '.join(alike[:5])}"]


def describe_lists(names: Sequence[str]) -> list[str]:
    """A warning that names the first few classes that look like lists of others, such as cat;dog beside cat and dog."""

    def is_list(name: str) -> bool:
        parts = {*re.split(r" *[;,|/+&] *", name)}
        known = len(parts & {*names} - {name})
        enough = 1 if "|" in name else len(parts)  # a sign that is used for nothing else
        return known >= enough or bool(re.fullmatch(r"\[['\"].*\]|\{.*\}", name))  # as Python and JSON write them

    lists = [repr(name) for name in names if is_list(name)]
    said = "classes that seem to list others, though each counts as a class of its own"
    return [f"{said}: {first_of(lists, 5)}"] if lists else []


def classes_among(words: Sequence[str], class_names: list[str]) -> dict[str, int]:
    """{word: index of its class} for the words that name one of these classes, exactly or by `spelling`, which counts
    only if all classes have different ones."""
    places = {spelling(name): place for place, name in enumerate(class_names)}
    known_spellings = places if len(places) == len(class_names) else {}
    found = {word: known_spellings[spelling(word)] for word in words if spelling(word) in known_spellings}
    given = {*words}
    return found | {name: place for place, name in enumerate(class_names) if name in given}


def targets_among(labels: Column, class_names: list[str]) -> tuple[np.ndarray, dict[str, int]]:
    """((N,) int64, the index of each label in `class_names`, or -1; the unknown labels with their counts)."""
    words = labels.different()
    places = classes_among([word for word, *_ in words], class_names)
    others = {word: times for word, times, _ in words if word and word not in places}
    return labels.each(lambda word: places.get(word, -1), np.int64), others


def spell_as_training(table: Table, target: int, parts_of_files: list[str]) -> list[str]:
    """Change the spelling of classes in validation and test files to that of the training file; see `classes_among`.
    Returns a remark on the changes. target: the index of the target column."""
    labels, part_of = table.columns[target], part_of_rows(table, np.arange(len(table.lines)), parts_of_files)
    known = [word for word, *_ in labels.take(np.flatnonzero(part_of == 0)).different() if word]
    others = {word for word, *_ in labels.different() if word} - {*known}
    spelled = {word: known[place] for word, place in classes_among([*others], known).items()}
    if not spelled:
        return []
    table.columns[target] = WholeColumn(labels.each(lambda word: spelled.get(word, word), object).tolist())
    pairs = [f"{word!r} for {other!r}" for word, other in sorted(spelled.items())]
    return [f"classes that another part spells differently from the training: {first_of(pairs, 5)}"]
