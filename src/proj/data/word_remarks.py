"""Remarks on the words of a table: on those of its columns, and on the names of its classes."""

from proj.data.class_names import describe_alike, describe_lists
from proj.data.part_names import describe_part_words
from proj.data.tables.cells import is_no_number


def describe_words(columns: list[dict]) -> list[str]:
    """Remarks on words that differ only in spelling, and on those that name parts, such as train and test. columns: the
    descriptions of the table's columns."""
    notes = list[str]()
    for column in columns:
        name, words = column["name"], column.get("categories", [])
        notes += describe_alike(f"{name}: words", words)
        notes += describe_part_words(name, words, "it is an input like any other")
    return notes


def describe_classes(names: list[str]) -> list[str]:
    """Remarks on classes that may be missing values, such as NA, and on those that look like lists of others."""
    words = [name for name in names if is_no_number(name)]
    what = f"taken as class names: {', '.join(words)}; leave the cell empty if a row's class is unknown"
    return [*([what] if words else []), *describe_lists(names)]
