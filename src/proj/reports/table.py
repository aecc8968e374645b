"""Prints the table of a report in the terminal, and formats the figures for it and for the files."""

import textwrap
from collections import Counter

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proj.config.settings.table import policy
from proj.reports.compare import Comparison, Row
from proj.system.names import one_line
from proj.wording import agree, how_many, share

LONGEST = 30  # the most rows in the terminal; the files have all of them
CHOICES = ("dataset", "model", "optimizer", "scheduler", "preset")  # shown without their names


def heading(metric: str) -> str:
    """The heading of a metric's column; accuracies are in per cent."""
    return f"{metric} %" if "acc" in metric else metric


def written(value: float, metric: str) -> str:
    """A metric's value, or the difference of two, as text: for accuracies in per cent, or in percentage points."""
    if "acc" in metric:
        return share(value).rstrip("%")
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"  # of a table that is learnt without a mistake, all losses would be 0.0000
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3g}"  # a loss that grew without end: 1.08e+20


def figure(metric: str, mean: float | None, deviation: float | None, n: int) -> str:
    """A metric as text: mean ± deviation (n), or the mean alone if there is no deviation."""
    if mean is None:
        return "–"
    return written(mean, metric) + (f" ± {written(deviation, metric)} ({n})" if deviation is not None else "")


def statuses(count: Counter) -> str:
    """The statuses of a row's runs: "finished", or "2 finished, 1 failed" if they differ."""
    return next(iter(count)) if len(count) == 1 else ", ".join(f"{n} {status}" for status, n in count.items())


def label(comparison: Comparison, row: Row) -> str:
    """A row's settings on one line, without those that are null, unless all are; "" if it has no settings."""
    pairs = [*zip(comparison["columns"], row["settings"] or [], strict=False)]
    words = [f"{value}" if name in CHOICES else f"{name}={value}" for name, value in pairs if value is not None]
    return one_line(" ".join(words or [f"{name}=null" for name, _ in pairs]))


def draw_table(comparison: Comparison, joined: bool) -> Table:
    """The table. joined: put all settings into a single column that wraps, if there is no room for a column each."""
    table = Table(box=None, padding=(0, 1 if joined else 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    columns, metrics = comparison["columns"], comparison["metrics"]
    for name in ["settings"] if joined or not columns else columns:
        table.add_column(name, overflow="fold", no_wrap=not joined, min_width=12 if joined else None)
    for name in [*map(heading, metrics), "params" if joined else "parameters", "seconds"]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=not joined)
    for place, row in enumerate(comparison["rows"][:LONGEST], 1):
        if row["settings"] is None or not columns:
            values = [row["name"], *[""] * (0 if joined else len(columns) - 1)]
        elif joined:
            values = [label(comparison, row)]
        else:
            values = ["–" if value is None else one_line(str(value)) for value in row["settings"]]
        parameters, seconds = row["parameters"][0], row["seconds"][0]
        table.add_row(
            str(place),
            *map(escape, values),
            *(figure(metric, *row[metric]) for metric in metrics),
            "–" if parameters is None else f"{parameters:,.0f}",
            "–" if seconds is None else (f"{seconds:.1f}" if seconds < 100 else f"{seconds:,.0f}"),
            statuses(row["status"]),
        )
    for column in table.columns:
        if column.overflow != "fold":  # or rich would cut its figures off
            cells = [str(cell) for cell in (column.header, *column.cells)]
            column.min_width = max(map(cell_len, cells if column.no_wrap else " ".join(cells).split()))
    return table


def as_words(common: dict) -> str:
    """The most informative of the settings that all runs share, as on a command line."""
    quiet = ("_target_", "_partial_", "accepts", "kind")
    parts = ("trainer.limit_", "trainer.overfit_batches")  # they leave out a part of the data
    chosen = {key: value for key, value in common.items() if key.startswith(parts) and value not in (1.0, 0.0)}
    chosen |= {key: value for key, value in common.items() if policy(key).report == "first" and not key.endswith(quiet)}
    words = [f"{key.removeprefix('choices.')}={value}" for key, value in chosen.items() if value is not None]
    return one_line(" ".join(words))


def summary(comparison: Comparison) -> str:
    """One line: how many runs and configurations there are, and by which metric they are sorted."""
    rows = comparison["rows"]
    count = sum((row["status"] for row in rows), Counter())
    runs, configurations = how_many(count.total(), "run"), how_many(len(rows), "configuration")
    return one_line(f"{runs} ({statuses(count)}), {configurations}, by {comparison['monitor']}")


def print_comparison(comparison: Comparison, console: Console) -> None:
    rows = comparison["rows"]
    console.print(summary(comparison))
    if words := as_words(comparison["common"]):
        uncut = {"break_on_hyphens": False, "break_long_words": False}
        lines = textwrap.wrap(f"all with {words}", console.width, max_lines=2, placeholder=" …", **uncut)
        console.print("\n".join(lines), style="dim", markup=False)
    wide = draw_table(comparison, joined=False)
    fits = console.measure(wide, options=console.options.update(width=10_000)).maximum <= console.width
    if fits:
        console.print(wide)
    else:
        narrow, width = draw_table(comparison, joined=True), console.width
        # In an even narrower terminal, let the lines wrap: rich would leave out columns.
        console.width = max(width, sum(column.min_width + 1 for column in narrow.columns))
        console.print(narrow)
        console.width = width
    if len(rows) > LONGEST:
        console.print(f"… and {len(rows) - LONGEST} more", style="dim")
    repeats = [run for row in rows for run in row["runs"] if run.repeats]
    for run in repeats[:3]:
        said = f"{run.folder} is not counted: {run.repeats} has the same settings, data and seed"
        console.print(one_line(said), soft_wrap=True, markup=False, highlight=False)
    if repeats[3:]:
        more = len(repeats) - 3
        console.print(f"… and {more} more {agree(more, 'repeats', 'repeat')} another run", style="dim")
    for place, row in enumerate(rows[:3], 1):
        if checkpoint := row["runs"][0].checkpoint:
            console.print(f"{place:2} {one_line(str(checkpoint))}", soft_wrap=True, markup=False, highlight=False)
