"""Where values lie on the axes of report.html's charts, and how the axes are labelled."""

import html
import math
from collections.abc import Callable
from typing import Any

from proj.system.names import one_line

Scale = tuple[Callable[[float], float], dict[str, Any]]  # where a value lies on an axis, and the axis as Plotly has it


def number(value: Any, digits: int = 10) -> float | None:
    """What JSON can hold of a number: None for NaN, infinity and what is no number."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(f"{value:.{digits}g}") if known else None


def text(value: Any) -> str:
    """A setting, a name or a folder, on one line as HTML and as Plotly's texts, which know tags as well."""
    return html.escape(one_line(str(value)))


def compact(values: list[float]) -> list[float | None]:
    return [number(value, 5) for value in values]


def apart(marks: list[tuple[float, str]], distance: float) -> list[tuple[float, str]]:
    """Of an axis's labels, in their order, those that do not lie on one another."""
    kept: list[tuple[float, str]] = []
    for at, name in marks:
        if not kept or abs(at - kept[-1][0]) >= distance:
            kept.append((at, name))
    return kept


def scale_of(metric: str, values: list[float]) -> Scale:
    """Accuracies that come above 90 % have a scale of the error rate, all else a linear one."""
    if "acc" in metric and max(values) > 0.9:
        return error_scale(values)
    return linear_scale(metric, values)


def error_scale(accuracies: list[float]) -> Scale:
    """The logarithm of the error rate: 90, 99 and 99.9 % are as far apart, and curves that crowd below 100 % part."""
    least = min((1 - value for value in accuracies if value < 1), default=0.01) / 2  # stands for no error

    def place(accuracy: float) -> float:
        return -math.log10(max(1 - accuracy, least))

    low, high = place(min(accuracies)), place(max(accuracies))
    margin = (high - low) / 30 or 0.1
    marks: list[tuple[float, str]] = []
    for factors in ((1, 2, 5), range(1, 10)):  # more marks where few lie between the two ends
        errors = [factor / 10**power for power in range(7, 0, -1) for factor in factors]
        below = [1 - error for error in errors if error < 1.2 * 10**-low]
        if len(marks) < 4:
            marks = apart([(place(value), f"{100 * value:.8g}") for value in (1, *below)], margin * 2)
    ticks = {"tickvals": [at for at, _ in marks], "ticktext": [name for _, name in marks]}
    return place, ticks | {"range": compact([low - margin, high + margin])}


def linear_scale(metric: str, values: list[float]) -> Scale:
    """An accuracy in per cent. What lies far off on the bad side is left out, since it would press the rest flat."""
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
    """About five numbers between two that are easily read."""
    if logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    else:
        power = 10.0 ** math.floor(math.log10((high - low) / 4))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= (high - low) / 5)
        numbers = [k * step for k in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return [one for one in numbers if low <= one <= high]


def time_unit(most: float) -> tuple[str, int]:
    """The name of the unit in which times up to `most` seconds are shown, and its seconds."""
    if most < 120:
        return "seconds", 1
    return ("minutes", 60) if most < 7200 else ("hours", 3600)
