"""Hydra's sweepers of this project; Hydra looks for plugins in `hydra_plugins` alone, and imports it at every start."""

import itertools
import os
from contextlib import suppress
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
        from proj.processes import started
        from proj.slurm import wait_for_every_job
        from proj.sweep import Sweep

        if started():
            raise UserError("a sweep starts the processes of its jobs itself: leave torchrun or srun out.")
        self.config, self.loader = config, hydra_context.config_loader
        self.kept = Sweep(Path(config.hydra.sweep.dir), config.isolate)
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
        from proj.lock import locked

        words = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        overrides = {o.get_key_element(): o for o in OverridesParser.create(self.loader).parse_overrides(words)}
        self.fixed = [o.input_line for o in overrides.values() if not o.is_sweep_override()]
        self.swept = {key: o for key, o in overrides.items() if o.is_sweep_override()}
        known = self.kept.known(arguments)
        try:
            jobs = [] if known else self.check()
        except Exception:
            with suppress(OSError):  # one named by the time is there already
                self.kept.folder.rmdir()
            raise
        self.kept.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.kept.folder):
            try:
                if not known:
                    self.kept.begin(self.config, jobs)
                self.run()
            except (SystemExit, KeyboardInterrupt):
                print(self.kept.how_to_continue)
                raise
            self.end()

    def compose(self, own: list[str]) -> DictConfig:
        """A job's configuration, checked. own: what it has for itself of the sweep's settings."""
        from proj.check import check

        config = self.loader.load_sweep_config(self.config, [*self.fixed, *own])
        check(config)
        return config

    def check(self) -> list[tuple[list[str], DictConfig]]:
        """The jobs, each as its own settings and its configuration. Raises UserError for a mistake in any."""
        lists = [[f"{key}={value}" for value in values(o)] for key, o in self.swept.items()]
        return [(list(own), self.compose(list(own))) for own in itertools.product(*lists)]

    def run(self) -> None:
        self.launch(self.kept.unfinished())

    def launch(self, names: list[str]) -> None:
        """Run jobs by the names of their folders. What became of them stands there."""
        if not names:
            return
        jobs = [[*self.kept.overrides(name), f"hydra.sweep.subdir={name}"] for name in names]
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
        lists = [[f"{key}={value}" for value in values(o)] for key, o in self.swept.items()]
        first = [words[0] for words in lists]
        self.compose(first)
        for place, words in enumerate(lists):
            for word in words[1:]:
                self.compose([*first[:place], word, *first[place + 1 :]])
        return []

    def run(self) -> None:
        from hydra.utils import instantiate
        from optuna.trial import TrialState

        from proj.results import read_metrics
        from proj.runs import status
        from proj.search import open_study

        space = {key: distribution(o) for key, o in self.swept.items()}
        direction = "maximize" if self.config.mode == "max" else "minimize"
        self.study = study = open_study(self.kept.folder, direction=direction)
        study.sampler = instantiate(self.sampler, seed=self.seed + len(study.trials))
        n_jobs = self.n_jobs or self.config.hydra.launcher.get("n_jobs", 1)
        self.loader = self.kept.frozen_loader(self.loader)
        while True:
            batch = {trial.number: trial.params for trial in study.get_trials(states=[TrialState.RUNNING])}
            while len(batch) < (n_jobs if n_jobs > 0 else os.cpu_count()) and len(study.trials) < self.n_trials:
                trial = study.ask(space)
                batch[trial.number] = trial.params
            if not batch:
                break
            names = {number: self.freeze(number, params) for number, params in batch.items()}
            self.launch(list(names.values()))
            for number, name in names.items():
                how, _ = status(self.kept.folder / name)
                if how not in ("finished", "pruned", "failed"):
                    return  # the launcher gave up
                value = read_metrics(self.kept.folder / name)[self.config.monitor] if how == "finished" else None
                study.tell(number, value, {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}.get(how))

    def freeze(self, number: int, params: dict) -> str:
        own = [f"{key}={value:.4g}" if type(value) is float else f"{key}={value}" for key, value in params.items()]
        config = self.compose(own)
        config.trial = {"number": number, "pruner": OmegaConf.to_container(self.pruner)}
        return self.kept.freeze(number, own, config)

    def end(self) -> None:
        from proj.search import draw

        draw(self.study, self.config.monitor, self.kept.folder / "search.html")
        self.kept.end(failures=False)


def values(override: Override) -> list[str]:
    """All values of a choice or range, both ends of an interval."""
    if override.is_interval_sweep():
        return [str(override.value().start), str(override.value().end)]
    return list(override.sweep_string_iterator())


def distribution(override: Override):
    """Optuna's, of a swept setting: a choice of values, or all numbers between two."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    if not override.is_interval_sweep():
        return CategoricalDistribution(values(override))
    whole = "int" in value.tags or (type(value.start) is int and type(value.end) is int)
    return (IntDistribution if whole else FloatDistribution)(value.start, value.end, log="log" in value.tags)
