"""Folds and groups: what belongs together is on one side, and every example is in exactly one test part."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.runs import ready

import proj.config
from proj.data.datamodule import draw_parts
from proj.data.folds import joined
from proj.errors import UserError

FRACTIONS = {"test": 0.15, "val": 0.15}


def some_table(random: np.random.Generator) -> tuple[torch.Tensor, list[str], np.ndarray | None]:
    """Classes and groups of 12 to 300 rows: of few and many classes, even and not, in groups of any size or none."""
    size, kinds = int(random.integers(12, 300)), int(random.integers(2, 6))
    shares = random.dirichlet(np.ones(kinds) * random.choice([1, 10]))
    targets = torch.from_numpy(random.choice(kinds, size, p=shares))
    how = random.integers(4)
    if how == 0:
        return targets, [*"abcdef"[:kinds]], None
    groups = random.integers(0, max(2, size // random.integers(1, 9)), size)
    if how == 1:  # twins among rows that stand alone
        groups = np.where(random.random(size) < 0.1, groups, size + np.arange(size))
    if how == 2:  # a group has one class mostly
        groups = groups * kinds + targets.numpy()
    return targets, [*"abcdef"[:kinds]], groups.astype(str)


def faults(targets, names, groups, folds: int) -> str | None:
    """What is wrong with the folds and the plain split of a table; "refused" where there are none, None for nothing."""
    try:
        dealt = [draw_parts(targets, names, FRACTIONS, 0, groups, (fold, folds)) for fold in range(folds)]
        plain = draw_parts(targets, names, FRACTIONS, 0, groups)
    except UserError as error:
        assert "\n" not in str(error) and str(error).endswith("."), error
        return "refused"
    tested = torch.cat([parts["test"] for parts in dealt])
    if sorted(tested.tolist()) != [*range(len(targets))]:
        return "a row is in no test part, or in two"
    for parts in (*dealt, plain):
        if sorted(torch.cat([*parts.values()]).tolist()) != [*range(len(targets))]:
            return "the parts are not the whole"
        if groups is not None and max(Counter(g for p in parts.values() for g in set(groups[p])).values()) > 1:
            return "a group is in two parts"
        if any((targets[part].bincount(minlength=len(names)) == 0).any() for part in parts.values()):
            return "a part lacks a class"
    counts = torch.stack([targets[parts["test"]].bincount(minlength=len(names)) for parts in dealt])
    sizes = counts.sum(1)
    if groups is None and ((counts.max(0).values - counts.min(0).values).max() > 1 or sizes.max() - sizes.min() > 1):
        return "folds of single rows are uneven"
    return None


def look_at_tables(count: int, seed: int = 0) -> Counter:
    random = np.random.default_rng(seed)
    return Counter(faults(*some_table(random), int(random.integers(2, 8))) for _ in range(count))


def test_no_group_is_in_two_parts_and_every_row_is_in_one_test_part():
    found = look_at_tables(150)
    assert found.keys() <= {None, "refused"} and found[None] > 60, found


@pytest.mark.slow
def test_ten_thousand_tables_have_no_group_in_two_parts_and_every_row_in_one_test_part():
    found = look_at_tables(10_000, seed=1)
    assert found.keys() <= {None, "refused"} and found[None] > 5_000, found
