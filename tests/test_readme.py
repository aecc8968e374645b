"""What the README shows is what the commands do."""

import importlib
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from test_sweep import sweep

README = (Path(__file__).parents[1] / "README.md").read_text()
BENCHMARKS = [f for f in sorted(Path(__file__).parents[1].glob("benchmarks/*.py")) if "def main" in f.read_text()]
LINES = re.sub(r" *\\\n *", " ", README)  # a command that goes on
COMMANDS = {m[1].split(" #")[0].strip() for m in re.finditer(r"^    python -m proj\.train(.*)$", LINES, re.M)}
COMMANDS = sorted(line for line in COMMANDS if "resume=" not in line)


@pytest.mark.parametrize("line", [line for line in COMMANDS if "-m" not in line.split()])
def test_every_command_composes(command, line):
    process = command("-m", "proj.train", *shlex.split(line), "--cfg", "job")
    assert process.returncode == 0, process.stderr


def launch_nothing() -> None:
    import proj.sweep

    proj.sweep.Sweep.unfinished = lambda self: []


@pytest.mark.parametrize("line", [line for line in COMMANDS if "-m" in line.split()])
def test_every_sweep_composes(tmp_path, line):
    words = [word for word in shlex.split(line) if word != "-m" and not word.startswith("hydra/launcher")]
    words += ["hydra.sweeper.n_trials=0"] if "optuna" in line else []
    code, out, err = sweep(tmp_path, *words, before=launch_nothing)
    assert code == (1 if "optuna" in line else 0), err
    assert "(queued)" in out or "holds no run" in err  # a search chooses its jobs one by one


def block(pattern: str) -> str:
    return re.search(rf"```\w+\n((?:(?!```).)*?{pattern}.*?)```", README, re.S)[1]


def test_the_datasets_and_the_model_that_it_adds_train(command, tmp_path, data_dir):
    (tmp_path / "wine.py").write_text(
        "import sklearn.datasets, torch\nfrom proj.data.datamodule import InMemoryDataModule, Split, stratified\n"
        + block("class WineDataModule")
    )
    (tmp_path / "linear.py").write_text(
        "import math\nfrom torch import nn\nfrom proj.models import Classifier\n" + block("class Linear")
    )
    for name, pattern in (
        ("dataset/wine", "wine.Wine"),
        ("dataset/kmnist", "datasets.KMNIST"),
        ("model/linear", "linear.L"),
    ):
        file = tmp_path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block(pattern))
    (data_dir / "KMNIST").exists() or (data_dir / "KMNIST").symlink_to(data_dir / "MNIST")
    words = ("-m", "proj.train", f"--config-dir={tmp_path}/conf", "-m", f"data_dir={data_dir}", "trainer.max_epochs=1")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = command(*words, "dataset=wine,kmnist", "model=linear", env=env)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("test accuracy") == 2


def test_each_addition_takes_under_15_lines():
    for pattern in ("class WineDataModule", "class Linear", "wine.Wine", "linear.L", "datasets.KMNIST"):
        assert len(block(pattern).splitlines()) < 15


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_every_benchmark_has_a_command_in_the_readme_and_finds_what_it_measures(file, monkeypatch):
    assert f"python benchmarks/{file.name}" in README
    monkeypatch.syspath_prepend(file.parent)
    assert callable(importlib.import_module(file.stem).main)


def test_the_first_commands_set_everything_up():
    run, test = re.findall(r"^    (python3 -m venv .*)$", README, re.M)
    assert run.endswith("python -m proj.train") and test.endswith("python -m pytest")
    assert sys.version_info >= (3, 10)
