"""A checkpoint measured on data: its figures, its confusion, its most confident mistakes."""

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
from proj.data.datamodule import Split
from proj.data.facts import Facts, pair
from proj.errors import UserError, choose
from proj.models.balance import single_answer
from proj.models.logits import augmented_logits
from proj.pictures import drawing, plots
from proj.pictures.confusion import confusion_matrix
from proj.system.files import csv_of, csv_text, refuse_unwritable, write_outputs, writing
from proj.system.platform import absolute, local_path
from proj.system.ranks import say
from proj.training.calibration import most_unlikely
from proj.training.library_defaults import quiet_lightning
from proj.training.precision import set_precision
from proj.use.among_photos import refuse_among_photos
from proj.use.answers import Answers, figures, write_label_issues
from proj.use.data import open_data
from proj.use.evaluation_name import name_of_files
from proj.use.evaluation_table import print_evaluation
from proj.use.heat_map import heat_map
from proj.use.importance import columns_that_matter, print_importance

SHOWN = 30  # mistakes and columns in the pictures
LISTED = 1000  # classes of which evaluation.json has the confusion


def classify(model, data, contents: dict, names: list[str], tta: bool) -> tuple[dict[str, float], Answers]:
    """(Loss and accuracy of the test part, as the end of a training measures them; the answers to its examples).

    contents: the checkpoint's. names: see `test_on`.
    """
    quiet_lightning()
    calibration = model.temperature, model.smoothing
    model.temperature, model.smoothing = 1.0, 0.0  # the loss is that of the training
    logits: list[Tensor] = []
    if tta:
        mirror = contents["config"]["dataset"].get("flip", getattr(data, "flip", False))
        plain = model.forward
        model.forward = lambda x: augmented_logits(plain, x, mirror)
    hook = model.register_forward_hook(lambda module, inputs, output: logits.append(output.float().cpu()))
    precision, _ = set_precision(contents["config"]["trainer"]["precision"], model, "auto")
    without = dict.fromkeys(("logger", "enable_checkpointing", "enable_model_summary"), False)
    trainer = Trainer(devices=1, precision=precision, enable_progress_bar=sys.stdout.isatty(), **without)
    targets = data.splits["test"].targets
    (results,) = trainer.test(model, data, verbose=False)
    hook.remove()
    if tta:
        model.forward = plain
    model.temperature, model.smoothing = calibration
    return results, Answers(torch.cat(logits), targets, names, contents["class_names"], calibration, model.costs)


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
    """Print and return what evaluation.json holds; write it and the pictures beside the checkpoint, or to `output`.

    coverage: see `most_unlikely`; 0 is 0.95, where the checkpoint can say it. labels: write `label_issues` too.
    importance: measure which columns matter, of a table; None does where it is one. sheet, encoding: see `open_data`.
    Raises UserError for what the user can mend.
    """
    (model, contents), path = checkpoints.load_model(path, trust), Path(local_path(path))
    facts, stored, folder = Facts.from_dict(contents), contents["config"], Path(output or path.parent)
    if coverage:
        most_unlikely(contents, coverage)  # a mistake is said before the data is read
    refuse_unfitting(facts.kind, tta, importance, split, data_dir or dataset)
    refuse_among_photos(folder, "output", stored["dataset"], data_dir)
    refuse_unwritable(folder / "evaluation.json")  # before the work
    reading = {name: value for name, value in (("sheet", sheet), ("encoding", encoding)) if value}
    data = open_data(contents, dataset, data_dir, split == "all", config_dir=config_dir, reading=reading)
    data_dir = os.path.abspath(data_dir) if os.path.exists(data_dir) else data_dir
    other = bool(dataset) or is_other(split, data, facts, data_dir, sheet, stored["dataset"])
    if not dataset:
        note_seen(split, other, data_dir)
    part = "test" if split == "all" else split  # `load_all` makes all examples the test part
    results, answers = classify(model, data, contents, test_on(data, part, facts.class_names), tta)
    worst = answers.worst(SHOWN)
    metrics = {
        "checkpoint": str(path),
        "dataset": dataset or stored["choices"]["dataset"],
        "data_dir": data_dir or None,
        "split": split,
        "tta": tta,
        "examples": len(answers.targets),
        "left_out": data.left_out,
        **figures(results, answers, contents, coverage),
        "mistakes": [{"index": i, "file": data.file_of(part, i), **answers.to_example(i)} for i in worst],
    }
    print_evaluation(metrics, facts.class_names)
    if sentence := single_answer(metrics["confusion"], facts.class_names, stored):
        say(sentence)
    if facts.kind == "table" and importance is not False:
        metrics |= columns_that_matter(model, data.splits["test"], facts, metrics["acc"], data.splits.get("train"))
        print_importance(metrics, "drop" in stored["dataset"])
    images = mistaken(model, facts, data, part, answers, worst) if worst and facts.kind == "image" else None
    name = name_of_files(folder, path, dataset, data_dir if other else "", sheet if other else "", split, tta)
    write(metrics, draw(metrics, answers, images), folder, name, answers)
    if labels:
        write_label_issues(answers, data, part, folder, name)
    return metrics


def refuse_unfitting(kind: str, tta: bool, importance: bool | None, split: str, other_data: str) -> None:
    """Raises UserError for an option that the model's kind of data does not have, and for one that needs data which the
    command has to name. other_data: what it names."""
    if tta and kind != "image":
        raise UserError("tta=true mirrors and moves images, and this model takes something else: leave it out.")
    if importance is not None and kind != "table":
        raise UserError("importance=… is of a table's columns, and this model takes something else: leave it out.")
    choose("split", split, dict.fromkeys(("test", "val", "train", "all")))
    if split == "all" and not other_data:
        raise UserError("split=all is for data that the model has not seen: name it with data_dir=… or dataset=…")


def is_other(split: str, data, facts: Facts, data_dir: str, sheet: str, trained_on: dict) -> bool:
    """Whether the data is another than the training's. trained_on: the settings of that."""
    if split == "all":
        return absolute(data_dir) != trained_on.get("data_dir") or sheet not in ("", trained_on.get("sheet"))
    return data.checksum() != facts.data


def note_seen(split: str, other: bool, data_dir: str) -> None:
    """Print where examples that the model was trained on may be among those that are measured. other: see `is_other`"""
    if split == "all" and not other:
        say("Note: this is the training's own data: new examples would have worse figures.")
    if split != "all" and other:
        how = " Data that the model has not seen is measured whole with split=all." if data_dir else ""
        say(f"Note: the data is not what the training read: its split may put training examples elsewhere.{how}")


def test_on(data, part: str, class_names: list[str]) -> list[str]:
    """Have `part` of the data tested, with the classes numbered as the model does.

    class_names: the model's. Returns the names that the data has for them.
    """
    inputs, targets = data.splits[part]
    places, names = pair(data.class_names, class_names)
    data.splits["test"] = Split(inputs, torch.tensor(places)[targets])
    return names


def mistaken(model, facts: Facts, data, part: str, answers: Answers, worst: list[int]) -> np.ndarray:
    """uint8 (N, H, 2 * W, 3): the images of these mistakes, each beside where the network looked for its answer."""
    x = data.prepare(data.splits[part].inputs, torch.tensor(worst), None)
    heat = heat_map(model, x, answers.predicted[worst])
    return drawing.beside_heat(facts.pixels(x).numpy(), heat.numpy())


def draw(metrics: dict, answers: Answers, images: np.ndarray | None) -> dict[str, bytes]:
    """The pictures by their names, as PNG files.

    images: uint8 (N, H, W, 3) of the mistakes in `metrics`; None for a table, and where there is no mistake.
    """
    confusion = confusion_matrix(metrics["confusion"].numpy(), answers.names, answers.class_names, zoom=2)
    confidence, right = answers.confidence.numpy(), answers.right.numpy()
    pictures = {
        "confusion": drawing.png(confusion),
        "reliability": plots.reliability_picture(confidence, right, metrics["calibration_error"]),
    }
    if images is not None:
        lines = [(f"{one['predicted']} {one['probability']:.0%}", f"is {one['right']}") for one in metrics["mistakes"]]
        pictures["mistakes"] = drawing.png(drawing.grid(images, lines, drawing.WRONG, across=180))
    if rows := metrics.get("importance"):
        values = np.array([[row["log_loss"], row["log_loss_low"], row["log_loss_high"]] for row in rows[:SHOWN]])
        title = "Rise of the log loss once the column is shuffled"
        pictures["importance"] = drawing.png(drawing.bars([row["column"] for row in rows[:SHOWN]], values, title))
    return pictures


def confusion_tables(confusion: Tensor, answers: Answers) -> tuple[list[list[int]] | None, str]:
    """(The counts (R, C) as evaluation.json has them, no text.) Those of very many classes, nearly all of which are 0,
    would take hundreds of MB there: (None, the others as a CSV file of their own.)"""
    if confusion.shape[1] <= LISTED:
        return confusion.tolist(), ""
    rows = ([answers.names[i], answers.class_names[j], int(confusion[i, j])] for i, j in confusion.nonzero().tolist())
    return None, csv_text([["is", "predicted", "examples"], *rows])


def write(metrics: dict, pictures: dict[str, bytes], folder: Path, name: str, answers: Answers) -> None:
    """Write the figures and the pictures, these into TensorBoard's files too, and print where they are."""
    metrics["confusion"], listed = confusion_tables(metrics["confusion"], answers)
    tables = {"confusion": listed, "importance": csv_of(metrics["importance"]) if "importance" in metrics else ""}
    contents: dict[str, bytes | str] = {f"{name}_{kind}.png": picture for kind, picture in pictures.items()}
    contents |= {f"{name}_{kind}.csv": table for kind, table in tables.items() if table}
    write_outputs(folder, contents | {f"{name}.json": json.dumps(metrics, indent=2) + "\n"})
    with writing(folder):
        plots.log_pictures(folder, {f"{name}/{kind}": picture for kind, picture in pictures.items()})
    print(folder / f"{name}.json", *(folder / one for one in contents), sep="\n")
