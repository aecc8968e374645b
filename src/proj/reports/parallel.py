"""Builds the chart of parallel coordinates: an axis for each setting and figure, a line for each configuration."""

import math
from typing import Any

from proj.reports.charts import chart
from proj.reports.compare import Comparison
from proj.reports.scales import apart, number, round_numbers, text, time_unit
from proj.reports.table import heading


def coordinates(comparison: Comparison) -> list[tuple[str, list]]:
    """The axes as (name, a value for each row): the settings, parameters and time if they differ, and the metrics."""
    rows = comparison["rows"]
    axes: list[tuple[str, list]] = []
    for k, name in enumerate(comparison["columns"]):
        axes.append((name, [row["settings"][k] if row["settings"] else None for row in rows]))
    seconds = [number(row["seconds"][0]) for row in rows]
    unit_name, unit = time_unit(max((value for value in seconds if value), default=1))
    costs = [("parameters", [row["parameters"][0] for row in rows])]
    costs.append((unit_name, [None if value is None else value / unit for value in seconds]))
    axes += [(name, values) for name, values in costs if len(set(values) - {None}) > 1]
    for metric in reversed(comparison["metrics"]):
        values = [row[metric][0] for row in rows]
        if any(value is not None for value in values):
            scale = 100 if "acc" in metric else 1
            axes.append((heading(metric), [None if value is None else value * scale for value in values]))
    return axes


def parallel(comparison: Comparison) -> dict | None:
    """The chart, or None with fewer than two rows or axes. "wide" is its minimum width in pixels: page.html makes a
    narrower page scroll it."""
    axes = coordinates(comparison)
    if len(comparison["rows"]) < 2 or len(axes) < 2:
        return None
    columns = [coordinate(values) for _, values in axes]
    across = list(range(len(axes)))
    look = {"mode": "lines+markers", "line": {"width": 1.4}, "marker": {"size": 4}, "hoverinfo": "none"}
    traces = []
    for i in reversed(range(len(comparison["rows"]))):
        heights = [number(places[i], 4) for places, _ in columns]
        traces.append({"x": across, "y": heights, "meta": i, "uid": f"{i}", **look})
    beside = {"showarrow": False, "xanchor": "left", "xshift": 4, "borderpad": 1}
    labels = [{"x": k, "y": y, "text": name, **beside} for k, (_, marks) in enumerate(columns) for y, name in marks]
    xaxis = {"tickvals": across, "ticktext": [text(name) for name, _ in axes], "side": "top", "showgrid": True}
    xaxis |= {"range": [-0.2, len(axes) - 0.4], "fixedrange": True}
    yaxis = {"visible": False, "range": [-0.04, 1.04], "fixedrange": True}
    more = {"dragmode": "select", "height": 380, "margin": {"l": 30, "r": 30, "t": 30, "b": 10}, "annotations": labels}
    note = "· drag over a part of an axis to keep it, with Shift over another; a double click shows all again"
    return chart("Parallel coordinates", note, traces, xaxis, yaxis, **more) | {"wide": 110 * len(axes)}


def coordinate(values: list[Any]) -> tuple[list[float | None], list[tuple[float, str]]]:
    """(The positions of the values on an axis from 0 to 1, None for a missing one; the labels as (position, text))."""
    known = {value for value in values if number(value) is not None or isinstance(value, str)}
    if known and all(type(value) in (int, float) for value in known):
        low, high = min(known), max(known)
        logarithmic = low > 0 and high / low >= 10
        scale = math.log if logarithmic else float
        length = scale(high) - scale(low) or 1

        def place(value: float) -> float:
            return (scale(value) - scale(low)) / length

        marks = sorted(known) if len(known) <= 8 else round_numbers(low, high, logarithmic)
        names = [f"{mark:,.0f}" if abs(mark) >= 10_000 else f"{mark:.4g}" for mark in marks]
    else:
        marks = sorted(known, key=str)
        place = {value: k / max(1, len(marks) - 1) for k, value in enumerate(marks)}.__getitem__
        names = [str(mark) for mark in marks]
    labels = apart([(place(mark), text(name)) for mark, name in zip(marks, names, strict=True)], 0.06)
    return [place(value) if value in known else None for value in values], labels
