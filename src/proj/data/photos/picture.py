"""One image file of any size and kind, read and resized as a recipe says."""

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from proj.data.photos.image_file import MAX_PIXELS, fit_image, open_image, why_not

REMARKS = "deep", "frames", "cut"
Levels = dict[str, list[float]] | None  # of deep pixels, see `Facts`


@dataclass(frozen=True)
class Recipe:
    """How a file becomes an image of `shape` (height, width, channels); see `open_image` and `fit_image`."""

    shape: tuple[int, int, int]
    drawings: bool = False
    levels: Levels = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS


class Picture(NamedTuple):
    """An image as the recipe has it. sums: the CRC-32 of its pixels, then their sums and their sums of squares, one a
    channel. remarks: "deep" and "frames", as `open_image` says them; "cut", height by width of a photo of which less
    than half is left."""

    pixels: bytes
    sums: list[int]
    remarks: dict


def read_picture(file: str, recipe: Recipe) -> Picture | str:
    """A file as a picture; or why it is none."""
    size, channels = recipe.shape[:2], recipe.shape[2]
    try:
        image = open_image(file, size, channels, recipe.levels, recipe.max_pixels)
        pixels, _ = fit_image(image, size, recipe.drawings)
    except Exception as error:
        return why_not(error, file)
    ratio = image.height / image.width
    if not recipe.drawings and not 0.5 <= ratio * size[1] / size[0] <= 2:
        image.info["cut"] = ratio
    flat = pixels.reshape(-1, channels).astype(np.int64)
    sums = [zlib.crc32(pixels), *flat.sum(0).tolist(), *(flat**2).sum(0).tolist()]
    return Picture(pixels.tobytes(), sums, {name: image.info[name] for name in REMARKS if image.info.get(name)})
