"""Finds examples that must be in the same part, since their paths name one group, or since they are identical."""

import re
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from proj.errors import UserError, how_many


def joined(labels: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """(N,) new labels, equal for examples that share a label or a mark, directly or by way of other examples."""
    from scipy.sparse import coo_array  # here, since the import takes half a second and other splits do without
    from scipy.sparse.csgraph import connected_components

    # In this graph the nodes are the labels and, numbered after them, the marks. Each example is an edge between both.
    label, mark = np.unique(labels, return_inverse=True)[1], np.unique(marks, return_inverse=True)[1]
    mark = mark + label.max() + 1
    nodes = mark.max() + 1
    links = coo_array((np.ones(len(label)), (label, mark)), shape=(nodes, nodes))
    _, component = connected_components(links, directed=False)
    _, first, number = np.unique(component[label], return_index=True, return_inverse=True)
    return labels[first][number]


def groups_in(paths: np.ndarray, parts: list[str], pattern: str) -> np.ndarray:
    """(N,) the group of each path: what the regular expression's first non-empty group captures, or the whole match.

    parts: the part of each path. Raises UserError if a path has no match, or if a group is in several parts.
    """
    found, part_of = [], {}
    for path, part in zip(paths, parts, strict=True):
        try:
            match = re.search(pattern, path)
        except re.error as error:
            raise UserError(f"dataset.group={pattern} is no regular expression ({error}).") from None
        label = next(filter(None, match.groups()), match[0]) if match else ""
        if not label:
            raise UserError(f"{path} belongs to no group: dataset.group={pattern} does not match it.")
        if part_of.setdefault(label, part) != part:
            raise UserError(
                f"the group {label} (dataset.group) is in the folders of both {part_of[label]} and {part}: move "
                "its images into one of them."
            )
        found.append(label)
    return np.array(found, dtype=object)


def has_duplicates(marks: np.ndarray) -> bool:
    """Whether any two marks are equal."""
    return len(np.unique(marks)) < len(marks)


def describe_duplicates(marks: np.ndarray, targets: Tensor, parts: Tensor, names: Sequence) -> list[str]:
    """Remarks on identical images, which have equal `marks` (N,), especially if in different classes or parts."""
    _, first, number, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    first_copy = first[number]  # for each image, the first image that is identical to it, perhaps itself
    several = sizes[sizes > 1]
    told = {"different classes": targets.numpy(), "the folders of different parts": parts.numpy()}
    unlike = {what: (values != values[first_copy]).nonzero()[0] for what, values in told.items()}
    apart = len(unlike["the folders of different parts"]) > 0
    how = "kept in one part" + (", except those in the folders of different parts" if apart else "")
    said = [f"{several.sum():,} images are identical to others ({how_many(len(several), 'different image')}): {how}"]
    for what, places in unlike.items():
        if len(places):
            pair = f"{names[first_copy[places[0]]]} and {names[places[0]]}"
            said.append(f"identical images are in {what}: {len(places):,}, such as {pair}")
    return said
