"""Refuses a network whose parameters do not fit into the memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from proj.errors import UserError, out_of_memory
from proj.system.platform import memory


@contextmanager
def enough_for_parameters(cfg: DictConfig) -> Iterator[None]:
    """A context that raises UserError as soon as the parameters created in it need too much memory for training, and
    before they are initialised: memory is only used once it is written.

    Each parameter has a gradient, and with Adam two moments. Only the parameters count for a frozen network, and on a
    GPU, which raises its own error when it is full.
    """
    on_gpu = cfg.trainer.get("accelerator") != "cpu" and torch.accelerator.is_available()
    only_parameters = on_gpu or cfg.model.get("train") == "head"
    copies = 4 if "Adam" in str(cfg.optimizer._target_) else 2
    if only_parameters:
        copies = 1
    available, needed = memory() or float("inf"), 0  # bytes

    def add(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal needed
        needed += copies * parameter.nbytes
        if needed > available:
            others = "" if only_parameters else ", their gradients and what the optimizer keeps of them"
            sizes = f"take more than {needed / 1e9:,.1f} GB, and this machine has {available / 1e9:,.1f}"
            raise UserError(f"the network's parameters{others} {sizes}: choose a smaller model.")

    hook = register_module_parameter_registration_hook(add)
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise UserError("the network's parameters do not fit into the memory: choose a smaller model.") from error
        raise
    finally:
        hook.remove()
