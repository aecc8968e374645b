"""Builds, before the first job starts, what the jobs will build, as far as this needs neither data nor a device.

So a class that is missing or refuses a setting is reported once, instead of by every job.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from proj.config.instantiate import build, build_a
from proj.data.datamodule import InMemoryDataModule
from proj.errors import UserError
from proj.models.classifier import Classifier
from proj.models.schedules import Rehearsal, make_schedule, settings_of
from proj.training.checkpoints import build_callbacks

STEPS = 1000  # the length of the schedules that are built, unless a schedule has a shorter one


def rehearse(jobs: Iterable[tuple[list[str], DictConfig]]) -> None:
    """Raises UserError if one of the jobs would be refused. jobs: (its own overrides, its configuration) for each.
    A part that several jobs have in common is built once."""
    tried = set[str]()
    for own, cfg in jobs:
        for names, rehearsal in REHEARSALS.items():
            parts = repr([OmegaConf.to_container(cfg[name], resolve=True) for name in names])
            if parts in tried:
                continue
            tried.add(parts)
            try:
                rehearsal(cfg)
            except UserError as error:
                raise UserError(f"the job with {' '.join(own)} would fail: {error}" if own else str(error)) from error


def make_optimizer(cfg: DictConfig) -> None:
    """Build an optimizer and its schedule. No step is tried, since another device may have other kernels for it."""
    optimizer = build(cfg.optimizer)
    with settings_of("optimizer", optimizer):
        made = Rehearsal(optimizer, torch.device("cpu")).optimizer
    if schedule := build({**cfg.scheduler, "_partial_": True}):
        length = cfg.scheduler.get("total_steps")
        steps = min(length, STEPS) if isinstance(length, int) else STEPS
        with settings_of("scheduler", schedule):
            make_schedule(schedule, made, steps, "max")


REHEARSALS: dict[tuple[str, ...], Callable[[DictConfig], object]] = {
    ("dataset",): lambda cfg: build_a(InMemoryDataModule, "dataset", {**cfg.dataset, "_partial_": True}),
    ("model",): lambda cfg: build_a(Classifier, "model", {**cfg.model, "_partial_": True}),  # this does build the loss
    ("optimizer", "scheduler"): make_optimizer,
    ("callbacks",): lambda cfg: build_callbacks(Path(), cfg),
}
