"""Errors that the user can fix end in one sentence without a traceback; HYDRA_FULL_ERROR=1 shows the traceback."""

import difflib
import errno
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proj.wording import first_of

STANDARD_LIBRARY = Path(os.__file__).parent  # sysconfig knows it too, but would cost every command some milliseconds


class UserError(Exception):
    """A problem that the user can fix. The message says what is wrong and what to type instead."""


def nearest(word: str, options: Iterable[str], place: str = "") -> str:
    """The end of a message on an unknown word: the option that is most like it, and the list of all options.

    The list is left out where there are more than ten options and one of them is like the word.
    place: what the user types before the suggested option, such as `trainer.`.
    """
    options = sorted(str(option) for option in options if not str(option).startswith(("_", ".")))
    if not options:
        return ""
    lower = {option.lower(): option for option in options}
    word = word.lower()
    close = difflib.get_close_matches(word, lower, n=3, cutoff=0.6)
    matches = [difflib.SequenceMatcher(None, option, word) for option in close]
    # Of two that are equally similar, prefer the one that begins like the word: val/acc for val/accuracy, not val/auc.
    order = [(match.ratio(), match.get_matching_blocks()[0].size) for match in matches]
    close = [option for _, option in sorted(zip(order, close, strict=True))]
    close.sort(key=lambda option: sorted(option) == sorted(word))  # swapped letters win: modle is model, not mode
    guess = f" Did you mean {place + lower[close[-1]]!r}?" if close else ""
    shown = first_of([option if len(option) <= 60 else f"{option[:59]}…" for option in options], 40)
    return f"{guess} Options: {shown}." if len(options) <= 10 or not close else guess


def refuse_newer(file: Path, number: int, newest: int, what: str) -> None:
    """Raises UserError if `file` has a newer format than this version reads. what: "sweep" or "search"."""
    if number > newest:
        raise UserError(
            f"{file} has format {number}, and this version of proj reads formats up to {newest}: continue the {what} "
            "with the newer version that began it."
        )


def message_of(error: BaseException, longest: int | None = None) -> str:
    """Another library's error message on one line, as part of a sentence; the error's class if it has no message."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def named(error: BaseException, longest: int | None = None) -> str:
    """An error's class and its message, see `message_of`; the class alone if it has no message."""
    said = message_of(error, longest)
    return said if said == type(error).__name__ else f"{type(error).__name__}: {said}"


def choose(key: str, value: str, options: dict) -> Any:
    """`options[value]`. Raises UserError that names the setting `key` and suggests an option."""
    if value not in options:
        raise UserError(f"{key}={value} does not exist." + nearest(value, options))
    return options[value]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and the chain of errors that led to it, the latest first."""
    seen: list[BaseException] = []
    while error and error not in seen:  # an error that is raised again while another is handled makes a circle
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def in_own_file(error: BaseException) -> str:
    """The end of a sentence on an error in a file of the user's own: `, in linear.py, line 7`; empty for any other."""
    place = ""
    for link in causes(error):
        for frame, line in traceback.walk_tb(link.__traceback__):
            file = Path(frame.f_code.co_filename)
            library = {"site-packages", "dist-packages"} & {*file.parts} or file.is_relative_to(STANDARD_LIBRARY)
            if file.is_file() and not library and not file.is_relative_to(Path(__file__).parent):
                place = f", in {file.name}, line {line}"
    return place


# How to fix an operating system's error, by its number: those of writing a file alone, and those of reading one, too.
WRITING = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room")
WRITING |= {errno.EROFS: "have its disk mounted for writing"}
WRITING |= dict.fromkeys((errno.ENAMETOOLONG, errno.EINVAL), "give it another name")
USING = dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions or its folder's")
USING |= dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "move the file away that stands where a folder is needed")
USING |= {errno.EISDIR: "move the folder away that stands where a file is needed"}
USING |= {errno.EIO: "check its disk, which is failing"}
# Limits of the process: another place for the file would not help.
LIMITS = {errno.EFBIG: "allow larger files (ulimit -f)"}
LIMITS |= dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n)")


def file_fault(error: BaseException, elsewhere: str = "") -> str | None:
    """A sentence on a file that could not be written or read, with the cure; None if the error is of another kind.

    elsewhere: what to add to the sentence where another place for the file would help too.
    """
    for link in causes(error):
        if not isinstance(link, OSError) or (link.errno == errno.EINVAL and not link.filename):
            continue  # EINVAL with a file name means that Windows refuses the name, for a : or a ?
        file = link.filename2 or link.filename or "a file of the run"
        cannot = "could not be written" if link.errno in {*WRITING, errno.EFBIG} else "cannot be read or written"
        if mend := LIMITS.get(link.errno):
            return f"{file} {cannot} ({link.strerror}): {mend}"
        if mend := WRITING.get(link.errno) or USING.get(link.errno):
            return f"{file} {cannot} ({link.strerror}): {mend}{elsewhere}"
    return None


# How gloo, NCCL, torch and Windows report that the other end of a connection is gone.
LOST = re.compile("connection (closed|reset) by|broken pipe|timed out waiting|forcibly closed", re.I)


def peer_is_lost(error: BaseException) -> bool:
    """Whether the error means that another process of the same run has died."""
    return any(isinstance(link, RuntimeError) and LOST.search(str(link)) for link in causes(error))


# How torch, CUDA, C++, Linux, oneDNN and the dynamic loader report too little memory. oneDNN's "could not create a
# primitive descriptor" is another fault.
OUT_OF_MEMORY = r"(can(no|')t allocate|not enough|out of) memory|bad_alloc|create a primitive(?! desc)"
OUT_OF_MEMORY = re.compile(rf"{OUT_OF_MEMORY}|segment from shared object$", re.I)


def out_of_memory(error: BaseException) -> bool:
    """Whether the error comes from too little memory."""
    return any(isinstance(link, MemoryError) or OUT_OF_MEMORY.search(str(link)) for link in causes(error))
