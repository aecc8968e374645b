"""Predicts the classes of new pictures, or of the rows of new tables, with a checkpoint's model."""

import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch

from proj.data.facts import Facts
from proj.data.photos.image_file import MAX_PIXELS, open_image
from proj.errors import UserError
from proj.models.balance import note_on_equal_sizes
from proj.models.logits import decided
from proj.pictures import drawing
from proj.system.files import refuse_unwritable, write_output
from proj.system.names import readable
from proj.system.ranks import say
from proj.system.shell import local_path
from proj.use.ensemble import Ensemble
from proj.use.inputs import Example, find_files
from proj.use.places import lies_in, refuse_among_data
from proj.use.predicted import Predictions, doubt, in_words, is_unsure, is_written_by_predict, write_rows
from proj.wording import agree, how_many

BATCH = 100  # inputs at a time
SHOWN = 30  # the most images in the picture for show=…


def thumbnail(content: str | io.BytesIO, facts: Facts, max_pixels: int):
    """The image in a file, at most 400 pixels wide and high, in colour."""
    image = open_image(content, (200, 200), 3, facts.levels, max_pixels)
    image.thumbnail((400, 400))
    return image


def refuse_to_predict(images: bool, output: str, picture: str, of_a_table: str, settings: Mapping) -> None:
    """Raises UserError for an option that makes no sense for the model's kind of data, and for a table or a picture
    that would be written among the training's tables or photos.

    images: whether the model takes images. output, picture: the files for output=… and show=…, or "". of_a_table: an
    option that only tables have, or "". settings: those of the training's data.
    """
    if output.endswith(".csv") and not images:
        refuse_among_data(Path(output).parent, "output", settings)
    if picture:
        refuse_among_data(Path(picture).parent, "show", settings)
    if picture and not images:
        raise UserError("show=… draws images, and this model takes a table: leave it out.")
    if images and of_a_table:
        raise UserError("sheet=…, encoding=… and id=… are for tables, and this model takes images: leave them out.")


def refuse_to_overwrite(inputs: list[str], folder: str, ending: str, **written: str) -> None:
    """Raises UserError if a file to be written is one of the inputs, would be one the next time, holds anything but
    earlier predictions, or cannot be written, before thousands of photos are classified in vain. folder, ending: where
    the inputs are from, if that is a folder, and how a file ends that is one. written: the files by their options; ""
    for one that is not written."""
    for option, file in written.items():
        if not file:
            continue
        refuse_unwritable(Path(file), option)
        place = os.path.realpath(file)  # in new/../t.csv, the folder new may be missing yet
        if os.path.isfile(place) and any(os.path.exists(one) and os.path.samefile(place, one) for one in inputs):
            raise UserError(f"{option}={file} is one of the inputs, which it would overwrite: name another file.")
        if os.path.isfile(place) and not is_written_by_predict(place):
            raise UserError(f"{option}={file} exists, and holds no predictions: name another file, or remove it first.")
        if file.endswith(ending) and lies_in(Path(file), folder):
            raise UserError(f"{option}={file} lies in {folder}: the next run would read it. Name another place.")


def classified(
    examples: Iterator[tuple[Example, ...]], rows: Predictions, ensemble: Ensemble
) -> Iterator[tuple[Example, int, str]]:
    """Classify the examples in batches, and append the predictions to `rows`.
    Yields (the example, the index of its prediction in `rows`, its name padded to the longest name of its batch)."""
    while batch := list(itertools.islice(examples, BATCH)):
        firsts = [of_models[0] for of_models in batch]
        names = [readable(example.name) for example in firsts]
        width = max(map(len, names))
        probabilities = ensemble.probabilities(batch)
        rows.add(names, decided(probabilities, ensemble.costs), probabilities)
        for place, (example, name) in enumerate(zip(firsts, names, strict=True), len(rows) - len(batch)):
            yield example, place, name.ljust(width)


def describe_unsure(rows: Predictions, coverage: float) -> list[str]:
    unsure = sum(map(is_unsure, rows)) if coverage else 0
    sets = agree(unsure, "its set is", "their sets are")
    said = f"unsure of {unsure:,} of {len(rows):,}: at coverage={coverage:g} {sets} not of one class"
    return [said] if coverage else []


def describe_inverted(rows: Predictions, inverted: int) -> list[str]:
    images = f"{how_many(inverted, 'image')} of {len(rows):,}"
    return [f"{images} taken as dark on light and inverted; invert='false' leaves them"] if inverted else []


def predict(
    path: str | Path | Sequence[str | Path],
    input: str,
    output: str = "",
    show: str = "false",
    invert: Literal["auto", "true", "false"] = "auto",
    max_pixels: str = "",
    trust: Sequence[str] = (),
    coverage: float = 0.0,
    sheet: str = "",
    encoding: str = "",
    id: str = "",
    *,
    show_line: Callable[[str], object] | None = None,
) -> Predictions:
    """Return the predictions for all inputs, and write them into the file `output`, if one is named.
    path: a checkpoint, or several that know the same classes, whose probabilities are averaged. input: see
    `find_files`. show: "true", or a file for a picture of results. show_line: called with a line of each input's three
    most probable classes, if `output` is "". coverage: see `prediction_set_limit`; 0: no sets.
    max_pixels: "" for the training's. Others: see `read_images`, `read_tables`.
    Raises UserError for what the user can fix, and if all files were skipped, see `Predictions`.
    """
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    ensemble = Ensemble([path] if isinstance(path, str | Path) else path, trust, device)
    facts, settings = ensemble.facts, ensemble.contents["config"]["dataset"]
    images, limit = facts.kind == "image", ensemble.set_limit(coverage) if coverage else None
    picture = {"true": "predictions.png", "false": ""}.get(str(show).lower(), str(show))
    refuse_to_predict(images, output, picture, sheet or encoding or id, settings)
    largest = int(max_pixels or settings.get("max_pixels") or MAX_PIXELS)
    files = find_files(local_path(input), facts.kind)
    refuse_to_overwrite(files, input, ".png" if images else ".csv", output=output, show=picture)
    rows, shown, inverted = Predictions(facts.class_names, limit, len(files)), list[tuple](), 0
    of_tables = {"training": settings, "sheet": sheet, "encoding": encoding, "id": id}
    examples = ensemble.read(files, {"invert": invert, "max_pixels": largest}, of_tables, rows.skipped)
    try:
        for example, place, padded in classified(examples, rows, ensemble):
            if show_line and not output:
                row = rows[place]
                show_line("  ".join(filter(None, [padded, *in_words(row), doubt(row), example.remark])))
            inverted += bool(example.remark)
            if picture and len(shown) < SHOWN:
                small, row = thumbnail(example.picture, facts, largest), rows[place]
                shown.append((small, (in_words(row)[0], os.path.basename(row["input"]))))
    except (KeyboardInterrupt, SystemExit):  # SystemExit: a signal such as that of `kill`, see `options`
        if output and rows:  # under another name, so that nobody takes this file for complete
            write_rows(rows, str(Path(output).with_stem(f"{Path(output).stem}_unfinished")), inverted)
            say("stopped: the remaining inputs are not predicted", file=sys.stderr)
        raise
    if not rows and not rows.skipped:
        raise UserError(f"input={input} has no row below its header.")
    say(*describe_unsure(rows, coverage), *describe_inverted(rows, 0 if output or show_line else inverted))
    say(*note_on_equal_sizes(ensemble.contents["config"]), file=sys.stderr)
    if output and rows:
        write_rows(rows, output, inverted)
    if shown:
        write_output(Path(picture), drawing.png(drawing.grid(*zip(*shown, strict=True), colour=drawing.RIGHT)), "show")
        print(readable(picture))
    if not rows:
        rows.refuse_skipped()
    return rows
