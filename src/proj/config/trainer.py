"""What `trainer.…` takes: the arguments of Lightning's Trainer and their values, less what the program sets itself."""

import re
from collections.abc import Callable

from omegaconf import DictConfig, ListConfig

OWN = {
    "barebones": "it leaves out what every run here needs: trainer.fast_dev_run=true tries a run that leaves nothing",
    "callbacks": "+callbacks.<name>._target_=<class> adds one, ~callbacks.<name> leaves one out",
    "default_root_dir": "the run's folder is hydra.run.dir=path/to/folder",
    "enable_checkpointing": "the checkpoints are those of callbacks.best and of save_every=<seconds>",
    "enable_progress_bar": "~callbacks.progress leaves the bar out",
    "logger": "the curves are in the run's folder, where tensorboard --logdir finds them",
    "model_registry": "a run's checkpoints stay in its folder, hydra.run.dir=path/to/folder",
    "plugins": "trainer.precision=… and trainer.strategy=… choose how and where a run computes",
}  # an argument of the Trainer's that the program sets -> what does here what the user wants


def is_number(value) -> bool:
    return type(value) in (int, float)


def is_whole(value, low: int) -> bool:
    return type(value) is int and value >= low


def is_duration(value) -> bool:
    """Days:hours:minutes:seconds, or a mapping such as {hours: 1}, above zero."""
    if isinstance(value, DictConfig):
        units = ("weeks", "days", "hours", "minutes", "seconds")
        return all(unit in units and is_number(n) and n >= 0 for unit, n in value.items()) and any(value.values())
    return (
        isinstance(value, str)
        and bool(re.fullmatch(r"\d+(:[0-5]\d){3}|\d+:\d\d(:\d\d){2}", value))
        and value.strip("0:") != ""
    )


def is_devices(value) -> bool:
    if isinstance(value, ListConfig):
        return len(value) > 0 and all(is_whole(device, 0) for device in value)
    return value == -1 or is_whole(value, 1) or bool(re.fullmatch(r"auto|-1|\d+(,\d*)+", str(value)))


Range = tuple[str, Callable[..., bool]]  # in words, and whether a value is in it


def whole(low: int) -> Range:
    return f"a whole number, {low} or more", lambda value: is_whole(value, low)


def one_of(*words: str) -> Range:
    return f"{', '.join(words[:-1])} or {words[-1]}", lambda value: value in words and isinstance(value, str)


def or_null(one: Range) -> Range:
    return f"{one[0]}, or null", lambda value: value is None or one[1](value)


SWITCH: Range = "true or false", lambda value: isinstance(value, bool)
TEXT: Range = "a name", lambda value: isinstance(value, str)
DURATION = "days:hours:minutes:seconds, such as 00:01:30:00, or {hours:1}"
BATCHES: Range = (
    "a number above 0: 1 or another whole number is that many batches, 1.0 or less a share of them",
    lambda value: is_whole(value, 1) or (type(value) is float and (0 < value <= 1 or value.is_integer()) and value > 0),
)

RANGES: dict[str, Range] = {
    "accelerator": TEXT,
    "devices": ("auto, a number of devices, 1 or more, or a list of them such as [0,1]", is_devices),
    "num_nodes": whole(1),
    "strategy": TEXT,
    "precision": (
        "auto, 32-true, bf16-mixed or another precision of Lightning's",
        lambda value: isinstance(value, str) or value in (16, 32, 64),
    ),
    "max_epochs": (
        "a whole number, 1 or more; -1 where trainer.max_steps or trainer.max_time is the end",
        lambda value: value in (-1, None) or is_whole(value, 1),
    ),
    "min_epochs": or_null(whole(0)),
    "max_steps": ("a whole number, 1 or more, or -1 for no limit", lambda value: value == -1 or is_whole(value, 1)),
    "min_steps": or_null(whole(0)),
    "max_time": or_null((DURATION, is_duration)),
    "limit_train_batches": or_null(BATCHES),
    "limit_val_batches": or_null(BATCHES),
    "limit_test_batches": or_null(BATCHES),
    "limit_predict_batches": or_null(("a number, 0 or more", lambda value: is_number(value) and value >= 0)),
    "overfit_batches": (
        "0 for no limit, " + BATCHES[0],
        lambda value: is_number(value) and (value == 0 or BATCHES[1](value)),
    ),
    "fast_dev_run": ("true, false or a number of batches", lambda value: isinstance(value, bool) or is_whole(value, 0)),
    "val_check_interval": or_null(
        (
            f"a share of an epoch, a number of batches, or a time ({DURATION})",
            lambda value: BATCHES[1](value) or is_duration(value),
        )
    ),
    "check_val_every_n_epoch": or_null(whole(1)),
    "num_sanity_val_steps": or_null(whole(-1)),
    "log_every_n_steps": or_null(whole(1)),
    "accumulate_grad_batches": whole(1),
    "gradient_clip_val": or_null(("a number, 0 or more", lambda value: is_number(value) and value >= 0)),
    "gradient_clip_algorithm": or_null(one_of("norm", "value")),
    "deterministic": or_null(("true, false or warn", lambda value: isinstance(value, bool) or value == "warn")),
    "benchmark": or_null(SWITCH),
    "inference_mode": SWITCH,
    "use_distributed_sampler": SWITCH,
    "sync_batchnorm": SWITCH,
    "reload_dataloaders_every_n_epochs": whole(0),
    "profiler": or_null(one_of("simple", "advanced", "pytorch")),
    "detect_anomaly": SWITCH,
    "enable_model_summary": or_null(SWITCH),
    "enable_autolog_hparams": SWITCH,
}


OWN_OF_BEST = {
    "dirpath": "the run's folder is hydra.run.dir=path/to/folder",
    "every_n_train_steps": "it saves after a validation, and trainer.val_check_interval=<batches> is how often",
    "save_weights_only": "a checkpoint holds all that it takes to use it",
    "train_time_interval": "it saves after a validation, and trainer.val_check_interval=<time> is how often",
}  # the same for ModelCheckpoint, which is callbacks.best
RANGES_OF_BEST: dict[str, Range] = {
    "filename": or_null(("a name", lambda value: isinstance(value, str) and value != "")),
    "save_top_k": ("a whole number, 1 or more, or -1 for all", lambda value: value == -1 or is_whole(value, 1)),
    "every_n_epochs": or_null(whole(1)),
    "save_last": or_null(SWITCH),
    "save_on_train_epoch_end": or_null(SWITCH),
    "verbose": SWITCH,
    "auto_insert_metric_name": SWITCH,
    "enable_version_counter": SWITCH,
}


def refusal(key: str) -> str:
    """The sentence for an argument of the Trainer's that the program sets itself."""
    return f"trainer.{key} is set by this program: {OWN[key]}."


def plain(word: str) -> str:
    """A word of the command line, less the plus before an argument of the Trainer's, which conf/ names or refuses."""
    key = word.partition("=")[0]
    return word[1:] if re.match(r"\+trainer\.", key) and key[9:] in RANGES else word
