"""The network of the usual Iris tutorial."""

from math import prod
from typing import Any

from torch import nn

from proj.models.classifier import Classifier, make_activation


class IrisClassifier(Classifier):
    """Three linear layers, with hidden widths of 16 and 8, and an activation between them or none.

    (B, *input_shape) -> (B, num_classes) logits. Without an activation it is a linear classifier.
    """

    accepts = ("table",)

    def __init__(
        self, input_shape: tuple[int, ...], num_classes: int, activation: str | None = "ReLU", **training: Any
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])

        def between() -> nn.Module:
            return make_activation(activation) if activation else nn.Identity()

        layers = nn.Linear(prod(input_shape), 16), between(), nn.Linear(16, 8), between(), nn.Linear(8, num_classes)
        flatten = [nn.Flatten()] if len(input_shape) > 1 else []  # old checkpoints of Iris itself have none
        self.network = nn.Sequential(*flatten, *layers)
