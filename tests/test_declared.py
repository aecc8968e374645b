"""What a dataset is and what a model takes: said by their classes, and known without importing them."""

import pytest
from support.made_runs import write_run

from proj.config.compose import configure
from proj.config.declared import arguments, declared
from proj.errors import UserError
from proj.reports.compare import compare
from proj.reports.runs import find_runs

OWN = """
from abc import ABC as Abstract

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


class Base:
    def __init__(self, depth: int):
        self.depth = depth


class Wide(Abstract, Base):
    def __init__(self, width: int, **settings):
        super().__init__(**settings)
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


def test_arguments_are_inherited_beside_a_base_that_the_interpreter_itself_holds(tmp_path, monkeypatch):
    """From Python 3.11 on abc is frozen: loggers, which inherit from it, were not checked there as on 3.10."""
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert arguments("own.Wide") == {"width", "depth"}


def test_a_dataset_of_a_kind_that_no_model_takes_is_told_the_kinds(tmp_path, monkeypatch):
    (tmp_path / "heard.py").write_text("class Heard:\n    kind = 'audio'\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="dataset=iris is audio data: its class says kind = 'image' or 'table'"):
        configure("dataset=iris", "model=mlp", "dataset._target_=heard.Heard", "hydra.run.dir=unused")


def test_a_run_of_an_older_version_which_kept_kind_and_accepts_is_of_the_same_configuration_as_one_of_now(tmp_path):
    """That such runs go on and are measured, `test_old_folders` shows."""
    write_run(tmp_path / "old", seed=0, accepts=["table"])
    file = write_run(tmp_path / "now", seed=1) / "config.yaml"
    file.write_text(file.read_text().replace("batch_size: 64", "batch_size: 64\n  kind: table"))
    (row,) = compare(find_runs([tmp_path]))["rows"]
    assert len(row["runs"]) == 2
