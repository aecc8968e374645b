"""What benchmarks/peers.py compares is the same."""

import importlib
from pathlib import Path

import pytest
from torch import nn

from proj.config.compose import configure
from proj.config.instantiate import build

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("peers")


def layers_of(network: nn.Module) -> list[str]:
    return [repr(layer) for layer in network]


@pytest.mark.parametrize("task", SHAPES)
def test_the_programs_of_the_other_libraries_train_the_network_that_is_trained_here(peers, task):
    words = [word for word in peers.SETTINGS[task].split() if "dataset.source" not in word]
    cfg = configure(*words)
    network = build(cfg.model, input_shape=SHAPES[task], num_classes=10).network
    theirs = importlib.import_module("peer_programs").network(task)
    assert layers_of(network) == layers_of(theirs)
    programs = importlib.import_module("peer_programs")
    assert (cfg.dataset.batch_size, cfg.optimizer.lr) == (programs.BATCH, programs.RATE)
    assert cfg.optimizer.weight_decay == cfg.model.loss.label_smoothing == cfg.dataset.shift == cfg.dataset.flip == 0


def test_a_row_of_the_table_is_of_all_rounds_and_of_one_network(peers):
    figures = {"epoch": 1.0, "accuracy": 0.9, "parameters": 10}
    runs = {f"mnist/proj/{seed}/2": figures | {"epoch": seed} for seed in (1.0, 2.0, 9.0)}
    (row,) = peers.rows_of("mnist", runs)
    assert (row["epoch"], row["accuracy"], row["rounds"]) == (2, pytest.approx(90), 3)
    with pytest.raises(ValueError, match="not one network"):
        peers.rows_of("mnist", runs | {"mnist/skorch/1/2": figures | {"parameters": 11}})
