"""Metrics that cost a step next to nothing."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

KEPT = 100_000  # logits that a `Tally` keeps before it counts the answers


class Counts(Metric):
    """A metric of whole numbers and of float64 sums, whatever numbers the network computes in. All begin at zero.

    `trainer.precision=bf16-true` converts all that a model holds to bfloat16, in which a count ends at 256.
    """

    full_state_update = False

    def _wrap_update(self, update: Callable) -> Callable:
        """Without the half of an update's time in which torchmetrics switches the gradients off: there are none."""
        own = vars(self)  # assigning to a module takes longer

        def counted(*values: Tensor) -> None:
            own["_computed"], own["_update_count"] = None, own["_update_count"] + 1
            update(*values)

        return counted

    def _wrap_compute(self, compute: Callable) -> Callable:
        """Without its cache, which nobody asks twice, and, in a process alone, without asking for others."""
        shared = super()._wrap_compute(compute)
        can_be_several = torch.distributed.is_available()

        def computed() -> Any:
            self.settle()
            return shared() if can_be_several and torch.distributed.is_initialized() else compute()

        return computed

    def settle(self) -> None:
        """Bring into the state what updates have put off."""

    @property
    def metric_state(self) -> dict[str, Any]:
        self.settle()
        return super().metric_state

    def reset(self) -> None:
        """Begin at zero again, in a fifth of the time that torchmetrics takes to copy its defaults."""
        own = vars(self)
        for name, value in self.metric_state.items():
            own[name] = [] if isinstance(value, list) else torch.zeros_like(value)
        own["_computed"], own["_update_count"] = None, 0

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        """Go to the device to which the model goes, and keep the kinds of numbers."""
        self.settle()  # on the device of the results
        device = fn(torch.empty(0)).device
        sums = torch.float32 if device.type == "mps" else torch.float64  # which Apple's GPUs do not have
        return super()._apply(lambda x: x.to(device, sums if x.is_floating_point() else x.dtype), exclude_state)


class Tally(Counts):
    """Loss and confusion matrix over examples.

    An update only keeps what a batch has given; many batches are counted at once, when the figures are asked for.
    by_class: whether to measure also the figures in which all classes weigh alike, and of two classes the area under
        the curve, for which every example's score is kept.
    """

    def __init__(self, num_classes: int, by_class: bool = True) -> None:
        super().__init__()
        self.num_classes, self.by_class, self.keeps_scores = num_classes, by_class, by_class and num_classes == 2
        if self.keeps_scores:
            self.add_state("scores", [], dist_reduce_fx="cat")
            self.add_state("targets", [], dist_reduce_fx="cat")
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("confusion", torch.zeros(num_classes**2, dtype=torch.long), dist_reduce_fx="sum")
        self.losses: list[tuple[Tensor, int]] = []  # of batches that `loss` does not have yet, with their sizes
        self.answers: list[tuple[Tensor, Tensor]] = []  # logits and classes that `confusion` does not have yet

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """loss: mean over the batch; logits: (B, num_classes); y: (B,). No gradients."""
        if size := y.shape[0]:  # none where several processes share out a small last batch; the mean of none is NaN
            self.losses.append((loss, size))
        self.answers.append((logits, y))
        if len(self.answers) * logits.numel() > KEPT:
            self.count_answers()

    def settle(self) -> None:
        if self.losses:
            losses, sizes = zip(*self.losses, strict=True)
            total = self.loss.item()
            for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
                total += loss * size  # one after the other: the same sum wherever a checkpoint comes between
            self.loss.fill_(total)
            self.losses.clear()
        self.count_answers()

    def count_answers(self) -> None:
        """Count the answers that were kept. Nothing waits for the device."""
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
        """The figures, and the `confusion` matrix (num_classes, num_classes), a row for each right class.

        A handful of sums goes to Python at once, which divides them faster than torch calls a function.
        """
        confusion = self.confusion.view(self.num_classes, self.num_classes)
        sums = torch.stack([confusion.diagonal(), confusion.sum(1), confusion.sum(0)])
        correct, of_class, answered = sums.tolist()
        total = sum(of_class)
        results = {"loss": ratio(self.loss.item(), total), "acc": ratio(sum(correct), total), "confusion": confusion}
        if self.by_class:  # the mean of the classes that came, or were answered
            each = list(zip(correct, of_class, answered, strict=True))
            results["balanced_acc"] = mean([right / count for right, count, _ in each if count])
            results["macro_f1"] = mean([2 * right / (count + said) for right, count, said in each if count + said])
        if self.keeps_scores:
            auc = area_under_curve(dim_zero_cat(self.scores), dim_zero_cat(self.targets) == 1).item()
            results |= {} if math.isnan(auc) else {"auc": auc}
        return results


def ratio(part: float, whole: float) -> float:
    """NaN where there is no whole."""
    return part / whole if whole else math.nan


def mean(values: list[float]) -> float:
    """NaN of no values."""
    return fmean(values) if values else math.nan


def area_under_curve(scores: Tensor, positive: Tensor) -> Tensor:
    """The exact area under the ROC curve, from logits: torchmetrics takes probabilities, of which a sure network's are
    all 1. NaN where all examples are of one class. scores: (N,). positive: (N,) bool."""
    _, place, count = scores.unique(return_inverse=True, return_counts=True)
    ranks = count.cumsum(0) - (count - 1) / 2  # from 1, the mean of equal scores
    number = positive.sum()
    wins = ranks[place][positive].double().sum() - number * (number + 1) / 2
    return (wins / (number * (~positive).sum())).float()


class EpochMeans(Counts):
    """Loss and accuracy over an epoch's windows (of `trainer.log_every_n_steps` batches) up to now.

    The figures that it is given are those of all processes already.
    """

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)
        self.add_state("sums", torch.zeros(3, dtype=torch.float64))  # of losses, of right answers, of examples

    def update(self, loss: float, correct: float, count: float) -> None:
        self.sums.add_(torch.tensor([loss * count, correct, count], dtype=self.sums.dtype, device=self.sums.device))

    def compute(self) -> dict[str, float]:
        loss, correct, count = self.sums.tolist()
        return {"train/loss": ratio(loss, count), "train/acc": ratio(correct, count)}
