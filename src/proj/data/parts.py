"""Which examples are the parts of the data: drawn of each class, by groups, or dealt into folds."""

import numpy as np
import torch
from torch import Tensor

from proj.data.folds import deal, has_twins, refuse_few
from proj.errors import UserError


def stratified(targets: Tensor, fraction: float, seed: int, keep: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (rest, part): `part` holds `fraction` of every class, drawn with `seed`; both ascending.

    keep: where it is not 0, `part` holds at least one example of every class, and `rest` at least so many.
    """
    generator = torch.Generator().manual_seed(seed)
    part = torch.zeros(len(targets), dtype=torch.bool)
    sizes = targets.bincount()
    for members in targets.argsort(stable=True).split(sizes[sizes > 0].tolist()):  # of each class
        count = round(len(members) * fraction)
        if keep:
            count = min(max(count, 1), len(members) - keep)
        chosen = torch.randperm(len(members), generator=generator)[:count]
        part[members[chosen]] = True
    return (~part).nonzero().flatten(), part.nonzero().flatten()


def draw_parts(
    targets: Tensor,
    class_names: list[str],
    fractions: dict[str, float],
    seed: int,
    groups: np.ndarray | None = None,
    fold: tuple[int, int] | None = None,
) -> dict[str, Tensor]:
    """Indices of each part that `fractions` names, drawn one after the other, and of the rest as "train".

    groups: (N,) labels; examples of one label are in the same part. fold: its number, and of how many; it becomes the
    first part, instead of a fraction.
    Raises UserError where there are no two classes, or one has too few examples to be in every part.
    """
    if len(class_names) < 2:
        raise UserError(
            f"a classifier takes two classes or more, and there is {' '.join(class_names) or 'none'} alone."
        )
    if groups is not None and not has_twins(groups):
        groups = None
    if fold:
        (first, _), *later = fractions.items()
        shares = {f"fold {number}": 1 / fold[1] for number in range(fold[1])}
        dealt = deal(targets, class_names, shares, seed, np.arange(len(targets)) if groups is None else groups)
        part, rest = (dealt == fold[0]).nonzero().flatten(), (dealt != fold[0]).nonzero().flatten()
        others = None if groups is None else groups[rest.numpy()]
        try:
            drawn = draw_parts(targets[rest], class_names, dict(later), seed, others)
        except UserError as error:
            raise UserError(f"beside fold {fold[0]} of {fold[1]}, {error}") from None
        return {first: part, **{name: rest[indices] for name, indices in drawn.items()}}
    if groups is not None:
        shares, left = {"train": 1.0}, 1.0
        for name, fraction in fractions.items():
            shares |= {name: left * fraction, "train": left * (1 - fraction)}
            left = shares["train"]
        dealt = deal(targets, class_names, shares, seed, groups)
        return {name: (dealt == place).nonzero().flatten() for place, name in enumerate(shares)}
    counts = targets.bincount(minlength=len(class_names)).numpy()
    refuse_few(counts, class_names, {"train": 1.0, **fractions}, "example")
    parts, rest = {}, torch.arange(len(targets))
    for keep, (name, fraction) in zip(range(len(fractions), 0, -1), fractions.items(), strict=True):
        left, part = stratified(targets[rest], fraction, seed, keep)
        parts[name], rest = rest[part], rest[left]
    return {"train": rest, **parts}
