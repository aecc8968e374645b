"""Tiny data in the real file formats, and commands run in a folder of their own."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the tests run in parallel, and threads of two programs collide

import functools
import importlib
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import forks
import numpy as np
import pytest
from omegaconf import DictConfig

import proj.config


def write_idx(path: Path, array: np.ndarray) -> None:
    """A uint8 array as an IDX file, the format of MNIST."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.tobytes())


def draw(labels: np.ndarray, size: int, channels: int, seed: int) -> np.ndarray:
    """uint8 (N, size, size, channels): noise, and a bright square whose place tells the class."""
    images = np.random.default_rng(seed).integers(0, 80, (len(labels), size, size, channels), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 4)
        image[row * 7 : row * 7 + 6, column * 7 : column * 7 + 6] = 255
    return images


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """200 + 100 images of MNIST, FashionMNIST and CIFAR-10 in their official file formats."""
    root = tmp_path_factory.mktemp("data")
    labels = {"train": np.arange(200, dtype=np.uint8) % 10, "t10k": np.arange(100, dtype=np.uint8) % 10}
    for name in ("MNIST", "FashionMNIST"):
        for seed, (part, y) in enumerate(labels.items()):
            write_idx(root / name / "raw" / f"{part}-images-idx3-ubyte", draw(y, 28, 1, seed)[..., 0])
            write_idx(root / name / "raw" / f"{part}-labels-idx1-ubyte", y)
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        y = labels["train"][:40] if i < 5 else labels["t10k"]
        pixels = draw(y, 32, 3, i).transpose(0, 3, 1, 2).reshape(len(y), -1)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": y.tolist()}, protocol=4))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=4))
    return root


PAGES = [Path(__file__).parents[1] / "README.md", *sorted(Path(__file__).parents[1].glob("docs/*.md"))]
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)  # the README, and what it leads to

TINY_CIFAR10 = "dataset.source._target_=tiny.CIFAR10"  # torchvision's class without its checksums, tests/tiny.py


@pytest.fixture
def configure(tmp_path, data_dir):
    """configure("dataset=digits", …) -> the configuration that this command line composes; the run goes to tmp_path."""

    def configure(*overrides: str, folder: Path = tmp_path / "run") -> DictConfig:
        words = [f"data_dir={data_dir}", f"hydra.run.dir={folder}", "~callbacks.progress", *overrides]
        if any("cifar10" in word for word in overrides):
            words.append(TINY_CIFAR10)
        return proj.config.configure(*words)

    return configure


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
def command(tmp_path):
    """command("-m", "proj.train", …) -> the finished process of `python …`, run in tmp_path.

    A fork of a process that has imported torch, unless it is `fresh` or no module of this project.
    """

    def command(*words: str, env=None, fresh=False) -> subprocess.CompletedProcess:
        if words[0] == "-m" and not fresh:
            return forks.run(tmp_path, words[1], *words[2:], env=env)
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=240, env=env
        )

    return command
