"""The schema for editors accepts every file of conf/ and what they compose, and no mistake in them."""

import copy
import itertools
import json

import jsonschema
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from proj.config.allowed_classes import strangers
from proj.config.compose import CONF, resolved
from proj.config.schema import schema
from proj.config.settings.setting import fits
from proj.config.settings.table import SETTINGS


@pytest.fixture(scope="module")
def validator():
    made = json.loads(json.dumps(schema()))
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


@pytest.fixture(scope="module")
def composed():
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        return OmegaConf.to_container(compose("train", ["dataset=digits"], return_hydra_config=False))


def options(group: str) -> list[str]:
    return [f"{group}={file.stem}" for file in sorted((CONF / group).glob("*.yaml"))]


def test_every_file_of_conf_is_valid(validator):
    for file in CONF.rglob("*.yaml"):
        if file.relative_to(CONF).parts[0] != "hydra":  # whose settings are Hydra's
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            assert validator.is_valid(content), (file, jsonschema.exceptions.best_match(validator.iter_errors(content)))


def test_what_the_options_compose_is_valid_and_names_nothing_that_a_file_may_not(validator):
    groups = ("model", "optimizer", "scheduler", "trainer", "callbacks", "logger", "augment")
    commands = [*([word] for word in options("dataset") + options("preset"))]
    commands += [list(filter(None, words)) for words in itertools.zip_longest(*map(options, groups))]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        for words in commands:
            cfg = compose("train", words)
            made = OmegaConf.to_container(cfg)
            assert validator.is_valid(made), (words, jsonschema.exceptions.best_match(validator.iter_errors(made)))
            cfg.data_dir, cfg.output_dir, cfg.choices = "x", "x", None  # which refer to what Hydra knows of a run
            assert not strangers(OmegaConf.to_container(resolved(cfg))), words


@pytest.mark.parametrize(
    ("place", "value"),
    (
        ("dataset.batch_size", 0),
        ("dataset.batchsize", 8),
        ("model.dropout", 1.5),
        ("model.loss.label_smoothing", 2),
        ("scheduler.total_steps", "half"),
        ("trainer.logger", False),
        ("trainer.gradient_clip_algorithm", "max"),
        ("callbacks.best.save_top_k", 0),
        ("callbacks.dashboard.histogram", True),
        ("logger.tensorboard.max_queues", 1),
        ("mode", "maximum"),
        ("test", "maybe"),
        ("sed", 1),
    ),
)
def test_a_typo_a_wrong_type_and_a_value_out_of_range_are_invalid(validator, composed, place, value):
    changed = copy.deepcopy(composed)
    node = changed
    *above, name = place.split(".")
    for key in above:
        node = node[key]
    node[name] = value
    assert validator.is_valid(composed) and not validator.is_valid(changed)
    if above:  # in the file of a preset, and in that of an option
        assert not validator.is_valid({above[0]: changed[above[0]]})
        assert not validator.is_valid(changed[above[0]])


def test_data_dir_may_be_a_list_of_files(validator):
    for files, is_valid in ((["2023.csv", "2024.csv"], True), ([], False), ([[]], False)):
        assert validator.is_valid({"data_dir": files}) == is_valid


def test_a_class_of_ones_own_has_arguments_of_its_own(validator):
    assert validator.is_valid({"_target_": "wine.WineDataModule", "batch_size": 16, "year": 1999})
    assert not validator.is_valid({"_target_": "wine.WineDataModule", "batch_size": 0, "year": 1999})


def test_the_checks_and_the_schema_agree_on_every_range():
    values = (None, True, 0, 1, -1, 0.5, 2.5, "auto", "steps/3", "x", "00:01:00:00", [], [0, 1], [0.5], {})
    for key, setting in SETTINGS.items():
        if setting.range:
            validator = jsonschema.Draft7Validator(setting.range.schema)
            for value in values:
                assert fits(value, setting.range.schema) == validator.is_valid(value), (key, value)
