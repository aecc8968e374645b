"""Tests whether a plain value fits a JSON schema, for the few keywords that the ranges of settings use."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

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
