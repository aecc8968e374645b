"""A search by Optuna: its space, its study on disk and its plots."""

import re
import warnings
from html import escape
from pathlib import Path

import optuna
import optuna.visualization as plots
from hydra.core.override_parser.types import Override
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from proj.errors import UserError

# Hydra 1.3 makes both ends of an interval floats; the text has them as they were typed.
WHOLE = re.compile(r"interval\(\s*(\w+\s*=\s*)?[+-]?[\d_]+\s*,\s*(\w+\s*=\s*)?[+-]?[\d_]+\s*\)")


def distribution(override: Override, now=None):
    """Optuna's, of a swept setting: a choice of values, or all numbers between two. now: the setting's value.

    Raises UserError for ends that Optuna refuses.
    """
    if not override.is_interval_sweep():
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    value, text = override.value(), override.input_line
    start, end = value.start, value.end
    whole = "int" in value.tags or type(start) is type(end) is int
    whole = whole or (WHOLE.search(text) and "float(" not in text and not isinstance(now, float))
    try:
        if whole:
            return IntDistribution(int(start), int(end), log="log" in value.tags)
        return FloatDistribution(start, end, log="log" in value.tags)
    except ValueError as error:
        raise UserError(f"{text} is no range to search: {error}") from error


def draw(study: optuna.Study, monitor: str, file: Path) -> None:
    """Optuna's plots of a search with two results or more, in one HTML file that loads nothing."""
    if len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < 2:
        return
    warnings.filterwarnings("ignore", module="optuna")  # of importances where few trials are finished
    figures = (
        plots.plot_optimization_history(study, target_name=monitor),
        plots.plot_param_importances(study, target_name=monitor),
        plots.plot_parallel_coordinate(study, target_name=monitor),
        plots.plot_intermediate_values(study),
    )
    parts = (figure.to_html(full_html=False, include_plotlyjs=not place) for place, figure in enumerate(figures))
    page = f"<!doctype html><meta charset=utf-8><title>{escape(study.study_name)}</title>{''.join(parts)}"
    file.write_text(page, encoding="utf-8")
    print(file)
