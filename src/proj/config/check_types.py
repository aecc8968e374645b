"""The kind of value that a setting takes, which its default value tells: a switch, a number, a list."""

from functools import cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from proj.config.settings.ranges import PATH, SIZE, STEPS, SWITCH, Range
from proj.config.settings.table import policy
from proj.config.words import typed
from proj.errors import UserError


def compose_defaults(cfg: DictConfig, *words: str) -> DictConfig:
    """What conf/ says for these words, with all defaults, and with the folders of options that `cfg` was given."""
    # Hydra's loader has those of --config-dir alone.
    places = [word for word in cfg.hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
    return load_once(GlobalHydra.instance().config_loader(), *places, *words)


@cache
def load_once(loader: ConfigLoader, *words: str) -> DictConfig:
    return loader.load_configuration("train", list(words), run_mode=RunMode.RUN)


def check_types(cfg: DictConfig, overrides: list[str]) -> None:
    """Raises UserError where the command line gives text for a number, say; the default value tells the type."""
    loader, groups, keys = GlobalHydra.instance().config_loader(), [], []
    for override in OverridesParser.create().parse_overrides(overrides):
        key, text = override.key_or_group, override.input_line
        if override.is_delete() or key.startswith("trainer."):
            continue  # `check_trainer` knows all of the Trainer's settings
        if "." not in key and not policy(key).range and loader.repository.group_exists(key):
            groups.append(text)
        else:
            keys.append(key)
    for key in keys:
        value, listed = OmegaConf.select(cfg, key), policy(key).range
        if value is None and listed is STEPS and "epochs" not in cfg.scheduler:  # else OneCycleLR counts them
            raise UserError(f"{key}=null is not {STEPS.words}.")
        looked_at = listed and (type(value) in (int, float) or (value is not None and listed in (SIZE, PATH)))
        if key == "hydra.run.dir" or looked_at:
            continue  # a path may be anything, and `check_ranges` looks at the others: none needs the defaults
        check_type(key, value, OmegaConf.select(compose_defaults(cfg, *groups), key))


def check_type(key: str, value: object, default: object) -> None:
    """Raises UserError for a value of another kind than the setting's default."""
    listed = policy(key).range
    if isinstance(default, ListConfig | list) and isinstance(value, str):
        if value.startswith("[") != value.endswith("]"):
            raise UserError(f"{key}={value} has one bracket of two: a list is typed as {key}=[{value.strip('[]')}].")
        raise UserError(f"{key}={value} is not a list: type {typed(key, value, listed=True)}.")
    kind = listed if value is None and isinstance(default, str) else range_of_default(default)
    if kind and not (value is None and listed and listed.holds(None)):
        kind.check(key, value)


def range_of_default(default: object) -> Range | None:
    """What a setting takes, as its default value tells; None where that is text, which may stand for anything."""
    if isinstance(default, bool):
        return SWITCH
    if isinstance(default, int | float):
        return Range(f"a number, such as {default}", {"type": "number"})
    if isinstance(default, ListConfig | list):
        return Range(f"a list, such as {default}", {"type": "array"})
    return None
