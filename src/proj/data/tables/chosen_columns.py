"""Which columns of a table are learnt from, and what settings or another training say that they hold."""

from typing import Any, NoReturn

from proj.config.words import typed
from proj.data.tables.cells import is_missing
from proj.data.tables.encode import kind_of
from proj.data.tables.header import counts, is_unnamed
from proj.data.tables.named_column import find_column
from proj.data.tables.text_table import Table
from proj.errors import UserError

KINDS = {"numeric": "numbers", "categorical": "words", "dates": "dates"}  # by the settings that say so


def chosen_columns(table: Table, target: int, settings: dict[str, Any], trained: dict[str, dict]) -> dict[int, str]:
    """The places of the columns beside those of the classes, the groups and `dataset.drop`, each with its kind, as
    `kind_of` names it; "" where nothing says it. The arguments are those of `Columns`.

    Raises UserError for a column in two of the settings.
    """
    kinds = dict.fromkeys(range(len(table.names)), "")
    for setting, kind in KINDS.items():
        places = [find_column(table, setting, key) for key in settings[setting]]
        if twice := [table.names[place] for place in places if kinds[place] not in ("", kind)]:
            raise UserError(f"column {twice[0]} is in dataset.{setting} and in another list: leave it in one of them.")
        kinds |= dict.fromkeys(places, kind)
    groups = [] if settings["group"] is None else [find_column(table, "group", settings["group"])]
    for place in {target, *groups, *dropped_columns(table, settings)}:
        del kinds[place]
    if not trained:
        return kinds
    names = table.names
    return {place: kind_of(trained[names[place]]) for place in kinds if names[place] in trained}


def dropped_columns(table: Table, settings: dict[str, Any]) -> list[int]:
    return [find_column(table, "drop", key) for key in settings["drop"]]


def is_nothing(table: Table, place: int) -> str:
    """Why a column without a name is none that somebody made, or ""."""
    if not (table.headed and is_unnamed(table.names[place])):
        return ""
    cells = table.columns[place]
    if not any(cells):
        return "it is empty"
    numbers_rows = counts(cells) or (all(map(str.isdecimal, cells)) and len(cells.words) == len(cells))
    return "it numbers the rows" if numbers_rows else ""


def refuse_empty(table: Table, places: list[int], settings: dict[str, Any]) -> NoReturn:
    """Raises UserError for all columns that are empty, so that one word leaves them out, beside those left out."""
    empty = [place for place in places if table.columns[place].each(is_missing, bool).all()]
    names = [table.names[place] for place in (*empty, *dropped_columns(table, settings))]
    those, it = (f"column {names[0]} is", "it") if len(empty) == 1 else (f"{len(empty):,} columns are", "them")
    how = typed("dataset.drop", *names, listed=True)
    raise UserError(f"{those} empty in all training rows: leave {it} out with {how}.")
