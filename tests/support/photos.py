"""Writes folders of small photos, in which each class is a colour."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 60), "red": (230, 30, 20)}


def draw(colour: str, number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(number).integers(-20, 20, (*size[::-1], 3))
    return Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8))


def save_all(root: Path, images: Mapping[str, Image.Image], **settings) -> Path:
    """Write images by their paths below `root`, which is returned. settings: those of Pillow's `save`, which here does
    not compress PNG files, since that takes most of the time."""
    for name, image in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name, compress_level=0, **settings)
    return root


def fill(root: Path, places: Iterable[str], count: int = 5) -> Path:
    """Write `count` photos into each of these folders below `root`, the same ones into all."""
    return save_all(root, {f"{place}/{number}.png": draw("red", number) for place in places for number in range(count)})


def write_photos(folder: Path, count: int, colours: Iterable[str] = COLOURS) -> Path:
    """Write `count` photos for each colour, of various sizes; every fifth one is in a subfolder."""
    files = {f"{'more/' * (number % 5 == 4)}{number:02}.png": number for number in range(count)}
    for colour in colours:
        save_all(folder / colour, {name: draw(colour, number, (40 + 7 * number, 30)) for name, number in files.items()})
    return folder
