"""Saves and restores attributes that the training changes in the objects of a run, and that Lightning does not save.

Examples are the counter of a callback without a `state_dict`, `trainer.accumulate_grad_batches`, which the
GradientAccumulationScheduler sets, a dropout rate that a callback raises, a layer that it freezes, and a list of losses
in a user's model. When a run is resumed within an epoch, Lightning does not call `on_train_epoch_start` again, so they
would not be set again either.
"""

import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

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

from proj.models.classifier import Classifier
from proj.system.ranks import say
from proj.training.robustness.plain_values import CONSTANTS, GENERATORS, NotPlain, equal, plain_attribute, put

# Callbacks of Lightning 2.6 that cannot be resumed exactly, whatever is restored: they replace the schedule or parts of
# the model, try out settings at every start, or cannot read their own state.
INEXACT = (StochasticWeightAveraging, ModelPruning, BatchSizeFinder, LearningRateFinder, SpikeDetection)


def keeps_its_state(callback: Callback) -> bool:
    """Whether a callback saves its own state, or has none that could change a result."""
    hooks = ("state_dict", "on_save_checkpoint")
    saves = any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)
    has_no_effect = isinstance(callback, ProgressBar | OnExceptionCheckpoint)
    return saves or has_no_effect or type(callback).__module__.startswith("proj.")


def state_holders(trainer: Trainer) -> Iterator[tuple[str, Any]]:
    """(A name, an object that may have such attributes); the names are the same when the run is resumed."""
    yield "trainer", trainer
    yield "data", trainer.datamodule
    if hasattr(dataset := getattr(trainer.train_dataloader, "dataset", None), "__dict__"):
        yield "dataset", dataset
    for number, optimizer in enumerate(trainer.optimizers):
        yield f"optimizer {number}", optimizer
    for name, module in trainer.lightning_module.named_modules():
        yield f"model {name}", module
    counts: Counter = Counter()
    for callback in trainer.callbacks:
        kind = type(callback).__qualname__
        if not keeps_its_state(callback):
            yield f"callback {kind} {counts[kind]}", callback
        counts[kind] += 1


def saved_ids(trainer: Trainer) -> frozenset[int]:
    """The ids of objects that are saved or built again anyway; attributes that refer to them need not be saved."""
    model = trainer.lightning_module
    known = [trainer, trainer.datamodule, trainer.strategy, *trainer.loggers, *trainer.callbacks, *trainer.optimizers]
    return frozenset(map(id, (*known, *model.modules(), *model.parameters(), *model.buffers())))


def may_change(holder: Any, name: str, value: Any) -> bool:
    """Whether an attribute may be changed by a training: any of a callback; a public one of the model, except those of
    metrics and of `Classifier`, which save their own; a public number or generator of the trainer, data or optimizer.

    `should_stop` is left out, since it would end a run that is given more epochs.
    """
    if isinstance(holder, Callback):
        return True
    if name[0] == "_" or name == "should_stop":
        return False
    of_model = isinstance(holder, nn.Module) and not isinstance(holder, Metric) and not hasattr(Classifier, name)
    return of_model or type(value) in (types.NoneType, bool, int, float) or isinstance(value, GENERATORS)


def gradients(model: LightningModule) -> dict[str, Tensor]:
    """The gradients, by parameter, of a model with manual optimization, which may accumulate them over batches."""
    trained = {} if model.automatic_optimization else dict(model.named_parameters())
    return {name: parameter.grad.cpu() for name, parameter in trained.items() if parameter.grad is not None}


def restore_gradients(model: LightningModule, kept: dict[str, Tensor]) -> None:
    for name, gradient in kept.items():
        model.get_parameter(name).grad = gradient.to(model.device)


def copy_attributes(holder: Any, known: frozenset[int]) -> tuple[dict[str, Any], dict[str, object]]:
    """(Copies of the attributes that a checkpoint can hold, those that it cannot hold but that may matter).

    The latter are anything but constants in a callback, and tensors on another device in the model. For a module, the
    first also contain which of its parameters are trained, and its non-persistent buffers. known: see `saved_ids`.
    """
    kept, left = {}, {}
    for name, value in vars(holder).items():
        if not may_change(holder, name, value):
            continue
        try:
            kept[name] = plain_attribute(value, known)
        except NotPlain as error:
            matters = isinstance(holder, Callback) or isinstance(error.value, Tensor)
            if matters and not isinstance(error.value, CONSTANTS) and id(error.value) not in known:
                left[name] = value
    if isinstance(holder, nn.Module):
        kept["requires_grad"] = {name: p.requires_grad for name, p in holder.named_parameters(recurse=False)}
        kept["buffers"] = {
            name: buffer.detach().to("cpu", copy=True)
            for name, buffer in holder.named_buffers(recurse=False)
            if name in holder._non_persistent_buffers_set
        }
    return kept, left


class Attributes(Callback):
    """Notes the attributes of a run's objects when its training begins, and which of them change. It is the last
    callback, so that it sees what the `on_train_start` of all others does.

    Its dictionaries hold the attributes, by their names, of each object, by its name in `state_holders`.
    """

    def __init__(self) -> None:
        self.changed: dict[str, dict[str, Any]] = {}  # those from the checkpoint, until a resumed run has restored them
        self.before: dict[str, dict[str, Any]] = {}  # those at the beginning of the training
        self.collected: dict[str, dict[str, Any]]  # those that have changed since, see `collect`
        self.announced: set[int] = set()  # the ids of the objects that `_announce` has named

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the attributes now, since a resumed run has no sanity check: what it changes must be saved, too."""
        known = saved_ids(trainer)
        self.before = {name: copy_attributes(holder, known)[0] for name, holder in state_holders(trainer)}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known, checked = saved_ids(trainer), bool(self.before)
        for name, holder in state_holders(trainer):
            now, left = copy_attributes(holder, known)
            if not checked:
                self.before[name] = now
            self._announce(trainer, holder, left)
        # With manual optimization, each process has its own buffers; a resumed run would give all of them the first's.
        by_hand = trainer.world_size > 1 and not pl_module.automatic_optimization
        for holder in (*trainer.callbacks, *([pl_module] if by_hand else [])):
            if holder is pl_module or isinstance(holder, INEXACT):
                self._announce(trainer, holder, {}, exact=False)
        self._set(trainer)  # already now, since the loop over the batches reads the trainer's settings

    def bring_back(self, trainer: Trainer) -> None:
        """Restore the attributes from the checkpoint; only the first call does anything."""
        if self.changed:
            for holder, key in self._set(trainer):
                say(
                    f"The state of {key} in {type(holder).__name__} is lost, since it is created only after training "
                    "has begun. This run may end with other bits than an unbroken one; create it in __init__."
                )
            self.changed = {}

    def _set(self, trainer: Trainer) -> list[tuple[Any, str]]:
        """Set the attributes in `changed`. Returns (holder, name) of those whose object does not exist (yet)."""
        absent = []
        for name, holder in state_holders(trainer):
            for key, value in self.changed.get(name, {}).items():
                if key == "requires_grad" and isinstance(holder, nn.Module):
                    for path, parameter in holder.named_parameters(recurse=False):  # ModelPruning renames some
                        parameter.requires_grad_(value.get(path, parameter.requires_grad))
                elif key == "buffers" and isinstance(holder, nn.Module):
                    for buffer in holder._non_persistent_buffers_set & value.keys():  # a file may set nothing else
                        put(holder, buffer, value[buffer])
                elif may_change(holder, key, getattr(holder, key, None)):
                    try:
                        put(holder, key, value)
                    except LookupError:
                        absent.append((holder, key))
        return absent

    def collect(self, trainer: Trainer) -> None:
        """Set `collected` to the changed attributes, for a checkpoint. Warn, once, of those that it cannot hold."""
        known, self.collected = saved_ids(trainer), {}
        for name, holder in state_holders(trainer):
            before, (now, left) = self.before.get(name, {}), copy_attributes(holder, known)
            differing = {key: value for key, value in now.items() if key not in before or not equal(before[key], value)}
            if differing:
                self.collected[name] = differing
            self._announce(trainer, holder, left)

    def _announce(self, trainer: Trainer, holder: Any, left: dict[str, object], exact: bool = True) -> None:
        """Warn, once, that an object cannot be resumed exactly. left: its attributes that no checkpoint can hold."""
        if (exact and not left) or id(holder) in self.announced or not trainer.is_global_zero:
            return
        self.announced.add(id(holder))
        why, cure = "", "let the run finish unbroken if that matters"
        if left:
            what = " and ".join(f"{name} ({type(value).__name__})" for name, value in left.items())
            cure = "register_buffer" if isinstance(holder, nn.Module) else "state_dict and load_state_dict"
            why, cure = f": a checkpoint cannot hold its {what}", f"give it {cure}"
        kind = "model" if isinstance(holder, nn.Module) else "callback"
        say(
            f"The state of the {kind} {type(holder).__name__} cannot be resumed exactly{why}. A resumed run "
            f"may end with other bits; {cure}."
        )
