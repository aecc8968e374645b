"""Composes the jobs of a sweep. Most differ in single values, so that the files of conf/ are read and merged once."""

import copy

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import DictConfig

from proj.config.kinds import is_group


class Composer:
    """Composes as `load_sweep_config` of Hydra's loader does; of each choice of groups it keeps what that gives."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self.chosen: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, shared: list[str], own: list[str]) -> DictConfig:
        """shared: settings of all jobs. own: those of one, which are applied after them."""
        parsed = OverridesParser.create(self.loader).parse_overrides(own)
        values = [one for one in parsed if not is_group(self.loader, one.key_or_group)]
        if any(one.type != OverrideType.CHANGE or one.is_hydra_override() for one in parsed):
            return self.loader.load_sweep_config(self.master, [*shared, *own])
        words = (*shared, *(one.input_line for one in parsed if one not in values))
        if words not in self.chosen:
            self.chosen[words] = self.loader.load_sweep_config(self.master, [*words])
        config = copy.deepcopy(self.chosen[words])
        self.loader._apply_overrides_to_config(values, config)
        task = config.hydra.overrides.task
        config.hydra.overrides.task = [*task[: len(task) - len(parsed) + len(values)], *own]
        config.hydra.job.override_dirname = get_overrides_dirname(
            OverridesParser.create().parse_overrides([*config.hydra.overrides.task]),
            **config.hydra.job.config.override_dirname,
        )
        return config
