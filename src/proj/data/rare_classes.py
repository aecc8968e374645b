"""Classes of too few examples to be in every part, which are left out."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from proj.errors import UserError


def rare_classes(
    labels: Iterable[str], groups: np.ndarray | None, parts: int, fold: tuple[int, int] | None, least: int | None
) -> dict[str, int]:
    """The classes of fewer than `least` examples, or groups, with how many they have, fewest first.

    labels: the class of each example. parts: how many there are, each of which needs an example of a class; with folds
    they are also as many as these. least: None takes what that needs.
    There are none where less than two classes or half of the examples would be left: then it is no matter of a few.
    """
    if least is None:
        # Beside a fold the other parts are drawn: of two folds, each holds half of a class, which is in two parts.
        least = max(parts, fold[1] if fold[1] > 2 else 4) if fold else parts
    elif least < 1:
        raise UserError(f"dataset.min_examples={least} is not a whole number, 1 or more.")
    counts = sizes = Counter(labels)
    if groups is not None:
        counts = Counter(label for label, _ in dict.fromkeys(zip(labels, groups, strict=True)))
    rare = {label: count for label, count in reversed(counts.most_common()) if count < least}
    left = sum(size for label, size in sizes.items() if label not in rare)
    return rare if len(counts) - len(rare) > 1 and 2 * left >= sizes.total() else {}


def describe_rare(rare: dict[str, int], examples: int) -> str:
    """A line on classes that are left out. examples: how many there are of them."""
    some = ", ".join(f"{label} ({count:,})" for label, count in [*rare.items()][:30]) + ", …" * (len(rare) > 30)
    what = "a class" if len(rare) == 1 else f"{len(rare):,} classes"
    return f"left out, {what} of too few examples, {examples:,} in all (dataset.min_examples): {some}"
