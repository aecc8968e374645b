"""The class of a line of the table, `Setting`, and that of the values that a setting may have, `Range`."""

import json
import math
import operator
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from proj.errors import UserError

TYPES = {"null": type(None), "boolean": bool, "string": str, "array": list, "object": dict}
TYPES |= {"integer": int, "number": int | float}  # unlike in JSON schema, 64.0 is no integer
BELOW = {"integer": 2**63, "number": math.inf}  # torch's counts are int64; JSON has neither infinity nor NaN
# Whether a value fits what a schema says by each keyword. The type is the first in each schema that has one.
KEYWORDS: dict[str, Callable[[Any, Any], bool]] = {
    "anyOf": lambda value, schemas: any(fits(value, one) for one in schemas),
    "enum": lambda value, options: any(value == one and type(value) is type(one) for one in options),
    "type": lambda value, kind: (
        isinstance(value, TYPES[kind])
        and isinstance(value, bool) == (kind == "boolean")
        and (kind not in BELOW or abs(value) < BELOW[kind])
    ),
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda value, size: value % size == 0 and abs(value) < BELOW["integer"],
    "pattern": lambda text, pattern: re.fullmatch(pattern, text, re.DOTALL) is not None,
    "minItems": lambda items, least: len(items) >= least,
    "maxItems": lambda items, most: len(items) <= most,
    "items": lambda items, schema: all(fits(item, schema) for item in items),
    "propertyNames": lambda mapping, schema: all(fits(name, schema) for name in mapping),
    "additionalProperties": lambda mapping, schema: all(fits(value, schema) for value in mapping.values()),
}


def fits(value: Any, schema: dict) -> bool:
    """Whether a plain value fits the schema."""
    return all(KEYWORDS[word](value, said) for word, said in schema.items())


@dataclass(frozen=True)
class Range:
    """The values that a setting may have.

    words: how a message ends that begins `optimizer.lr=abc is not `. schema: a JSON schema.
    also: a further test, which the schema cannot express.
    """

    words: str
    schema: dict
    also: Callable[[Any], bool] | None = None

    def holds(self, value: Any) -> bool:
        """Whether a value of the configuration is in the range."""
        value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        value = os.fspath(value) if isinstance(value, os.PathLike) else value  # a script may have set it
        return fits(value, self.schema) and (self.also is None or self.also(value))

    def check(self, key: str, value: Any) -> None:
        """Raises UserError for a value of the setting `key` that is not in the range."""
        if not self.holds(value):
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{key}={value} is not finite: give {self.words}.")
            shown = json.dumps(value) if value is None or isinstance(value, bool) else value  # as it is typed
            if isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?|true|false|null", value, re.I):
                shown = f"'{value}', a text,"
            raise UserError(f"{key}={shown} is not {self.words}.")


@dataclass(frozen=True)
class Setting:
    """What is known of a setting. `resume` and `report` also hold for the settings below it, unless these have another.

    range: the values that it may have; None if only its default value tells the type.
    resume: whether it may change when a run goes on: "fixed" (no), "free" (yes), or "scheduled" (no if the learning
    rate's schedule was laid out for the old value).
    report: how a report treats it: "apart" (runs that differ in it are other configurations), "first" (so too, and it
    is named before others that differ together with it), "seed" or "fold" (runs are averaged over it), or "never" (it
    changes no result).
    instead: for a setting that this program sets itself, what the user types instead.
    """

    range: Range | None = None
    resume: str | None = None
    report: str | None = None
    instead: str | None = None


def free(range: Range | None = None) -> Setting:
    """A setting that changes no result: where files lie, how often a run is saved, how it is shown and started."""
    return Setting(range, resume="free", report="never")


def reserved(instead: str, resume: str | None = None, report: str | None = None) -> Setting:
    """A setting that this program sets itself."""
    return Setting(None, resume, report, instead)


FOLDER = "the run's folder is hydra.run.dir=path/to/folder (a sweep's: hydra.sweep.dir=path/to/folder)"
