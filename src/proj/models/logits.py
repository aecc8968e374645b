"""Post-processing of logits: test-time augmentation, calibrated probabilities, and the decision for a class."""

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from proj.errors import UserError


def check_outputs(outputs: Any, size: int, classes: int, several: bool = False) -> None:
    """Raises UserError if a user's own network does not return a number for each class and each of `size` examples.
    several: whether it may return those of several members of an ensemble, (size, members, classes)."""
    is_tensor = isinstance(outputs, Tensor)
    dimensions = (2, 3) if several else (2,)
    if not is_tensor or outputs.ndim not in dimensions or (len(outputs), outputs.shape[-1]) != (size, classes):
        kind = "None" if outputs is None else f"a {type(outputs).__name__}"
        raise UserError(
            f"the network gives {f'numbers of the shape {tuple(outputs.shape)}' if is_tensor else kind} for a batch of "
            f"{size}, and there are {classes} classes: its forward must return a tensor with a logit for each, "
            f"(batch, {classes})."
        )


def check_number(loss: Any, measure: Callable, size: int) -> None:
    """Raises UserError if a loss of the user's own, `measure`, does not return a number for a batch of `size`."""
    if isinstance(loss, Tensor) and not loss.ndim:
        return
    what = f"the shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
    cure = "return the mean over the examples"
    if type(measure).__module__.startswith("torch."):
        cure = "leave model.loss.reduction, size_average and reduce out"
    raise UserError(
        f"the loss {name_of_loss(measure)} gives {what} for a batch of {size}, and not a tensor of one number: {cure}."
    )


def name_of_loss(measure: Callable) -> str:
    """The name of a loss's class; of a partial, that of its function."""
    return getattr(getattr(measure, "func", None), "__name__", type(measure).__name__)


def augmented_logits(network: Callable[[Tensor], Tensor], x: Tensor, mirror: bool) -> Tensor:
    """Test-time augmentation: (B, num_classes) logits, averaged over the image itself (weight 1/2) and the image moved
    by one pixel, up and left or down and right (1/4 each; Jordan, arXiv 2404.00498).

    mirror: whether each of the three is also averaged with its mirror image.
    """

    def logits(x: Tensor) -> Tensor:
        return (network(x) + network(x.flip(3))) / 2 if mirror else network(x)

    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")  # (B, C, H + 2, W + 2)
    return logits(x) / 2 + (logits(padded[..., :-2, :-2]) + logits(padded[..., 2:, 2:])) / 4


def calibrated_logits(logits: Tensor, temperature: float, smoothing: float) -> Tensor:
    """Calibrate logits (N, C): undo label smoothing, and divide by a temperature. The order of the classes is kept.

    A network trained with label smoothing gives each class an extra probability of `smoothing / C`. It is subtracted,
    but for a hundredth of each probability p, so that different ones stay different: max(p - smoothing / C, p / 100).
    """
    if smoothing:
        known = logits.log_softmax(1)
        rest = (known.exp() - smoothing / logits.shape[1]).clamp(min=1e-30).log()
        logits = rest.maximum(known - math.log(100))
    return logits if temperature == 1 else logits / temperature


UNCALIBRATED = {"temperature": 1.0, "smoothing": 0.0}  # for checkpoints without a calibration


def calibrated_probabilities(logits: Tensor, calibration: dict[str, Any]) -> Tensor:
    """(N, C) calibrated probabilities. calibration: the checkpoint's, or UNCALIBRATED."""
    return calibrated_logits(logits, calibration["temperature"], calibration["smoothing"]).softmax(1)


def decided(probabilities: Tensor, costs: Tensor | None) -> Tensor:
    """(N,) int64, the class that each example is assigned to, from its probabilities (N, C): the most probable one, or
    with `costs` (C,), the costs of missing an example of each class, the one with the lowest expected cost."""
    return (probabilities if costs is None else probabilities * costs.to(probabilities)).argmax(1)
