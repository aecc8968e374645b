"""How many threads a run computes with: what it takes for a small table, and what it leaves to the user."""

from types import SimpleNamespace

import pytest
import torch

from proj.training import threads
from proj.training.threads import choose_threads, threads_restored


@pytest.fixture
def cores(monkeypatch):
    """A machine of four cores, and no choice of the user's; the list of the numbers that are set."""
    set_to = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: set_to[-1] if set_to else 4)
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: range(4), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return set_to


def take(weights: int, batch_size: int, kind: str = "table", before: int | None = None) -> None:
    model = SimpleNamespace(multiplications=16 * weights)
    state = {"environment": {"threads": before}} if before else None
    choose_threads(model, SimpleNamespace(kind=kind, batch_size=batch_size), state)


def test_a_small_network_for_tables_takes_one_thread_and_gives_the_others_back(cores):
    with threads_restored():
        take(30_000, 32)
        assert cores == [1]
    assert cores == [1, 4]


def test_a_large_step_pictures_and_what_the_user_says_are_left_alone(cores, monkeypatch):
    take(100_000, 512)
    take(30_000, 32, kind="image")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    take(30_000, 32)
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)  # as torch.set_num_threads(3) has it
    take(30_000, 32)
    assert cores == []


def test_a_run_that_goes_on_takes_the_threads_that_it_had(cores):
    take(30_000, 32, before=4)  # as an older version trained it
    assert cores == []
    take(30_000, 32, before=1)
    assert cores == [1]
