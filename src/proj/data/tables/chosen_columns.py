"""Decides which columns of a table become inputs, and which of them the settings or a checkpoint already describe."""

from itertools import islice, pairwise
from typing import Any

import numpy as np

from proj.data.tables.finding import EVIDENCE
from proj.data.tables.header import is_counting, is_unnamed
from proj.data.tables.input_column import InputColumn
from proj.data.tables.named_column import find_column
from proj.data.tables.row_numbers import ID
from proj.data.tables.text_table import Table
from proj.errors import UserError

OF_SPLIT = ("group", "order", "split")  # settings that name a column which divides the rows, and is no input
# Each setting that lists columns of one kind, with that kind.
LISTED = {"numeric": "numbers", "categorical": "words", "text": "texts", "dates": "dates"}
SETTINGS = (*OF_SPLIT, *LISTED, "drop", "max_categories", "max_words", "decimal", "day_first")


def chosen_columns(
    table: Table, target: int, settings: dict[str, Any], trained: dict[str, InputColumn]
) -> tuple[dict[int, str], list[str]]:
    """(The index of each column that may become an input, with its `InputColumn.kind`, or "" to infer it; a remark on
    each other column that one of the LISTED settings names without an effect).

    The target, the columns of OF_SPLIT, those in `dataset.drop` and, with `trained`, all columns that it lacks
    are left out. The arguments are those of `Columns`. Raises UserError if two of the LISTED settings name a column.
    """
    kinds, listed = dict.fromkeys(range(len(table.names)), ""), dict[int, str]()
    for setting, kind in LISTED.items():
        places = [find_column(table, setting, key) for key in settings[setting]]
        if twice := [table.names[place] for place in places if kinds[place] not in ("", kind)]:
            raise UserError(f"column {twice[0]} is in dataset.{setting} and in another list: leave it in one of them.")
        kinds |= dict.fromkeys(places, kind)
        listed |= dict.fromkeys(places, setting)
    roles = dict.fromkeys(dropped_columns(table, settings), "in dataset.drop")
    for key in OF_SPLIT:
        if settings[key] is not None:
            roles[find_column(table, key, settings[key])] = f"the column of dataset.{key}"
    roles[target] = "the target"
    for place in roles:
        del kinds[place]
    said = [
        f"{table.names[place]}: it is {roles[place]} and no input, so dataset.{setting} has no effect on it"
        for place, setting in listed.items()
        if place in roles
    ]
    if trained:  # in the model's order
        places = {table.names[place]: place for place in kinds}
        kinds = {places[name]: column.kind for name, column in trained.items() if name in places}
    return kinds, said


def dropped_columns(table: Table, settings: dict[str, Any]) -> list[int]:
    return [find_column(table, "drop", key) for key in settings["drop"]]


def is_index(table: Table, place: int) -> bool:
    """Whether a column numbers the rows, as programs write an index: without a name (some rows may be gone), or, from 0
    or 1 on, as id. In a table that was joined from several files, each of them may begin its own."""
    name, cells = table.names[place], table.columns[place]
    if not (is_unnamed(name) or ID.fullmatch(name)):
        return False
    files, joined = [*pairwise([0, *table.joints, len(cells)])], iter(cells)
    if all(is_counting(islice(joined, end - start)) for start, end in files):
        return table.headed or (len(files) > 1 and len(cells) >= EVIDENCE)
    if not (table.headed and is_unnamed(name) and all(map(str.isdecimal, cells))):
        return False
    enough = len(files) == 1 or len(cells) >= EVIDENCE * len(files)
    return enough and all(len(np.unique(cells.codes[start:end])) == end - start for start, end in files)
