"""Whether data of one's own is there, with the columns that the settings name: asked before a run or a sweep starts,
so that nothing here imports torch."""

import os
from functools import cache
from io import BytesIO
from typing import Any

from omegaconf import DictConfig

from proj.data.tables.header import find_header
from proj.data.tables.named_column import find_column
from proj.data.tables.table_file import Reading, read_table
from proj.data.tables.table_files import find_tables, open_tables
from proj.errors import UserError
from proj.system.folders import folders_in

BEGINNING = 1_000_000  # bytes of a large file, which hold its header
LISTS = ("numeric", "categorical", "dates", "drop")


def refuse_absent_photos(dataset: DictConfig) -> None:
    """Raises UserError where there is no folder with folders in it."""
    folder = os.path.abspath(dataset.data_dir)
    if not (os.path.isdir(folder) and folders_in(folder)):
        from proj.data.photos.class_folders import find_images  # Pillow, which tables do without

        find_images(folder)


def refuse_absent_columns(dataset: DictConfig) -> None:
    """Raises UserError where there is no table, or one without a column that the settings name."""
    named = [(setting, key) for setting in LISTS for key in dataset.get(setting) or []]
    named += [] if dataset.get("group") is None else [("group", dataset.group)]
    how = Reading(dataset.get("sheet"), dataset.get("encoding"))
    refuse_absent(str(dataset.data_dir), how, dataset.get("header"), (("target", dataset.target), *named))


@cache
def refuse_absent(data_dir: str, how: Reading, header: bool | None, named: tuple[tuple[str, Any], ...]) -> None:
    """`refuse_absent_columns`, once for all jobs of a sweep. named: the settings, the target first, each with a column.

    A compressed file, or one that is read as a whole to tell whether it has a header, may be large: the training tells.
    """
    found, target = find_tables(data_dir), named[0][1]
    first = found.files[0]
    try:
        with open(first, "rb") as file:
            start, is_whole = file.read(BEGINNING), not file.read(1)
    except OSError:
        open_tables(found, how, header, target, [])  # says why
        return
    if not is_whole and (b"\0" in start or b"\n" not in start or (header is None and isinstance(target, int))):
        return
    try:
        table = read_table(BytesIO(start if is_whole else start[: start.rindex(b"\n") + 1]), first, how)
    except UserError:
        if is_whole:
            raise
        return  # the beginning may end within a cell
    table.take_header(find_header(table, target, []) if header is None else header)
    for setting, key in named:
        find_column(table, setting, key)
