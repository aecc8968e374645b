"""The charts of report.html, as Plotly has them. Their colours follow from the row and the theme, in page.html."""

import html
import math
import statistics
from collections.abc import Callable
from typing import Any

from proj.reports.runs import Run
from proj.reports.table import heading

POINTS = 120  # of a curve; of a longer one, neighbours are averaged
ALL_POINTS = 60_000  # of the curves of a page: with many, each has fewer
FIRST = ("val/acc", "val/loss", "train/acc", "train/loss")  # curves, in this order, after that of the monitor


def number(value: Any, digits: int = 10) -> float | None:
    """What JSON can hold of a number: None for NaN, infinity and what is no number."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(f"{value:.{digits}g}") if known else None


def text(value: Any) -> str:
    """A setting, a name or a folder, as HTML and as Plotly's texts, which know tags as well."""
    return html.escape(str(value))


def mean_curve(runs: list[Run], tag: str, most: int) -> tuple[list[float], list[float], list[float]]:
    """Epochs, means and sample standard deviations over the runs, of at most `most` points: neighbours are averaged."""
    values: dict[float, list[float]] = {}
    for run in runs:
        for epoch, value in run.curves.get(tag, []):
            if math.isfinite(value):
                values.setdefault(epoch, []).append(value)
    points = []
    for epoch, some in sorted(values.items()):
        mean = sum(some) / len(some)
        squares = sum((value - mean) ** 2 for value in some)  # statistics.stdev takes ten times as long
        points.append((epoch, mean, math.sqrt(squares / max(1, len(some) - 1))))
    size = max(1, math.ceil(len(points) / most))
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    epochs, means, deviations = ([statistics.fmean(point[k] for point in part) for part in parts] for k in range(3))
    return epochs, means, deviations


def apart(marks: list[tuple[float, str]], distance: float) -> list[tuple[float, str]]:
    """Of an axis's labels, in their order, those that do not lie on one another."""
    kept: list[tuple[float, str]] = []
    for at, name in marks:
        if not kept or abs(at - kept[-1][0]) >= distance:
            kept.append((at, name))
    return kept


Scale = tuple[Callable[[float], float], dict[str, Any]]  # where a value lies on an axis, and the axis as Plotly has it


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


def compact(values: list[float]) -> list[float | None]:
    return [number(value, 5) for value in values]


def curves(rows: list[dict], tag: str, most: int) -> dict[str, Any] | None:
    """A line a configuration, the mean of its runs, in a band of one standard deviation up and down."""
    means = [mean_curve(row["runs"], tag, most) for row in rows]
    values = [value for _, ys, _ in means for value in ys]
    if not values:
        return None
    place, axis = scale_of(tag, values)
    bands, lines = [], []
    for i, (epochs, ys, deviations) in reversed(list(enumerate(means))):  # the best is drawn last, above the others
        xs = compact(epochs)
        if any(deviations) and len(rows) <= 40:
            up = compact([place(y + deviation) for y, deviation in zip(ys, deviations, strict=True)])
            down = compact([place(y - deviation) for y, deviation in zip(ys, deviations, strict=True)])
            band = {"x": xs + xs[::-1], "y": up + down[::-1], "fill": "toself", "meta": i, "uid": f"{i}band"}
            bands.append(band)
        if xs:
            line = {"x": xs, "y": compact([place(y) for y in ys]), "meta": i, "uid": f"{i}", "line": {"width": 1.6}}
            lines.append(line | {"mode": "lines" if len(xs) > 1 else "markers"})
    layout = {"xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"}, "yaxis": axis}
    note = "· on a scale of the error rate" if "ticktext" in axis else ""
    return {"title": heading(tag), "note": note, "traces": bands + lines, "layout": layout}


def dots(comparison: dict, place_of: Callable[[Run], float | None], title: str, note: str, x_axis: dict) -> dict | None:
    """A dot a run, hollow where it is not finished, and a dotted line along the best so far, from left to right.

    place_of: where a run lies from left to right, None for one that is left out.
    """
    monitor, mode = comparison["monitor"], comparison["mode"]
    points = [
        (x, value, i, run)
        for i, row in enumerate(comparison["rows"])
        for run in row["runs"]
        if not run.repeats
        and (x := number(place_of(run))) is not None
        and (value := number(run.value(monitor, mode))) is not None
    ]
    if not points:
        return None
    height, y_axis = scale_of(monitor, [value for _, value, _, _ in points])
    del y_axis["range"]  # every dot is shown
    best_so_far: list[tuple[float, float]] = []
    for x, value, _, run in sorted(points, key=lambda point: point[0]):
        if run.status == "finished":
            best = value if not best_so_far else (min if mode == "min" else max)(value, best_so_far[-1][1])
            best_so_far.append((x, best))
    line = {"shape": "hv", "dash": "dot", "width": 1}
    traces: list[dict] = [
        {"x": [x for x, _ in best_so_far], "y": [height(y) for _, y in best_so_far], "mode": "lines", "line": line}
    ]
    for i in reversed(range(len(comparison["rows"]))):
        own = [(x, height(value), run) for x, value, row, run in points if row == i]
        trace = {"x": [x for x, _, _ in own], "y": [y for _, y, _ in own], "mode": "markers", "meta": i, "uid": f"{i}"}
        trace["marker"] = {
            "size": 8 if len(points) < 100 else 6,
            "symbol": ["circle" if run.status == "finished" else "circle-open" for _, _, run in own],
        }
        trace["customdata"] = [f"{run.folder.name}: {run.status}" for _, _, run in own]
        traces += [trace] if own else []
    return {"title": title, "note": note, "traces": traces, "layout": {"xaxis": x_axis, "yaxis": y_axis}}


def against_time(comparison: dict) -> dict | None:
    title = f"{heading(comparison['monitor'])} against training time"
    seconds = [run.value("seconds", "min") for row in comparison["rows"] for run in row["runs"]]
    seconds = [value for value in seconds if value]
    if not seconds:
        return None
    name, unit = time_unit(max(seconds))
    axis: dict[str, Any] = {"title": {"text": f"training time, {name}"}}
    if max(seconds) > 5 * min(seconds):
        marks = round_numbers(min(seconds) / unit, max(seconds) / unit, logarithmic=True)
        axis |= {"type": "log", "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}

    def place(run: Run) -> float | None:
        return (run.value("seconds", "min") or math.nan) / unit

    return dots(comparison, place, title, "· the dotted line: the best in no more time", axis)


def time_unit(most: float) -> tuple[str, int]:
    return ("seconds", 1) if most < 120 else ("minutes", 60) if most < 7200 else ("hours", 3600)


def history(comparison: dict) -> dict | None:
    """Of a search: its trials in their order."""
    title = f"The search: {heading(comparison['monitor'])} of each trial"
    axis = {"title": {"text": "trial"}}
    return dots(
        comparison, lambda run: run.config.get("trial.number"), title, "· the dotted line: the best so far", axis
    )


def importance(shares: dict[str, Any]) -> dict | None:
    """Of a search: how much of the differences between its trials each setting explains (Optuna's fANOVA)."""
    known = sorted((share, name) for name, share in shares.items() if number(share) is not None)
    if not known:
        return None
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [share for share, _ in known],
        "y": [text(name) for _, name in known],
    }
    bar |= {"texttemplate": "%{x:.0%}", "textposition": "outside", "cliponaxis": False}
    layout = {
        "xaxis": {"tickformat": ".0%", "range": [0, 1.2 * known[-1][0]]},
        "yaxis": {"showgrid": False},
        "bargap": 0.5,
    }
    note = "· share of the differences between trials"
    return {"title": "The search: importance of each setting", "note": note, "traces": [bar], "layout": layout}


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


def coordinate(values: list[Any]) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Where the values lie on an axis from 0 to 1 (None: no value), and the axis's labels, which do not overlap."""
    values = [number(value) if isinstance(value, float) else value for value in values]
    known = sorted({value for value in values if value is not None}, key=lambda value: (isinstance(value, str), value))
    logarithmic, numeric = False, all(isinstance(value, int | float) for value in known)
    if not numeric:
        known = sorted(known, key=str)
        places = {value: k / max(1, len(known) - 1) for k, value in enumerate(known)}
    elif known:
        logarithmic = known[0] > 0 and known[-1] / known[0] >= 10
        scale = math.log if logarithmic else float
        ends = scale(known[0]), scale(known[-1])
        marks = known if len(known) <= 8 else round_numbers(known[0], known[-1], logarithmic)
        places = {one: (scale(one) - ends[0]) / (ends[1] - ends[0] or 1) for one in {*known, *marks}}
        known = marks

    def shown(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"

    labels = apart([(places[value], text(shown(value) if numeric else value)) for value in known], 0.06)
    return [None if value is None else places[value] for value in values], labels


def parallel(comparison: dict) -> dict | None:
    """Parallel coordinates: an axis for each setting that differs and each figure, a line a configuration."""
    rows, metrics = comparison["rows"], comparison["metrics"]
    axes = [
        (name, [row["settings"] and row["settings"][k] for row in rows]) for k, name in enumerate(comparison["columns"])
    ]
    seconds = [row["seconds"][0] for row in rows]
    unit_name, unit = time_unit(max((value for value in seconds if value), default=1))
    axes.append(("parameters", [row["parameters"][0] for row in rows]))
    axes.append((unit_name, [value and value / unit for value in seconds]))
    axes = [(name, values) for name, values in axes if len({str(value) for value in values} - {"None"}) > 1]
    for metric in [metric for metric in reversed(metrics) if any(row[metric][2] for row in rows)]:
        scale = 100 if "acc" in metric else 1
        axes.append((heading(metric), [value and value * scale for value in (row[metric][0] for row in rows)]))
    if len(rows) < 2 or len(axes) < 2:
        return None
    columns = [coordinate(values) for _, values in axes]
    ticks = [(k, place, name) for k, (_, labels) in enumerate(columns) for place, name in labels]
    traces = [
        {"y": [number(places[i], 4) for places, _ in columns], "meta": i, "uid": f"{i}"}
        | {"x": list(range(len(axes))), "mode": "lines+markers", "line": {"width": 1.4}, "marker": {"size": 4}}
        for i in reversed(range(len(rows)))
    ]
    names = {"tickvals": list(range(len(axes))), "ticktext": [text(name) for name, _ in axes]}
    layout = {
        "xaxis": names | {"side": "top", "showgrid": True, "range": [-0.2, len(axes) - 0.4], "fixedrange": True},
        "yaxis": {"visible": False, "range": [-0.04, 1.04], "fixedrange": True},
        "dragmode": "select",
        "height": 380,
        "margin": {"l": 30, "r": 30, "t": 30, "b": 10},
    }
    note = "· drag over a part of an axis to keep it, with Shift over another; a double click shows all again"
    chart = {"title": "Parallel coordinates", "note": note, "traces": traces, "layout": layout, "ticks": ticks}
    return chart | {"wide": 110 * len(axes)}


def charts(comparison: dict, shares: dict[str, Any]) -> list[dict]:
    rows = [row | {"runs": [run for run in row["runs"] if not run.repeats]} for row in comparison["rows"]]
    tags = {tag for row in rows for run in row["runs"] for tag in run.curves}
    order = [tag for tag in dict.fromkeys((comparison["monitor"], *FIRST)) if tag in tags]
    order += sorted(tags - set(order))
    most = max(20, min(POINTS, ALL_POINTS // max(1, len(rows) * len(order))))
    found = [curves(rows, tag, most) for tag in order]
    made = [*found[:1], against_time(comparison), history(comparison), importance(shares), *found[1:]]
    return [chart for chart in [*made, parallel(comparison)] if chart]
