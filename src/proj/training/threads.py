"""How many threads a run computes with: a small network for tables takes one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from proj.data.datamodule import InMemoryDataModule
from proj.models.classifier import Classifier
from proj.system.platform import usable_cores

SMALL = 1e8  # multiplications by weights in a step: 12 ms of one thread; below it a second one gains little


@contextmanager
def own_threads() -> Iterator[None]:
    """Afterwards torch has as many threads as before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def take_threads(model: Classifier, data: InMemoryDataModule, state: dict[str, Any] | None) -> None:
    """Let a network for tables compute with one thread where its steps are small: several save it nothing, and wait for
    each other on a machine that has other work, which can take ten times as long.

    Nothing changes where the user has chosen the threads, by OMP_NUM_THREADS or in Python. A run that goes on takes as
    many as it had, on which the last bits depend. state: of that run, see `Resume`.
    """
    cores = usable_cores()
    chosen = os.environ.keys() & {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    if chosen or data.kind != "table" or torch.get_num_threads() not in (cores, cores // 2):
        return
    now = torch.get_num_threads()
    wanted = 1 if model.multiplications * data.batch_size < SMALL else now
    if state:
        wanted = state["environment"].get("threads", now)
    if wanted < now:
        torch.set_num_threads(wanted)
