"""A checkpoint measured on data: its figures, its confusion, its most confident mistakes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from proj.checkpoint import file as checkpoints
from proj.config.command_line import writing
from proj.config.monitors import BY_CLASS
from proj.data.datamodule import Split
from proj.data.facts import Facts, pair
from proj.errors import UserError
from proj.models.balance import single_answer
from proj.models.tta import augmented_logits
from proj.pictures import drawing, plots
from proj.system.files import csv_text, write_atomically
from proj.system.run_folder import write_json
from proj.training.calibration import most_unlikely
from proj.training.library_defaults import quiet_lightning
from proj.training.precision import set_precision
from proj.use.answers import Answers, figures, sets, with_threshold, write_label_issues
from proj.use.data import open_data
from proj.use.evaluation_table import print_evaluation
from proj.use.importance import columns_that_matter, print_importance
from proj.use.looked_at import looked_at

SHOWN = 30  # mistakes and columns in the pictures


def classify(model, data, known: dict, tta: bool) -> tuple[dict[str, float], Answers]:
    """(Loss and accuracy of the test part, as the end of a training measures them; the answers to its examples)."""
    quiet_lightning()
    calibration = model.temperature, model.smoothing
    model.temperature, model.smoothing = 1.0, 0.0  # the loss is that of the training
    logits: list[Tensor] = []
    if tta:
        mirror = known["config"]["dataset"].get("flip", getattr(data, "flip", False))
        model.forward = lambda x: augmented_logits(model.network, x, mirror)
    hook = model.register_forward_hook(lambda module, inputs, output: logits.append(output.float().cpu()))
    precision, _ = set_precision(known["config"]["trainer"]["precision"], model.network, "auto")
    without = dict.fromkeys(("logger", "enable_checkpointing", "enable_model_summary"), False)
    trainer = Trainer(devices=1, precision=precision, enable_progress_bar=sys.stdout.isatty(), **without)
    targets = data.splits["test"].targets
    (results,) = trainer.test(model, data, verbose=False)
    hook.remove()
    model.temperature, model.smoothing = calibration
    return results, Answers(torch.cat(logits), targets, calibration, model.costs)


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
    model, known = checkpoints.load_model(path, trust)
    facts, temperature = Facts.from_dict(known), model.temperature
    if coverage:
        most_unlikely(known, coverage)  # a mistake is said before the data is read
    if tta and facts.kind != "image":
        raise UserError("tta=true mirrors and moves images, and this model takes something else: leave it out.")
    if importance is not None and facts.kind != "table":
        raise UserError("importance=… is of a table's columns, and this model takes something else: leave it out.")
    if split == "all" and not (data_dir or dataset):
        raise UserError("split=all is for data that the model has not seen: name it with data_dir=… or dataset=…")
    told = {name: value for name, value in (("sheet", sheet), ("encoding", encoding)) if value}
    data = open_data(known, dataset, data_dir, everything=split == "all", config_dir=config_dir, told=told)
    if not dataset and split != "all" and data.checksum() != facts.data:
        print("Note: the data is not what the training read: its split may put training examples elsewhere.")
    part = "test" if split == "all" else split  # `load_all` makes all examples the test part
    inputs = data.splits[part].inputs
    names = test_on(data, part, facts.class_names)
    results, answers = classify(model, data, known, tta)
    worst = answers.worst(SHOWN)
    metrics = {
        "checkpoint": str(path),
        "dataset": dataset or known["config"]["choices"]["dataset"],
        "split": split,
        "tta": tta,
        "examples": len(answers.targets),
        "left_out": data.left_out,
        "loss": results["test/loss"],
        "acc": results["test/acc"],
        **{name: results[f"test/{name}"] for name in BY_CLASS if f"test/{name}" in results},
        **figures(answers, names),
        "temperature": temperature,
        "coverage": sets(answers, known, coverage),
        "threshold": with_threshold(answers, known, facts.class_names),
        "mistakes": [
            {
                "index": place,
                "file": data.file_of(part, place),
                "right": names[answers.targets[place]],
                "predicted": facts.class_names[answers.predicted[place]],
                "probability": answers.confidence[place].item(),
            }
            for place in worst
        ],
    }
    print_evaluation(metrics, facts.class_names)
    if said := single_answer(torch.tensor(metrics["confusion"]), facts.class_names):
        print(said)
    if facts.kind == "table" and importance is not False:
        metrics |= columns_that_matter(model, data.splits["test"], facts, metrics["acc"], data.splits.get("train"))
        print_importance(metrics, "drop" in known["config"]["dataset"])
    images = None
    if worst and facts.kind == "image":
        x = data.prepare(inputs, torch.tensor(worst), None)
        heat = looked_at(model.network, x, answers.predicted[worst])
        images = drawing.beside_heat(facts.pixels(x).numpy(), heat.numpy())
    pictures = draw(metrics, answers, names, facts.class_names, images)
    parts = ["evaluation", dataset, "" if split == "test" else split, "tta" if tta else ""]
    folder, name = Path(output or path.parent), "_".join(filter(None, parts))
    write(metrics, pictures, folder, name)
    if labels:
        examples = [data.example(part, place) for place in range(len(answers.targets))]
        write_label_issues(answers, examples, names, facts.class_names, folder, name, seen=split == "train")
    return metrics


def test_on(data, part: str, known: list[str]) -> list[str]:
    """Have `part` of the data tested, with the classes numbered as the model does.

    known: the model's classes. Returns the names that the data has for them, which may be fewer.
    """
    inputs, targets = data.splits[part]
    places, names = pair(data.class_names, known)
    data.splits["test"] = Split(inputs, torch.tensor(places)[targets])
    return names


def draw(
    metrics: dict, answers: Answers, names: list[str], known: list[str], images: np.ndarray | None
) -> dict[str, bytes]:
    """The pictures by their names, as PNG files.

    names, known: see `test_on`. images: uint8 (N, H, W, 3) of the mistakes in `metrics`; None for a table, and where
    there is no mistake.
    """
    confidence, right = answers.confidence.numpy(), answers.right.numpy()
    pictures = {
        "confusion": drawing.png(drawing.confusion_matrix(np.array(metrics["confusion"]), names, known, zoom=2)),
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


def write(metrics: dict, pictures: dict[str, bytes], folder: Path, name: str) -> None:
    """Write the figures and the pictures, these into TensorBoard's files too, and print where they are."""
    file = folder / f"{name}.json"
    files = {kind: folder / f"{name}_{kind}.png" for kind in pictures}
    with writing(file):
        for kind, picture in pictures.items():
            write_atomically(files[kind], picture)
        plots.log_pictures(folder, {f"{name}/{kind}": picture for kind, picture in pictures.items()})
        if "importance" in metrics:
            files["table"] = folder / f"{name}_importance.csv"
            rows = metrics["importance"]
            write_atomically(files["table"], csv_text([[*rows[0]], *(row.values() for row in rows)]))
        write_json(file, metrics, indent=2)
    print(file, *files.values(), sep="\n")
