"""The table of settings: the range of each, whether it may change when a run goes on, how a report treats it.

It is the only place that says so. The functions at its end look settings up for checks, resume, reports and editors.
"""

from functools import cache
from itertools import accumulate

from proj.config.settings import ranges
from proj.config.settings.lightning import SETTINGS_OF_LIGHTNING
from proj.config.settings.setting import FOLDER, Setting, free, reserved

SETTINGS: dict[str, Setting] = {
    "seed": Setting(ranges.SEED, report="seed"),
    "dataset.seed": Setting(ranges.SEED, report="seed"),
    "dataset.split_seed": Setting(ranges.SEED),
    "model.seed": Setting(report="seed"),
    "monitor": Setting(),
    "mode": Setting(ranges.one_of("min", "max")),
    "test": free(),
    "tta": free(),
    "balance": Setting(ranges.one_of("none", "loss", "sampling")),
    "threshold": Setting(ranges.THRESHOLD, resume="free"),
    "on_nan": Setting(ranges.one_of("stop", "skip"), resume="free"),
    "choices": Setting(report="first", instead="model=mlp, dataset=digits and so on choose an option"),
    "choices.augment": Setting(report="apart"),
    "output_dir": reserved(FOLDER, "free", "never"),
    "data_dir": free(ranges.FILES),
    "save_every": free(ranges.NOT_NEGATIVE),
    "fast_loop": free(),
    "sweep_name": free(ranges.SWEEP_NAME),
    "log": free(ranges.one_of("line", "full")),
    "isolate": free(),
    "trial": reserved("a search numbers its trials, -m hydra/sweeper=optuna", "free", "never"),
    "dataset": Setting(report="first"),
    "dataset.kind": free(),  # older versions wrote this and model.accepts, which are now attributes of the classes
    "dataset.data_dir": free(ranges.FILES),
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
    "dataset.order": Setting(ranges.COLUMN),
    "dataset.split": Setting(ranges.COLUMN),
    "dataset.labels": free(ranges.or_null(ranges.PATH)),  # if it matters, the data's checksum differs too
    "dataset.identical": free(ranges.one_of("together", "apart")),  # as above
    "dataset.mean": Setting(ranges.or_null(ranges.NUMBERS)),
    "dataset.std": Setting(ranges.or_null(ranges.NUMBERS_ABOVE_ZERO)),
    "dataset.flip": Setting(ranges.SWITCH),
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
    "dataset.text": Setting(ranges.or_null(ranges.COLUMNS)),
    "dataset.max_words": Setting(ranges.whole(1)),
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
    "model.depth": Setting(ranges.DEPTH),
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
    "scheduler.last_epoch": reserved("a run that was stopped goes on with resume=<folder>"),
    "scheduler.max_lr": Setting(ranges.ABOVE_ZERO),
    "scheduler.pct_start": Setting(ranges.PART),
    "scheduler.total_steps": Setting(ranges.STEPS),
    "scheduler.total_iters": Setting(ranges.STEPS),
    "scheduler.step_size": Setting(ranges.STEPS),
    "scheduler.T_max": Setting(ranges.STEPS),
    "scheduler.patience": Setting(ranges.whole(0)),
    "scheduler.cooldown": Setting(ranges.whole(0)),
    "scheduler.gamma": Setting(ranges.ABOVE_ZERO),
    "scheduler.factor": Setting(ranges.UP_TO_1),
    "scheduler.eta_min": Setting(ranges.NOT_NEGATIVE),
    "scheduler.min_lr": Setting(ranges.NOT_NEGATIVE),
    "scheduler.div_factor": Setting(ranges.ABOVE_ZERO),
    "scheduler.final_div_factor": Setting(ranges.ABOVE_ZERO),
    "scheduler.base_momentum": Setting(ranges.SHARE),
    "scheduler.max_momentum": Setting(ranges.SHARE),
    "callbacks": Setting(resume="free"),
    "callbacks.progress": free(),
    "callbacks.dashboard": free(),
    "callbacks.average.decay": Setting(ranges.SHARE),
    "callbacks.average.update_every_n_steps": Setting(ranges.whole(1)),
    "callbacks.average.update_starting_at_step": Setting(ranges.or_null(ranges.whole(0))),
    "callbacks.average.update_starting_at_epoch": Setting(ranges.or_null(ranges.whole(0))),
    "callbacks.average.use_buffers": Setting(ranges.SWITCH),
    "callbacks.average.device": Setting(ranges.or_null(ranges.NAME)),
    "logger": free(),
    **{f"logger.{name}.save_dir": reserved(FOLDER) for name in ("tensorboard", "csv", "mlflow", "wandb")},
    "logger.csv.flush_logs_every_n_steps": free(ranges.whole(1)),
    **{f"logger.csv.{name}": reserved(FOLDER) for name in ("name", "version")},
    "hydra.job.chdir": reserved(
        "a run starts where its command is typed, and hydra.run.dir=path/to/folder is its folder"
    ),
    "hydra.runtime": reserved(FOLDER),
    "hydra.launcher.backend": reserved("joblib's launcher always starts processes"),
    "hydra.sweep.subdir": reserved(
        "a job's folder is named by its number and settings, in hydra.sweep.dir=path/to/folder"
    ),
    **SETTINGS_OF_LIGHTNING,
}
OTHERS = Setting(resume="fixed", report="apart")  # for settings without a line, such as one of the user's own model


def with_above(key: str) -> list[str]:
    """The keys of a setting and of those above it, from the top: trainer, trainer.precision."""
    return list(accumulate(key.split("."), "{}.{}".format))


@cache
def policy(key: str) -> Setting:
    """What is known of a setting: its own line, with `resume` and `report` from the nearest line that has them."""
    nearest_first = [SETTINGS[name] for name in reversed(with_above(key)) if name in SETTINGS]
    itself = SETTINGS.get(key, OTHERS)
    resume = next((line.resume for line in nearest_first if line.resume), OTHERS.resume)
    report = next((line.report for line in nearest_first if line.report), OTHERS.report)
    return Setting(itself.range, resume, report, itself.instead)


@cache
def below(place: str) -> dict[str, Setting]:
    """The lines of the table for the settings directly below `place`, such as trainer, by their last names."""
    start = len(place) + 1
    lines = ((key[start:], line) for key, line in SETTINGS.items() if key.startswith(f"{place}."))
    return {name: line for name, line in lines if "." not in name}


def refusal(key: str) -> str:
    """The sentence for a setting that the program sets itself."""
    return f"{key} is set by this program: {SETTINGS[key].instead}."
