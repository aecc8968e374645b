"""Joins the remarks that say the same of many columns of a table."""

import re
from collections.abc import Sequence

from proj.wording import first_of, how_many

ALIKE = 3  # so many remarks of one kind are printed one by one; more become one
VARYING = re.compile(r"\(.*?\)|[-\d.,'\"]+| and (?=is|are)|\b(is|are|it marks|they mark)\b")


def joined(notes: Sequence[str], names: Sequence[str]) -> list[str]:
    """The remarks, where more than ALIKE of one kind become one: the first of them, and the names of the other columns.
    Of one kind are those that differ only in the column, in numbers, and in what is in parentheses.

    names: those of all columns. A remark on a column begins with its name and a colon, or with "column" before these.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    known = {*names}
    for note in notes:
        name = column_of(note, known) or column_of(note.removeprefix("column "), known)
        kind = VARYING.sub("", re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "", note)) if name else note
        kinds.setdefault(kind, []).append((name, note))
    lines = list[str]()
    for alike in kinds.values():
        if len(alike) <= ALIKE:
            lines += [note for _, note in alike]
        else:
            others = [name for name, _ in alike[1:]]
            these = f"{how_many(len(others), 'more column')}: {first_of(others, 5)}"
            lines.append(f"{alike[0][1]}. The same goes for {these}")
    return lines


def column_of(note: str, known: set[str]) -> str:
    """The name among the `known` ones with which a remark begins, before a colon; "" if there is none."""
    beginnings = (note[: colon.start()] for colon in re.finditer(": ", note))
    return next((name for name in beginnings if name in known), "")
