"""Train a classifier: `python -m proj.train dataset=cifar10 model=cnn`."""

import os
import shutil
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from proj.config import CONF, build, complete, resolved, stored_config
from proj.errors import UserError, run_errors, sentences
from proj.hydra_command import run_hydra
from proj.processes import die_with_parent, leave, rank
from proj.stored import take_trust
from proj.system import is_text, printable_output

# Of the processes that train together, one keeps the log and Hydra's notes.
QUIET = ["hydra.output_subdir=null", "hydra.job_logging.root.handlers=[screen]"]


def train(cfg: DictConfig) -> dict:
    """Train, test the best checkpoint, write metrics.json into `cfg.output_dir`; return the metrics.

    A folder that holds the checkpoint of a stopped run is continued from there.
    Raises UserError for what the user can mend.
    """
    from proj.lock import locked
    from proj.results import tells_why

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
            from proj.fast_dev_run import try_out

            return try_out(folder, cfg)
        if rank():
            return train_in(folder, cfg)
        with locked(folder), tells_why(folder):
            return train_in(folder, cfg)


def train_in(folder: Path, cfg: DictConfig) -> dict:
    """`train` in the run's folder, which no other process writes."""
    from lightning.pytorch import seed_everything

    from proj.atomic_write import remove_unfinished, write_atomically
    from proj.changes import refuse_changes, refuse_other_data, refuse_to_start_over
    from proj.checkpoint import contents
    from proj.curves import rewind_curves
    from proj.divergence import SkipNaN
    from proj.library_defaults import keep_freed_memory, quiet_lightning
    from proj.precision import set_precision
    from proj.processes import refuse_missing_devices, take_part
    from proj.results import figures, print_table, read_metrics, write_metrics
    from proj.resume import Resume, newest_checkpoint
    from proj.run_length import is_done

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
        metrics = read_metrics(folder) if is_done(state, cfg.trainer) else None
        asked = {"test/acc": cfg.test, "test/acc_tta": cfg.test and cfg.tta}
        if metrics and all(name in metrics for name, wanted in asked.items() if wanted):
            if rank() == 0:
                print(f"This run is finished; its figures are in {folder}/metrics.json.")
            return metrics
    seed_everything(cfg.seed, workers=True, verbose=False)

    data, model = build_data_and_model(cfg)
    shared = folder.parent if (folder.parent / "sweep.yaml").is_file() else folder  # by a sweep's jobs or by processes
    measured = shared / ".bfloat16.json"
    precision, reason = set_precision(config["trainer"]["precision"], model.network, cfg.trainer.accelerator, measured)
    config["trainer"]["precision"] = precision
    if state and cfg.trainer.precision == "auto":
        reason = "as before"
    if cfg.compile:
        compile_network(model.network)
    known = contents(config, data)
    if state:
        refuse_other_data(state["proj"], known, folder)
    if rank() == 0:
        write_atomically(folder / "config.yaml", OmegaConf.to_yaml(config).encode())
        remove_unfinished(folder, "*.ckpt")
        rewind_curves(folder, state["resume"]["lengths"] if state else {})
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
        write_metrics(folder, metrics)
        for callback in skip_nan:
            print(callback.summary(trainer.global_step))
        print_table(metrics, cfg.monitor)
    return metrics


def introduce(cfg: DictConfig, trainer, data, precision: str) -> None:
    """Print what is trained, on how many examples, where and in which numbers."""
    train, val, test = (f"{len(split.targets):,} {name}" for name, split in data.splits.items())
    print(f"{cfg.choices.model} on {cfg.choices.dataset}: {train}, {val}, {test} examples")
    print(f"on {trainer.strategy.root_device} in {precision}")


def build_data_and_model(cfg: DictConfig) -> tuple:
    """The datamodule with its data in memory, and the model for it."""
    data = build(cfg.dataset)
    data.prepare_data()
    data.setup()
    if cfg.tta and len(data.input_shape) != 3:
        raise UserError(f"tta=true moves images, and {cfg.choices.dataset} has none: leave it out.")
    model = build(
        cfg.model,
        input_shape=data.input_shape,
        num_classes=data.num_classes,
        optimizer=build(cfg.optimizer),
        scheduler=build({**cfg.scheduler, "_partial_": True}),
    )
    model.tta, model.monitor, model.mode = cfg.tta, cfg.monitor, cfg.mode
    return data, model


def build_trainer(folder: Path, cfg: DictConfig, data, precision: str, first: list, environment: list):
    """Lightning's Trainer. first: the callbacks before the configuration's."""
    from proj import fast_loop
    from proj.checkpoint import AtomicCheckpointIO
    from proj.curves import CURVES
    from proj.dashboard import Curves, hyperparameters
    from proj.run_length import batches_of_a_run

    callbacks = {name: build(callback) for name, callback in cfg.callbacks.items() if callback}
    callbacks["best"].dirpath = str(folder.absolute())
    if "dashboard" in callbacks:
        callbacks["dashboard"].hyperparameters = hyperparameters(cfg)
    trainer = build(
        cfg.trainer,
        precision=precision,
        callbacks=[*first, *callbacks.values()],
        logger=Curves(folder, name="", version="", default_hp_metric=False, filename_suffix=CURVES),
        plugins=[AtomicCheckpointIO(folder), *environment],
        default_root_dir=str(folder),
        enable_progress_bar="progress" in callbacks,
    )
    if cfg.trial:
        from proj.prune import Prune

        trainer.callbacks.append(Prune(folder.parent, cfg.monitor, **cfg.trial))
    if cfg.fast_loop:
        fast_loop.install(trainer)
    batches = batches_of_a_run(trainer, data)
    # A hundred points a run at least, also where it has few steps.
    trainer.log_every_n_steps = int(max(1, min(trainer.log_every_n_steps, batches // 100)))
    return trainer


def refuse_left_out(skipped: int, steps: int) -> int:
    """`skipped`. Raises UserError if the network has not taken most of its steps: that is no trained network."""
    if skipped > steps / 2:
        raise UserError(
            f"{skipped} of {steps} steps were left out because of NaN or infinite gradients, so the network is hardly "
            "trained: start a new run with a lower optimizer.lr or trainer.gradient_clip_val=1."
        )
    return skipped


def compile_network(network) -> None:
    """In place, so that the names of the weights stay. Raises UserError without a C++ compiler."""
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "g++"), "g++", "clang++", "cl")):
        raise UserError("compile=true needs a C++ compiler, and none is here: install g++, or leave it out.")
    network.compile()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def job(cfg: DictConfig) -> float | None:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        from proj.sweep_job import run_job

        return run_job(cfg)
    with sentences():  # here, since Hydra would add a line of its own
        return train(cfg)[cfg.monitor]


def main() -> None:
    printable_output()
    if rank() or os.environ.get("PROJ_PARENT") == str(os.getppid()):
        die_with_parent()
    folders = [word.removeprefix("resume=") for word in sys.argv[1:] if word.startswith("resume=")]
    trust = take_trust(sys.argv)
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(OmegaConf.load(CONF / "hydra" / "help" / "proj.yaml").template)  # Hydra composes first: twice the time
    elif folders:
        overrides = [word for word in sys.argv[1:] if not word.startswith(("resume=", "hydra."))]
        with sentences():
            train(stored_config(Path(folders[-1]), overrides, trust))
    else:
        sys.argv += QUIET if rank() else []
        run_hydra(job)
    leave()


if __name__ == "__main__":
    main()
