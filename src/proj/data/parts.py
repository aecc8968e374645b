"""Which examples are the parts of the data: drawn of each class, or dealt by groups or into folds."""

import numpy as np
import torch
from torch import Tensor

from proj.data.groups import has_twins
from proj.errors import UserError, how_many

# What stays together, by the word for each: why a part is uneven, by the one of most examples, and what to do.
TOGETHER = {
    "group": "what belongs together stays together (the largest group, {} has {:,} of {:,} examples): use fewer folds, "
    "or another dataset.group",
    "different image": "identical images stay together (the most, as {}, are {:,} of {:,}): delete all but one of "
    "those that are identical, or use fewer folds",
}
A_LITTLE, A_LOT = 1e-6, 1e9  # what decides between equals only, and what decides before all else


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
    word: str = "group",
) -> dict[str, Tensor]:
    """Indices of each part that `fractions` names, drawn one after the other, and of the rest as "train".

    groups: (N,) labels; examples of one label are in the same part. fold: its number, and of how many; it becomes the
    first part, instead of a fraction. word: for what has one label, of TOGETHER.
    Raises UserError where there are no two classes, or one has too few examples to be in every part.
    """
    if len(class_names) < 2:
        raise UserError(
            f"a classifier takes two classes or more, and there is {' '.join(class_names) or 'none'} alone."
        )
    is_grouped = groups is not None and has_twins(groups)
    groups = groups if is_grouped else np.arange(len(targets))
    if fold:
        (first, _), *later = fractions.items()
        shares = {f"fold {number}": 1 / fold[1] for number in range(fold[1])}
        dealt = deal(targets, class_names, shares, seed, groups, word)
        part, rest = (dealt == fold[0]).nonzero().flatten(), (dealt != fold[0]).nonzero().flatten()
        try:
            drawn = draw_parts(targets[rest], class_names, dict(later), seed, groups[rest.numpy()], word=word)
        except UserError as error:
            raise UserError(f"beside fold {fold[0]} of {fold[1]}, {error}") from None
        return {first: part, **{name: rest[indices] for name, indices in drawn.items()}}
    if is_grouped:
        shares, left = {"train": 1.0}, 1.0
        for name, fraction in fractions.items():
            shares |= {name: left * fraction, "train": left * (1 - fraction)}
            left = shares["train"]
        dealt = deal(targets, class_names, shares, seed, groups, word)
        return {name: (dealt == place).nonzero().flatten() for place, name in enumerate(shares)}
    counts = targets.bincount(minlength=len(class_names)).numpy()
    refuse_few(counts, class_names, {"train": 1.0, **fractions}, "example")
    parts, rest = {}, torch.arange(len(targets))
    for keep, (name, fraction) in zip(range(len(fractions), 0, -1), fractions.items(), strict=True):
        left, part = stratified(targets[rest], fraction, seed, keep)
        parts[name], rest = rest[part], rest[left]
    return {"train": rest, **parts}


def deal(
    targets: Tensor,
    class_names: list[str],
    shares: dict[str, float],
    seed: int,
    groups: np.ndarray,
    word: str = "group",
) -> Tensor:
    """(N,) the place in `shares` of the part of each example: a part gets its share of every class, as near as groups
    allow, and at least one example of it.

    The largest groups are dealt first, those of a class one after the other, each to the part that lacks most of what
    the group holds; 60,000 groups take a second. scikit-learn's StratifiedGroupKFold knows no unequal parts, takes
    longer, and another version may deal otherwise, while a checkpoint is to be tested on what it has not seen.
    groups: (N,) labels; those of one label stay together. word: see `draw_parts`.
    Raises UserError where a part would lack a class, or would have less than half of its share.
    """
    y, kinds = targets.numpy(), len(class_names)
    names, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).numpy()
    members = np.split(y[group.argsort(kind="stable")], sizes.cumsum()[:-1])  # the classes in each group
    left = np.bincount(np.unique(group * kinds + y) % kinds, minlength=kinds)  # groups of a class, not yet dealt
    refuse_few(left, class_names, shares, word if sizes.max() > 1 else "example")
    totals = np.bincount(y, minlength=kinds)
    wanted = np.outer([*shares.values()], totals)  # (parts, classes)
    have, part = np.zeros_like(wanted), np.empty(len(names), int)
    for number in order[np.lexsort((y[first][order], -sizes[order]))]:
        count = np.bincount(members[number], minlength=kinds)
        lacking, too_much = have == 0, have - wanted
        # The parts that lack a class of this group, where as many lack it as there are groups of it left.
        last_chance = lacking & (count > 0) & (left <= lacking.sum(0))
        cost = too_much @ (count / totals) + A_LITTLE * too_much.sum(1) - A_LOT * last_chance.sum(1)
        part[number] = cost.argmin()
        have[part[number]] += count
        left -= count > 0
    why = TOGETHER[word].format(names[sizes.argmax()], sizes.max(), len(y))
    refuse_uneven(have, wanted, class_names, shares, f"since {why}")
    return torch.from_numpy(part[group])


def refuse_few(counts: np.ndarray, class_names: list[str], shares: dict[str, float], what: str) -> None:
    """Raises UserError for a class of fewer examples, or groups, than there are parts."""
    few = [(int(count), name) for count, name in zip(counts, class_names, strict=True) if count < len(shares)]
    if few:
        count, name = min(few)  # so that the advised number of folds fits all of them
        more = f" (one of {len(few)} such classes)" if few[1:] else ""
        folds = "train" not in shares
        where = f"{len(shares)} folds" if folds else ", ".join(shares)
        cure = f"use dataset.folds={count} or fewer" if folds and count > 1 else "add others, or take the class away"
        has = how_many(count, what) if count else "no examples"
        raise UserError(f"class {name} has {has}{more}, too few to be in each of {where}: {cure}.")


def refuse_uneven(have: np.ndarray, wanted: np.ndarray, class_names: list[str], shares: dict, why: str) -> None:
    """Raises UserError where a part lacks a class, or has less than half of its share of the examples. why: the end of
    the sentence."""
    for name, own, share in zip(shares, have, wanted, strict=True):
        lacking = [class_names[label] for label in (own == 0).nonzero()[0]]
        has = f"no example of class {lacking[0]}" if lacking else f"{own.sum():.0f} of about {share.sum():.0f} examples"
        if lacking or own.sum() < share.sum() / 2:
            raise UserError(f"{name} would have {has}, {why}.")
