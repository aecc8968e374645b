"""What is known of each setting: its range, whether it may change when a run goes on, whether it tells runs apart."""

import math
import re
from collections.abc import Callable

from omegaconf import ListConfig

from proj.system.platform import RESERVED

# Settings that change no result: where files lie, how often a run is saved, how it is shown and started.
NO_MATTER = ("output_dir", "data_dir", "dataset.data_dir", "dataset.cache_dir", "dataset.memory_limit_mb", "save_every")
NO_MATTER += ("dataset.download",)
NO_MATTER += ("dataset.kind", "model.accepts")  # of older versions; now the classes say it themselves
NO_MATTER += ("fast_loop", "callbacks.progress", "callbacks.dashboard", "sweep_name", "isolate", "trial")

FREE = (*NO_MATTER, "callbacks.", "trainer.", "on_nan", "test", "tta")

FIXED = ("trainer.accumulate_grad_batches", "trainer.gradient_clip", "trainer.precision", "trainer.limit_train")
FIXED += ("trainer.sync_batchnorm", "trainer.overfit")

TOLD = ("choices", "dataset", "model", "optimizer", "scheduler", "trainer.max_epochs", "trainer.precision")


def whole(low: int) -> tuple[str, Callable]:
    return f"a whole number, {low} or more", lambda value: type(value) is int and value >= low


def between(low: float, high: float) -> tuple[str, Callable]:
    return f"a number above {low:g} and below {high:g}", lambda value: low < value < high


def at_least(low: float) -> tuple[str, Callable]:
    return f"a number, {low:g} or more", lambda value: value >= low


ABOVE_ZERO = "a number above 0", lambda value: value > 0

SHARE = "a number, 0 or more and below 1", lambda value: 0 <= value < 1


def is_size(value) -> bool:
    sides = list(value) if isinstance(value, ListConfig) and len(value) == 2 else [value]
    return all(type(side) is int and side > 0 for side in sides)


def is_list(value, above: float = -math.inf) -> bool:
    return bool(value) and all(type(one) in (int, float) and one > above for one in value)


SIZE = "a number of pixels, such as 64, or [height,width]", is_size


def is_steps(value) -> bool:
    return (
        bool(re.fullmatch(r"steps(/[1-9]\d*)?", value)) if isinstance(value, str) else type(value) is int and value > 0
    )


STEPS = "a whole number, 1 or more, or steps or steps/3 for the run's or a third of them", is_steps

RANGES: dict[str, tuple[str, Callable]] = {
    "seed": whole(0),
    "save_every": at_least(0),
    "dataset.batch_size": whole(1),
    "dataset.val_fraction": between(0, 1),
    "dataset.test_fraction": between(0, 1),
    "dataset.mean": ("a list of numbers, one a channel, such as [0.5]", is_list),
    "dataset.std": ("a list of numbers above 0, one a channel, such as [0.5]", lambda value: is_list(value, above=0)),
    "dataset.shift": whole(0),
    "dataset.size": SIZE,
    "dataset.channels": ("1 (grey) or 3 (colour)", lambda value: value in (1, 3)),
    "dataset.memory_limit_mb": at_least(0),
    "dataset.max_categories": whole(1),
    "model.stem": whole(0),
    "model.depth": whole(1),
    "model.kernel_size": whole(1),
    "model.padding": whole(0),
    "model.dropout": SHARE,
    "model.norm_momentum": between(0, 1),
    "model.loss.label_smoothing": SHARE,
    "optimizer.lr": ABOVE_ZERO,
    "optimizer.weight_decay": at_least(0),
    "optimizer.momentum": SHARE,
    "optimizer.bias_lr": ABOVE_ZERO,
    "optimizer.head_lr": ABOVE_ZERO,
    "scheduler.max_lr": ABOVE_ZERO,
    "scheduler.pct_start": between(0, 1),
    "scheduler.total_steps": STEPS,
    "scheduler.total_iters": STEPS,
    "scheduler.step_size": STEPS,
    "scheduler.T_max": STEPS,
    "sweep_name": (
        "a name of letters, digits and . _ -, of 80 at most and none that Windows keeps (con, nul …)",
        lambda value: bool(re.fullmatch(r"[\w.-]{,79}\w", value)) and not RESERVED.fullmatch(value),
    ),
    "mode": ("min or max", lambda value: value in ("min", "max")),
    "on_nan": ("stop or skip", lambda value: value in ("stop", "skip")),
}

KINDS = dict.fromkeys(("sweep_name", "mode", "on_nan"), str) | {"dataset.size": (int, ListConfig)}

KINDS |= dict.fromkeys(("dataset.mean", "dataset.std"), ListConfig)

KINDS |= {key: (int, str) for key, kind in RANGES.items() if kind is STEPS}

MONITORS = {"val/acc": "max", "val/loss": "min", "train/acc": "max", "train/loss": "min"}  # and which is best
