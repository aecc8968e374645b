"""Hydra's sweeper for a search by Optuna. `Trials` asks Optuna for trials and reports their results.

Hydra imports this file at every start, so Optuna is imported in the functions that use it.
"""

import os
import threading
from collections.abc import Callable
from functools import cached_property
from multiprocessing.pool import ThreadPool

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from proj.config.check_words import given_words
from proj.config.settings.ranges import SEED, WHOLE_OR_ALL, or_null, whole
from proj.config.settings.table import policy
from proj.config.words import key_of
from proj.errors import UserError
from proj.sweeps.grid import GridSweeper
from proj.sweeps.swept import refuse_repeated, values
from proj.system.ranks import say


class OptunaSweeper(GridSweeper):
    """Searches by Optuna in the space of the choices, ranges and intervals on the command line.

    n_trials: their number in all, including those before a resume. n_jobs: how many run at the same time; None for as
    many as the launcher can run. sampler, pruner: Optuna's, as `_target_` and settings.
    """

    is_grid = False
    turn = threading.Lock()  # held by a thread of this process while it takes or gives back a trial

    def __init__(
        self,
        n_trials: int,
        seed: int,
        sampler: DictConfig,
        pruner: DictConfig,
        n_jobs: int | None = None,
        params: DictConfig | None = None,
    ) -> None:
        super().__init__(params)
        self.n_trials, self.n_jobs, self.seed, self.sampler, self.pruner = n_trials, n_jobs, seed, sampler, pruner

    @cached_property
    def space(self) -> dict:
        """Optuna's distribution for each swept setting. Raises UserError for an invalid interval."""
        from proj.sweeps.search import distribution

        return {key: distribution(o, OmegaConf.select(self.typical, key)) for key, o in self.swept.items()}

    def check(self) -> list:
        """Check jobs with each value of each choice, and both ends of each interval, since no trial is known yet.
        Returns no jobs. Raises UserError for a mistake in any of those that are tried."""
        from proj.sweeps.search import combinations

        for override in self.swept.values():
            refuse_repeated(override)
        if goals := sorted({"monitor", "mode"} & self.swept.keys()):
            several = self.swept[goals[0]].input_line
            raise UserError(f"a search has one goal, so {goals[0]} takes one value, not {several}.")
        goals = {f"{config.monitor} {config.mode}" for _, config in self.compose_all(self.jobs_to_check() or [[]])}
        if len(goals) > 1:
            raise UserError(f"a search has one goal, and its trials have several: {'; '.join(sorted(goals))}.")
        if self.n_trials > (count := combinations(self.space)):
            if count == 1:
                raise UserError(
                    "all trials would be the same: give an interval to search, such as "
                    "'optimizer.lr=interval(0.001,0.1)', or leave hydra/sweeper=optuna out."
                )
            say(f"some of {self.n_trials} trials repeat others, since only {count:.0f} exist: a grid runs each once.")
        for key in [key for key in self.swept if policy(key).report in ("seed", "fold")]:
            say(f"{key} is searched like any other setting: the best trial may only have a lucky {key}.")
        for key in {"dataset", "data_dir", "dataset.data_dir"} & self.swept.keys():
            say(f"{key} is searched like any other setting: the best trial may be one on the easiest data.")
        return []

    def jobs_to_check(self) -> list[list[str]]:
        """The words of jobs that each try one word of one setting, with the first words of all others."""
        words_of: dict[str, list[str]] = {}
        for key, override in self.swept.items():
            ends = [getattr(self.space[key], end, None) for end in ("low", "high")]  # None for a choice
            words_of[key] = [f"{key}={value}" for value in (values(override) if None in ends else ends)]
        firsts = {key: words[0] for key, words in words_of.items()}
        return [list((firsts | {key: word}).values()) for key, words in words_of.items() for word in words]

    def understand(self, arguments: list[str]) -> list[str]:
        """As in a grid. Also raises UserError, before the first trial, for an invalid setting of the sweeper."""
        from proj.sweeps.search import try_sampler

        words = super().understand(arguments)
        for key, own in (("n_trials", whole(1)), ("n_jobs", or_null(WHOLE_OR_ALL)), ("seed", SEED)):
            own.check(f"hydra.sweeper.{key}", getattr(self, key))
        try_sampler(self.sampler, self.pruner, self.space)
        return words

    def run(self) -> None:
        self.trials, launcher = self.open_trials(), self.config.hydra.launcher
        self.keep_total()
        total, left = max(self.n_trials, len(self.trials)), len(self.trials.left)
        self.show(total, done=len(self.trials) - left)
        left += total - len(self.trials)
        if not left:
            return
        side_by_side = self.n_jobs or launcher.get("n_jobs", 1)
        side_by_side = min(side_by_side if side_by_side > 0 else os.cpu_count(), left)
        if self.runs_here:
            if (self.n_jobs or 1) != 1:
                say("hydra.sweeper.n_jobs has no effect without a launcher such as hydra/launcher=joblib.")
            self.run_trials(self.trials, lambda number, name: self.launch([name]))
        elif launcher.get("tasks_per_node", 1) * launcher.get("nodes", 1) > 1:
            self.run_side_by_side(side_by_side)
        else:
            self.start_workers(side_by_side)

    def keep_total(self) -> None:
        """Keep this command's n_trials in sweep.yaml, so that a later resume continues to the same number of trials."""
        if self.n_trials < (there := len(self.trials)):
            say(f"hydra.sweeper.n_trials={self.n_trials} adds no trial: the search already has {there}.")
            return
        asked = [word for word in given_words(self.config, of="hydra") if key_of(word) == "hydra.sweeper.n_trials"]
        words = self.kept.manifest["hydra"]
        if asked and asked[-1] not in words:
            others = [word for word in words if key_of(word) != "hydra.sweeper.n_trials"]
            self.kept.manifest["hydra"] = [*others, asked[-1]]
            self.kept.write_manifest()

    def start_workers(self, count: int) -> None:
        """Let the launcher start `count` workers, wait for them, and print why any of them failed."""
        from proj.sweeps.worker import Worker

        context = HydraContext(config_loader=Worker(self), callbacks=self.context.callbacks)
        self.launcher.setup(hydra_context=context, task_function=Worker(self), config=self.config)
        ends = self.start([[f"worker {number}"] for number in range(count)], 0, self.stopped()) or []
        for why in {end.return_value for end in ends if end} - {None}:
            say(why)

    def run_side_by_side(self, count: int) -> None:
        """Keep `count` trials running, each of which several processes train together.
        These processes end with their trial and cannot take the next one as a worker does; instead, a thread here waits
        for them and takes it. Ctrl-C does not wait for these threads, and their trials continue."""

        def launch(number: int, name: str) -> None:
            if self.lines:
                self.lines.expect([name])
            try:
                self.launcher.launch([[name]], initial_job_idx=number)
            except SystemExit as stop:  # it would end the thread, but never its task in the pool
                raise UserError(f"it ended the program with exit code {stop.code}") from stop

        def run() -> list:
            with ThreadPool(count) as threads:
                return threads.starmap(self.run_trials, [(self.trials, launch)] * count, chunksize=1)

        self.follow(self.stopped(), run)

    def stopped(self) -> list[str]:
        """The folders' names of the jobs that an earlier command left without a result."""
        return [self.kept.names[number] for number in self.trials.left if number in self.kept.names]

    def open_trials(self):
        from proj.sweeps.trials import Trials

        return Trials(self.kept, self.typical, self.space, self.n_trials, self.sampler, self.seed)

    def run_trials(self, trials, launch: Callable[[int, str], object]) -> None:
        """Take trials and run them, one after another, until none is left, or one returns without having ended.
        launch: runs a trial's job, given its number and the name of its folder, and returns when it has ended."""
        ended = True
        while ended:
            with self.turn:
                if (taken := trials.take()) is None:
                    return
                number, params = taken
                name = self.freeze(trials, number, params)
            launch(number, name)
            with self.turn:
                ended = trials.give_back(number)  # False: it was stopped, or the launcher failed

    def freeze(self, trials, number: int, params: dict) -> str:
        """Compose and freeze a trial's job unless that has been done; return the name of its folder."""
        name, told = self.kept.names.get(number), trials.is_told(number)
        if name and self.kept.job(name) and not told:
            return name
        own = [f"{key}={str(o).removesuffix('.0') if type(o) is float else o}" for key, o in params.items()]
        config = self.compose_checked(own)
        if not told:  # else Optuna has its result already, and it only runs again to restore its folder
            config.trial = {"number": number, "pruner": OmegaConf.to_container(self.pruner)}
        return self.kept.freeze(number, own, config, digits=len(str(self.n_trials - 1)))

    def __getstate__(self) -> dict:
        """Pickles only what a worker needs on another machine."""
        return {name: value for name, value in vars(self).items() if name not in ("launcher", "lines", "trials")}

    def end(self) -> None:
        from proj.sweeps.search import write_importance
        from proj.sweeps.summary import summarise

        write_importance(self.trials.study, self.kept.folder)
        without_folder = set(self.trials.without_result()) - self.kept.names.keys()
        summarise(self.kept, failures=False, missing=self.n_trials - len(self.trials) + len(without_folder))
