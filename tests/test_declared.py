"""What a dataset is and what a model takes: said by their classes, and known without importing them."""

import json

import pytest
import torch
import yaml

from proj.config.compose import stored_config
from proj.config.declared import declared
from proj.reports.compare import compare
from proj.reports.runs import read_run
from proj.training.run import train
from proj.use.evaluation import evaluate

OWN = """
import torch
import proj.data
from proj.models import CNN as Network

assert False, "nobody imports this file"


class Pictures(proj.data.ImageDataModule):
    pass


class Table(Pictures):
    kind = "table"


class Net(Network):
    depth: int


class Any(torch.nn.Module):
    accepts = list(range(3))
"""


@pytest.mark.parametrize(
    ("target", "attribute", "value"),
    (
        ("proj.data.IrisDataModule", "kind", "table"),
        ("proj.data.CIFAR10DataModule", "kind", "image"),
        ("proj.data.datamodule.InMemoryDataModule", "kind", None),
        ("proj.models.CNN", "accepts", ("image",)),
        ("proj.models.mlp.MLP", "accepts", ("image", "table")),
        ("own.Pictures", "kind", "image"),
        ("own.Table", "kind", "table"),
        ("own.Net", "accepts", ("image",)),
        ("own.Any", "accepts", None),
        ("own.Nobody", "kind", None),
        ("nowhere.Net", "accepts", None),
        ("Net", "accepts", None),
    ),
)
def test_a_classs_attribute_is_read_from_its_source(tmp_path, monkeypatch, target, attribute, value):
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    declared.cache_clear()
    assert declared(target, attribute) == value


def test_a_model_that_does_not_fit_is_refused_before_torch_is_imported(command, tmp_path):
    (tmp_path / "own.py").write_text("from proj.models import CNN\n\n\nclass Net(CNN):\n    pass\n")
    code = (
        "import sys\nsys.argv[1:] = ['dataset=iris', 'model=cnn', 'model._target_=own.Net']\n"
        "from proj.train import main\n"
        "try: main()\nexcept SystemExit as stop: print(stop)\nassert 'torch' not in sys.modules\n"
    )
    process = command("-c", code)
    assert process.returncode == 0, process.stderr
    assert "takes image data, and dataset=iris is table data: use model=iris or model=mlp." in process.stdout


@pytest.fixture
def old(configure, tmp_path):
    """The folder of a run whose files hold the keys that older versions wrote."""
    folder = tmp_path / "run"
    train(configure("trainer.max_epochs=1", "~callbacks.dashboard"))
    stored = yaml.safe_load((folder / "config.yaml").read_text())
    checkpoints = {name: torch.load(folder / name, weights_only=True) for name in ("last.ckpt", "best.ckpt")}
    for config in (stored, *(checkpoint["proj"]["config"] for checkpoint in checkpoints.values())):
        config["dataset"]["kind"], config["model"]["accepts"] = "table", ["table"]
    (folder / "config.yaml").write_text(yaml.safe_dump(stored))
    for name, checkpoint in checkpoints.items():
        torch.save(checkpoint, folder / name)
    return folder


def test_a_run_of_an_older_version_which_kept_kind_and_accepts_goes_on_and_is_measured(configure, old):
    assert evaluate(old / "best.ckpt")["acc"] == json.loads((old / "metrics.json").read_text())["test/acc"]
    train(configure("trainer.max_epochs=1", "~callbacks.dashboard"))  # the same command again finds no other settings
    train(stored_config(old, []))


def test_a_run_of_an_older_version_is_of_the_same_configuration_as_one_of_now(configure, old, tmp_path):
    train(configure("trainer.max_epochs=1", "~callbacks.dashboard", "seed=1", folder=tmp_path / "again"))
    (row,) = compare([read_run(old), read_run(tmp_path / "again")])["rows"]
    assert len(row["runs"]) == 2
