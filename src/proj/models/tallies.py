"""Metrics that cost a step next to nothing."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import Metric


class Counts(Metric):
    """A metric of whole numbers and of float64 sums, whatever numbers the network computes in.

    `trainer.precision=bf16-true` converts all that a model holds to bfloat16, in which a count ends at 256.
    """

    full_state_update = False

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        """Go to the device to which the model goes, and keep the kinds of numbers."""
        device = fn(torch.empty(0)).device
        sums = torch.float32 if device.type == "mps" else torch.float64  # which Apple's GPUs do not have
        return super()._apply(lambda x: x.to(device, sums if x.is_floating_point() else x.dtype), exclude_state)


class Tally(Counts):
    """Loss and confusion matrix over examples, from one cheap update a batch.

    50 µs a batch of 64 where torchmetrics' MeanMetric and two accuracies take 386, in steps of 500.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("confusion", torch.zeros(num_classes**2, dtype=torch.long), dist_reduce_fx="sum")
        self.register_buffer("one", torch.ones((), dtype=torch.long), persistent=False)

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """loss: mean over the batch; logits: (B, num_classes); y: (B,)."""
        if not len(y):  # where several processes share out a small last batch; the mean of none is NaN
            return
        self.loss.add_(loss, alpha=len(y))
        cells = torch.add(logits.argmax(1), y, alpha=self.num_classes)
        self.confusion.index_add_(0, cells, self.one.expand(len(y)))

    def compute(self) -> dict[str, Tensor]:
        confusion = self.confusion.view(self.num_classes, self.num_classes)  # rows: the right classes
        count, correct = confusion.sum(1), confusion.diagonal()
        total, sums = count.sum(), self.loss.dtype
        return {
            "loss": (self.loss / total).float(),
            "acc": (correct.sum().to(sums) / total).float(),
            "acc_per_class": (correct.to(sums) / count).float(),  # (num_classes,), NaN for a class that never came
            "count": total,
            "confusion": confusion,
        }


class EpochMeans(Counts):
    """Loss and accuracy over an epoch's windows (of `trainer.log_every_n_steps` batches) up to now.

    The figures that it is given are those of all processes already.
    """

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)
        self.add_state("sums", torch.zeros(3, dtype=torch.float64))  # of losses, of right answers, of examples

    def update(self, loss: Tensor, correct: Tensor, count: Tensor) -> None:
        self.sums += torch.stack([one.to(self.sums.dtype) for one in (loss * count, correct, count)])

    def compute(self) -> dict[str, Tensor]:
        loss, correct, count = self.sums
        return {"train/loss": (loss / count).float(), "train/acc": (correct / count).float()}
