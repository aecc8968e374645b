"""The words of a command line: as a person types them, and as Hydra takes them.

This is their way. `as_hydra_reads` makes of each a word that Hydra understands, and Hydra composes conf/ by them. Then
`check.py` tests the result; the kind of each value follows from what conf/ has without the words (`check_types.py`). A
run that goes on has a configuration already, to which `stored_run.py` applies them. Of a sweep, `loader.py` composes
each job, `sweeps/folder.py` freezes it as job.yaml, and `sweeps/frozen.py` hands that to Hydra's launcher.
"""

import os
import re
from collections.abc import Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, Quote, QuotedString, Sweep
from hydra.errors import HydraException

from proj.config.settings.table import policy
from proj.errors import UserError
from proj.system.platform import as_command, local_path

# Settings that name a file or a folder: 2024 is a text there, and ~ the user's home, which shells leave as it is.
PATH = re.compile(r"\+*((dataset\.)?data_dir|dataset\.cache_dir|hydra\.(run|sweep)\.dir|sweep_name)")
GROUPS = ("dataset", "model", "optimizer", "scheduler", "preset", "trainer", "callbacks", "logger", "augment")
OF_ALL = (*GROUPS, "sweep", "hydra/launcher", "hydra/sweeper")  # groups of which a run has an option already
TAKE_SEVERAL = ("callbacks", "logger")
EMPTY = ("scheduler", "preset", "logger", "augment")  # groups with an option `none`
# What stands between two commas: a text in quotes, a list, a mapping, a call such as range(1,5), or anything else.
VALUE = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\[\]]*\]|\{[^{}]*\}|\w+\([^()]*\)|[^,]*?)\s*(?:(,)|$)""", re.DOTALL
)
# What is named in a mapping, with or without quotation marks.
NAME = re.compile(r"""(?:^\{|,)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,:'"]*?)\s*:""")

# A range as other programs write it, or one that Hydra cannot read, as interval(0,001,0,1) with decimal commas.
NO_RANGE = re.compile(
    r"(q?(log)?_?uniform|randint|normal|linspace|logspace|arange|suggest_\w+)\(|(interval|range)\(\s*[-+.\d]|tag\(\s*log\b",
    re.I,
)


def key_of(word: str) -> str:
    """The setting or group that a word names, such as model.depth of +model.depth=3."""
    return word.lstrip("+~").partition("=")[0]


def group_and_option(file: str) -> tuple[str, str]:
    """A group and its option of a file below conf/, such as dataset/iris; an option may be typed as a path."""
    group = next((one for one in OF_ALL if file.startswith(f"{one}/")), file.rpartition("/")[0])
    return group, file.removeprefix(f"{group}/")


def without_plus(word: str) -> str:
    """A word, less the plus before an argument of the Trainer's, which conf/ names or refuses."""
    key = word.partition("=")[0]
    return word[1:] if key.startswith("+trainer.") and policy(key[1:]).range else word


def as_text(value: str, quote: Quote = Quote.single) -> str:
    """A value in quotes, in which Hydra reads it as it stands."""
    return QuotedString(value, quote).with_quotes()


def typed(key: str, *texts: str, listed: bool = False) -> str:
    """A setting with this value as a person types it into the shell; listed: with a list of these values."""
    special = ("true", "false", "null", "nan", "inf")  # which Hydra takes for something else

    def quoted(text: str) -> str:
        plain = re.fullmatch(r"[a-z_]\w*", text, re.I | re.ASCII) and text.lower() not in special
        return text if plain else as_text(text.replace("${", "\\${"), Quote.double)

    value = ",".join(map(quoted, texts))
    return as_command([f"{key}=[{value}]" if listed else f"{key}={value}"])


def short_names(keys: list[str]) -> dict[str, str]:
    """Each of these settings with its short name: lr for optimizer.lr, where it can be no other of them."""
    lasts = [key.rpartition(".")[2] for key in keys]
    return {key: last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)}


def as_hydra_reads(word: str, several: bool = False) -> str:
    """A setting of the command line as Hydra takes it.

    A value that Hydra cannot read, such as a path with an accent, a parenthesis or an apostrophe, is taken for a text,
    and so is such a value in a list. several: whether commas separate the values of a sweep.
    """
    word = without_plus(word)
    key, equals, value = word.partition("=")
    if not key or not (equals or key.startswith("~")):
        raise UserError(f"{word!r} is not of the form key=value, without spaces around the =.")
    if not equals:
        return word
    if key in ("hydra.launcher", "hydra.sweeper"):
        raise UserError(f"{word} chooses no option, which takes a slash: {word.replace('.', '/', 1)}")
    if key.lstrip("+") in OF_ALL:  # as in Hydra one adds an option where there is none yet
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
        value = re.sub(r"^choice\((.*)\)$", r"\1", value, flags=re.DOTALL)  # which is another way to write them
    values = between_commas(value) if several and not key.startswith("hydra.") else [value]
    return f"{key}={','.join(one_value(key, each) for each in values)}"


def refuse_ambiguous(word: str, read: Override, several: bool) -> None:
    """Raises UserError for a mapping that names something twice, also as 1 and 1.0, of which Hydra takes the last; for
    a range beside other values; and for a decimal comma where commas separate the values."""
    key, _, value = word.partition("=")
    for mapping in re.findall(r"(?:^|,)\s*(\{[^{}\[\]()]*\})(?=\s*(?:,|$))", value):
        alone = parsed(f"mapping={mapping}")
        if alone and len(alone.value()) < len(NAME.findall(mapping)):
            raise UserError(f"{word} names something twice in {mapping}: leave one of the two out.")
    if any(isinstance(one, Sweep) for one in getattr(read.value(), "list", ())):
        raise UserError(f"{word} has a range or an interval beside other values: give it alone, or name each value.")
    if several and (meant := with_points(key, value)) and not all(map(policy(key).range.holds, numbers_in(value))):
        raise UserError(f"{word} has a decimal comma, and a comma is between two values: type {key}={meant}")


def refuse_no_setting(word: str, several: bool) -> None:
    """Raises UserError for what Hydra cannot read: several words, another program's range, a key that is no name."""
    key, _, value = word.partition("=")
    if key in OF_ALL and (more := re.search(r"\s[+~]?[\w./]+=", value)):
        raise UserError(f"{word!r} is several words: give{more[0]}… by itself.")
    is_text = PATH.fullmatch(key) or re.search(r"\)\s*\w", value)  # which goes on after the parenthesis
    if several and NO_RANGE.match(value) and not is_text:
        raise UserError(
            f"{word} is not how a range is written here. A search takes {key}=interval(0.1,1), on a logarithmic scale "
            f"{key}=tag(log,interval(0.1,1)); a grid takes {key}=range(1,5), or values with commas between them."
        )
    if not parsed(f"{key}=0"):
        raise UserError(f"{key!r} is no name of a setting, which has letters, digits, _ and points alone.")


def numbers_in(value: str) -> list[int | str]:
    """The whole numbers between the commas; one such as 05, which is no number, as it stands."""
    return [int(one) if one == "0" or one[0] != "0" else one for one in value.split(",")]


def with_points(key: str, value: str) -> str | None:
    """0.01 for 0,01, and 0.1,0.2 for 0,1,0,2; None where that is none, or the setting takes no such numbers."""
    taken, numbers = policy(key).range, re.findall(r"(\d+),(\d+)(?:,|$)", value)
    decimals = [f"{whole}.{rest}" for whole, rest in numbers]
    is_list = ",".join(f"{whole},{rest}" for whole, rest in numbers) == value
    return ",".join(decimals) if taken and is_list and all(taken.holds(float(one)) for one in decimals) else None


def refuse_no_option(word: str, group: str, value: object) -> None:
    """Raises UserError for a value that can be no option of a group, and for a list where a run has one of them."""
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
    """An option's name as Hydra takes it: 2024 is a number there, and iris.yaml would lack what conf/ has for iris."""
    return as_text(text) if isinstance(parsed(f"{group}={text}").value(), int | float) else text.removesuffix(".yaml")


def one_value(key: str, value: str) -> str:
    """A value, or one of several, as Hydra takes it."""
    if PATH.fullmatch(key):
        value = local_path(value, f"{key}=") if not re.match("['\"]", value) else value
        if "${" in value and os.path.lexists(value):
            raise UserError(f"{key}={value} has ${{…}} in its name, which Hydra takes for a setting: rename it.")
        override = parsed(f"{key}={value}")
        if override and (
            isinstance(override.value(), int | float)
            or value.startswith("\\\\")  # where Windows begins another machine's name, and Hydra takes it for one \
            or (key.startswith("hydra.") and override.is_sweep_override())  # a folder's name with commas
        ):
            return as_text(value)
        listed = re.fullmatch(r"\[(.*)\]", value)
        if listed and key.endswith("data_dir"):  # files that are one table, written as the folders of PATH are
            files = [parsed(f"{key}={one_value(key, each)}").value() for each in between_commas(listed[1])]
            return as_text(os.pathsep.join(map(os.path.abspath, files)))
    if parsed(f"{key}={value}"):
        return value
    if listed := re.fullmatch(r"\[([^\[\]]*)\]", value):
        return f"[{','.join(one_value(key, each) for each in between_commas(listed[1]))}]"
    return as_text(value)


def parsed(word: str) -> Override | None:
    """What Hydra understands of a setting; None where it cannot read it."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def between_commas(text: str) -> Iterator[str]:
    """The values that commas separate, but for the commas within quotes, brackets and calls.

    Raises UserError where there is none beside a comma.
    """
    place, more, alone = 0, True, True
    while more:
        match = VALUE.match(text, place)
        place, more = match.end(), bool(match[2])
        alone = alone and not more
        if not (match[1] or alone):
            raise UserError(f"{text!r} lacks a value beside a comma: leave it out, or give '' for an empty text.")
        yield match[1]
