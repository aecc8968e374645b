"""Parts that keep together what belongs together: the folds of a cross-validation, and splits of grouped examples."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from proj.errors import UserError, how_many

A_LITTLE, A_LOT = 1e-6, 1e9  # what decides between equals only, and what decides before all else


def deal(targets: Tensor, class_names: list[str], shares: dict[str, float], seed: int, groups: np.ndarray) -> Tensor:
    """(N,) the place in `shares` of the part of each example: a part gets its share of every class, as near as groups
    allow, and at least one example of it.

    The largest groups are dealt first, those of a class one after the other, each to the part that lacks most of what
    the group holds; 60,000 groups take a second. scikit-learn's StratifiedGroupKFold knows no unequal parts, takes
    longer, and another version may deal otherwise, while a checkpoint is to be tested on what it has not seen.
    groups: (N,) labels; those of one label stay together.
    Raises UserError where a part would lack a class, or would have less than half of its share.
    """
    y, kinds = targets.numpy(), len(class_names)
    names, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).numpy()
    members = np.split(y[group.argsort(kind="stable")], sizes.cumsum()[:-1])  # the classes in each group
    left = np.bincount(np.unique(group * kinds + y) % kinds, minlength=kinds)  # groups of a class, not yet dealt
    refuse_few(left, class_names, shares, "group" if sizes.max() > 1 else "example")
    totals = np.bincount(y, minlength=kinds)
    wanted = np.outer([*shares.values()], totals)  # (parts, classes)
    have, part = np.zeros_like(wanted), np.empty(len(names), int)
    for number in order[np.lexsort((y[first][order], -sizes[order]))]:
        count = np.bincount(members[number], minlength=kinds)
        lacking = have == 0
        last_chance = lacking & (count > 0) & (left <= lacking.sum(0))
        error = (have - wanted) @ (count / totals) + A_LITTLE * (have - wanted).sum(1) - A_LOT * last_chance.sum(1)
        part[number] = error.argmin()
        have[part[number]] += count
        left -= count > 0
    largest = f"{names[sizes.argmax()]} has {sizes.max():,} of {len(y):,} examples"
    refuse_uneven(have, wanted, class_names, shares, largest)
    return torch.from_numpy(part[group])


def refuse_few(counts: np.ndarray, class_names: list[str], shares: dict[str, float], what: str) -> None:
    """Raises UserError for a class of fewer examples, or groups, than there are parts."""
    few = [(int(count), name) for count, name in zip(counts, class_names, strict=True) if count < len(shares)]
    if few:
        (count, name), more = few[0], f" (so do {len(few) - 1} more of {len(class_names)})" if few[1:] else ""
        fewer = f": use dataset.folds={count} or fewer" if count > 1 else ""
        has = how_many(count, what) if count else "no examples"
        where = ", ".join(shares) if "train" in shares else f"{len(shares)} folds{fewer}"
        raise UserError(f"class {name} has {has}{more}, too few to be in each of {where}.")


def refuse_uneven(have: np.ndarray, wanted: np.ndarray, class_names: list[str], shares: dict, largest: str) -> None:
    """Raises UserError where a part lacks a class, or has less than half of its share of the examples."""
    for name, own, share in zip(shares, have, wanted, strict=True):
        lacking = [class_names[label] for label in ((own == 0) & (share > 0)).nonzero()[0]]
        has = f"no example of class {lacking[0]}" if lacking else f"{own.sum():.0f} of about {share.sum():.0f} examples"
        if lacking or own.sum() < share.sum() / 2:
            raise UserError(
                f"{name} would have {has}, since what belongs together stays together (the largest group, "
                f"{largest}): use fewer folds, or another dataset.group."
            )


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
    said = [f"{sizes[sizes > 1].sum():,} images are {(sizes > 1).sum():,}, since others are identical: kept together"]
    for what, values in (("different classes", targets.numpy()), ("the folders of different parts", parts.numpy())):
        if len(unlike := (values != values[first][number]).nonzero()[0]):
            pair = f"{names[first[number[unlike[0]]]]} and {names[unlike[0]]}"
            said.append(f"identical images are in {what}: {len(unlike):,}, such as {pair}")
    return "\n".join(said)
