"""Names and texts that people have chosen, made fit for a file's name, for one line of a terminal, or for comparing."""

import os
import re
import unicodedata
from textwrap import fill

# Windows keeps these names for devices, also with an ending (nul.txt).
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
TO_COPY = re.compile(r"'[\w.+~]+=[^']*'|python -.*")


def file_name(text: str, longest: int = 80) -> str:
    """`text` as a part of the name of a file or folder that every system takes, at most `longest` characters.

    The longest names below a run's folder have 60 characters, and Windows takes 260 for a whole path.
    """
    name = re.sub(r"[^\w.=,+-]+", "_", text, flags=re.ASCII)[:longest].rstrip("_.") or "_"
    return f"_{name}" if RESERVED.fullmatch(name) else name


def readable(name: str) -> str:
    """A file's name as text that can be written anywhere, on one line. Names are read as UTF-8, whatever the locale."""
    return one_line(os.fsencode(name).decode("utf-8", "backslashreplace"))


def one_line(text: str) -> str:
    """`text` with line breaks and other control characters written as \\n, \\x1b and so on."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", lambda found: repr(found[0])[1:-1], text)


def wrapped(text: str, width: int) -> str:
    """`one_line` in lines of at most `width` columns, but for a long word and for what is there to be copied."""
    whole = TO_COPY.sub(lambda found: found[0].replace(" ", "\0"), one_line(text))
    lines = fill(whole, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def plain_name(name: str) -> str:
    """A name without what people write in more than one way: case, spaces or underscores, accents put together,
    quotation marks around it; and without what nobody sees, such as a joiner."""
    seen = "".join(one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) != "Cf")
    return " ".join(seen.strip(" '\"").replace("_", " ").split()).casefold()
