"""Writes folders of small photos, in which each class is a colour."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 60), "red": (230, 30, 20)}


def draw(colour: str, number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(number).integers(-20, 20, (*size[::-1], 3))
    return Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8))


def write_photos(folder: Path, count: int, colours: Iterable[str] = COLOURS) -> Path:
    """Write `count` photos for each colour, of various sizes; every fifth one is in a subfolder."""
    for colour in colours:
        (folder / colour / "more").mkdir(parents=True)
        for number in range(count):
            place = "more/" if number % 5 == 4 else ""
            draw(colour, number, (40 + 7 * number, 30)).save(folder / colour / f"{place}{number:02}.png")
    return folder
