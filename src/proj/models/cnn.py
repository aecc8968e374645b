"""The convolutional network."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.errors import UserError, choose, how_many, out_of_memory
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
    head: "max" or "average" over all positions, or "flatten".
    channels_last: the layout of the weights, in which CPUs and tensor cores convolve fastest.
    Raises UserError if the image is too small for the groups.
    """

    accepts = ("image",)

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
        activation: str = "GELU",
        pool: Sequence[int] = (2,),
        pool_after: str = "first",
        head: str = "max",
        dropout: float = 0.0,
        channels_last: bool = True,
        **training: Any,
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])
        pool_first = choose("model.pool_after", pool_after, {"first": True, "last": False})
        normalization = choose("model.norm", norm, {"batch": nn.BatchNorm2d, "none": None})
        heads = {"max": GlobalMaxPool(), "average": nn.AdaptiveAvgPool2d(1), "flatten": None}
        pooling = choose("model.head", head, heads)
        convolution = partial(nn.Conv2d, kernel_size=kernel_size, padding=padding, bias=bias or norm == "none")

        def after(width: int) -> list[nn.Module]:
            """What follows each convolution, and its pooling if it has one."""
            return [*([normalization(width)] if normalization else []), make_activation(activation)]

        layers = [nn.Conv2d(input_shape[0], stem, 2), make_activation(activation)] if stem else []
        channels = stem or input_shape[0]
        for width, factor in zip(widths, one_a_group(pool, len(widths)), strict=True):
            pooled = [nn.MaxPool2d(factor)] if factor > 1 else []
            group = [convolution(channels, width), *after(width)]
            for _ in range(depth - 1):
                group += [convolution(width, width), *after(width)]
            layers += [group[0], *pooled, *group[1:]] if pool_first else [*group, *pooled]
            channels = width
        layers += [pooling, nn.Flatten()] if pooling else [nn.Flatten()]
        layers += [nn.Dropout(dropout)] if dropout else []
        features = features_of(nn.Sequential(*layers), input_shape, len(widths))
        self.network = nn.Sequential(*layers, nn.Linear(features, num_classes))
        if channels_last:
            self.to(memory_format=torch.channels_last)


class GlobalMaxPool(nn.Module):
    """(B, C, H, W) -> (B, C, 1, 1): the largest number of each channel.

    What nn.AdaptiveMaxPool2d(1) gives, but torch has no deterministic gradient of that one on a GPU, so that
    `trainer.deterministic=true` would end in an error.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, x.shape[2:])


def one_a_group(pool: list[int], groups: int) -> list[int]:
    """The factors by which the groups shrink the image. Raises UserError where there are not as many."""
    factors = list(pool) * groups if len(pool) == 1 else list(pool)
    if len(factors) != groups:
        given = f"{how_many(len(factors), 'entry')} for {how_many(groups, 'group')}"
        raise UserError(f"model.pool has {given} of model.widths: give as many.")
    return factors


def features_of(body: nn.Module, input_shape: tuple[int, int, int], groups: int) -> int:
    """How many numbers `body` makes of an image. Raises UserError for an image that is too small for it."""
    try:
        with torch.no_grad():
            features = body.eval()(torch.zeros(1, *input_shape)).shape[1]
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise UserError(
            f"images of {input_shape[1]}×{input_shape[2]} are too small for {groups} groups that each shrink them: "
            "give fewer model.widths, or model.pool=[1]."
        ) from None
    body.train()
    return features
