"""What the jobs of a sweep build is built once before the first one starts, as far as that takes neither data nor a
device: a class that is not there, or that refuses a setting, is then named once, and not by each job."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from proj.config.compose import build
from proj.errors import UserError
from proj.models.schedules import Rehearsal, make_schedule, settings_of
from proj.training.checkpoints import build_callbacks

STEPS = 1000  # of a run, as far as its schedule is not shorter


def rehearse(jobs: Iterable[tuple[list[str], DictConfig]]) -> None:
    """Raises UserError for what one of the jobs would be refused for, each of which has its own settings and its
    configuration. A part that several jobs have is tried once."""
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
    """No step is done, for which another device may have other kernels."""
    optimizer = build(cfg.optimizer)
    with settings_of("optimizer", optimizer):
        made = Rehearsal(optimizer, torch.device("cpu")).optimizer
    if schedule := build({**cfg.scheduler, "_partial_": True}):
        length = cfg.scheduler.get("total_steps")
        steps = min(length, STEPS) if isinstance(length, int) else STEPS
        with settings_of("scheduler", schedule):
            make_schedule(schedule, made, steps, "max")


REHEARSALS: dict[tuple[str, ...], Callable[[DictConfig], object]] = {
    ("dataset",): lambda cfg: build({**cfg.dataset, "_partial_": True}, "dataset"),
    ("model",): lambda cfg: build({**cfg.model, "_partial_": True}, "model"),  # the loss within it is made
    ("optimizer", "scheduler"): make_optimizer,
    ("callbacks",): lambda cfg: build_callbacks(Path(), cfg),
}
