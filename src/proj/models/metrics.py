"""torchmetrics classes whose updates take almost no time."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

KEPT = 100_000  # the number of logits that a `Tally` collects before it adds them to its confusion matrix


class Counts(Metric):
    """A metric whose states are int64 counts and float64 sums, whatever the dtype of the network. All begin at zero.

    `trainer.precision=bf16-true` converts all states of a model to bfloat16, in which a count cannot exceed 256.
    """

    full_state_update = False

    def _wrap_update(self, update: Callable) -> Callable:
        """What `update` becomes: torchmetrics calls this once, in __init__. It leaves out torchmetrics' own wrapper,
        which switches gradients off: here are none, and that takes half of the time."""
        own = vars(self)  # faster than assignments, which call Module.__setattr__

        def counted(*values: Tensor) -> None:
            own["_computed"], own["_update_count"] = None, own["_update_count"] + 1
            update(*values)

        return counted

    def _wrap_compute(self, compute: Callable) -> Callable:
        """What `compute` becomes: torchmetrics calls this once, in __init__. It leaves out torchmetrics' cache, which
        is never read twice, and in a single process its synchronisation as well."""
        shared = super()._wrap_compute(compute)
        can_be_several = torch.distributed.is_available()

        def computed() -> Any:
            self.settle()
            return shared() if can_be_several and torch.distributed.is_initialized() else compute()

        return computed

    def settle(self) -> None:
        """Add to the states what updates have only collected."""

    @property
    def metric_state(self) -> dict[str, Any]:
        self.settle()
        return super().metric_state

    def reset(self) -> None:
        """Set all states to zero, five times as fast as torchmetrics, which copies its defaults."""
        own = vars(self)
        for name, value in self.metric_state.items():
            own[name] = [] if isinstance(value, list) else torch.zeros_like(value)
        own["_computed"], own["_update_count"] = None, 0

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        """Move the states to the model's new device, but keep their dtypes."""
        self.settle()  # first, since what was collected is on the old device
        device = fn(torch.empty(0)).device
        sums = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        return super()._apply(lambda x: x.to(device, sums if x.is_floating_point() else x.dtype), exclude_state)


class Tally(Counts):
    """The mean loss and the confusion matrix of examples, and the metrics that follow from them.

    An update only collects the results of a batch; many batches are counted at once, later.
    by_class: whether to measure balanced accuracy and macro F1 as well, and for two classes the area under the ROC
        curve and the average precision, for which the score of every example is kept.
    positive: of two classes, the index of the one whose average precision is measured.
    """

    positive = 1

    def __init__(self, num_classes: int, by_class: bool = True) -> None:
        super().__init__()
        self.num_classes, self.by_class, self.keeps_scores = num_classes, by_class, by_class and num_classes == 2
        if self.keeps_scores:
            self.add_state("scores", [], dist_reduce_fx="cat")
            self.add_state("targets", [], dist_reduce_fx="cat")
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("confusion", torch.zeros(num_classes**2, dtype=torch.long), dist_reduce_fx="sum")
        self.losses: list[tuple[Tensor, int]] = []  # (mean loss, size) of batches that are not in `loss` yet
        self.answers: list[tuple[Tensor, Tensor]] = []  # (logits, classes) of batches that are not in `confusion` yet

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """loss: the mean over the batch. logits: (B, num_classes). y: (B,). All without gradients."""
        if size := y.shape[0]:  # a process may have no example of a small last batch, and its mean loss is NaN then
            self.losses.append((loss, size))
        self.answers.append((logits, y))
        if len(self.answers) * logits.numel() > KEPT:
            self.count_answers()

    def settle(self) -> None:
        if self.losses:
            losses, sizes = zip(*self.losses, strict=True)
            total = self.loss.item()
            for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
                total += loss * size  # one by one, so that the sum has the same bits if a checkpoint comes in between
            self.loss.fill_(total)
            self.losses.clear()
        self.count_answers()

    def count_answers(self) -> None:
        """Add the collected answers to the confusion matrix, without waiting for the device."""
        if not self.answers:
            return
        logits, y = map(torch.cat, zip(*self.answers, strict=True))
        self.answers.clear()
        if self.keeps_scores:
            self.scores.append(logits[:, 1] - logits[:, 0])
            self.targets.append(y)
        cells = torch.add(logits.argmax(1), y, alpha=self.num_classes)
        self.confusion.index_add_(0, cells, torch.ones_like(cells))

    def compute(self) -> dict[str, Any]:
        """The metrics by name, and "confusion", (num_classes, num_classes), whose rows are the true classes.

        A few sums are moved to Python at once, where a division takes less time than one call of torch.
        """
        confusion = self.confusion.view(self.num_classes, self.num_classes)
        sums = torch.stack([confusion.diagonal(), confusion.sum(1), confusion.sum(0)])
        correct, of_class, answered = sums.tolist()
        total = sum(of_class)
        results = {"loss": ratio(self.loss.item(), total), "acc": ratio(sum(correct), total), "confusion": confusion}
        if self.by_class:  # means over the classes that occurred (for F1, that occurred or were predicted)
            each = list(zip(correct, of_class, answered, strict=True))
            results["balanced_acc"] = mean([right / count for right, count, _ in each if count])
            results["macro_f1"] = mean([2 * right / (count + said) for right, count, said in each if count + said])
        if self.keeps_scores:
            scores = dim_zero_cat(self.scores)
            is_positive = dim_zero_cat(self.targets) == self.positive
            auc, ap = areas_under_curves(scores if self.positive else -scores, is_positive).tolist()
            results |= {} if math.isnan(auc) else {"auc": auc, "ap": ap}
        return results


def ratio(part: float, whole: float) -> float:
    """part / whole, or NaN if `whole` is 0."""
    return part / whole if whole else math.nan


def mean(values: list[float]) -> float:
    """The mean, or NaN if there are no values."""
    return fmean(values) if values else math.nan


def areas_under_curves(scores: Tensor, positive: Tensor) -> Tensor:
    """(2,) the area under the ROC curve, and the average precision as scikit-learn computes it, which is the area
    under the steps of the precision-recall curve; both NaN if all examples are of one class. scores: (N,) differences
    of logits (torchmetrics uses probabilities, which a confident network rounds to 1). positive: (N,) bool."""
    scores, order = scores.sort(descending=True)
    ends = torch.cat([scores[1:] != scores[:-1], torch.ones_like(positive[:1])])
    last = ends.nonzero().flatten()  # the places of the last ones of equal scores
    called, right = last + 1, positive[order].cumsum(0)[last]  # if all up to there are called positive
    wrong = called - right
    more_right, more_wrong = (each.diff(prepend=each.new_zeros(1)) for each in (right, wrong))
    number, others = positive.sum(), (~positive).sum()
    roc = ((2 * right - more_right) * more_wrong).sum() / (2 * number * others)
    precision = (right / called * more_right).sum() / number
    return torch.stack([roc, precision.where(others > 0, math.nan)])


class EpochMeans(Counts):
    """The mean loss and accuracy over the epoch so far, from its windows (of `trainer.log_every_n_steps` batches).

    There is nothing to synchronise, since the values that it gets are already those of all processes.
    """

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)
        self.add_state("sums", torch.zeros(3, dtype=torch.float64))  # of losses, of correct answers, of examples

    def update(self, loss: float, correct: float, count: float) -> None:
        self.sums.add_(torch.tensor([loss * count, correct, count], dtype=self.sums.dtype, device=self.sums.device))

    def compute(self) -> dict[str, float]:
        loss, correct, count = self.sums.tolist()
        return {"train/loss": ratio(loss, count), "train/acc": ratio(correct, count)}


def confusion_of(targets: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """(C, C) int64, how many examples of each true class, in rows, were taken for each class. targets, predicted: (N,)
    int64."""
    return torch.bincount(targets * classes + predicted, minlength=classes**2).view(classes, classes)


def accuracy_per_class(confusion: Tensor, names: Sequence[str]) -> dict[str, float | None]:
    """The share of each class's examples that is classified correctly; None for a class without examples.
    confusion: see `confusion_of`. names: of the classes."""
    shares = (confusion.diagonal() / confusion.sum(1)).tolist()
    return {name: None if math.isnan(share) else share for name, share in zip(names, shares, strict=True)}
