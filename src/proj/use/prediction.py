"""What a checkpoint's model says of new pictures and tables."""

import glob
import io
import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch

from proj.checkpoint import file as checkpoints
from proj.config.command_line import write_output
from proj.data.facts import Facts
from proj.data.photos.class_folders import everything_in
from proj.data.photos.image_file import MAX_PIXELS, Refused, open_image
from proj.data.tables.cells import is_number
from proj.data.tables.csv_file import Table, has_header
from proj.data.tables.named_column import find_columns
from proj.data.tables.table import encode_table, unknown_words
from proj.data.tables.table_file import open_table
from proj.data.tables.table_files import TABLE
from proj.errors import UserError
from proj.models.trusted import decided
from proj.pictures import drawing
from proj.system.platform import is_companion, one_line, readable
from proj.training.calibration import most_unlikely
from proj.use.answer_rows import answer, csv_rows, doubt, in_words, json_lines

BATCH, SHOWN = 100, 30  # inputs at a time, images in the picture


def find_files(pattern: str, kind: str = "file") -> list[str]:
    """The files that a path, a folder or a pattern stands for, without hidden ones and those that systems leave.

    kind: "table" for files in a folder whose names end as those of tables.

    Raises UserError for none.
    """
    folder = os.path.isdir(pattern)
    if not folder and os.path.exists(pattern):  # also a name with brackets, or a pipe
        return [pattern]
    if folder:
        found = sorted(entry.path for entry in everything_in(pattern) if entry.is_file())
    else:
        named = Path(pattern).parts
        found = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
        found = [file for file in found if not any(map(is_companion, {*Path(file).parts} - {*named}))]
    if folder and kind == "table":
        found = list(filter(TABLE.fullmatch, found))
    if not found:
        raise UserError(f"input={pattern} finds no {kind}.")
    return found


def read_images(files: list[str], facts, invert: str, max_pixels: int, skipped: list[str]) -> Iterator[tuple]:
    """(file, uint8 (H, W, C) pixels, what to open for a picture, a remark) of each; what is no image is named and goes
    to `skipped`."""
    for file in files:
        content = io.BytesIO(sys.stdin.buffer.read()) if file == "-" else file
        try:
            pixels, inverted = facts.read_image(content, {"true": True, "false": False}.get(invert), max_pixels)
        except UserError:
            raise
        except Exception as error:  # Pillow's readers raise many kinds
            skipped.append(file)
            why = error if isinstance(error, Refused) else f"no image ({re.sub(' <_io.*>', '', str(error))})"
            print(f"skipped {readable(file)}: {readable(str(why))}", file=sys.stderr)
            continue
        yield file, torch.from_numpy(pixels), content, "(dark on light: inverted)" if inverted else ""


def read_tables(
    files: list[str], columns: list[dict] | None, training: Mapping = {}, sheet: str = "", encoding: str = ""
) -> Iterator[tuple]:
    """(file:line, (F,) inputs, None, "") of each row. Raises UserError for what is no table, or not the model's.

    training: the settings of its data, whose sheet and encoding other files may have, too, where none is said.
    """
    hint = not (sheet or encoding)
    how = (training.get("sheet"), training.get("encoding")) if hint else (sheet or None, encoding or None)
    if not columns:
        raise UserError("the checkpoint does not say how a table becomes its inputs: its datamodule sets no columns.")
    for file in files:
        try:
            table = open_table(file, *how, hint, prefix="")
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror}).") from None
        places = places_of([column["name"] for column in columns], table)
        for note in table.notes:
            print(note, file=sys.stderr)
        notes: list[str] = []
        try:
            inputs = encode_table(table, places, columns, notes=notes)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
        for note in notes + unknown_words(table, places, columns):
            print(f"{file}: {note}", file=sys.stderr)
        for line, x in zip(table.lines, inputs, strict=True):
            yield f"{file}:{line}", x, None, ""


def places_of(names: list[str], table: Table) -> list[int]:
    """The places of the model's columns in a table, whose header is taken. Raises UserError for a missing one."""
    header, unnamed = table.first, all(re.fullmatch(r"column \d+", name) for name in names)
    found = find_columns(names, header)
    headed = any(place is not None for place in found) or has_header(table)
    table.take_header(headed)
    if headed and any(map(is_number, header)):
        print(f"{table.file}: the first row, {', '.join(header)}, is taken for the columns' names", file=sys.stderr)
    if headed and not (unnamed and all(map(is_number, header))):
        places = find_columns(names, table.names)
        if missing := [name for name, place in zip(names, places, strict=True) if place is None]:
            raise UserError(f"{table.file} has no column {', '.join(missing)}; it has {', '.join(table.names)}.")
        return places
    training = [int(name.split()[1]) for name in names] if unnamed else []  # its table had no header either
    if len(header) > len(names) and unnamed and max(training) < len(header):
        return training
    if len(header) != len(names):
        raise UserError(
            f"{table.file}: row {table.lines[0]} has {len(header)} values for {len(names)} columns: {', '.join(names)}."
        )
    return list(range(len(names)))


def thumbnail(content: str | io.BytesIO, facts: Facts, max_pixels: int):
    image = open_image(content, (200, 200), 3, facts.levels, max_pixels)
    image.thumbnail((400, 400))
    return image


def predict(
    path: Path,
    input: str,
    output: str = "",
    show: str = "false",
    invert: Literal["auto", "true", "false"] = "auto",
    max_pixels: str = "",
    trust: Sequence[str] = (),
    coverage: float = 0.0,
    sheet: str = "",
    encoding: str = "",
) -> list[dict]:
    """Print the three most probable classes of each input, or write them to `output`; write `show`; return its rows.

    coverage: how often the sets of classes should hold the right one; with 0 there are none. sheet, encoding: of a
    table, where they are not as in the training.
    Raises UserError for what the user can mend; for files that are no images, after all others are done.
    """
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    model, known = checkpoints.load_model(path, trust)
    model, facts = model.to(device), Facts.from_dict(known)
    images, classes = facts.kind == "image", facts.class_names
    limit = most_unlikely(known, coverage) if coverage else None
    picture = {"true": "predictions.png", "false": ""}.get(show, show)
    if picture and not images:
        raise UserError("show=… draws images, and this model takes a table: leave it out.")
    if images and (sheet or encoding):
        raise UserError("sheet=… and encoding=… are of tables, and this model takes images: leave them out.")
    largest = int(max_pixels or known["config"]["dataset"].get("max_pixels") or MAX_PIXELS)
    files = ["-"] if input == "-" else find_files(input, "file" if images else "table")
    for name, file in (("output", output), ("show", picture)):
        if os.path.exists(file) and any(one != "-" and os.path.samefile(file, one) for one in files):
            raise UserError(f"{name}={file} is one of the inputs, which it would overwrite: name another file.")
    rows, skipped, shown, inverted = list[dict](), list[str](), list[tuple](), 0
    if images:
        examples = read_images(files, facts, invert, largest, skipped)
    else:
        examples = read_tables(files, facts.columns, known["config"]["dataset"], sheet, encoding)
    while batch := list(itertools.islice(examples, BATCH)):
        x = torch.stack([inputs for _, inputs, _, _ in batch]).to(device)
        with torch.inference_mode():
            logits = model(facts.normalizer().to(device)(x) if images else x)
            probabilities = logits.cpu().double().softmax(1)
        batch = [(readable(name), *rest) for name, *rest in batch]
        width = max(len(name) for name, *_ in batch)
        places = decided(probabilities, model.costs).tolist()
        for (name, _, content, remark), shares, chosen in zip(batch, probabilities, places, strict=True):
            rows.append(answer(name, shares, chosen, classes, limit))
            words = in_words(rows[-1])
            if not output:
                print("  ".join(filter(None, [f"{name:<{width}}", *words, doubt(rows[-1]), remark])))
            inverted += bool(remark)
            if picture and len(shown) < SHOWN:
                shown.append((thumbnail(content, facts, largest), (words[0], os.path.basename(name))))
    if not rows and not skipped:
        raise UserError(f"input={input} has no row below its header.")
    if coverage:
        unsure = sum(bool(doubt(row)) for row in rows)
        print(f"unsure of {unsure:,} of {len(rows):,}: at coverage={coverage:g} their sets are not of one class")
    if output:
        write_output(Path(output), csv_rows(rows, classes) if output.endswith(".csv") else json_lines(rows))
        counts = [f"{one_line(name)} {n:,}" for name, n in Counter(row["class"] for row in rows).most_common(SHOWN)]
        print(f"{output} ({len(rows):,} in all{f', {inverted:,} inverted' * bool(inverted)}): {', '.join(counts)}")
    if shown:
        write_output(Path(picture), drawing.png(drawing.grid(*zip(*shown, strict=True), colour=drawing.RIGHT)))
        print(picture)
    if skipped:
        raise UserError(f"{len(skipped)} of {len(files)} files are no images: {readable(', '.join(skipped[:5]))}.")
    return rows
