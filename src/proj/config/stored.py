"""What a stored configuration may name: a checkpoint, a run's or a sweep's folder may come from somebody else.

Hydra imports and calls whatever a `_target_` names. A configuration that was composed here is the user's own; one that
is read from a file is tested first, by the role of each of its parts: a loss is a loss of torch's, a model one of this
project, and everything else is plain data. Classes of one's own are named by whoever loads the file, with `trust=…`.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import get_object

from proj.config.declared import is_installed
from proj.errors import UserError, causes
from proj.system.platform import as_command
from proj.system.run_folder import RunFolder

TRUSTED: list[str] = []  # what the command names with trust=…, for the sweep that goes on in it
PRUNER = r"optuna\.pruners\.[A-Z]\w*Pruner"
# The class that a part of the configuration names. Those of other libraries take plain values alone. Of torchvision's
# data sets these have what `TorchvisionDataModule` needs; one of the others unpickles a file that has no checksum.
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
# What runs and sweeps of older versions name.
MOVED = {
    "proj.muon.Muon": "proj.models.Muon",
    "proj.progress_bar.ProgressBar": "proj.training.progress_bar.ProgressBar",
    "proj.dashboard.Dashboard": "proj.pictures.tensorboard.Dashboard",
    "proj.check.Check": "proj.config.check.Check",
}


def now_called(node: dict) -> Any:
    """The class that a part of a configuration names, by its name of today."""
    target = node.get("_target_")
    if target == "proj.models.CNN" and "whiten" in node:  # of versions in which one class was both networks
        return "proj.models.WhitenedCNN"
    return MOVED.get(target, target)


# What a file may say of a logger: names and switches, and neither a place to write nor an address to send to.
OF_A_LOGGER = (
    r"_target_|experiment_name|run_name|project|group|name|tags|notes|job_type|prefix|offline|log_\w+|flush_\w+"
)
PARTIAL = ("optimizer", "scheduler", "dataset.source")  # called later, with what they are given there


def targets_in(node: Any, key: str = "") -> Iterator[tuple[str, Any, bool]]:
    """(key, name, whether it is to be called later) of every class that a configuration names, also within lists."""
    if isinstance(node, dict):
        if (target := node.get("_target_")) is not None:
            yield key, target, bool(node.get("_partial_"))
        for name, value in node.items():
            yield from targets_in(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list | tuple):
        for place, value in enumerate(node):
            yield from targets_in(value, f"{key}[{place}]")


def is_allowed(key: str, target: Any, later: bool) -> bool:
    """Whether a class of this project or of its libraries may stand at this place of a stored configuration."""
    role = re.sub(r"^(callbacks|logger)\.[^.\[\]]+$", r"\1.*", key)
    fits = isinstance(target, str) and re.fullmatch(ROLES.get(role, "(?!)"), MOVED.get(target, target), re.ASCII)
    return bool(fits) and (later == (role in PARTIAL) or role == "scheduler")  # which is always called later


def strangers(config: dict) -> list[tuple[str, Any]]:
    """(key, name) of each class that takes `trust=…` to be loaded from a file."""
    return [(key, target) for key, target, later in targets_in(config) if not is_allowed(key, target, later)]


def is_trusted(target: str, trust: Sequence[str]) -> bool:
    """Whether a word of `trust` is this name, or the module or package in which it is defined.

    The module is imported. What it has only imported itself, such as `linear.os.system`, is not its own.
    """
    if target in trust:
        return True
    for word in trust:
        if is_within(target, word):
            try:
                home = str(getattr(located(target), "__module__", ""))
            except Exception as error:
                raise UserError(f"{target} cannot be loaded ({list(causes(error))[-1]}).") from error
            return is_within(home, word)
    return False


def located(target: str) -> Any:
    """What a name stands for; its module is imported. Raises ImportError where that ends the program."""
    with suppress(SystemExit):
        return get_object(target)
    below = "put what it runs below if __name__ == '__main__':"
    raise ImportError(f"{target.rpartition('.')[0]} calls sys.exit while it is imported: {below}")


def is_within(name: str, package: str) -> bool:
    """Whether a dotted name is this package's, or the package itself."""
    return f"{name}.".startswith(f"{package}.")


def word_for(target: str) -> str:
    """What `trust=` takes for a name: its package, or the very name where the package is an installed library."""
    package = target.split(".")[0]
    found = find_spec(package)
    is_own = package != "proj" and not (found and is_installed(found))
    return package if is_own else target


def needs_trust(config: dict) -> set[str]:
    """The words of `trust=` that it takes to go on with this configuration."""
    return {word_for(target) for _, target in strangers(config) if isinstance(target, str)} | {*destinations(config)}


def trust_option(words: set[str]) -> str:
    """` trust=linear,wine` at the end of a command; nothing for no words. words: see `needs_trust`."""
    return f" trust={','.join(sorted(words))}" if words else ""


def resume_command(folder: Path) -> str:
    """What continues the run in a folder, also one with classes of the user's own."""
    try:
        config = yaml.safe_load(RunFolder(folder).config.read_bytes())
    except (OSError, yaml.YAMLError):  # it stopped before it wrote one
        config = {}
    return f"python -m proj.train resume={as_command([str(folder)])}{trust_option(needs_trust(config))}"


def check_stored(config: Any, file: str | Path, trust: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration that was read from `file`, once all that it names is allowed; nothing is imported before.

    trust: modules and classes that the user vouches for.
    Raises UserError that tells what else it names, and the word to type if that is the user's own.
    """
    check_plain(config, file)
    for part in ("model", "optimizer", "scheduler", "dataset", "callbacks", "trainer", "logger"):
        if not isinstance(config.get(part, {}), dict):
            raise UserError(f"{file} holds no configuration of this project, or a damaged one (at {part}).")
    known = strangers(config)
    foreign = [(key, target) for key, target in known if not any(is_within(target, word) for word in trust)]
    foreign = foreign or [(key, target) for key, target in known if not is_trusted(target, trust)]
    if not foreign:
        return config
    what = ", ".join(f"{target} ({key or 'all of it'})" for key, target in foreign)
    if any(target.split(".")[0] in sys.stdlib_module_names for _, target in foreign):
        raise UserError(f"{file} names what no configuration of this project does: {what}. Treat it as malicious.")
    words = ",".join(sorted({*trust, *(word_for(target) for _, target in foreign)}))
    raise UserError(f"{file} names what is not of this project: {what}. If it is your own, add trust={words}")


def destinations(config: dict) -> dict[str, Any]:
    """The settings by which a logger would write to a place, or send to an address, of a file's choice."""
    nodes = [(name, node) for name, node in (config.get("logger") or {}).items() if isinstance(node, dict)]
    return {
        f"logger.{name}.{key}": value
        for name, node in nodes
        for key, value in node.items()
        if value is not None and not re.fullmatch(OF_A_LOGGER, str(key))
    }


def check_destinations(config: dict, file: str | Path, named: Sequence[str]) -> None:
    """Raises UserError for each of `destinations` that the command does not name itself, with trust=… or anew."""
    found = destinations(config)
    if foreign := [key for key in found if not any(is_within(key, name) for name in named)]:
        what = ", ".join(f"{key}={found[key]}" for key in foreign)
        raise UserError(
            f"{file} has the run logged elsewhere ({what}): if that is meant, add trust={','.join(foreign)}"
        )


def check_plain(node: Any, file: str | Path, key: str = "") -> None:
    """Raises UserError unless all values are text, numbers, true, false, null, and lists and mappings of such."""
    if isinstance(node, dict) and all(isinstance(name, str | int) for name in node) and (key or node):
        if not isinstance(node.get("_target_"), str | None):
            raise UserError(f"{file} does not name a class at {key or 'its top'}: treat it as malicious.")
        for name, value in node.items():
            check_plain(value, file, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list | tuple) and key:
        for place, value in enumerate(node):
            check_plain(value, file, f"{key}[{place}]")
    elif not (key and (node is None or isinstance(node, str | int | float | dict))):
        raise UserError(f"{file} holds no configuration of this project, or a damaged one (at {key or 'its top'}).")
