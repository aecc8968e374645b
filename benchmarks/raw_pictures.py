"""Whether an ONNX file of `export raw=true` agrees with `predict`: `python benchmarks/raw_pictures.py CKPT [PICTURES]`.

The exported network takes images of any size, and must resize and normalise them as `predict` does. The benchmark takes
test images of the checkpoint's dataset, resizes, rotates and inverts them at random (only drawings are inverted), and
saves them with random EXIF orientations. Then it reads the files with Pillow alone, as a user of the ONNX file would,
and counts how often the two predict another class, and how far their probabilities differ at most. With `--jpeg`, the
files are JPEG files and are read twice: in full size, and with Pillow's `draft`, which decodes large images at a
reduced size, as `predict` does. Each result goes to benchmarks/results/raw_pictures/<name>.json.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image, ImageOps
from record import record

from proj.checkpoint.file import load_model
from proj.data.facts import Facts
from proj.use.data import open_data
from proj.use.export import export
from proj.use.prediction import predict


def write_pictures(inputs: torch.Tensor, drawings: bool, count: int, folder: Path, ending: str) -> list[Path]:
    """Write `count` image files, made from `inputs` (N, H, W, C) at random. drawings: whether to invert some."""
    draw, files = np.random.default_rng(0), []
    for number in range(count):
        image = Image.fromarray(inputs[number % len(inputs)].numpy().squeeze())
        size = [int(draw.integers(image.width // 2 + 1, 12 * image.width)) for _ in range(2)]
        image = image.resize(size, Image.Resampling.LANCZOS)
        if draw.random() < 0.3:
            image = image.rotate(float(draw.integers(0, 360)), expand=True)
        if drawings and draw.random() < 0.5:
            image = ImageOps.invert(image)
        exif = Image.Exif()
        exif[0x0112] = int(draw.integers(1, 9))  # orientation
        files.append(folder / f"{number:05}{ending}")
        image.save(files[-1], exif=exif)
    return files


def pixels(file: Path, facts: Facts, draft: bool) -> np.ndarray:
    """uint8 (1, H, W, C), the image of a file in its right orientation. draft: see above."""
    channels, *size = facts.input_shape
    mode = "L" if channels == 1 else "RGB"
    with Image.open(file) as image:
        if draft:
            image.draft(mode, [2 * max(size)] * 2)
        image = ImageOps.exif_transpose(image).convert(mode)
    return np.asarray(image).reshape(1, image.height, image.width, channels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("pictures", type=int, nargs="?", default=2000)
    parser.add_argument("--name", help="of the row and the result file; default: that of the checkpoint")
    parser.add_argument("--jpeg", action="store_true", help="write JPEG files instead of PNG files")
    parser.add_argument("--trust", default="", help="modules with classes of your own")
    chosen = parser.parse_args()
    trust = list(filter(None, chosen.trust.split(",")))
    _, known = load_model(chosen.checkpoint, trust)
    found: list[dict] = []
    facts, data = Facts.from_dict(known), open_data(known)
    with tempfile.TemporaryDirectory() as folder:
        file = export(chosen.checkpoint, raw=True, output=f"{folder}/raw.onnx", trust=trust)
        session = onnxruntime.InferenceSession(file)
        pictures = Path(folder, "pictures")
        pictures.mkdir()
        ending = ".jpg" if chosen.jpeg else ".png"
        files = write_pictures(data.splits["test"].inputs, facts.drawings, chosen.pictures, pictures, ending)
        rows = predict(chosen.checkpoint, str(pictures), output=f"{folder}/rows.csv", trust=trust)
        for draft in (False, True) if chosen.jpeg else (False,):
            same, largest = 0, 0.0
            for one, row in zip(files, rows, strict=True):
                shares, name = session.run(["probabilities", "class"], {"input": pixels(one, facts, draft)})
                same += name[0] == row["class"]
                largest = max(largest, float(np.abs(shares[0] - list(row["probabilities"].values())).max()))
            how = "JPEG, with `draft`" if draft else "JPEG, read whole" if chosen.jpeg else "PNG"
            found.append({"files": how, "pictures": len(rows), "other": len(rows) - same, "off": largest})
    header = "| model of | files | pictures | another class | a probability off by at most |"
    template = "| {of} | {files} | {pictures:,} | {other:,} | {off:.4f} |"
    name = chosen.name or chosen.checkpoint.stem
    record(f"raw_pictures/{name}", header, template, [row | {"of": name} for row in found])


if __name__ == "__main__":
    main()
