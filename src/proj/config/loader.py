"""Hydra reads and merges the files of conf/ for each configuration, which takes a tenth of a second. `Loader` does it
once for each choice of options, and applies the values of single settings to that, as Hydra does after each merge.
"""

import os
import pickle
from functools import cache

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.conf import ConfigSourceInfo
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

hydras_own = ConfigLoaderImpl.load_configuration


@cache
def merged(loader: ConfigLoaderImpl, name: str, choices: tuple[str, ...]) -> bytes:
    """A pickled configuration: to copy it with `deepcopy` takes seven times as long.

    It is merged as for a single run, also for a sweep. Hydra asks for both, since it composes every command as a sweep
    first, to learn which of the two it is. They differ only where a group has no option yet, which is an error here.
    """
    return pickle.dumps(hydras_own(loader, name, [*choices], RunMode.RUN))


def load_configuration(
    self: ConfigLoaderImpl, config_name, overrides, run_mode, from_shell=True, validate_sweep_overrides=True
) -> DictConfig:
    """As Hydra's. It is asked wherever words are wrong, so that the message is its own."""
    try:
        return values_applied(self, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
    except Exception:
        return hydras_own(self, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)


def values_applied(loader: ConfigLoaderImpl, name, words, run_mode, from_shell, validate) -> DictConfig:
    parsed = OverridesParser.create().parse_overrides(words)
    if validate:
        loader.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
    if any(one.key_or_group == "hydra.searchpath" for one in parsed):  # which may bring other groups of options
        return hydras_own(loader, name, words, run_mode, from_shell, validate)
    single = [one for one in parsed if not one.is_sweep_override()]
    values = [one for one in single if not chooses(one.key_or_group, loader)]
    choices = tuple(one.input_line for one in single if one not in values)
    config = pickle.loads(merged(loader, name, choices))
    loader._apply_overrides_to_config(values, config)
    of_task = [one for one in parsed if not one.is_hydra_override()]
    hydra, sources = config.hydra, loader.repository.get_sources()
    hydra.overrides.hydra = [one.input_line for one in parsed if one.is_hydra_override()]
    hydra.overrides.task = [one.input_line for one in of_task]
    hydra.runtime.cwd = os.getcwd()
    hydra.runtime.config_sources = [ConfigSourceInfo(one.path, one.scheme(), one.provider) for one in sources]
    hydra.job.override_dirname = get_overrides_dirname(of_task, **hydra.job.config.override_dirname)
    return config


def chooses(key: str, loader: ConfigLoaderImpl) -> bool:
    """Whether a word of this key has its effect while Hydra merges: it names a group, or what Hydra fills in then."""
    return loader.repository.group_exists(key) or key.startswith("hydra.job.")


class Loader(ConfigLoaderImpl):
    """Hydra's config loader for many configurations of the same files, such as those of a sweep's jobs."""

    load_configuration = load_configuration
