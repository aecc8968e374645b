"""Refuses values that are out of their range, and values that contradict each other."""

import ast
from importlib.util import find_spec
from pathlib import PureWindowsPath

from omegaconf import DictConfig, OmegaConf

from proj.config.check_types import check_annotations, check_each, check_type, is_of_own_class
from proj.config.declared import OF_ONE_CLASS, TAKE_SEVERAL, named_arguments, parts_with_a_class, target_of
from proj.config.monitors import check_monitors
from proj.config.settings.table import SETTINGS, below, policy, refusal
from proj.config.words import EMPTY
from proj.errors import UserError, choose, nearest

# The names that the settings of this project's models may have for a value.
NAMES = {
    "activation": ("ELU", "GELU", "LeakyReLU", "Mish", "ReLU", "SELU", "SiLU", "Sigmoid", "Softplus", "Tanh"),
    "norm": ("batch", "none"),
    "pool_after": ("first", "last"),
    "head": ("max", "average", "flatten"),
    "init": ("default", "dirac"),
}
NEEDS = {"proj.training.services.MLflow": "mlflow", "proj.training.services.WandB": "wandb"}
# Lightning's callbacks that need attributes which the models here do not have, and what to use instead.
UNFIT = {
    "LearningRateFinder": "a search finds one, -m hydra/sweeper=optuna 'optimizer.lr=tag(log,interval(1e-4,1e-1))'",
    "StochasticWeightAveraging": "callbacks=average validates and keeps the average of the weights",
    "BackboneFinetuning": "model=pretrained trains a new head, with model.train=all all of the network",
}
# Callbacks whose arguments are listed in the table of settings.
LISTED = {"callbacks.best": "lightning.pytorch.callbacks.ModelCheckpoint", "callbacks.average": ".EMAWeightAveraging"}


def check_parts(cfg: DictConfig) -> None:
    """Raises UserError if a script has set `cfg.model = "cnn"`, say: only a word, `model=cnn`, chooses an option."""
    for group in (*OF_ONE_CLASS, *TAKE_SEVERAL):
        part = cfg[group]
        if isinstance(part, str) or (part is None and group not in TAKE_SEVERAL):
            option = part or ("none" if group in EMPTY else "…")
            raise UserError(
                f"cfg.{group} = {part!r} does not choose an option: type configure('{group}={option}') instead."
            )


def check_changes(cfg: DictConfig, now: dict, composed: dict, place: str = "") -> None:
    """Raises UserError for a value that a script has set, if it is of another kind than the composed one: the text "no"
    for `cfg.test` would count as true.

    now, composed: the values of `cfg`, and those that `configure` gave it; or those of the mapping `place` in them.
    """
    for name, value in now.items():
        key, before = f"{place}{name}", composed.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            check_changes(cfg, value, before, f"{key}.")
        elif (value, type(value)) != (before, type(before)) and name in composed and not is_of_own_class(key, cfg):
            text_for_list = isinstance(before, list) and isinstance(value, str)
            if value is None or isinstance(before, bool) or text_for_list:  # `check_ranges` refuses others
                check_type(key, value, before)


def check_ranges(cfg: DictConfig) -> None:
    """Raises UserError for a value out of its range, and for settings that do not go together."""
    check_each(cfg, [key for key in SETTINGS if not key.startswith(("trainer.", "callbacks."))])
    check_folds(cfg.dataset)
    check_order(cfg.dataset)
    check_trainer(cfg.trainer)
    check_callbacks(cfg)
    check_monitors(cfg)
    check_annotations(cfg)
    check_names(cfg.model)
    for place, node in parts_with_a_class(cfg).items():
        library, named = NEEDS.get(target_of(node)), place.replace(".", "=")
        if library and not find_spec(library):
            raise UserError(f"{named} needs a library that is not installed: pip install 'proj[{library}]'")
    if cfg.on_nan == "skip" and str(cfg.trainer.precision).startswith("16"):
        raise UserError(
            f"trainer.precision={cfg.trainer.precision} already skips steps with NaN gradients: leave on_nan=skip out."
        )
    optimizer = cfg.optimizer
    if str(cfg.trainer.precision) == "16-true" and "Adam" in str(optimizer._target_) and optimizer.get("eps", 0) < 1e-7:
        raise UserError(
            "trainer.precision=16-true computes in float16, where Adam's eps of 1e-08 becomes 0 and losses become NaN: "
            "use trainer.precision=bf16-true, 16-mixed on a GPU, or +optimizer.eps=1e-4."
        )


def check_folds(dataset: DictConfig) -> None:
    """Raises UserError for a fold that does not exist, and if only one of `folds` and `fold` is given."""
    folds, fold = dataset.get("folds"), dataset.get("fold")
    if fold is not None and folds is None:
        raise UserError(f"dataset.fold={fold} needs the number of folds: add dataset.folds=5, for example.")
    if folds is not None and fold is None:
        raise UserError(
            f"dataset.folds={folds} trains one fold in each run: add dataset.fold=0 to {folds - 1}, or train all with "
            f"python -m proj.train -m … dataset.folds={folds}"
        )
    if folds is not None and fold >= folds:
        raise UserError(f"dataset.fold={fold} does not exist: dataset.folds={folds} are numbered 0 to {folds - 1}.")


def check_order(dataset: DictConfig) -> None:
    """Raises UserError for another way to split a table beside that by the order of a column."""
    if dataset.get("order") is None or "sheet" not in dataset:  # the setting of a class that reads no table
        return
    for key, unset in (("folds", None), ("group", None), ("split_seed", 0)):
        if (value := dataset.get(key, unset)) != unset:
            words = f"dataset.{key}={value} and dataset.order={dataset.order}"
            raise UserError(f"{words} are two ways to split the rows: leave one of them out.")


def check_names(model: DictConfig) -> None:
    """Raises UserError for a name, such as an activation's, that this project's models do not know."""
    if not model._target_.startswith("proj.models."):
        return
    annotated = named_arguments(model._target_)[0]
    for key in NAMES.keys() & model.keys() & annotated.keys():
        value, optional = model[key], "None" in ast.unparse(annotated[key])
        for name in value if OmegaConf.is_list(value) else [value]:
            if name is not None or not optional:
                choose(f"model.{key}", "null" if name is None else str(name), dict.fromkeys(NAMES[key]))


def check_trainer(trainer: DictConfig) -> None:
    """Raises UserError for arguments that Lightning's Trainer does not take, or that this program sets itself."""
    if trainer.get("_target_") != "lightning.pytorch.Trainer":
        return  # the user's own class may have any arguments
    for key, value in trainer.items():
        if key != "_target_":
            check_argument("trainer", str(key), value)
    epochs = trainer.max_epochs
    if epochs in (-1, None) and trainer.get("max_steps", -1) == -1 and not trainer.get("max_time"):
        shown = "null" if epochs is None else epochs
        raise UserError(f"trainer.max_epochs={shown} has no end: give trainer.max_steps=… or trainer.max_time=… too.")
    for end in ("epochs", "steps"):
        least, most = trainer.get(f"min_{end}"), trainer.get(f"max_{end}")
        if least and most and 0 < most < least:
            raise UserError(f"trainer.min_{end}={least} is more than trainer.max_{end}={most}: leave one of them out.")
    every, interval = trainer.get("check_val_every_n_epoch", 1), trainer.get("val_check_interval")
    if every is None and isinstance(interval, float):
        raise UserError(
            f"trainer.check_val_every_n_epoch=null counts batches over all epochs, and "
            f"trainer.val_check_interval={interval} is a share of one: give a number of batches or a time, such as "
            "trainer.val_check_interval=100."
        )
    if trainer.get("fast_dev_run") and trainer.get("overfit_batches"):
        raise UserError("trainer.overfit_batches has no use beside trainer.fast_dev_run: leave one of them out.")
    if every and epochs and 0 < epochs < every:
        raise UserError(
            f"trainer.check_val_every_n_epoch={every} is more than trainer.max_epochs={epochs}: no validation would "
            f"choose the best checkpoint. Use trainer.check_val_every_n_epoch={epochs} or less."
        )


def check_callbacks(cfg: DictConfig) -> None:
    """Raises UserError if no callback would keep the best checkpoint, and for callbacks that do not work here."""
    best = cfg.callbacks.get("best") if OmegaConf.is_dict(cfg.callbacks) else None
    if not target_of(best):
        raise UserError(
            "callbacks.best keeps the best checkpoint, which every run needs at its end: leave ~callbacks.best out "
            "(test=false leaves the test out)."
        )
    for name, callback in cfg.callbacks.items():
        target, place = target_of(callback), f"callbacks.{name}"
        if target.startswith("lightning.") and (cure := UNFIT.get(target.rpartition(".")[2])):
            raise UserError(f"{place}._target_={target} does not suit these runs: {cure}.")
        if target.endswith(".BatchSizeFinder") and target_of(cfg.scheduler).endswith(".OneCycleLR"):
            raise UserError(
                f"{place}._target_={target} takes more steps than the schedule has: add scheduler=none, or "
                "leave it out, since dataset.batch_size=null chooses a size."
            )
        if target.endswith("ProgressBar") and name != "progress" and cfg.callbacks.get("progress"):
            raise UserError(f"{place} is a second progress bar: add '~callbacks.progress'.")
        if place in LISTED and target.endswith(LISTED[place]):  # another class may have any arguments
            for key in callback.keys() - {"_target_", "monitor", "mode"}:
                check_argument(place, str(key), callback[key])


def check_file_names(cfg: DictConfig) -> None:
    """Raises UserError for a name, of a callback's file or Hydra's folder, that leads out of the run's, as ../../x."""
    names = {"hydra.output_subdir": cfg.hydra.output_subdir}
    names |= {
        f"callbacks.{name}.filename": OmegaConf.select(cfg.callbacks, f"{name}.filename") for name in cfg.callbacks
    }
    for key, name in names.items():
        path = PureWindowsPath(str(name or ""))  # which takes both / and \\ for separators
        if path.anchor or ".." in path.parts:
            raise UserError(f"{key}={name} leads out of the run's folder: give a name without folders before it.")


def check_argument(place: str, name: str, value: object) -> None:
    """Raises UserError for an argument of one of Lightning's classes that is not in the table of settings, that this
    program sets itself, or that is out of its range."""
    options = {key: one for key, one in below(place).items() if one.range}
    if policy(f"{place}.{name}").instead:
        raise UserError(refusal(f"{place}.{name}"))
    if name not in options:
        raise UserError(f"There is no setting '{place}.{name}'." + nearest(name, options, f"{place}."))
    options[name].range.check(f"{place}.{name}", value)
