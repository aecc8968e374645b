"""Splits examples into training, validation and test parts, or into folds: stratified by class, and by group."""

import numpy as np
import torch
from torch import Tensor

from proj.data.groups import has_duplicates
from proj.errors import UserError
from proj.wording import how_many

# The end of a message on uneven parts, by the word for what stays together; the braces name the largest group.
TOGETHER = {
    "group": "what belongs together stays together (the largest group, {} has {:,} of {:,} examples): use fewer folds, "
    "or another dataset.group",
    "different image": "identical images stay together (the most, as {}, are {:,} of {:,}): delete all but one of "
    "those that are identical, or use fewer folds",
}
TIE_BREAK, ABOVE_ALL = 1e-6, 1e9  # weights of a cost that only decides between equals, and of one that comes first


def stratified(targets: Tensor, fraction: float, seed: int, keep: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (rest, part), both ascending: `part` holds a random `fraction` of every class, drawn with `seed`.

    keep: if not 0, `part` holds at least one example of every class, and `rest` at least `keep`.
    """
    refuse_no_indices(targets)
    generator = torch.Generator().manual_seed(seed)
    part = torch.zeros(len(targets), dtype=torch.bool)
    sizes = targets.bincount()
    for members in targets.argsort(stable=True).split(sizes[sizes > 0].tolist()):  # the examples of one class
        count = round(len(members) * fraction)
        if keep:
            count = min(max(count, 1), len(members) - keep)
        chosen = torch.randperm(len(members), generator=generator)[:count]
        part[members[chosen]] = True
    return (~part).nonzero().flatten(), part.nonzero().flatten()


def refuse_no_indices(targets: Tensor) -> None:
    """Raises UserError if targets, which users' own datamodules also give, are no indices of classes."""
    if not isinstance(targets, Tensor):
        raise UserError(f"the classes to divide are a tensor of whole numbers from 0, and no {type(targets).__name__}.")
    countable = targets.ndim == 1 and not targets.is_floating_point() and targets.dtype != torch.bool
    if not countable or (len(targets) and targets.min() < 0):
        given = f"{tuple(targets.shape)} in {targets.dtype}".replace("torch.", "")
        given = f"as low as {targets.min()}" if countable else given
        raise UserError(f"the classes to divide are whole numbers from 0, one for each example, and not {given}.")


def draw_parts(
    targets: Tensor,
    class_names: list[str],
    fractions: dict[str, float],
    seed: int,
    groups: np.ndarray | None = None,
    fold: tuple[int, int] | None = None,
    word: str = "group",
) -> dict[str, Tensor]:
    """The indices of each part in `fractions`, drawn one after the other from what is left, and of the rest as "train".

    groups: (N,) labels; examples with equal labels are in the same part. word: what a label stands for, see TOGETHER.
    fold: (its number, the number of folds); this fold becomes the first part, whose fraction is not used.
    Raises UserError for fewer than two classes, and for a class that has too few examples to be in every part.
    """
    refuse_no_indices(targets)
    if len(class_names) < 2:
        only = f"only {class_names[0]}" if class_names else "none"
        raise UserError(f"a classifier needs at least two classes, and there is {only}.")
    is_grouped = groups is not None and has_duplicates(groups)
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
    # `keep`: so many examples of each class must be left, one for each part still to be drawn, and one for training.
    for keep, (name, fraction) in zip(range(len(fractions), 0, -1), fractions.items(), strict=True):
        left, part = stratified(targets[rest], fraction, seed, keep)
        parts[name], rest = rest[part], rest[left]
    return {"train": rest, **parts}


def deal(
    targets: Tensor, class_names: list[str], shares: dict[str, float], seed: int, groups: np.ndarray, word: str
) -> Tensor:
    """(N,) for each example the index in `shares` of its part. A part gets its share of every class, as exactly as the
    groups allow, and at least one example of each.

    The algorithm is greedy: the largest groups come first (of equally large ones, those of one class together), and
    each goes to the part that lacks most of its classes; 60,000 groups take a second. scikit-learn's
    StratifiedGroupKFold has no unequal parts, is slower, and may split differently in another version, so that a
    checkpoint might be tested on examples that it was trained on.
    groups, word: see `draw_parts`. Raises UserError if a part would lack a class, or have less than half its share.
    """
    y, kinds = targets.numpy(), len(class_names)
    names, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).numpy()
    members = np.split(y[group.argsort(kind="stable")], sizes.cumsum()[:-1])  # the classes in each group
    left = np.bincount(np.unique(group * kinds + y) % kinds, minlength=kinds)  # by class, the groups not yet dealt
    refuse_few(left, class_names, shares, word if sizes.max() > 1 else "example")
    totals = np.bincount(y, minlength=kinds)
    wanted = np.outer([*shares.values()], totals)  # (parts, classes)
    have, part = np.zeros_like(wanted), np.empty(len(names), int)
    for number in order[np.lexsort((y[first][order], -sizes[order]))]:
        count = np.bincount(members[number], minlength=kinds)
        lacking, too_much = have == 0, have - wanted
        # If a class has only as many groups left as there are parts that lack it, one of these parts must get this one.
        last_chance = lacking & (count > 0) & (left <= lacking.sum(0))
        # Else the part that lacks most of the group's classes gets it, and of equal parts the one that lacks most.
        cost = too_much @ (count / totals) + TIE_BREAK * too_much.sum(1) - ABOVE_ALL * last_chance.sum(1)
        part[number] = cost.argmin()
        have[part[number]] += count
        left -= count > 0
    why = TOGETHER[word].format(names[sizes.argmax()], sizes.max(), len(y))
    refuse_uneven(have, wanted, class_names, shares, f"since {why}")
    return torch.from_numpy(part[group])


def refuse_few(counts: np.ndarray, class_names: list[str], shares: dict[str, float], what: str) -> None:
    """Raises UserError if a class has fewer examples (or groups, as `what` says) than there are parts. counts: (C,)."""
    few = [(int(count), name) for count, name in zip(counts, class_names, strict=True) if count < len(shares)]
    if few:
        count, name = min(few)  # so that the advised number of folds fits all of them
        more = f" (one of {len(few)} such classes)" if few[1:] else ""
        folds = "train" not in shares
        where = f"{len(shares)} folds" if folds else ", ".join(shares)
        cure = f"use dataset.folds={count} or fewer" if folds and count > 1 else "add examples, or remove the class"
        has = how_many(count, what) if count else "no examples"
        raise UserError(f"class {name} has {has}{more}, too few to be in each of {where}: {cure}.")


def refuse_uneven(have: np.ndarray, wanted: np.ndarray, class_names: list[str], shares: dict, why: str) -> None:
    """Raises UserError if a part lacks a class, or has less than half of its share of the examples. have, wanted: the
    examples (parts, classes) that a part has and should have. why: the end of the message."""
    for name, own, share in zip(shares, have, wanted, strict=True):
        lacking = [class_names[label] for label in (own == 0).nonzero()[0]]
        has = f"no example of class {lacking[0]}" if lacking else f"{own.sum():.0f} of about {share.sum():.0f} examples"
        if lacking or own.sum() < share.sum() / 2:
            raise UserError(f"{name} would have {has}, {why}.")
