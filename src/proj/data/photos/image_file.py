"""Opens image files of many formats, and converts them to the pixels that a network gets."""

import math
import os
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from proj.data.photos.deep_pixels import deep_values, has_deep_planes, packing, to_8_bits, without_mapping
from proj.errors import UserError, out_of_memory
from proj.system.platform import memory

with suppress(ImportError):  # an extra: pip install 'proj[heic]'
    from pillow_heif import register_heif_opener

    register_heif_opener()

Image.init()
# The formats that are read, as Pillow names them. Its other formats are not photos, or, as EPS, start Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "AVIF", "HEIF", "JPEG2000", "ICO", "ICNS", "DDS")
FORMATS += ("FITS", "PCX", "PSD", "QOI", "SGI", "SUN")
FORMATS = tuple(kind for kind in FORMATS if kind in Image.OPEN)
HEIC_START = rb".{4}ftyphe(ic|ix|vc|vx|im|is)"  # the first bytes of a HEIC photo
NO_PHOTOS = {  # files that users mistake for photos: a pattern of the first bytes, and the end of a message
    rb"[\xef\xbb\xbf \r\n\t]*[<{]": "a text, such as the page of an error in place of a photo: fetch it again",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "an archive: unpack it, and name the folder that comes out of it",
    rb"\Z": "empty: copy it again",
    rb"version http": "a pointer of Git LFS in place of a photo: git lfs pull fetches it",
    HEIC_START: "a HEIC photo, which takes one more package: pip install 'proj[heic]'",
    rb"II[*+]\0|MM\0[*+]": "a TIFF file that Pillow cannot read, as of 64 bits or of many bands: save it in grey or in "
    "three colours, of 8, 16 or 32 bits",
}
HEIC = "HEIF" in FORMATS  # whether HEIC photos can be read
# Raw photos look like TIFF files with a small preview, and TGA files have no magic number: both are told by the suffix.
RAW = (".dng", ".cr2", ".nef", ".nrw", ".arw", ".sr2", ".pef", ".srw", ".3fr", ".kdc", ".dcr", ".iiq", ".erf", ".mef")
FRAMES = ("GIF", "TIFF", "WEBP", "PNG", "AVIF")  # may hold several images; other formats hold one in several sizes

MAX_PIXELS = 178_956_970  # Pillow's limit, above which a file may be a decompression bomb
warnings.filterwarnings("ignore", module=r"PIL\.")  # of unusual files that it can read, without their names

DEEP = 16  # bytes that a deep pixel takes for each channel while it is converted; measured: 16 to 26
REMARKS = "deep", "frames", "cut"
Source = str | Path | BinaryIO
Levels = dict[str, list[float]] | None  # the values that become black and white in deep pixels, see `Facts`


@dataclass(frozen=True)
class Recipe:
    """How a file becomes an image of `shape` (height, width, channels); see `open_image` and `fit_image`."""

    shape: tuple[int, int, int]
    drawings: bool = False
    levels: Levels = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS


class Picture(NamedTuple):
    """An image that was made by a recipe. sums: the CRC-32 of its pixels, then for each channel the sum of the pixels,
    then for each the sum of their squares. remarks: "deep" and "frames", see `open_image`; and "cut", the ratio of
    height to width, if less than half of the image is left."""

    pixels: bytes
    sums: list[int]
    remarks: dict


class MayPass(str):
    """Why a file could not be read, if the system and not the file's content is the reason: it may be read later."""


class Refused(ValueError):
    """A file that is not read as a photo, for a reason that is known; the text, such as "is empty", ends a sentence."""


def why_not(error: Exception, file: str | BinaryIO) -> str:
    """The text of an error on a file that cannot be read as an image, without the file's name."""
    why = getattr(error, "strerror", None) or str(error).replace(f" {file!r}", "")
    return " ".join(why.split()) or type(error).__name__


@contextmanager
def at_most(max_pixels: int) -> Iterator[None]:
    """Raises Refused for an image of more pixels that is opened in this block, or that is decoded within a smaller one,
    such as an icon in PNG within a file of icons."""
    Image.MAX_IMAGE_PIXELS = max_pixels / 2  # Pillow refuses twice as many
    try:
        yield
    except Image.DecompressionBombError as error:
        pixels = int(re.search(r"\d+", str(error))[0])
        raise Refused(f"has {pixels:,} pixels, more than max_pixels={max_pixels}") from error


def open_file(file: Source) -> Image.Image:
    """`Image.open`, for FORMATS. Raises Refused for raw photos and NO_PHOTOS, and whatever Pillow raises for a file
    that is not an image."""
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
    if has_deep_planes(image):
        raise Refused("has 16 bits a channel and a plane for each channel: save it with its channels interleaved")
    return without_mapping(image)


def open_image(
    file: Source, size: tuple[int, int], channels: int, levels: Levels = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """The first image in a file, in grey (channels=1) or colour (3), rotated as its EXIF data says.

    size: the (height, width) to which it will be reduced later; a large JPEG file is decoded at a lower resolution.
    levels: which values of deep pixels become black and white, see `Facts`.
    Transparent images are put on a white background, or on a black one if they are light themselves.
    The result's `info` has "deep": ("I" or "F", lowest, highest value) for deep pixels, and "frames": whether the file
    holds further images. Raises exceptions of many kinds, as Pillow does, for a damaged file or one that is no image.
    """
    mode = "L" if channels == 1 else "RGB"
    with at_most(max_pixels), open_file(file) as opened:
        # Pillow decodes a JPEG at 1/2, 1/4 or 1/8 of its size, as long as that is at least twice the size asked for.
        opened.draft(mode, (2 * max(size), 2 * max(size)))
        how = packing(opened)
        deep = how or opened.mode[0] in "IF"
        if deep and DEEP * opened.width * opened.height * len(opened.getbands()) > (memory() or math.inf):
            raise MemoryError  # before any pixel is decoded
        image = ImageOps.exif_transpose(opened)
        about: dict = {}
        with suppress(Exception):  # Pillow raises many kinds if the file is damaged behind its first image
            about["frames"] = opened.format in FRAMES and getattr(opened, "is_animated", False)
    values = deep_values(image, file, how, getattr(opened, "tag_v2", {}))
    if values is not None:
        kind = "F" if image.mode == "F" else "I"
        scaled, *span = to_8_bits(values, (levels or {}).get(kind))
        del values  # eight times as large as the image, which is copied below
        image, about["deep"] = (to_8_bits_without_levels(image) if levels is None else scaled), (kind, *span)
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


def to_8_bits_without_levels(image: Image.Image) -> Image.Image:
    """Scale deep pixels as older versions did, for models whose checkpoints have no levels."""
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image, np.float32)
    values = values / 257 if image.mode[0] == "I" else values * (255 if values.max() <= 1 else 1)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def fit_image(
    image: Image.Image, size: tuple[int, int], drawing: bool = False, invert: bool | None = None
) -> tuple[np.ndarray, bool]:
    """(uint8 (height, width, channels) pixels of an image, whether they were inverted).

    drawing: whether the model was trained on light drawings on black. Then the whole image is kept, and padded with the
        colour of its border; else the largest part of the right aspect ratio is cut out of the middle.
    invert: whether to invert the image; None inverts drawings with a light border.
    """
    inverted = (drawing and bool(border(image).mean() > 127)) if invert is None else invert
    if inverted:
        image = ImageOps.autocontrast(ImageOps.invert(image))  # since paper is seldom quite white
    height, width = size
    if drawing:
        image = ImageOps.pad(image, (width, height), Image.Resampling.BICUBIC, color=tuple(map(int, border(image))))
    else:
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    return np.array(image).reshape(height, width, -1), inverted


def border(image: Image.Image) -> np.ndarray:
    """(channels,) the median of the pixels along the four edges."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)


def read_picture(file: str, recipe: Recipe) -> Picture | str:
    """The picture that a recipe makes of a file; or the reason, as a text, why the file cannot be read."""
    size, channels = recipe.shape[:2], recipe.shape[2]
    try:
        image = open_image(file, size, channels, recipe.levels, recipe.max_pixels)
        pixels, _ = fit_image(image, size, recipe.drawings)
    except Exception as error:
        if out_of_memory(error):  # otherwise an intact photo would be left out, also in later runs, from the cache
            raise UserError(f"the memory does not suffice to read {file}: end other programs that take it.") from error
        return (MayPass if getattr(error, "errno", None) else str)(why_not(error, file))
    ratio = image.height / image.width
    if not recipe.drawings and not 0.5 <= ratio * size[1] / size[0] <= 2:
        image.info["cut"] = ratio
    flat = pixels.reshape(-1, channels).astype(np.int64)
    sums = [zlib.crc32(pixels), *flat.sum(0).tolist(), *(flat**2).sum(0).tolist()]
    return Picture(pixels.tobytes(), sums, {name: image.info[name] for name in REMARKS if image.info.get(name)})
