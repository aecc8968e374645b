"""What becomes of a network's logits: the mean over small changes of an image, probabilities one can trust, a class."""

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from proj.errors import UserError


def check_outputs(outputs: Tensor, classes: int) -> None:
    """Raises UserError where a network of one's own does not give a number for each class."""
    if outputs.shape[-1] != classes:
        raise UserError(
            f"the network gives numbers of the shape {tuple(outputs.shape)} for a batch, and there are {classes} "
            f"classes: it should give a logit for each, (batch, {classes})."
        )


def augmented_logits(network: Callable[[Tensor], Tensor], x: Tensor, mirror: bool) -> Tensor:
    """(B, num_classes) logits, averaged over the images as they are, with half of the weight, and moved by one pixel up
    and left or down and right, with a quarter each (Jordan, arXiv 2404.00498).

    mirror: whether each of them is also averaged with its mirror image.
    """

    def logits(x: Tensor) -> Tensor:
        return (network(x) + network(x.flip(3))) / 2 if mirror else network(x)

    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")  # (B, C, H + 2, W + 2)
    return logits(x) / 2 + (logits(padded[..., :-2, :-2]) + logits(padded[..., 2:, 2:])) / 4


def trusted(logits: Tensor, temperature: float, smoothing: float) -> Tensor:
    """(N, C) logits without what label smoothing has added, divided by a temperature, in the same order.

    Trained with label smoothing, a network gives each class `smoothing / C` too much, and all of them too little. A
    hundredth of each probability stays, so that no two become the same.
    """
    if smoothing:
        known = logits.log_softmax(1)
        rest = (known.exp() - smoothing / logits.shape[1]).clamp(min=1e-30).log()
        logits = rest.maximum(known - math.log(100))
    return logits if temperature == 1 else logits / temperature


UNCALIBRATED = {"temperature": 1.0, "smoothing": 0.0}  # of a checkpoint that has no calibration


def calibrated(logits: Tensor, calibration: dict[str, Any]) -> Tensor:
    """(N, C) probabilities one can trust. calibration: what a checkpoint says of it, or UNCALIBRATED."""
    return trusted(logits, calibration["temperature"], calibration["smoothing"]).softmax(1)


def decided(probabilities: Tensor, costs: Tensor | None) -> Tensor:
    """(N,) the class that each of N examples is given: the most probable one; with costs, what it costs to miss an
    example of each class, the one that is likely to cost the least."""
    return (probabilities if costs is None else probabilities * costs.to(probabilities)).argmax(1)
