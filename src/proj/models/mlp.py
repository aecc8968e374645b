"""The multilayer perceptron."""

from math import prod

from torch import nn

from proj.errors import UserError
from proj.models.classifier import Classifier, make_activation


class MLP(Classifier):
    """Linear layers with an activation and dropout after each hidden one; the last gives the logits.

    (B, *input_shape) -> (B, num_classes) logits.
    activation: a name of torch.nn, or one a hidden layer.
    Raises UserError if there are not as many activations as hidden layers.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        hidden: list[int] = (512, 256),
        activation: str | list[str] = "ReLU",
        dropout: float = 0.0,
        **training,
    ) -> None:
        super().__init__(num_classes, **training)
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"])
        names = [activation] * len(hidden) if isinstance(activation, str) else activation
        if len(names) != len(hidden):
            raise UserError(f"model.activation has {len(names)} entries for {len(hidden)} hidden layers: give as many.")
        layers: list[nn.Module] = [nn.Flatten()]
        width = prod(input_shape)
        for size, name in zip(hidden, names, strict=True):
            layers += [nn.Linear(width, size), make_activation(name)]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        self.network = nn.Sequential(*layers, nn.Linear(width, num_classes))
