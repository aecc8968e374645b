"""Checks that the user's data exists, and has the columns that the settings name. This is done before a run or a sweep
starts, and before torch is imported, so nothing here imports torch."""

import os
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from proj.data.tables.header import find_header
from proj.data.tables.named_column import find_column
from proj.data.tables.reading import Reading
from proj.data.tables.table_file import read_table
from proj.data.tables.table_files import find_tables, open_tables
from proj.errors import UserError
from proj.system.folders import folders_in, nearest_to
from proj.system.shell import local_path

BEGINNING = 1_000_000  # bytes that are read of a large file, enough for its header
LISTS = ("numeric", "categorical", "text", "dates", "drop")


class PhotoList(NamedTuple):
    """The dataset's settings for a table that lists photos: its name, and its columns of classes, parts and groups."""

    labels: str | None = None
    target: str | int | None = None  # not needed if the table has only this column and the photos' names
    split: str | int | None = None
    group: str | int | None = None  # without a table, a pattern that is searched in the photos' paths


def refuse_absent_photos(dataset: DictConfig) -> None:
    """Raises UserError if `data_dir` is not a folder that holds folders, or if the table that lists the classes of its
    photos is missing."""
    folder = os.path.abspath(local_path(dataset.data_dir))
    is_folder = os.path.isdir(folder)
    listed = is_folder and find_list(folder, PhotoList(*map(dataset.get, ("labels", "target", "split", "group"))))
    if not is_folder or not (listed or folders_in(folder)):
        from proj.data.photos.class_folders import find_images  # here, since it imports Pillow

        find_images(folder)  # raises the error that says what is wrong


def find_list(data_dir: str, settings: PhotoList, of_training: bool = True) -> str:
    """The table that dataset.labels names: its path from `data_dir`, or from a folder above, such as the working one;
    "" if it names none. of_training: whether its photos are those of the training, and not others that are measured.
    Raises UserError if there is no such table, and for a column without a table."""
    if settings.labels is None:
        for setting, key in (("target", settings.target), ("split", settings.split)):
            if key is not None:
                raise UserError(f"dataset.{setting}={key} is a column of the table dataset.labels=…: name that, too.")
        return ""
    labels = os.path.expanduser(str(settings.labels))
    places = [os.path.join(folder, labels) for folder in (data_dir, *Path(data_dir).parents)]
    if found := next(filter(os.path.isfile, places), ""):
        return found
    absent = f"dataset.labels={labels}{'' if of_training else ', as in the training,'} is no file in {data_dir}"
    if not of_training:
        cure = "give the table of these photos this name and the training's columns, or sort them into class folders"
        raise UserError(f"{absent}, or in a folder above it: {cure}.")
    close = next(filter(None, map(nearest_to, (*places[:2], os.path.abspath(labels)))), "")
    raise UserError(f"{absent}, or in a folder above it.{close}")


def refuse_absent_columns(dataset: DictConfig) -> None:
    """Raises UserError if there is no table, or if it lacks a column that the settings name."""
    named = [(setting, key) for setting in LISTS for key in dataset.get(setting) or []]
    named += [
        (setting, dataset[setting]) for setting in ("group", "order", "split") if dataset.get(setting) is not None
    ]
    how = Reading(dataset.get("sheet"), dataset.get("encoding"))
    refuse_absent(local_path(str(dataset.data_dir)), how, dataset.get("header"), (("target", dataset.target), *named))


@cache
def refuse_absent(data_dir: str, how: Reading, header: bool | None, named: tuple[tuple[str, Any], ...]) -> None:
    """`refuse_absent_columns`, cached for a sweep's jobs. named: (setting, column) pairs, that of the target first.

    A large file that is compressed, or would have to be read whole to detect its header, is left to the training.
    """
    found, target = find_tables(data_dir), named[0][1]
    first = found.files[0]
    try:
        with open(first, "rb") as file:
            start, is_whole = file.read(BEGINNING), not file.read(1)
    except OSError:
        open_tables(found, how, header, target, [], [])  # raises the error that says why
        return
    if not is_whole and (b"\0" in start or b"\n" not in start or (header is None and isinstance(target, int))):
        return
    try:
        table = read_table(BytesIO(start if is_whole else start[: start.rindex(b"\n") + 1]), first, how)
    except UserError:
        if is_whole:
            raise
        return  # perhaps only because the beginning ends within a cell
    table.take_header(find_header(table, target, []) if header is None else header)
    for setting, key in named:
        find_column(table, setting, key)
