"""Collects out-of-fold predictions: those of each example by the run that was not trained on it."""

import csv
from itertools import chain

from proj.errors import agree, how_many
from proj.reports.compare import Comparison, Row, counted
from proj.reports.conclusions import name_of
from proj.reports.label_issues import label_issues
from proj.reports.runs import Run
from proj.system.files import csv_text
from proj.system.run_folder import RunFolder


def complete_seeds(row: Row) -> list[list[Run]]:
    """For each seed of which all folds are finished, its runs in the order of the folds."""
    seeds: dict[str, dict[int, Run]] = {}
    for run in counted(row["runs"]):
        if run.fold is not None and run.status == "finished" and RunFolder(run.folder).fold.is_file():
            seeds.setdefault(str(run.seed), {})[run.fold] = run
    in_order = [[run for _, run in sorted(folds.items())] for _, folds in sorted(seeds.items())]
    return [runs for runs in in_order if len(runs) == runs[0].folds]


def out_of_fold(comparison: Comparison) -> tuple[dict[str, str], list[str]]:
    """(The contents of out_of_fold.csv and label_issues.csv, lines to print) for the best of the rows with a seed of
    which all folds are finished; ({}, []) if there is none."""
    for row in comparison["rows"]:
        if seeds := complete_seeds(row):
            break
    else:
        return {}, []
    table, answers = [], []
    right = right_at_threshold = 0
    has_threshold = True
    for run in chain.from_iterable(seeds):
        with open(RunFolder(run.folder).fold, newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.DictReader(file)
            names, lines = list(rows.fieldnames), list(rows)
        table = table or [["seed", "fold", *names]]
        probabilities = {name: name[2:-1] for name in names if name.startswith("p(")}  # p(<class>)
        has_threshold = has_threshold and "at threshold" in names
        for line in lines:
            table.append([run.seed, run.fold, *line.values()])
            shares = {label: float(line[name]) for name, label in probabilities.items()}
            answers.append((line["example"], line["class"], shares))
            right += line["predicted"] == line["class"]
            right_at_threshold += line.get("at threshold") == line["class"]
    count = len(answers)
    issues, doubtful = label_issues(answers)
    are = agree(doubtful, "is", "are")
    by = f", {len(seeds)} seeds" if len(seeds) > 1 else ""
    accuracy = f"{right / count:.2%} of {count // len(seeds):,} examples".replace("%", " %")
    if has_threshold:
        accuracy += f", {right_at_threshold / count:.2%} at the threshold".replace("%", " %")
    return {"out_of_fold.csv": csv_text(table), "label_issues.csv": issues}, [
        f"out-of-fold accuracy of {name_of(comparison, row)}: {accuracy}{by} (out_of_fold.csv)",
        f"{how_many(doubtful, 'example')} {are} predicted as another class than labelled: look at the first ones "
        "of label_issues.csv, whose labels may be wrong",
    ]
