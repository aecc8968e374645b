"""Writes report.html: a single file that holds its data, style, script and Plotly, and loads nothing else."""

import json
import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from proj.reports.charts import charts
from proj.reports.compare import Comparison
from proj.reports.conclusions import name_of, repetitions, sentences
from proj.reports.parallel import parallel
from proj.reports.scales import text
from proj.reports.table import as_words, figure, heading, statuses, summary
from proj.system.folders import relative


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def table_columns(comparison: Comparison, folder: Path) -> list[tuple[str, list, list[str]]]:
    """For each column of the table: (its heading, the keys by which rows are sorted, the cells as HTML).
    Rows with the key None come last. folder: where the page will lie, for its links."""
    rows = comparison["rows"]
    columns: list[tuple[str, list, list[str]]] = []

    def add(name: str, values: list, shown: Callable[[Any], str] = text) -> None:
        columns.append((name, values, ["–" if value is None else shown(value) for value in values]))

    add("", list(range(1, len(rows) + 1)), lambda place: f"<span class=dot></span>{place}")
    for k, name in enumerate(comparison["columns"]):
        add(name, [row["settings"][k] if row["settings"] else None for row in rows])
    if not comparison["columns"]:
        add("run", [row["name"] for row in rows])
    for name in comparison["metrics"]:
        shown = [figure(name, *row[name]) for row in rows]
        columns.append((heading(name), [row[name][0] for row in rows], shown))
    add("parameters", [row["parameters"][0] for row in rows], "{:,.0f}".format)
    add("time", [row["seconds"][0] for row in rows], duration)
    add("status", [statuses(row["status"]) for row in rows], pill)
    places = [relative(row["runs"][0].checkpoint or row["runs"][0].folder, folder) for row in rows]
    links = [link(relative(row["runs"][0].folder, folder)) for row in rows]
    shown = [f'<small><a href="{to}">{text(place)}</a></small>' for to, place in zip(links, places, strict=True)]
    return [*columns, ("best checkpoint", places, shown)]


def pill(status: str) -> str:
    """A status as HTML, emphasised unless it is "finished"."""
    look = "pill" if status == "finished" else "pill open"
    return f'<span class="{look}">{text(status)}</span>'


def link(folder: str) -> str:
    """A folder as a link. The ./ makes it a path whatever the name; a name that is not UTF-8 is quoted as bytes."""
    if Path(folder).is_absolute():  # it lies on another drive
        return Path(folder).as_uri() + "/"
    return "./" + quote(os.fsencode(Path(folder).as_posix())) + "/"


def table(comparison: Comparison, folder: Path) -> str:
    """The table as HTML. data-key is the key by which a cell is sorted; data-about is the row's tooltip."""
    columns = table_columns(comparison, folder)
    are_numbers = [all(isinstance(key, int | float | None) for key in keys) for _, keys, _ in columns]
    kinds = [" class=number" if one else "" for one in are_numbers]
    heads = "".join(f"<th{kind}>{text(name)}</th>" for kind, (name, _, _) in zip(kinds, columns, strict=True))
    lines = []
    for i, row in enumerate(comparison["rows"]):
        figures = [f"{heading(name)} {figure(name, *row[name])}" for name in comparison["metrics"]]
        about = "\n".join(map(text, [f"{i + 1}. {name_of(comparison, row)}", *figures, statuses(row["status"])]))
        cells = "".join(
            f'<td{kind} data-key="{sorting_key(keys[i])}">{shown[i]}</td>'
            for kind, (_, keys, shown) in zip(kinds, columns, strict=True)
        )
        lines.append(f'<tr class=trace{i} data-about="{about}">{cells}</tr>')
    return f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"


def sorting_key(value: Any) -> str:
    """The key of a cell for page.html: empty for None and NaN, which it sorts to the end."""
    return "" if value is None or value != value else text(value)


def section(chart: dict) -> str:
    """The HTML element in which page.html draws a chart, with its heading."""
    wide = chart.get("wide", 0)
    size = f"height: {chart['layout']['height']}px; min-width: {wide}px"
    heading = f"<h2>{text(chart['title'])} <small>{text(chart['note'])}</small></h2>"
    kind = " class=wide" if wide else ""
    return f'<section{kind}>{heading}<div><div class="plot" style="{size}"></div></div></section>'


def plotly() -> str:
    """Plotly's script, read from its package without importing it: that takes longer than to write the whole report."""
    package = find_spec("plotly")
    return (Path(package.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def html_text(comparison: Comparison, shares: dict[str, Any], title: str, folder: Path) -> str:
    """shares: the importance of each setting of a search, or {}. folder: where the page will lie, for its links."""
    common, rows, drawn = comparison["common"], comparison["rows"], charts(comparison, shares)
    if lines := parallel(comparison):
        drawn.append(lines)
    data = json.dumps(drawn, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": text(title),
        "about": text(f"{summary(comparison)}; mean ± standard deviation ({repetitions(*comparison['rows'])})"),
        "verdicts": "".join(f"<p>{text(line)}</p>" for line in sentences(comparison)),
        "summary": text(f"{len(common)} settings in common: {as_words(common)}"),
        "common": text("   ".join(f"{key}={value}" for key, value in common.items())),
        "colours": "· coloured from the best, green, to the last, orange" if len(rows) > 12 else "",
        "table": table(comparison, folder),
        "charts": "".join(map(section, drawn)),
        "plotly": plotly(),
        "data": data.replace("<", "\\u003c"),
    }
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)
