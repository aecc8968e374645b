"""Composes the configuration from conf/ (`configure`), and builds objects from it (`build`)."""

import logging
import os
import re
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from proj.config.allowed_classes import located, now_called
from proj.config.check import check_single
from proj.config.check_types import leaving_out
from proj.config.check_words import refuse_left_out
from proj.config.declared import NO_ARGUMENTS, kind_of_data, only_arguments
from proj.config.declared import arguments as taken_by
from proj.config.explain import user_errors
from proj.config.new_folder import TAKEN, refuse_run_in_a_sweep
from proj.config.quoting import as_text
from proj.config.words import as_hydra_reads
from proj.errors import UserError, causes, in_own_file, message_of, named, nearest, out_of_memory
from proj.system.folders import absolute

CONF = Path(__file__).parents[1] / "conf"  # in an installed package
if not CONF.is_dir():
    CONF = Path(__file__).parents[3] / "conf"  # in a checkout
COMPOSING = threading.RLock()  # Hydra composes one configuration at a time; other threads wait
logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it would log an error that it also raises


def resolved(cfg: DictConfig) -> DictConfig:
    """The configuration with all references (${…}) replaced by their values. A text that contains ${ stays a text.

    The data's folder becomes an absolute path, so that the run can go on from any working folder.
    """
    return OmegaConf.create(literal(resolved_values(cfg)), flags={"struct": True})


def resolved_values(cfg: DictConfig) -> dict[str, Any]:
    """The values of `resolved` as a plain dictionary."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    for node in (plain, plain.get("dataset")):
        if isinstance(node, dict) and node.get("data_dir") is not None:
            node["data_dir"] = absolute(str(node["data_dir"]))
    if OmegaConf.select(cfg, "choices.augment") == "none" and kind_of_data(cfg) != "image":
        for key in ("flip", "shift", "sizes", "augment"):
            plain["dataset"].pop(key, None)
    return plain


# A reference in conf/ to another setting, such as ${seed}; not to Hydra (${hydra:…}) or the environment (${oc.env:…}).
REFERENCE = re.compile(r"(?<!\\)\$\{[\w.\[\]]+\}")


def following(written: Any, meant: Any) -> Any:
    """The configuration `meant`, whose references are resolved, with those to other settings put back: such a setting
    follows a later change of the other. written: the same configuration with all references."""
    if isinstance(written, str) and REFERENCE.search(written):
        return written
    if isinstance(written, dict):
        return {key: following(written[key], value) for key, value in meant.items()}
    return literal(meant)


def literal(node: Any) -> Any:
    """Plain values with every ${ escaped, so that OmegaConf takes it as text and not as a reference. A path, which a
    script may have set, becomes a text."""
    if isinstance(node, os.PathLike):
        node = os.fspath(node)
    if isinstance(node, dict):
        return {key: literal(value) for key, value in node.items()}
    if isinstance(node, list):
        return [literal(value) for value in node]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", node) if isinstance(node, str) else node


def build(node: DictConfig | dict | None, place: str = "", **settings: Any) -> Any:
    """Call the class that a node's `_target_` names with the node's other values and `settings`; None if it names none.

    Hydra's `instantiate` does the same, but resolves references, which a file from somebody else may contain as text.
    place: the key of the node, such as model.loss, for a message that says how to change it.
    Raises UserError for a class that cannot be found, and for any error of its own but OSError and too little memory.
    """
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True)
    if not node or not node.get("_target_"):
        return None
    target = now_called(node)
    taken = only_arguments(str(target)) if None in node.values() else None
    arguments = {key: value for key, value in node.items() if key not in NO_ARGUMENTS}
    if taken is not None:  # `_target_` may name another class than conf/ does: pass it no null that it does not take
        arguments = {key: value for key, value in arguments.items() if value is not None or key in taken}
    if node.get("_recursive_", True):
        arguments = build_within(arguments, place)
    arguments |= settings
    try:
        called = located(target)
    except Exception as error:
        refuse_missing_class(f"{place}._target_={target}" if place else target, list(causes(error))[-1])
    if (torch := sys.modules.get("torch")) and torch.get_default_dtype() == torch.float64:
        raise UserError(
            "torch.set_default_dtype(torch.float64), which a module of your own calls, changes all of this program: "
            "leave it out; trainer.precision=64-true trains in float64."
        )
    if not callable(called):
        raise UserError(f"{target} is no class.")
    if node.get("_partial_"):
        return partial(called, *node.get("_args_", ()), **arguments)
    try:
        return called(*node.get("_args_", ()), **arguments)
    except Exception as error:
        if isinstance(error, UserError | OSError) or out_of_memory(error):
            raise
        refuse_foreign(called, node, arguments, place, error)
        said = message_of(error) if type(error) in (TypeError, ValueError) else named(error)
        if place == "model.loss" and not isinstance(called, type):
            said += "; for a function that takes logits and classes, add +model.loss._partial_=true"
        raise UserError(f"{target}: {said}{in_own_file(error)}") from error


def refuse_missing_class(target: str, error: BaseException) -> NoReturn:
    """Raises UserError for a class that cannot be imported. target: its full name, behind the setting that names it."""
    module, _, name = target.rpartition("=")[2].rpartition(".")
    known = getattr(sys.modules.get(module), "__dict__", {})
    cure = nearest(name, [key for key, value in known.items() if isinstance(value, type)])
    if isinstance(error, ModuleNotFoundError):
        cure = " It is looked for in the folder where the command is started, and among the installed packages."
    raise UserError(f"{target} cannot be imported ({message_of(error)}{in_own_file(error)}).{cure}") from error


def refuse_foreign(called: Any, node: dict, given: dict, place: str, error: Exception) -> None:
    """Raises UserError if `error` says that the class, or one that it inherits from, does not take an argument of the
    node's. given: all arguments with which it was called."""
    said = re.search(r"(\w+)(\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error))
    names = [base.__name__ for base in getattr(called, "__mro__", [called])]
    if not said or said[1] not in names or said[3] not in node:
        return
    known = taken_by(node["_target_"]) or frozenset()
    foreign = [name for name in node if known and name not in (*known, *NO_ARGUMENTS)] or [said[3]]
    cure = f": {leaving_out(place, foreign)}" if place else ""
    guess = nearest(foreign[0], known - given.keys())
    raise UserError(f"{node['_target_']} takes no {', '.join(foreign)}{cure}.{guess}") from error


def build_a(base: type, part: str, node: DictConfig | dict, **settings: Any) -> Any:
    """`build` of the configuration's node `part`. Raises UserError if the object is not an instance of `base`."""
    made = build(node, part, **settings)
    if not isinstance(made, base):
        as_shown = ", as the README's example does" if base.__module__.startswith("proj.") else ""
        raise UserError(
            f"{part}._target_={node['_target_']} is no {base.__name__}: derive it from "
            f"{base.__module__}.{base.__name__}{as_shown}."
        )
    return made


def build_within(value: Any, place: str) -> Any:
    """A value with every mapping in it that has a `_target_` replaced by the object that it builds. place: its key."""
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if isinstance(value, list):
        return [build_within(one, place) for one in value]
    if isinstance(value, dict):
        if value.get("_target_"):
            return build(value, place)
        return {key: build_within(one, place and f"{place}.{key}") for key, one in value.items()}
    return value


@user_errors()
def configure(*overrides: str, config_dir: str = "") -> DictConfig:
    """Compose the configuration of a command line in Python: `train(configure("dataset=digits", "model=cnn"))`.

    config_dir: a folder of the user's own options, like --config-dir.
    A setting that refers to another one in conf/, such as `dataset.seed` to `seed`, follows a later `cfg.seed = 5`.
    Raises UserError for whatever the command line would refuse.
    """
    if other := [word for word in overrides if not isinstance(word, str)]:
        raise UserError(f"configure takes texts such as configure('dataset=iris', 'model=mlp'), not {other[0]!r}.")
    if flag := next((word for word in overrides if word.startswith("-")), ""):
        raise UserError(f"{flag} works only on the command line, since configure composes one run: leave it out.")
    refuse_left_out(overrides)
    words = [as_hydra_reads(word) for word in overrides]
    if config_dir:
        config_dir = os.path.expanduser(config_dir)
        if not os.path.isdir(config_dir):
            raise UserError(f"--config-dir={config_dir}: there is no such folder.")
        words.append(f"hydra.searchpath=[{as_text(f'file://{os.path.abspath(config_dir)}')}]")
    with COMPOSING, initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        cfg = compose("train", words, return_hydra_config=True)
        check_single(cfg)
        HydraConfig.instance().set_config(cfg)
        runtime = HydraConfig.get().runtime
        with read_write(runtime), open_dict(runtime):
            runtime.output_dir = cfg.hydra.run.dir
        refuse_run_in_a_sweep(cfg.hydra.run.dir)
        with open_dict(cfg):
            cfg.pop("hydra")
        TAKEN[runtime.output_dir] = values = resolved_values(cfg)
    return OmegaConf.create(following(OmegaConf.to_container(cfg), values), flags={"struct": True})
