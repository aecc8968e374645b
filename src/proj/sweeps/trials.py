"""The trials of a search: shares them out among processes, and reports their results to Optuna's study."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.trial import Trial, TrialState

from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.search import rounded
from proj.system.locks import is_locked, locked
from proj.training.study import one_at_a_time, open_study

# Optuna's state for each status of a job. None lets Optuna decide, by the value, whether the trial is complete.
STATES = {"finished": None, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Trials:
    """Asks Optuna's study for trials, and tells it their results. The job of a trial has the trial's number.

    Several processes may do so for the same search. Each one locks the trials that it runs until it gives them back or
    dies, so that no other process takes them.

    goal: any configuration of the search, for `monitor` and `mode`. space: Optuna's distribution of each swept setting;
    those that the study already has replace them. n_trials: the number in the whole search. sampler: Optuna's, as
    `_target_` and settings. seed: the search's, see `sample_with`.
    Raises UserError if the folder holds trials that the study does not know.
    """

    def __init__(self, sweep: Sweep, goal: DictConfig, space: dict, n_trials: int, sampler, seed: int) -> None:
        self.sweep, self.space, self.monitor, self.n_trials = sweep, space, goal.monitor, n_trials
        self.sampler, self.seed = sampler, seed
        self.study = open_study(sweep.folder, direction="maximize" if goal.mode == "max" else "minimize")
        if strangers := [name for number, name in sweep.names.items() if number >= len(self)]:
            raise UserError(
                f"{sweep.files.study} does not know the trial {strangers[0]}: put the file back, or choose another "
                "sweep_name or hydra.sweep.dir for a new search."
            )
        if trials := self.study.trials:  # an older version may have chosen others, and a study cannot change them
            self.space.update(trials[0].distributions)
        self.left, self.candidates = self.without_result(), self.find()
        self.held: dict[int, ExitStack] = {}

    def __len__(self) -> int:
        return len(self.study.get_trials(deepcopy=False))

    def take(self) -> tuple[int, dict[str, Any]] | None:
        """Hold a trial for this process to run; return its number and settings, or None if no trial is left."""
        with one_at_a_time(self.sweep.files.asking):
            number = next(filter(self.hold, self.candidates), None)
            return None if number is None else (number, self.params(number))

    def find(self) -> Iterator[int]:
        """The numbers of the trials to try to hold: those without a result from before, then new ones. Trials whose
        process has died meanwhile come last, since they may be what it died of."""
        yield from self.left
        while len(self) < self.n_trials:
            self.sample_with(len(self))
            yield self.study.ask().number
        yield from self.without_result()

    def sample_with(self, number: int) -> None:
        """Give the study the sampler that chooses the settings of this trial. Each trial's has a seed of its own, so
        that a search that goes on, or another worker, chooses what an uninterrupted search would choose."""
        its_own = random.Random(f"{self.seed} {number}").getrandbits(32)
        in_order = "QMCSampler" in self.sampler["_target_"]  # the trials take the points of a single sequence
        self.study.sampler = instantiate(self.sampler, seed=self.seed if in_order else its_own)

    def hold(self, number: int) -> bool:
        """Lock a trial for this process. False if another process has it, or if it has a result."""
        place = self.sweep.files.claims / str(number)
        if number in self.held or is_locked(place) or self.status(number) == "running":
            return False
        place.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(place))
            except UserError:  # held by another machine, on a file system without locks
                return False
            has_result = self.status(number) == "finished" if self.is_told(number) else self.tell(number)
            if has_result:
                return False
            self.held[number] = stack.pop_all()
        return True

    def give_back(self, number: int) -> bool:
        """Report the result of a trial that this process holds, and release it. False if the trial has not ended."""
        with self.held.pop(number):
            return self.tell(number)

    def params(self, number: int) -> dict[str, Any]:
        """The settings of a trial. They are also stored in the study as rounded for the job, see `rounded`."""
        frozen = self.trial(number)
        if frozen.state.is_finished():
            return frozen.params
        self.sample_with(number)
        trial = Trial(self.study, frozen._trial_id)
        for key, distribution in self.space.items():  # a process that was stopped may have chosen only some of them
            distribution = frozen.distributions.get(key, distribution)
            value = trial._suggest(key, distribution)
            if (stored := rounded(value, distribution)) != value:
                trial.storage.set_trial_param(trial._trial_id, key, stored, distribution)
        return self.trial(number).params

    def trial(self, number: int):
        return self.study.get_trials(deepcopy=False)[number]

    def is_told(self, number: int) -> bool:
        return self.trial(number).state.is_finished()

    def status(self, number: int) -> str:
        if number not in self.sweep.names:
            self.sweep.find_jobs()  # another process may have frozen it
        name = self.sweep.names.get(number)
        return self.sweep.run_folder(name).status()[0] if name else "queued"

    def tell(self, number: int) -> bool:
        """Report the result of a trial's job to the study. False if the job has not ended."""
        status = self.status(number)
        if status in STATES and not self.is_told(number):
            run = self.sweep.run_folder(self.sweep.names[number])
            value = run.read_metrics()[self.monitor] if status == "finished" else None
            self.study.tell(number, value, STATES[status])
        return status in STATES

    def without_result(self) -> list[int]:
        """The numbers of the trials that have not ended, as far as the study knows, or whose results were deleted."""
        trials = self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING, TrialState.COMPLETE])
        return [one.number for one in trials if not one.state.is_finished() or self.status(one.number) != "finished"]
