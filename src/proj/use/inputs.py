"""Reads the inputs of predict: finds the files that the user names, and encodes each picture or row of a table."""

import glob
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from proj.data.photos.deep_pixels import describe
from proj.data.photos.image_file import Refused, why_not
from proj.data.photos.images_in_folder import files_in, is_image, listed_counts
from proj.data.tables.cells import is_number
from proj.data.tables.encode import encode_table
from proj.data.tables.header import has_header
from proj.data.tables.input_column import InputColumn
from proj.data.tables.named_column import find_columns, why_absent
from proj.data.tables.new_table import unlike_training
from proj.data.tables.reading import Reading
from proj.data.tables.table_file import open_table
from proj.data.tables.table_files import TABLE
from proj.data.tables.text_table import Table
from proj.errors import UserError, nearest, out_of_memory
from proj.system.folders import is_companion, nearest_to, paths_in
from proj.system.names import readable
from proj.system.ranks import say
from proj.wording import first_of, how_many


class Example(NamedTuple):
    """An input that is to be classified."""

    name: str  # the name of its file; for a row of a table, followed by its line
    x: Tensor  # (H, W, C) uint8 pixels of an image, or (F,) inputs of a row
    picture: str | io.BytesIO | None = None  # the file of an image, to be opened again for show=…
    remark: str = ""  # printed behind the prediction


def find_files(pattern: str, kind: str = "image") -> list[str]:
    """The files for input=…, which is a file, a pattern, or a folder, of which the files of this kind are taken, or
    several of these, separated like the folders in $PATH, or "-" for standard input.

    kind: "image" or "table". Hidden files, and those that operating systems leave behind, are ignored; the endings of
    a folder's other files are printed. Raises UserError if no file is found, or the folder cannot be read.
    """
    if len(several := paths_in(pattern)) > 1:
        return [file for one in several for file in find_files(one, kind)]
    folder, others = os.path.isdir(pattern), Counter[str]()
    if pattern == "-" or (os.path.exists(pattern) and not folder):  # which may be a pipe, or have brackets in its name
        return [pattern]
    if folder:
        try:
            wanted = is_image if kind == "image" else lambda one: TABLE.fullmatch(one.name) and one.is_file()
            found = sorted(entry.path for entry in files_in(pattern, wanted, others))
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read ({error.strerror}).") from error
        if others:
            say(f"Files left out because they are not {kind}s: {listed_counts(others)}", file=sys.stderr)
    else:
        named = Path(pattern).parts
        found = sorted(glob.glob(pattern, recursive=True))
        found = [file for file in found if os.path.isfile(file) or not os.path.exists(file)]  # no folder, and no pipe
        found = [file for file in found if not any(map(is_companion, {*Path(file).parts} - {*named}))]
    if not found:
        raise UserError(
            f"input={pattern} finds no {kind if folder else 'file'}.{'' if folder else nearest_to(pattern)}"
        )
    return found


def read_images(files: list[str], facts, invert: str, max_pixels: int, skipped: list[str]) -> Iterator[Example]:
    """Yield the image in each file. A file that cannot be read as an image is printed and added to `skipped`.
    facts: the model's `Facts`. invert: "auto", "true" or "false", see `Facts.read_image`."""
    inverts, several = {"true": True, "false": False, "auto": None}[invert], 0
    beyond = list[tuple[str, float, float]]()  # of images with values beyond those that become black and white
    for file in files:
        content = io.BytesIO(sys.stdin.buffer.read()) if file == "-" else file
        try:
            pixels, inverted, has_more, deep = facts.read_image(content, inverts, max_pixels)
        except UserError:
            raise
        except Exception as error:  # Pillow's readers raise errors of many types
            skipped.append(file)
            why = error if isinstance(error, Refused) else f"no image ({why_not(error, content)})"
            why = "the memory does not suffice to read it" if out_of_memory(error) else why
            print(f"skipped {readable(file)}: {readable(str(why))}", file=sys.stderr)
            continue
        several += has_more
        if deep and (scale := (facts.levels or {}).get(deep[0])) and not scale[0] <= deep[1] <= deep[2] <= scale[1]:
            beyond.append(deep)
        yield Example(file, torch.from_numpy(pixels), content, "(dark on light: inverted)" if inverted else "")
    say(
        *(f"{line}, as in the training: are they in another unit?" for line in describe(beyond, facts.levels)),
        file=sys.stderr,
    )
    if several:
        say(f"Images of several frames or pages, of which only the first is used: {several:,}", file=sys.stderr)


def read_tables(
    files: list[str],
    columns: list[InputColumn] | None,
    training: Mapping = {},
    sheet: str = "",
    encoding: str = "",
    id: str = "",
    skipped: list[str] | None = None,
) -> Iterator[Example]:
    """Yield each row of the tables. Raises UserError for a file that is no table, or does not fit the model.

    columns: those of the model, see `Facts`. sheet, encoding: the user's; if both are "", those of the training are
    tried. id: a column whose cells name the rows; "": the file and the line do. training: the settings of the
    training's data. skipped: if it is given and there are several files, a file that cannot be used is printed and
    added to it instead, and the others are read.
    """
    said = {"sheet": sheet or None, "encoding": encoding or None} if sheet or encoding else training
    how = Reading(said.get("sheet"), said.get("encoding"), is_hint=said is training, prefix="")
    if not columns:
        raise UserError("the checkpoint does not say how a table becomes its inputs: its datamodule sets no columns.")
    for file in files:
        try:
            names, inputs = encoded_rows(file, columns, how, id)
        except UserError as error:
            if skipped is None or len(files) == 1:
                raise
            skipped.append(file)
            print(f"skipped {readable(str(error))}", file=sys.stderr)
            continue
        if not names and len(files) > 1:  # for a single file, `predict` raises an error
            say(f"{readable(file)} has no row below its header", file=sys.stderr)
        for place, name in enumerate(names):  # by index, since iterating over a tensor makes all of its rows first
            yield Example(name, inputs[place])


def encoded_rows(file: str, columns: list[InputColumn], how: Reading, id: str) -> tuple[Sequence[str], torch.Tensor]:
    """(The names of the N rows of a file, their inputs (N, F)). id: see `read_tables`. Raises UserError."""
    try:
        table = open_table(file, how)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    places = find_model_columns([column.name for column in columns], table)
    say(*table.notes, file=sys.stderr)
    notes, taken, rows = list[str](), dict(zip(places, columns, strict=True)), np.arange(len(table.lines))
    try:
        inputs = encode_table(table, taken, rows, notes=notes)
        notes += unlike_training(table, taken, inputs, rows)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    say(*(f"{file}: {note}" for note in notes), file=sys.stderr)
    return row_names(table, id) if id else [f"{file}:{line}" for line in table.lines], inputs


def row_names(table: Table, id: str) -> list[str]:
    """The cells of the column that names the rows. Raises UserError if there is none of that name."""
    (place,) = find_columns([id], table.names)
    if place is None:
        how = why_absent(table, id, f".{nearest(id, table.names)}")
        raise UserError(f"{table.file} has no column {id!r} that names its rows{how}")
    return [*table.columns[place]]


def find_model_columns(names: list[str], table: Table) -> list[int]:
    """The index in the table of each of the model's columns, after it is decided whether the first row is a header.
    names: of the model's columns. Raises UserError if one is missing."""
    header = table.first
    trained_without_header = all(re.fullmatch(r"column \d+", name) for name in names)
    has_names = any(place is not None for place in find_columns(names, header)) or has_header(table)
    table.take_header(has_names)
    if has_names and any(map(is_number, header)):
        say(f"{table.file}: the first row, {', '.join(header)}, is taken for the columns' names", file=sys.stderr)
    if not has_names or (trained_without_header and all(map(is_number, header))):
        return columns_by_order(names, table, trained_without_header)
    places = find_columns(names, table.names)
    if missing := [name for name, place in zip(names, places, strict=True) if place is None]:
        how = why_absent(table, missing[-1], f"; it has {first_of(table.names, 40)}.")
        raise UserError(f"{table.file} has no column {first_of(missing, 40)}{how}")
    return places


def columns_by_order(names: list[str], table: Table, trained_without_header: bool) -> list[int]:
    """`find_model_columns` for a table without a header, by the order of its columns.

    trained_without_header: `names` are then `column 0` and so on, after their index in the training's table.
    Raises UserError if the number of columns does not fit.
    """
    first_row = table.first
    in_training = [int(name.split()[1]) for name in names] if trained_without_header else []
    if in_training and len(first_row) > len(names) and max(in_training) < len(first_row):
        # The training's table also had a column of classes. If that stood behind the model's columns, nothing is in
        # doubt. Else this table must have it too, or the columns behind it would be off by one.
        if in_training != [*range(len(names))]:
            say(
                f"{table.file} has no header: {', '.join(names)} are taken, counted from 0 and with the column of "
                "classes, as in the training's table",
                file=sys.stderr,
            )
        return in_training
    if len(first_row) != len(names):
        raise UserError(
            f"{table.file}: row {table.lines[0]} has {how_many(len(first_row), 'value')} for "
            f"{how_many(len(names), 'column')}: {', '.join(names)}."
        )
    if not trained_without_header:
        say(f"{table.file} has no header: its columns are taken for {', '.join(names)}, in this order", file=sys.stderr)
    return list(range(len(names)))
