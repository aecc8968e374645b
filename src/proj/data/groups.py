"""Finds examples that must be in the same part, since their paths name one group, or since they are identical."""

import re
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from proj.errors import UserError
from proj.wording import how_many


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


def groups_in(paths: Sequence[str], pattern: str) -> list[str]:
    """The group of each path: what the regular expression's first non-empty group captures, or the whole match.
    Raises UserError if a path has no match."""
    found = []
    for path in paths:
        try:
            match = re.search(pattern, path)
        except re.error as error:
            raise UserError(f"dataset.group={pattern} is no regular expression ({error}).") from None
        label = next(filter(None, match.groups()), match[0]) if match else ""
        if not label:
            raise UserError(f"{path} belongs to no group: dataset.group={pattern} does not match it.")
        found.append(label)
    return found


def refuse_divided(groups: Sequence[str], parts: Sequence[str]) -> None:
    """Raises UserError if images of one group are in several parts. groups, parts: of each image."""
    part_of: dict[str, str] = {}
    for group, part in zip(groups, parts, strict=True):
        if part_of.setdefault(group, part) != part:
            raise UserError(
                f"the group {group} (dataset.group) is in both the {part_of[group]} and the {part} part: move its "
                "images into one of them."
            )


def has_duplicates(marks: np.ndarray) -> bool:
    """Whether any two marks are equal."""
    return len(np.unique(marks)) < len(marks)


def describe_duplicates(marks: np.ndarray, targets: Tensor, parts: Tensor, names: Sequence) -> list[str]:
    """Remarks on identical images, which have equal `marks` (N,), especially if in different classes or parts."""
    _, first, number, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    first_copy = first[number]  # for each image, the first image that is identical to it, perhaps itself
    several = sizes[sizes > 1]
    told = {"different classes": targets.numpy(), "different parts already": parts.numpy()}
    unlike = {what: (values != values[first_copy]).nonzero()[0] for what, values in told.items()}
    apart = len(unlike["different parts already"]) > 0
    how = "kept in one part" + (", except those that are in different parts already" if apart else "")
    said = [f"{several.sum():,} images are identical to others ({how_many(len(several), 'different image')}): {how}"]
    for what, places in unlike.items():
        if len(places):
            pair = f"{names[first_copy[places[0]]]} and {names[places[0]]}"
            said.append(f"identical images are in {what}: {len(places):,}, such as {pair}")
    return said
