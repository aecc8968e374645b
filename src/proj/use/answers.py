"""What a model says of examples whose classes are known, and the figures that follow from it."""

from pathlib import Path

import torch
from torch import Tensor

from proj.config.monitors import BY_CLASS
from proj.errors import UserError, agree, how_many
from proj.models.logits import decided, trusted
from proj.reports.label_issues import label_issues
from proj.system.files import write_output
from proj.system.ranks import say
from proj.training.calibration import COVERAGE, belong, calibration_error, most_unlikely
from proj.training.threshold import at_threshold


class Answers:
    """What a model says of N examples.

    logits: (N, C), as the training has them. targets: (N,) the right classes. names: that the data has for the
    model's classes, in their order; class_names: the model's own. calibration: what `trusted` makes of the logits;
    costs: see `decided`. confidence: (N,) the probability of the class `predicted`.
    """

    def __init__(
        self,
        logits: Tensor,
        targets: Tensor,
        names: list[str],
        class_names: list[str],
        calibration: tuple[float, float],
        costs: Tensor | None = None,
    ) -> None:
        self.logits, self.targets, self.names, self.class_names = logits, targets, names, class_names
        self.temperature, _ = calibration
        self.probabilities = trusted(logits.double(), *calibration).softmax(1)
        self.predicted = logits.argmax(1) if costs is None else decided(self.probabilities, costs)
        self.confidence = self.probabilities.gather(1, self.predicted[:, None]).flatten()
        self.right = self.predicted == targets

    def worst(self, count: int) -> list[int]:
        """The places of the most confident mistakes, the worst first."""
        mistakes = (~self.right).nonzero().flatten()
        return mistakes[self.confidence[mistakes].argsort(descending=True)][:count].tolist()

    def to_example(self, place: int) -> dict[str, str | float]:
        """The answer to one example, beside its right class."""
        return {
            "right": self.names[self.targets[place]],
            "predicted": self.class_names[self.predicted[place]],
            "probability": self.confidence[place].item(),
        }


def figures(results: dict[str, float], answers: Answers, contents: dict, coverage: float) -> dict:
    """The figures of evaluation.json, the confusion as a tensor.

    results: of Lightning's test. contents: the checkpoint's. coverage: see `sets`.
    """
    targets, size = answers.targets, answers.logits.shape[1]
    cells = torch.bincount(targets * size + answers.predicted, minlength=size**2)
    confusion = cells.view(size, size)  # a row for each right class
    top3 = answers.logits.topk(min(3, size)).indices
    return {
        **{name: results[f"test/{name}"] for name in ("loss", "acc", *BY_CLASS) if f"test/{name}" in results},
        "top3_acc": (top3 == targets[:, None]).any(1).float().mean().item(),
        "calibration_error": calibration_error(answers.probabilities, targets),
        "calibration_error_before": calibration_error(answers.logits.softmax(1), targets),
        "acc_per_class": {
            name: (row[place] / row.sum()).item() if row.sum() else None
            for place, (name, row) in enumerate(zip(answers.names, confusion, strict=True))
        },
        "confusion": confusion,
        "temperature": answers.temperature,
        "coverage": sets(answers, contents, coverage),
        "threshold": with_threshold(answers, contents),
    }


def with_threshold(answers: Answers, contents: dict) -> dict | None:
    """The threshold that a checkpoint holds, and the figures of the test part at it; None where it holds none."""
    threshold = contents.get("calibration", {}).get("threshold")
    if not threshold:
        return None
    kept = {name: threshold[name] for name in ("asked", "class", "probability") if name in threshold}
    return kept | at_threshold(threshold, answers.class_names, answers.predicted, answers.targets)


def sets(answers: Answers, contents: dict, coverage: float) -> dict[str, float] | None:
    """How often the sets of classes hold the right one, how many classes they hold, and how many are not of one class;
    None where the checkpoint cannot say it.

    coverage: the one that is asked for, which `evaluate` refuses where the checkpoint cannot say it; 0 for COVERAGE.
    """
    asked = coverage or COVERAGE
    try:
        members = belong(answers.probabilities, most_unlikely(contents, asked))
    except UserError:
        return None
    sizes = members.sum(1)
    return {
        "asked": asked,
        "measured": members.gather(1, answers.targets[:, None]).double().mean().item(),
        "classes": sizes.double().mean().item(),
        "unsure": (sizes != 1).double().mean().item(),
    }


def write_label_issues(answers: Answers, data, part: str, folder: Path, name: str) -> None:
    """Write the examples of a part of the data, the one with the most doubtful label first, and print where."""
    examples = [data.example(part, place) for place in range(len(answers.targets))]
    shares = (dict(zip(answers.names, row, strict=True)) for row in answers.probabilities.tolist())
    labels = [answers.names[target] for target in answers.targets.tolist()]
    file = folder / f"{name.replace('evaluation', 'label_issues', 1)}.csv"
    content, doubtful = label_issues(zip(examples, labels, shares, strict=True))
    write_output(file, content)
    are, their = agree(doubtful, "is", "are"), agree(doubtful, "its", "their")
    say(f"{file}: {doubtful:,} of {how_many(len(labels), 'example')} {are} taken for another class than {their} label")
    if part == "train":
        say("The model was trained on these labels and may have learned wrong ones: folds find more (dataset.folds=5).")
