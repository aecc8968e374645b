"""Hydra's sweeper for a grid: composes, checks and freezes every combination of values before the first job starts.

Hydra imports it at every start, through the package `hydra_plugins`: what takes long to import is imported later.
"""

import itertools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from proj.config.check import check, check_data, join_files
from proj.config.check_words import given_words, refuse_unread_data, unread_additions
from proj.config.loader import Loader
from proj.config.new_folder import make_folder
from proj.config.own_code import own_code
from proj.config.words import as_hydra_reads, key_of
from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.frozen_loader import FrozenLoader
from proj.sweeps.lines import Lines, show_checking
from proj.sweeps.seeds import ASKED, add_seeds, is_seed
from proj.sweeps.sweep_file import changed_versions, loader_of_copy, no_folder_if_refused
from proj.sweeps.swept import fixed_and_swept, refuse_repeated, values
from proj.sweeps.trust import without_hydra
from proj.system.exits import CAME, stop_signals_as_exits
from proj.system.locks import locked
from proj.system.processes import CAN_BLOCK_SIGNALS, start_trackers, workers_without_ctrl_c
from proj.system.ranks import launched_processes, say
from proj.system.slurm import wait_for_every_job


class GridSweeper(Sweeper):
    """Runs every combination of the values.

    params: further overrides, from a file in conf/sweep; the command line wins. of_a_search: settings in that file that
    only a search uses. A grid ignores them if the command line gives the values of all `params`.
    """

    is_grid = True

    def __init__(self, params: DictConfig | None = None, **of_a_search: object) -> None:
        self.params, self.of_a_search = params or {}, of_a_search
        self.code: dict[str, str] = {}  # see `own_code`: of all configurations composed here

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        if launched_processes():
            raise UserError("a sweep starts the processes of its jobs itself: leave torchrun or srun out.")
        self.config, self.loader = config, Loader(hydra_context.config_loader.get_search_path())
        self.kept = Sweep(Path(config.hydra.sweep.dir), asked=ASKED.copy())
        ASKED.clear()  # a later command in this process starts without it
        self.log = OmegaConf.select(config, "log") or "line"  # missing in a conf/ that an older version copied
        asked = "isolate" in map(key_of, given_words(config))
        jobs = FrozenLoader(self.kept, config.isolate if asked else None, self.log)
        self.context = HydraContext(config_loader=jobs, callbacks=hydra_context.callbacks)
        self.task_function = task_function
        with no_folder_if_refused(self.kept.folder):
            try:
                self.launcher = Plugins.instance().instantiate_launcher(
                    hydra_context=self.context, task_function=task_function, config=config
                )
            except RuntimeError as error:  # the launcher's class is not installed
                raise UserError(f"{error}: pip install 'proj[slurm]' or 'proj[ray]' installs the launcher.") from error
        if "SlurmLauncher" in config.hydra.launcher._target_:
            wait_for_every_job()

    def sweep(self, arguments: list[str]) -> None:
        from proj.sweeps.summary import describe_changes, telling_how_to_continue

        resumes = self.kept.read_if_begun(self.config)
        frozen = loader_of_copy(self.loader, self.kept.files.conf)
        self.loader = frozen if resumes else self.loader
        with no_folder_if_refused(self.kept.folder):
            words = self.understand(arguments)
            jobs = [] if resumes else self.check()
        alone = locked(make_folder(self.kept.folder))
        with telling_how_to_continue(self.kept), alone, stop_signals_as_exits():
            if not resumes and not self.kept.read_if_begun(self.config):  # another process may have begun it meanwhile
                its_own = "data_dir" in self.swept or "dataset.data_dir" in map(key_of, words)
                data_dir = None if its_own else self.typical.data_dir
                self.kept.begin(self.config, words, data_dir, jobs, self.code)
            self.loader = frozen
            if again := bool(self.kept.asked) and self.kept.manifest.get("more_seeds") == self.kept.asked:
                say(f"seeds={self.kept.asked[0]} continues its jobs and adds no others.")
            say(*describe_changes(self.kept))
            self.run()
            if add_seeds(self.kept, self.fixed, again):
                self.run()
            self.end()
            self.kept.forget_seeds()

    def understand(self, arguments: list[str]) -> list[str]:
        """Set `fixed`, the overrides that all jobs share, and `swept`, the others; return the overrides of both."""
        own = [f"{key}={'null' if value is None else value}" for key, value in self.params.items()]
        words = [as_hydra_reads(word, several=True) for word in self.kept.manifest.get("words") or [*own, *arguments]]
        self.fixed, self.swept = fixed_and_swept(words, self.loader, folds=self.is_grid)
        return words

    def compose_checked(self, own: list[str]) -> DictConfig:
        """A job's configuration, checked. own: the overrides that it does not share with all jobs."""
        config = self.compose(own)
        check(config)
        refuse_unread_data(config, own)
        self.code |= own_code(without_hydra(config))
        return config

    def compose_all(self, jobs: list[list[str]]) -> list[tuple[list[str], DictConfig]]:
        """(The job's own overrides, its configuration) for each job. Raises UserError for a mistake in any."""
        show_checking(len(jobs))
        composed = [(own, self.compose_checked(own)) for own in jobs]
        if not self.config.hydra.launcher._target_.endswith(("SlurmLauncher", "RayLauncher")):
            for _, config in composed:
                check_data(config)  # only here: a cluster's nodes may have other disks
        say(*unread_additions(*(config for _, config in composed)))
        from proj.sweeps.rehearsal import rehearse  # it imports torch: only once all overrides are valid

        rehearse(composed)
        return composed

    def compose(self, own: list[str]) -> DictConfig:
        """A job's configuration. If it has its own seed, which was added later, it replaces the shared one."""
        shared = [word for word in self.fixed if not (is_seed(word) and any(map(is_seed, own)))]
        return self.loader.load_sweep_config(self.config, [*shared, *own])

    @cached_property
    def typical(self) -> DictConfig:
        """A configuration with the first value of each choice; what is searched in an interval has its default."""
        choices = [f"{key}={values(o)[0]}" for key, o in self.swept.items() if not o.is_interval_sweep()]
        return join_files(self.loader.load_sweep_config(self.config, [*self.fixed, *choices]))

    def settings(self) -> list[list[str]]:
        """For each job of the grid, the overrides that it does not share: all combinations of the swept values."""
        lists = [[f"{key}={value}" for value in values(o)] for key, o in self.swept.items()]
        return [list(own) for own in itertools.product(*lists)]

    def check(self) -> list[tuple[list[str], DictConfig]]:
        """All jobs, see `compose_all`. Raises UserError for a mistake in any, and for settings of a search."""
        if self.of_a_search and self.params.keys() & self.swept.keys():
            said = ", ".join(f"hydra.sweeper.{key}" for key in self.of_a_search)
            raise UserError(f"{said} in the sweep's file is for a search: add hydra/sweeper=optuna, or leave it out.")
        if intervals := [override.input_line for override in self.swept.values() if override.is_interval_sweep()]:
            raise UserError(f"{intervals[0]} needs a search: add hydra/sweeper=optuna, or list values, as in 0.01,0.1.")
        for override in self.swept.values():
            refuse_repeated(override)
        return self.compose_all(self.settings())

    def run(self) -> None:
        """Run all jobs that have no result."""
        self.freeze_again()
        names, total = self.kept.unfinished(), len(self.kept.names)
        self.show(total, done=total - len(names))
        self.launch(names)

    def show(self, total: int, done: int) -> None:
        """Begin to show a line for each job that ends, unless log=full shows all output of the jobs instead."""
        self.lines = Lines(self.kept, total, done, self.fixed) if self.log == "line" else None
        if self.kept.trust is not None and done < total and (changes := changed_versions(self.kept.manifest)):
            say(f"{self.kept.folder} began with other versions, which may change results: {changes}.")

    def freeze_again(self) -> None:
        """Compose anew, from the sweep's copy of conf/, the jobs whose job.yaml is missing or damaged."""
        listed = self.kept.manifest.get("jobs")
        # Older versions listed no jobs. They follow from the command, but a file in conf/sweep may have changed since.
        older = [] if self.params else self.settings()
        for number, own in enumerate(listed.values() if listed else older):
            name = self.kept.names.get(number)
            if name is None or not self.kept.job(name):
                self.kept.freeze(number, own, self.compose(own))

    def launch(self, names: list[str]) -> None:
        """Run the jobs of these names, and leave their results in their folders."""
        if not names:
            return
        if self.kept.trust is not None:
            self.kept.refuse_changed_code()
            for name in names:
                self.kept.checked_job(name)  # check all of them before the first one starts
        one_by_one = self.lines is not None and self.runs_here
        for part in [[name] for name in names] if one_by_one else [names]:
            if CAME:
                raise SystemExit(128 + CAME[0])
            if not all(map(self.kept.job, part)):  # a folder was deleted while other jobs ran
                self.freeze_again()
            if self.start([[name] for name in part], int(part[0].split("_")[0]), part, one_by_one) is None:
                return

    @property
    def runs_here(self) -> bool:
        """Whether this process runs the jobs itself, one after the other."""
        return "basic_launcher" in self.config.hydra.launcher._target_

    def start(self, words: list[list[str]], first: int, names: list[str], one_by_one=False) -> Sequence | None:
        """Launch a job for each list in `words`, and wait for them as `follow` does. first: the number of the first."""
        return self.follow(names, lambda: self.launcher.launch(words, initial_job_idx=first), one_by_one)

    def follow(self, names: list[str], run: Callable[[], Sequence], one_by_one=False) -> Sequence | None:
        """Show lines about the jobs `names`, and about new ones, while `run` lets the launcher run them.
        Returns the launcher's result of each; None if the launcher itself failed."""
        lines = self.lines.following(names, one_by_one) if self.lines else nullcontext()
        # Ctrl-C would reach joblib's workers too, since they belong to the same terminal.
        keeps = CAN_BLOCK_SIGNALS and "joblib" in self.config.hydra.launcher._target_
        if keeps:
            start_trackers()
        try:
            with lines, workers_without_ctrl_c() if keeps else nullcontext():
                return run()
        except Exception as error:  # such as a worker that died: the launcher then loses all results
            name = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            print(f"the launcher failed: {name}{error}".split("\n")[0])
            return None

    def end(self) -> None:
        from proj.sweeps.summary import summarise

        summarise(self.kept)
