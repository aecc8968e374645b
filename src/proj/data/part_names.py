"""The names by which a person's files and folders say that they are the training, the validation or the test part."""

import os
import re

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
    "": ("pred", "predict", "prediction", "unlabeled", "unlabelled"),  # of examples without classes, beside the parts
}
PARTS = ("train", "val", "test")


def part_named(path: str, by_words: bool = False) -> str | None:
    """The part that a file or folder is named after, by its whole name or by one of its words, as of seg_train, TestSet
    or valset; "" for one of examples without classes, such as seg_pred; None for any other."""
    name = os.path.basename(path)
    words = {name.lower()}
    if by_words:
        found = re.findall("[A-Z]?[a-z]+|[A-Z]+", name)
        words = {word.lower().removesuffix("set").removesuffix("data") for word in found}
    return next((part for part, names in NAMES.items() if words & {*names}), None)
