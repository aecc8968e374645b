"""Computes the scales of the axes in report.html's charts, and their labels."""

import html
import math
from collections.abc import Callable
from typing import Any

from proj.system.names import one_line

Scale = tuple[Callable[[float], float], dict[str, Any]]  # maps a value to its position; the axis for Plotly


def number(value: Any, digits: int = 10) -> float | None:
    """The value rounded to `digits` significant digits; None for NaN, infinity and anything that is no number."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(f"{value:.{digits}g}") if known else None


def text(value: Any) -> str:
    """A setting, a name or a folder on one line, escaped for HTML and for Plotly, which reads tags but not &quot;."""
    return html.escape(one_line(str(value))).replace("&quot;", "&#34;")


def compact(values: list[float]) -> list[float | None]:
    return [number(value, 5) for value in values]


def apart(marks: list[tuple[float, str]], distance: float) -> list[tuple[float, str]]:
    """The labels (position, text), in their order, without those closer than `distance` to the one kept before."""
    kept: list[tuple[float, str]] = []
    for at, name in marks:
        if not kept or abs(at - kept[-1][0]) >= distance:
            kept.append((at, name))
    return kept


def scale_of(metric: str, values: list[float]) -> Scale:
    """The scale of a chart: by the error rate if an accuracy is above 90 %, linear for all else."""
    if "acc" in metric and max(values) > 0.9:
        return error_scale(values)
    return linear_scale(metric, values)


def error_scale(accuracies: list[float]) -> Scale:
    """A logarithmic scale of the error rate: 90, 99 and 99.9 % are equally far apart, so curves near 100 % separate."""
    least = min((1 - value for value in accuracies if value < 1), default=0.01) / 2  # stands for no error

    def place(accuracy: float) -> float:
        return -math.log10(max(1 - accuracy, least))

    low, high = place(min(accuracies)), place(max(accuracies))
    margin = (high - low) / 30 or 0.1
    marks: list[tuple[float, str]] = []
    tenths = [number / 10 for number in range(10, 100)]
    for factors in ((1, 2, 5), range(1, 10), tenths):  # try more marks if the first ones are few in this range
        errors = [factor / 10**power for power in range(7, 0, -1) for factor in factors]
        below = [1 - error for error in errors if error < 1.2 * 10**-low]
        if sum(low - margin <= at <= high + margin for at, _ in marks) < 3:
            marks = apart([(place(value), f"{100 * value:.8g}") for value in (1, *below)], margin * 2)
    ticks = {"tickvals": [at for at, _ in marks], "ticktext": [name for _, name in marks]}
    return place, ticks | {"range": compact([low - margin, high + margin])}


def note_of(axis: dict, *others: str) -> str:
    """The note beside a chart's title. axis: from `scale_of`."""
    notes = [*others, "on a scale of the error rate"] if "ticktext" in axis else others
    return f"· {'; '.join(notes)}" if notes else ""


def linear_scale(metric: str, values: list[float]) -> Scale:
    """A linear scale, in per cent for an accuracy. Outliers on the bad side are cut off, to show the rest."""
    accuracy = "acc" in metric
    ordered = sorted(value * 100 if accuracy else value for value in values)
    low, high = ordered[0], ordered[-1]
    second, ninety_eighth = ordered[round(0.02 * (len(ordered) - 1))], ordered[round(0.98 * (len(ordered) - 1))]
    if accuracy and high - low > 2.5 * (high - second):
        low = second
    if not accuracy and high - low > 2.5 * (ninety_eighth - low):
        high = ninety_eighth
    margin = (high - low) / 30 or abs(high) / 10 or 1
    return (lambda value: value * 100 if accuracy else value), {"range": compact([low - margin, high + margin])}


def round_numbers(low: float, high: float, logarithmic: bool) -> list[float]:
    """About five round numbers between two, for labels."""
    if logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    else:
        power = 10.0 ** math.floor(math.log10((high - low) / 4))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= (high - low) / 5)
        numbers = [k * step for k in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return [one for one in numbers if low <= one <= high]


def time_unit(most: float) -> tuple[str, int]:
    """(The name of the unit for times up to `most` seconds, its length in seconds)."""
    if most < 120:
        return "seconds", 1
    return ("minutes", 60) if most < 7200 else ("hours", 3600)
