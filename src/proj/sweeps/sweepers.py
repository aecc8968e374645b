"""Hydra's sweepers of this project; Hydra looks for plugins in `hydra_plugins` alone, and imports it at every start."""

import itertools
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class GridSweeper(Sweeper):
    """Every combination of the values. params: more overrides, from a sweep's file; the command line wins."""

    def __init__(self, params: DictConfig | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from proj.errors import UserError
        from proj.sweeps.folder import Sweep
        from proj.system.processes import started
        from proj.system.slurm import wait_for_every_job

        if started():
            raise UserError("a sweep starts the processes of its jobs itself: leave torchrun or srun out.")
        self.config, self.loader = config, hydra_context.config_loader
        asked = any(word.lstrip("+").startswith("isolate=") for word in config.hydra.overrides.task)
        self.kept = Sweep(Path(config.hydra.sweep.dir), config.isolate if asked else None)
        context = HydraContext(config_loader=self.kept, callbacks=hydra_context.callbacks)
        try:
            self.launcher = Plugins.instance().instantiate_launcher(
                hydra_context=context, task_function=task_function, config=config
            )
        except RuntimeError as error:  # no such class
            raise UserError(f"{error}: pip install 'proj[slurm]' or 'proj[ray]' brings the launcher.") from error
        if "SlurmLauncher" in config.hydra.launcher._target_:
            wait_for_every_job()

    def sweep(self, arguments: list[str]) -> None:
        from proj.config.trainer import plain
        from proj.sweeps.sweep_file import frozen_loader, make_folder
        from proj.system.locks import locked

        frozen = frozen_loader(self.loader, self.kept.folder / "conf")
        known = self.kept.known(self.config)
        if known:
            self.loader = frozen
        own = [f"{key}={'null' if value is None else value}" for key, value in self.params.items()]
        words = [plain(word) for word in self.kept.about.get("words") or [*own, *arguments]]
        overrides = {o.get_key_element(): o for o in OverridesParser.create(self.loader).parse_overrides(words)}
        self.fixed = [o.input_line for o in overrides.values() if not o.is_sweep_override()]
        self.swept = {key: o for key, o in overrides.items() if o.is_sweep_override()}
        try:
            jobs = [] if known else self.check()
        except Exception:
            with suppress(OSError):  # one named by the time is there already
                self.kept.folder.rmdir()
            raise
        make_folder(self.kept.folder)
        with locked(self.kept.folder):
            try:
                if not known and not self.kept.known(self.config):  # another process may just have begun it
                    data_dir = None if "data_dir" in self.swept else self.typical.data_dir
                    self.kept.begin(self.config, self.loader, words, data_dir, jobs)
                self.loader = frozen
                self.run()
            except (SystemExit, KeyboardInterrupt):
                print(self.kept.how_to_continue)
                raise
            self.end()

    def compose(self, own: list[str]) -> DictConfig:
        """A job's configuration, checked. own: what it has for itself of the sweep's settings."""
        from proj.config.check import check

        config = self.loader.load_sweep_config(self.config, [*self.fixed, *own])
        check(config)
        return config

    @cached_property
    def typical(self) -> DictConfig:
        """The configuration that all jobs share, with the first of each choice, and what an interval leaves open."""
        choices = [f"{key}={values(o)[0]}" for key, o in self.swept.items() if not o.is_interval_sweep()]
        return self.loader.load_sweep_config(self.config, [*self.fixed, *choices])

    def settings(self) -> list[list[str]]:
        """Of each job of a grid, its own settings."""
        lists = [[f"{key}={value}" for value in values(o)] for key, o in self.swept.items()]
        return [list(own) for own in itertools.product(*lists)]

    def check(self) -> list[tuple[list[str], DictConfig]]:
        """The jobs, each as its own settings and its configuration. Raises UserError for a mistake in any."""
        return [(own, self.compose(own)) for own in self.settings()]

    def run(self) -> None:
        self.freeze_again()
        self.launch(self.kept.unfinished())

    def freeze_again(self) -> None:
        """Compose the jobs whose folders were deleted from the sweep's copy of conf/."""
        listed = self.kept.about.get("jobs")
        older = [] if self.params else self.settings()  # a version that listed no jobs; a file's may have changed since
        waiting = set(self.kept.unfinished())
        for number, own in enumerate(listed.values() if listed else older):
            name = self.kept.names.get(number)
            if name is None or (name in waiting and not self.kept.job(name)):
                self.kept.freeze(number, own, self.loader.load_sweep_config(self.config, [*self.fixed, *own]))

    def launch(self, names: list[str]) -> None:
        """Run jobs by the names of their folders. What became of them stands there."""
        if not names:
            return
        frozen = {name: self.kept.checked_job(name)["hydra"] for name in names}
        jobs = [[*about["overrides"]["task"], f"hydra.sweep.subdir={name}"] for name, about in frozen.items()]
        try:
            self.launcher.launch(jobs, initial_job_idx=int(names[0].split("_")[0]))
        except Exception as error:  # a worker died, and with it what the launcher knew
            print(f"the launcher gave up: {type(error).__name__}: {error}".split("\n")[0])

    def end(self) -> None:
        self.kept.end()


class OptunaSweeper(GridSweeper):
    """A search by Optuna: choices, ranges and intervals are its space, `n_trials` the total, also over resumes.

    n_jobs: trials side by side; None for as many as the launcher runs. sampler, pruner: of Optuna, `_target_` and
    settings; the sampler's seed is `seed` and the number of trials there are, so that none comes twice.
    """

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

    def check(self) -> list:
        """Each value of each choice once, both ends of intervals. Raises UserError for a mistake in any."""
        from optuna.distributions import CategoricalDistribution

        from proj.errors import UserError

        for key in {"monitor", "mode"} & self.swept.keys():
            raise UserError(f"a search has one goal, so {key} takes one value: give {self.swept[key].input_line} up.")
        ends = {key: [d.low, d.high] for key, d in self.space.items() if not isinstance(d, CategoricalDistribution)}
        lists = [[f"{key}={value}" for value in ends.get(key) or values(o)] for key, o in self.swept.items()]
        first = [words[0] for words in lists]
        options = [[*first[:place], word, *first[place + 1 :]] for place, words in enumerate(lists) for word in words]
        goals = {(config.monitor, config.mode) for config in map(self.compose, options or [[]])}
        if len(goals) > 1:
            raise UserError(f"a search has one goal, and its trials have several: {'; '.join(map(' '.join, goals))}.")
        return []

    @cached_property
    def space(self) -> dict:
        """Optuna's distribution of each swept setting. Raises UserError for an interval that is none."""
        from proj.sweeps.search import distribution

        return {key: distribution(o, OmegaConf.select(self.typical, key)) for key, o in self.swept.items()}

    def run(self) -> None:
        from hydra.utils import instantiate
        from optuna.trial import TrialState

        from proj.errors import UserError
        from proj.system.run_folder import read_metrics, status
        from proj.training.pruning import open_study

        folder, monitor = self.kept.folder, self.typical.monitor
        direction = "maximize" if self.typical.mode == "max" else "minimize"
        self.study = study = open_study(folder, direction=direction)
        if strangers := [name for number, name in self.kept.names.items() if number >= len(study.trials)]:
            raise UserError(
                f"{folder / 'study.log'} does not know the trial {strangers[0]}: put the file back, or choose another "
                "sweep_name for a new search."
            )
        for trial in study.trials[:1]:  # an older version took whole numbers for others, and a study keeps its kinds
            self.space.update(trial.distributions)
        study.sampler = instantiate(self.sampler, seed=self.seed + len(study.trials))
        side_by_side = self.n_jobs or self.config.hydra.launcher.get("n_jobs", 1)
        side_by_side = side_by_side if side_by_side > 0 else os.cpu_count()
        batch = self.begun()
        while True:
            while len(batch) < side_by_side and len(study.trials) < self.n_trials:
                trial = study.ask(self.space)
                batch[trial.number] = trial.params
            if not batch:
                break
            names = {number: self.freeze(number, params) for number, params in batch.items()}
            self.launch(list(names.values()))
            for number, name in names.items():
                how, _ = status(folder / name)
                if how not in ("finished", "pruned", "failed"):
                    return  # the launcher gave up
                value = read_metrics(folder / name)[monitor] if how == "finished" else None
                if not study.trials[number].state.is_finished():
                    study.tell(number, value, {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}.get(how))
            batch = {}

    def begun(self) -> dict[int, dict]:
        """The parameters of the trials that were asked for and have no result: they were stopped, or it was deleted."""
        from optuna.trial import Trial, TrialState

        from proj.system.run_folder import status

        found = {}
        for trial in self.study.get_trials(states=[TrialState.RUNNING, TrialState.COMPLETE]):
            name = self.kept.names.get(trial.number)
            if trial.state is TrialState.RUNNING:
                whole = Trial(self.study, trial._trial_id)
                for key, each in self.space.items():  # as `ask` does; it may have been stopped in between
                    whole._suggest(key, trial.distributions.get(key, each))
                found[trial.number] = whole.params
            elif name is None or status(self.kept.folder / name)[0] != "finished":
                found[trial.number] = trial.params
        return found

    def freeze(self, number: int, params: dict) -> str:
        own = [f"{key}={value:.4g}" if type(value) is float else f"{key}={value}" for key, value in params.items()]
        config = self.compose(own)
        if not self.study.trials[number].state.is_finished():  # else it is run for its folder alone
            config.trial = {"number": number, "pruner": OmegaConf.to_container(self.pruner)}
        return self.kept.freeze(number, own, config)

    def end(self) -> None:
        from proj.sweeps.search import write_importance

        write_importance(self.study, self.kept.folder)
        self.kept.end(failures=False)


def values(override: Override) -> list[str]:
    """All values of a choice or range, both ends of an interval."""
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]
    return list(override.sweep_string_iterator())
