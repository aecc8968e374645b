"""Checks a configuration from a file, since a checkpoint or the folder of a run may come from somebody else.

Building an object imports and calls whatever its `_target_` names, which could be any program. So a configuration that
was read from a file may only name classes that suit their place: one of torch's losses for the loss, a model of this
project for the model, and so on. Whoever loads the file names further classes, such as their own, with `trust=…`.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import get_object

from proj.config.declared import OF_ONE_CLASS, TAKE_SEVERAL, is_installed
from proj.config.stored_values import check_plain, parts_of
from proj.errors import UserError, causes
from proj.system.run_folder import RunFolder, parse_yaml
from proj.system.shell import as_command

TRUSTED: list[str] = []  # the words of this command's trust=…, where Hydra's sweeper finds them
PRUNER = r"optuna\.pruners\.[A-Z]\w*Pruner"
# The classes that each part of the configuration may name; those of other libraries take only plain values. Of
# torchvision's data sets these are the ones that `TorchvisionDataModule` can read. Do not add others unseen: one of
# them unpickles a file without comparing its checksum.
ROLES = {
    "model": r"proj\.models\.(CNN|WhitenedCNN|MLP|IrisClassifier|Pretrained|TabM)",
    "model.loss": r"torch\.nn\.[A-Z]\w*Loss",
    "optimizer": r"torch\.optim\.[A-Z]\w*|proj\.models\.Muon",
    "scheduler": r"torch\.optim\.lr_scheduler\.[A-Z]\w*(LR|Plateau|Restarts)",
    "dataset": r"proj\.data\.(MNIST|FashionMNIST|CIFAR10|Digits|Iris|CSV|ImageFolder)DataModule",
    "dataset.source": r"torchvision\.datasets\.([FKEQ]|Fashion)?MNIST|torchvision\.datasets\.CIFAR100?",
    "trainer": r"lightning\.pytorch\.Trainer",
    "callbacks.*": r"proj\.training\.progress_bar\.ProgressBar|proj\.pictures\.tensorboard\.Dashboard"
    r"|lightning\.pytorch\.callbacks\.(ModelCheckpoint|EarlyStopping|StochasticWeightAveraging|GradientAccumulationScheduler"
    r"|EMAWeightAveraging|LearningRateMonitor|DeviceStatsMonitor|ModelSummary|RichModelSummary|RichProgressBar|TQDMProgressBar|Timer)",
    "logger.*": r"proj\.pictures\.tensorboard\.Curves|proj\.training\.(loggers\.Table|services\.(MLflow|WandB))",
    "trial.pruner": PRUNER,
    "trial.pruner.wrapped_pruner": PRUNER,
}
# Classes that have moved since older versions wrote their names into runs and sweeps.
MOVED = {
    "proj.muon.Muon": "proj.models.Muon",
    "proj.progress_bar.ProgressBar": "proj.training.progress_bar.ProgressBar",
    "proj.dashboard.Dashboard": "proj.pictures.tensorboard.Dashboard",
    "proj.check.Check": "proj.config.check.Check",
}
# The arguments of a logger that a file may set: no URL, and no folder to write to, for which TensorBoard takes `name`.
OF_A_LOGGER = (
    r"_target_|experiment_name|run_name|project|group|name|tags|notes|job_type|prefix|offline|log_\w+|flush_\w+"
)
AS_IT_WAS = "give the file and the class the names and the place that they had in the training"
PARTIAL = ("optimizer", "scheduler", "dataset.source")  # parts with `_partial_: true`, which are called later


def now_called(node: dict) -> Any:
    """The class that a part of a configuration names; if it has moved, by its present name."""
    target = node.get("_target_")
    if target == "proj.models.CNN" and "whiten" in node:  # in older versions, one class was both networks
        return "proj.models.WhitenedCNN"
    return MOVED.get(target, target)


def targets_in(config: Any) -> Iterator[tuple[str, Any, bool]]:
    """(Key, class, whether it has `_partial_: true`) for every `_target_` in a configuration, also within lists."""
    for key, node in parts_of(config):
        if isinstance(node, dict) and node.get("_target_") is not None:
            yield key, node["_target_"], bool(node.get("_partial_"))


def is_allowed(key: str, target: Any, later: bool) -> bool:
    """Whether a file may name the class `target` at `key` without trust=…; later: see `targets_in`."""
    role = re.sub(r"^(callbacks|logger)\.[^.\[\]]+$", r"\1.*", key)
    fits = isinstance(target, str) and re.fullmatch(ROLES.get(role, "(?!)"), MOVED.get(target, target), re.ASCII)
    return bool(fits) and (later == (role in PARTIAL) or role == "scheduler")  # a scheduler is always called later


def strangers(config: dict) -> list[tuple[str, Any]]:
    """(Key, class) of each class that a file may name only with `trust=…`."""
    return [(key, target) for key, target, later in targets_in(config) if not is_allowed(key, target, later)]


def is_trusted(target: str, trust: Sequence[str]) -> bool:
    """Whether a word of `trust` is the class `target`, or the module or package that defines it.

    The module is imported to find out: it does not define what it has only imported, such as `linear.os.system`.
    """
    if target in trust:
        return True
    for word in trust:
        if is_within(target, word):
            try:
                home = str(getattr(located(target), "__module__", ""))
            except Exception as error:
                cause = list(causes(error))[-1]
                is_gone = getattr(cause, "name", None) in target.split(".")  # a module, or a class in one
                raise UserError(f"{target} cannot be loaded ({cause}){f': {AS_IT_WAS}' if is_gone else ''}.") from error
            return is_within(home, word)
    return False


def located(target: str) -> Any:
    """Import the class or function with this full name. Raises ImportError if its module calls sys.exit."""
    with suppress(SystemExit):
        return get_object(target)
    below = "put what it runs below if __name__ == '__main__':"
    raise ImportError(f"{target.rpartition('.')[0]} calls sys.exit while it is imported: {below}")


def is_within(name: str, package: str) -> bool:
    """Whether a dotted name is that of a package, or of something in it."""
    return f"{name}.".startswith(f"{package}.")


def spec_of(module: str) -> ModuleSpec | None:
    with suppress(ValueError):  # of __main__ in a script or notebook
        return find_spec(module)


def word_for(target: str) -> str:
    """What to type after `trust=` for a class: its package, or the class alone if the package is an installed one."""
    package = target.split(".")[0]
    found = spec_of(package)
    is_own = package != "proj" and not (found and is_installed(found))
    return package if is_own else target


def needs_trust(config: dict) -> set[str]:
    """The words of `trust=` without which this configuration would be refused."""
    return {word_for(target) for _, target in strangers(config) if isinstance(target, str)} | {*destinations(config)}


def trust_option(words: set[str]) -> str:
    """The end of a command: ` trust=linear,wine`, or an empty text for no words. words: see `needs_trust`."""
    return f" trust={','.join(sorted(words))}" if words else ""


def resume_command(folder: Path) -> str:
    """The command that continues the run in a folder, with the trust=… that it needs."""
    try:
        config = parse_yaml(RunFolder(folder).config.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):  # the run stopped before it wrote the file
        config = {}
    return f"python -m proj.train resume={as_command([str(folder)])}{trust_option(needs_trust(config))}"


def check_stored(
    config: Any, file: str | Path, trust: Sequence[str] = (), parts: Sequence[str] | None = None
) -> dict[str, Any]:
    """Check the configuration that was read from `file`, and return it. A class is imported only if it is trusted.

    trust: the modules and classes that the user vouches for. parts: those that will be built; None for all. The classes
    of other parts are neither imported nor refused.
    Raises UserError that lists the other classes, and says what to type if they are the user's own.
    """
    check_plain(config, file)
    refuse_absent_modules(config, trust)
    for part in (*OF_ONE_CLASS, *TAKE_SEVERAL):
        if not isinstance(config.get(part, {}), dict):
            raise UserError(f"{file} holds no configuration of this project, or a damaged one (at {part}).")
    known = [(key, target) for key, target in strangers(config) if parts is None or re.split(r"[.[]", key)[0] in parts]
    foreign = [(key, target) for key, target in known if not any(is_within(target, word) for word in trust)]
    foreign = foreign or [(key, target) for key, target in known if not is_trusted(target, trust)]
    if not foreign:
        return config
    what = ", ".join(f"{target} ({key or 'all of it'})" for key, target in foreign)
    if any(target.split(".")[0] in sys.stdlib_module_names for _, target in foreign):
        raise UserError(f"{file} names code that no configuration of this project uses: {what}. Treat it as malicious.")
    words = ",".join(sorted({*trust, *(word_for(target) for _, target in foreign)}))
    cure = "" if all(spec_of(str(target).split(".")[0]) for _, target in foreign) else f"{AS_IT_WAS}, and "
    what = f"{what}. If it is your own, {cure}add trust={words}"
    raise UserError(f"{file} names code that is not part of this project: {what}")


def refuse_absent_modules(config: dict, trust: Sequence[str]) -> None:
    """Raises UserError for a word of trust=… that is no module here, no setting, and none that `config` names."""
    named = [str(target) for _, target, _ in targets_in(config)]
    for word in trust:
        first = re.split(r"[./]", word)[0]
        if not (first in config or spec_of(first) or any(is_within(target, word) for target in named)):
            raise UserError(
                f"trust={word}: there is no module of that name here. Give your file's, without .py; a file that was "
                "renamed or moved since the training needs its old name and place."
            )


def destinations(config: dict) -> dict[str, Any]:
    """The settings of loggers that could have the run write to a folder, or send to a URL, of the file's choice."""
    found = {}
    for name, node in (config.get("logger") or {}).items():
        for key, value in node.items() if isinstance(node, dict) else ():
            is_path = key == "name" and re.search(r"[/\\:]|^\.\.$", str(value))
            if value is not None and (is_path or not re.fullmatch(OF_A_LOGGER, str(key))):
                found[f"logger.{name}.{key}"] = value
    return found


def check_destinations(config: dict, file: str | Path, named: Sequence[str]) -> None:
    """Raises UserError for `destinations` that the user did not name. named: the words of trust=…, and the settings to
    which the command gives a new value."""
    found = destinations(config)
    if foreign := [key for key in found if not any(is_within(key, name) for name in named)]:
        what = ", ".join(f"{key}={found[key]}" for key in foreign)
        raise UserError(
            f"{file} would send the run's logs elsewhere ({what}): if that is intended, add trust={','.join(foreign)}"
        )
