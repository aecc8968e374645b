"""Pictures for the dashboard, drawn with PIL in milliseconds: matplotlib takes a fifth of a second for one."""

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH = 350  # pixels: as one of TensorBoard's cards
LINE = 16  # pixels from one line of text to the next
LEVELS = (0, 110, 200, 255)  # of one byte a pixel: paper, light blue, blue, ink; so text is smooth on every shade
COLOURS = ((255, 107, 8, 8), (255, 174, 81, 20), (255, 214, 156, 40))  # red, green and blue of these
PALETTE = np.stack([np.interp(range(256), LEVELS, colour) for colour in COLOURS], 1).astype(np.uint8)
FONT = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)  # PIL's own knows ASCII alone


@lru_cache(10_000)
def fitted(text: str, width: float, size: int) -> str:
    """As much of the text as `width` pixels hold."""
    while len(text) > 2 and font(size).getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text


@lru_cache(10_000)
def mask(text: str, size: int) -> Image.Image:
    """The text, a line high. A letter takes 13 µs, and most words come again in every picture."""
    image = Image.new("L", (round(font(size).getlength(text)) + 1, LINE))
    ImageDraw.Draw(image).text((0, LINE * 3 // 4), text, 255, font(size), anchor="ls")
    return image


def write(canvas: Image.Image, x: float, y: float, text: str, size: int, ink: int = 255, back: float = 0) -> None:
    """A word whose middle is at the height y and which begins at x, or by the share `back` of its width before."""
    image = mask(text, size)
    canvas.paste(ink, (round(x - back * image.width), round(y - LINE / 2)), image)


def tiles(images: np.ndarray, captions: Sequence[Sequence[str]], columns: int, title: str = "") -> Image.Image:
    """Images of uint8 (N, H, W, C), C 1 or 3, with a caption's lines below each."""
    across = WIDTH // columns
    scale = (across - LINE) / max(images.shape[1:3])
    height, width = (round(side * (int(scale) if scale >= 2 else scale)) for side in images.shape[1:3])
    top, down = 2 * LINE if title else LINE, height + LINE * (max(map(len, captions), default=0) + 1)
    canvas = Image.new("L", (WIDTH, top + down * -(-len(images) // columns)), 255)
    if title:
        write(canvas, LINE // 2, LINE, title, 11, 0)
    places = [(LINE // 2 + across * (i % columns), top + down * (i // columns)) for i in range(len(images))]
    for (x, y), lines in zip(places, captions, strict=True):
        for number, line in enumerate(lines):
            write(canvas, x, y + height + LINE * (number + 0.7), fitted(line, across - LINE // 2, 11), 11, 0)
    canvas = canvas.convert("RGB" if images.shape[3] == 3 else "L")
    for place, image in zip(places, images, strict=True):
        picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
        canvas.paste(picture.resize((width, height), Image.Resampling.NEAREST if scale >= 2 else None), place)
    return canvas


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Counts (K, K), rows are the right classes. The shade is the root of a cell's share of its row, so that single
    mistakes show too; names and counts as far as a hundred classes."""
    classes = len(names)
    size, total = 11 if classes <= 12 else 9, counts.sum()
    cell = max(16, min(56, 250 // classes), mask(f"{counts.sum(1).max():,}", size).width + 3)
    cell = cell if classes <= 100 else max(1600 // classes, 1)
    side = cell * classes
    levels = (6 + 194 * np.sqrt(counts / counts.sum(1, keepdims=True).clip(1))).astype(np.uint8)
    short = [fitted(name, 120, size) for name in names] if classes <= 100 else []
    longest = max((mask(name, size).width for name in short), default=0)
    upright = longest > cell - 4  # where the columns' names have no room
    left, top = longest + LINE, 2 * LINE + (longest + LINE // 2 if upright else LINE)
    canvas = Image.new("L", (max(left + side + LINE, WIDTH), top + side + LINE))
    write(canvas, LINE // 2, LINE, f"{counts.trace() / max(total, 1):.2%} of {total:,} right.", 11)
    write(canvas, canvas.width - LINE // 2, LINE, "rows: is, columns: predicted", 11, back=1)
    canvas.paste(Image.fromarray(levels.repeat(cell, 0).repeat(cell, 1)), (left, top))
    for place, name in enumerate(short):
        middle = (place + 0.5) * cell
        write(canvas, left - 6, top + middle, name, size, back=1)
        if upright:
            turned = mask(name, size).rotate(90, expand=True)
            canvas.paste(255, (round(left + middle - LINE / 2), top - 6 - turned.height), turned)
        else:
            write(canvas, left + middle, top - 10, name, size, back=0.5)
    for row, column in zip(*counts.nonzero(), strict=True) if short else ():
        x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
        write(canvas, x, y, f"{counts[row, column]:,}", size, 0 if levels[row, column] > 110 else 255, back=0.5)
    canvas.putpalette(PALETTE.tobytes())
    return canvas
