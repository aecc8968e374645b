"""The JSON schema of conf/ for editors: python -m proj.config.schema > schema.json

A YAML file that begins with `# yaml-language-server: $schema=schema.json` (a
path from the file, or a URL) is then completed and checked as it is typed. It
may be an option of a group, a preset, or a whole configuration. The schema is
made from the table of settings, the options in conf/ with their comments, and
the signatures of the classes that they name.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from proj.config.check_types import range_of_default
from proj.config.command_line import words_or_help
from proj.config.compose import CONF
from proj.config.declared import HANDED, NO_ARGUMENTS, OF_ONE_CLASS, TAKE_SEVERAL, named_arguments
from proj.config.settings.table import below, policy

DEFAULTS = {"defaults": {"type": "array"}}  # Hydra's list of the options on which a file builds
OTHER = {"type": ["object", "null"], "required": ["_target_"]}  # the user's own callback or logger
REFERENCE = {"type": "string", "pattern": r"\$\{"}  # a reference may stand in place of any value


def schema() -> dict[str, Any]:
    """The JSON schema. A file is an option of one group, or has all groups: a preset, or what --cfg job prints."""
    nodes = {group: list(read_nodes(group)) for group in OF_ONE_CLASS}
    named = {group: by_key(list(read_nodes(group))) for group in TAKE_SEVERAL}
    targets = targets_of([*nodes.values(), *(each for known in named.values() for each in known.values())])
    foreign = {"required": ["_target_"], "properties": {"_target_": {"type": "string", "not": {"enum": targets}}}}
    groups = {group: class_schema(group, each, foreign) for group, each in nodes.items()}
    for group, known in named.items():
        own = {name: class_schema(f"{group}.{name}", each, foreign) for name, each in known.items()}
        groups[group] = {"type": "object", "properties": {**own, **DEFAULTS}, "additionalProperties": OTHER}
    whole = whole_configuration()
    of_one_group = {group: {"$ref": f"#/$defs/{group}"} for group in groups}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A configuration of proj, or an option of one of its groups",
        "type": "object",
        "anyOf": [
            {"properties": whole | of_one_group, "additionalProperties": False},
            *({"allOf": [of_one_group[group], {"not": foreign}]} for group in OF_ONE_CLASS),
            *({"allOf": [of_one_group[group], without_others(group, whole, named)]} for group in TAKE_SEVERAL),
            {**foreign, "properties": of_one_group_alone(groups) | foreign["properties"]},
        ],
        "$defs": groups,
    }


def whole_configuration() -> dict[str, Any]:
    """The schema's properties for the settings of conf/train.yaml, and for what --cfg job prints beside these."""
    file = CONF / "train.yaml"
    top, about = OmegaConf.to_container(OmegaConf.load(file), resolve=False), comments(file)
    settings = {key: setting_schema(key, [value], about.get(key)) for key, value in top.items()}
    return settings | {key: {} for key in ("choices", "trial", "hydra")} | DEFAULTS


def without_others(group: str, whole: dict, named: dict[str, dict]) -> dict[str, Any]:
    """The schema by which an option of callbacks or logger is told from other files: it has none of their names."""
    names = {*whole, *OF_ONE_CLASS, *TAKE_SEVERAL}.union(*named.values()) - {*named[group], *DEFAULTS}
    return {"propertyNames": {"not": {"enum": sorted(names)}}}


def of_one_group_alone(groups: dict[str, dict]) -> dict[str, Any]:
    """The settings that only one group has: by them a file is checked that names the user's own class, since nothing
    tells of which group it is."""
    settings = [setting for group in OF_ONE_CLASS for setting in groups[group]["properties"].items()]
    names = [name for name, _ in settings]
    return {name: rule for name, rule in settings if names.count(name) == 1}


def targets_of(nodes: list[list[dict]]) -> list[str]:
    """The classes that nodes name."""
    return sorted({node["_target_"] for each in nodes for node in each if node.get("_target_")})


def class_schema(place: str, nodes: list[dict], foreign: dict) -> dict[str, Any]:
    """The schema of the node at `place`, whose known classes and settings are those of `nodes`.

    foreign: the schema that holds for the user's own class, which may take others.
    """
    about = comments(*(CONF / place.partition(".")[0]).rglob("*.yaml"))  # the settings' descriptions
    targets, defaults = targets_of([nodes]), by_key(nodes)
    names = {*defaults, *NO_ARGUMENTS, *(name for target in targets for name in named_arguments(target)[0])}
    properties = {
        name: setting_schema(f"{place}.{name}", defaults.get(name, []), about.get(name))
        for name in sorted(names)
        if name not in HANDED and not policy(f"{place}.{name}").instead
    }
    properties |= {"_target_": {"type": ["string", "null"], "examples": targets}} | DEFAULTS
    closed = {"propertyNames": {"enum": sorted(properties)}}
    return {"type": "object", "properties": properties, "if": foreign, "then": {}, "else": closed}


def setting_schema(key: str, defaults: list, description: str | None) -> dict[str, Any]:
    """The schema of a setting, from its line in the table of settings or from its default values in conf/."""
    kinds = [range_of_default(default) for default in defaults]
    if policy(key).range:
        known = policy(key).range.schema
        null = [] if key.startswith(("trainer.", "callbacks.")) else [{"type": "null"}]  # an option may leave it null
        found = {"anyOf": [*known.get("anyOf", [known]), REFERENCE, *null]}
    elif kinds and all(kinds) and len({kind.schema["type"] for kind in kinds}) == 1:
        found = {"anyOf": [kinds[0].schema, REFERENCE, {"type": "null"}]}
    elif nested := below(key):  # such as model.loss
        found = {"properties": {name: setting_schema(f"{key}.{name}", [], None) for name in nested}}
    else:
        found = {}
    words = " — ".join(filter(None, [description, policy(key).range and policy(key).range.words]))
    return {**found, "description": words} if words else found


def read_nodes(group: str) -> Iterator[dict]:
    """The content of each option's file in a group, without the list of the options that it builds on."""
    for file in sorted((CONF / group).rglob("*.yaml")):
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        if "# @package _global_" in file.read_text(encoding="utf-8"):
            content = content.get(group, {})
        yield {key: value for key, value in content.items() if key != "defaults"}


def by_key(nodes: list[dict]) -> dict[str, list]:
    """Each key of the mappings with the values that they have for it."""
    keys = dict.fromkeys(key for node in nodes for key in node)
    return {key: [node[key] for node in nodes if key in node] for key in keys}


def comments(*files: Path) -> dict[str, str]:
    """The comments at the ends of the files' lines, by the names of the settings in these lines."""
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    found = (re.fullmatch(r" *(\w+):.*? # (.+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def main() -> None:
    words_or_help(__doc__, needed=False)
    print(json.dumps(schema(), indent=2))


if __name__ == "__main__":
    main()
