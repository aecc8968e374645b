"""What a user can mend is said in one sentence, without a traceback; HYDRA_FULL_ERROR=1 shows it."""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException


class UserError(Exception):
    """A problem that the user can mend; the message says what is wrong and what to type."""


def nearest(word: str, options: Iterable[str]) -> str:
    """The end of a message: the nearest option, and all of them unless they are many."""
    options = sorted(str(option) for option in options if not str(option).startswith("_"))
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return f"{guess} Options: {', '.join(options)}." if len(options) <= 10 or not close else guess


def choose(key: str, value: str, options: dict):
    """`options[value]`. Raises UserError with the setting's name and the nearest option."""
    if value not in options:
        raise UserError(f"{key}={value} does not exist." + nearest(value, options))
    return options[value]


def explain(error: BaseException) -> str | None:
    """The sentence for an error of the command line or the configuration; None for a bug."""
    if isinstance(error, UserError):
        return str(error)
    cause = error.__cause__ or error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        return f"There is no setting {cause.full_key!r}." + nearest(str(cause.key), cause.parent_node)
    text = str(error)
    if missing := re.search(r"Could not find '(.+)/(.+?)'\n\nAvailable options in '.+?':\n((?:\t.+\n)+)", text):
        group, option, options = missing.groups()
        return f"{group}={option} does not exist." + nearest(option, options.split())
    if isinstance(error, OmegaConfBaseException) or isinstance(cause, OmegaConfBaseException):
        return " ".join(str(cause).split("\n    full_key")[0].split())
    if isinstance(error, HydraException):
        return " ".join(text.split("\nSee https")[0].split())
    return None


FULL_ERROR = os.environ.get("HYDRA_FULL_ERROR") == "1"


@contextmanager
def sentences() -> Iterator[None]:
    """What the user can mend ends as one sentence and exit code 1; HYDRA_FULL_ERROR=1 shows the traceback."""
    try:
        yield
    except Exception as error:
        sentence = explain(error)
        if sentence is None or FULL_ERROR:
            raise
        raise SystemExit(f"error: {sentence}") from None


def run(command: Callable[[], object]) -> None:
    """Run a Hydra command under `sentences`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing them
    with sentences():
        command()
