"""One run from beginning to end: training, from scratch or resumed, calibration and test."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.loggers.logger import DummyLogger
from omegaconf import DictConfig, OmegaConf

from proj.checkpoint.writing import contents
from proj.config.check_values import check_changes, check_parts, check_ranges
from proj.config.check_words import check_momentum
from proj.config.compose import resolved
from proj.config.new_folder import as_composed, make_new_folder, refuse_files_of_others
from proj.config.own_code import changed_code, own_code
from proj.config.stored_run import bring_up_to_date
from proj.data.shrinking import describe_end
from proj.data.tables.column_list import SHOWN
from proj.errors import UserError
from proj.models.balance import class_counts, single_answer
from proj.models.measuring import run_test
from proj.models.schedules import cut_short
from proj.system.files import csv_of, write_atomically
from proj.system.locks import locked
from proj.system.names import readable
from proj.system.platform import refuse_no_text, shorter
from proj.system.processes import fit_to_processes, refuse_missing_devices
from proj.system.ranks import rank, say
from proj.system.run_folder import RunFolder
from proj.training.build import build_data_and_model, build_trainer, compile_network, print_introduction, read_data
from proj.training.calibration import calibrate
from proj.training.library_defaults import keep_freed_memory, quiet_lightning
from proj.training.loggers import build_loggers
from proj.training.precision import set_precision
from proj.training.results import failure_recorded, figures, figures_of_the_test, write_predictions
from proj.training.results_table import print_table
from proj.training.robustness.changes import refuse_data_unlike_other_jobs
from proj.training.robustness.divergence import SkipNaN
from proj.training.robustness.faults import run_errors
from proj.training.robustness.lost_process import observe
from proj.training.robustness.resume import Resume
from proj.training.robustness.start import Start
from proj.training.services import services_finished
from proj.training.threads import choose_threads, threads_restored
from proj.training.threshold import summary, threshold_text
from proj.wording import how_many

# Trainings in several threads take turns, since all threads of a process draw from the same random generators.
TURN = threading.RLock()


def train(cfg: DictConfig) -> dict[str, Any]:
    """Train, test the best checkpoint, write metrics.json to `cfg.output_dir`, and return the metrics.

    The metrics are those in metrics.json, by name, such as `test/acc` in 0..1, `seconds` (of training and validation),
    the run's `folder` and its best `checkpoint`. If the folder holds the checkpoint of a stopped run, the run is
    resumed; if it holds a finished run on this data, its metrics are only read. `trainer.fast_dev_run` writes nothing,
    and returns neither `folder` nor `checkpoint`.
    Raises UserError for mistakes that the user can correct.
    """
    if not OmegaConf.is_dict(cfg) or "output_dir" not in cfg:
        raise UserError("train takes a configuration, as configure makes it: train(configure('dataset=iris'))")
    if not isinstance(cfg.output_dir, str | Path):
        raise UserError(f"cfg.output_dir = {cfg.output_dir!r} is no path: give a text or a pathlib.Path.")
    if composed := as_composed(cfg):  # in Python, where it may have been changed since
        check_parts(cfg)
        check_changes(cfg, OmegaConf.to_container(cfg, resolve=True), composed)
        check_ranges(cfg)
        check_momentum(cfg)
    cfg = resolved(cfg)
    bring_up_to_date(cfg)  # a sweep's job may have been composed by an older version, which had fewer settings
    cfg.output_dir = make_new_folder(cfg.output_dir)
    folder = shorter(Path(cfg.output_dir))
    refuse_no_text(folder)
    with TURN, run_errors(folder, cfg.dataset.batch_size), threads_restored():
        folder.mkdir(parents=True, exist_ok=True)
        if cfg.trainer.fast_dev_run:
            try:
                return try_out(folder, cfg)
            finally:
                with suppress(OSError):  # a folder that is not empty holds a run
                    folder.rmdir()
        if rank():
            return train_in(folder, cfg)
        refuse_files_of_others(RunFolder(folder))
        with locked(folder), failure_recorded(folder), services_finished():
            return train_in(folder, cfg)


def try_out(folder: Path, cfg: DictConfig) -> dict:
    """`trainer.fast_dev_run`: train, validate and test on a few batches, to see whether it runs; return the metrics.

    Nothing is saved, and a run that is in the folder stays as it is.
    """
    quiet_lightning()
    plugins = fit_to_processes(cfg.trainer)
    refuse_missing_devices(cfg.trainer)
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, model = build_data_and_model(cfg)
    cfg.trainer.precision, reason = set_precision(cfg.trainer.precision, model, cfg.trainer.accelerator)
    trainer = build_trainer(folder, cfg, data, [], plugins, [DummyLogger()])
    if trainer.is_global_zero:
        print_introduction(cfg, trainer, data, reason)
    trainer.fit(model, data)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if cfg.test:
        metrics |= run_test(trainer, model, data)
    if trainer.is_global_zero:
        counts = {"training": trainer.num_training_batches, "validation": sum(trainer.num_val_batches)}
        if cfg.test:
            counts["test"] = sum(trainer.num_test_batches)
        parts = ", ".join(f"{how_many(count, 'batch')} of {part}" for part, count in counts.items())
        print(f"fast_dev_run: {parts} went through; nothing was saved.")
    return metrics


def train_in(folder: Path, cfg: DictConfig) -> dict:
    """`train`, while the run's folder is locked for other processes. Sets `cfg.trainer.precision` to the chosen one."""
    run = RunFolder(folder)
    quiet_lightning()
    keep_freed_memory()
    plugins = fit_to_processes(cfg.trainer)
    refuse_missing_devices(cfg.trainer)
    start = Start(folder)
    cfg.trainer.precision = start.precision(cfg.trainer.precision)
    start.refuse_changes(OmegaConf.to_container(cfg, resolve=True))
    start.refuse_fewer_epochs(cfg.trainer.max_epochs)
    if metrics := start.final_metrics(cfg, threshold_text(cfg.threshold), read_data):
        return metrics
    seed_everything(cfg.seed, workers=True, verbose=False)

    data, model = build_data_and_model(cfg, start.described)
    choose_threads(model, data, start.state)
    cfg.trainer.precision, reason = set_precision(cfg.trainer.precision, model, cfg.trainer.accelerator)
    if start.state:
        reason = "as before"
    if cfg.compile:
        compile_network(model)
    config = OmegaConf.to_container(cfg, resolve=True)
    described = contents(config, data, model.measured)
    if edited := changed_code(own_code(config)):
        say(
            f"{', '.join(edited)} changed after this process had imported it, so that the code as it was is trained: "
            "restart Python, or the notebook's kernel, for the new code."
        )
    start.refuse_other_data(described)
    of_the_data = (described[key] for key in ("data", "class_names", "columns"))
    refuse_data_unlike_other_jobs(folder, config["dataset"], *of_the_data)
    if rank() == 0:
        write_atomically(run.config, OmegaConf.to_yaml(cfg, resolve=True))
        run.remove_unfinished_checkpoints()
        run.rewind_curves(start.lengths)
    resume = Resume(folder, cfg.seed, cfg.save_every, described, cfg.on_nan == "stop", start.state)
    has_skipped = SkipNaN.__name__ in start.checkpoint.get("callbacks", {})  # which counts, whatever on_nan is now
    skip_nan = SkipNaN() if cfg.on_nan == "skip" or has_skipped else None
    callbacks = [resume, skip_nan] if skip_nan else [resume]
    loggers = build_loggers(folder, config, start.state)
    trainer = build_trainer(folder, cfg, data, callbacks, plugins, loggers)
    trainer.fit_loop.max_epochs = start.epochs(trainer.fit_loop.max_epochs)
    if trainer.is_global_zero:
        if not start.state:
            write_columns(run, data.described)
        print_introduction(cfg, trainer, data, reason)
        print(readable(str(folder)))
        if start.state:
            print(f"This run goes on after step {start.checkpoint['global_step']:,}.")

    observe(run)
    trainer.fit(model, data, ckpt_path=start.path, weights_only=True)

    return measure_best(run, cfg, trainer, resume.seconds, skip_nan)


def write_columns(run: RunFolder, described: list[dict[str, str]]) -> None:
    """Write columns.csv, for a table; say so if it has too many columns for them to have been printed."""
    if described:
        write_atomically(run.columns, csv_of(described))
    if len(described) > SHOWN:
        # Without the folder's name, so that a sweep shows this once and not for each of its jobs.
        say(f"{run.columns.name} in the run's folder says how each of the {len(described):,} columns is used")


def measure_best(run: RunFolder, cfg: DictConfig, trainer: Trainer, seconds: float, skip_nan: SkipNaN | None) -> dict:
    """Calibrate and test the best checkpoint of a training that took `seconds`; write and return the metrics.

    skip_nan: the callback that has skipped steps, if the run has one.
    """
    data, model = trainer.datamodule, trainer.lightning_module
    early = cut_short(cfg, trainer)  # all processes ask the Trainer, which counts the steps together
    best, metrics = figures(cfg, run.path, trainer, seconds)
    if skip_nan:
        metrics["steps_left_out"] = skip_nan.refuse_most(trainer.global_step)
    metrics |= calibrate(trainer, best, metrics["checkpoint"], cfg.threshold)
    if cfg.test:
        metrics |= figures_of_the_test(trainer, best["proj"].get("calibration", {}))
    if data.fold:
        metrics["fold_part"] = data.fold_part
    if trainer.is_global_zero:
        if data.fold:
            write_predictions(run, trainer, best)
        run.write_metrics(metrics)
        if skip_nan:
            say(skip_nan.summary(trainer.global_step))
        counts = class_counts(data, "test")
        print_table(metrics, cfg.monitor, float(counts.max() / counts.sum()))
        known = model.confusion is not None and (cfg.test or "threshold" not in metrics)  # what is decided for
        if known and (sentence := single_answer(model.confusion, data.class_names, cfg)):
            say(sentence)
        if early:
            say(early)
        say(*describe_end(data, metrics["epochs"], metrics["max_epochs"]))
        if "threshold" in metrics:
            say(summary(metrics["threshold"], metrics.get("test/cost_threshold")))
    return metrics
