"""The words of a command that goes on with a run: they are those of any command, on top of what the run has."""

from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from proj.config.kinds import check_type
from proj.config.policies import policy, refusal
from proj.config.words import GROUPS, as_hydra_reads, key_of
from proj.errors import UserError, choose


def apply_words(cfg: DictConfig, words: list[str], conf: Path, folder: Path) -> None:
    """Change the stored configuration of the run in `folder` as the words say; conf: where the groups' options lie.

    Raises UserError for a word that a run that goes on does not take, and for a value of another type.
    """
    for word in words:
        refuse(word, folder)
    before, settings = cfg.copy(), []
    for override in OverridesParser.create().parse_overrides([as_hydra_reads(word) for word in words]):
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} gives several values, and a run that goes on takes one.")
        if override.key_or_group in GROUPS:
            choose_option(cfg, override, conf)
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


def choose_option(cfg: DictConfig, override: Override, conf: Path) -> None:
    """Give a run what another option of its group says itself, such as trainer=cpu, on top of the run's own settings.

    Raises UserError for a group in which a run that goes on has made its choice, unless it is the same again.
    """
    group, option = override.key_or_group, override.value()
    if group in ("trainer", "callbacks", "logger") and isinstance(option, str | list) and not override.is_delete():
        options = {file.stem: file for file in (conf / group).glob("*.yaml")}
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
