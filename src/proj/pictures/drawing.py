"""Draws text, grids of images, and bar charts with PIL: in milliseconds, where matplotlib takes 0.2 s for each picture.

`zoom` is a whole number by which all lengths of a picture are multiplied: 1 fits a card of TensorBoard, 2 suits a file
of its own. Sizes of fonts and all other lengths are in pixels.
"""

import io
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw
from PIL.PngImagePlugin import PngInfo

from proj.pictures.fonts import split_by_font
from proj.system.names import one_line

MARK = b"tEXtSoftware\0proj"  # near the beginning of every picture that is written as a file
WIDTH = 350  # the width of a card of TensorBoard
LINE = 16  # from one line of text to the next
INK, QUIET, RIGHT, WRONG = "#1a2a3a", "#777777", "#20639b", "#c8452d"
BLUES, REDS = (((255, 255, 255), (107, 174, 214), (8, 81, 156)), ((255, 255, 255), (252, 146, 114), (177, 18, 24)))


@lru_cache(10_000)
def text_width(text: str, size: int) -> float:
    return sum(font.getlength(part) for font, part in split_by_font(text, size))


@lru_cache(10_000)
def shortened(text: str, width: float, size: int) -> str:
    """The text on one line. If it is wider than `width`, an ellipsis replaces as much of its middle as necessary."""
    whole = text = one_line(text)
    kept = len(whole)
    while kept > 1 and text_width(text, size) > width:
        kept -= 1
        text = f"{whole[: kept - kept // 3]}…{whole[len(whole) - kept // 3 :]}"
    return text


@lru_cache(10_000)
def text_mask(text: str, size: int) -> Image.Image:
    """The text as a mask, one line high. It is cached, since a letter takes 13 µs and most words occur repeatedly."""
    line = round(LINE * max(size / 11, 1))
    image, x = Image.new("L", (round(text_width(text, size)) + 1, line)), 0.0
    for font, part in split_by_font(text, size):
        ImageDraw.Draw(image).text((x, line * 3 // 4), part, 255, font, anchor="ls")
        x += font.getlength(part)
    return image


def write(canvas: Image.Image, x: float, y: float, text: str, size: int, ink: str = INK, anchor: float = 0) -> None:
    """Write one line, vertically centred on y. anchor: which point of it is at x, from 0, its left end, to 1."""
    image = text_mask(text, size)
    canvas.paste(ink, (round(x - anchor * image.width), round(y - image.height / 2)), image)


def resized(image: np.ndarray | Image.Image, longest: float) -> Image.Image:
    """Resize an image so that its longest side has `longest` pixels, or fewer if it at least doubles: then the scale
    is rounded down to a whole number, so that all of its pixels become squares of the same size."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    scale = longest / max(image.size)
    scale = int(scale) if scale >= 2 else scale
    size = tuple(max(round(side * scale), 1) for side in image.size)
    return image.resize(size, Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BICUBIC)


def tiles(
    images: Sequence[np.ndarray | Image.Image],
    captions: Sequence[Sequence[str]],
    columns: int,
    title: str = "",
    colour: str = INK,
    zoom: int = 1,
    width: int = WIDTH,
) -> Image.Image:
    """A grid of images, uint8 (H, W, 1 or 3) if arrays, each above the lines of its caption.

    colour: for the first line of each caption; the others are then grey. width: that of the whole grid, before `zoom`.
    """
    across, line, size = zoom * width // columns, zoom * LINE, zoom * (11 if zoom == 1 else 9)
    pictures = [resized(image, across - line) for image in images]
    height = max((picture.height for picture in pictures), default=0)
    top, down = 2 * line if title else line, height + line * (max(map(len, captions), default=0) + 1)
    canvas = Image.new("RGB", (zoom * width, top + down * math.ceil(len(pictures) / columns)), "white")
    if title:
        write(canvas, line // 2, line, title, size)
    for index, (picture, lines) in enumerate(zip(pictures, captions, strict=True)):
        x, y = line // 2 + across * (index % columns), top + down * (index // columns)
        canvas.paste(picture, (x, y + height - picture.height))
        for number, words in enumerate(lines):
            ink = QUIET if number and colour != INK else colour
            write(canvas, x, y + height + line * (number + 0.7), shortened(words, across - line // 2, size), size, ink)
    return canvas


def grid(
    images: Sequence[np.ndarray | Image.Image], captions: Sequence[Sequence[str]], colour: str, across: int = 120
) -> Image.Image:
    """`tiles` for a file of its own, at zoom 2: about as many columns as rows, each `across` wide, and 720 at most."""
    columns = min(720 // across, max(math.ceil(math.sqrt(len(images))), 2))
    return tiles(images, captions, columns, colour=colour, zoom=2, width=across * columns)


def beside_heat(images: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (N, H, 2 * W, 3): each image, and to its right the same in grey, tinted red by its heat map.

    images: uint8 (N, H, W, 1 or 3). heat: (N, H, W) in 0..1.
    """
    share = 0.7 * heat[..., None]
    red = np.array(ImageColor.getrgb(WRONG))
    tinted = images.mean(3, keepdims=True) * (1 - share) + red * share
    return np.concatenate([images.repeat(3 // images.shape[3], 3), tinted.round().astype(np.uint8)], 2)


def shades(share: np.ndarray, colours: Sequence[Sequence[int]]) -> np.ndarray:
    """uint8 (..., 3), interpolated between three RGB colours, which stand for the shares 0, 0.5 and 1."""
    channels = [np.interp(share, (0, 0.5, 1), levels) for levels in zip(*colours, strict=True)]
    return np.stack(channels, -1).astype(np.uint8)


def bars(names: Sequence[str], values: np.ndarray, title: str) -> Image.Image:
    """A bar for each mean, with a thin line for its interval. values: (N, 3) of mean, lower end and upper end."""
    zoom = 2  # as in `grid`
    line, size, wide, left = zoom * LINE, zoom * 11, 220 * zoom, 140 * zoom
    low, high = min(values.min(), 0), max(values.max(), 1e-9)
    canvas = Image.new("RGB", (left + wide + 5 * line, line * (len(names) + 3)), "white")
    draw = ImageDraw.Draw(canvas)
    write(canvas, line // 2, line, title, size)
    zero, *places = (left + (np.array([[0, 0, 0], *values]) - low) * (wide / (high - low))).tolist()
    for row, (name, value, (mean, first, last)) in enumerate(zip(names, values, places, strict=True)):
        y = round(line * (row + 2.5))
        draw.rectangle((min(zero[0], mean), y - line // 3, max(zero[0], mean), y + line // 3), BLUES[1])
        draw.line((first, y, last, y), INK, zoom)
        write(canvas, left - line // 2, y, shortened(name, left - line, size), size, anchor=1)
        write(canvas, left + wide + line // 2, y, f"{round(value[0], 3) + 0.0:.3f}", size)  # never -0.000
    draw.line((zero[0], 2 * line, zero[0], line * (len(names) + 2)), QUIET, zoom)
    return canvas


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file with MARK in its first 100 bytes."""
    content, text = io.BytesIO(), PngInfo()
    text.add_text("Software", "proj")
    picture.save(content, "PNG", compress_level=3, pnginfo=text)
    return content.getvalue()
