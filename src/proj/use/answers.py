"""A model's answers to examples whose classes are known, and the figures computed from them."""

from pathlib import Path

from torch import Tensor

from proj.config.monitors import BY_CLASS
from proj.errors import UserError
from proj.models.logits import UNCALIBRATED
from proj.models.metrics import accuracy_per_class, confusion_of
from proj.reports.label_issues import label_issues
from proj.system.files import write_output
from proj.system.ranks import say
from proj.system.run_folder import RunFolder, read_flat
from proj.training.calibration import COVERAGE, calibration_error, in_prediction_set, prediction_set_limit
from proj.training.results import answers_of
from proj.training.threshold import at_threshold


class Answers:
    """A model's answers to N examples of C classes.

    logits: (N, C), without calibration, as in the training. targets: (N,), the indices of the right classes.
    contents: the description in the checkpoint, which has the model's names of its classes and its calibration.
    names: the data's names of the same classes, in the same order.
    From these follow probabilities (N, C), calibrated, in float64; predicted (N,), the indices of the classes that the
    model chose; confidence (N,), the probabilities of those; and right (N,), whether they are the right ones.
    """

    def __init__(self, logits: Tensor, targets: Tensor, names: list[str], contents: dict) -> None:
        self.logits, self.targets, self.names, self.contents = logits, targets, names, contents
        self.class_names, self.calibration = contents["class_names"], contents.get("calibration", UNCALIBRATED)
        self.probabilities, self.predicted = answers_of(logits.double(), self.calibration)
        self.confidence = self.probabilities.gather(1, self.predicted[:, None]).flatten()
        self.right = self.predicted == targets

    def worst(self, count: int) -> list[int]:
        """The indices of the `count` most confident mistakes, or fewer if there are not so many, the worst first."""
        mistakes = (~self.right).nonzero().flatten()
        return mistakes[self.confidence[mistakes].argsort(descending=True)][:count].tolist()

    def to_example(self, place: int) -> dict[str, str | float]:
        """The right class of the example at index `place`, the predicted one, and the probability of the latter."""
        return {
            "right": self.names[self.targets[place]],
            "predicted": self.class_names[self.predicted[place]],
            "probability": self.confidence[place].item(),
        }


def figures(results: dict[str, float], answers: Answers, coverage: float, weights: Tensor | float) -> dict:
    """The figures of evaluation.json; the confusion matrix is still a tensor (C, C).
    results: of Lightning's test. coverage: see `figures_of_sets`. weights: (N,), with which the examples count in the
    calibration error."""
    targets, size = answers.targets, answers.logits.shape[1]
    confusion = confusion_of(targets, answers.predicted, size)
    top3 = answers.logits.topk(min(3, size)).indices
    return {
        **{name: results[f"test/{name}"] for name in ("loss", "acc", *BY_CLASS) if f"test/{name}" in results},
        "top3_acc": (top3 == targets[:, None]).any(1).float().mean().item(),
        "calibration_error": calibration_error(answers.probabilities, targets, weights),
        "calibration_error_before": calibration_error(answers.logits.softmax(1), targets, weights),
        "acc_per_class": accuracy_per_class(confusion, answers.names),
        "confusion": confusion,
        "temperature": answers.calibration["temperature"],
        "coverage": figures_of_sets(answers, coverage),
        "threshold": figures_at_threshold(answers),
    }


def another_loss(path: Path, loss: float) -> str:
    """A warning if the test loss of a run's best checkpoint differs from the training's by more than other processors
    and precisions make it differ: code of the user's own may have changed, which no checkpoint holds. Else ""."""
    run = RunFolder(path.parent)
    measured = read_flat(run.metrics) if path.name == run.best.name else {}
    before = None if measured.get("test_examples_left_out") else measured.get("test/loss")
    if not isinstance(before, float) or abs(loss - before) <= 0.01 * abs(before):
        return ""
    changed = "the code, the checkpoint or the data has changed since"
    return f"Note: the training measured a test loss of {before:.4f}, and this is {loss:.4f}: {changed}."


def figures_at_threshold(answers: Answers) -> dict | None:
    """The threshold that a checkpoint holds, with the figures of the decisions that it makes; None without one."""
    if not (threshold := answers.calibration.get("threshold")):
        return None
    kept = {name: threshold[name] for name in ("asked", "class", "probability") if name in threshold}
    return kept | at_threshold(threshold, answers.class_names, answers.predicted, answers.targets)


def figures_of_sets(answers: Answers, coverage: float) -> dict[str, float] | None:
    """Figures of the prediction sets, of which a share `coverage` should hold the right class: the share that does
    ("measured"), their mean number of classes, and the share that are "unsure", that is, not of exactly one class.

    None if the checkpoint lacks the scores that sets need; `evaluate` has raised the error if the user asked for sets.
    coverage: 0 stands for the default, COVERAGE.
    """
    asked = coverage or COVERAGE
    try:
        members = in_prediction_set(answers.probabilities, prediction_set_limit(answers.contents, asked))
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
    """Write the examples of a part of the data into a CSV file, the most doubtful label first, and print its path."""
    examples = [data.example(part, place) for place in range(len(answers.targets))]
    shares = (dict(zip(answers.names, row, strict=True)) for row in answers.probabilities.tolist())
    labels = [answers.names[target] for target in answers.targets.tolist()]
    file = folder / f"{name.replace('evaluation', 'label_issues', 1)}.csv"
    content, said = label_issues(zip(examples, labels, shares, strict=True))
    write_output(file, content)
    say(f"{file}: {said}")
    if part == "train":
        say("The model may have learned wrong labels, being trained on them: cross-validation finds more.")
