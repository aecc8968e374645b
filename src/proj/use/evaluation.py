"""A checkpoint measured on data: its figures, its confusion, its most confident mistakes."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proj.config.command_line import writing
from proj.config.compose import build, configure
from proj.errors import UserError

SHOWN = 30  # mistakes in the picture, classes in the table


def open_data(known: dict, dataset: str = "", data_dir: str = "", everything: bool = False, download: bool = True):
    """The datamodule of a checkpoint, or another one of the same shape, normalised as the model was trained.

    known: the checkpoint's `contents`. everything: all examples as the test part.
    Raises UserError where the data is missing or does not fit.
    """
    from proj.data.facts import Facts

    facts, stored = Facts.from_dict(known), known["config"]["dataset"]
    chosen = dict(configure(f"dataset={dataset}", "hydra.run.dir=.").dataset) if dataset else dict(stored)
    if data_dir and "data_dir" not in chosen:
        raise UserError("data_dir=… has no use here, since this dataset comes with scikit-learn: leave it out.")
    if "source" in chosen:
        chosen["download"] = bool(data_dir or dataset)  # a file does not say where to write
    try:
        data = build(chosen | ({"data_dir": data_dir} if data_dir else {}))
        data.take(facts)
        if download:
            data.prepare_data()
        data.load_all(facts.columns, facts.class_names) if everything else data.setup()
    except UserError as error:
        if everything or "test_fraction" not in chosen or not Path(data_dir or "").exists():
            raise
        raise UserError(f"{error} Data that the model has not seen is measured whole with split=all.") from error
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:  # a setting of another kind
        raise UserError(f"the dataset that the checkpoint names cannot be opened: {error}") from error
    if list(data.input_shape) != list(facts.input_shape):
        given, taken = ("×".join(map(str, shape)) for shape in (data.input_shape, facts.input_shape))
        raise UserError(
            f"the data has inputs of {given} in {data.num_classes} classes, the model takes {taken} and knows "
            f"{len(facts.class_names)} classes: choose another dataset."
        )
    if data.columns != facts.columns:
        raise UserError(
            "the table has other columns or values than the training's: split=all measures all of its rows, "
            "python -m proj.predict takes rows without a class."
        )
    return data


def classify(model, data, known: dict, tta: bool):
    """(Loss and accuracy of the test split, as the end of a training measures them; its (N, classes) logits)."""
    import torch
    from lightning.pytorch import Trainer

    from proj.models.classifier import augmented_logits
    from proj.training.library_defaults import quiet_lightning
    from proj.training.precision import set_precision

    quiet_lightning()
    logits: list[torch.Tensor] = []
    if tta:
        mirror = known["config"]["dataset"].get("flip", getattr(data, "flip", False))
        model.forward = lambda x: augmented_logits(model.network, x, mirror)
    model.register_forward_hook(lambda module, inputs, output: logits.append(output.float().cpu()))
    precision, _ = set_precision(known["config"]["trainer"]["precision"], model.network, "auto")
    without = dict.fromkeys(("logger", "enable_checkpointing", "enable_model_summary"), False)
    trainer = Trainer(devices=1, precision=precision, enable_progress_bar=sys.stdout.isatty(), **without)
    (results,) = trainer.test(model, data, verbose=False)
    return results, torch.cat(logits)


def evaluate(
    path: Path,
    split: Literal["test", "val", "train", "all"] = "test",
    tta: bool = False,
    dataset: str = "",
    data_dir: str = "",
    output: str = "",
    trust: Sequence[str] = (),
) -> dict:
    """Print and return what evaluation.json holds; write it and the pictures beside the checkpoint, or to `output`.

    Raises UserError for what the user can mend.
    """
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_f1_score

    from proj.checkpoint.file import load_model
    from proj.data.datamodule import Split
    from proj.data.facts import Facts, pair
    from proj.system.files import write_atomically

    model, known = load_model(path, trust)
    facts = Facts.from_dict(known)
    if tta and facts.kind != "image":
        raise UserError("tta=true mirrors and moves images, and this model takes something else: leave it out.")
    if split == "all" and not (data_dir or dataset):
        raise UserError("split=all is for data that the model has not seen: name it with data_dir=… or dataset=…")
    data = open_data(known, dataset, data_dir, everything=split == "all")
    columns = facts.class_names
    if not dataset and split != "all" and data.checksum() != facts.data:
        print("Note: the data is not what the training read: its split may put training examples elsewhere.")
    part = "test" if split == "all" else split
    inputs, y = data.splits[part]
    places, rows = pair(data.class_names, columns)
    y = torch.tensor(places)[y]
    data.splits["test"] = Split(inputs, y)
    results, logits = classify(model, data, known, tta)

    size = len(columns)
    shares = logits.softmax(1)
    confidence, predicted = shares.max(1)
    right = predicted == y
    confusion = torch.bincount(y * size + predicted, minlength=size**2).view(size, size)[: len(rows)]
    mistakes = (~right).nonzero().flatten()
    mistakes = mistakes[confidence[mistakes].argsort(descending=True)][:SHOWN].tolist()
    metrics = {
        "checkpoint": str(path),
        "dataset": dataset or known["config"]["choices"]["dataset"],
        "split": split,
        "tta": tta,
        "examples": len(y),
        "loss": results["test/loss"],
        "acc": results["test/acc"],
        "top3_acc": (logits.topk(min(3, size)).indices == y[:, None]).any(1).float().mean().item(),
        "macro_f1": multiclass_f1_score(logits, y, size, average="macro").item(),
        "calibration_error": multiclass_calibration_error(shares, y, size, n_bins=15).item(),
        "acc_per_class": {
            name: (row[k] / row.sum()).item() if row.sum() else None
            for k, (name, row) in enumerate(zip(rows, confusion, strict=True))
        },
        "confusion": confusion.tolist(),
        "mistakes": [
            {"index": k, "file": data.file_of(part, k), "right": rows[y[k]]}
            | {"predicted": columns[predicted[k]], "probability": confidence[k].item()}
            for k in mistakes
        ],
    }
    print_evaluation(metrics, columns)

    from proj.pictures.plots import confusion_picture, image_grid, log_pictures, reliability_picture

    name = "_".join(filter(None, ("evaluation", dataset, split * (split != "test"), "tta" * tta)))
    file = Path(output or path.parent, f"{name}.json")
    pictures = {
        "confusion": confusion_picture(confusion.numpy(), rows, columns, f"{metrics['acc']:.2%} of {len(y):,} right"),
        "reliability": reliability_picture(confidence.numpy(), right.numpy(), metrics["calibration_error"]),
    }
    if mistakes and facts.kind == "image":
        lines = [(f"{one['predicted']} {one['probability']:.0%}", f"is {one['right']}") for one in metrics["mistakes"]]
        images = facts.pixels(data.prepare(inputs, torch.tensor(mistakes), None))
        pictures["mistakes"] = image_grid(images.squeeze(-1).numpy(), lines)
    with writing(file):
        for kind, picture in pictures.items():
            write_atomically(file.with_name(f"{name}_{kind}.png"), picture)
        log_pictures(file.parent, {f"{name}/{kind}": picture for kind, picture in pictures.items()})
        write_atomically(file, (json.dumps(metrics, indent=2) + "\n").encode())
    print(*[file, *(file.with_name(f"{name}_{kind}.png") for kind in pictures)], sep="\n")
    return metrics


def print_evaluation(metrics: dict, columns: list[str]) -> None:
    """The figures, and a row a class, at most 80 columns wide."""
    console = Console(highlight=False)
    top3 = f"   top-3 {metrics['top3_acc']:.2%}" if len(columns) > 3 else ""
    part = "" if metrics["split"] == "all" else f"{metrics['split']} "
    console.print(
        f"{metrics['examples']:,} {part}examples of {metrics['dataset']}{', augmented' * metrics['tta']}\n"
        f"[bold]accuracy {metrics['acc']:.2%}[/]{top3}   macro F1 {metrics['macro_f1']:.2%}\n"
        f"loss {metrics['loss']:.4f}   calibration error {metrics['calibration_error']:.2%}"
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("class", max_width=24, overflow="ellipsis", no_wrap=True)
    table.add_column("examples", justify="right")
    table.add_column("accuracy", justify="right")
    table.add_column("most often taken for", overflow="ellipsis", no_wrap=True)
    rows = zip(metrics["acc_per_class"].items(), enumerate(metrics["confusion"]), strict=True)
    rows = sorted((row for row in rows if row[0][1] is not None), key=lambda row: row[0][1])
    for (name, accuracy), (k, counts) in rows[:SHOWN]:
        others = sorted(((n, columns[j]) for j, n in enumerate(counts) if n and j != k), reverse=True)[:2]
        confused = ", ".join(f"{other} {n / sum(counts):.1%}" for n, other in others)
        table.add_row(escape(name), f"{sum(counts):,}", f"{accuracy:.2%}", escape(confused))
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN} classes with fewer mistakes", style="dim")
