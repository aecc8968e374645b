"""conf/: each file holds its difference from what it builds on, and nothing else."""

import itertools
import re
from collections.abc import Iterator
from functools import cache

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from proj.config.check_values import NAMES
from proj.config.compose import CONF, configure


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def commands() -> Iterator[list[str]]:
    """Command lines that together compose every file of conf/."""
    for dataset, model in itertools.product(options("dataset"), options("model")):
        if f"{dataset}_{model}" in options("dataset_model"):
            yield [f"dataset={dataset}", f"model={model}"]
    groups = ("optimizer", "scheduler", "trainer", "callbacks")
    for chosen in itertools.zip_longest(*map(options, groups)):
        yield [f"{group}={option}" for group, option in zip(groups, chosen, strict=True) if option]
    for preset in options("preset"):  # whose settings also hold where a part of it is chosen otherwise
        for words in ([], ["dataset=digits", "optimizer=sgd"], ["dataset=iris", "model=mlp", "optimizer=adamw"]):
            yield [f"preset={preset}", *words]


def leaves(node, place: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{place}.{key}".strip("."))
    else:
        yield place, node


@cache
def settings_of(file: str, package: str) -> dict[str, object]:
    return dict(leaves(OmegaConf.to_container(OmegaConf.load(CONF / f"{file}.yaml")), package))


def read(loader, words: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """The files of which Hydra composes a command, in their order, each as its own settings."""
    for default in loader.compute_defaults_list("train", words, RunMode.RUN).defaults:
        if (CONF / f"{default.config_path}.yaml").is_file() and not default.config_path.startswith("hydra/"):
            yield default.config_path, settings_of(default.config_path, default.package or "")


def test_no_file_of_conf_repeats_what_the_files_say_on_which_it_builds():
    repeated: dict[tuple, bool] = {}
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        loader = GlobalHydra.instance().config_loader()
        for words in commands():
            before: dict[str, object] = {}
            for file, settings in read(loader, words):
                for key, value in settings.items():
                    same = key in before and before[key] == value and type(before[key]) is type(value)
                    repeated[file, key] = repeated.get((file, key), True) and same
                before |= settings
    assert [where for where, always in repeated.items() if always] == []


def test_every_file_of_conf_says_in_its_first_comment_what_it_is_for():
    for file in CONF.rglob("*.yaml"):
        lines = file.read_text(encoding="utf-8").splitlines()
        first = lines[1] if lines[0].startswith("# @package") else lines[0]
        assert first.startswith("# ") and len(first) > 20, file
        if file.parent.name == "preset" and file.stem != "none":
            header = "".join(lines[1:4])
            for part in (f"python -m proj.train preset={file.stem}:", "accuracy", " in ", f"accuracy.py {file.stem}"):
                assert part in header, file


def test_conf_names_the_activations_that_a_model_takes():
    (line,) = re.findall("^activation: .*", (CONF / "model/mlp.yaml").read_text(encoding="utf-8"), re.M)
    assert {*re.findall(r"[A-Z]\w+", line)} == {*NAMES["activation"]}


@pytest.mark.parametrize(("words", "rate"), (([], 0.07), (["optimizer=adamw"], 0.005), (["optimizer.lr=0.2"], 0.2)))
def test_a_rate_for_one_optimizer_of_a_pair_is_none_for_another_optimizer(words, rate):
    assert configure("dataset=fashion_mnist", "model=whitened_cnn", *words).optimizer.lr == rate
