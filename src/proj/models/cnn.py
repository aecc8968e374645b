"""The convolutional network."""

import torch
from torch import nn

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
    head: "max" or "average" over all positions, or "flatten".
    Raises UserError if the image is too small for the groups.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        num_classes: int,
        stem: int = 0,
        widths: list[int] = (32, 64, 128),
        depth: int = 2,
        kernel_size: int = 3,
        padding: int = 1,
        bias: bool = False,
        norm: str = "batch",
        activation: str = "GELU",
        pool: list[int] = (2,),
        pool_after: str = "first",
        head: str = "max",
        dropout: float = 0.0,
        **training,
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
        if stem:
            layers += [nn.Conv2d(channels, stem, 2), make_activation(activation)]
            channels = stem
        for size, factor in zip(widths, pools, strict=True):
            for i in range(depth):
                layers.append(nn.Conv2d(channels, size, kernel_size, padding=padding, bias=bias or norm == "none"))
                if early and i == 0 and factor > 1:
                    layers.append(nn.MaxPool2d(factor))
                if normalization:
                    layers.append(normalization(size))
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
        self.to(memory_format=torch.channels_last)  # the layout in which CPUs and tensor cores convolve fastest
