"""Remarks on the words of a table: on those of its columns, and on the names of its classes."""

from collections.abc import Sequence

from proj.data.class_names import describe_alike, describe_lists
from proj.data.part_names import describe_part_words
from proj.data.tables.cells import is_no_number
from proj.data.tables.input_column import InputColumn
from proj.data.tables.word_column import WordColumn


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
    words = [name for name in names if is_no_number(name)]
    what = f"taken as class names: {', '.join(words)}; leave the cell empty if a row's class is unknown"
    return [*([what] if words else []), *describe_lists(names)]
