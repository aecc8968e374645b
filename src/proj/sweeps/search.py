"""Translates swept settings into Optuna's search space, and writes the importance of each setting."""

import math
import re
import warnings
from pathlib import Path

import optuna
from hydra.core.override_parser.types import Override
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from proj.errors import UserError, causes, message_of, nearest
from proj.system.run_folder import SweepFolder, write_json

# Hydra 1.3 converts both ends of an interval to floats; only its text shows whether they were typed as integers.
WHOLE = re.compile(r"interval\(\s*(\w+\s*=\s*)?[+-]?[\d_]+\s*,\s*(\w+\s*=\s*)?[+-]?[\d_]+\s*\)")


def distribution(override: Override, now=None):
    """Optuna's distribution for a swept setting: a choice of values, or the numbers of an interval.

    now: the setting's default. If it is a float, ends that are typed as integers mean floats, unless int(…) is typed.
    Raises UserError for ends that Optuna refuses.
    """
    if not override.is_interval_sweep():
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    value, text = override.value(), override.input_line
    start, end = value.start, value.end
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UserError(f"{text} is no range to search: both ends are finite numbers.")
    if start > end:
        raise UserError(f"{text} is no range to search: give the smaller end first.")
    if "log" in value.tags and start <= 0:
        raise UserError(f"{text} is no range to search: on a logarithmic scale both ends are above 0.")
    if unknown := sorted(value.tags - {"log", "int"}):
        raise UserError(f"{text} has a tag {unknown[0]} that nothing reads: log is that of a logarithmic scale.")
    whole = "int" in value.tags or type(start) is type(end) is int
    whole = whole or (WHOLE.search(text) and "float(" not in text and not isinstance(now, float))
    try:
        if whole:
            return IntDistribution(int(start), int(end), log="log" in value.tags)
        return FloatDistribution(start, end, log="log" in value.tags)
    except ValueError as error:
        raise UserError(f"{text} is no range to search: {error}") from error


def combinations(space: dict[str, BaseDistribution]) -> float:
    """The number of different trials in a space; infinite if an interval holds floats."""
    count = 1.0
    for one in space.values():
        if isinstance(one, CategoricalDistribution):
            count *= len(set(one.choices))
        elif not one.single():
            count *= one.high - one.low + 1 if isinstance(one, IntDistribution) else math.inf
    return count


def rounded(value, distribution: BaseDistribution):
    """A float as a job gets it: rounded to four digits, or more in a narrow interval, and within its ends."""
    if not isinstance(distribution, FloatDistribution):
        return value
    low, high = distribution.low, distribution.high
    more = int(math.log10(max(abs(low), abs(high)) / (high - low))) if high > low else 0
    return min(max(float(f"{value:.{4 + max(more, 0)}g}"), low), high)


def try_sampler(sampler: DictConfig, pruner: DictConfig, space: dict) -> None:
    """Raises UserError, before the first trial, if the sampler or the pruner is invalid or cannot search this space."""
    for part, one, options in (("sampler", sampler, optuna.samplers), ("pruner", pruner, optuna.pruners)):
        if not OmegaConf.is_dict(one):
            known = nearest(f"{one}{part}", [name for name in options.__all__ if not name.startswith("Base")])
            raise UserError(f"a {part} is named by hydra.sweeper.{part}._target_=optuna.{part}s.<name>.{known}")
    name = str(sampler.get("_target_"))
    if name.endswith(("BruteForceSampler", "GridSampler")):
        raise UserError(f"{name} tries every combination, and so does a sweep: leave hydra/sweeper=optuna out.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the user chose it by name
    try:
        study = optuna.create_study(sampler=instantiate(sampler, seed=0), pruner=instantiate(pruner))
        for value in range(3):  # some samplers look at the space only in the second trial
            study.tell(study.ask(space), float(value))
    except Exception as error:
        reason = message_of(list(causes(error))[-1])
        how = f": pip install {error.name}" if isinstance(error, ImportError) else ""
        raise UserError(f"{name} and {pruner.get('_target_')} cannot search here ({reason}){how}.") from error


def write_importance(study: optuna.Study, folder: Path) -> None:
    """Write, for the report, how much of the variance between the trials each setting explains.
    Nothing is written unless at least two trials have different results."""
    results = {trial.value for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE])}
    if len(results) > 1:
        warnings.filterwarnings("ignore", module="optuna")  # about having few finished trials
        shares = optuna.importance.get_param_importances(study)
        write_json(SweepFolder(folder).importance, shares, indent=2)
