"""What the objects of a run carry beside what Lightning saves: attributes that the training changes.

A callback that counts without a `state_dict`, `trainer.accumulate_grad_batches` of GradientAccumulationScheduler, a
dropout that a callback raises, a layer that it freezes: a run that is stopped within an epoch goes on with them, since
Lightning does not call `on_train_epoch_start` a second time for that epoch.
"""

import functools
import logging
import re
import types
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BatchSizeFinder,
    LearningRateFinder,
    ModelPruning,
    OnExceptionCheckpoint,
    ProgressBar,
    SpikeDetection,
    StochasticWeightAveraging,
)
from torch import Tensor, nn
from torchmetrics import Metric

SCALARS = (types.NoneType, bool, int, float, str)
CONSTANTS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, type)
CONSTANTS += (types.ModuleType, torch.device, torch.dtype, PurePath, Enum, re.Pattern, logging.Logger, range)
# Lightning 2.6's whose work is not in what they keep: they exchange the schedule or parts of the model, try out
# settings at every start, or cannot read their own state.
INEXACT = (StochasticWeightAveraging, ModelPruning, BatchSizeFinder, LearningRateFinder, SpikeDetection)


class NotPlain(Exception):
    """What a checkpoint cannot hold; `value` is the part that it cannot."""

    def __init__(self, value: object) -> None:
        self.value = value


def plain(value: Any) -> Any:
    """A copy of plain values and tensors. Raises NotPlain for anything else."""
    kind = type(value)
    if kind in (*SCALARS, complex, bytes):
        return value
    if isinstance(value, np.generic) and type(value.item()) in SCALARS:
        return value.item()
    if kind is Tensor and value.device.type == "cpu":  # to another device it would not come back
        return value.detach().clone()
    if kind in (list, tuple, set):
        return kind(plain(item) for item in value)
    if kind is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    raise NotPlain(value)


def unwrapped(value: Any) -> Any:
    """A deque as a list, a dict of another class as a dict, an array as a tensor: `put` brings their classes back."""
    if type(value) is deque:
        return list(value)
    if type(value) in (defaultdict, Counter):
        return dict(value)
    if type(value) is np.ndarray:
        try:
            return torch.from_numpy(value.copy())
        except TypeError:  # of text, or of objects
            raise NotPlain(value) from None
    return value


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and a.device == b.device and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def put(holder: Any, name: str, value: Any) -> None:
    """Set an attribute to what `plain` has made of it, in the class that it has in this process."""
    old = getattr(holder, name, None)
    if type(old) is deque:
        old.clear()
        old.extend(value)
    elif type(old) in (defaultdict, Counter):
        old.clear()
        old.update(value)
    elif type(old) is np.ndarray:
        setattr(holder, name, value.numpy())
    elif isinstance(old, np.generic) and value is not None:
        setattr(holder, name, type(old)(value))
    elif isinstance(old, Tensor) and isinstance(value, Tensor):
        setattr(holder, name, value.to(old.device))
    else:
        setattr(holder, name, value)


def keeps_its_state(callback: Callback) -> bool:
    """Whether a callback says itself what is to be kept, or has nothing that could change a result."""
    own = ("state_dict", "on_save_checkpoint")
    written = any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in own)
    idle = isinstance(callback, ProgressBar | OnExceptionCheckpoint)
    return written or idle or type(callback).__module__.startswith("proj.")


def holders(trainer: Trainer) -> Iterator[tuple[str, Any]]:
    """What may carry such attributes, by names that are the same in the run's next process."""
    yield "trainer", trainer
    yield "data", trainer.datamodule
    for name, module in trainer.lightning_module.named_modules():
        yield f"model {name}", module
    number: Counter = Counter()
    for callback in trainer.callbacks:
        kind = type(callback).__qualname__
        if not keeps_its_state(callback):
            yield f"callback {kind} {number[kind]}", callback
        number[kind] += 1


def parts(trainer: Trainer) -> set[int]:
    """The ids of what the run saves, or builds again, anyway: a callback may point at it."""
    model = trainer.lightning_module
    known = [trainer, trainer.datamodule, trainer.strategy, *trainer.loggers, *trainer.callbacks, *trainer.optimizers]
    return {id(one) for one in (*known, *model.modules(), *model.parameters(), *model.buffers())}


def is_number(name: str, value: Any) -> bool:
    """Whether an attribute is a public number, or none yet."""
    return name[0] != "_" and type(value) in (types.NoneType, bool, int, float)


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    return dict(module.named_parameters(recurse=False, remove_duplicate=False))


def attributes(holder: Any, known: set[int]) -> tuple[dict[str, Any], dict[str, object]]:
    """Copies of the attributes that can be kept, and those that cannot.

    Of a callback all; of the trainer, the data and the model's modules the public numbers alone, since what else they
    hold is theirs to save.
    """
    if not isinstance(holder, Callback):
        numbers = {k: v for k, v in vars(holder).items() if is_number(k, v)}
        kept = {k: v for k, v in numbers.items() if k != "should_stop"}  # of an end that more epochs overrule
        if isinstance(holder, nn.Module):
            kept["requires_grad"] = {name: p.requires_grad for name, p in own_parameters(holder).items()}
        return kept, {}
    kept, left = {}, {}
    for name, value in vars(holder).items():
        try:
            kept[name] = plain(unwrapped(value))
        except NotPlain as error:
            if not isinstance(error.value, CONSTANTS) and id(error.value) not in known:
                left[name] = value
    return kept, left


class Attributes(Callback):
    """Remembers the attributes of a run's objects as its training begins. The last of the callbacks, after all others'
    `on_train_start`.

    changed: what the run before this process had made of them, by its `changes`.
    """

    def __init__(self) -> None:
        self.changed: dict[str, dict[str, Any]] = {}
        self.told: set[int] = set()  # the ids of the callbacks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known, self.before = parts(trainer), {}
        for name, holder in holders(trainer):
            self.before[name], left = attributes(holder, known)
            self._tell(trainer, holder, left)
        for callback in trainer.callbacks:
            if isinstance(callback, INEXACT):
                self._tell(trainer, callback, {})
        self._set(trainer)  # already now, since the loop over the batches looks at the trainer's settings

    def bring_back(self, trainer: Trainer) -> None:
        """Set what the run before this process had changed; only the first call does anything."""
        self._set(trainer)
        self.changed = {}

    def _set(self, trainer: Trainer) -> None:
        for name, holder in holders(trainer):
            for key, value in self.changed.get(name, {}).items():
                if key == "requires_grad" and isinstance(holder, nn.Module):
                    for parameter, here in own_parameters(holder).items():  # ModelPruning renames some
                        here.requires_grad_(value.get(parameter, here.requires_grad))
                elif isinstance(holder, Callback) or is_number(key, value):  # a file sets nothing else
                    put(holder, key, value)

    def changes(self, trainer: Trainer) -> dict[str, dict[str, Any]]:
        """What a checkpoint is to hold. Says, once, what it cannot."""
        known, changed = parts(trainer), {}
        for name, holder in holders(trainer):
            before, (now, left) = self.before.get(name, {}), attributes(holder, known)
            own = {key: value for key, value in now.items() if key not in before or not same(before[key], value)}
            if own:
                changed[name] = own
            self._tell(trainer, holder, left)
        return changed

    def _tell(self, trainer: Trainer, callback: Callback, left: dict[str, object]) -> None:
        exact = not left and not isinstance(callback, INEXACT)
        if exact or id(callback) in self.told or not trainer.is_global_zero:
            return
        self.told.add(id(callback))
        if left:
            what = " and ".join(f"{name} ({type(value).__name__})" for name, value in left.items())
            why = f": a checkpoint cannot hold its {what}"
            cure = "give it state_dict and load_state_dict"
        else:
            why, cure = "", "let the run end without a stop where that matters"
        print(
            f"The state of the callback {type(callback).__name__} cannot be resumed exactly{why}. A run that is "
            f"stopped and goes on may end with other bits; {cure}."
        )


def metric_states(model: LightningModule) -> dict[str, dict[str, Any]]:
    """Of the torchmetrics that have counted since they were reset, on the CPU."""
    return {
        name: {
            "count": metric.update_count,
            "state": {
                key: [part.cpu() for part in value] if isinstance(value, list) else value.cpu()  # AUROC keeps a list
                for key, value in metric.metric_state.items()
            },
        }
        for name, metric in model.named_modules()
        if isinstance(metric, Metric) and metric.update_count
    }


def restore_metrics(model: LightningModule, states: dict[str, dict[str, Any]]) -> None:
    modules = dict(model.named_modules())
    for name, known in states.items():
        for key, value in known["state"].items():
            here = [part.to(model.device) for part in value] if isinstance(value, list) else value.to(model.device)
            setattr(modules[name], key, here)
        modules[name]._update_count, modules[name]._computed = known["count"], None
