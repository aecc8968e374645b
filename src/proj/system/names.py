"""Makes names that users chose fit for a file's name or for one line of a terminal, and comparable with each other."""

import os
import re
import unicodedata
from textwrap import fill

# Windows reserves these names for devices, even with an ending (nul.txt).
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
# What the user may copy from a message: a setting in quotation marks, or a command up to the end of the line.
TO_COPY = re.compile(r"""'[\w.+~]+=[^']*'|"[\w.+~]+=[^"]*"|python -.*""")


def file_name(text: str, longest: int = 80) -> str:
    """`text` as part of a file's or folder's name that every operating system takes, in at most `longest` characters.

    Windows takes 260 characters for a whole path, and the longest name below a run's folder has 60.
    """
    name = re.sub(r"[^\w.=,+-]+", "_", text, flags=re.ASCII)[:longest].rstrip("_.") or "_"
    return f"_{name}" if RESERVED.fullmatch(name) else name


def readable(name: str) -> str:
    """A file's name on one line, in text that any file can hold: bytes that are not UTF-8 are shown as \\xe9."""
    return one_line(os.fsencode(name).decode("utf-8", "backslashreplace"))


def one_line(text: str) -> str:
    """`text` with line breaks and other control characters written as \\n, \\x1b and so on."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", lambda found: repr(found[0])[1:-1], text)


def wrapped(text: str, width: int) -> str:
    """`text` broken into lines of at most `width` columns; a long word, or a command to copy, is not broken."""
    whole = TO_COPY.sub(lambda found: found[0].replace(" ", "\0"), one_line(text))
    lines = fill(whole, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def plain_name(name: str) -> str:
    """A name without what people write in several ways, so that names compare: case, spaces or underscores, combining
    accents, quotation marks around it, and invisible characters such as a zero-width joiner."""
    visible = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return " ".join(visible.strip(" '\"").replace("_", " ").split()).casefold()
