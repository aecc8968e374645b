"""Learning rate schedules that depend on the length of the run, and checks of optimizers and schedulers."""

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from proj.errors import UserError, message_of, nearest, out_of_memory
from proj.wording import how_many

STEPS = re.compile(r"steps(?:/(\d+))?")


def in_steps(name: str, value: Any, steps: float) -> Any:
    """The value of the setting `scheduler.name`, where "steps" stands for the run's steps, and "steps/3" for a third.

    steps: the number of optimizer steps in the run. Raises UserError if it is infinite because only a time limits it.
    """
    meant = STEPS.fullmatch(value) if isinstance(value, str) else None
    if not meant:
        return value
    if math.isinf(steps):
        raise UserError(
            f"scheduler.{name}={value} needs a run of known length: give trainer.max_epochs=… or "
            "trainer.max_steps=…, or use scheduler=none."
        )
    return max(1, int(steps) // int(meant[1] or 1))


def make_schedule(scheduler: partial, optimizer: Optimizer, steps: float, mode: str) -> LRScheduler:
    """The schedule of an optimizer. scheduler: a partial of a torch scheduler with its settings. steps: see `in_steps`.

    mode: "max" if larger values of the metric that ReduceLROnPlateau watches are better, else "min".
    Raises UserError if the schedule is shorter than the run.
    """
    settings = {name: in_steps(name, value, steps) for name, value in scheduler.keywords.items()}
    if "max_lr" in settings:  # scaled for each group, since OneCycleLR would give all groups the same rate
        first = optimizer.param_groups[0]["lr"]
        settings["max_lr"] = [settings["max_lr"] * group["lr"] / first for group in optimizer.param_groups]
    rise = settings.get("pct_start", 0) * (settings.get("total_steps") or 0)
    if rise == 1:  # OneCycleLR divides by zero if the rate rises for a single step
        settings["total_steps"] += 1
    if scheduler.func is ReduceLROnPlateau:
        settings.setdefault("mode", mode)
    if scheduler.func in (OneCycleLR, CyclicLR) and not {"momentum", "betas"} & optimizer.defaults.keys():
        settings.setdefault("cycle_momentum", False)  # there is no momentum to cycle, as with Adagrad
    made = scheduler.func(optimizer, **settings)
    refuse_other("scheduler", scheduler, made, LRScheduler)
    if isinstance(made, OneCycleLR) and made.total_steps < steps:  # it would raise an error after its last step
        raise UserError(
            f"the scheduler ends after {how_many(made.total_steps, 'step')}, but the run has "
            f"{'no end' if math.isinf(steps) else steps}: use scheduler.total_steps=steps, or end the run with "
            f"trainer.max_steps={made.total_steps}."
        )
    return made


def cut_short(config: Mapping, trainer: Trainer) -> str | None:
    """A remark for a run that ended long before its schedule did, as early stopping and trainer.max_time end it, since
    its learning rate was still high; None for any other run, and where a model makes a schedule of its own."""
    settings, steps, planned = config["scheduler"], trainer.global_step, trainer.estimated_stepping_batches
    made = {type(one.scheduler).__name__ for one in trainer.lr_scheduler_configs}
    is_planned = any(STEPS.fullmatch(str(value)) for value in settings.values())
    if not is_planned or settings["_target_"].rpartition(".")[2] not in made or steps > 0.75 * planned:
        return None
    return (
        f"The run ended after {how_many(steps, 'step')} of the {planned:,} over which "
        f"scheduler={config['choices']['scheduler']} changes the learning rate, before that was low: a smaller "
        "trainer.max_epochs, scheduler=plateau or scheduler=none suits a run that ends early."
    )


def refuse_other(what: str, of: Callable, made: Any, base: type) -> None:
    """Raises UserError unless `made`, a class or object, is one of `base`. what: "optimizer", say. of: what made it."""
    if not (issubclass(made, base) if isinstance(made, type) else isinstance(made, base)):
        called = getattr(of, "func", of)
        name = f"{called.__module__}.{called.__qualname__}"
        raise UserError(f"{what}._target_={name} is no {what}: derive it from {base.__module__}.{base.__name__}.")


@contextmanager
def settings_of(what: str, of: Callable) -> Iterator[None]:
    """A context that turns any error on the settings of an optimizer or scheduler (`what`), made by `of`, into a
    UserError."""
    called = getattr(of, "func", of)
    if isinstance(called, type):
        refuse_other(what, of, called, Optimizer if what == "optimizer" else LRScheduler)
    try:
        taken = inspect.signature(called).parameters
    except ValueError:  # functions written in C may have no signature
        taken = {}
    given = getattr(of, "keywords", {})
    foreign = [name for name in given if name not in taken]
    if taken and foreign and not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        words = " ".join(f"~{what}.{name}" for name in foreign)
        raise UserError(
            f"the {what} does not take its settings: {of.func.__name__} has no {', '.join(foreign)} (without: {words})."
            + nearest(foreign[0], set(taken) - {"params", what, *given})
        )
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or out_of_memory(error):
            raise
        raise UserError(f"the {what} does not take its settings: {message_of(error)}") from error


class Rehearsal:
    """Tries an optimizer on a few parameters of its own, since some settings raise errors only in the first step."""

    def __init__(self, optimizer: Callable, device: torch.device) -> None:
        self.parameters = [nn.Parameter(torch.ones(shape, device=device)) for shape in ((2, 2), (2,), (2, 2))]
        self.optimizer = optimizer(self.parameters)
        refuse_other("optimizer", optimizer, self.optimizer, Optimizer)
        step = inspect.signature(self.optimizer.step)
        if not any(one.kind is not inspect.Parameter.KEYWORD_ONLY for one in step.parameters.values()):
            name = type(self.optimizer).__name__
            raise UserError(f"{name}.step takes no closure, which Lightning passes it: def step(self, closure=None).")

    def step(self) -> None:
        self.optimizer.step(self._backward)

    @torch.enable_grad()  # as in a training: an optimizer may call this under no_grad
    def _backward(self) -> Tensor:
        """The optimizer's closure: a loss with a gradient for each parameter."""
        loss = torch.stack([parameter.square().sum() for parameter in self.parameters]).sum()
        loss.backward()
        return loss

    def follow(self, schedule: LRScheduler) -> None:
        """One step of the optimizer, then one of its schedule; torch warns if they come in another order."""
        self.step()
        schedule.step(0.0) if isinstance(schedule, ReduceLROnPlateau) else schedule.step()
