"""Tests whether a plain value fits a JSON schema, for the few keywords that the ranges of settings use."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

TYPES: dict[str, type | tuple] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda value, size: value % size == 0,
}


def fits(value: Any, schema: dict) -> bool:
    """Whether a plain value fits the schema.

    Unlike in JSON schema, 64.0 is not an integer here. Infinity and NaN, which JSON does not have, are no numbers.
    """
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return any(value == one and type(value) is type(one) for one in schema["enum"])
    kind = schema["type"]
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if kind == "string":
        return bool(re.fullmatch(schema.get("pattern", ".*"), value, re.DOTALL))
    if kind == "array":
        fits_length = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return fits_length and all(fits(item, schema["items"]) for item in value if "items" in schema)
    if kind == "object":
        names = schema.get("propertyNames", {}).get("enum", value)
        taken = schema.get("additionalProperties")
        return all(name in names and (taken is None or fits(one, taken)) for name, one in value.items())
    if kind in ("null", "boolean"):
        return True
    in_limits = all(holds(value, schema[word]) for word, holds in LIMITS.items() if word in schema)
    is_count = kind == "integer" or "multipleOf" in schema
    return in_limits and abs(value) < (2**63 if is_count else math.inf)  # torch's counts are int64
