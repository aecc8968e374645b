"""Makes the report of runs: prints the table and the verdicts, and writes report.html, .csv, .json, .md and .tex."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from proj.reports.compare import Comparison, compare
from proj.reports.conclusions import conclude, in_doubt, sentences
from proj.reports.other_files import other_files
from proj.reports.out_of_fold import out_of_fold
from proj.reports.page import html_text
from proj.reports.replaced import refuse_other_reports
from proj.reports.runs import Run, find_runs
from proj.reports.table import print_comparison
from proj.system.files import csv_text, write_outputs
from proj.system.names import readable, wrapped
from proj.system.run_folder import SweepFolder, read_flat
from proj.wording import first_of


def runs_as_csv(comparison: Comparison) -> str:
    """A table of all runs as CSV, with every setting and figure of each."""
    monitor, mode = comparison["monitor"], comparison["mode"]
    lines = []
    for place, row in enumerate(comparison["rows"], 1):
        verdict = row["verdict"]
        against = {}
        for name in ("difference", "low", "high", "p"):
            against[f"best_against_this_{name}"] = verdict and getattr(verdict, name)
        for run in row["runs"]:
            first = {
                "place": place,
                "folder": run.folder,
                "status": run.status,
                "repeats": run.repeats,
                "checkpoint": run.checkpoint,
                monitor: run.value(monitor, mode),
                **against,
            }
            rest = run.record | run.metrics | run.config
            lines.append(first | {key: value for key, value in rest.items() if key not in first})
    columns = dict.fromkeys(key for line in lines for key in line)
    return csv_text([columns, *(map(line.get, columns) for line in lines)])


def importances(runs: list[Run]) -> dict[str, Any]:
    """The importance of each setting, as a search wrote it into its folder; {} unless all runs are of one search."""
    parents = {run.folder.parent for run in runs}
    return read_flat(SweepFolder(parents.pop()).importance) if len(parents) == 1 else {}


def report(
    folders: list[Path], output: Path | None = None, title: str = "", resume: Callable[[], str] | None = None
) -> Comparison:
    """Print the table of all runs below `folders` and the conclusions, write the files, and return the comparison.

    output: the folder for the files, or else the first of `folders`. title: of the page. resume: returns the command
    that resumes the sweep of these runs; it is called, and the command printed, if more seeds are needed.
    Raises UserError if a folder is missing or holds no run, or if the files cannot be written, or would replace others.
    """
    runs, output = find_runs(folders), output or folders[0]
    comparison = conclude(compare(runs))
    if resume and in_doubt(comparison):
        comparison["resume"] = resume()
    console = Console()
    print_comparison(comparison, console)
    files, lines = out_of_fold(comparison)
    if damaged := [str(file) for run in runs for file in run.damaged]:
        print(readable(f"not read, since missing, damaged or of another run: {first_of(damaged, 5)}"))
    for line in [*sentences(comparison), *lines]:
        print(wrapped(line, console.width))
    html = html_text(comparison, importances(runs), title or " ".join(map(str, folders)), output)
    # report.csv is the first, so that there is one where a report was stopped while it was written.
    files = {"report.csv": runs_as_csv(comparison), "report.html": html, **other_files(comparison), **files}
    refuse_other_reports(output, [name for name in files if name != "label_issues.csv"])  # evaluate writes that, too
    write_outputs(output, files)
    print(readable(f"{output / 'report.html'} and report.csv, .json, .md, .tex beside it"))
    return comparison
