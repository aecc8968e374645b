"""Decides whether the steps of a run are plain: forward, backward and optimizer step on one device, without any hook in
between that the fast loop does not call.

`has_plain_settings` checks the parts and settings of the run, `is_plain` also the hooks that its objects override.
"""

import inspect
import re
from collections.abc import Callable
from functools import cache

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loops.optimization.automatic import _AutomaticOptimization
from lightning.pytorch.plugins import MixedPrecision, Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.optim import Optimizer
from torch.optim import optimizer as optimizer_module

from proj.data.batches import Batches
from proj.models.classifier import Classifier
from proj.training.library_defaults import is_tested

# A step remains plain if these hooks are overridden: those that the fast loops call, …
IN_CALLBACK = {"on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end"}
IN_MODEL = {"training_step", "on_before_optimizer_step", "on_train_batch_end"}
IN_OPTIMIZER = {"step", "add_param_group"}
# … and those that Lightning only calls outside of a step.
OUTSIDE = re.compile(
    r"on_(fit|sanity_check|train_start|train_end|train_epoch|validation|test|predict|save|load|exception)\w*"
    r"|setup|teardown|prepare_data|(train|val|test|predict)_dataloader|(validation|test|predict)_step"
    r"|configure_(callbacks|model|optimizers)|(load_)?state_dict|load_from_checkpoint|save_hyperparameters"
)


@cache
def hook_names(base: type) -> frozenset[str]:
    """The public methods of a Lightning or torch class, without those of every nn.Module."""
    others = dir(torch.nn.Module) if issubclass(base, torch.nn.Module) else ()
    methods = {name for name in dir(base) if not name.startswith("_") and callable(getattr(base, name))}
    return frozenset(methods.difference(others))


def overridden(owner: object, base: type) -> set[str]:
    """The hooks of `base` that `owner` overrides, in a subclass of `base` or as an attribute of the object itself."""
    classes = type(owner).__mro__
    places = (owner, *classes[: classes.index(base)])
    return {name for place in places for name in hook_names(base).intersection(vars(place))}


def callback_hooks(trainer: Trainer, name: str) -> list[Callable]:
    """The hook of this name, of each callback that overrides it."""
    return [getattr(callback, name) for callback in trainer.callbacks if name in overridden(callback, Callback)]


@cache
def takes_closure(kind: type) -> bool:
    """Whether an optimizer needs the forward and backward pass as a closure that it calls several times (LBFGS)."""
    return inspect.signature(kind.step).parameters["closure"].default is not None


def steps_plainly(optimizer: Optimizer) -> bool:
    """Whether an optimizer's step can be called after a single forward and backward pass, and has no hooks."""
    kind, replaced = type(optimizer), vars(optimizer).get("step")
    own_hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    global_hooks = (optimizer_module._global_optimizer_pre_hooks, optimizer_module._global_optimizer_post_hooks)
    return (
        kind.__module__.startswith(("torch.optim.", "proj."))  # these call a closure once, at the beginning
        and not takes_closure(kind)
        and not any((*own_hooks, *global_hooks))
        # torch's schedulers replace the step by a wrapper, to check that it is called before their own step.
        and (replaced is None or (hasattr(replaced, "_wrapped_by_lr_sched") and replaced.__wrapped__ is kind.step))
    )


def hook_owners(trainer: Trainer) -> list[tuple[object, type, set[str]]]:
    """(An object of the run that may have hooks, the base class that defines them, the hooks that the fast loop calls)
    for each such object."""
    automatic = trainer.fit_loop.epoch_loop.automatic_optimization
    return [
        (trainer.lightning_module, LightningModule, IN_MODEL),
        (trainer.datamodule, LightningDataModule, set()),
        *((optimizer, Optimizer, IN_OPTIMIZER) for optimizer in trainer.optimizers),
        *((callback, Callback, IN_CALLBACK) for callback in trainer.callbacks),
        *((part, type(part), set()) for part in (trainer.precision_plugin, trainer.strategy, automatic)),
    ]


def instance_hooks(trainer: Trainer) -> list[tuple[int, dict[str, object]]]:
    """The hooks that are attributes of the run's objects (not of their classes), which may be set at any time."""
    return [
        (id(owner), {name: vars(owner)[name] for name in hook_names(base).intersection(vars(owner))})
        for owner, base, _ in hook_owners(trainer)
    ]


def has_plain_settings(trainer: Trainer) -> bool:
    """Whether a step of this run is forward, backward and the optimizer's step on one device."""
    model, precision, strategy = trainer.lightning_module, trainer.precision_plugin, trainer.strategy
    automatic = trainer.fit_loop.epoch_loop.automatic_optimization
    return (
        is_tested()  # the fast loop follows the order of hooks and the counters of this version
        and getattr(type(model), "training_step", None) is Classifier.training_step
        and "training_step" not in vars(model)
        and model.automatic_optimization
        and type(strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and type(automatic) is _AutomaticOptimization
        and not automatic._skip_backward  # stochastic weight averaging sets it in its last epoch
        and type(trainer.profiler) is PassThroughProfiler
        and isinstance(trainer.train_dataloader, Batches)  # its batches are on the device already
        and trainer.accumulate_grad_batches == 1
        and not trainer.gradient_clip_val
        and trainer._val_check_time_interval is None
        and trainer.check_val_every_n_epoch is not None
        and all((config.interval == "step") != config.reduce_on_plateau for config in trainer.lr_scheduler_configs)
        and len(trainer.optimizers) == 1
        and all(map(steps_plainly, trainer.optimizers))
    )


def is_plain(trainer: Trainer) -> bool:
    """`has_plain_settings`, and all overridden hooks are called by the fast loop, or by Lightning outside of a step."""
    return has_plain_settings(trainer) and all(
        name in called or OUTSIDE.fullmatch(name)
        for owner, base, called in hook_owners(trainer)
        for name in overridden(owner, base)
    )
