"""What predict reads: the files that the user names, and each picture or row of a table in them as a model takes it."""

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

from proj.data.photos.image_file import Refused, why_not
from proj.data.photos.images_in_folder import files_in, is_image, listed
from proj.data.tables.cells import is_number
from proj.data.tables.encode import encode_table
from proj.data.tables.header import has_header
from proj.data.tables.named_column import find_columns, why_absent
from proj.data.tables.new_table import unlike_training
from proj.data.tables.table_file import Reading, open_table
from proj.data.tables.table_files import TABLE
from proj.data.tables.text_table import Table
from proj.errors import UserError, first_of, how_many, out_of_memory
from proj.system.folders import is_companion, nearest_to
from proj.system.names import readable
from proj.system.ranks import say


class Example(NamedTuple):
    """An input that is to be named."""

    name: str  # of its file, and of a row of a table its line
    x: Tensor  # (H, W, C) uint8 pixels of an image, (F,) inputs of a row
    picture: str | io.BytesIO | None = None  # what is opened to show it
    remark: str = ""


def find_files(pattern: str, kind: str = "image") -> list[str]:
    """The files that a path or a pattern stands for, or those of a kind, "image" or "table", in a folder, without
    hidden ones and those that systems leave; the endings of a folder's other files are printed.

    Raises UserError for none.
    """
    folder, others = os.path.isdir(pattern), Counter[str]()
    if not folder and os.path.exists(pattern):  # also a name with brackets, or a pipe
        return [pattern]
    if folder:
        try:
            wanted = is_image if kind == "image" else lambda one: TABLE.fullmatch(one.name) and one.is_file()
            found = sorted(entry.path for entry in files_in(pattern, wanted, others))
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read ({error.strerror}).") from error
        if others:
            say(f"Files left out because they are not {kind}s: {listed(others)}", file=sys.stderr)
    else:
        named = Path(pattern).parts
        found = [file for file in sorted(glob.glob(pattern, recursive=True)) if not os.path.isdir(file)]
        found = [file for file in found if not any(map(is_companion, {*Path(file).parts} - {*named}))]
    if not found:
        raise UserError(
            f"input={pattern} finds no {kind if folder else 'file'}.{'' if folder else nearest_to(pattern)}"
        )
    return found


def read_images(files: list[str], facts, invert: str, max_pixels: int, skipped: list[str]) -> Iterator[Example]:
    """The image in each file; what is no image is named and goes to `skipped`."""
    inverts, several = {"true": True, "false": False, "auto": None}[invert], 0
    for file in files:
        content = io.BytesIO(sys.stdin.buffer.read()) if file == "-" else file
        try:
            pixels, inverted, has_more = facts.read_image(content, inverts, max_pixels)
        except UserError:
            raise
        except Exception as error:  # Pillow's readers raise many kinds
            skipped.append(file)
            why = error if isinstance(error, Refused) else f"no image ({why_not(error, content)})"
            why = "the memory does not suffice to read it" if out_of_memory(error) else why
            print(f"skipped {readable(file)}: {readable(str(why))}", file=sys.stderr)
            continue
        several += has_more
        yield Example(file, torch.from_numpy(pixels), content, "(dark on light: inverted)" if inverted else "")
    if several:
        say(f"Images of several frames or pages, of which only the first is used: {several:,}", file=sys.stderr)


def read_tables(
    files: list[str],
    columns: list[dict] | None,
    training: Mapping = {},
    sheet: str = "",
    encoding: str = "",
    skipped: list[str] | None = None,
) -> Iterator[Example]:
    """Each row of the tables. Raises UserError for what is no table, or not the model's.

    training: the settings of its data, whose sheet and encoding other files may have, too, where none is said.
    skipped: of several files such a one is named, goes to this list, and the others are read.
    """
    said = {"sheet": sheet or None, "encoding": encoding or None} if sheet or encoding else training
    how = Reading(said.get("sheet"), said.get("encoding"), is_hint=said is training, prefix="")
    if not columns:
        raise UserError("the checkpoint does not say how a table becomes its inputs: its datamodule sets no columns.")
    for file in files:
        try:
            lines, inputs = encoded_rows(file, columns, how)
        except UserError as error:
            if skipped is None or len(files) == 1:
                raise
            skipped.append(file)
            print(f"skipped {readable(str(error))}", file=sys.stderr)
            continue
        if not lines and len(files) > 1:  # of one alone, `predict` says it
            say(f"{readable(file)} has no row below its header", file=sys.stderr)
        for place, line in enumerate(lines):  # a loop over a tensor makes one of each row beforehand
            yield Example(f"{file}:{line}", inputs[place])


def encoded_rows(file: str, columns: list[dict], how: Reading) -> tuple[Sequence[int], torch.Tensor]:
    """The lines of a file on which its rows begin, and (N, F) the inputs that they are."""
    try:
        table = open_table(file, how)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    places = places_of([column["name"] for column in columns], table)
    say(*table.notes, file=sys.stderr)
    notes, taken, rows = list[str](), dict(zip(places, columns, strict=True)), np.arange(len(table.lines))
    try:
        inputs = encode_table(table, taken, rows, notes=notes)
        notes += unlike_training(table, taken, inputs, rows)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    say(*(f"{file}: {note}" for note in notes), file=sys.stderr)
    return table.lines, inputs


def places_of(names: list[str], table: Table) -> list[int]:
    """The places of the model's columns in a table, whose header is taken. Raises UserError for a missing one."""
    header = table.first
    trained_without_header = all(re.fullmatch(r"column \d+", name) for name in names)
    has_names = any(place is not None for place in find_columns(names, header)) or has_header(table)
    table.take_header(has_names)
    if has_names and any(map(is_number, header)):
        say(f"{table.file}: the first row, {', '.join(header)}, is taken for the columns' names", file=sys.stderr)
    if not has_names or (trained_without_header and all(map(is_number, header))):
        return places_by_order(names, table, trained_without_header)
    places = find_columns(names, table.names)
    if missing := [name for name, place in zip(names, places, strict=True) if place is None]:
        how = why_absent(table, missing[-1], f"; it has {first_of(table.names, 40)}.")
        raise UserError(f"{table.file} has no column {first_of(missing, 40)}{how}")
    return places


def places_by_order(names: list[str], table: Table, trained_without_header: bool) -> list[int]:
    """`places_of` where no names tell them. Raises UserError for another number of columns than the model's.

    trained_without_header: the names then are those of the places in the training's table: column 0, and so on.
    """
    header = table.first
    in_training = [int(name.split()[1]) for name in names] if trained_without_header else []
    if in_training and len(header) > len(names) and max(in_training) < len(header):
        if in_training != [*range(len(names))]:  # else no column that may be away stands before them
            say(
                f"{table.file} has no header: {', '.join(names)} (0 the first) are taken, as in the training's table, "
                "that of the classes included",
                file=sys.stderr,
            )
        return in_training
    if len(header) != len(names):
        raise UserError(
            f"{table.file}: row {table.lines[0]} has {how_many(len(header), 'value')} for "
            f"{how_many(len(names), 'column')}: {', '.join(names)}."
        )
    if not trained_without_header:
        say(f"{table.file} has no header: its columns are taken for {', '.join(names)}, in this order", file=sys.stderr)
    return list(range(len(names)))
