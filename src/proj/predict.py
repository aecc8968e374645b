"""Name what images or rows of a table show: python -m proj.predict ckpt=<file> …

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken
  input=<path>     an image or CSV file, a folder, a pattern ('photos/*') or
                   - for standard input
  output=<file>    a .csv or .jsonl for the probabilities of all classes
  show=<file>      a .png of the first 30 images, each with its prediction;
                   show=true: predictions.png
  invert=auto      a model of light drawings on black gets images with a light
                   border inverted; true, false: all images, none
  trust=<module>   of classes of your own that the checkpoint names

Images may have any size, mode and transparency. They are turned upright, fitted
to the model's shape and normalised as in training. Columns of a table are found
by their names, or by their order where it has no header.
"""

import csv
import glob
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from proj.errors import UserError
from proj.options import run, writing
from proj.system import readable

BATCH, SHOWN = 100, 30


def find_files(pattern: str, ending: str = "") -> list[str]:
    """The files that a path, a folder or a pattern stands for, without hidden ones. Raises UserError for none."""
    folder = os.path.isdir(pattern)
    if not folder and os.path.exists(pattern):  # also a name with brackets, or a pipe
        return [pattern]
    wanted = os.path.join(glob.escape(pattern), "**", f"*{ending}") if folder else pattern
    found = sorted(filter(os.path.isfile, glob.glob(wanted, recursive=True)))
    if not found:
        raise UserError(f"input={pattern} finds no {ending or 'file'}.")
    return found


def read_images(files: list[str], known: dict, invert: str, skipped: list[str]) -> Iterator[tuple]:
    """(file, uint8 (H, W, C) pixels, what to open for a picture, a remark) of each; what is no image is named and goes
    to `skipped`."""
    import torch
    from PIL import ImageOps

    from proj.data.image_file import border, open_image, resized

    channels, *size = known["input_shape"]
    if channels not in (1, 3):
        raise UserError(f"the model takes {channels} channels, and images have 1 or 3.")
    # Where pixels deviate from their mean by more than the mean, most are black: digits, letters, clothes.
    drawn = all(std > mean for mean, std in zip(known["mean"], known["std"], strict=True))
    pad = drawn and "size" not in known["config"]["dataset"]  # else the training has cut photos to their middle
    for file in files:
        content = io.BytesIO(sys.stdin.buffer.read()) if file == "-" else file
        try:
            image = open_image(content, size, channels)
        except Exception as error:  # Pillow's readers raise many kinds
            skipped.append(file)
            print(f"skipped {file}: no image ({error})", file=sys.stderr)
            continue
        inverted = invert == "true" or (invert == "auto" and drawn and border(image).mean() > 127)
        if inverted:
            image = ImageOps.autocontrast(ImageOps.invert(image))  # paper is seldom quite white
        if pad:  # a drawing is not cut off
            pixels = resized(ImageOps.pad, image, size, color=tuple(map(int, border(image))))
        else:
            pixels = resized(ImageOps.fit, image, size)
        yield file, torch.from_numpy(pixels), content, "(dark on light: inverted)" if inverted else ""


def plain(name: str) -> str:
    """sepal_length for `sepal length (cm)` and `SepalLengthCm` too, without the line."""
    return re.sub(r"\(.*\)|[\W_]|cm$", "", name.lower())


def read_tables(files: list[str], columns: list[dict] | None) -> Iterator[tuple]:
    """(file:row, (F,) inputs, None, "") of each row. Raises UserError for what is no table, or not the model's."""
    from proj.data.csv_file import has_header, read_table
    from proj.data.table import encode

    if not columns:
        raise UserError("the checkpoint does not say how a table becomes its inputs: its datamodule sets no columns.")
    names = [column["name"] for column in columns]
    for file in files:
        try:
            stream = io.BytesIO(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror}).") from None
        rows = read_table(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), file)
        exact = set(names) <= set(rows[0]) or len(set(map(plain, names))) < len(names)
        wanted, given = (names, rows[0]) if exact else ([*map(plain, names)], [*map(plain, rows[0])])
        headed = set(wanted) <= set(given)
        if headed:
            places = [given.index(name) for name in wanted]
            rows = [[row[place] for place in places] for row in rows[1:]]
        elif len(rows[0]) > len(names) and all(re.fullmatch(r"column \d+", name) for name in names):
            places = [int(name.split()[1]) for name in names]  # the training's table had no header either
            if max(places) < len(rows[0]):
                rows = [[row[place] for place in places] for row in rows]
        elif has_header(rows):
            missing = [name for name, word in zip(names, wanted, strict=True) if word not in given]
            raise UserError(f"{file} has no column {', '.join(missing)}; it has {', '.join(rows[0])}.")
        try:
            inputs = encode(rows, columns, first=1 + headed)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
        for place, x in enumerate(inputs, 1 + headed):
            yield f"{file}:{place}", x, None, ""


def csv_text(rows: list[dict], names: list[str]) -> str:
    """A column for each class's probability."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["input", "class", "probability", *names])
    writer.writerows([*list(row.values())[:3], *row["probabilities"].values()] for row in rows)
    return text.getvalue()


def predict(
    path: Path,
    input: str = "",
    output: str = "",
    show: str = "false",
    invert: Literal["auto", "true", "false"] = "auto",
    trust: Sequence[str] = (),
) -> list[dict]:
    """Print the three most probable classes of each input; write `output` and `show`; return output's rows.

    Raises UserError for what the user can mend; for files that are no images, after all others are done.
    """
    if not input:
        raise UserError("name what to look at: input=<image, CSV file, folder, pattern, or - for standard input>.")
    if output and not output.endswith((".csv", ".jsonl")):
        raise UserError(f"output={output} should end in .csv or .jsonl.")
    picture = {"true": "predictions.png", "false": ""}.get(show, show)
    if picture and not picture.endswith(".png"):
        raise UserError(f"show={show} should be true, or end in .png.")

    import torch

    from proj.atomic_write import write_atomically
    from proj.checkpoint import load_model
    from proj.data.image_file import open_image
    from proj.data.images import Normalize

    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    model, known = load_model(path, trust)
    model, names, images, rows, skipped = model.to(device), known["class_names"], known["mean"], [], []
    if picture and not images:
        raise UserError("show=… draws images, and this model takes a table: leave it out.")
    files = ["-"] if input == "-" else find_files(input, "" if images else ".csv")
    prepare = Normalize(known["mean"], known["std"]).to(device) if images else torch.nn.Identity()
    examples = read_images(files, known, invert, skipped) if images else read_tables(files, known["columns"])
    shown: list[tuple] = []
    while batch := list(itertools.islice(examples, BATCH)):
        x = torch.stack([one for _, one, _, _ in batch]).to(device)
        with torch.inference_mode():
            probabilities = model(prepare(x)).softmax(1).cpu()
        width = max(len(name) for name, *_ in batch)
        for (name, _, content, remark), shares in zip(batch, probabilities.tolist(), strict=True):
            rounded = {label: round(share, 6) for label, share in zip(names, shares, strict=True)}
            best = sorted(rounded, key=rounded.get, reverse=True)[:3]
            words = [f"{label} {rounded[label]:.1%}" for label in best]
            print(f"{name:<{width}}  {'  '.join(words)}  {remark}".rstrip())
            row = {"input": name, "class": best[0], "probability": rounded[best[0]], "probabilities": rounded}
            rows.append(row)
            if picture and len(shown) < SHOWN:
                image = open_image(content, (200, 200), 3)
                image.thumbnail((400, 400))
                shown.append((image, (words[0], readable(os.path.basename(name)))))
    if output:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with writing(Path(output)):
            write_atomically(Path(output), csv_text(rows, names) if output.endswith(".csv") else lines)
    if shown:
        from proj.pictures import RIGHT, image_grid

        with writing(Path(picture)):
            write_atomically(Path(picture), image_grid(*zip(*shown, strict=True), colour=RIGHT))
        print(picture)
    if skipped:
        raise UserError(f"{len(skipped)} of {len(files)} files are no images: {', '.join(skipped[:5])}.")
    return rows


def main() -> None:
    run(predict, __doc__)


if __name__ == "__main__":
    main()
