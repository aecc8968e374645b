"""The convolutional network of the CIFAR-10 speed records, which learns much in the first minutes of training."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.errors import UserError, choose
from proj.models.cnn import CNN


class WhitenedCNN(CNN):
    """A `CNN` that is initialised to learn fast: its stem whitens the images, and its convolutions start as identities
    (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498).

    stem: the channels of the stem; None takes the greatest number for whitening, 24 for colour and 8 for grey.
    whiten: whether the stem is fixed to filters that decorrelate 2×2 patches of the images, see `whitening_filters`.
    init: "dirac" makes each convolution pass its input on at first, and the head's outputs small; or "default".
    norm_scale: whether the norms have a trained scale. norm_momentum: the weight of a new batch in their statistics.
    network: further arguments, for `CNN`.
    Raises UserError for what `CNN` refuses, and for a stem that is too wide to whiten, or odd.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        num_classes: int,
        stem: int | None = None,
        whiten: bool = True,
        init: str = "dirac",
        norm_scale: bool = False,
        norm_momentum: float = 0.4,
        **network: Any,
    ) -> None:
        stem = 8 * input_shape[0] if stem is None else stem
        if whiten and not (0 < stem <= 8 * input_shape[0] and stem % 2 == 0):
            raise UserError(f"model.whiten=true takes an even model.stem up to {8 * input_shape[0]}, not {stem}.")
        super().__init__(input_shape, num_classes, stem=stem, **network)
        self.whiten = whiten
        self.network[0].weight.requires_grad_(not whiten)
        for layer in self.network:
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = norm_momentum
                layer.weight.requires_grad_(norm_scale)
        if choose("model.init", init, {"default": False, "dirac": True}):
            for layer in self.network[2:] if stem else self.network:
                if isinstance(layer, nn.Conv2d):  # output channels beyond the input channels keep random filters
                    nn.init.dirac_(layer.weight[: layer.in_channels])
            nn.init.normal_(self.network[-1].weight, std=1 / self.network[-1].in_features)

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.whiten:  # when a run is resumed, the checkpoint's filters then replace these
            data = self.trainer.datamodule
            images = data.prepare(data.splits["train"].inputs, slice(5000), None)
            stem = self.network[0].weight
            stem.data.copy_(whitening_filters(images, len(stem)))


def whitening_filters(images: Tensor, width: int) -> Tensor:
    """(width, C, 2, 2) filters that decorrelate 2×2 patches, with variance 1: the first principal components and their
    negatives (Page, "How to Train Your ResNet 8", 2019; Jordan, arXiv 2404.00498).

    images: (N, C, H, W), normalised.
    """
    patches = F.unfold(images, 2).transpose(1, 2).flatten(0, 1)  # (N * positions, C * 4)
    variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))  # ascending
    scaled = (components / (variances + 5e-4).sqrt()).T.flip(0)[: width // 2]
    return torch.cat([scaled, -scaled]).unflatten(1, (images.shape[1], 2, 2))
