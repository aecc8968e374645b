"""Test-time augmentation: an image is classified together with small changes of itself."""

import torch.nn.functional as F
from torch import Tensor, nn


def augmented_logits(network: nn.Module, x: Tensor, mirror: bool) -> Tensor:
    """(B, num_classes) logits, averaged over the images as they are, with half of the weight, and moved by one pixel up
    and left or down and right, with a quarter each (Jordan, arXiv 2404.00498).

    mirror: whether each of them is also averaged with its mirror image.
    """

    def logits(x: Tensor) -> Tensor:
        return (network(x) + network(x.flip(3))) / 2 if mirror else network(x)

    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")  # (B, C, H + 2, W + 2)
    return logits(x) / 2 + (logits(padded[..., :-2, :-2]) + logits(padded[..., 2:, 2:])) / 4
