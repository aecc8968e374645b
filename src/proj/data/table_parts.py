"""Assigns the rows of a table to the parts: a part either has a file of its own, or is drawn from the other rows."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from proj.data.part_names import PARTS, part_named
from proj.data.tables.cells import is_missing
from proj.data.tables.named_column import find_column
from proj.data.tables.text_table import Table
from proj.errors import UserError
from proj.wording import how_many

FRACTION = 0.15  # the default of conf/dataset/csv.yaml; any other value was set by the user


class Examples(NamedTuple):
    """The rows of a table that are examples: their indices, the part of each (see `given_parts`), and its group."""

    rows: np.ndarray
    part_of: np.ndarray
    groups: np.ndarray | None

    def take(self, kept: np.ndarray) -> "Examples":
        """The examples for which `kept`, (N,) bool, is true."""
        return Examples(self.rows[kept], self.part_of[kept], None if self.groups is None else self.groups[kept])


def part_of_rows(table: Table, rows: np.ndarray, parts_of_files: list[str]) -> np.ndarray:
    """(N,) the index in PARTS of the part that each row's file is; 0, training, if the file is none. rows: indices."""
    return np.array([PARTS.index(part or "train") for part in parts_of_files], np.int8)[table.file_of(rows)]


def given_parts(
    table: Table, rows: np.ndarray, parts_of_files: list[str], split: str | int | None, parts: Collection[str]
) -> tuple[np.ndarray, dict[str, str]]:
    """((N,) the index in PARTS of each row's part; for each of `parts` that a file or the column `split` gives, that
    file or `column=part`). Raises UserError if both files and a column say which rows are which part."""
    files = {part: table.files[parts_of_files.index(part)][0] for part in parts if part in parts_of_files}
    if split is None:
        return part_of_rows(table, rows, parts_of_files), files
    for part, file in files.items():
        raise UserError(f"{file} is the {part} part, and dataset.split={split} would split its rows: leave it out.")
    part_of = parts_named_in(table, rows, split)
    return part_of, {part: f"{split}={part}" for part in parts if PARTS.index(part) in part_of}


def parts_named_in(table: Table, rows: np.ndarray, key: str | int) -> np.ndarray:
    """(N,) the index in PARTS of the part that each of these rows names in the column of `key`, as train or test.

    Raises UserError for a row that names no part, and if none names the training.
    """
    place = find_column(table, "split", key)
    cells, name = table.columns[place].take(rows), table.names[place]
    places = {part: place for place, part in enumerate(PARTS)}
    parts = cells.each(lambda cell: places.get(part_named(cell, by_words=True), -1), np.int8)
    if not (parts == 0).any():
        raise UserError(f"no row of {table.file} has train in {name}: name another column, dataset.split=…")
    refuse_lacking(table, place, rows[parts < 0], f"train, val or test in {name}", "to split the rows (dataset.split)")
    return parts


def groups_of_rows(table: Table, rows: np.ndarray, key: str | int) -> np.ndarray:
    """(N,) the group of each of these rows, from the column that `key` names.

    Raises UserError for a row without a group.
    """
    place = find_column(table, "group", key)
    cells = table.columns[place].take(rows)
    missing = rows[cells.each(is_missing, bool)]
    refuse_lacking(table, place, missing, table.names[place], "to keep groups together (dataset.group)")
    return cells.each(str, object)


def refuse_lacking(table: Table, place: int, lacking: np.ndarray, what: str, why: str) -> None:
    """Raises UserError if there are rows, of the indices `lacking`, whose cell in the column of index `place` is not
    what is needed. what, why: the message says that the row has no <what>, which is needed <why>."""
    if len(lacking):
        cell = table.columns[place].at(lacking[0])
        more = f"like {how_many(len(lacking) - 1, 'more row')}" if len(lacking) > 1 else ""
        but = "; ".join(filter(None, [cell and repr(cell), more]))
        line = table.line(lacking[0])
        row = line if len(table.files) > 1 else f"{table.file}: line {line}"
        said = f"{row} has no {what}{but and f' ({but})'}"
        raise UserError(f"{said}, which is needed {why}: fill it in, or delete such rows.")


def refuse_useless(
    given: dict[str, str], fractions: dict[str, float], fold: tuple[int, int] | None, order: str | int | None
) -> None:
    """Raises UserError if a setting says how to draw a part that is given. given: what each such part is, as a file."""
    if order is not None and len(given) == len(fractions):
        raise UserError(f"dataset.order={order} has no effect, since {' and '.join(given)} are given: leave it out.")
    for part, what in given.items():
        settings = {f"{part}_fraction": fractions[part] != FRACTION, "folds": fold is not None}
        for name, is_given in settings.items():
            if is_given:
                raise UserError(f"dataset.{name} has no effect, since {what} is the {part} part: leave it out.")


def table_parts(
    files: dict[str, str], examples: Examples, targets: Tensor, class_names: list[str], draw: Callable
) -> dict[str, Tensor]:
    """The indices of each part among the examples. Parts without a file are drawn from the rows of the other files.

    files: the file of each part that has one. targets: (N,) int64. draw: `draw_parts` as a function of targets, groups.
    Raises UserError if the rows of a file cannot be a part.
    """
    _, part_of, groups = examples
    given = {part: torch.from_numpy(np.flatnonzero(part_of == PARTS.index(part))) for part in files}
    rest = torch.from_numpy(np.flatnonzero(part_of == 0))
    for part, file in files.items():
        if not len(given[part]):
            raise UserError(f"{file} has no row with a class, so that it cannot be the {part} part: move it away.")
        if strange := {*targets[given[part]].tolist()} - {*targets[rest].tolist()}:
            name = class_names[min(strange)]
            how = "remove the rows of that class, or split the table in another way"
            raise UserError(f"{file} has a class {name!r}, which the training part does not have: {how}.")
        if groups is not None and len(both := np.intersect1d(groups[given[part]], groups[rest])):
            raise UserError(f"the group {both[0]} is in both {file} and the training: move its rows into one of them.")
    drawn = draw(targets[rest], groups=None if groups is None else groups[rest])
    return {part: rest[indices] for part, indices in drawn.items()} | given
