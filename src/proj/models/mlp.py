"""A multilayer perceptron."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import nn

from proj.errors import UserError, choose
from proj.models.classifier import Classifier, make_activation
from proj.wording import how_many


class MLP(Classifier):
    """Linear layers; after each hidden one a norm, an activation and dropout.

    (B, *input_shape) -> (B, num_classes) logits.
    hidden: the widths of the hidden layers. norm: "batch" or "none". activation: a name of torch.nn, or a list of one
    for each hidden layer. Raises UserError if the list is shorter or longer, and for a name that does not exist.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        hidden: Sequence[int] = (256, 128),
        norm: str = "batch",
        activation: str | list[str] = "ReLU",
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])
        names = [activation] * len(hidden) if isinstance(activation, str) else activation
        if len(names) != len(hidden):
            given = f"{how_many(len(names), 'entry')} for {how_many(len(hidden), 'hidden layer')}"
            raise UserError(f"model.activation has {given}: give as many.")
        normalization = choose("model.norm", norm, {"batch": nn.BatchNorm1d, "none": None})
        layers: list[nn.Module] = [nn.Flatten()]
        width = prod(input_shape)
        for size, name in zip(hidden, names, strict=True):
            layers.append(nn.Linear(width, size))
            if normalization:
                layers.append(normalization(size))
            layers.append(make_activation(name))
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        self.network = nn.Sequential(*layers, nn.Linear(width, num_classes))
