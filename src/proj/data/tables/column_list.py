"""The list of what each column of a table is taken for: in the terminal, and as the rows of a file."""

from collections.abc import Callable
from textwrap import fill

from proj.config.words import typed
from proj.data.tables.columns import KINDS, Columns
from proj.data.tables.table import kind_of
from proj.errors import how_many
from proj.system.platform import one_line

SHOWN = 24  # columns, of more the long lists are in the file alone
NOTES = 10  # remarks on columns are printed at most
HEADINGS = {"numbers": "numbers", "truth": "yes or no", "dates": "dates", "words": "words"}


def wrapped(text: str) -> str:
    """At most 80 columns wide, but for a long word; a name may hold line breaks of its own."""
    return fill(one_line(text), 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def taken_for(column: dict) -> str:
    """A column with what it becomes, such as port (3) for three words or when (year, month)."""
    parts = ", ".join(part["name"] for part in column.get("parts", []))
    becomes = str(len(column["categories"])) if "categories" in column else parts
    return f"{column['name']} ({becomes})" if becomes else column["name"]


def row_of(whole: Columns, place: int, column: dict | None) -> dict[str, str]:
    """What columns.csv says of a column of the table. column: what becomes inputs, None for any other."""
    if column:
        kind, why = HEADINGS[kind_of(column)], f"written as {column['date']}" if "date" in column else ""
    elif place == whole.target:
        kind, why = "classes", ""
    else:
        kind, why = "left out", whole.left_out.get(place, "a setting says it")
    missing = f"{whole.missing[place]:.2%}" if place in whole.missing else ""
    holds = whole.holds.get(place, "")
    return {"column": whole.table.names[place], "taken for": kind, "why": why, "missing": missing, "holds": holds}


def list_columns(whole: Columns, found: dict[int, dict], say: Callable[[str], None]) -> list[dict[str, str]]:
    """Say what the columns are taken for; return a row for each column of the table.

    found: those that become inputs, by their places.
    """
    lists: dict[str, list[int]] = {heading: [] for heading in HEADINGS.values()}
    for place, column in found.items():
        lists[HEADINGS[kind_of(column)]].append(place)
    for place, why in sorted(whole.left_out.items()):
        since = "" if why.startswith("hardly") else "since "
        lists.setdefault(f"left out, {since}{why}", []).append(place)
    names = whole.table.names
    for heading, places in lists.items():
        if not places:
            continue
        many = len(names) > SHOWN and len(places) > SHOWN // 2
        some = [taken_for(found[place]) if place in found else names[place] for place in places]
        say(wrapped(f"{heading}: {f'{len(some):,} columns' if many else ', '.join(some)}"))
        setting = whole.choices.get(places[0])
        if setting and (heading == "dates" or heading not in HEADINGS.values()):
            how, it = typed(f"dataset.{setting}", names[places[0]], listed=True), "the first of them"
            keeps = f"takes {{}} for {KINDS[setting]}" if heading == "dates" else "keeps {}"
            say(f"    {how} {keeps.format('it' if len(places) == 1 else it)}")
    for note in whole.notes[:NOTES]:
        say(note)
    if len(whole.notes) > NOTES:
        say(f"… and {how_many(len(whole.notes) - NOTES, 'more remark')} of this kind")
    return [row_of(whole, place, found.get(place)) for place in range(len(names))]
