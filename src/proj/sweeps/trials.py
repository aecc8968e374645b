"""The trials of a search, as Optuna's study keeps them in the sweep's folder."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.trial import Trial, TrialState

from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.training.pruning import open_study

# What a job's status is to Optuna, which tells from the value whether a finished trial counts as complete.
STATES = {"finished": None, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Trials:
    """Asks the study for trials, and tells it what became of them; a trial's job has the trial's number.

    typical: a trial's configuration, for the goal that all share. space: Optuna's distribution of each swept setting,
    which takes on those that the study has already. sampler: of Optuna, as `_target_` and settings.
    Raises UserError where the folder holds trials that the study does not know.
    """

    def __init__(self, sweep: Sweep, typical: DictConfig, space: dict, sampler: DictConfig, seed: int) -> None:
        self.sweep, self.space, self.monitor = sweep, space, typical.monitor
        self.study = open_study(sweep.folder, direction="maximize" if typical.mode == "max" else "minimize")
        if strangers := [name for number, name in sweep.names.items() if number >= len(self)]:
            raise UserError(
                f"{sweep.files.study} does not know the trial {strangers[0]}: put the file back, or choose another "
                "sweep_name for a new search."
            )
        for trial in self.study.trials[:1]:  # a study keeps its kinds of numbers, and an older version chose others
            self.space.update(trial.distributions)
        self.study.sampler = instantiate(sampler, seed=seed + len(self))

    def __len__(self) -> int:
        return len(self.study.trials)

    def ask(self) -> tuple[int, dict[str, Any]]:
        """The number and the settings of a new trial."""
        trial = self.study.ask(self.space)
        return trial.number, trial.params

    def is_told(self, number: int) -> bool:
        return self.study.trials[number].state.is_finished()

    def tell(self, number: int, name: str) -> bool:
        """Tell the study what became of a trial's job; False where it has not ended."""
        run = self.sweep.run(name)
        status, _ = run.status()
        if status in STATES and not self.is_told(number):
            value = run.read_metrics()[self.monitor] if status == "finished" else None
            self.study.tell(number, value, STATES[status])
        return status in STATES

    def without_result(self) -> dict[int, dict[str, Any]]:
        """The settings, by number, of the trials that were stopped, and of those whose result was deleted."""
        found = {}
        for trial in self.study.get_trials(states=[TrialState.RUNNING, TrialState.COMPLETE]):
            name = self.sweep.names.get(trial.number)
            if trial.state is TrialState.RUNNING:
                whole = Trial(self.study, trial._trial_id)
                for key, distribution in self.space.items():  # `ask` may have been stopped before it chose them all
                    whole._suggest(key, trial.distributions.get(key, distribution))
                found[trial.number] = whole.params
            elif name is None or self.sweep.run(name).status()[0] != "finished":
                found[trial.number] = trial.params
        return found
