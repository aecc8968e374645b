"""What is known of each setting: its range, whether it may change when a run goes on, whether it tells runs apart.

This is the only place that says it: the checks, a run that goes on, the reports and the schema for editors read it, by
the functions of `policies.py`.
"""

from dataclasses import dataclass

from proj.config import ranges


@dataclass(frozen=True)
class Setting:
    """What is known of a setting. `resume` and `report` also hold for the settings below it that say nothing else.

    range: what its value may be; None where its default value tells the type.
    resume: when a run goes on, it is "fixed", "free" to change, or "scheduled", that is, fixed where the learning
    rate's schedule was laid out for it.
    report: it tells runs "apart"; is told "first", before others that tell the same; is a "seed" or a "fold", over
    which runs are averaged; or changes no result ("never").
    instead: what the user types instead, of a setting that this program sets itself.
    """

    range: ranges.Range | None = None
    resume: str | None = None
    report: str | None = None
    instead: str | None = None


def free(range: ranges.Range | None = None) -> Setting:
    """A setting that changes no result: where files lie, how often a run is saved, how it is shown and started."""
    return Setting(range, resume="free", report="never")


def reserved(instead: str, resume: str | None = None, report: str | None = None) -> Setting:
    """A setting that this program sets itself."""
    return Setting(None, resume, report, instead)


FOLDER = "the run's folder is hydra.run.dir=path/to/folder (a sweep's: hydra.sweep.dir=path/to/folder)"
HOW_OFTEN = "it saves after a validation, and trainer.val_check_interval=<{}> is how often"
SETTINGS: dict[str, Setting] = {
    "seed": Setting(ranges.SEED, report="seed"),
    "dataset.seed": Setting(ranges.SEED, report="seed"),
    "dataset.split_seed": Setting(ranges.SEED),
    "model.seed": Setting(report="seed"),
    "monitor": Setting(),
    "mode": Setting(ranges.one_of("min", "max")),
    "test": Setting(resume="free"),
    "tta": Setting(resume="free"),
    "balance": Setting(ranges.one_of("none", "loss", "sampling")),
    "threshold": Setting(ranges.THRESHOLD, resume="free"),
    "on_nan": Setting(ranges.one_of("stop", "skip"), resume="free"),
    "choices": Setting(report="first", instead="model=mlp, dataset=digits and so on choose an option"),
    "choices.augment": Setting(report="apart"),
    "output_dir": reserved(FOLDER, "free", "never"),
    "data_dir": free(ranges.PATH),
    "save_every": free(ranges.NOT_NEGATIVE),
    "fast_loop": free(),
    "sweep_name": free(ranges.SWEEP_NAME),
    "log": free(ranges.one_of("line", "full")),
    "isolate": free(),
    "trial": reserved("a search numbers its trials, -m hydra/sweeper=optuna", "free", "never"),
    "dataset": Setting(report="first"),
    "dataset.kind": free(),  # of older versions, as model.accepts; the classes say it themselves
    "dataset.data_dir": free(ranges.PATH),
    "dataset.cache_dir": free(ranges.PATH),
    "dataset.source.root": reserved("the data lies in data_dir=path/to/folder"),
    "dataset.source.train": reserved("both parts are read"),
    "dataset.source.download": reserved("what is missing is downloaded with dataset.download=true"),
    "dataset.download": free(),
    "dataset.memory_limit_mb": free(ranges.NOT_NEGATIVE),
    "dataset.batch_size": Setting(ranges.or_null(ranges.whole(1))),
    "dataset.val_fraction": Setting(ranges.PART),
    "dataset.test_fraction": Setting(ranges.PART),
    "dataset.folds": Setting(ranges.or_null(ranges.whole(2))),
    "dataset.fold": Setting(ranges.or_null(ranges.whole(0)), report="fold"),
    "dataset.group": Setting(ranges.GROUP),
    "dataset.identical": free(ranges.one_of("together", "apart")),  # the data's checksum tells where it matters
    "dataset.mean": Setting(ranges.or_null(ranges.NUMBERS)),
    "dataset.std": Setting(ranges.or_null(ranges.NUMBERS_ABOVE_ZERO)),
    "dataset.shift": Setting(ranges.whole(0)),
    "dataset.sizes": Setting(ranges.or_null(ranges.SIZES)),
    "dataset.augment.crop": Setting(ranges.PART_OR_ALL),
    "dataset.augment.rotate": Setting(ranges.DEGREES),
    "dataset.augment.brightness": Setting(ranges.SHARE),
    "dataset.augment.contrast": Setting(ranges.SHARE),
    "dataset.augment.saturation": Setting(ranges.SHARE),
    "dataset.augment.erase": Setting(ranges.UP_TO_1),
    "dataset.augment.mixup": Setting(ranges.UP_TO_1),
    "dataset.augment.cutmix": Setting(ranges.UP_TO_1),
    "dataset.size": Setting(ranges.SIZE),
    "dataset.channels": Setting(ranges.Range("1 (grey) or 3 (colour)", {"enum": [1, 3]})),
    "dataset.levels": Setting(ranges.or_null(ranges.LEVELS)),
    "dataset.max_pixels": Setting(ranges.or_null(ranges.whole(1))),
    "dataset.max_categories": Setting(ranges.whole(1)),
    "dataset.header": Setting(ranges.or_null(ranges.SWITCH)),
    "dataset.sheet": Setting(ranges.SHEET),
    "dataset.encoding": Setting(ranges.or_null(ranges.NAME)),
    "dataset.decimal": Setting(ranges.or_null(ranges.one_of("point", "comma"))),
    "dataset.numeric": Setting(ranges.or_null(ranges.COLUMNS)),
    "dataset.dates": Setting(ranges.or_null(ranges.COLUMNS)),
    "dataset.day_first": Setting(ranges.or_null(ranges.SWITCH)),
    "dataset.min_examples": Setting(ranges.or_null(ranges.whole(1))),
    "model": Setting(report="first"),
    "model.accepts": free(),
    "model.input_shape": reserved("the data says it"),
    "model.num_classes": reserved("the data says it"),
    "model.optimizer": reserved("optimizer=adam and optimizer.lr=0.01, say, choose it"),
    "model.scheduler": reserved("scheduler=cosine, say, chooses it"),
    "model.stem": Setting(ranges.or_null(ranges.whole(0))),
    "model.hidden": Setting(ranges.LAYERS),
    "model.widths": Setting(ranges.LAYERS),
    "model.depth": Setting(ranges.whole(1)),
    "model.kernel_size": Setting(ranges.whole(1)),
    "model.padding": Setting(ranges.whole(0)),
    "model.dropout": Setting(ranges.SHARE),
    "model.members": Setting(ranges.whole(1)),
    "model.width": Setting(ranges.or_null(ranges.whole(1))),
    "model.quantiles": reserved("the data says it"),
    "model.examples": reserved("the data says it"),
    "model.norm_momentum": Setting(ranges.PART),
    "model.backbone": Setting(ranges.NAME),
    "model.train": Setting(ranges.one_of("head", "all")),
    "model.views": Setting(ranges.whole(1)),
    "model.layer_decay": Setting(ranges.PART_OR_ALL),
    "model.size": Setting(ranges.or_null(ranges.whole(1))),
    "model.cache_dir": free(ranges.or_null(ranges.PATH)),
    "model.loss.label_smoothing": Setting(ranges.SHARE),
    "model.loss.weight": Setting(ranges.WEIGHTS),
    "optimizer": Setting(report="first"),
    "optimizer.lr": Setting(ranges.ABOVE_ZERO),
    "optimizer.weight_decay": Setting(ranges.NOT_NEGATIVE),
    "optimizer.momentum": Setting(ranges.SHARE),
    "optimizer.adam_lr": Setting(ranges.or_null(ranges.ABOVE_ZERO)),
    "optimizer.bias_lr": Setting(ranges.ABOVE_ZERO),
    "optimizer.head_lr": Setting(ranges.ABOVE_ZERO),
    "optimizer.fused": Setting(ranges.or_null(ranges.SWITCH)),
    "scheduler": Setting(report="first"),
    "scheduler.max_lr": Setting(ranges.ABOVE_ZERO),
    "scheduler.pct_start": Setting(ranges.PART),
    "scheduler.total_steps": Setting(ranges.STEPS),
    "scheduler.total_iters": Setting(ranges.STEPS),
    "scheduler.step_size": Setting(ranges.STEPS),
    "scheduler.T_max": Setting(ranges.STEPS),
    "scheduler.patience": Setting(ranges.whole(0)),
    "callbacks": Setting(resume="free"),
    "callbacks.progress": free(),
    "callbacks.dashboard": free(),
    "callbacks.average.decay": Setting(ranges.SHARE),
    "callbacks.average.update_every_n_steps": Setting(ranges.whole(1)),
    # callbacks.best is Lightning's ModelCheckpoint.
    "callbacks.best.dirpath": Setting(report="never", instead=FOLDER),
    "callbacks.best.every_n_train_steps": reserved(HOW_OFTEN.format("batches")),
    "callbacks.best.train_time_interval": reserved(HOW_OFTEN.format("time")),
    "callbacks.best.save_weights_only": reserved("a checkpoint holds all that it takes to use it"),
    "callbacks.best.save_on_exception": reserved("a run that is stopped saves last.ckpt, and best.ckpt stays the best"),
    "callbacks.best.filename": Setting(ranges.or_null(ranges.NAME)),
    "callbacks.best.save_top_k": Setting(ranges.WHOLE_OR_ALL),
    "callbacks.best.every_n_epochs": Setting(ranges.or_null(ranges.whole(1))),
    "callbacks.best.save_last": Setting(ranges.or_null(ranges.SWITCH)),
    "callbacks.best.save_on_train_epoch_end": Setting(ranges.or_null(ranges.SWITCH)),
    "callbacks.best.verbose": Setting(ranges.SWITCH),
    "callbacks.best.auto_insert_metric_name": Setting(ranges.SWITCH),
    "callbacks.best.enable_version_counter": Setting(ranges.SWITCH),
    "logger": free(),
    **{f"logger.{name}.save_dir": reserved(FOLDER) for name in ("tensorboard", "csv", "mlflow", "wandb")},
    # All arguments of Lightning's Trainer.
    "trainer": Setting(resume="free"),
    "trainer.accelerator": Setting(ranges.NAME),
    "trainer.devices": Setting(ranges.DEVICES, report="never"),  # how many processes there are, the report tells itself
    "trainer.num_nodes": Setting(ranges.whole(1)),
    "trainer.strategy": Setting(ranges.NAME),
    "trainer.precision": Setting(ranges.PRECISION, resume="fixed", report="first"),
    "trainer.max_epochs": Setting(ranges.EPOCHS, resume="scheduled", report="first"),
    "trainer.min_epochs": Setting(ranges.or_null(ranges.whole(0))),
    "trainer.max_steps": Setting(ranges.WHOLE_OR_NO_LIMIT, resume="scheduled"),
    "trainer.min_steps": Setting(ranges.or_null(ranges.whole(0))),
    "trainer.max_time": Setting(ranges.or_null(ranges.DURATION)),
    "trainer.limit_train_batches": Setting(ranges.or_null(ranges.BATCHES), resume="fixed"),
    "trainer.limit_val_batches": Setting(ranges.or_null(ranges.BATCHES)),
    "trainer.limit_test_batches": Setting(ranges.or_null(ranges.BATCHES)),
    "trainer.limit_predict_batches": Setting(ranges.or_null(ranges.NOT_NEGATIVE)),
    "trainer.overfit_batches": Setting(ranges.OVERFIT, resume="fixed"),
    "trainer.fast_dev_run": Setting(ranges.TRIES),
    "trainer.val_check_interval": Setting(ranges.or_null(ranges.INTERVAL)),
    "trainer.check_val_every_n_epoch": Setting(ranges.or_null(ranges.whole(1))),
    "trainer.num_sanity_val_steps": Setting(ranges.or_null(ranges.whole(-1))),
    "trainer.log_every_n_steps": Setting(ranges.or_null(ranges.whole(1))),
    "trainer.accumulate_grad_batches": Setting(ranges.whole(1), resume="fixed"),
    "trainer.gradient_clip_val": Setting(ranges.or_null(ranges.NOT_NEGATIVE), resume="fixed"),
    "trainer.gradient_clip_algorithm": Setting(ranges.or_null(ranges.one_of("norm", "value")), resume="fixed"),
    "trainer.deterministic": Setting(ranges.or_null(ranges.DETERMINISTIC)),
    "trainer.benchmark": Setting(ranges.or_null(ranges.SWITCH)),
    "trainer.inference_mode": Setting(ranges.SWITCH),
    "trainer.use_distributed_sampler": Setting(ranges.SWITCH),
    "trainer.sync_batchnorm": Setting(ranges.SWITCH, resume="fixed"),
    "trainer.reload_dataloaders_every_n_epochs": Setting(ranges.whole(0)),
    "trainer.profiler": Setting(ranges.or_null(ranges.one_of("simple", "advanced", "pytorch"))),
    "trainer.detect_anomaly": Setting(ranges.SWITCH),
    "trainer.enable_model_summary": Setting(ranges.or_null(ranges.SWITCH)),
    "trainer.enable_autolog_hparams": Setting(ranges.SWITCH),
    "trainer.barebones": reserved(
        "it leaves out what every run here needs: trainer.fast_dev_run=true tries a run that leaves nothing"
    ),
    "trainer.callbacks": reserved("+callbacks.<name>._target_=<class> adds one, ~callbacks.<name> leaves one out"),
    "trainer.default_root_dir": reserved(FOLDER),
    "trainer.enable_checkpointing": reserved("the checkpoints are those of callbacks.best and of save_every=<seconds>"),
    "trainer.enable_progress_bar": reserved("~callbacks.progress leaves the bar out"),
    "trainer.logger": reserved("logger=csv, logger=[tensorboard,mlflow] and so on choose where the curves go"),
    "trainer.model_registry": reserved("a run's checkpoints stay in its folder, hydra.run.dir=path/to/folder"),
    "trainer.plugins": reserved("trainer.precision=… and trainer.strategy=… choose how and where a run computes"),
    "hydra.job.chdir": reserved(
        "a run starts where its command is typed, and hydra.run.dir=path/to/folder is its folder"
    ),
    "hydra.runtime": reserved(FOLDER),
    "hydra.sweep.subdir": reserved(
        "a job's folder is named by its number and settings, in hydra.sweep.dir=path/to/folder"
    ),
}
