"""Image files of any kind as the pixels that a model takes."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps


def open_image(file: str | Path | BinaryIO, size: tuple[int, int], channels: int) -> Image.Image:
    """A file's (first) picture in grey or colour, upright as its EXIF says, for what will have `size` (height, width).

    Where it is transparent it is laid on white, or on black what is light. channels: 1 for grey, 3 for colour.
    Raises what Pillow does for a file that is damaged or no image, of many kinds.
    """
    mode = "L" if channels == 1 else "RGB"
    with Image.open(file) as image:
        # A JPEG is decoded at a half, a quarter or an eighth of its size, while that is twice the size asked for.
        image.draft(mode, (2 * max(size), 2 * max(size)))
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # 16 bits, which Pillow 13 would cut off at 255, or numbers up to 1
        values = np.asarray(image, np.float32)
        values = values / 257 if image.mode[0] == "I" else values * (255 if values.max() <= 1 else 1)
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        visible = np.asarray(image.getchannel("A"), np.float32)
        light = np.vdot(np.asarray(image.convert("L")), visible) > 127 * visible.sum()
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black" if light else "white"), image)
    return image.convert(mode)


def fit_image(
    image: Image.Image, size: tuple[int, int], drawing: bool = False, invert: bool | None = None
) -> tuple[np.ndarray, bool]:
    """((height, width, channels) uint8 of an image, whether it was inverted).

    drawing: for a model of light drawings on black. Nothing of the image is cut off: it is padded with the colour of
        its border. For any other model it is its largest middle part of that shape.
    invert: None inverts a drawing with a light border.
    """
    inverted = (drawing and bool(border(image).mean() > 127)) if invert is None else invert
    if inverted:
        image = ImageOps.autocontrast(ImageOps.invert(image))  # paper is seldom quite white
    height, width = size
    if drawing:
        image = ImageOps.pad(image, (width, height), Image.Resampling.BICUBIC, color=tuple(map(int, border(image))))
    else:
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    return np.array(image).reshape(height, width, -1), inverted


def read_image(file: str | Path | BinaryIO, size: tuple[int, int], channels: int, drawing: bool = False) -> np.ndarray:
    """(height, width, channels) uint8 of an image file; see `open_image` and `fit_image`."""
    return fit_image(open_image(file, size, channels), size, drawing)[0]


def border(image: Image.Image) -> np.ndarray:
    """(channels,) the median of the outermost pixels."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
