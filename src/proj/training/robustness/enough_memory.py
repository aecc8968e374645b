"""Whether a network's parameters fit into the memory that it is trained in."""

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
    """Raises UserError as soon as the parameters that are made within are too many to be trained: once they have been
    asked for, and before they are filled, which is what takes the memory.

    A gradient of each is beside them, and two numbers more for Adam; on a GPU, which says by itself that it is full,
    and for a frozen network, there are the parameters alone.
    """
    on_gpu = cfg.trainer.get("accelerator") != "cpu" and torch.accelerator.is_available()
    alone = on_gpu or cfg.model.get("train") == "head"
    copies = 4 if "Adam" in str(cfg.optimizer._target_) else 2
    if alone:
        copies = 1
    there, taken = memory() or float("inf"), 0

    def add(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal taken
        taken += copies * parameter.nbytes
        if taken > there:
            what = "parameters" if alone else "parameters, their gradients and what the optimizer keeps of them"
            sizes = f"take more than {taken / 1e9:,.1f} GB, and this machine has {there / 1e9:,.1f}"
            raise UserError(f"the network's {what} {sizes}: choose a smaller model.")

    hook = register_module_parameter_registration_hook(add)
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise UserError("the network's parameters do not fit into the memory: choose a smaller model.") from error
        raise
    finally:
        hook.remove()
