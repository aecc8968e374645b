"""Examples that belong together, and are kept in one part: of a group that their paths name, or identical."""

import re
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from proj.errors import UserError


def joined(labels: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """(N,) labels, the same for examples that have a label or a mark in common, also by way of others."""
    from scipy.sparse import coo_array  # half a second, which other splits need not wait for
    from scipy.sparse.csgraph import connected_components

    # A graph whose nodes are the labels and, numbered behind them, the marks. Each example links its label to its mark.
    label, mark = np.unique(labels, return_inverse=True)[1], np.unique(marks, return_inverse=True)[1]
    mark = mark + label.max() + 1
    nodes = mark.max() + 1
    links = coo_array((np.ones(len(label)), (label, mark)), shape=(nodes, nodes))
    _, component = connected_components(links, directed=False)
    _, first, number = np.unique(component[label], return_index=True, return_inverse=True)
    return labels[first][number]


def groups_in(paths: np.ndarray, parts: list[str], pattern: str) -> np.ndarray:
    """(N,) what a regular expression finds in each path: what its first group in parentheses holds, or all of it.

    parts: of each path the part that it lies in. Raises UserError for a path without, and for what is in two parts.
    """
    found, part_of = [], {}
    for path, part in zip(paths, parts, strict=True):
        try:
            match = re.search(pattern, path)
        except re.error as error:
            raise UserError(f"dataset.group={pattern} is no regular expression ({error}).") from None
        label = next(filter(None, match.groups()), match[0]) if match else ""
        if not label:
            raise UserError(f"{path} belongs to no group: dataset.group={pattern} finds nothing in it.")
        if part_of.setdefault(label, part) != part:
            raise UserError(
                f"{label} is in the folders of {part_of[label]} and {part}, and what belongs together (dataset.group) "
                "may not be on both sides: move its images into one of them."
            )
        found.append(label)
    return np.array(found, dtype=object)


def has_twins(marks: np.ndarray) -> bool:
    return len(np.unique(marks)) < len(marks)


def describe_twins(marks: np.ndarray, targets: Tensor, parts: Tensor, names: Sequence) -> list[str]:
    """Sentences about images that are identical, by their `marks`, also in several classes or folders of parts."""
    _, first, number, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    twin = first[number]  # of each image the first that is identical, maybe itself
    several = sizes[sizes > 1]
    told = {"different classes": targets.numpy(), "the folders of different parts": parts.numpy()}
    unlike = {what: (values != values[twin]).nonzero()[0] for what, values in told.items()}
    apart = len(unlike["the folders of different parts"]) > 0
    how = "kept together" + (", but for those in the folders of different parts" if apart else "")
    said = [f"{several.sum():,} images are {len(several):,}, since others are identical: {how}"]
    for what, places in unlike.items():
        if len(places):
            pair = f"{names[twin[places[0]]]} and {names[places[0]]}"
            said.append(f"identical images are in {what}: {len(places):,}, such as {pair}")
    return said
