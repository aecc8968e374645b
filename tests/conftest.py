"""Tiny data in the real file formats, and commands run in a folder of their own."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the tests run in parallel, and threads of two programs collide
os.environ["TESTS_NEVER_SYNC"] = "1"  # of which `support.speed` tells

import functools
import gc
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig
from support import processes, speed, sweeps
from support.images import TINY_CIFAR10, load_photos, write_official_sets

import proj.config

speed.quicken()


def pytest_collection_finish() -> None:
    """What is imported stays: a collection of garbage that looks at it too takes a second, a tenth of all time."""
    gc.freeze()


def pytest_runtest_setup() -> None:
    speed.share_operators()


def pytest_unconfigure() -> None:
    """Libraries that count what is left at the end would name all of it as leaked."""
    gc.unfreeze()
    speed.forget()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """200 + 100 images of MNIST, FashionMNIST and CIFAR-10 in their official file formats."""
    root = tmp_path_factory.mktemp("data")
    write_official_sets(root)
    return root


@pytest.fixture
def configure(tmp_path, data_dir):
    """configure("dataset=digits", …) -> the configuration that this command line composes; the run goes to tmp_path."""

    def configure(*overrides: str, folder: Path = tmp_path / "run") -> DictConfig:
        words = [f"data_dir={data_dir}", f"hydra.run.dir={folder}", "~callbacks.progress", *overrides]
        if any("cifar10" in word for word in overrides):
            words.append(TINY_CIFAR10)
        return proj.config.configure(*words)

    return configure


@pytest.fixture
def load(data_dir):
    """load("digits", "seed=1") -> the datamodule of this dataset and these settings, ready."""

    def load(name: str, *overrides: str):
        from support.runs import make, settings  # imports torch, which the process that only hands out tests does not

        here = []
        if "data_dir" in settings(name):  # of an official set, of which there are 180 training examples
            here = [f"data_dir={data_dir}", "batch_size=60"]
        if name == "cifar10":
            here.append(TINY_CIFAR10)
        return make(name, *(word.removeprefix("dataset.") for word in (*here, *overrides)))

    return load


@pytest.fixture(scope="session")
def trained(tmp_path_factory, data_dir):
    """trained("dataset=digits", …) -> the folder of a run of two epochs, trained once a session."""

    @functools.cache
    def trained(*overrides: str) -> Path:
        from proj.training.run import train

        folder = tmp_path_factory.mktemp("trained")
        words = (f"data_dir={data_dir}", f"hydra.run.dir={folder}", "~callbacks.progress", "trainer.max_epochs=2")
        words += ("trainer.precision=32-true",)  # on every machine, so that figures follow from the logits
        cifar = [TINY_CIFAR10] if "dataset=cifar10" in overrides else []
        train(proj.config.configure(*words, *cifar, *overrides))
        return folder

    return trained


@pytest.fixture(scope="session")
def digits(trained) -> Path:
    """The folder of a run of the usual network on digits."""
    return trained("dataset=digits", "tta=true")


@pytest.fixture(scope="session")
def sweep_once(tmp_path_factory):
    """sweep_once("sweep_name=s", …) -> where this sweep has ended, with a training that is over at once."""

    @functools.cache
    def sweep_once(*words: str) -> Path:
        folder = tmp_path_factory.mktemp("swept")
        sweeps.run(folder, *words)
        return folder

    return sweep_once


@pytest.fixture
def ended_sweep(sweep_once, tmp_path):
    """ended_sweep("sweep_name=s", …) -> the folder of such a sweep, a copy in tmp_path."""

    def ended_sweep(*words: str) -> Path:
        shutil.copytree(sweep_once(*words), tmp_path, dirs_exist_ok=True)
        return tmp_path / "outputs/sweeps/s"

    return ended_sweep


@pytest.fixture
def mistake(monkeypatch):
    """mistake("proj.predict", "input=x", …) -> the sentence in which this command line ends, in this process."""

    def mistake(module: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [module, *words])
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(module).main()
        assert stop.value.code.startswith("error: ") and "\n" not in stop.value.code
        return stop.value.code

    return mistake


@pytest.fixture
def calls_of(monkeypatch):
    """calls_of(owner, "name") -> the arguments of each call of this function, which does as before."""

    def calls_of(owner, name: str) -> list[tuple]:
        real, calls = getattr(owner, name), []

        def called(*args, **settings):
            calls.append(args)
            return real(*args, **settings)

        monkeypatch.setattr(owner, name, called)
        return calls

    return calls_of


@pytest.fixture
def photos(tmp_path):
    """photos(folder, "dataset.…", …) -> `load_photos` of a folder, with a cache of the test's own."""
    return lambda folder, *words: load_photos(folder, tmp_path / "cache", *words)


@pytest.fixture
def command(tmp_path):
    """command("-m", "proj.train", …) -> the finished process of `python …`, run in tmp_path.

    A fork of a process that has imported torch, unless it is `fresh` or no module of this project.
    """

    def command(*words: str, env=None, fresh=False) -> subprocess.CompletedProcess:
        if words[0] == "-m" and not fresh:
            return processes.run(tmp_path, words[1], *words[2:], env=env)
        return processes.program(tmp_path, *words, env=env)

    return command
