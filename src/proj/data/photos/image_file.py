"""Image files of any kind as the pixels that a model takes."""

import os
import re
import struct
import zlib
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from proj.data.photos.deep_pixels import deep_values, packing, shallow
from proj.errors import UserError, out_of_memory

with suppress(ImportError):  # an extra: pip install 'proj[heic]'
    from pillow_heif import register_heif_opener

    register_heif_opener()

Image.init()
# Pillow's names of what is read. It would also open what is no photo, and start Ghostscript for EPS.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "AVIF", "HEIF", "JPEG2000", "ICO", "ICNS", "DDS")
FORMATS += ("FITS", "PCX", "PSD", "QOI", "SGI", "SUN")
FORMATS = tuple(kind for kind in FORMATS if kind in Image.OPEN)
HEIC_START = rb".{4}ftyphe(ic|ix|vc|vx|im|is)"  # the first bytes of such a photo
NO_PHOTOS = {  # which people have in the place of photos, by their first bytes
    rb"[\xef\xbb\xbf \r\n\t]*[<{]": "a text, such as the page of an error in place of a photo: fetch it again",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "an archive: unpack it, and name the folder that comes out of it",
    rb"\Z": "empty: copy it again",
    rb"version http": "a pointer of Git LFS in place of a photo: git lfs pull fetches it",
    HEIC_START: "a HEIC photo, which takes one more package: pip install 'proj[heic]'",
    rb"II[*+]\0|MM\0[*+]": "a TIFF file that Pillow cannot read, as of 64 bits or of many bands: save it in grey or in "
    "three colours, of 8, 16 or 32 bits",
}
HEIC = "HEIF" in FORMATS  # whether HEIC photos can be read
# Raw photos begin as TIFF files, which hold a small preview. TGA files have no mark to tell them by, but their name.
RAW = (".dng", ".cr2", ".nef", ".nrw", ".arw", ".sr2", ".pef", ".srw", ".3fr", ".kdc", ".dcr", ".iiq", ".erf", ".mef")
FRAMES = ("GIF", "TIFF", "WEBP", "PNG", "AVIF")  # may hold several pictures; those of other kinds are one in two sizes

MAX_PIXELS = 178_956_970  # Pillow's limit, above which a file may be meant to fill the memory
Image.MAX_IMAGE_PIXELS = None  # `open_file` has a limit that can be set, and one sentence instead of a warning


REMARKS = "deep", "frames", "cut"
Source = str | Path | BinaryIO
Levels = dict[str, list[float]] | None  # of deep pixels, see `Facts`


@dataclass(frozen=True)
class Recipe:
    """How a file becomes an image of `shape` (height, width, channels); see `open_image` and `fit_image`."""

    shape: tuple[int, int, int]
    drawings: bool = False
    levels: Levels = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS


class Picture(NamedTuple):
    """An image as the recipe has it. sums: the CRC-32 of its pixels, their sums, and those of squares, one a channel.
    remarks: "deep" and "frames", see `open_image`; "cut", height by width of one of which less than half is left."""

    pixels: bytes
    sums: list[int]
    remarks: dict


class Refused(ValueError):
    """An image that could be read and is not; the text says what it is."""


def why_not(error: Exception, file: str | BinaryIO) -> str:
    """What an error says of a file that is no image, without its name."""
    why = getattr(error, "strerror", None) or str(error).replace(f" {file!r}", "")
    return " ".join(why.split()) or type(error).__name__


def is_start_of_image(start: bytes) -> bool:
    """Whether these 16 bytes are the beginning of an image of a kind that is read."""
    for begins in (is_heic, *(Image.OPEN[kind][1] for kind in FORMATS)):
        with suppress(IndexError, struct.error):  # a file of a few bytes
            if begins and begins(start) is True:
                return True
    return False


def is_heic(start: bytes) -> bool:
    return re.match(HEIC_START, start, re.S) is not None


def open_file(file: Source, max_pixels: int) -> Image.Image:
    """Raises Refused, also for an image of more than `max_pixels`, and what Pillow raises for what is none."""
    name = os.fspath(file).lower() if isinstance(file, str | Path) else ""
    if name.endswith(RAW):
        raise Refused("is a raw photo: develop it into a JPEG or TIFF file")
    try:
        image = Image.open(file, formats=(*FORMATS, "TGA") if name.endswith(".tga") else FORMATS)
    except UnidentifiedImageError as error:
        with open(file, "rb") if name else nullcontext(file) as opened:
            opened.seek(0)
            start = opened.read(12)
        if what := next((what for first, what in NO_PHOTOS.items() if re.match(first, start, re.S)), ""):
            raise Refused(f"is {what}") from error
        raise
    if image.width * image.height > max_pixels:
        image.close()
        raise Refused(f"has {image.width * image.height:,} pixels, more than max_pixels={max_pixels}")
    return image


def open_image(
    file: Source, size: tuple[int, int], channels: int, levels: Levels = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """A file's (first) picture in grey or colour, upright as its EXIF says, for what will have `size` (height, width).

    Where it is transparent it is laid on white, or on black what is light. channels: 1 for grey, 3 for colour.
    levels: black and white of deep pixels, see `Facts`. The image's `info` says "deep": ("I" or "F", lowest, highest
        value) of such, and "frames": whether the file holds more pictures.
    Raises what Pillow does for a file that is damaged or no image, of many kinds.
    """
    mode = "L" if channels == 1 else "RGB"
    with open_file(file, max_pixels) as opened:
        # A JPEG is decoded at a half, a quarter or an eighth of its size, while that is twice the size asked for.
        opened.draft(mode, (2 * max(size), 2 * max(size)))
        how = packing(opened)
        image = ImageOps.exif_transpose(opened)
        about: dict = {}
        with suppress(Exception):  # of many kinds, where the file is damaged behind its first picture
            about["frames"] = opened.format in FRAMES and getattr(opened, "is_animated", False)
    values = deep_values(image, file, how)
    if values is not None:
        kind = "F" if image.mode == "F" else "I"
        scaled, *span = shallow(values, (levels or {}).get(kind))
        image, about["deep"] = (as_before(image) if levels is None else scaled), (kind, *span)
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        visible = np.asarray(image.getchannel("A"), np.float32)
        light = np.vdot(np.asarray(image.convert("L")), visible) > 127 * visible.sum()
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black" if light else "white"), image)
    image = image.convert(mode)
    image.info.update(about)
    return image


def as_before(image: Image.Image) -> Image.Image:
    """Deep pixels as models took them whose checkpoints do not say their levels."""
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image, np.float32)
    values = values / 257 if image.mode[0] == "I" else values * (255 if values.max() <= 1 else 1)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


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


def border(image: Image.Image) -> np.ndarray:
    """(channels,) the median of the outermost pixels."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)


def read_picture(file: str, recipe: Recipe) -> Picture | str:
    """A file as a picture; or why it is none."""
    size, channels = recipe.shape[:2], recipe.shape[2]
    try:
        image = open_image(file, size, channels, recipe.levels, recipe.max_pixels)
        pixels, _ = fit_image(image, size, recipe.drawings)
    except Exception as error:
        if out_of_memory(error):  # else a whole photo would be left out, also of the runs that follow
            raise UserError(f"the memory does not suffice to read {file}: end other programs that take it.") from error
        return why_not(error, file)
    ratio = image.height / image.width
    if not recipe.drawings and not 0.5 <= ratio * size[1] / size[0] <= 2:
        image.info["cut"] = ratio
    flat = pixels.reshape(-1, channels).astype(np.int64)
    sums = [zlib.crc32(pixels), *flat.sum(0).tolist(), *(flat**2).sum(0).tolist()]
    return Picture(pixels.tobytes(), sums, {name: image.info[name] for name in REMARKS if image.info.get(name)})
