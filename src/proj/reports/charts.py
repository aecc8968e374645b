"""Builds the charts of report.html as data for Plotly. The colours are missing: page.html adds those of its theme.

The `meta` of a trace is the index of its row. Plotly turns its `uid` into a CSS class, by which page.html finds the
lines of a row.
"""

import math
import statistics
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from proj.reports.compare import Comparison, Row, counted
from proj.reports.conclusions import by_data, repetitions
from proj.reports.runs import Run
from proj.reports.scales import compact, note_of, number, round_numbers, scale_of, text, time_unit
from proj.reports.table import heading

POINTS = 120  # the most points of a curve; in a longer one, neighbours are averaged
ALL_POINTS = 36_000  # the most points of all curves on a page, about 1 MB: with many curves, each has fewer points
BANDS = 40  # the most configurations for which bands of deviation are drawn; more would hide the lines
MOST_IN_STRIP = 40  # the most rows that fit into the chart of `strip`
FIRST = ("val/acc", "val/loss", "train/acc", "train/loss")  # the first charts of curves, after that of the monitor
LAYOUT = {
    "height": 320,
    "margin": {"l": 44, "r": 14, "t": 8, "b": 36},
    "showlegend": False,
    "hovermode": "closest",
    "hoverdistance": 40,  # pixels
    "paper_bgcolor": "transparent",
    "plot_bgcolor": "transparent",
    "dragmode": "zoom",
}
AXIS = {"zeroline": False, "automargin": True}


def chart(title: str, note: str, traces: list[dict], xaxis: dict, yaxis: dict, **layout) -> dict[str, Any]:
    layout["xaxis"], layout["yaxis"] = AXIS | {"showgrid": False} | xaxis, AXIS | yaxis
    return {"title": title, "note": note, "traces": traces, "layout": LAYOUT | layout}


def axis_title(name: str) -> dict[str, Any]:
    """The title of an axis, in the size of its labels."""
    return {"title": {"text": name, "font": {"size": 12}}}


def mean_curve(runs: list[Run], tag: str, most: int) -> tuple[list[float], list[float], list[float]]:
    """(Epochs, means, sample standard deviations) of a metric over runs; neighbours are averaged to `most` points."""
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
    curve: tuple[list[float], list[float], list[float]] = ([], [], [])
    for start in range(0, len(points), size):
        for averages, neighbours in zip(curve, zip(*points[start : start + size], strict=True), strict=True):
            averages.append(statistics.fmean(neighbours))
    return curve


def curves(rows: list[Row], tag: str, most: int) -> dict[str, Any] | None:
    """The chart of a metric's curves: a line for each configuration, the mean of its runs, and a band of one standard
    deviation to each side. None if no run has this metric."""
    means = [mean_curve(row["runs"], tag, most) for row in rows]
    values = [value for _, ys, _ in means for value in ys]
    if not values:
        return None
    # The losses of a row of which each run has failed, perhaps because it diverged, would stretch the axis.
    of_others = [y for row, (_, ys, _) in zip(rows, means, strict=True) if {*row["status"]} != {"failed"} for y in ys]
    place, axis = scale_of(tag, of_others or values)
    bands, lines = [], []
    for i, (epochs, ys, deviations) in reversed(list(enumerate(means))):  # the best is drawn last, above the others
        xs = compact(epochs)
        if any(deviations) and len(rows) <= BANDS:
            up = compact([place(y + deviation) for y, deviation in zip(ys, deviations, strict=True)])
            down = compact([place(y - deviation) for y, deviation in zip(ys, deviations, strict=True)])
            band = {"x": xs + xs[::-1], "y": up + down[::-1], "meta": i, "uid": f"{i}band", "hoverinfo": "skip"}
            band |= {"fill": "toself", "mode": "lines", "line": {"width": 0}}
            # With more than twelve configurations, a band is visible only while its row is pointed at.
            band["opacity"] = 0.13 if len(rows) <= 12 else 0
            bands.append(band)
        if xs:
            line = {"x": xs, "y": compact([place(y) for y in ys]), "meta": i, "uid": f"{i}", "hoverinfo": "none"}
            line |= {"mode": "lines" if len(xs) > 1 else "markers", "line": {"width": 1.6}}
            lines.append(line)
    return chart(heading(tag), note_of(axis), bands + lines, axis_title("epoch") | {"rangemode": "tozero"}, axis)


def dots(
    comparison: Comparison, place_of: Callable[[Run], float | None], title: str, note: str, x_axis: dict
) -> dict | None:
    """A chart with a dot for each run, hollow if the run is not finished, and a dotted line at the best value so
    far, unless the rows are on several sets of data. place_of: the x of a run; None leaves it out."""
    monitor, mode = comparison["monitor"], comparison["mode"]
    points: list[tuple[float, float, int, Run]] = []
    for i, row in enumerate(comparison["rows"]):
        for run in row["runs"]:
            x, value = number(place_of(run)), number(run.value(monitor, mode))
            if not run.repeats and x is not None and value is not None:
                points.append((x, value, i, run))
    if not points:
        return None
    height, y_axis = scale_of(monitor, [value for _, value, _, _ in points])
    del y_axis["range"]  # so that every dot is shown
    from_left = sorted(points, key=lambda point: point[0])
    finished = [(x, value) for x, value, _, run in from_left if run.status == "finished"]
    best_so_far = accumulate((value for _, value in finished), min if mode == "min" else max)
    line = {"x": [x for x, _ in finished], "y": [height(y) for y in best_so_far], "hoverinfo": "skip"}
    line |= {"mode": "lines", "line": {"shape": "hv", "dash": "dot", "width": 1}}
    traces = [line] if len(by_data(comparison)) < 2 else []
    for i in reversed(range(len(comparison["rows"]))):
        dots_of_row = [(x, height(value), run) for x, value, row, run in points if row == i]
        if not dots_of_row:
            continue
        trace = {"x": [x for x, _, _ in dots_of_row], "y": [y for _, y, _ in dots_of_row], "meta": i, "uid": f"{i}"}
        trace["customdata"] = [f"{run.folder.name}: {run.status}" for _, _, run in dots_of_row]
        symbols = ["circle" if run.status == "finished" else "circle-open" for _, _, run in dots_of_row]
        trace["marker"] = {"symbol": symbols, "size": 8 if len(points) < 100 else 6}
        trace |= {"mode": "markers", "hoverinfo": "none"}
        traces.append(trace)
    return chart(title, note_of(y_axis, note), traces, x_axis, y_axis)


def strip(comparison: Comparison) -> dict[str, Any] | None:
    """A chart of the values on which the verdicts rest: a line for each configuration, with a dot for each of its runs.
    None if no configuration has two runs, or if there are more than MOST_IN_STRIP configurations."""
    monitor, mode, rows = comparison["monitor"], comparison["mode"], comparison["rows"]
    points = [[(run, number(run.value(monitor, mode))) for run in counted(row["runs"])] for row in rows]
    values = [value for dots_of_row in points for _, value in dots_of_row if value is not None]
    if not values or len(rows) > MOST_IN_STRIP or max(map(len, points)) < 2:
        return None
    means = [mean for row in rows if (mean := number(row[monitor][0])) is not None]
    place, axis = scale_of(monitor, values + means)
    del axis["range"]  # so that every dot is shown
    traces = []
    for i, dots_of_row in enumerate(points):
        known = [(run, value) for run, value in dots_of_row if value is not None]
        if not known:
            continue
        of_row = {"meta": i, "uid": f"{i}", "mode": "markers", "hoverinfo": "none"}
        runs = {"x": [place(value) for _, value in known], "y": [i + 1] * len(known)}
        runs["customdata"] = [f"seed {run.repetition}" if run.seed is not None else run.folder.name for run, _ in known]
        traces.append({**of_row, **runs, "marker": {"size": 8, "opacity": 0.75}})
        mean = rows[i][monitor][0]
        if len(known) > 1 and number(mean) is not None:
            bar = {"symbol": "line-ns-open", "size": 18}
            traces.append({**of_row, "x": [place(mean)], "y": [i + 1], "marker": bar})
    numbers = list(range(1, len(rows) + 1))
    y_axis = {"tickvals": numbers, "ticktext": [str(k) for k in numbers], "range": [len(rows) + 0.6, 0.4]}
    each = repetitions(*rows).partition(",")[0].removesuffix("s")  # seed, fold, or run
    note = note_of(axis, "a line for each configuration; the bar is the mean")
    y_axis, height = axis_title("place") | y_axis, max(320, 70 + 22 * len(rows))
    return chart(f"{heading(monitor)} of every {each}", note, traces, axis, y_axis, height=height)


def against_time(comparison: Comparison) -> dict | None:
    """The monitor of each run over its training time; None if no time is known."""
    title = f"{heading(comparison['monitor'])} against training time"
    seconds = [number(run.value("seconds", "min")) for row in comparison["rows"] for run in row["runs"]]
    known = [value for value in seconds if value and value > 0]
    if not known:
        return None
    name, unit = time_unit(max(known))
    axis = axis_title(f"training time, {name}")
    if max(known) > 5 * min(known):
        marks = round_numbers(min(known) / unit, max(known) / unit, logarithmic=True)
        axis |= {"type": "log", "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}

    def place(run: Run) -> float:
        return (run.value("seconds", "min") or math.nan) / unit

    return dots(comparison, place, title, "the dotted line: the best in as much time or less", axis)


def history(comparison: Comparison) -> dict | None:
    """The monitor of a search's trials in their order; None unless the runs have trials, all of one search."""

    def place(run: Run) -> float | None:
        return number(run.config.get("trial.number"))

    trials = [run for row in comparison["rows"] for run in row["runs"] if place(run) is not None]
    if len({run.folder.parent for run in trials}) != 1:
        return None
    axis = axis_title("trial") | {"dtick": math.ceil(len(trials) / 8)}
    title = f"The search: {heading(comparison['monitor'])} of each trial"
    return dots(comparison, place, title, "the dotted line: the best so far", axis)


def importance(shares: dict[str, Any]) -> dict | None:
    """A bar for each setting of a search: how much of the variance between trials it explains (Optuna's fANOVA)."""
    known = sorted((share, text(name)) for name, share in shares.items() if number(share) is not None)
    if not known:
        return None
    bars = {"type": "bar", "orientation": "h", "hoverinfo": "skip", "cliponaxis": False}
    bars |= {"x": [share for share, _ in known], "y": [name for _, name in known]}
    bars |= {"texttemplate": "%{x:.0%}", "textposition": "outside"}
    title, note = "The search: importance of each setting", "· share of the differences between the finished trials"
    xaxis = {"tickformat": ".0%", "range": [0, 1.2 * known[-1][0]]}
    return chart(title, note, [bars], xaxis, {"showgrid": False}, bargap=0.5)


def charts(comparison: Comparison, shares: dict[str, Any]) -> list[dict]:
    """All charts of the page that have anything to show. shares: the importance of a search's settings."""
    rows = [row | {"runs": [run for run in row["runs"] if not run.repeats]} for row in comparison["rows"]]
    tags = {tag for row in rows for run in row["runs"] for tag in run.curves}
    order = [tag for tag in dict.fromkeys((comparison["monitor"], *FIRST)) if tag in tags]
    order += sorted(tags - set(order))
    numbers = len(rows) * len(order) * (3 if len(rows) <= BANDS else 1)  # a band has two edges
    most = max(10, min(POINTS, ALL_POINTS // max(1, numbers)))
    found = [curves(rows, tag, most) for tag in order]
    made = [*found[:1], strip(comparison), against_time(comparison), history(comparison), importance(shares)]
    return [one for one in (*made, *found[1:]) if one]
