"""Activations by their names in torch.nn."""

from torch import nn

from proj.config.check_values import NAMES
from proj.errors import choose


def make_activation(name: str) -> nn.Module:
    """An activation of torch.nn by its name. Raises UserError with the nearest one."""
    return choose("model.activation", name, {option: getattr(nn, option) for option in NAMES["activation"]})()
