"""Chooses the number of threads of a run: one for a small network on a table."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from proj.data.datamodule import InMemoryDataModule
from proj.models.classifier import Classifier
from proj.system.platform import usable_cores

SMALL = 1e8  # multiplications in a step (12 ms in one thread), below which a second thread gains little


@contextmanager
def threads_restored() -> Iterator[None]:
    """A context after which torch has as many threads as before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def choose_threads(model: Classifier, data: InMemoryDataModule, state: dict[str, Any] | None) -> None:
    """Use one thread for a network on a table if its steps are small: several save nothing, and on a busy machine they
    wait for each other, which can take ten times as long.

    Nothing changes if the user has chosen the number of threads, by OMP_NUM_THREADS or in Python. A resumed run uses as
    many as before, since the last bits depend on it. state: of that run, see `Resume`; else None.
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
