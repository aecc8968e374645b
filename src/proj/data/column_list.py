"""The list of what each column of a table is taken for: in the terminal, and as the rows of a file."""

from collections.abc import Callable
from textwrap import fill

from proj.config.words import typed
from proj.data.columns import Columns, kind_of

SHOWN = 24  # columns, of more the long lists are in the file alone
NOTES = 10  # remarks on columns are printed at most
HEADINGS = {"numbers": "numbers", "truth": "yes or no", "dates": "dates", "words": "words"}


def wrapped(text: str) -> str:
    """At most 80 columns wide, but for a long word."""
    return fill(text, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def taken_for(column: dict) -> str:
    """A column with what it becomes, such as port (3) for three words or when (year, month)."""
    parts = [part["name"] for part in column.get("parts", [])]
    more = f" ({len(column['categories'])})" if "categories" in column else f" ({', '.join(parts)})" * bool(parts)
    return column["name"] + more


def list_columns(whole: Columns, found: dict[int, dict], say: Callable[[str], None]) -> list[dict[str, str]]:
    """Say what the columns are taken for; return a row for each column of the table.

    found: those that become inputs, by their places.
    """
    lists: dict[str, list[str]] = {heading: [] for heading in HEADINGS.values()}
    keep: dict[str, str] = {}
    rows = []
    for place, name in enumerate(whole.table.names):
        why, setting = whole.left_out.get(place, ("", ""))
        if why:
            heading = f"left out, {'' if why.startswith('hardly') else 'since '}{why}"
            keep.setdefault(heading, setting and typed(f"dataset.{setting}", name, listed=True))
        else:
            heading = HEADINGS[kind_of(found[place])] if place in found else ""
        if heading:
            lists.setdefault(heading, []).append(name if why else taken_for(found[place]))
        kind = "classes" if place == whole.target else heading.partition(",")[0] or "left out"
        rows.append(
            {
                "column": name,
                "taken for": kind,
                "why": why or ("" if place in found or place == whole.target else "a setting says it"),
                "missing": f"{whole.missing[place]:.2%}" if place in whole.missing else "",
                "holds": whole.holds.get(place, ""),
            }
        )
    for heading, names in lists.items():
        if names:
            many = len(rows) > SHOWN and len(names) > SHOWN // 2
            say(wrapped(f"{heading}: {f'{len(names):,} columns' if many else ', '.join(names)}"))
        if how := keep.get(heading):
            say(f"    {how} keeps {'it' if len(names) == 1 else 'the first of them'}")
    for note in whole.notes[:NOTES]:
        say(note)
    if len(whole.notes) > NOTES:
        say(f"… and {len(whole.notes) - NOTES} more remarks of this kind")
    return rows
