"""A worker of a search: runs one trial after another in the process where a launcher has started it.

Workers do not wait for each other: each takes its next trial as soon as one has ended.
"""

import copy
import logging
import socket

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from omegaconf import DictConfig

from proj.config.explain import explain
from proj.errors import UserError, named

log = logging.getLogger(__name__)


class Worker:
    """What a launcher pickles and starts, several times, instead of jobs. It is both the task function that is called
    and the config loader that gives the configuration for this call (see `FrozenLoader`). search: the sweeper."""

    def __init__(self, search) -> None:
        self.search = search

    def load_sweep_config(self, master_config: DictConfig, words: list[str]) -> DictConfig:
        config = copy.deepcopy(master_config)
        config.hydra.output_subdir, config.hydra.sweep.subdir = None, "."
        config.hydra.sweep.dir = str(self.search.kept.folder.absolute())
        config.hydra.job_logging.root.handlers = ["screen"]  # each trial has a log of its own
        return config

    def __call__(self, cfg: DictConfig) -> str | None:
        """Run trials until none is left. Returns why it failed, for the process that waits for it, or None."""
        search, launcher = self.search, BasicLauncher()
        launcher.setup(hydra_context=search.context, task_function=search.task_function, config=search.config)
        try:
            if not search.kept.files.manifest.is_file():
                raise UserError(f"{socket.gethostname()} cannot read {search.kept.folder}: all machines must share it.")
            trials = search.open_trials()
            search.run_trials(trials, lambda number, name: launcher.launch([[name]], initial_job_idx=number))
            return None
        except Exception as error:
            sentence = explain(error) or named(error)
            log.error("%s", sentence, exc_info=not isinstance(error, UserError))
            return f"a worker of the search failed: {sentence}"
