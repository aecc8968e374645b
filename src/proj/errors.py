"""What a user can mend is said in one sentence, without a traceback; HYDRA_FULL_ERROR=1 shows it."""

import difflib
import errno
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

STANDARD_LIBRARY = Path(os.__file__).parent  # to ask sysconfig would take milliseconds of every command


class UserError(Exception):
    """A problem that the user can mend; the message says what is wrong and what to type."""


def nearest(word: str, options: Iterable[str], place: str = "") -> str:
    """The end of a message: the nearest option, and the others unless they are many.

    place: what is typed before the nearest one, such as `trainer.`.
    """
    options = sorted(str(option) for option in options if not str(option).startswith("_"))
    if not options:
        return ""
    lower = {option.lower(): option for option in options}
    word = word.lower()
    close = difflib.get_close_matches(word, lower, n=3, cutoff=0.5)
    matches = [difflib.SequenceMatcher(None, option, word) for option in close]
    # Of two that are equally near, the one that begins as the word does: val/acc for val/accuracy, not val/auc.
    order = [(match.ratio(), match.get_matching_blocks()[0].size) for match in matches]
    close = [option for _, option in sorted(zip(order, close, strict=True))]
    close.sort(key=lambda option: sorted(option) == sorted(word))  # modle is model, and not mode
    guess = f" Did you mean {place + lower[close[-1]]!r}?" if close else ""
    shown = first_of([option if len(option) <= 60 else f"{option[:59]}…" for option in options], 40)
    return f"{guess} Options: {shown}." if len(options) <= 10 or not close else guess


def refuse_newer(file: Path, number: int, newest: int, what: str) -> None:
    """Raises UserError for a file of a newer format than this version reads. what: sweep or search, which it is of."""
    if number > newest:
        raise UserError(
            f"{file} has format {number}, and this version of proj reads formats up to {newest}: continue the {what} "
            "with the newer version that began it."
        )


def message_of(error: BaseException, longest: int | None = None) -> str:
    """What another library says of an error, as a part of a sentence; the error's class where it says nothing."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def named(error: BaseException, longest: int | None = None) -> str:
    """An error's class and `message_of` it; the class alone where it says nothing."""
    said = message_of(error, longest)
    return said if said == type(error).__name__ else f"{type(error).__name__}: {said}"


def first_of(words: list[str], most: int) -> str:
    """The first words of a list, as many as a message has room for."""
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")


def how_many(count: int, what: str) -> str:
    """A number and what is counted: 1 example, 1,300 examples, 2 epochs, 2 batches, 2 entries."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}{'es' if what.endswith(('s', 'tch')) else 's'}"
    return f"{count:,} {what}"


def agree(count: int, one: str, many: str) -> str:
    """The word that agrees with a number: agree(count, "is", "are")."""
    return one if count == 1 else many


def choose(key: str, value: str, options: dict) -> Any:
    """`options[value]`. Raises UserError with the setting's name and the nearest option."""
    if value not in options:
        raise UserError(f"{key}={value} does not exist." + nearest(value, options))
    return options[value]


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: list[BaseException] = []
    while error and error not in seen:  # what is raised again while another is handled makes a circle
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def in_own_file(error: BaseException) -> str:
    """The end of a sentence on what a file of the user's own raised: its name and line. Empty where none did."""
    place = ""
    for link in causes(error):
        for frame, line in traceback.walk_tb(link.__traceback__):
            file = Path(frame.f_code.co_filename)
            library = {"site-packages", "dist-packages"} & {*file.parts} or file.is_relative_to(STANDARD_LIBRARY)
            if file.is_file() and not library and not file.is_relative_to(Path(__file__).parent):
                place = f", in {file.name}, line {line}"
    return place


# What mends an error of the system: one of writing, and one that reading a file may end in, too.
WRITING = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room")
WRITING |= {errno.EROFS: "have its disk mounted for writing"}
WRITING |= dict.fromkeys((errno.ENAMETOOLONG, errno.EINVAL), "give it another name")
USING = dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions or its folder's")
USING |= dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "move the file away that stands where a folder is needed")
USING |= {errno.EISDIR: "move the folder away that stands where a file is needed"}
USING |= {errno.EIO: "look after its disk, which fails"}
# Limits of a process, which hold wherever the file is.
LIMITS = {errno.EFBIG: "allow larger files (ulimit -f)"}
LIMITS |= dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n)")


def file_fault(error: BaseException, elsewhere: str = "") -> str | None:
    """The file that the system does not write or read, why, and what mends it; None for another error.

    elsewhere: the end of the sentence, where another place would mend it, too.
    """
    for link in causes(error):
        if not isinstance(link, OSError) or (link.errno == errno.EINVAL and not link.filename):
            continue  # EINVAL with a name: Windows takes no : or ? in it
        file = link.filename2 or link.filename or "a file of the run"
        cannot = "could not be written" if link.errno in {*WRITING, errno.EFBIG} else "cannot be read or written"
        if mend := LIMITS.get(link.errno):
            return f"{file} {cannot} ({link.strerror}): {mend}"
        if mend := WRITING.get(link.errno) or USING.get(link.errno):
            return f"{file} {cannot} ({link.strerror}): {mend}{elsewhere}"
    return None


# As gloo, NCCL, torch and Windows say it.
LOST = re.compile("connection (closed|reset) by|broken pipe|timed out waiting|forcibly closed", re.I)


def peer_is_lost(error: BaseException) -> bool:
    """Whether another process of the run is gone."""
    return any(isinstance(link, RuntimeError) and LOST.search(str(link)) for link in causes(error))


# As torch, CUDA, C++, Linux, oneDNN and the loader say it; oneDNN says "a primitive descriptor" of another fault.
OUT_OF_MEMORY = r"(can(no|')t allocate|not enough|out of) memory|bad_alloc|create a primitive(?! desc)"
OUT_OF_MEMORY = re.compile(rf"{OUT_OF_MEMORY}|segment from shared object$", re.I)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error comes from too little memory."""
    return any(isinstance(link, MemoryError) or OUT_OF_MEMORY.search(str(link)) for link in causes(error))
