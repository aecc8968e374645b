"""The examples of a part whose own label a checkpoint's model doubts most."""

from pathlib import Path

from proj.config.command_line import write_output
from proj.reports.label_issues import label_issues
from proj.use.answers import Answers


def write_label_issues(
    answers: Answers, examples: list[str], names: list[str], known: list[str], folder: Path, name: str, seen: bool
) -> None:
    """Write the examples, the one with the most doubtful label first, and print where.

    names, known: see `test_on`. seen: whether the model was trained on these labels.
    """
    shares = (dict(zip([*names, *known[len(names) :]], row, strict=True)) for row in answers.probabilities.tolist())
    labels = [names[target] for target in answers.targets.tolist()]
    file = folder / f"{name.replace('evaluation', 'label_issues')}.csv"
    content, doubtful = label_issues(zip(examples, labels, shares, strict=True))
    write_output(file, content)
    print(f"{file}: {doubtful:,} of {len(labels):,} examples are taken for another class than their label")
    if seen:
        print(
            "The model was trained on these labels and may have learned wrong ones: folds find more (dataset.folds=5)."
        )
