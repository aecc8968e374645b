"""Refuses a value of the wrong type, such as a text for a number, one that is out of its range, and an argument that a
class does not take.

The type is that of the setting's default value in conf/. For an argument of a library's class, it is the annotation in
the class's source, which is parsed and not imported.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from proj.config.check_words import given_words
from proj.config.declared import (
    NO_ARGUMENTS,
    is_another,
    named_arguments,
    only_arguments,
    parts_with_a_class,
    target_of,
)
from proj.config.instantiate import is_no, leaving_out
from proj.config.quoting import typed
from proj.config.settings.ranges import PATH, SIZE, STEPS, SWITCH, Range, either
from proj.config.settings.table import SETTINGS, policy
from proj.config.words import key_of
from proj.errors import UserError
from proj.system.shell import as_command

LIBRARIES = ("proj.", "torch.", "lightning.")  # the user's own class may take more than it annotates
# The types of plain values, in words and as JSON schemas. A text may look like a number on the command line.
PLAIN = {
    "bool": ("true or false", [{"type": "boolean"}]),
    "int": ("a whole number", [{"type": "integer"}]),
    "float": ("a number", [{"type": "number"}]),
    "str": ("a text", [{"type": "string"}, {"type": "number"}]),
    "list": ("a list", [{"type": "array"}]),
    "dict": ("a mapping", [{"type": "object"}]),
    "None": ("null", [{"type": "null"}]),
}
PLAIN |= dict.fromkeys(("List", "tuple", "Tuple", "Sequence", "Iterable"), PLAIN["list"]) | {"Dict": PLAIN["dict"]}
# Types of objects: only a mapping with a `_target_`, which is built into such an object, can give them.
BUILT = ("Callable", "Tensor", "timedelta", "Module", "Optimizer", "RichProgressBarTheme")
OBJECT, NO_PLAIN = "an object that {_target_:…} names", [{"enum": []}]

# The classes that a dataset and a model inherit from.
BASES = {"dataset": "proj.data.datamodule.InMemoryDataModule", "model": "proj.models.classifier.Classifier"}
# Settings that mean the same in every datamodule, including the user's own.
SHARED = ("dataset.seed", "dataset.data_dir", "dataset.batch_size", "dataset.folds", "dataset.fold")


def check_each(cfg: DictConfig | dict, keys: Iterable[str]) -> None:
    """Raises UserError for a value of one of the settings `keys` that is out of its range."""
    for key in filter(lambda key: SETTINGS[key].range, keys):
        value = value_of(key, cfg)
        if value is not None and not is_of_own_class(key, cfg):
            SETTINGS[key].range.check(key, value)


def value_of(key: str, cfg: DictConfig | dict) -> Any:
    """The value of a setting; None if there is none."""
    if OmegaConf.is_config(cfg):
        return OmegaConf.select(cfg, key)  # an error names the setting that refers to a missing one
    for name in key.split("."):
        cfg = cfg.get(name) if isinstance(cfg, dict) else None
    return cfg


def is_of_own_class(key: str, cfg: DictConfig | dict) -> bool:
    """Whether a setting belongs to the user's own dataset, model or loss, where `hidden`, say, may mean anything."""
    if key.startswith("model.loss."):
        return not target_of(cfg["model"]["loss"]).startswith("torch.")
    part = key.partition(".")[0]
    return part in ("dataset", "model") and not (target_of(cfg[part]).startswith("proj.") or key.startswith(SHARED))


def compose_defaults(cfg: DictConfig, *words: str) -> DictConfig:
    """The configuration that these words alone would compose, from the same folders of options as `cfg`."""
    # Hydra's loader already knows the folders of --config-dir, but not those of hydra.searchpath.
    places = [word for word in given_words(cfg, of="hydra") if word.startswith("hydra.searchpath=")]
    return load_once(GlobalHydra.instance().config_loader(), *places, *words)


@cache
def load_once(loader: ConfigLoader, *words: str) -> DictConfig:
    return loader.load_configuration("train", list(words), run_mode=RunMode.RUN)


def check_types(cfg: DictConfig) -> None:
    """Raises UserError if a word of the command line gives a value of another type than the setting's default."""
    loader, groups, keys = GlobalHydra.instance().config_loader(), [], []
    for override in OverridesParser.create().parse_overrides(given_words(cfg)):
        key, text = override.key_or_group, override.input_line
        if override.is_delete() or key.startswith("trainer."):
            continue  # `check_trainer` knows all of the Trainer's settings
        if "." not in key and not policy(key).range and loader.repository.group_exists(key):
            groups.append(text)
        else:
            keys.append(key)
    for key in keys:
        value, taken = OmegaConf.select(cfg, key), policy(key).range
        if value is None and taken is STEPS and "epochs" not in cfg.scheduler:  # else OneCycleLR counts the steps
            raise UserError(f"{key}=null is not {STEPS.words}.")
        is_number, may_be_text = type(value) in (int, float), value is not None and taken in (SIZE, PATH)
        if key == "hydra.run.dir" or (taken and (is_number or may_be_text)):
            continue  # a path may be any text, and `check_ranges` checks the others: composing the defaults takes time
        check_type(key, value, OmegaConf.select(compose_defaults(cfg, *groups), key))


def check_type(key: str, value: object, default: object) -> None:
    """Raises UserError for a value of another kind than the setting's default."""
    listed = policy(key).range
    if isinstance(default, ListConfig | list) and isinstance(value, str):
        if value.startswith("[") != value.endswith("]"):
            raise UserError(f"{key}={value} has one bracket of two: a list is typed as {key}=[{value.strip('[]')}].")
        several = re.fullmatch(r"[({]?([^][(){}]*,[^][(){}]*)[)}]?", value)  # (128,64) or '128,64'
        listed_values = as_command([f"{key}=[{several[1]}]"]) if several else typed(key, value, listed=True)
        raise UserError(f"{key}={value} is not a list: type {listed_values}.")
    kind = listed if value is None and isinstance(default, str) else range_of_default(default)
    if kind and not (value is None and listed and listed.holds(None)):
        kind.check(key, value)


def range_of_default(default: object) -> Range | None:
    """The range that a setting's default value implies; None if that is a text, since then any value may be right."""
    if isinstance(default, bool):
        return SWITCH
    if isinstance(default, int | float):
        return Range(f"a number, such as {default}", {"type": "number"})
    if isinstance(default, ListConfig | list):
        return Range(f"a list, such as {default}", {"type": "array"})
    return None


def check_annotations(cfg: DictConfig) -> None:
    """Raises UserError for a value that does not fit the annotation in the source of a library's class."""
    for place, node in parts_with_a_class(cfg).items():
        target = target_of(node)
        checked = target.startswith(LIBRARIES) and place not in ("dataset", "model", "trainer")
        annotated = named_arguments(target)[0] if checked else {}
        for name in annotated.keys() & node.keys() if annotated else ():
            key, value = f"{place}.{name}", node[name]
            built_later = OmegaConf.is_dict(value) and "_target_" in value
            steps = place == "scheduler" and STEPS.holds(value)
            if policy(key).range or built_later or steps or annotated[name] is None:
                continue
            if taken := range_of_annotation(annotated[name]):
                taken.check(key, value)


def check_arguments(cfg: DictConfig) -> None:
    """Raises UserError for a setting in conf/ that the class does not take, because `_target_` names another class, and
    for a class of another kind."""
    typed = {key_of(word) for word in given_words(cfg)}
    for place, node in parts_with_a_class(cfg).items():
        target = target_of(node)
        if place in BASES and is_another(target, BASES[place]):
            raise UserError(is_no(place, target, BASES[place]))
        taken = only_arguments(target) if place.startswith(("dataset", "model", "callbacks")) else None
        foreign = [] if taken is None else [str(name) for name in node if name not in (*taken, *NO_ARGUMENTS)]
        foreign = [name for name in foreign if node[name] is not None]  # null is not passed to the class
        if foreign and not typed & {f"{place}.{name}" for name in foreign}:
            cure = leaving_out(place, foreign)
            if "augment" in typed and {*foreign} <= {"flip", "shift", "sizes", "augment"}:
                cure = "it augments no images as augment=… says, so leave that out"
            raise UserError(f"{target} takes no {', '.join(foreign)}: {cure}.")


def range_of_annotation(annotation: ast.expr) -> Range | None:
    """The range that an annotation implies; None if it has a type that is not known here."""
    found = [type_of(one) for one in alternatives(annotation)]
    if not all(found):
        return None
    plain = [words for words, schemas in found if schemas != NO_PLAIN] or [OBJECT]
    words = list(dict.fromkeys(plain))
    return either(" or ".join(words), *(schema for _, schemas in found for schema in schemas))


def alternatives(annotation: ast.expr) -> list[ast.expr]:
    """The members of a union, written as `a | b`, Optional or Union; any other annotation by itself."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*alternatives(left), *alternatives(right)]
        case ast.Subscript(value=ast.Name("Optional"), slice=one):
            return [*alternatives(one), ast.Constant(None)]
        case ast.Subscript(value=ast.Name("Union"), slice=ast.Tuple(elts=several)):
            return [part for one in several for part in alternatives(one)]
    return [annotation]


def type_of(annotation: ast.expr) -> tuple[str, list[dict]] | None:
    """(The type in words, its JSON schemas); None for a type that is not known here."""
    match annotation:
        case ast.Constant(None):
            return PLAIN["None"]
        case ast.Subscript(value=ast.Name("Literal"), slice=options):
            values = [ast.literal_eval(one) for one in getattr(options, "elts", [options])]
            return " or ".join(str(value).lower() for value in values), [{"enum": values}]
        case ast.Subscript(value=ast.Name("tuple" | "Tuple"), slice=ast.Tuple(elts=several)):
            are_equal = len({ast.dump(item) for item in several}) == 1  # tuple[int, ...], for one, has no fixed length
            if not are_equal or not (one := range_of_annotation(several[0])):
                return PLAIN["tuple"]
            length = {"minItems": len(several), "maxItems": len(several)}
            return f"a list of {len(several)}, each {one.words}", [{"type": "array", "items": one.schema, **length}]
        case ast.Subscript(value=ast.Name(name)) | ast.Name(name):
            return PLAIN.get(name) or ((OBJECT, NO_PLAIN) if name in BUILT else None)
    return None
