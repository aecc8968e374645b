"""Fixtures: tiny data sets in the real file formats, trained runs, and commands that run in the test's folder."""

import os

# Set before torch is imported: the tests run in parallel, and the threads of several processes would slow each other.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TESTS_NEVER_SYNC"] = "1"  # see `support.speed`

import atexit
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

speed.speed_up()


def pytest_configure(config) -> None:
    if getattr(config.option, "numprocesses", None):
        processes.share_server()


def pytest_collection_finish() -> None:
    """Exclude all imported modules from garbage collection, which would take a tenth of the tests' time."""
    gc.freeze()


def pytest_runtest_setup() -> None:
    speed.share_operators()


def pytest_unconfigure() -> None:
    # Libraries that look for leaks at the end would report all frozen objects. It is done late, since pytest collects
    # garbage several times before, which takes seconds if nothing is frozen.
    atexit.register(gc.unfreeze)
    speed.forget()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """A folder with MNIST, FashionMNIST and CIFAR-10 in their file formats: 200 images to train on, 100 to test on."""
    root = tmp_path_factory.mktemp("data")
    write_official_sets(root)
    return root


@pytest.fixture
def configure(tmp_path, data_dir):
    """configure("dataset=digits", …) -> the configuration of this command line, for a run in tmp_path."""

    def configure(*overrides: str, folder: Path = tmp_path / "run") -> DictConfig:
        words = [f"data_dir={data_dir}", f"hydra.run.dir={folder}", "~callbacks.progress", *overrides]
        if any("cifar10" in word for word in overrides):
            words.append(TINY_CIFAR10)
        return proj.config.configure(*words)

    return configure


@pytest.fixture
def load(data_dir):
    """load("digits", "seed=1") -> the datamodule of this dataset with these settings, set up."""

    def load(name: str, *overrides: str):
        from support.runs import make, settings  # not at the top: xdist's controller needs no torch

        here = []
        if "data_dir" in settings(name):  # an official data set, with 180 training examples in the fixture's folder
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
        words += ("trainer.precision=32-true",)  # the same on every machine, so that tests can compare metrics exactly
        cifar = [TINY_CIFAR10] if "dataset=cifar10" in overrides else []
        train(proj.config.configure(*words, *cifar, *overrides))
        return folder

    return trained


@pytest.fixture(scope="session")
def digits(trained) -> Path:
    """The folder of a run of the default network on digits."""
    return trained("dataset=digits", "tta=true")


@pytest.fixture(scope="session")
def sweep_once(tmp_path_factory):
    """sweep_once("sweep_name=s", …) -> the working folder of this finished sweep, whose trainings ended at once."""

    @functools.cache
    def sweep_once(*words: str) -> Path:
        folder = tmp_path_factory.mktemp("swept")
        sweeps.run(folder, *words)
        return folder

    return sweep_once


@pytest.fixture
def ended_sweep(sweep_once, tmp_path):
    """ended_sweep("sweep_name=s", …) -> the sweep's folder in a copy of what `sweep_once` gives, in tmp_path."""

    def ended_sweep(*words: str) -> Path:
        shutil.copytree(sweep_once(*words), tmp_path, dirs_exist_ok=True)
        return tmp_path / "outputs/sweeps/s"

    return ended_sweep


@pytest.fixture
def mistake(monkeypatch, tmp_path):
    """mistake("proj.predict", "input=x", …) -> the sentence with which this command is refused, run in this process."""
    monkeypatch.chdir(tmp_path)  # where there are no outputs/, whose runs would be named

    def mistake(module: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [module, *words])
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(module).main()
        assert stop.value.code.startswith("error: ") and "\n" not in stop.value.code
        return stop.value.code

    return mistake


@pytest.fixture
def calls_of(monkeypatch):
    """calls_of(owner, "name") -> a list that gets the arguments of every call of owner.name, which still works."""

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
    """photos(folder, "size=16", …) -> `load_photos` of a folder, with a cache in tmp_path."""
    return lambda folder, *words: load_photos(folder, tmp_path / "cache", *words)


@pytest.fixture
def command(tmp_path):
    """command("-m", "proj.train", …) -> the finished process of `python …`, run in tmp_path.

    It is a fork of a process that has imported torch, unless it is `fresh`, or not of the form `-m module`.
    """

    def command(*words: str, env=None, fresh=False) -> subprocess.CompletedProcess:
        if words[0] == "-m" and not fresh:
            return processes.run(tmp_path, words[1], *words[2:], env=env)
        return processes.program(tmp_path, *words, env=env)

    return command
