"""Measures a checkpoint's model on data: its accuracy and other figures, confusion matrix, most confident mistakes."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from proj.checkpoint import file as checkpoints
from proj.data.facts import Facts
from proj.data.loaded import refuse_other_order
from proj.errors import UserError, choose
from proj.models.balance import note_on_equal_sizes, single_answer, weights_to_equal_sizes
from proj.models.logits import augmented_logits
from proj.models.measuring import run_test
from proj.pictures import drawing, plots
from proj.pictures.confusion import confusion_matrix
from proj.system.files import csv_of, csv_text, refuse_unwritable, write_outputs, writing
from proj.system.names import readable
from proj.system.ranks import is_terminal, say
from proj.system.shell import local_path
from proj.training.calibration import prediction_set_limit
from proj.training.library_defaults import quiet_lightning
from proj.training.precision import set_precision
from proj.use.answers import Answers, another_loss, figures, write_label_issues
from proj.use.data import is_other, note_seen, open_data, test_on
from proj.use.evaluation_table import print_evaluation
from proj.use.heat_map import heat_map
from proj.use.importance import columns_that_matter, print_importance
from proj.use.places import name_of_files, refuse_among_data
from proj.wording import share

SHOWN = 30  # the most mistakes, and the most columns, in a picture
LISTED = 1000  # the most classes with which evaluation.json holds the confusion matrix


def classify(model, data, contents: dict, names: list[str], tta: bool) -> tuple[dict[str, float], Answers]:
    """Run Lightning's test on the test part; return (its results, as at the end of a training; the model's answers).

    contents: the description in the checkpoint. names: the data's names of the model's classes, see `test_on`.
    tta: average the logits over small changes of each image, see `augmented_logits`.
    """
    quiet_lightning()
    calibration = model.temperature, model.smoothing
    model.temperature, model.smoothing = 1.0, 0.0  # not calibrated, so that the loss is the training's
    kept = list[tuple[Tensor, Tensor]]()  # the logits and labels of each batch
    count = model.count_batch

    def count_and_keep(split: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        count(split, loss, logits, labels)
        if split == "test":
            kept.append((logits.float().cpu(), labels))

    model.count_batch = count_and_keep
    if tta:
        mirror = contents["config"]["dataset"].get("flip", getattr(data, "flip", False))
        plain = model.forward
        model.forward = lambda x: augmented_logits(plain, x, mirror)
    precision, _ = set_precision(contents["config"]["trainer"]["precision"], model, "auto")
    turned_off = dict.fromkeys(("logger", "enable_checkpointing", "enable_model_summary"), False)
    trainer = Trainer(devices=1, precision=precision, enable_progress_bar=is_terminal(sys.stdout), **turned_off)
    results = run_test(trainer, model, data)
    del model.count_batch
    if not kept:
        raise UserError(f"{type(model).__name__} only logs its test: its test_step must call that of super().")
    logits, labels = (torch.cat(parts) for parts in zip(*kept, strict=True))
    refuse_other_order(data, "test", [labels])
    if tta:
        model.forward = plain
    model.temperature, model.smoothing = calibration
    return results, Answers(logits, data.splits["test"].targets, names, contents)


def evaluate(
    path: Path,
    split: Literal["test", "val", "train", "all"] = "test",
    tta: bool = False,
    dataset: str = "",
    data_dir: str = "",
    output: str = "",
    trust: Sequence[str] = (),
    config_dir: str = "",
    coverage: float = 0.0,
    labels: bool = False,
    importance: bool | None = None,
    sheet: str = "",
    encoding: str = "",
) -> dict:
    """Print the figures of the checkpoint `path`, write them and the pictures into the folder `output`, or else beside
    the checkpoint, and return what evaluation.json holds. Raises UserError for what the user can fix.

    tta: see `classify`. coverage: see `figures_of_sets`. labels: also write `label_issues`. importance: measure which
    columns of a table matter; None: of any table. For the other arguments see `open_data` and `load_model`.
    """
    (model, contents), path = checkpoints.load_model(path, trust), Path(local_path(path))
    facts, stored, folder = Facts.from_dict(contents), contents["config"], Path(output or path.parent)
    if coverage:
        prediction_set_limit(contents, coverage)  # raises the error, if any, before the data is read
    refuse_to_evaluate(facts.kind, tta, importance, split, data_dir or dataset)
    refuse_among_data(folder, "output", stored["dataset"], data_dir)
    refuse_unwritable(folder / "evaluation.json")  # now, before the time is spent
    reading = {name: value for name, value in (("sheet", sheet), ("encoding", encoding)) if value}
    data = open_data(contents, dataset, data_dir, split == "all", config_dir=config_dir, reading=reading)
    data_dir = os.path.abspath(data_dir) if os.path.exists(data_dir) else data_dir
    other = bool(dataset) or is_other(split, data, contents, data_dir, sheet)
    note_seen(split, other, dataset, data_dir, sheet, contents, data)
    part = "test" if split == "all" else split  # `load_all` makes all examples the test part
    results, answers = classify(model, data, contents, test_on(data, part, facts.class_names), tta)
    worst, weights = answers.worst(SHOWN), weights_to_equal_sizes(answers.targets, stored)
    metrics = {
        "checkpoint": str(path),
        "dataset": dataset or stored["choices"]["dataset"],
        "data_dir": data_dir or None,
        "split": split,
        "tta": tta,
        "examples": len(answers.targets),
        "left_out": data.left_out,
        **figures(results, answers, coverage, weights),
        **({"positive": facts.class_names[model.positive]} if "test/ap" in results else {}),
        "mistakes": [{"index": i, "file": data.file_of(part, i), **answers.to_example(i)} for i in worst],
    }
    print_evaluation(metrics, facts.class_names)
    as_trained = path if split == "test" and not (other or tta) else None
    say(*remarks_on(metrics, facts.class_names, stored, as_trained))
    if facts.kind == "table" and importance is not False:
        metrics |= columns_that_matter(model, data.splits["test"], facts, metrics["acc"], data.splits.get("train"))
        print_importance(metrics, "drop" in stored["dataset"])
    images = mistaken(model, facts, data, part, answers, worst) if worst and facts.kind == "image" else None
    name = name_of_files(folder, path, dataset, (data_dir, sheet) if other else None, split, tta)
    write(metrics, draw(metrics, answers, weights, images), folder, name, answers)
    if labels:
        write_label_issues(answers, data, part, folder, name)
    return metrics


def remarks_on(metrics: dict, class_names: list[str], stored: dict, as_trained: Path | None) -> list[str]:
    """Remarks on the figures. as_trained: the checkpoint, if they are of the examples that its training tested."""
    other = another_loss(as_trained, metrics["loss"]) if as_trained else ""
    return [
        *filter(None, [single_answer(metrics["confusion"], class_names, stored), other]),
        *note_on_equal_sizes(stored),
    ]


def refuse_to_evaluate(kind: str, tta: bool, importance: bool | None, split: str, other_data: str) -> None:
    """Raises UserError for an option that makes no sense for the model's kind of data, "image" or "table", and for
    split=all without other data. other_data: the data that the command names, or ""."""
    if tta and kind != "image":
        raise UserError("tta=true mirrors and moves images, and this model takes something else: leave it out.")
    if importance is not None and kind != "table":
        raise UserError("importance=… is for the columns of tables, and this model takes something else: leave it out.")
    choose("split", split, dict.fromkeys(("test", "val", "train", "all")))
    if split == "all" and not other_data:
        raise UserError("split=all is for data that the model has not seen: name it with data_dir=… or dataset=…")


def mistaken(model, facts: Facts, data, part: str, answers: Answers, worst: list[int]) -> np.ndarray:
    """uint8 (N, H, 2 * W, 3): each image at the indices `worst`, with the heat map of where the network looked."""
    x = data.prepare(data.splits[part].inputs, torch.tensor(worst), None).to(model.device)  # Lightning has moved it
    heat = heat_map(model, x, answers.predicted[worst])
    return drawing.beside_heat(facts.pixels(x).numpy(), heat.numpy())


def draw(metrics: dict, answers: Answers, weights: Tensor | float, images: np.ndarray | None) -> dict[str, bytes]:
    """The contents of the PNG files, by the names of the pictures. weights: see `reliability_picture`.
    images: uint8 (N, H, W, 3) of the mistakes in `metrics`; None for a table, or if there is no mistake."""
    confusion = confusion_matrix(metrics["confusion"].numpy(), answers.names, answers.class_names, zoom=2)
    confidence, probable = answers.probabilities.max(1)  # as in the calibration error, without a threshold
    pictures = {
        "confusion": drawing.png(confusion),
        "reliability": plots.reliability_picture(
            confidence.numpy(),
            (probable == answers.targets).numpy(),
            metrics["calibration_error"],
            np.asarray(weights),
        ),
    }
    if images is not None:
        lines = [
            (f"{one['predicted']} {share(one['probability'], '.0%')}", f"is {one['right']}")
            for one in metrics["mistakes"]
        ]
        pictures["mistakes"] = drawing.png(drawing.grid(images, lines, drawing.WRONG, across=180))
    if rows := metrics.get("importance"):
        values = np.array([[row["log_loss"], row["log_loss_low"], row["log_loss_high"]] for row in rows[:SHOWN]])
        title = "Rise of the log loss once the column is shuffled"
        pictures["importance"] = drawing.png(drawing.bars([row["column"] for row in rows[:SHOWN]], values, title))
    return pictures


def confusion_tables(confusion: Tensor, answers: Answers) -> tuple[list[list[int]] | None, str]:
    """(The confusion matrix for evaluation.json, ""). With more than LISTED classes it would take hundreds of MB there,
    nearly all of them zeros: then it is (None, the text of a CSV file that lists the counts above 0)."""
    if confusion.shape[1] <= LISTED:
        return confusion.tolist(), ""
    rows = ([answers.names[i], answers.class_names[j], int(confusion[i, j])] for i, j in confusion.nonzero().tolist())
    return None, csv_text([["is", "predicted", "examples"], *rows])


def write(metrics: dict, pictures: dict[str, bytes], folder: Path, name: str, answers: Answers) -> None:
    """Write the figures and the pictures, add the pictures to TensorBoard's, and print the files' paths."""
    metrics["confusion"], listed = confusion_tables(metrics["confusion"], answers)
    tables = {"confusion": listed, "importance": csv_of(metrics["importance"]) if "importance" in metrics else ""}
    contents: dict[str, bytes | str] = {f"{name}_{kind}.png": picture for kind, picture in pictures.items()}
    contents |= {f"{name}_{kind}.csv": table for kind, table in tables.items() if table}
    write_outputs(folder, contents | {f"{name}.json": json.dumps(metrics, indent=2) + "\n"})
    with writing(folder):
        plots.log_pictures(folder, {f"{name}/{kind}": picture for kind, picture in pictures.items()})
    print(*(readable(str(folder / one)) for one in (f"{name}.json", *contents)), sep="\n")
