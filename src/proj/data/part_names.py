"""Recognises by their names what is of the training, validation or test part: files, folders, and words in a table."""

import os
import re
from collections.abc import Iterable

from proj.config.quoting import typed
from proj.wording import first_of

NAMES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
    "": ("pred", "predict", "prediction", "unlabeled", "unlabelled"),  # examples without classes, which are no part
}
PARTS = ("train", "val", "test")


def part_named(path: str, by_words: bool = False) -> str | None:
    """The part that a file or folder is named after, "" if its name says that examples have no classes, else None.
    by_words: look at each word of the name, as in seg_train, TestSet, datatest and seg_pred, not at the whole name."""
    name = os.path.basename(path)
    words = {name.lower()}
    if by_words:
        words = {word.removesuffix("set").removesuffix("data").removeprefix("data") for word in words_in(name)}
    return next((part for part, names in NAMES.items() if words & {*names}), None)


def parts_of_folders(paths: Iterable[str]) -> dict[str, str | None]:
    """The part after which the first folder that the paths do not share is named, or None; {} if none is named after
    the training."""
    folders = {path: os.path.dirname(path).split(os.sep) for path in paths}
    shared = os.path.commonpath([os.path.dirname(path) for path in folders]) if folders else ""
    above = len(shared.split(os.sep)) if shared else 0  # an archive often unpacks into one more folder
    tops = {path: "".join(folder[above : above + 1]) for path, folder in folders.items()}
    for by_words in (False, True):
        parts = {path: part_named(top, by_words) for path, top in tops.items()}
        if "train" in parts.values() and not (by_words and None in parts.values()):
            return parts
    return {}


def words_in(name: str) -> list[str]:
    """The words in a name, in lower case: those of TestSet and test_set2 are test and set."""
    return [word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)]


def describe_part_words(name: str, words: list[str], but: str) -> list[str]:
    """A remark on a column, called `name`, whose words are names of parts, such as train and test. but: what is done
    with them instead."""
    parts = {part_named(word, by_words=True) for word in words}
    if None in parts or "train" not in parts or len(parts) < 2:
        return []
    said = f"{name}: its words name parts ({first_of(words, 3)}), but {but}"
    return [f"{said}: to split by them, add {typed('dataset.split', name)}"]
