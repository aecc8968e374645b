"""Writes a comparison for other uses: report.json for scripts, report.md and report.tex to paste into a paper."""

import json
import re
from typing import Any

from proj.reports.compare import Comparison
from proj.reports.conclusions import figures_on_test, sentences, values_by_seed
from proj.reports.scales import number
from proj.reports.table import figure, heading, statuses, written
from proj.reports.verdicts import LEVEL
from proj.system.names import one_line


def json_text(comparison: Comparison) -> str:
    """All rows as JSON, with their settings, values by seed, verdicts and intervals; NaN and infinity become null."""
    columns, metrics, mode = comparison["columns"], comparison["metrics"], comparison["mode"]
    rows = []
    for place, row in enumerate(comparison["rows"], 1):
        figures = {}
        for metric in metrics:
            mean, deviation, n = row[metric]
            by_seed = {str(seed): value for seed, value in values_by_seed(row, metric, mode).items()}
            figures[metric] = {"mean": mean, "deviation": deviation, "n": n, "by_seed": by_seed}
        verdict = row["verdict"]
        rows.append(
            {
                "place": place,
                "name": row["name"],
                "settings": dict(zip(columns, row["settings"], strict=True)) if row["settings"] else None,
                **figures,
                "parameters": row["parameters"][0],
                "seconds": row["seconds"][0],
                "status": dict(row["status"]),
                "folders": [str(run.folder) for run in row["runs"]],
                "test": figures_on_test(comparison, row),
                "verdict": verdict and {**vars(verdict), "told": verdict.is_significant, "level": LEVEL},
            }
        )
    whole = {
        "monitor": comparison["monitor"],
        "mode": mode,
        "common": comparison["common"],
        "sentences": sentences(comparison),
        "rows": rows,
    }
    return json.dumps(for_json(whole), indent=2, ensure_ascii=False) + "\n"


def for_json(value: Any) -> Any:
    """The value with NaN and infinity as None, and with anything that JSON has no type for as text."""
    if isinstance(value, dict):
        return {str(key): for_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(one) for one in value]
    if isinstance(value, float):
        return number(value, 17)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def table_rows(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """(The headings, the cells of each row) of the table for a paper."""
    columns, metrics, monitor = comparison["columns"], comparison["metrics"], comparison["monitor"]
    names = [*(columns or ["run"]), *map(heading, metrics), "parameters", "behind the best", "p"]
    lines = []
    for row in comparison["rows"]:
        values = row["settings"] if row["settings"] and columns else [row["name"]] + [None] * (len(columns) - 1)
        cells = ["–" if value is None else str(value) for value in values]
        cells += [figure(metric, *row[metric]) for metric in metrics]
        cells.append("–" if row["parameters"][0] is None else f"{row['parameters'][0]:,.0f}")
        verdict, difference, p = row["verdict"], "–", "–"
        if verdict:
            low, high = written(verdict.low, monitor), written(verdict.high, monitor)
            difference = f"{written(verdict.difference, monitor)} [{low}, {high}]"
            p = "< 0.001" if verdict.p < 0.001 else f"{verdict.p:.2g}"
        if row["status"].keys() != {"finished"}:
            cells[0] += f" ({statuses(row['status'])})"
        lines.append([*cells, difference, p])
    return names, lines


def markdown_text(comparison: Comparison) -> str:
    def line(cells: list[str]) -> str:
        shown = [re.sub(r"([\\|<>*_`\[\]$~&])", r"\\\1", one_line(" ".join(cell.split()))) for cell in cells]
        return "| " + " | ".join(shown) + " |"

    names, rows = table_rows(comparison)
    first = len(comparison["columns"]) or 1
    rule = "| " + " | ".join(["---"] * first + ["---:"] * (len(names) - first)) + " |"
    return "\n".join([line(names), rule, *map(line, rows)]) + "\n"


SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--"}
SPECIAL |= {"<": "$<$", ">": "$>$", "−": "$-$"} | {sign: "\\" + sign for sign in "&%$#_{}"}


def latex_text(comparison: Comparison) -> str:
    r"""A `tabular` that needs \usepackage{booktabs}."""

    def line(cells: list[str]) -> str:
        texts = ["".join(SPECIAL.get(sign, sign) for sign in one_line(" ".join(cell.split()))) for cell in cells]
        if texts[0].startswith("["):  # in braces, or LaTeX would read it as an argument of the \\\\ in the line before
            texts[0] = f"{{{texts[0]}}}"
        return "  " + " & ".join(texts) + r" \\"

    names, rows = table_rows(comparison)
    first = len(comparison["columns"]) or 1
    kinds = "l" * first + "r" * (len(names) - first)
    head = [rf"\begin{{tabular}}{{{kinds}}}", r"  \toprule", line(names), r"  \midrule"]
    return "\n".join([*head, *map(line, rows), r"  \bottomrule", r"\end{tabular}"]) + "\n"


def other_files(comparison: Comparison) -> dict[str, str]:
    """The contents of the files by their names."""
    texts = {"json": json_text, "md": markdown_text, "tex": latex_text}
    return {f"report.{end}": write(comparison) for end, write in texts.items()}
