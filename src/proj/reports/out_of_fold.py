"""The out-of-fold predictions of a comparison: what is said of each example by the run that was not trained on it."""

import csv
from itertools import chain
from pathlib import Path

from proj.config.command_line import write_output
from proj.errors import how_many
from proj.reports.compare import Comparison, Row, counted
from proj.reports.conclusions import name_of
from proj.reports.label_issues import label_issues
from proj.reports.runs import Run
from proj.system.files import csv_text
from proj.system.run_folder import RunFolder


def complete_seeds(row: Row) -> list[list[Run]]:
    """The runs of each seed of which all folds are finished, in the folds' order."""
    seeds: dict[str, dict[int, Run]] = {}
    for run in counted(row["runs"]):
        if run.fold is not None and run.status == "finished" and RunFolder(run.folder).fold.is_file():
            seeds.setdefault(str(run.seed), {})[run.fold] = run
    whole = [folds for _, folds in sorted(seeds.items()) if len(folds) == folds[min(folds)].folds]
    return [[folds[fold] for fold in sorted(folds)] for folds in whole]


def write_out_of_fold(comparison: Comparison, folder: Path) -> list[str]:
    """Write out_of_fold.csv and label_issues.csv, of the best row with all folds; return what is to be said."""
    for row in comparison["rows"]:
        if seeds := complete_seeds(row):
            break
    else:
        return []
    table, right, decided, count, answers = [], 0, [], 0, []
    for run in chain.from_iterable(seeds):
        with open(RunFolder(run.folder).fold, newline="", encoding="utf-8", errors="surrogateescape") as file:
            names, *lines = csv.reader(file)
        table = table or [["seed", "fold", *names]]
        table += ([run.seed, run.fold, *line] for line in lines)
        classes = [name[2:-1] for name in names[4:] if name.startswith("p(")]  # p(<class>)
        shares = slice(4, 4 + len(classes))
        answers += [(line[0], line[1], dict(zip(classes, map(float, line[shares]), strict=True))) for line in lines]
        decided += [line[1] == line[-1] for line in lines if names[-1] == "at threshold"]
        right, count = right + sum(line[1] == line[2] for line in lines), count + len(lines)
    issues, doubtful = label_issues(answers)
    write_output(folder / "out_of_fold.csv", csv_text(table))
    write_output(folder / "label_issues.csv", issues)
    are = "is" if doubtful == 1 else "are"
    by = f", {len(seeds)} seeds" if len(seeds) > 1 else ""
    accuracy = f"{right / count:.2%} of {count // len(seeds):,} examples".replace("%", " %")
    if len(decided) == count:
        accuracy += f", {sum(decided) / count:.2%} at the threshold".replace("%", " %")
    return [
        f"out-of-fold accuracy of {name_of(comparison, row)}: {accuracy}{by} (out_of_fold.csv)",
        f"{how_many(doubtful, 'example')} {are} taken for another class than their label: look at the first ones of "
        "label_issues.csv, whose labels may be wrong",
    ]
