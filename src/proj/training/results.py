"""Writes the results of a run: metrics.json and, for a fold, fold.csv; or status.json if it failed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from proj.checkpoint.file import load_checkpoint
from proj.config.allowed_classes import resume_command
from proj.data.shrinking import planned_epochs
from proj.errors import UserError, file_fault
from proj.models.logits import UNCALIBRATED, calibrated_probabilities, decided
from proj.models.measuring import run_test
from proj.models.metrics import accuracy_per_class, confusion_of
from proj.reports.curves import read_scalars
from proj.system.files import csv_text, write_atomically
from proj.system.folders import relative
from proj.system.run_folder import RunFolder
from proj.training.calibration import logits_of
from proj.training.robustness.faults import reason
from proj.training.threshold import at_threshold


def validated_at(folder: Path, step: int) -> dict[str, float]:
    """The metrics of the validation after a step, from the curves, since best.ckpt of older versions lacks them."""
    found = {}
    for file in RunFolder(folder).curves():
        curves = {tag: dict(points) for tag, points in read_scalars(file).items() if tag.startswith("val/")}
        found |= {tag: values[step] for tag, values in curves.items() if step in values}
    return found


def figures(cfg: DictConfig, folder: Path, trainer, seconds: float) -> tuple[dict, dict]:
    """(The contents of the best checkpoint, the metrics of the training, which took `seconds`).

    Raises UserError if there is no best checkpoint.
    """
    best, data = trainer.checkpoint_callback, trainer.datamodule
    if not best.best_model_path:
        raise UserError(
            f"no validation measured {cfg.monitor} as a finite number, so no epoch is the best: if there was none, "
            "lower trainer.check_val_every_n_epoch or trainer.val_check_interval; else mend what gives NaN, or choose "
            f"another monitor in a new run. The last weights are in {RunFolder(folder).last}."
        )
    checkpoint = load_checkpoint(best.best_model_path)
    stored = checkpoint["proj"]["config"]
    for key, before, now in (
        ("seed", stored["seed"], cfg.seed),
        ("model", stored["choices"]["model"], cfg.choices.model),
    ):
        if before != now:
            raise UserError(
                f"{best.best_model_path} is of another run ({key}={before}, here {now}): put this run's own back, or "
                "train anew in another folder."
            )
    # The file's own score is taken: in a resumed run, the file may be newer than the checkpoint that it resumed from.
    score = checkpoint.get("callbacks", {}).get(best.state_key, {}).get("current_score")
    batch_size = data.batch_size * trainer.world_size
    epoch_size = min(len(data.splits["train"].targets), trainer.num_training_batches * batch_size)
    batches = trainer.fit_loop.epoch_loop.batch_progress.total.completed
    epochs, rest = divmod(batches, trainer.num_training_batches)  # max_steps and max_time may end within an epoch
    examples = epochs * epoch_size + rest * batch_size
    return checkpoint, {
        **OmegaConf.to_container(cfg.choices),
        "seed": cfg.seed,
        **({"positive": data.class_names[data.rarest_class]} if data.num_classes == 2 else {}),
        **(checkpoint.get("validated") or validated_at(folder, checkpoint["global_step"])),
        cfg.monitor: float(best.best_model_score if score is None else score),
        "best_epoch": checkpoint["epoch"] + 1,
        "epochs": epochs + 1 if rest else epochs,
        "max_epochs": planned_epochs(
            trainer, cfg.trainer.max_epochs
        ),  # fewer than the setting, if max_steps ends the run
        "steps": trainer.global_step,
        "parameters": sum(parameter.numel() for parameter in trainer.lightning_module.parameters()),
        "seconds": seconds,
        "examples_per_second": examples / seconds,
        "folder": str(folder),
        # Lightning resolves symbolic links, but the folder is kept as the user wrote it, such as a link `outputs`.
        "checkpoint": str(folder / relative(os.path.realpath(best.best_model_path), os.path.realpath(folder))),
        **other_checkpoints(trainer, cfg.monitor),
    }


def other_checkpoints(trainer, monitor: str) -> dict:
    """The best files of callbacks with another metric than `monitor`, seen from the run's folder, with their scores."""
    folder, found = os.path.realpath(trainer.default_root_dir), {}
    for callback in trainer.checkpoint_callbacks:
        if getattr(callback, "monitor", None) not in (None, monitor) and callback.best_model_path:
            file = relative(os.path.realpath(callback.best_model_path), folder)
            found[file] = {callback.monitor: float(callback.best_model_score)}
    return {"other_checkpoints": found} if found else {}


def figures_of_the_test(trainer, calibration: dict) -> dict:
    """Test the model, which has the best checkpoint's weights; return the metrics. They are those of the most probable
    class and, if its `calibration` has a threshold, those at the threshold, such as test/acc_threshold. The model's
    `confusion` becomes that of the class which is decided for."""
    model, data = trainer.lightning_module, trainer.datamodule
    try:
        metrics = run_test(trainer, model, data)
    except UserError as error:
        again = resume_command(Path(trainer.default_root_dir))
        raise UserError(f"{error} The training is saved, and {again} then tests it.") from error
    per_class = accuracy_per_class(model.confusion, data.class_names)
    examples, decision = int(model.confusion.sum()), {}
    if threshold := calibration.get("threshold"):
        logits, targets = logits_of(trainer, "test")
        _, predicted = answers_of(logits, calibration)
        decision = at_threshold(threshold, data.class_names, predicted, targets)
        model.confusion = confusion_of(targets, predicted, data.num_classes)
    return {
        **metrics,
        **{f"test/{name}_threshold": value for name, value in decision.items()},
        "test/acc_per_class": per_class,
        "test_examples": examples,
        "test_examples_left_out": len(data.splits["test"].targets) - examples,
    }


def answers_of(logits: Tensor, calibration: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """(Calibrated probabilities (N, C), the classes that are decided for (N,), at the threshold if there is one)."""
    probabilities, threshold = calibrated_probabilities(logits, calibration), calibration.get("threshold")
    costs = torch.tensor(threshold["costs"], dtype=torch.float64) if threshold else None  # as `load_model` has them
    return probabilities, decided(probabilities, costs)


def write_predictions(run: RunFolder, trainer: Trainer, best: dict) -> None:
    """Write fold.csv, with a row for each example of the fold: its name, its class, the most probable class, all
    calibrated probabilities, and the class at the threshold, if there is one. best: the best checkpoint's contents."""
    data, names = trainer.datamodule, trainer.datamodule.class_names
    logits, targets = logits_of(trainer, data.fold_part, whole=True)  # of the best weights, which `calibrate` loaded
    calibration = best["proj"].get("calibration", UNCALIBRATED)
    probabilities, chosen = answers_of(logits, calibration)
    has_threshold = bool(calibration.get("threshold"))
    header = ["example", "class", "predicted", "probability", *(f"p({name})" for name in names)]
    rows = [[*header, "at threshold"] if has_threshold else header]
    answers = zip(targets.tolist(), probabilities.argmax(1).tolist(), probabilities.tolist(), strict=True)
    for index, (right, predicted, values) in enumerate(answers):
        rounded = [round(value, 6) for value in values]
        row = [data.example(data.fold_part, index), names[right], names[predicted], rounded[predicted], *rounded]
        rows.append([*row, names[int(chosen[index])]] if has_threshold else row)
    write_atomically(run.fold, csv_text(rows))


@contextmanager
def failure_recorded(folder: Path) -> Iterator[None]:
    """A context that writes to the folder's status.json why a run has failed.

    A run that could not write a file counts as interrupted: it can be resumed once there is room, and a search keeps
    its trial. The status of a stopped run stays if a command, unless it is its sweep's, fails to resume it.
    """
    run = RunFolder(folder)
    in_a_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    in_a_sweep = in_a_sweep or "PROJ_PARENT" in os.environ  # a sweep has started this process for a job (isolate=true)
    begun = run.record.stat().st_mtime_ns if run.record.is_file() and not in_a_sweep else None
    before = run.failure.read_bytes() if run.failure.is_file() else None
    run.failure.unlink(missing_ok=True)  # from now on, only this attempt's failure counts
    try:
        yield
    except Exception as error:
        wrote_nothing = begun is not None and run.record.is_file() and run.record.stat().st_mtime_ns == begun
        if wrote_nothing:  # it failed before it wrote its run.json, so that the old status stays
            if before:
                run.failure.write_bytes(before)
            raise
        with suppress(OSError):  # the disk may be what has failed
            stopped = not isinstance(error, UserError) and file_fault(error)
            run.write_failure("interrupted" if stopped else getattr(error, "status", "failed"), reason(error))
        raise
