"""Classes of unequal size: a loss in which they count alike, and what is said of them."""

import copy
from collections.abc import Callable, Mapping

from torch import Tensor

from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError, first_of, how_many

UNEQUAL = 10  # times as many examples of the largest class as of the smallest are worth a line


class WeightedLoss:
    """The mean over a batch of each example's loss times the weight of its class, by which all classes count alike; the
    mean weight of the training examples is 1.

    torch's own weights of classes also multiply what label smoothing gives to the other classes, which is most of the
    loss where one is tiny, and cancel out in a batch of one class.
    counts: (num_classes,) of the training examples. Raises UserError for a loss that does not tell examples apart.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], counts: Tensor) -> None:
        if getattr(loss, "reduction", None) != "mean":
            raise UserError("balance=loss weighs each example, which model.loss cannot: use balance=sampling.")
        self.loss_of_each = copy.copy(loss)
        self.loss_of_each.reduction = "none"
        self.weights = (counts.sum() / ((counts > 0).sum() * counts)).where(counts > 0, 0.0)

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """y: (B,) classes, or (B, num_classes) their shares."""
        self.weights = self.weights.to(logits.device)
        weights = y.float() @ self.weights if y.is_floating_point() else self.weights[y]
        return (self.loss_of_each(logits, y) * weights).mean()


def class_counts(data: InMemoryDataModule, part: str = "train") -> Tensor:
    """(num_classes,) how many examples of a part each class has."""
    return data.splits[part].targets.cpu().bincount(minlength=data.num_classes)


def classes_without_examples(data: InMemoryDataModule) -> list[str]:
    """A line for each part that lacks classes, as a file or folder for the test may."""
    lines = []
    for part in data.splits:
        counts = class_counts(data, part).tolist()
        if absent := [name for name, count in zip(data.class_names, counts, strict=True) if not count]:
            lines.append(f"{part} has no example of {how_many(len(absent), 'class')}: {first_of(absent, 10)}")
    return lines


def inequality(counts: Tensor, names: list[str]) -> str | None:
    """A line for a training set whose largest class is UNEQUAL times its smallest; None for any other."""
    pairs = list(zip(counts.tolist(), names, strict=True))
    (fewest, rare), (most, frequent) = min(pairs), max(pairs)
    if most < UNEQUAL * max(fewest, 1):
        return None
    return (
        f"class {frequent} has {most:,} training examples and {rare} {fewest:,}: balance=loss or balance=sampling has "
        "all classes count alike, and monitor=val/balanced_acc measures it"
    )


def single_answer(confusion: Tensor, names: list[str], config: Mapping) -> str | None:
    """A sentence for a model that calls examples of several classes all the same, or all but one of a hundred while it
    is no more often right than if it did; None for any other. config: of its training, which is not advised again."""
    there, said = confusion.sum(1), confusion.sum(0)  # examples by their right class, and by what they are called
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
    monitor = "monitor=val/loss, " if config["monitor"] != "val/loss" else ""
    return (
        f"The model calls {all_of} {there.sum():,} examples {names[int(said.argmax())]!r}, so that its accuracy is no "
        f"more than that class's share: try {balance}{monitor}another optimizer.lr, or more epochs."
    )
