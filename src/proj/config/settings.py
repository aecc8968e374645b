"""What is known of each setting: its range, whether it may change when a run goes on, whether it tells runs apart.

This is the only place that says it: the checks, a run that goes on, the reports and the schema for editors read it.
"""

from dataclasses import dataclass
from functools import cache

from proj.config.ranges import (
    ABOVE_ZERO,
    BATCHES,
    DETERMINISTIC,
    DEVICES,
    DURATION,
    EPOCHS,
    INTERVAL,
    NAME,
    NUMBERS,
    NUMBERS_ABOVE_ZERO,
    OVERFIT,
    PRECISION,
    SHARE,
    SIZE,
    STEPS,
    SWEEP_NAME,
    SWITCH,
    TRIES,
    WHOLE_OR_ALL,
    WHOLE_OR_NO_LIMIT,
    Range,
    at_least,
    between,
    one_of,
    or_null,
    whole,
)


@dataclass(frozen=True)
class Setting:
    """What is known of a setting. `resume` and `report` also hold for the settings below it that say nothing else.

    range: what its value may be; None where its default value tells the type.
    resume: when a run goes on, it is "fixed", "free" to change, or "scheduled", that is, fixed where the learning
    rate's schedule was laid out for it.
    report: it tells runs "apart"; is told "first", before others that tell the same; is a "seed", over which runs are
    averaged; or changes no result ("never").
    own: what the user types instead, of a setting that this program sets itself.
    """

    range: Range | None = None
    resume: str | None = None
    report: str | None = None
    own: str | None = None


def free(range: Range | None = None) -> Setting:
    """A setting that changes no result: where files lie, how often a run is saved, how it is shown and started."""
    return Setting(range, resume="free", report="never")


def own(instead: str) -> Setting:
    return Setting(own=instead)


FOLDER = "the run's folder is hydra.run.dir=path/to/folder"
SETTINGS: dict[str, Setting] = {
    "seed": Setting(whole(0), report="seed"),
    "dataset.seed": Setting(report="seed"),
    "model.seed": Setting(report="seed"),
    "monitor": Setting(),
    "mode": Setting(one_of("min", "max")),
    "test": Setting(resume="free"),
    "tta": Setting(resume="free"),
    "on_nan": Setting(one_of("stop", "skip"), resume="free"),
    "choices": Setting(report="first"),
    "output_dir": free(),
    "data_dir": free(),
    "save_every": free(at_least(0)),
    "fast_loop": free(),
    "sweep_name": free(SWEEP_NAME),
    "isolate": free(),
    "trial": free(),
    "dataset": Setting(report="first"),
    "dataset.data_dir": free(),
    "dataset.cache_dir": free(),
    "dataset.download": free(),
    "dataset.memory_limit_mb": free(at_least(0)),
    "dataset.batch_size": Setting(whole(1)),
    "dataset.val_fraction": Setting(between(0, 1)),
    "dataset.test_fraction": Setting(between(0, 1)),
    "dataset.mean": Setting(or_null(NUMBERS)),
    "dataset.std": Setting(or_null(NUMBERS_ABOVE_ZERO)),
    "dataset.shift": Setting(whole(0)),
    "dataset.size": Setting(SIZE),
    "dataset.channels": Setting(Range("1 (grey) or 3 (colour)", {"enum": [1, 3]})),
    "dataset.max_categories": Setting(whole(1)),
    "model": Setting(report="first"),
    "model.stem": Setting(whole(0)),
    "model.depth": Setting(whole(1)),
    "model.kernel_size": Setting(whole(1)),
    "model.padding": Setting(whole(0)),
    "model.dropout": Setting(SHARE),
    "model.norm_momentum": Setting(between(0, 1)),
    "model.loss.label_smoothing": Setting(SHARE),
    "optimizer": Setting(report="first"),
    "optimizer.lr": Setting(ABOVE_ZERO),
    "optimizer.weight_decay": Setting(at_least(0)),
    "optimizer.momentum": Setting(SHARE),
    "optimizer.bias_lr": Setting(ABOVE_ZERO),
    "optimizer.head_lr": Setting(ABOVE_ZERO),
    "optimizer.fused": Setting(or_null(SWITCH)),
    "scheduler": Setting(report="first"),
    "scheduler.max_lr": Setting(ABOVE_ZERO),
    "scheduler.pct_start": Setting(between(0, 1)),
    "scheduler.total_steps": Setting(STEPS),
    "scheduler.total_iters": Setting(STEPS),
    "scheduler.step_size": Setting(STEPS),
    "scheduler.T_max": Setting(STEPS),
    "callbacks": Setting(resume="free"),
    "callbacks.progress": free(),
    "callbacks.dashboard": free(),
    # callbacks.best is Lightning's ModelCheckpoint.
    "callbacks.best.dirpath": Setting(report="never", own=FOLDER),
    "callbacks.best.every_n_train_steps": own(
        "it saves after a validation, and trainer.val_check_interval=<batches> is how often"
    ),
    "callbacks.best.train_time_interval": own(
        "it saves after a validation, and trainer.val_check_interval=<time> is how often"
    ),
    "callbacks.best.save_weights_only": own("a checkpoint holds all that it takes to use it"),
    "callbacks.best.filename": Setting(or_null(NAME)),
    "callbacks.best.save_top_k": Setting(WHOLE_OR_ALL),
    "callbacks.best.every_n_epochs": Setting(or_null(whole(1))),
    "callbacks.best.save_last": Setting(or_null(SWITCH)),
    "callbacks.best.save_on_train_epoch_end": Setting(or_null(SWITCH)),
    "callbacks.best.verbose": Setting(SWITCH),
    "callbacks.best.auto_insert_metric_name": Setting(SWITCH),
    "callbacks.best.enable_version_counter": Setting(SWITCH),
    # All arguments of Lightning's Trainer.
    "trainer": Setting(resume="free"),
    "trainer.accelerator": Setting(NAME),
    "trainer.devices": Setting(DEVICES, report="never"),  # how many processes there are, the report tells itself
    "trainer.num_nodes": Setting(whole(1)),
    "trainer.strategy": Setting(NAME),
    "trainer.precision": Setting(PRECISION, resume="fixed", report="first"),
    "trainer.max_epochs": Setting(EPOCHS, resume="scheduled", report="first"),
    "trainer.min_epochs": Setting(or_null(whole(0))),
    "trainer.max_steps": Setting(WHOLE_OR_NO_LIMIT, resume="scheduled"),
    "trainer.min_steps": Setting(or_null(whole(0))),
    "trainer.max_time": Setting(or_null(DURATION)),
    "trainer.limit_train_batches": Setting(or_null(BATCHES), resume="fixed"),
    "trainer.limit_val_batches": Setting(or_null(BATCHES)),
    "trainer.limit_test_batches": Setting(or_null(BATCHES)),
    "trainer.limit_predict_batches": Setting(or_null(at_least(0))),
    "trainer.overfit_batches": Setting(OVERFIT, resume="fixed"),
    "trainer.fast_dev_run": Setting(TRIES),
    "trainer.val_check_interval": Setting(or_null(INTERVAL)),
    "trainer.check_val_every_n_epoch": Setting(or_null(whole(1))),
    "trainer.num_sanity_val_steps": Setting(or_null(whole(-1))),
    "trainer.log_every_n_steps": Setting(or_null(whole(1))),
    "trainer.accumulate_grad_batches": Setting(whole(1), resume="fixed"),
    "trainer.gradient_clip_val": Setting(or_null(at_least(0)), resume="fixed"),
    "trainer.gradient_clip_algorithm": Setting(or_null(one_of("norm", "value")), resume="fixed"),
    "trainer.deterministic": Setting(or_null(DETERMINISTIC)),
    "trainer.benchmark": Setting(or_null(SWITCH)),
    "trainer.inference_mode": Setting(SWITCH),
    "trainer.use_distributed_sampler": Setting(SWITCH),
    "trainer.sync_batchnorm": Setting(SWITCH, resume="fixed"),
    "trainer.reload_dataloaders_every_n_epochs": Setting(whole(0)),
    "trainer.profiler": Setting(or_null(one_of("simple", "advanced", "pytorch"))),
    "trainer.detect_anomaly": Setting(SWITCH),
    "trainer.enable_model_summary": Setting(or_null(SWITCH)),
    "trainer.enable_autolog_hparams": Setting(SWITCH),
    "trainer.barebones": own(
        "it leaves out what every run here needs: trainer.fast_dev_run=true tries a run that leaves nothing"
    ),
    "trainer.callbacks": own("+callbacks.<name>._target_=<class> adds one, ~callbacks.<name> leaves one out"),
    "trainer.default_root_dir": own(FOLDER),
    "trainer.enable_checkpointing": own("the checkpoints are those of callbacks.best and of save_every=<seconds>"),
    "trainer.enable_progress_bar": own("~callbacks.progress leaves the bar out"),
    "trainer.logger": own("the curves are in the run's folder, where tensorboard --logdir finds them"),
    "trainer.model_registry": own("a run's checkpoints stay in its folder, hydra.run.dir=path/to/folder"),
    "trainer.plugins": own("trainer.precision=… and trainer.strategy=… choose how and where a run computes"),
}
OTHERS = Setting(resume="fixed", report="apart")  # such as an argument of a model of one's own

SEEDS = [key for key, one in SETTINGS.items() if one.report == "seed"]
MONITORS = {"val/acc": "max", "val/loss": "min", "train/acc": "max", "train/loss": "min"}  # and which is best


@cache
def policy(key: str) -> Setting:
    """What is known of a setting, by its own line or, for `resume` and `report`, by the nearest one above it."""
    parts = key.split(".")
    above = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    lines = [*(SETTINGS[name] for name in above if name in SETTINGS), OTHERS]
    itself = SETTINGS.get(key, OTHERS)
    resume, report = (
        next(value for line in lines if (value := getattr(line, field))) for field in ("resume", "report")
    )
    return Setting(itself.range, resume, report, itself.own)


def below(place: str) -> dict[str, Setting]:
    """The settings that the table has directly below one, such as trainer, by their names there."""
    start = len(place) + 1
    return {key[start:]: one for key, one in SETTINGS.items() if key.startswith(f"{place}.") and "." not in key[start:]}


def refusal(key: str) -> str:
    """The sentence for a setting that the program sets itself."""
    return f"{key} is set by this program: {SETTINGS[key].own}."


def plain(word: str) -> str:
    """A word of the command line, less the plus before an argument of the Trainer's, which conf/ names or refuses."""
    key = word.partition("=")[0]
    return word[1:] if key.startswith("+trainer.") and policy(key[1:]).range else word
