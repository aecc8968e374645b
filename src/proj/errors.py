"""What a user can mend is said in one sentence, without a traceback; HYDRA_FULL_ERROR=1 shows it."""

import difflib
import errno
import inspect
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from proj.trainer_settings import OWN, refusal


class UserError(Exception):
    """A problem that the user can mend; the message says what is wrong and what to type."""


def nearest(word: str, options: Iterable[str]) -> str:
    """The end of a message: the nearest option, and all of them unless they are many."""
    options = sorted(str(option) for option in options if not str(option).startswith("_"))
    lower = {option.lower(): option for option in options}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.5)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    return f"{guess} Options: {', '.join(options)}." if len(options) <= 10 or not close else guess


def choose(key: str, value: str, options: dict):
    """`options[value]`. Raises UserError with the setting's name and the nearest option."""
    if value not in options:
        raise UserError(f"{key}={value} does not exist." + nearest(value, options))
    return options[value]


@contextmanager
def settings_of(what: str, of: Callable) -> Iterator[None]:
    """Raises UserError where torch refuses the settings of an optimizer or a scheduler, however it does that."""
    taken = inspect.signature(getattr(of, "func", of)).parameters
    given = getattr(of, "keywords", {})
    foreign = [name for name in given if name not in taken]
    if foreign and not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        words = " ".join(f"~{what}.{name}" for name in foreign)
        raise UserError(
            f"the {what} does not take its settings: {of.func.__name__} has no {', '.join(foreign)} (without: {words})."
            + nearest(foreign[0], set(taken) - {"params", what, *given})
        )
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the {what} does not take its settings: {' '.join(str(error).split())}") from error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: list[BaseException] = []
    while error and error not in seen:  # what is raised again while another is handled makes a circle
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def unwritable(error: BaseException) -> str | None:
    """The file that could not be written, and why; None for another error."""
    reasons = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
    for link in chain(error):
        odd_name = isinstance(link, OSError) and link.errno == errno.EINVAL and link.filename  # Windows takes no : or ?
        if odd_name or (isinstance(link, OSError) and link.errno in reasons):
            return f"{link.filename or 'a file of the run'} could not be written ({link.strerror})"
    return None


# As gloo, NCCL, torch and Windows say it.
LOST = re.compile("connection (closed|reset) by|broken pipe|timed out waiting|forcibly closed", re.I)


def lost(error: BaseException) -> bool:
    """Whether another process of the run is gone."""
    return any(isinstance(link, RuntimeError) and LOST.search(str(link)) for link in chain(error))


def explain(error: BaseException) -> str | None:
    """The sentence for an error of the command line, the configuration, the disk or another process; None for a bug."""
    if isinstance(error, UserError):
        return str(error)
    if lost(error):
        return "another process of this run has died"
    if disk := unwritable(error):
        return f"{disk}: make room, or choose another folder with hydra.run.dir=…"
    cause = error.__cause__ or error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        if cause.full_key in [f"trainer.{key}" for key in OWN]:
            return refusal(str(cause.key))
        return f"There is no setting {cause.full_key!r}." + nearest(str(cause.key), cause.parent_node)
    text = str(error)
    if missing := re.search(r"Could not find '(.+)/(.+?)'\n\nAvailable options in '.+?':\n((?:\t.+\n)+)", text):
        group, option, options = missing.groups()
        return f"{group}={option} does not exist." + nearest(option, options.split())
    if text.startswith("Config group override must be"):
        return "a group such as scheduler cannot be null: name one of its options (scheduler=none is the empty one)."
    if metric := re.search(r"(?:monitor='|on metric `)(.+?)['`].* (?:returned metrics|of the following): (.+)", text):
        return f"monitor={metric[1]} does not exist." + nearest(metric[1], re.findall(r"['`]([\w/]+)['`]", metric[2]))
    if isinstance(error, OmegaConfBaseException) or isinstance(cause, OmegaConfBaseException):
        return " ".join(str(cause).split("\n    full_key")[0].split())
    if isinstance(error, HydraException):
        return " ".join(text.split("\nSee https")[0].split())
    if type(error).__name__ == "MisconfigurationException":  # by which Lightning refuses what it is told
        return " ".join(text.split())
    return None


FULL_ERROR = os.environ.get("PROJ_FULL_ERROR", os.environ.get("HYDRA_FULL_ERROR")) == "1"


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
    except KeyboardInterrupt:  # before the training, which saves and says how to continue
        raise SystemExit(130) from None


# What torch says of a batch of one example, and of a kernel whose sums have no fixed order.
ONE_EXAMPLE = re.compile("Expected more than 1 value per channel when training")
NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")
OUT_OF_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory", re.I)


@contextmanager
def run_errors(folder: Path, batch_size: int) -> Iterator[None]:
    """Raises UserError for what breaks a run from outside: a full disk, too little memory, the death of a process."""
    from proj.processes import rank
    from proj.stored import resume_command

    command = resume_command(folder)
    hook = threading.excepthook  # TensorBoard's thread also prints what it hands on
    threading.excepthook = lambda thread: None if unwritable(thread.exc_value) else hook(thread)
    try:
        yield
    except SystemExit as stop:
        if type(stop.code) is int and stop.code > 128:  # a signal: `Resume` has saved
            print(f"\nStopped. To continue:\n    {command}")
        raise
    except Exception as error:
        if not isinstance(error, UserError) and (disk := unwritable(error)):
            raise UserError(f"{disk}. What the run saved before is whole: make room, then {command}") from error
        if any(isinstance(link, MemoryError) or OUT_OF_MEMORY.search(str(link)) for link in chain(error)):
            smaller = f"dataset.batch_size={batch_size // 2} or " if batch_size > 1 else ""
            raise UserError(
                f"the memory does not suffice for dataset.batch_size={batch_size}: start a new run with {smaller}a "
                "smaller model; trainer.accumulate_grad_batches=2 makes up for half the batch."
            ) from error
        said = "\n".join(str(link) for link in chain(error))
        if ONE_EXAMPLE.search(said):
            larger = "" if batch_size > 1 else "dataset.batch_size=2 or more, or "
            raise UserError(
                f"batch norm cannot train on a batch of one example a process: use {larger}a model without batch norm "
                "(model=mlp model.norm=none)."
            ) from error
        if kernel := NOT_DETERMINISTIC.search(said):
            raise UserError(
                f"trainer.deterministic=true: {kernel[1]} has no deterministic kernel on this device. Use "
                "trainer.deterministic=warn, whose last bits may differ, or trainer=cpu."
            ) from error
        if lost(error):
            if rank():  # the first process speaks, or is the one that died
                raise SystemExit(1) from None
            raise UserError(f"{explain(error)}. To continue: {command}") from error
        raise
    finally:
        threading.excepthook = hook
