"""Recognises by their names the files and folders that are the training, validation or test part."""

import os
import re

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
    "": ("pred", "predict", "prediction", "unlabeled", "unlabelled"),  # examples without classes, which are no part
}
PARTS = ("train", "val", "test")


def part_named(path: str, by_words: bool = False) -> str | None:
    """The part that a file or folder is named after, "" if its name says that examples have no classes, else None.
    by_words: look at each word of the name, as in seg_train, TestSet, valset and seg_pred, not at the whole name."""
    name = os.path.basename(path)
    words = {name.lower()}
    if by_words:
        found = re.findall("[A-Z]?[a-z]+|[A-Z]+", name)
        words = {word.lower().removesuffix("set").removesuffix("data") for word in found}
    return next((part for part, names in NAMES.items() if words & {*names}), None)
