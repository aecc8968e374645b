"""A command whose settings Hydra composes."""

import os
import re
import sys
import warnings
from collections.abc import Callable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from proj.config.explain import FULL_ERROR, sentences
from proj.config.settings import plain
from proj.system.platform import as_command


def as_text(value: str, quote: str = "'") -> str:
    """A value in quotes, in which Hydra reads it as it stands."""
    text = re.sub(rf"(\\+)(?={quote}|$)", r"\1\1", value)  # elsewhere a backslash is itself
    return quote + text.replace(quote, f"\\{quote}") + quote


SCHEMA = "\n'hydra/launcher/.* is validated"  # how Hydra begins to warn of what is meant


def quoted(word: str) -> str:
    """A setting of the command line as Hydra takes it: one whose value it cannot read, such as a path with an accent, a
    parenthesis or an apostrophe, is taken for a text, and so is such a value in a list."""
    key, equals, value = word.partition("=")
    if not equals or re.fullmatch(r"[\w.,:/~+\-\[\]{} ]*", value, re.ASCII):
        return word
    try:
        OverridesParser.create().parse_override(word)
        return word
    except HydraException:
        if not (listed := re.fullmatch(r"\[([^\[\]]*)\]", value)):
            return f"{key}={as_text(value)}"
    pieces = re.findall(r"""\s*("[^"]*"|'[^']*'|[^,]+)""", listed[1])
    return f"{key}=[{','.join(quoted(f'{key}={piece.strip()}').partition('=')[2] for piece in pieces)}]"


def typed(key: str, text: str, listed: bool = False) -> str:
    """A setting with this text as a person types it into the shell; listed: as the only one of a list."""
    special = ("true", "false", "null", "nan", "inf")  # which Hydra takes for something else
    if not re.fullmatch(r"[a-z_]\w*", text, re.I | re.ASCII) or text.lower() in special:
        text = as_text(text.replace("${", "\\${"), '"')
    return as_command([f"{key}=[{text}]" if listed else f"{key}={text}"])


def run_hydra(command: Callable[[], object]) -> None:
    """Run a function of `hydra.main`'s with the command line's settings; errors as `sentences` says."""
    sys.argv[1:] = [word if word.startswith("-") else quoted(plain(word)) for word in sys.argv[1:]]
    sys.path[:0] = [""] * ("" not in sys.path)  # a class of one's own lies here; Python adds it to `python -m` alone
    os.environ["PROJ_FULL_ERROR"] = str(int(FULL_ERROR))  # for the processes that this one starts
    warnings.filterwarnings("ignore", SCHEMA)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them
    with sentences():
        command()
