"""The convolutional network."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.errors import UserError, choose
from proj.models.classifier import Classifier, make_activation


class CNN(Classifier):
    """Groups of convolution, norm and activation with max-pooling; global pooling or flattening; a linear head.

    (B, C, H, W) normalised images -> (B, num_classes) logits.
    stem: channels of a first 2×2 convolution with an activation, before the groups; 0 for none.
    widths: channels of each group; depth: convolutions in each.
    pool: factor by which the groups shrink the image, one for all or one a group; 1 does not.
    pool_after: "first" pools right after a group's first convolution, so that its others cost a quarter; "last" after
        its last activation.
    bias: of the convolutions; they always have one without a norm. norm: "batch" or "none".
    norm_scale: whether the norms multiply as well as add; norm_momentum: weight of a new batch in their statistics.
    head: "max" or "average" over all positions, or "flatten".
    whiten: the stem is not trained but decorrelates the training images' 2×2 patches, see `whitening_filters`.
    init: "default", or "dirac": each convolution passes its input on at first, and the head gives little.
    channels_last: the layout of the weights, in which CPUs and tensor cores convolve fastest.
    Raises UserError if the image is too small for the groups, or the stem too wide to whiten.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        num_classes: int,
        stem: int = 0,
        widths: Sequence[int] = (32, 64, 128),
        depth: int = 2,
        kernel_size: int = 3,
        padding: int = 1,
        bias: bool = False,
        norm: str = "batch",
        norm_scale: bool = True,
        norm_momentum: float = 0.1,
        activation: str = "GELU",
        pool: Sequence[int] = (2,),
        pool_after: str = "first",
        head: str = "max",
        dropout: float = 0.0,
        whiten: bool = False,
        init: str = "default",
        channels_last: bool = True,
        **training: Any,
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])
        pools = list(pool) * len(widths) if len(pool) == 1 else pool
        if len(pools) != len(widths):
            raise UserError(
                f"model.pool has {len(pools)} entries for {len(widths)} groups of model.widths: give as many."
            )
        early = choose("model.pool_after", pool_after, {"first": True, "last": False})
        normalization = choose("model.norm", norm, {"batch": nn.BatchNorm2d, "none": None})
        pooling = choose(
            "model.head", head, {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d, "flatten": None}
        )
        channels, height, width = input_shape
        layers: list[nn.Module] = []
        if whiten and not (0 < stem <= 8 * channels and stem % 2 == 0):
            raise UserError(f"model.whiten=true takes an even model.stem up to {8 * channels}, not {stem}.")
        if stem:
            layers += [nn.Conv2d(channels, stem, 2), make_activation(activation)]
            channels = stem
        for size, factor in zip(widths, pools, strict=True):
            for i in range(depth):
                layers.append(nn.Conv2d(channels, size, kernel_size, padding=padding, bias=bias or norm == "none"))
                if early and i == 0 and factor > 1:
                    layers.append(nn.MaxPool2d(factor))
                if normalization:
                    layers.append(normalization(size, momentum=norm_momentum))
                    layers[-1].weight.requires_grad_(norm_scale)
                layers.append(make_activation(activation))
                channels = size
            if not early and factor > 1:
                layers.append(nn.MaxPool2d(factor))
        layers += [pooling(1), nn.Flatten()] if pooling else [nn.Flatten()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        body = nn.Sequential(*layers)
        try:
            with torch.no_grad():
                features = body.eval()(torch.zeros(1, *input_shape)).shape[1]
        except RuntimeError:
            raise UserError(
                f"images of {height}×{width} are too small for {len(widths)} groups that each shrink them: give fewer "
                "model.widths, or model.pool=[1]."
            ) from None
        self.network = nn.Sequential(*body.train(), nn.Linear(features, num_classes))
        if choose("model.init", init, {"default": False, "dirac": True}):
            for layer in layers[2 if stem else 0 :]:
                if isinstance(layer, nn.Conv2d):
                    nn.init.dirac_(layer.weight[: layer.in_channels])  # the other outputs keep their random filters
            nn.init.normal_(self.network[-1].weight, std=1 / features)
        if whiten:
            self.network[0].weight.requires_grad_(False)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.hparams.whiten:  # before Lightning restores a checkpoint, which has them too
            data = self.trainer.datamodule
            images = data.prepare(data.splits["train"].inputs, slice(5000), None)
            stem = self.network[0].weight
            stem.data.copy_(whitening_filters(images, len(stem)))


def whitening_filters(images: Tensor, width: int) -> Tensor:
    """(width, C, 2, 2) filters that decorrelate 2×2 patches and give them variance 1: the first principal components
    and their negatives (Page, "How to Train Your ResNet 8", 2019; Jordan, arXiv 2404.00498).

    images: (N, C, H, W), normalised.
    """
    patches = F.unfold(images, 2).transpose(1, 2).flatten(0, 1)  # (N * positions, C * 4)
    variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))  # ascending
    scaled = (components / (variances + 5e-4).sqrt()).T.flip(0)[: width // 2]
    return torch.cat([scaled, -scaled]).unflatten(1, (images.shape[1], 2, 2))
