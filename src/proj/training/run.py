"""One run: trained from its configuration, or from where it was stopped, then tested."""

from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything
from omegaconf import DictConfig, OmegaConf

from proj.checkpoint.file import contents
from proj.config.compose import complete, resolved
from proj.errors import UserError
from proj.system.files import write_atomically
from proj.system.locks import locked
from proj.system.platform import is_text
from proj.system.processes import rank, refuse_missing_devices, take_part
from proj.system.run_folder import RunFolder
from proj.training.build import build_data_and_model, build_trainer, compile_network, introduce
from proj.training.changes import refuse_changes, refuse_other_data, refuse_to_start_over
from proj.training.divergence import SkipNaN
from proj.training.fast_dev_run import try_out
from proj.training.faults import run_errors
from proj.training.library_defaults import keep_freed_memory, quiet_lightning
from proj.training.precision import set_precision
from proj.training.results import figures, print_table, tells_why
from proj.training.resume import Resume, newest_checkpoint
from proj.training.run_length import is_done


def train(cfg: DictConfig) -> dict[str, Any]:
    """Train, test the best checkpoint, write metrics.json into `cfg.output_dir`; return the metrics.

    A folder that holds the checkpoint of a stopped run is continued from there.
    Raises UserError for what the user can mend.
    """
    cfg = resolved(cfg)
    complete(cfg)  # a sweep's job may have been composed before conf/ listed all that the Trainer takes
    folder = Path(cfg.output_dir)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())  # shorter to read and to type
    if not is_text(folder):
        raise UserError(
            f"{folder} has letters that the locale does not know: set PYTHONUTF8=1 or choose another folder."
        )
    with run_errors(folder, cfg.dataset.batch_size):
        folder.mkdir(parents=True, exist_ok=True)
        if cfg.trainer.fast_dev_run:
            return try_out(folder, cfg)
        if rank():
            return train_in(folder, cfg)
        with locked(folder), tells_why(folder):
            return train_in(folder, cfg)


def train_in(folder: Path, cfg: DictConfig) -> dict:
    """`train` in the run's folder, which no other process writes."""
    run = RunFolder(folder)
    quiet_lightning()
    keep_freed_memory()
    environment = take_part(cfg.trainer)
    refuse_missing_devices(cfg.trainer)
    config = OmegaConf.to_container(cfg, resolve=True)
    path, state = newest_checkpoint(folder) or (None, None)
    if not state:
        refuse_to_start_over(folder)
    else:
        if cfg.trainer.precision == "auto":
            config["trainer"]["precision"] = state["proj"]["config"]["trainer"]["precision"]
        refuse_changes(state["proj"]["config"], config, folder)
        metrics = run.read_metrics() if is_done(state, cfg.trainer) else None
        asked = {"test/acc": cfg.test, "test/acc_tta": cfg.test and cfg.tta}
        if metrics and all(name in metrics for name, wanted in asked.items() if wanted):
            if rank() == 0:
                print(f"This run is finished; its figures are in {run.metrics}.")
            return metrics
    seed_everything(cfg.seed, workers=True, verbose=False)

    data, model = build_data_and_model(cfg)
    asked, measured = config["trainer"]["precision"], run.measured_precision
    precision, reason = set_precision(asked, model.network, cfg.trainer.accelerator, measured)
    config["trainer"]["precision"] = precision
    if state and cfg.trainer.precision == "auto":
        reason = "as before"
    if cfg.compile:
        compile_network(model.network)
    known = contents(config, data)
    if state:
        refuse_other_data(state["proj"], known, folder)
    if rank() == 0:
        write_atomically(run.config, OmegaConf.to_yaml(config).encode())
        run.remove_unfinished_checkpoints()
        run.rewind_curves(state["resume"]["lengths"] if state else {})
    resume = Resume(folder, cfg.seed, cfg.save_every, known, cfg.on_nan == "stop", state and state["resume"])
    skip_nan = [SkipNaN()] if cfg.on_nan == "skip" else []
    trainer = build_trainer(folder, cfg, data, precision, [resume, *skip_nan], environment)
    if state and state["resume"]["stopped_early"]:
        trainer.fit_loop.max_epochs = state["epoch"]
    if trainer.is_global_zero:
        introduce(cfg, trainer, data, f"{precision}: {reason}")
        print(folder)

    trainer.fit(model, data, ckpt_path=path, weights_only=True)

    best, metrics = figures(cfg, folder, trainer, resume.seconds)
    if skip_nan:
        metrics["steps_left_out"] = refuse_left_out(skip_nan[0].skipped, trainer.global_step)
    if cfg.test:
        model.load_state_dict(best["state_dict"])
        metrics |= trainer.test(model, data, verbose=False)[0]
        shares = (share if share == share else None for share in model.acc_per_class.tolist())  # NaN: no examples
        metrics["test/acc_per_class"] = dict(zip(data.class_names, shares, strict=True))
        metrics["test_examples"] = int(model.count)
        metrics["test_examples_left_out"] = len(data.splits["test"].targets) - int(model.count)
    if trainer.is_global_zero:
        run.write_metrics(metrics)
        for callback in skip_nan:
            print(callback.summary(trainer.global_step))
        print_table(metrics, cfg.monitor)
    return metrics


def refuse_left_out(skipped: int, steps: int) -> int:
    """`skipped`. Raises UserError if the network has not taken most of its steps: that is no trained network."""
    if skipped > steps / 2:
        raise UserError(
            f"{skipped} of {steps} steps were left out because of NaN or infinite gradients, so the network is hardly "
            "trained: start a new run with a lower optimizer.lr or trainer.gradient_clip_val=1."
        )
    return skipped
