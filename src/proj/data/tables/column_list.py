"""Lists how each column of a table is used: prints it, and makes the rows of columns.csv."""

from proj.config.quoting import typed
from proj.data.tables.chosen_columns import LISTED
from proj.data.tables.columns import Columns
from proj.data.tables.date_column import DateColumn
from proj.data.tables.finding import Finding
from proj.data.tables.input_column import InputColumn
from proj.data.tables.joined_notes import joined
from proj.system.ranks import say
from proj.wording import how_many

SHOWN = 24  # a table of more columns has its long lists in the file alone, and only counts them in the terminal
NOTES = 10  # the maximum number of remarks that are printed
HEADINGS = {"numbers": "numbers", "answers": "yes or no", "dates": "dates", "words": "words", "texts": "words of texts"}
# What a setting keeps of a column that is left out otherwise.
KEPT = {"categorical": ", each whole cell as one word", "text": ", with an input for each of its frequent words"}


def taken_for(column: InputColumn) -> str:
    """A column's name with the inputs that it becomes, such as `port (3)` for three words or `when (year, month)`."""
    if isinstance(column, DateColumn):
        return f"{column.name} ({', '.join(part.name for part in column.parts)})"
    return f"{column.name} ({column.width})" if column.kind in ("words", "texts") else column.name


def heading_of(found: Finding) -> str:
    """What the list says a column was taken for."""
    return HEADINGS[found.column.kind] if found.column and not found.left_out else "left out"


def row_of(whole: Columns, place: int) -> dict[str, str]:
    """The row of columns.csv for the column with index `place`."""
    row = {"column": whole.table.names[place], "taken for": "left out", "why": "", "missing": "", "holds": ""}
    if place == whole.target:
        return row | {"taken for": "classes"}
    if place not in whole.found:
        return row | {"why": "a setting leaves it out"}
    found = whole.found[place]
    why = found.left_out or (f"written as {found.column.date}" if isinstance(found.column, DateColumn) else "")
    missing = "" if found.missing is None else f"{found.missing:.2%}"
    return row | {"taken for": heading_of(found), "why": why, "missing": missing, "holds": found.holds}


def list_columns(whole: Columns) -> list[dict[str, str]]:
    """Print how the columns are used, once they are measured; return a row of columns.csv for each of them."""
    names, lists = whole.table.names, {heading: list[int]() for heading in HEADINGS.values()}
    for place, found in sorted(whole.found.items(), key=lambda one: (bool(one[1].left_out), one[0])):
        heading = heading_of(found) + (f", since {found.left_out}" if found.left_out else "")
        lists.setdefault(heading, []).append(place)
    for heading, places in lists.items():
        if not places:
            continue
        first = whole.found[places[0]]
        many = len(names) > SHOWN and len(places) > SHOWN // 2
        shown = (names[place] if first.left_out else taken_for(whole.found[place].column) for place in places)
        columns = f"{len(places):,} columns" if many else ", ".join(shown)
        say(f"{heading}: {columns}")
        if first.setting and not whole.trained:  # a trained column stays what it is
            how = typed(f"dataset.{first.setting}", names[places[0]], listed=True)
            it = "it" if len(places) == 1 else "the first of them"
            kept = f"keeps {it}{KEPT.get(first.setting, '')}"
            what = kept if first.left_out else f"reads {it} as {LISTED[first.setting]}"
            say(f"    {how} {what}")
    notes = joined(whole.notes, names)
    say(*notes[:NOTES])
    if len(notes) > NOTES:
        say(f"… and {how_many(len(notes) - NOTES, 'more remark')} of this kind")
    return [row_of(whole, place) for place in range(len(names))]
