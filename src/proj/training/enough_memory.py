"""Refuses a network that the memory cannot hold: the system would end the process without a word."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from proj.errors import UserError, out_of_memory
from proj.system.platform import memory


def refuse(needed: int, what: str) -> None:
    """Raises UserError where `what` takes more bytes than there are."""
    there = memory() or needed
    if needed > there:
        sizes = f"take {needed / 1e9:,.1f} GB, and this machine has {there / 1e9:,.1f}"
        raise UserError(f"{what} {sizes}: choose a smaller model.")


@contextmanager
def enough_for_parameters() -> Iterator[None]:
    """Raises UserError as soon as the parameters that are made within are too many: once they have been asked for, and
    before they are filled, which is what takes the memory."""
    taken = 0

    def add(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal taken
        taken += parameter.nbytes
        refuse(taken, "the network's parameters, or a part of them,")

    hook = register_module_parameter_registration_hook(add)
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise UserError("the network's parameters do not fit into the memory: choose a smaller model.") from error
        raise
    finally:
        hook.remove()


def refuse_training(model: nn.Module, device: torch.device, optimizer: str) -> None:
    """Raises UserError where the trained parameters, their gradients and what the optimizer keeps of them, which for
    Adam is twice as much again, do not fit. A GPU says by itself that its memory is full."""
    if device.type == "cpu":
        trained = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
        what = "the parameters, their gradients and what the optimizer keeps of them"
        refuse(trained * (4 if "Adam" in optimizer else 2), what)
