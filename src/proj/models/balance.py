"""Handles classes of unequal size: a loss in which all classes count equally, and warnings."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from proj.config.monitors import BY_CLASS
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError
from proj.wording import first_of, how_many

CANNOT_WEIGH = "balance=loss weighs each example, which model.loss cannot: use balance=sampling."
UNEQUAL = 10  # the ratio of the largest class to the smallest from which on a warning is given
FEW = 3  # a class with fewer validation or test examples than this is remarked on


class WeightedLoss:
    """The mean over a batch of each example's loss times the weight of its class: all classes count equally, and the
    mean weight of the training examples is 1.

    torch's own class weights have two flaws: they also multiply the part of label smoothing that falls to the other
    classes, which dominates the loss if a class is tiny; and they cancel out in a batch of a single class.
    counts: (num_classes,) training examples. Raises UserError if `loss` cannot return the loss of each example.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], counts: Tensor) -> None:
        if getattr(loss, "reduction", None) != "mean":
            raise UserError(CANNOT_WEIGH)
        self.loss_of_each = copy.copy(loss)
        self.loss_of_each.reduction = "none"
        self.weights = (counts.sum() / ((counts > 0).sum() * counts)).where(counts > 0, 0.0)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """logits: (B, num_classes). y: (B,) classes, or (B, num_classes) shares of the classes. Returns a scalar."""
        self.weights = self.weights.to(logits.device)
        weights = y.float() @ self.weights if y.is_floating_point() else self.weights[y]
        losses = self.loss_of_each(logits, y)
        if losses.shape != weights.shape:  # a loss of the user's own that does not heed its `reduction`
            raise UserError(CANNOT_WEIGH)
        return (losses * weights).mean()


def note_on_equal_sizes(config: Mapping[str, Any]) -> list[str]:
    """A line on a model that was trained as if all classes had the same size, so that its probabilities are of such
    classes. config: the configuration in its checkpoint."""
    balance = config.get("balance", "none")  # missing in checkpoints of versions before this setting
    if balance == "none":
        return []
    return [f"The probabilities are those of classes of equal size, since balance={balance} trained the model so."]


def weights_to_equal_sizes(targets: Tensor, config: Mapping[str, Any]) -> Tensor | float:
    """(N,) float64, with a mean of 1: weights with which all classes of the targets (N,) count equally; 1.0 if a model
    was not trained so. config: see `note_on_equal_sizes`."""
    if not note_on_equal_sizes(config):
        return 1.0
    _, places, counts = targets.unique(return_inverse=True, return_counts=True)
    return len(targets) / (len(counts) * counts[places].double())


def class_counts(data: InMemoryDataModule, part: str = "train") -> Tensor:
    """(num_classes,) int64, the number of examples of each class in a part."""
    return data.splits[part].targets.cpu().bincount(minlength=data.num_classes)


def classes_without_examples(data: InMemoryDataModule) -> list[str]:
    """A warning for each part that lacks classes, which may happen if it is a file or folder of its own."""
    lines = []
    for part in data.splits:
        counts = class_counts(data, part).tolist()
        if absent := [name for name, count in zip(data.class_names, counts, strict=True) if not count]:
            lines.append(f"{part} has no example of {how_many(len(absent), 'class')}: {first_of(absent, 10)}")
    return lines


def few_to_measure(data: InMemoryDataModule, has_folds: bool) -> list[str]:
    """A remark on classes with only one or two validation or test examples. There is none with folds, since these are
    measured together. has_folds: whether the data has the setting dataset.folds."""
    counts = {part: class_counts(data, part).tolist() for part in data.splits}
    few = [at for at in range(data.num_classes) if any(0 < counts[part][at] < FEW for part in ("val", "test"))]
    if not few or data.fold:
        return []
    named = [f"{data.class_names[at]} (val {counts['val'][at]}, test {counts['test'][at]})" for at in few]
    folds = min(5, *(sum(counts[part][at] for part in counts) for at in few))
    cure = f", or test on all in turn with -m dataset.folds={folds}" if has_folds and folds > 2 else ""
    return [
        f"few examples to be measured by: {first_of(named, 10)}. The figures of such a class, and an epoch or a "
        f"threshold chosen by them, say little: add examples of it{cure}"
    ]


def inequality(counts: Tensor, names: list[str]) -> str | None:
    """A warning if the largest class of the training set is UNEQUAL times as large as the smallest that has examples;
    else None."""
    pairs = [pair for pair in zip(counts.tolist(), names, strict=True) if pair[0]]
    (fewest, rare), (most, frequent) = min(pairs), max(pairs)
    if most < UNEQUAL * fewest:
        return None
    return (
        f"class {frequent} has {most:,} training examples, class {rare} {fewest:,}: balance=loss or balance=sampling "
        "makes all classes count equally, and so does monitor=val/balanced_acc"
    )


def single_answer(confusion: Tensor, names: list[str], config: Mapping) -> str | None:
    """A warning if a model predicts one class for examples of several: for all, or for 99 % while its accuracy does not
    exceed the largest class's share; else None. config: its training's, so that settings in use are not advised."""
    there, said = confusion.sum(1), confusion.sum(0)  # the number of examples by true class, and by predicted class
    sizes = there[there > 0]
    if len(sizes) < 2:
        return None
    is_single = (said > 0).sum() == 1
    nearly = said.max() >= 0.99 * said.sum() and confusion.diagonal().sum() <= sizes.max()
    if not is_single and not nearly:
        return None
    all_of = "all" if is_single else f"{said.max():,} of"
    unequal = sizes.max() > 2 * sizes.min()
    advised = unequal and config.get("balance", "none") == "none"  # runs of older versions do not have it
    balance = "balance=loss or balance=sampling with monitor=val/balanced_acc, or " if advised else ""
    monitor = ""
    if config["monitor"] != "val/loss" and not config["monitor"].endswith(BY_CLASS):
        monitor = "monitor=val/balanced_acc, " if unequal and not advised else "monitor=val/loss, "
    return (
        f"The model predicts {names[int(said.argmax())]!r} for {all_of} {there.sum():,} examples, so that its "
        f"accuracy is no more than that class's share: try {balance}{monitor}another optimizer.lr, or more epochs."
    )
