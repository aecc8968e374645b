"""Hydra's sweeper for a search by Optuna, whose trials `Trials` asks for and tells of.

Optuna is imported where it is used, since Hydra imports this file at every start.
"""

import os
from functools import cached_property

from omegaconf import DictConfig, OmegaConf

from proj.config.ranges import SEED, WHOLE_OR_ALL, or_null, whole
from proj.errors import UserError
from proj.sweeps.grid import GridSweeper, values


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

    @cached_property
    def space(self) -> dict:
        """Optuna's distribution of each swept setting. Raises UserError for an interval that is none."""
        from proj.sweeps.search import distribution

        return {key: distribution(o, OmegaConf.select(self.typical, key)) for key, o in self.swept.items()}

    def check(self) -> list:
        """Compose with each value of each choice once, and both ends of intervals; no trial is known yet.

        Raises UserError for a mistake in any.
        """
        self.check_settings()
        for key in {"monitor", "mode"} & self.swept.keys():
            raise UserError(f"a search has one goal, so {key} takes one value: give {self.swept[key].input_line} up.")
        lists = []
        for key, override in self.swept.items():
            ends = [getattr(self.space[key], end, None) for end in ("low", "high")]  # a choice has none
            lists.append([f"{key}={value}" for value in (values(override) if None in ends else ends)])
        first = [words[0] for words in lists]
        options = [[*first[:place], word, *first[place + 1 :]] for place, words in enumerate(lists) for word in words]
        goals = {(config.monitor, config.mode) for config in map(self.compose, options or [[]])}
        if len(goals) > 1:
            raise UserError(f"a search has one goal, and its trials have several: {'; '.join(map(' '.join, goals))}.")
        return []

    def check_settings(self) -> None:
        """Raises UserError for a setting of the sweeper's own that is out of its range, before the first trial."""
        from proj.sweeps.search import try_sampler

        for key, own in (("n_trials", whole(1)), ("n_jobs", or_null(WHOLE_OR_ALL)), ("seed", SEED)):
            if not own.holds(value := getattr(self, key)):
                raise UserError(f"hydra.sweeper.{key}={value} is not {own.words}.")
        try_sampler(self.sampler, self.pruner, self.space)

    def run(self) -> None:
        from proj.sweeps.trials import Trials

        self.check_settings()
        self.trials = Trials(self.kept, self.typical, self.space, self.sampler, self.seed)
        side_by_side = self.n_jobs or self.config.hydra.launcher.get("n_jobs", 1)
        side_by_side = side_by_side if side_by_side > 0 else os.cpu_count()
        batch = self.trials.without_result()
        self.show(max(self.n_trials, len(self.trials)), done=len(self.trials) - len(batch))
        while True:
            while len(batch) < side_by_side and len(self.trials) < self.n_trials:
                number, params = self.trials.ask()
                batch[number] = params
            if not batch:
                return
            names = {number: self.freeze(number, params) for number, params in batch.items()}
            self.launch(list(names.values()))
            if not all(self.trials.tell(number, name) for number, name in names.items()):
                return  # the launcher gave up
            batch = {}

    def freeze(self, number: int, params: dict) -> str:
        """Compose and keep a trial as a job; return the name of its folder."""
        own = [f"{key}={value:.4g}" if type(value) is float else f"{key}={value}" for key, value in params.items()]
        config = self.compose(own)
        if not self.trials.is_told(number):  # else it runs again for its folder alone
            config.trial = {"number": number, "pruner": OmegaConf.to_container(self.pruner)}
        return self.kept.freeze(number, own, config, digits=len(str(self.n_trials - 1)))

    def end(self) -> None:
        from proj.sweeps.search import write_importance
        from proj.sweeps.summary import summarise

        write_importance(self.trials.study, self.kept.folder)
        summarise(self.kept, failures=False)
