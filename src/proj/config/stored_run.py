"""The configuration that a run wrote into its folder and goes on with: completed, and changed by a command, whose words
are those of any command, on top of what the run has.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from proj.config.check_types import check_type
from proj.config.check_values import check_ranges
from proj.config.compose import CONF, literal
from proj.config.settings.table import below, policy, refusal
from proj.config.stored import check_destinations, check_stored
from proj.config.words import GROUPS, as_hydra_reads, key_of
from proj.errors import UserError, choose, message_of
from proj.system.folders import runs_near
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
    """Give a stored configuration what conf/ did not list when it was composed; take away what is overridden anyway."""
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


def update_copies(cfg: DictConfig, before: dict, typed: set[str]) -> None:
    """Give a changed setting of the top, such as data_dir, also to the copies below that have its value and were not
    `typed` themselves.

    What conf/ refers to as ${data_dir} has been looked up in a stored configuration.
    """

    def change(node: dict, place: str) -> None:
        for name, value in node.items():
            if isinstance(value, dict):
                change(value, f"{place}{name}.")
            elif name in changed and before[name] == OmegaConf.select(cfg, key := place + name) and key not in typed:
                OmegaConf.update(cfg, key, cfg[name])

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
    if not file.is_file() and RunFolder(folder).job.is_file():
        above = as_command([f"resume={folder.parent}"])
        raise UserError(f"{folder} is a job that has not begun: its sweep goes on with python -m proj.sweep {above}")
    if not file.is_file() and RunFolder(folder).notes.is_dir():
        raise UserError(
            f"{folder} is of a run that stopped before its training began: start it with its command again."
        )
    if not file.is_file():
        raise UserError(f"{folder} is not the folder of a run (no config.yaml).{runs_near('resume', folder, file)}")
    try:
        read = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{file} cannot be read, or is no YAML ({message_of(error, 200)}).") from error
    stored = check_stored(read, file, trust)
    if not {"dataset", "model", "trainer"} <= stored.keys():
        raise UserError(f"{file} holds no configuration of this project.")
    typed = {*map(key_of, overrides)}
    check_destinations(stored, file, [*trust, *typed])
    keep_inside(stored, folder, file, trust)
    if "source" in stored.get("dataset", {}) and not typed & {"data_dir", "dataset.data_dir"}:
        stored["dataset"]["download"] = False  # a file does not say where to write
    cfg = OmegaConf.create(literal(stored))
    bring_up_to_date(cfg)
    OmegaConf.set_struct(cfg, True)
    before = OmegaConf.to_container(cfg)
    apply_words(cfg, overrides, folder)
    update_copies(cfg, before, typed)
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


def apply_words(cfg: DictConfig, words: list[str], folder: Path) -> None:
    """Change the stored configuration of the run in `folder` as the words say.

    Raises UserError for a word that a run that goes on does not take, and for a value of another type.
    """
    for word in words:
        refuse(word, folder)
    before, settings = cfg.copy(), []
    for override in OverridesParser.create().parse_overrides([as_hydra_reads(word) for word in words]):
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} gives several values, and a run that goes on takes one.")
        if override.key_or_group in GROUPS:
            choose_option(cfg, override)
        else:
            settings.append(override)
    ConfigLoaderImpl._apply_overrides_to_config(settings, cfg)
    for override in settings:
        key = override.key_or_group
        if not override.is_delete() and not policy(key).range:  # else its range is tested
            check_type(key, OmegaConf.select(cfg, key), OmegaConf.select(before, key))


def refuse(word: str, folder: Path) -> None:
    """Raises UserError for a word of a new run or of a sweep."""
    key = key_of(word)
    if key.startswith("-"):
        raise UserError(f"{word} is of a new run: what goes on takes settings, such as trainer.accelerator=cpu.")
    if key == "output_dir" or key.startswith(("hydra.", "hydra/")):
        raise UserError(f"{word} is of a new run, and this one goes on in its folder, {folder}: leave it out.")
    if key.split(".")[0] in ("choices", "trial"):
        raise UserError(refusal(key.split(".")[0]))
    if key in ("sweep", "sweep_name"):
        raise UserError(f"{word} is of a sweep, and {folder} is the folder of a run: leave it out.")


def choose_option(cfg: DictConfig, override: Override) -> None:
    """Give a run what another option of its group says itself, such as trainer=cpu, on top of the run's own settings.

    Raises UserError for a group in which a run that goes on has made its choice, unless it is the same again.
    """
    group, option = override.key_or_group, override.value()
    if group in ("trainer", "callbacks", "logger") and isinstance(option, str | list) and not override.is_delete():
        options = {file.stem: file for file in (CONF / group).glob("*.yaml")}
        for one in option if isinstance(option, list) else [option]:
            choose(group, one, options)
            said = own_settings(options, one)
            with open_dict(cfg):  # logger=none says nothing, and means that there is none
                cfg[group] = OmegaConf.merge(cfg[group], said) if said else {}
    elif override.is_delete() or option != OmegaConf.select(cfg, f"choices.{group}"):
        raise UserError(
            f"{override.input_line} chooses anew; what goes on takes single settings, such as trainer.accelerator=cpu, "
            "and other options of trainer, callbacks and logger."
        )


def own_settings(options: dict[str, Path], option: str) -> dict:
    """What an option's file says, and those that it builds on, but for the default."""
    said = OmegaConf.to_container(OmegaConf.load(options[option]))
    settings: dict = {}
    for other in said.pop("defaults", []):
        settings |= own_settings(options, other) if other != "default" else {}
    return settings | said
