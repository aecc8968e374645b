"""Converts pixels of more than 8 bits, as cameras, microscopes, scanners and satellites write them, to 8 bits."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

COLOURS = ("RGB;16", "RGBA;16", "RGBX;16", "LA;16")  # Pillow's raw modes of 16 bits a channel, of which it keeps only 8
DEPTHS = 1, 4, 8, 10, 12, 14, 16  # the usual numbers of bits a pixel
# TIFF's tags for the bits of each channel, for how grey is stored (0: the highest value is black), for whether each
# channel is a plane of its own (2), and GDAL's for the number that marks a pixel without a measurement.
BITS, PHOTOMETRIC, PLANES, NO_DATA = 258, 262, 284, 42113


def black_and_white(low: float, high: float) -> tuple[float, float]:
    """The values that become black and white if the pixels of a file, or of a training set, range from `low` to `high`.

    They are 0 and the largest value of the smallest usual bit depth that holds `high` (below 1/16, a power of two), so
    that a camera's files are scaled alike. If some values are negative or all far above 0, they are `low` and `high`.
    """
    if low < 0 or high - low < high / 4:
        return low, high if high > low else low + 1
    if 0 < high < 1 / 16:
        return 0.0, 2.0 ** math.ceil(math.log2(high))
    most = math.ceil(high * 0.999)  # tolerates rounding errors such as 255.01 and 1.0000001
    bits = next((bits for bits in DEPTHS if most < 2**bits), most.bit_length())
    return 0.0, 2.0**bits - 1


def levels_of(images: Iterable[tuple[str, float, float]]) -> dict[str, list[float]]:
    """{kind: [black, white]} for each kind of deep pixels. images: (kind, lowest value, highest value) of each."""
    spans: dict[str, tuple[float, float]] = {}
    for kind, low, high in images:
        lowest, highest = spans.get(kind, (low, high))
        spans[kind] = min(low, lowest), max(high, highest)
    return {kind: [*black_and_white(*span)] for kind, span in sorted(spans.items())}


def describe(images: Iterable[tuple[str, float, float]], levels: dict[str, list[float]] | None) -> Iterator[str]:
    """A line for each kind of deep pixels: how many images have it, their range, and what becomes black and white.
    images: as in `levels_of`."""
    found = [*images]
    for kind, numbers in (("I", "whole numbers"), ("F", "numbers with fractions")):
        if spans := [span for known, *span in found if known == kind]:
            low, high = min(low for low, _ in spans), max(high for _, high in spans)
            scale = (levels or {}).get(kind)
            how = "{:,g} becomes black and {:,g} white".format(*scale) if scale else "each is scaled by itself"
            yield f"Images of more than 8 bits, {numbers} from {low:,g} to {high:,g}: {len(spans):,}; {how}"


def without_mapping(image: Image.Image) -> Image.Image:
    """The opened image, whose pixels are going to be read rather than mapped into memory: of an uncompressed TIFF file
    that is to be turned by a quarter, Pillow (12 and 13) maps rows as long as the turned image's."""
    image.filename = ""
    return image


def has_deep_planes(image: Image.Image) -> bool:
    """Whether it is an uncompressed TIFF file with a plane for each channel of 16 bits, which Pillow takes for 8."""
    tags = getattr(image, "tag_v2", {})
    is_raw = any(tile[0] == "raw" for tile in image.tile)
    return is_raw and tags.get(PLANES) == 2 and max(tags.get(BITS, (8,))) > 8


def packing(image: Image.Image) -> str:
    """Pillow's raw mode for a file of 16 bits a channel; "" for any other file, and if the image is loaded already."""
    how = image.tile[0].args if image.tile else ""
    how = how[0] if isinstance(how, tuple) and how else how
    return how if isinstance(how, str) and how.startswith(COLOURS) else ""


def deep_values(image: Image.Image, file: str | Path | BinaryIO, how: str, tags: Mapping) -> np.ndarray | None:
    """The pixels of an upright image of more than 8 bits a channel, as float64 (H, W) if it is grey, else (H, W, C),
    with NaN for a pixel without a measurement; None for any other image.

    how: the file's `packing`. Pillow keeps only the upper 8 bits of a 16-bit channel. To get the lower 8 bits, the file
    is decoded again with the byte order swapped. tags: of a TIFF file; Pillow inverts only grey of 8 bits.
    """
    if image.mode[0] in "IF":
        values = np.array(image, np.float64)
        with suppress(ValueError, TypeError, KeyError):
            values[values == float(tags[NO_DATA])] = np.nan
        if image.mode != "F" and tags.get(PHOTOMETRIC) == 0:
            values = 2.0 ** tags[BITS][0] - 1 - values
        return values
    if not how:
        return None
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    # Grey with alpha has no swapped mode, but its four bytes can be decoded as the four channels of RGBA.
    swapped = "RGBA" if how.startswith("LA") else how[:-1] + other[how[-1]]
    with Image.open(file) as again:
        again.tile = [
            type(tile)(*tile[:3], (swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
            for tile in again.tile
        ]
        upper, lower = np.asarray(image), np.asarray(ImageOps.exif_transpose(again))
    if how.startswith("LA"):
        upper, lower = lower[..., ::2], lower[..., 1::2]
    values = upper.astype(np.float64)
    values *= 256  # in place, as these are the largest arrays
    values += lower
    return values


def to_bytes(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Scale values to uint8, in place: `black` becomes 0, `white` 255, and NaN 0."""
    values -= black
    values *= 255 / (white - black)
    np.nan_to_num(values, copy=False, nan=0, posinf=255, neginf=0)
    return values.clip(0, 255, out=values).round(out=values).astype(np.uint8)


def to_8_bits(values: np.ndarray, levels: list[float] | None) -> tuple[Image.Image, float, float]:
    """(An image of 8 bits a channel, the lowest value, the highest value). Overwrites `values`.

    levels: the values that become black and white; None derives them from this image's own values and 0.
    """
    alpha = None
    if values.ndim == 3 and values.shape[2] % 2 == 0:
        values, alpha = values[..., :-1].squeeze(), values[..., -1]
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=np.inf)) if finite.any() else 0.0
    high = float(values.max(where=finite, initial=-np.inf)) if finite.any() else 0.0
    image = Image.fromarray(to_bytes(values, *(levels or black_and_white(min(low, 0), high))))
    if alpha is not None:
        image.putalpha(Image.fromarray(to_bytes(alpha, *black_and_white(0, float(alpha.max())))))
    return image, low, high
