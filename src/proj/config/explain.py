"""Turns errors of Hydra, OmegaConf and Lightning into one sentence each; HYDRA_FULL_ERROR=1 shows the traceback.

For a setting that does not exist, the sentence suggests the one that was probably meant.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, InterpolationKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError

from proj.config.declared import arguments
from proj.config.settings.table import SETTINGS, policy, refusal, with_above
from proj.config.words import GROUPS, group_and_option, with_points
from proj.errors import UserError, causes, file_fault, in_own_file, message_of, nearest, out_of_memory, peer_is_lost
from proj.system.names import one_line
from proj.system.platform import as_command
from proj.system.processes import let_the_first_process_report

# Names under which users look for a setting, such as those of other programs, and what to type.
OTHER_NAMES = {
    "learning_rate": "optimizer.lr",
    "epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "early_stopping": "callbacks=early_stopping",
    "augment": "augment=strong",
    "run": "resume",
    "ckpt": "resume",
    "dir": "hydra.run.dir",
    "output": "hydra.run.dir",
    "launcher": "hydra/launcher",
    "sweeper": "hydra/sweeper",
    "n_jobs": "hydra/launcher=joblib hydra.launcher.n_jobs",
    "n_trials": "hydra/sweeper=optuna hydra.sweeper.n_trials",
}
NEW_FOLDER = ", or choose another folder: hydra.run.dir=… for a new run, hydra.sweep.dir=… for a new sweep"
OLD = ("dataset.kind", "model.accepts")  # settings that only the configurations of older versions have


def explain(error: BaseException, elsewhere: str = NEW_FOLDER) -> str | None:
    """The sentence for an error that the user can fix; None for a bug. elsewhere: see `file_fault`."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, Warning) and sys.warnoptions:
        return f"PYTHONWARNINGS or -W makes an error of what a library warns of ({message_of(error)}): leave it out."
    if peer_is_lost(error):
        return "another process of this run has died"
    if fault := file_fault(error, elsewhere):
        return fault
    if out_of_memory(error):
        return "the memory does not suffice: end other programs that take it, or use a machine that has more."
    cause = error.__cause__ or error
    text = str(error)
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        typed = re.match(r"Could not override '(.+)'", text)
        return unknown_setting(cause, typed[1] if typed else str(cause.full_key))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, option = group_and_option(error.missing_cfg_file)
        if group == "dataset" and os.path.exists(option):
            kind = "image_folder" if os.path.isdir(option) else "csv"
            cure = as_command([f"dataset={kind}", f"data_dir={option}"])
            return f"dataset={option} names no kind of data: give {cure}"
        folders = re.findall(r"path=file://(.*)", text)  # for one in a list, logger=[csv,foo], Hydra lists no options
        files = sorted(file.stem for folder in folders for file in Path(folder, group).glob("*.yaml"))
        if options := error.options or files:
            return f"{group or '--config-name'}={option} does not exist." + nearest(option, options)
    if several := re.match(r"Ambiguous value for argument '(.+)'\n", text):
        key, _, value = several[1].partition("=")
        if meant := with_points(key, value):
            return f"{several[1]} gives several values: type {key}={meant}, or add -m to sweep over them."
        listed, quoted = as_command([f"{key}=[{value}]"]), as_command([f"{key}='{value}'"])
        return f"{several[1]} gives several values: add -m to sweep over them, or type {listed} (a list) or {quoted}."
    if absent := re.match(r"Could not delete from config\. '(.+)' does not exist", text):
        known, name = {*GROUPS, *SETTINGS} - {absent[1]}, absent[1].rpartition(".")[2]
        same_name = {key for key in known if key.rpartition(".")[2] == name}
        return f"~{absent[1]} leaves out something that does not exist.{nearest(absent[1], same_name or known)}"
    if text.startswith("Config group override must be"):
        return "a group of options cannot be null or a number: name one of its options."
    if metric := re.search(r"(?:monitor='|on metric `)(.+?)['`].* (?:metrics|following): (.+?)(?: HINT|$)", text):
        return f"monitor={metric[1]} does not exist." + nearest(metric[1], re.findall(r"['`]([\w/]+)['`]", metric[2]))
    if isinstance(cause, InterpolationKeyError) and cause.full_key:
        return f"{cause.full_key} refers to a setting that is missing: {message_of(cause).partition(' full_key')[0]}."
    if "Incompatible key type 'NoneType'" in str(cause):
        key = getattr(cause, "full_key", "")
        return f"{key} holds a name that reads as null: write it in quotation marks, such as '{key}={{\"null\":5}}'."
    if isinstance(error, OmegaConfBaseException) or isinstance(cause, OmegaConfBaseException):
        said, key = message_of(cause).partition(" full_key")[0], getattr(cause, "full_key", None)
        return said if not key or key in said else f"{key}: {said}"
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}, is no YAML: {error.problem}."
    raised_in = ["", *(frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__))][-1]
    if raised_in.startswith(("omegaconf.", "hydra._internal.config")) and isinstance(error, ValueError | TypeError):
        return f"a list is given as a whole, such as optimizer.betas=[0.9,0.99], or one place by its number ({text})."
    if isinstance(error, HydraException):
        return " ".join(text.split("\nSee https")[0].split())
    of_a_model = raised_in.startswith("lightning.pytorch.core.")  # Lightning refuses what the user's own model does
    is_lightnings = of_a_model or type(error).__name__ == "MisconfigurationException"  # a class not imported here
    return f"{message_of(error)}{in_own_file(error)}" if is_lightnings else None


def unknown_setting(error: ConfigKeyError | ConfigAttributeError, typed: str) -> str:
    """The sentence for a setting that is not in the configuration.

    typed: the whole setting, such as optimzer.lr; the error itself names only the part that does not exist, optimzer.
    """
    key, node, plus = str(error.full_key), error.parent_node, ""
    cfg, place, rest = node._get_root(), key.removesuffix(str(error.key)), typed.removeprefix(key)
    if policy(key).instead:
        return refusal(key)
    if key in ("resume", "trust"):
        return f"{key} works only on the command line: python -m proj.train resume=<folder>"
    if known := rest and similar(typed, key, cfg):
        return f"There is no setting {typed!r}.{known}"
    asked = key if place else typed
    if known := elsewhere(asked, cfg):
        return f"There is no setting {asked!r}.{known}"
    if isinstance(node, DictConfig) and "_target_" in node and not key.startswith("trainer."):  # conf/ has all of these
        if node["_target_"] is None:
            return f"There is no setting {key!r}, since {place[:-1]} names no class: choose another {place[:-1]}."
        taken = arguments(str(node["_target_"]))
        if taken is None or error.key in taken:
            plus = f" For another argument of its class, add a plus: +{key}=…"
    options = {*node} if place else {*node, "resume", "trust", "sweep", *GROUPS} - {key}
    return f"There is no setting {key!r}.{nearest(str(error.key), options, place)}{plus}"


def similar(key: str, above: str, cfg: DictConfig) -> str:
    """The end of a message on a setting `key` in a part `above` that does not exist, because its name is misspelt:
    suggests the same setting in a part with a similar name, such as optimizer.lr for optimzer.lr."""
    place, _, name = above.rpartition(".")
    siblings = {*map(str, OmegaConf.select(cfg, place) if place else cfg)} - {name}
    for sibling in get_close_matches(name, siblings, cutoff=0.5):
        corrected = f"{place}.{sibling}" if place else sibling
        if meant := as_typed(corrected + key.removeprefix(above), cfg):
            return f" Did you mean {meant!r}?"
    return ""


def elsewhere(key: str, cfg: DictConfig) -> str:
    """The end of a message on a setting that does not exist: suggests others of that name, such as optimizer.lr for lr,
    from the table of settings and from this configuration."""
    (place, _, name), known = key.rpartition("."), []
    groups = OmegaConf.to_container(cfg, resolve=False)
    groups.pop("hydra", None)  # its settings are others: hydra.run is none, and hydra.launcher is hydra/launcher=…
    composed = [f"{group}.{setting}" for group, node in groups.items() if isinstance(node, dict) for setting in node]
    settings = dict.fromkeys([*SETTINGS, *(setting for setting in composed if setting != key)])
    names = {setting.rpartition(".")[2] for setting in settings}
    # A misspelt name without a point is more likely a setting's than a group's: max_epoch means trainer.max_epochs.
    if not place and name not in names | OTHER_NAMES.keys():
        name = next(iter(get_close_matches(name, names - {*cfg}, n=1, cutoff=0.8)), name)
    if key not in SETTINGS:  # a key in the table is right, but the chosen class does not take it
        known = [setting for setting in settings if setting.endswith(f".{name}") and setting not in OLD]
        known = [setting for setting in known if not any(policy(above).instead for above in with_above(setting))]
    here = [word for setting in known if (word := as_typed(setting, cfg))]
    if not here and name in OTHER_NAMES:
        here = [OTHER_NAMES[name]]
    if here:
        return f" Did you mean {' or '.join(map(repr, here))}?"
    if not known:
        return ""
    groups = dict.fromkeys("augment" if "augment" in setting else setting.partition(".")[0] for setting in known)
    others = " or ".join(f"{group}=…" for group in groups)
    return f" With another {others} there is {' or '.join(map(repr, known))}."


def as_typed(key: str, cfg: DictConfig) -> str | None:
    """How a setting is typed for this configuration: with a plus if it is an argument that conf/ does not list.

    None if this configuration takes no such setting.
    """
    place, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, place)
    if not OmegaConf.is_dict(node):
        return None
    if name in node:
        return key
    target = node.get("_target_")
    return f"+{key}" if target and name in (arguments(target) or ()) else None


FULL_ERROR = os.environ.get("PROJ_FULL_ERROR", os.environ.get("HYDRA_FULL_ERROR")) == "1"


@contextmanager
def user_errors() -> Iterator[None]:
    """Raise UserError, for callers in Python, in place of any other error that the user can fix."""
    try:
        yield
    except Exception as error:
        if sentence := explain(error):
            raise UserError(sentence) from error
        raise


@contextmanager
def sentences(elsewhere: str = NEW_FOLDER) -> Iterator[None]:
    """End the command with one sentence and exit code 1 for an error that the user can fix; raise any other error.
    HYDRA_FULL_ERROR=1 raises all errors. elsewhere: see `file_fault`."""
    try:
        yield
    except Exception as error:
        if any(isinstance(link, KeyboardInterrupt) for link in causes(error)):  # Hydra turns Ctrl-C into other errors
            raise SystemExit(130) from None
        let_the_first_process_report()
        sentence = explain(error, elsewhere)
        if sentence is None or FULL_ERROR:
            raise
        # A file of somebody else may hold names that would control the terminal.
        raise SystemExit("error: " + "\n".join(map(one_line, sentence.split("\n")))) from None
    except KeyboardInterrupt:  # before the training: a training saves, and says how to continue
        raise SystemExit(130) from None
