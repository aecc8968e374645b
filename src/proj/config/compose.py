"""The configuration: where it lies, how it is composed, and what is built from it."""

import logging
import os
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from proj.config.check import check, kind_of
from proj.config.overrides import apply_words
from proj.config.settings import below
from proj.config.stored import MOVED, check_places, check_stored
from proj.config.values import check_ranges
from proj.config.words import as_hydra_reads, as_text
from proj.errors import UserError, chain
from proj.system.run_folder import RunFolder, SweepFolder, flat

CONF = Path(__file__).parents[1] / "conf"  # in the wheel
if not CONF.is_dir():
    CONF = Path(__file__).parents[3] / "conf"  # in a checkout


NO_ARGUMENTS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
# Older versions kept in the configuration what the classes of datamodules and models say themselves.
NO_ARGUMENTS += ("kind", "accepts")
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # `get_object` logs what it raises


def resolved(cfg: DictConfig) -> DictConfig:
    """The configuration with all references looked up, for good: no value is a reference any more, whatever it says.

    The data's folder is an absolute path, so that the run goes on from any folder.
    """
    plain = OmegaConf.to_container(cfg, resolve=True)
    for node in (plain, plain.get("dataset")):
        if isinstance(node, dict) and node.get("data_dir") is not None:
            node["data_dir"] = os.path.abspath(os.path.expanduser(str(node["data_dir"])))
    if OmegaConf.select(cfg, "choices.augment") == "none" and kind_of(cfg) != "image":
        plain["dataset"] = {key: value for key, value in plain["dataset"].items() if key not in ("flip", "shift")}
    return OmegaConf.create(literal(plain), flags={"struct": True})


def literal(node: Any) -> Any:
    """Plain values whose text OmegaConf takes as it stands, also where it says ${…}."""
    if isinstance(node, dict):
        return {key: literal(value) for key, value in node.items()}
    if isinstance(node, list):
        return [literal(value) for value in node]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", node) if isinstance(node, str) else node


def build(node: DictConfig | dict | None, **settings: Any) -> Any:
    """What a node of the configuration stands for: the class that its `_target_` names, called with the node's other
    values and `settings`; None for a node that names none.

    Hydra's `instantiate` does the same, but looks references up again, in text that comes from a file too.
    Raises UserError for a class that cannot be found, and for arguments that it does not take.
    """
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True)
    if not node or not node.get("_target_"):
        return None
    target = MOVED.get(node["_target_"], node["_target_"])
    arguments = {key: value for key, value in node.items() if key not in NO_ARGUMENTS}
    if node.get("_recursive_", True):
        arguments = {key: build_within(value) for key, value in arguments.items()}
    arguments |= settings
    try:
        called = get_object(target)
    except Exception as error:
        raise UserError(f"Error locating target '{target}' ({list(chain(error))[-1]}).") from error
    if not callable(called):
        raise UserError(f"{target} is no class.")
    if node.get("_partial_"):
        return partial(called, *node.get("_args_", ()), **arguments)
    try:
        return called(*node.get("_args_", ()), **arguments)
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        named = f"{type(error).__name__}: " * (type(error).__name__ not in ("TypeError", "ValueError"))
        raise UserError(f"{target}: {named}{error}") from error


def build_within(value: Any) -> Any:
    """A value with what it names, itself or within its lists and mappings, built."""
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, list):
        return [build_within(one) for one in value]
    if isinstance(value, dict):
        return build(value) if value.get("_target_") else {key: build_within(one) for key, one in value.items()}
    return value


@cache
def trainer_defaults() -> dict:
    """The Trainer's settings as conf/ has them."""
    return OmegaConf.to_container(OmegaConf.load(CONF / "trainer" / "default.yaml"))


@cache
def listed_since() -> dict[str, Any]:
    """The settings that conf/ did not always list, by their keys, with the values of runs that were begun before."""
    others = {"balance": "none", "threshold": None, "choices": {"augment": "light"}}
    return flat({"trainer": trainer_defaults(), **others}, ".")


def complete(cfg: DictConfig) -> None:
    """Give a stored configuration the settings that conf/ did not list when it was composed, and take those away that
    were overridden."""
    with open_dict(cfg):
        for key, setting in below("trainer").items():
            if setting.own:
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


def configure(*overrides: str, config_dir: str = "") -> DictConfig:
    """What a command line composes, checked and resolved, for notebooks: `train(configure("dataset=digits"))`.

    config_dir: a folder of options of one's own, as of --config-dir.
    """
    words = [as_hydra_reads(word) for word in overrides]
    if config_dir:
        if not os.path.isdir(config_dir):
            raise UserError(f"--config-dir={config_dir}: there is no such folder.")
        words.append(f"hydra.searchpath=[{as_text(f'file://{os.path.abspath(config_dir)}')}]")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", words, return_hydra_config=True)
        check(cfg)
    HydraConfig.instance().set_config(cfg)
    runtime = HydraConfig.get().runtime
    with read_write(runtime), open_dict(runtime):
        runtime.output_dir = cfg.hydra.run.dir
    with open_dict(cfg):
        cfg.pop("hydra")
    return resolved(cfg)


def follow(cfg: DictConfig, before: dict) -> None:
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
    if SweepFolder(folder).about.is_file():
        raise UserError(f"{folder} is the folder of a sweep: python -m proj.sweep resume={folder}")
    if not file.is_file():
        raise UserError(f"{folder} is not the folder of a run: it has no config.yaml. Give resume=<folder of a run>.")
    try:
        read = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{file} cannot be read, or is no YAML ({' '.join(str(error).split())[:200]}).") from error
    stored = check_stored(read, file, trust)
    check_places(stored, file, [*trust, *(word.lstrip("+~").partition("=")[0] for word in overrides)])
    keep_inside(stored, folder, file, trust)
    named = [word.removeprefix("dataset.") for word in overrides]
    if "source" in stored.get("dataset", {}) and not any(word.startswith(("data_dir=", "download=")) for word in named):
        stored["dataset"]["download"] = False  # a file does not say where to write
    cfg = OmegaConf.create(literal(stored))
    complete(cfg)
    OmegaConf.set_struct(cfg, True)
    before = OmegaConf.to_container(cfg)
    apply_words(cfg, overrides, CONF, folder)
    follow(cfg, before)
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
