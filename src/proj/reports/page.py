"""report.html: one file with its data, style, script and Plotly, that opens anywhere and loads nothing."""

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
from proj.reports.conclusions import repetitions, sentences
from proj.reports.parallel import parallel
from proj.reports.scales import text
from proj.reports.table import as_words, figure, heading, label, statuses, summary


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def table_columns(comparison: Comparison, folder: Path) -> list[tuple[str, list, list[str]]]:
    """Of each column its name, what it is sorted by (None: at the end), and what it shows, as HTML."""
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
    look = "pill" if status == "finished" else "pill open"
    return f'<span class="{look}">{text(status)}</span>'


def relative(path: Path, folder: Path) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # on another of Windows's drives
        return str(path.absolute())


def link(folder: str) -> str:
    """With ./ before it, a link is a file's, whatever the folder is called; a name may be no UTF-8."""
    return "./" + quote(os.fsencode(Path(folder).as_posix())) + "/"


def table(comparison: Comparison, folder: Path) -> str:
    """The table in HTML. data-key: what a cell is sorted by; data-about: what the pointer tells."""
    columns = table_columns(comparison, folder)
    are_numbers = [all(isinstance(key, int | float | None) for key in keys) for _, keys, _ in columns]
    kinds = [" class=number" if one else "" for one in are_numbers]
    heads = "".join(f"<th{kind}>{text(name)}</th>" for kind, (name, _, _) in zip(kinds, columns, strict=True))
    lines = []
    for i, row in enumerate(comparison["rows"]):
        figures = [f"{heading(name)} {figure(name, *row[name])}" for name in comparison["metrics"]]
        about = "\n".join(
            map(text, [f"{i + 1}. {label(comparison, row) or row['name']}", *figures, statuses(row["status"])])
        )
        cells = "".join(
            f'<td{kind} data-key="{sorting_key(keys[i])}">{shown[i]}</td>'
            for kind, (_, keys, shown) in zip(kinds, columns, strict=True)
        )
        lines.append(f'<tr class=trace{i} data-about="{about}">{cells}</tr>')
    return f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"


def sorting_key(value: Any) -> str:
    """What a cell is sorted by, as page.html reads it: empty for none and for NaN, which come last."""
    return "" if value is None or value != value else text(value)


def section(chart: dict) -> str:
    """The place where a chart will be drawn, with its heading."""
    wide = chart.get("wide", 0)
    size = f"height: {chart['layout']['height']}px; min-width: {wide}px"
    heading = f"<h2>{text(chart['title'])} <small>{text(chart['note'])}</small></h2>"
    kind = " class=wide" if wide else ""
    return f'<section{kind}>{heading}<div><div class="plot" style="{size}"></div></div></section>'


def plotly() -> str:
    """Plotly's script, out of its package, which takes longer to import than the whole report to write."""
    package = find_spec("plotly")
    return (Path(package.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def html_text(comparison: Comparison, shares: dict[str, Any], title: str, folder: Path) -> str:
    """shares: of a search, the importance of each setting. folder: where the page will lie, for its links."""
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
