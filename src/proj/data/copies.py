"""Warns of test or validation examples that have the same inputs as a training example."""

from collections.abc import Mapping

import torch
from torch import Tensor

from proj.data.loaded import Split
from proj.wording import agree, how_many

# A test row that equals a training row is taken for a copy if chance alone gives fewer such training rows than this. In
# a table of a few columns of words, nearly all rows have equals. SAMPLE: the training rows from which chance is known.
SURPRISING, SAMPLE = 0.01, 10_000
FEW = 100  # of large examples, so many inputs or groups of inputs


def marks_of(inputs: Tensor) -> Tensor:
    """(N,) int64, a hash of each row of inputs (N, F) float32; different rows collide with a probability of 2⁻⁶⁴."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (inputs.shape[1],), generator=generator)
    some = inputs.split(max(1, 10_000_000 // inputs.shape[1]))  # which limits the memory that is taken
    return torch.cat([rows.contiguous().view(torch.int32).long() @ factors for rows in some])


def describe_overlap(parts: Mapping[str, Split]) -> list[str]:
    """`describe_copies` for the test or else the validation part of data of one's own, whose inputs have any shape. To
    save time with large examples, a few inputs of each are compared first."""
    if not all(isinstance(split.inputs, Tensor) and is_plain(split.inputs) for split in parts.values()):
        return []
    for part, name in (("test", "test example"), ("val", "validation example")):
        train, others = (parts[one].inputs.reshape(len(parts[one].targets), -1) for one in ("train", part))
        some = slice(None, None, train.shape[1] // FEW + 1)
        there = torch.isin(marks_of(others[:, some].float()), marks_of(train[:, some].float()))
        if 10 * int(there.sum()) < len(others):
            continue
        widths = [len(chunk) for chunk in torch.arange(train.shape[1]).chunk(FEW)]
        if said := describe_copies(train.float(), others.float(), widths, name):
            return said
    return []


def is_plain(inputs: Tensor) -> bool:
    """Whether `describe_overlap` can compare these inputs."""
    is_exact = inputs.dtype in (torch.float32, torch.uint8)
    return is_exact and inputs.layout == torch.strided and inputs.is_cpu and inputs.numel() > 0


def describe_copies(train: Tensor, test: Tensor, widths: list[int], what: str = "test row") -> list[str]:
    """A warning if a tenth or more of the test rows have the same inputs as a training row, and not by chance. Both:
    (N, F) float32. widths: the number of inputs of each column, F in all. what: a row is called so."""
    there = torch.isin(marks_of(test), marks_of(train))
    if 10 * int(there.sum()) < len(test):
        return []
    some = train[:: max(1, len(train) // SAMPLE)]
    copies = int((twins_by_chance(test[there], some, widths) * len(train) < SURPRISING).sum())
    if 10 * copies < len(test):
        return []
    have = agree(copies, "has", "have")
    delete = agree(copies, "it is a copy, delete it", "they are copies, delete them")
    said = f"{copies:,} of {how_many(len(test), what)} {have} the same inputs as a training {what.split()[-1]}"
    return [f"{said}: if {delete}, since the network has already seen the answers"]


def twins_by_chance(rows: Tensor, among: Tensor, widths: list[int]) -> Tensor:
    """(B,) float64, how probable each of these rows (B, F) is, if every column is drawn by itself from those of the
    rows `among` (N, F): the product of how often each of its cells occurs there, at least once."""
    chance = torch.ones(len(rows), dtype=torch.float64)
    for inputs, others in zip(rows.split(widths, 1), among.split(widths, 1), strict=True):
        cells, (values, counts) = marks_of(inputs), marks_of(others).unique(return_counts=True)
        place = torch.searchsorted(values, cells).clamp(max=len(values) - 1)
        chance *= counts[place].where(values[place] == cells, 1) / len(among)
    return chance
