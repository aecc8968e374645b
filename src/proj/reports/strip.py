"""The chart of all runs' values: a dot a run, a line a configuration, so that one sees what a verdict rests on."""

from typing import Any

from proj.reports.charts import axis_title, chart
from proj.reports.compare import Comparison, counted
from proj.reports.conclusions import repetitions
from proj.reports.scales import number, scale_of
from proj.reports.table import heading

MOST = 40  # rows that the chart has room for


def strip(comparison: Comparison) -> dict[str, Any] | None:
    """None where no configuration has two seeds, and where there are more than MOST."""
    monitor, mode, rows = comparison["monitor"], comparison["mode"], comparison["rows"]
    points = [[(run, number(run.value(monitor, mode))) for run in counted(row["runs"])] for row in rows]
    values = [value for dots_of_row in points for _, value in dots_of_row if value is not None]
    if not values or len(rows) > MOST or max(map(len, points)) < 2:
        return None
    place, axis = scale_of(monitor, values)
    axis.pop("range", None)
    traces = []
    for i, dots_of_row in enumerate(points):
        known = [(run, value) for run, value in dots_of_row if value is not None]
        if not known:
            continue
        of_row = {"meta": i, "uid": f"{i}", "mode": "markers", "hoverinfo": "none"}
        dots = {"x": [place(value) for _, value in known], "y": [i + 1] * len(known)}
        dots["customdata"] = [f"seed {run.repetition}" if run.seed is not None else run.folder.name for run, _ in known]
        traces.append({**of_row, **dots, "marker": {"size": 8, "opacity": 0.75}})
        mean = rows[i][monitor][0]
        if len(known) > 1 and number(mean) is not None:
            bar = {"symbol": "line-ns-open", "size": 18}
            traces.append({**of_row, "x": [place(mean)], "y": [i + 1], "marker": bar})
    numbers = list(range(1, len(rows) + 1))
    y_axis = {"tickvals": numbers, "ticktext": [str(k) for k in numbers], "range": [len(rows) + 0.6, 0.4]}
    each = repetitions(*rows).partition(",")[0].removesuffix("s")  # seed, fold, or run
    title, note = f"{heading(monitor)} of every {each}", "· a line of dots a configuration, the bar is the mean"
    return chart(title, note, traces, axis, axis_title("place") | y_axis, height=max(320, 70 + 22 * len(rows)))
