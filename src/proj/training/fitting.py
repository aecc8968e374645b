"""Refuses settings, networks and losses that do not fit the data, each other, or the memory."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from proj.config.declared import takes
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError, in_own_file, message_of, out_of_memory
from proj.models.classifier import Classifier
from proj.models.logits import check_number, name_of_loss
from proj.system.platform import memory
from proj.training.threshold import check_threshold
from proj.wording import first_of

LIBRARIES = ("proj.", "torch", "lightning.", "timm.")  # beginnings of modules whose classes register their layers


def unregistered_layers(model: Classifier) -> list[str]:
    """A remark on layers or parameters that a model of the user's own keeps in a plain list, tuple or dictionary."""
    known = {id(one) for one in (*model.modules(), *model.parameters())}

    def hides(value: Any, depth: int = 3) -> bool:
        if isinstance(value, list | tuple | dict):
            held = value.values() if isinstance(value, dict) else value
            return depth > 0 and any(hides(one, depth - 1) for one in held)
        return isinstance(value, nn.Module | nn.Parameter) and id(value) not in known

    own = [one for one in model.modules() if not type(one).__module__.startswith(LIBRARIES)]
    names = [f"{type(one).__name__}.{name}" for one in own for name, value in vars(one).items() if hides(value)]
    if not names:
        return []
    return [
        f"Layers or parameters in a plain list, tuple or dictionary ({first_of(names, 3)}) are neither trained nor "
        "saved, so that evaluate, predict and export use others: keep them in an nn.ModuleList, nn.ModuleDict or "
        "nn.ParameterList."
    ]


def refuse_unfitting(cfg: DictConfig, data: InMemoryDataModule) -> None:
    """Raises UserError for a model or setting that does not apply to this kind of data, or to this many classes."""
    if len(data.input_shape) != 3 and not takes(cfg.model, "table"):
        raise UserError(
            f"model={cfg.choices.model} takes images (channels, height, width), and the inputs of "
            f"dataset={cfg.choices.dataset} have the shape {data.input_shape}: use model=mlp."
        )
    if cfg.tta and len(data.input_shape) != 3:
        raise UserError(f"tta=true moves images, and {cfg.choices.dataset} has none: leave it out.")
    own = {f"callbacks.{name}.monitor": node.get("monitor") for name, node in (cfg.callbacks or {}).items() if node}
    for key, monitor in {"monitor": cfg.monitor, **own}.items():
        if monitor in ("val/auc", "val/ap") and data.num_classes != 2:
            raise UserError(f"{key}={monitor} is for two classes, not {data.num_classes}: use {key}=val/balanced_acc.")
    check_threshold(cfg.threshold, data.class_names)


def refuse_larger_sizes(data) -> None:
    """Raises UserError if dataset.sizes, which is there to shrink images, would enlarge them."""
    height = data.input_shape[1] if len(data.input_shape) == 3 else 0
    if larger := [size for size in getattr(data, "sizes", None) or [] if size > height > 0]:
        raise UserError(
            f"dataset.sizes={data.sizes} shrinks images, which are {height} pixels high: give {height} or less in "
            f"place of {max(larger)}, or dataset.sizes=null."
        )


def check_loss(loss: nn.Module, classes: int) -> None:
    """Raises UserError for a loss that does not take logits and classes, or does not return a number of which the
    gradients follow, or is the sum over the examples.

    With logits of 0 the network knows nothing: a loss that is 0 then expects log probabilities, as NLLLoss does.
    """
    name, cure = name_of_loss(loss), "use model.loss._target_=torch.nn.CrossEntropyLoss"
    if isinstance(loss, nn.CrossEntropyLoss):
        cure = "leave out what model.loss has beside _target_ and label_smoothing"
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # as in the training
            warnings.simplefilter("ignore")  # torch warns of shapes that it broadcasts
            logits = [torch.zeros(size, classes, requires_grad=True) for size in (2, 4)]
            given = [loss(one, torch.zeros(len(one), dtype=torch.long)) for one in logits]
    except Exception as error:
        reason = message_of(error)
        if where := in_own_file(error):
            raise UserError(f"the loss {name} fails at a batch's logits and classes ({reason}{where}).") from error
        raise UserError(f"the loss {name} does not take a batch's logits and classes ({reason}): {cure}.") from error
    for logit, one in zip(logits, given, strict=True):
        check_number(one, loss, len(logit))
    few, many = (one.item() for one in given)
    if not few:
        raise UserError(f"the loss {name} is 0 if all logits are 0, so it does not expect logits: {cure}.")
    if not given[0].requires_grad:
        raise UserError(f"the loss {name} gives a number without gradients: leave detach, argmax and the like out.")
    if abs(many - 2 * few) <= 1e-4 * abs(few):
        raise UserError(f"the loss {name} is the sum over the examples: give their mean, without model.loss.reduction.")


@contextmanager
def enough_for_parameters(cfg: DictConfig) -> Iterator[None]:
    """A context that raises UserError as soon as the parameters created in it need too much memory for training, and
    before they are initialised: memory is only used once it is written.

    Each parameter has a gradient, and with Adam two moments. Only the parameters count for a frozen network, and on a
    GPU, which raises its own error when it is full.
    """
    on_gpu = cfg.trainer.get("accelerator") != "cpu" and torch.accelerator.is_available()
    only_parameters = on_gpu or cfg.model.get("train") == "head"
    copies = 1 if only_parameters else 4 if "Adam" in str(cfg.optimizer._target_) else 2
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
