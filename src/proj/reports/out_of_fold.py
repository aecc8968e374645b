"""Collects out-of-fold predictions: those of each example by the run that was not trained on it."""

import csv
from itertools import chain

from proj.reports.compare import Comparison, Row, counted
from proj.reports.conclusions import name_of
from proj.reports.label_issues import label_issues
from proj.reports.runs import Run
from proj.system.files import csv_text
from proj.system.run_folder import RunFolder
from proj.wording import how_many, share

Predictions = list[dict[str, str]]  # the rows of a fold.csv


def complete_seeds(row: Row) -> list[list[tuple[Run, Predictions]]]:
    """For each seed of which all folds are finished, its runs in the order of the folds, with their predictions. A seed
    is left out if one of its fold.csv repeats an example of another one, of which it is a copy."""
    seeds: dict[str, dict[int, tuple[Run, Predictions]]] = {}
    for run in counted(row["runs"]):
        if run.fold is not None and run.status == "finished" and (lines := read_fold(run)):
            seeds.setdefault(str(run.seed), {})[run.fold] = run, lines
    in_order = [[folds[fold] for fold in sorted(folds)] for _, folds in sorted(seeds.items())]
    return [runs for runs in in_order if len(runs) == runs[0][0].folds and not repeats(runs)]


def repeats(runs: list[tuple[Run, Predictions]]) -> bool:
    """Whether an example is in two of a seed's folds; `damaged` of the second one's run then has its fold.csv."""
    seen: set[str] = set()
    for run, lines in runs:
        examples = {line["example"] for line in lines}
        if seen & examples:
            run.damaged.append(RunFolder(run.folder).fold)
            return True
        seen |= examples
    return False


def read_fold(run: Run) -> Predictions:
    """The predictions of a run on a fold. Empty if fold.csv is missing or damaged, which `run.damaged` then says."""
    file = RunFolder(run.folder).fold
    try:
        with open(file, newline="", encoding="utf-8", errors="surrogateescape") as text:
            lines = list(csv.DictReader(text, strict=True))
        if lines and all(map(is_whole, lines)):
            return lines
    except (OSError, ValueError, csv.Error):
        pass
    run.damaged.append(file)
    return []


def is_whole(line: dict) -> bool:
    """Whether a row has all of its cells. Raises ValueError for a probability that is no number."""
    named = {"example", "class", "predicted"} <= line.keys() and None not in (*line, *line.values())
    return named and len(shares_of(line)) > 1


def shares_of(line: dict[str, str]) -> dict[str, float]:
    """The probability of each class."""
    return {name[2:-1]: float(share) for name, share in line.items() if name.startswith("p(")}  # p(<class>)


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
    for run, lines in chain.from_iterable(seeds):
        table = table or [["seed", "fold", *lines[0]]]
        has_threshold = has_threshold and "at threshold" in lines[0]
        for line in lines:
            table.append([run.seed, run.fold, *line.values()])
            answers.append((line["example"], line["class"], shares_of(line)))
            right += line["predicted"] == line["class"]
            right_at_threshold += line.get("at threshold") == line["class"]
    count = len(answers)
    issues, said = label_issues(answers)
    by = f", {len(seeds)} seeds" if len(seeds) > 1 else ""
    accuracy = f"{share(right / count)} of {how_many(count // len(seeds), 'example')}"
    if has_threshold:
        accuracy += f", {share(right_at_threshold / count)} at the threshold"
    accuracy = accuracy.replace("%", " %")
    return {"out_of_fold.csv": csv_text(table), "label_issues.csv": issues}, [
        f"out-of-fold accuracy of {name_of(comparison, row)}: {accuracy}{by} (out_of_fold.csv)",
        f"{said}: look at the first ones of label_issues.csv, whose labels may be wrong",
    ]
