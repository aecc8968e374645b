"""The report of runs: the table in the terminal, report.csv and report.html."""

import csv
import io
import json
import math
import os
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proj.config.command_line import writing
from proj.config.settings import policy
from proj.reports.compare import compare
from proj.reports.runs import find_runs
from proj.system.files import write_atomically

LONGEST = 30  # rows in the terminal; the files have them all
POINTS = 120  # of a curve in report.html; of a longer one, neighbours are averaged
CHOICES = ("dataset", "model", "optimizer", "scheduler", "preset")  # their values need no name


def figure(metric: str, mean: float | None, deviation: float | None, n: int) -> str:
    """mean ± deviation (n), an accuracy in per cent."""
    scale, digits = (100, ".2f") if "acc" in metric else (1, ".4f")
    if mean is None:
        return "–"
    return f"{mean * scale:{digits}}" + (f" ± {deviation * scale:{digits}} ({n})" if deviation is not None else "")


def statuses(count: Counter) -> str:
    return next(iter(count)) if len(count) == 1 else ", ".join(f"{n} {status}" for status, n in count.items())


def draw_table(comparison: dict, joined: bool) -> Table:
    """joined: the settings as words in one column that wraps, where there is no room for a column each."""
    table = Table(box=None, padding=(0, 1 if joined else 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    columns, metrics = comparison["columns"], comparison["metrics"]
    for name in ["settings"] if joined or not columns else columns:
        table.add_column(name, overflow="fold", no_wrap=not joined)
    for name in [
        *(metric + " %" * ("acc" in metric) for metric in metrics),
        "params" if joined else "parameters",
        "seconds",
    ]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=not joined)
    for place, row in enumerate(comparison["rows"][:LONGEST], 1):
        values = ["–" if value is None else str(value) for value in row["settings"] or []]
        if row["settings"] is None or not columns:
            values = [row["name"], *[""] * (0 if joined else len(columns) - 1)]
        elif joined:
            pairs = [(name, value) for name, value in zip(columns, values, strict=True) if value != "–"]
            values = [" ".join(value if name in CHOICES else f"{name}={value}" for name, value in pairs) or "–"]
        parameters, seconds = row["parameters"][0], row["seconds"][0]
        table.add_row(
            str(place),
            *map(escape, values),
            *(figure(metric, *row[metric]) for metric in metrics),
            "–" if parameters is None else f"{parameters:,.0f}",
            "–" if seconds is None else f"{seconds:,.{1 if seconds < 100 else 0}f}",
            statuses(row["status"]),
        )
    return table


def as_words(common: dict) -> str:
    """Of the settings that all runs share, those that tell most, as words of a command line."""
    quiet = ("_target_", "_partial_", "accepts", "kind")
    parts = ("trainer.limit_", "trainer.overfit_batches")  # what was left out of the data
    chosen = {key: value for key, value in common.items() if key.startswith(parts) and value not in (1.0, 0.0)}
    chosen |= {key: value for key, value in common.items() if policy(key).report == "first" and not key.endswith(quiet)}
    return " ".join(f"{key.removeprefix('choices.')}={value}" for key, value in chosen.items() if value is not None)


def print_comparison(comparison: dict, console: Console) -> None:
    rows = comparison["rows"]
    count = sum((row["status"] for row in rows), Counter())
    runs, kinds = (f"{n} {name}{'s' * (n != 1)}" for n, name in ((count.total(), "run"), (len(rows), "configuration")))
    console.print(f"{runs} ({statuses(count)}), {kinds}, by {comparison['monitor']}")
    if words := as_words(comparison["common"]):
        lines = textwrap.wrap(f"all with {words}", console.width, max_lines=2, placeholder=" …", break_on_hyphens=False)
        console.print("\n".join(lines), style="dim", markup=False)
    wide = draw_table(comparison, joined=False)
    fits = console.measure(wide, options=console.options.update(width=10_000)).maximum <= console.width
    console.print(wide if fits else draw_table(comparison, joined=True))
    if len(rows) > LONGEST:
        console.print(f"… and {len(rows) - LONGEST} more", style="dim")
    repeats = [run for row in rows for run in row["runs"] if run.repeats]
    for run in repeats[:3]:
        said = f"{run.folder} has the settings, data and seed of {run.repeats}, and does not count beside it"
        console.print(said, soft_wrap=True, markup=False, highlight=False)
    if repeats[3:]:
        console.print(f"… nor do {len(repeats) - 3} more that repeat a run", style="dim")
    for place, row in enumerate(rows[:3], 1):
        if checkpoint := row["runs"][0].checkpoint:
            console.print(f"{place:2} {checkpoint}", soft_wrap=True, markup=False, highlight=False)


def csv_text(comparison: dict) -> str:
    monitor, mode = comparison["monitor"], comparison["mode"]
    lines = []
    for place, row in enumerate(comparison["rows"], 1):
        for run in row["runs"]:
            first = {"place": place, "folder": run.folder, "status": run.status, "repeats": run.repeats}
            first["checkpoint"] = run.checkpoint
            first[monitor] = run.value(monitor, mode)
            lines.append(first | run.facts | run.metrics | run.config | first)  # the first's order, and its values
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def number(value: float | None, digits: int = 10) -> float | None:
    """What JSON can hold."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")


def thin(points: list[tuple[float, float]]) -> list[list[float | None]]:
    """[xs, ys] of at most POINTS points, each the mean of its neighbours."""
    size = -(-len(points) // POINTS)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [[number(sum(point[axis] for point in part) / len(part), 5) for part in parts] for axis in (0, 1)]


def html_text(comparison: dict, title: str, folder: Path) -> str:
    """One file with its data, style and script, that opens anywhere and loads nothing."""
    rows = []
    for row in comparison["rows"]:
        spreads = {name: list(map(number, figures)) for name, figures in row.items() if isinstance(figures, tuple)}
        runs = [
            {
                "folder": os.path.relpath(run.folder, folder),
                "checkpoint": run.checkpoint and os.path.relpath(run.checkpoint, folder),
                "status": run.status,
                "seed": run.config.get("seed"),
                "value": number(run.value(comparison["monitor"], comparison["mode"])),
                "seconds": number(run.value("seconds", "min")),
                "curves": {tag: thin(points) for tag, points in run.curves.items()},
            }
            for run in row["runs"]
            if not run.repeats
        ]
        rows.append(row | spreads | {"runs": runs})
    data = comparison | {"title": title, "told": as_words(comparison["common"]), "rows": rows}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Path(__file__).with_suffix(".html").read_text(encoding="utf-8").replace("{{data}}", text)


def report(folders: list[Path], output: Path | None = None, title: str = "") -> dict[str, Any]:
    """Print the table of all runs below `folders`, write report.csv and report.html; return `compare`'s rows.

    Raises UserError for a folder that is not there or holds no run, and where the files cannot be written.
    """
    comparison, output = compare(find_runs(folders)), output or folders[0]
    print_comparison(comparison, Console())
    html = html_text(comparison, title or " ".join(map(str, folders)), output)
    for name, text in {"report.csv": csv_text(comparison), "report.html": html}.items():
        with writing(output / name):
            write_atomically(output / name, text)
    print(f"{output / 'report.html'}\n{output / 'report.csv'}")
    return comparison
