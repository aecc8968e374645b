"""The words of a command line, as a person types them and as Hydra takes them.

`as_hydra_reads` turns each word into one that Hydra understands, Hydra composes the configuration from conf/ and these
words, and `check.py` checks it; `check_types.py` compares the types of values with those of conf/ alone. When a run
goes on, `stored_run.py` applies the words to the stored configuration. In a sweep, `loader.py` composes each job,
`sweeps/frozen.py` freezes it as job.yaml, and `sweeps/frozen_loader.py` gives that to Hydra's launcher.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, Sweep
from hydra.errors import HydraException

from proj.config.declared import OF_ONE_CLASS, TAKE_SEVERAL
from proj.config.quoting import as_text
from proj.config.settings.table import policy
from proj.errors import UserError
from proj.system.shell import local_path

# Settings whose value is a path: 2024 is a text there, and ~ is the home folder, which a shell does not replace.
PATH = re.compile(
    r"\+*((dataset\.)?(data|cache)_dir|dataset\.labels|model\.(cache_dir|weights)|hydra\.(run|sweep)\.dir|sweep_name)"
)
GROUPS = (*OF_ONE_CLASS, *TAKE_SEVERAL, "preset", "augment")
OF_ALL = (*GROUPS, "sweep", "hydra/launcher", "hydra/sweeper")  # groups that are in Hydra's defaults list
EMPTY = ("scheduler", "preset", "logger", "augment")  # groups with an option `none`
# One value between commas: a text in quotes, a list, a mapping, a call such as range(1,5), or anything else.
VALUE = re.compile(
    r"""(?s)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[(?:[^][]|\[[^][]*])*]|\{[^{}]*}|\w+\([^()]*\)|[^,]*?)\s*(,|$)"""
)
# A key in a mapping, with or without quotation marks.
NAME = re.compile(r"""(?:^\{|,)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,:'"]*?)\s*:""")
# A range that Hydra cannot read: as other programs write it, or with decimal commas, as in interval(0,001,0,1).
NO_RANGE = re.compile(
    r"(q?(log)?_?uniform|randint|normal|linspace|logspace|arange|suggest_\w+)\(|(interval|range)\(\s*[-+.\d]|tag\(\s*log\b",
    re.I,
)


def key_of(word: str) -> str:
    """The setting or group that a word names, such as model.depth of +model.depth=3."""
    return word.lstrip("+~").partition("=")[0]


def group_and_option(file: str) -> tuple[str, str]:
    """(The group, its option) of a file below conf/, such as dataset/iris. A mistyped option may itself contain a /."""
    group = next((known for known in OF_ALL if file.startswith(f"{known}/")), file.rpartition("/")[0])
    return group, file.removeprefix(f"{group}/")


def without_plus(word: str) -> str:
    """A word, without the plus before an argument of the Trainer: conf/ lists them all, so that none is added."""
    key = word.partition("=")[0]
    return word[1:] if key.startswith("+trainer.") and policy(key[1:]).range else word


def as_hydra_reads(word: str, several: bool = False) -> str:
    """A setting of the command line as Hydra takes it.

    A value that Hydra's grammar refuses, such as a path with an accent, a parenthesis or an apostrophe, gets quotation
    marks, also within a list. several: whether commas separate the values of a sweep.
    """
    word = without_plus(word)
    key, equals, value = word.partition("=")
    if not key or not (equals or key.startswith("~")):
        raise UserError(f"{word!r} is not of the form key=value, without spaces around the =.")
    if not equals:
        return word
    if key in ("hydra.launcher", "hydra.sweeper"):
        raise UserError(f"{word} chooses no option, which takes a slash: {word.replace('.', '/', 1)}")
    if key.lstrip("+") in OF_ALL:  # Hydra takes no plus before a group that is in its defaults list
        word, key = word.lstrip("+"), key.lstrip("+")
    read = parsed(word)
    if read and key in OF_ALL:
        refuse_no_option(word, key, read.value())
        return f"{key}={','.join(as_name(key, each) for each in between_commas(value))}"
    if read:
        refuse_ambiguous(word, read, several)
    else:
        refuse_no_setting(word, several)
    if read and not PATH.fullmatch(key):
        return word
    if several and not read:
        value = re.sub(r"^choice\((.*)\)$", r"\1", value, flags=re.DOTALL)  # choice(a,b) is the same as a,b
    values = between_commas(value) if several and not key.startswith("hydra.") else [value]
    return f"{key}={','.join(one_value(key, each) for each in values)}"


def refuse_ambiguous(word: str, read: Override, several: bool) -> None:
    """Raises UserError for a word that Hydra would misread: a mapping with a key twice (1 and 1.0 are equal), a range
    beside other values, and a decimal comma where commas separate values."""
    key, _, value = word.partition("=")
    for mapping in re.findall(r"(?:^|,)\s*(\{[^{}\[\]()]*\})(?=\s*(?:,|$))", value):
        alone = parsed(f"mapping={mapping}")
        if alone and len(alone.value()) < len(NAME.findall(mapping)):
            raise UserError(f"{word} names something twice in {mapping}: leave one of the two out.")
    if any(isinstance(one, Sweep) for one in getattr(read.value(), "list", ())):
        raise UserError(f"{word} has a range or an interval beside other values: give it alone, or name each value.")
    if several and (meant := with_points(key, value)) and not all(map(policy(key).range.holds, numbers_in(value))):
        raise UserError(f"{word} has a decimal comma, but commas separate values here: type {key}={meant}")


def refuse_no_setting(word: str, several: bool) -> None:
    """Raises UserError for what Hydra cannot read: several words, another program's range, a key that is no name."""
    key, _, value = word.partition("=")
    if key in OF_ALL and (more := re.search(r"\s[+~]?[\w./]+=", value)):
        raise UserError(f"{word!r} is several words: give{more[0]}… by itself.")
    is_text = PATH.fullmatch(key) or re.search(r"\)\s*\w", value)  # a text that goes on after a parenthesis
    if several and NO_RANGE.match(value) and not is_text:
        raise UserError(
            f"{word} is not how a range is written here. A search takes {key}=interval(0.1,1), on a logarithmic scale "
            f"{key}=tag(log,interval(0.1,1)); a grid takes {key}=range(1,5), or values with commas between them."
        )
    if not parsed(f"{key}=0"):
        raise UserError(f"{key!r} is no name of a setting, which has letters, digits, _ and points alone.")


def numbers_in(value: str) -> list[int | str]:
    """The whole numbers between the commas. A text such as 05 or 001, which is no number, stays a text."""
    return [part if part != "0" and part.startswith("0") else int(part) for part in value.split(",")]


def with_points(key: str, value: str) -> str | None:
    """The value with points for decimal commas: 0.01 for 0,01, and 0.1,0.2 for 0,1,0,2; None if it has no such
    numbers, or the setting does not take them."""
    numbers = re.findall(r"(\d+),(\d+)(?:,|$)", value)
    if ",".join(f"{whole},{rest}" for whole, rest in numbers) != value:
        return None
    decimals, taken = [f"{whole}.{rest}" for whole, rest in numbers], policy(key).range
    return ",".join(decimals) if taken and all(taken.holds(float(decimal)) for decimal in decimals) else None


def refuse_no_option(word: str, group: str, value: object) -> None:
    """Raises UserError for a value that cannot be an option's name, and for a list where a run has only one option."""
    for one in value.list if isinstance(value, ChoiceSweep) else [value]:
        if isinstance(one, list) and group not in TAKE_SEVERAL:
            raise UserError(
                f"{word} is a list, and a run has one {group}: give one word, {group}=…, or a run for each, "
                f"python -m proj.train -m {group}=…,…"
            )
        if one is None and group in EMPTY:
            raise UserError(f"{word} names no option of {group}: {group}=none is the empty one.")
        of_names = isinstance(one, list) and all(isinstance(name, str) for name in one) and (one or group == "logger")
        if not of_names and not isinstance(one, str | QuotedString | int | float | Glob):
            raise UserError(f"{word} names no option of {group}: give one word, {group}=…")


def as_name(group: str, text: str) -> str:
    """An option's name for Hydra: 2024 in quotation marks, and iris for iris.yaml, since dataset_model refers to it."""
    return as_text(text) if isinstance(parsed(f"{group}={text}").value(), int | float) else text.removesuffix(".yaml")


def one_value(key: str, value: str) -> str:
    """A setting's value, or one of its several values, as Hydra takes it."""
    if PATH.fullmatch(key):
        value = local_path(value, f"{key}=") if not re.match("['\"]", value) else value
        if "${" in value and os.path.lexists(value):
            raise UserError(f"{key}={value} has ${{…}} in its name, which Hydra takes for a setting: rename it.")
        if value != value.strip() and os.path.lexists(value):
            return as_text(value)  # Hydra would drop the blanks
        override = parsed(f"{key}={value}")
        if override and (
            (isinstance(override.value(), int | float) and not key.endswith("weights"))  # those of one's own model
            or value.startswith("\\\\")  # a path of Windows to another machine: Hydra would read \\ as one \
            or (key.startswith("hydra.") and override.is_sweep_override())  # a folder whose name contains commas
        ):
            return as_text(value)
        listed = re.fullmatch(r"\[(.*)\]", value)
        if listed and key.endswith("data_dir"):  # several files of one table, joined like the folders in $PATH
            files = [parsed(f"{key}={one_value(key, each)}").value() for each in between_commas(listed[1])]
            return as_text(os.pathsep.join(map(os.path.abspath, files)))
    if parsed(f"{key}={value}"):
        return value
    if listed := re.fullmatch(r"\[(.*)\]", value, re.DOTALL):
        return f"[{','.join(one_value(key, each) for each in between_commas(listed[1]))}]"
    return as_text(value)


@lru_cache(1000)  # parsing takes milliseconds, and composing a run asks for the same words again
def parsed(word: str) -> Override | None:
    """The word as Hydra parses it; None if Hydra cannot."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def between_commas(text: str) -> Iterator[str]:
    """The values that commas separate; commas within quotation marks, brackets and calls do not count.

    Raises UserError if there is no value before or after a comma.
    """
    place, more, alone = 0, True, True
    while more:
        match = VALUE.match(text, place)
        place, more = match.end(), bool(match[2])
        alone = alone and not more
        if not (match[1] or alone):
            raise UserError(f"{text!r} lacks a value beside a comma: leave it out, or give '' for an empty text.")
        yield match[1]
