"""The ranges of settings' values: in words for the user, and as JSON schemas for the checks and for editors."""

from collections.abc import Callable
from datetime import timedelta
from string import Formatter
from typing import Any

from proj.config.settings.setting import Range
from proj.system.names import RESERVED


def whole(low: int) -> Range:
    return Range(f"a whole number, {low} or more", {"type": "integer", "minimum": low})


def one_of(*words: str) -> Range:
    return Range(f"{', '.join(words[:-1])} or {words[-1]}", {"enum": list(words)})


def either(words: str, *schemas: dict, also: Callable[[Any], bool] | None = None) -> Range:
    return Range(words, {"anyOf": list(schemas)}, also)


def or_null(one: Range) -> Range:
    schemas = one.schema.get("anyOf", [one.schema])
    also = one.also and (lambda value: value is None or one.also(value))
    return either(f"{one.words}, or null", *schemas, {"type": "null"}, also=also)


def list_of(words: str, item: dict) -> Range:
    return Range(words, {"type": "array", "minItems": 1, "items": item})


def text(pattern: str) -> dict:
    return {"type": "string", "pattern": f"^({pattern})$"}


def lasts(time: Any) -> bool:
    """Whether a duration (a text days:hours:minutes:seconds, or a mapping) is above zero, and not longer than Python's
    timedelta can be; True for any other value."""
    if isinstance(time, str):
        numbers = map(int, time.split(":"))
        time = dict(zip(("days", "hours", "minutes", "seconds"), numbers, strict=True))
    try:
        return not isinstance(time, dict) or timedelta(**time) > timedelta(0)
    except OverflowError:
        return False


def fits_numbers(pattern: str) -> bool:
    """Whether numbers fit into a pattern such as {epoch:02d}-{val/acc:.2f}, and its braces are in pairs."""
    try:
        return all(format(1, form or "") for _, _, form, _ in Formatter().parse(pattern))
    except ValueError:
        return False


ABOVE_ZERO_SCHEMA = {"type": "number", "exclusiveMinimum": 0}
WHOLE_SCHEMA = {"type": "integer", "minimum": 1}
NAME_OR_PLACE_SCHEMA = {"enum": [None]}, {"type": "integer"}, text(".+")
BATCHES_SCHEMA = ({**ABOVE_ZERO_SCHEMA, "maximum": 1}, {"type": "number", "minimum": 1, "multipleOf": 1})
DURATION_SCHEMA = (
    text(r"\d+(:\d\d){3}"),
    {
        "type": "object",
        "propertyNames": {"enum": ["weeks", "days", "hours", "minutes", "seconds"]},
        "additionalProperties": {"type": "number", "minimum": 0},
    },
)
BATCHES_WORDS = "a number above 0: 1 or another whole number is that many batches, 1.0 or less a share of them"
DURATION_WORDS = "days:hours:minutes:seconds, such as 00:01:30:00, or {hours:1}, up to 999999999 days"

SEED = Range("a whole number, 0 to 4294967295", {"type": "integer", "minimum": 0, "maximum": 2**32 - 1})
PATH = either("a path", text(".+"), {"type": "number"})
FILES = either("a path", *PATH.schema["anyOf"], {"type": "array", "minItems": 1, "items": text(".+")})
SWITCH = Range("true or false", {"type": "boolean"})
NAME = Range("a name", text(".+"))
FILE_NAME = Range("a file's name, with {epoch} or {val/acc:.2f} for a number", text(".+"), fits_numbers)
ABOVE_ZERO = Range("a number above 0", ABOVE_ZERO_SCHEMA)
NOT_NEGATIVE = Range("a number, 0 or more", {"type": "number", "minimum": 0})
PART = Range("a number above 0 and below 1", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
UP_TO_1 = Range("a number, 0 to 1", {"type": "number", "minimum": 0, "maximum": 1})
DEGREES = Range("a number of degrees, 0 to 180", {"type": "number", "minimum": 0, "maximum": 180})
PART_OR_ALL = Range("a number above 0, 1 at most", {**ABOVE_ZERO_SCHEMA, "maximum": 1})
SHARE = Range("a number, 0 or more and below 1", {"type": "number", "minimum": 0, "exclusiveMaximum": 1})
NUMBERS = list_of("a list of numbers, one a channel, such as [0.5]", {"type": "number"})
NUMBERS_ABOVE_ZERO = list_of("a list of numbers above 0, one a channel, such as [0.5]", ABOVE_ZERO_SCHEMA)
LEVELS = Range(
    "two numbers, of black and of a larger one of white, such as [0,4095]",
    {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
    lambda value: value[0] < value[1],
)
SIZES = list_of("a list of heights in pixels, such as [20,24,28]", WHOLE_SCHEMA)
DEPTH = Range("a whole number, 1 to 1000", {"type": "integer", "minimum": 1, "maximum": 1000})
LAYERS = Range(
    "a list of whole numbers, 1 or more, such as [32,16], of 1000 layers at most",
    {"type": "array", "maxItems": 1000, "items": WHOLE_SCHEMA},
)
COLUMNS = Range("a list of columns, such as [price]", {"type": "array"})
GROUP = either(
    "a column of the table or a part of the photos' paths, by its name, its place or a pattern, or null",
    *NAME_OR_PLACE_SCHEMA,
)
COLUMN = either("a column's name or its place, or null", *NAME_OR_PLACE_SCHEMA)
WEIGHTS = either(
    "a tensor, which no list can be: balance=loss has unequal classes count alike", {"type": "object"}, {"type": "null"}
)
SHEET = either("a sheet's name or its place, 0 the first, or null", *NAME_OR_PLACE_SCHEMA)
SIZE = either(
    "a number of pixels, such as 64, or [height,width]",
    {"type": "null"},
    WHOLE_SCHEMA,
    {"type": "array", "minItems": 2, "maxItems": 2, "items": WHOLE_SCHEMA},
)
STEPS = either(
    "a whole number, 1 or more, or steps or steps/3 for the run's or a third of them",
    WHOLE_SCHEMA,
    text(r"steps(/[1-9]\d*)?"),
)
SWEEP_NAME = Range(
    "a name of letters, digits and . _ -, of 80 at most and none that Windows keeps (con, nul …)",
    text(r"[\w.-]{0,79}\w"),
    also=lambda name: not RESERVED.fullmatch(name),
)
DEVICES = either(
    "auto, a number of devices, 1 or more, or a list of them such as [0,1]",
    {"enum": [-1]},
    WHOLE_SCHEMA,
    text(r"auto|-1|\d+(,\d*)+"),
    {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
)
PRECISIONS = ("auto", "32-true", "bf16-mixed", "bf16-true", "16-mixed", "16-true", "64-true")
OTHER_PRECISIONS = ("transformer-engine", "transformer-engine-float16", "bf16", "16", "32", "64", 16, 32, 64)
PRECISION = Range(
    f"{', '.join(PRECISIONS)} or another precision of Lightning's", {"enum": [*PRECISIONS, *OTHER_PRECISIONS]}
)
STRATEGY = Range("auto, ddp or another strategy of Lightning's", text(r"auto|(ddp|fsdp|deepspeed|single|xla)\w*"))
EPOCHS = either(
    "a whole number, 1 or more; -1 where trainer.max_steps or trainer.max_time is the end",
    {"enum": [-1, None]},
    WHOLE_SCHEMA,
)
WHOLE_OR_ALL = either("a whole number, 1 or more, or -1 for all", {"enum": [-1]}, WHOLE_SCHEMA)
JOBS_AT_ONCE = either("a number of jobs, such as 2, or -1 for all", {"type": "integer", "maximum": -1}, WHOLE_SCHEMA)
WHOLE_OR_NO_LIMIT = either("a whole number, 1 or more, or -1 for no limit", {"enum": [-1]}, WHOLE_SCHEMA)
BATCHES = either(BATCHES_WORDS, *BATCHES_SCHEMA)
OVERFIT = either(f"0 for no limit, {BATCHES_WORDS}", {"type": "number", "minimum": 0, "maximum": 0}, *BATCHES_SCHEMA)
TRIES = either("true, false or a number of batches", SWITCH.schema, {"type": "integer", "minimum": 0})
DURATION = either(DURATION_WORDS, *DURATION_SCHEMA, also=lasts)
INTERVAL = either(
    f"a share of an epoch, a number of batches, or a time ({DURATION_WORDS})",
    *BATCHES_SCHEMA,
    *DURATION_SCHEMA,
    also=lasts,
)
# A class and the cost of missing it, in a text such as {>50K:5}: Hydra reads no mapping with such a name.
COST = r"""\s*("[^"]*"|'[^']*'|[^,]*?)\s*:\s*((?=[\d.]*[1-9])\d*\.?\d+)\s*"""
THRESHOLD = either(
    "f1, f1:<class>, balanced, what it costs to miss a class, above 0, such as {yes:5}, or null",
    {"enum": ["f1", "balanced", None]},
    text("f1:.+"),
    text(rf"\{{{COST}(,{COST})*\}}"),
    {"type": "object", "additionalProperties": ABOVE_ZERO_SCHEMA},
)
DETERMINISTIC = either("true, false or warn", SWITCH.schema, {"enum": ["warn"]})
