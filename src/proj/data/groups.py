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

    a, b = (np.unique(one, return_inverse=True)[1] for one in (labels, marks))
    nodes = a.max() + b.max() + 2
    links = coo_array((np.ones(len(a)), (a, a.max() + 1 + b)), shape=(nodes, nodes))
    component = connected_components(links, directed=False)[1][a]
    _, first, number = np.unique(component, return_index=True, return_inverse=True)
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


def describe_twins(marks: np.ndarray, targets: Tensor, parts: Tensor, names: Sequence) -> str:
    """Sentences about images that are identical, by their `marks`, and about those of which classes or the folders of
    parts are not the same."""
    _, first, number, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    apart = (parts.numpy() != parts.numpy()[first][number]).any()
    how = "kept together" + (", but for those in the folders of different parts" if apart else "")
    said = [f"{sizes[sizes > 1].sum():,} images are {(sizes > 1).sum():,}, since others are identical: {how}"]
    for what, values in (("different classes", targets.numpy()), ("the folders of different parts", parts.numpy())):
        if len(unlike := (values != values[first][number]).nonzero()[0]):
            pair = f"{names[first[number[unlike[0]]]]} and {names[unlike[0]]}"
            said.append(f"identical images are in {what}: {len(unlike):,}, such as {pair}")
    return "\n".join(said)
