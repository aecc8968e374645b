"""The configuration that a run wrote into its folder and goes on with: completed, changed by a command."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from proj.config.compose import CONF, literal
from proj.config.overrides import apply_words
from proj.config.policies import below
from proj.config.stored import check_destinations, check_stored
from proj.config.values import check_ranges
from proj.config.words import key_of
from proj.errors import UserError, message_of
from proj.system.platform import as_command
from proj.system.run_folder import RunFolder, SweepFolder, flat


@cache
def trainer_defaults() -> dict:
    """The Trainer's settings as conf/ has them."""
    return OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))


@cache
def listed_since() -> dict[str, Any]:
    """The settings that conf/ did not always list, by their keys, with the values of runs that were begun before."""
    others = {"balance": "none", "threshold": None, "choices": {"augment": "light"}}
    return flat({"trainer": trainer_defaults(), **others}, ".")


def bring_up_to_date(cfg: DictConfig) -> None:
    """Give a stored configuration the settings that conf/ did not list when it was composed, and take those away that
    were overridden."""
    with open_dict(cfg):
        for key, setting in below("trainer").items():
            if setting.instead:
                cfg.trainer.pop(key, None)
        for key, value in listed_since().items():
            above, _, name = key.rpartition(".")
            node = cfg[above] if above else cfg
            if name not in node:  # what is there stays as it stands, also where it says ${…}
                node[name] = value
        if "logger" not in cfg:
            cfg.logger = OmegaConf.load(CONF / "logger" / "tensorboard.yaml")
        if best := cfg.callbacks.get("best"):
            best.pop("dirpath", None)


def update_copies(cfg: DictConfig, before: dict) -> None:
    """Give a changed setting of the top, such as data_dir, also to the copies below that had its value.

    What conf/ refers to as ${data_dir} has been looked up in a stored configuration.
    """

    def change(node: dict, place: str) -> None:
        for name, value in node.items():
            if isinstance(value, dict):
                change(value, f"{place}{name}.")
            elif place and name in changed and value == before[name] == OmegaConf.select(cfg, place + name):
                OmegaConf.update(cfg, place + name, cfg[name])

    changed = {name for name, value in before.items() if not isinstance(value, dict) and cfg[name] != value}
    change(before, "")


def stored_config(folder: Path, overrides: list[str], trust: Sequence[str] = ()) -> DictConfig:
    """The configuration that a run wrote into its folder, changed as the words of a command say.

    trust: modules and classes of one's own that it may name, see `check_stored`.
    Raises UserError for a folder without one, for one that names what it may not, or a value out of range, and
    OmegaConf's error for an unknown key.
    """
    file = RunFolder(folder).config
    if folder.is_file():
        raise UserError(f"{folder} is a file: give the folder of its run, resume={folder.parent}")
    if SweepFolder(folder).manifest.is_file():
        raise UserError(f"{folder} is the folder of a sweep: python -m proj.sweep {as_command([f'resume={folder}'])}")
    if not file.is_file():
        raise UserError(f"{folder} is not the folder of a run: it has no config.yaml. Give resume=<folder of a run>.")
    try:
        read = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{file} cannot be read, or is no YAML ({message_of(error, 200)}).") from error
    stored = check_stored(read, file, trust)
    if not {"dataset", "model", "trainer"} <= stored.keys():
        raise UserError(f"{file} holds no configuration of this project.")
    check_destinations(stored, file, [*trust, *map(key_of, overrides)])
    keep_inside(stored, folder, file, trust)
    named = [word.removeprefix("dataset.") for word in overrides]
    if "source" in stored.get("dataset", {}) and not any(word.startswith(("data_dir=", "download=")) for word in named):
        stored["dataset"]["download"] = False  # a file does not say where to write
    cfg = OmegaConf.create(literal(stored))
    bring_up_to_date(cfg)
    OmegaConf.set_struct(cfg, True)
    before = OmegaConf.to_container(cfg)
    apply_words(cfg, overrides, CONF, folder)
    update_copies(cfg, before)
    cfg.output_dir = str(folder)
    check_ranges(cfg)
    return cfg


def keep_inside(stored: dict, folder: Path, file: Path, trust: Sequence[str]) -> None:
    """Have the callbacks of a run that goes on write into its folder, which may have moved.

    Raises UserError for one that writes elsewhere, unless `trust` names its setting.
    """
    homes = [os.path.abspath(home) for home in (stored.get("output_dir"), folder) if home]
    for name, callback in (stored.get("callbacks") or {}).items():
        for key in ("dirpath", "filename"):
            value = callback.get(key) if isinstance(callback, dict) else None
            setting = f"callbacks.{name}.{key}"
            if not value or setting in trust:
                continue
            place = Path(os.path.abspath(value if key == "dirpath" else folder / value))
            inside = next((place.relative_to(home) for home in homes if place.is_relative_to(home)), None)
            if inside is None:
                raise UserError(f"{file} would write to {value}: if that is meant, add trust={setting}")
            if key == "dirpath":
                callback[key] = str(folder / inside)
