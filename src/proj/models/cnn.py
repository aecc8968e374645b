"""A convolutional network."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from proj.errors import UserError, choose, out_of_memory
from proj.models.classifier import Classifier, make_activation
from proj.wording import how_many


class CNN(Classifier):
    """Groups of convolution, norm and activation with max-pooling; global pooling or flattening; a linear head.

    (B, C, H, W) normalised images -> (B, num_classes) logits.
    stem: the channels of a 2×2 convolution with an activation before the groups; 0 for none.
    widths: the channels of each group. depth: the number of convolutions in each group.
    pool: the factors of the max-pooling in each group, or one factor for all; 1 for no pooling.
    pool_after: "first" pools right after the first convolution of a group, so that the others cost a quarter; "last"
        pools after its last activation.
    bias: whether convolutions have a bias; without a norm they always do. norm: "batch" or "none".
    head: "max" or "average" pooling over all positions, or "flatten".
    channels_last: whether the weights have this memory layout, in which CPUs and tensor cores convolve fastest.
    Raises UserError if the image is too small for the groups, for a name that does not exist, and for another number of
    `pool` factors than groups.
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
            """The layers after each convolution (and its pooling, if there is one)."""
            return [*([normalization(width)] if normalization else []), make_activation(activation)]

        layers = [nn.Conv2d(input_shape[0], stem, 2), make_activation(activation)] if stem else []
        channels = stem or input_shape[0]
        for width, factor in zip(widths, pool_factors(pool, len(widths)), strict=True):
            pooled = [nn.MaxPool2d(factor)] if factor > 1 else []
            group = [convolution(channels, width), *after(width)]
            for _ in range(depth - 1):
                group += [convolution(width, width), *after(width)]
            layers += [group[0], *pooled, *group[1:]] if pool_first else [*group, *pooled]
            channels = width
        layers += [pooling, nn.Flatten()] if pooling else [nn.Flatten()]
        layers += [nn.Dropout(dropout)] if dropout else []
        features = number_of_features(nn.Sequential(*layers), input_shape, len(widths))
        self.network = nn.Sequential(*layers, nn.Linear(features, num_classes))
        if channels_last:
            self.to(memory_format=torch.channels_last)


class GlobalMaxPool(nn.Module):
    """(B, C, H, W) -> (B, C, 1, 1): the maximum of each channel.

    The same as nn.AdaptiveMaxPool2d(1), for which torch has no deterministic gradient on a GPU, so that it fails with
    `trainer.deterministic=true`.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, x.shape[2:])


def pool_factors(pool: list[int], groups: int) -> list[int]:
    """The pooling factor of each group. Raises UserError if `pool` has neither one factor nor one for each group."""
    factors = list(pool) * groups if len(pool) == 1 else list(pool)
    if len(factors) != groups:
        given = f"{how_many(len(factors), 'entry')} for {how_many(groups, 'group')}"
        raise UserError(f"model.pool has {given} of model.widths: give as many.")
    return factors


def number_of_features(body: nn.Module, input_shape: tuple[int, int, int], groups: int) -> int:
    """The number of features that `body` computes from an image. Raises UserError if the image is too small for it."""
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
