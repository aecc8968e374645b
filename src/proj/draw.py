"""Pictures for the dashboard, drawn with PIL in milliseconds: matplotlib takes a fifth of a second for one."""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINE = 16  # pixels from one line of text to the next
LEVELS = (0, 110, 200, 255)  # of one byte a pixel: paper, light blue, blue, ink; so text is smooth on every shade
COLOURS = ((255, 107, 8, 8), (255, 174, 81, 20), (255, 214, 156, 40))  # red, green and blue of these
PALETTE = np.stack([np.interp(range(256), LEVELS, colour) for colour in COLOURS], 1).astype(np.uint8)
font = cache(ImageFont.load_default)


def fitted(text: str, width: float, size: int) -> str:
    """As much of the text as `width` pixels hold, in the letters that PIL's own font has."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or "?"
    while len(text) > 3 and font(size).getlength(text) > width:
        text = text.removesuffix("..")[:-1] + ".."
    return text


def tiles(images: np.ndarray, captions: Sequence[Sequence[str]], columns: int, title: str = "") -> Image.Image:
    """Images of uint8 (N, H, W, C), C 1 or 3, scaled to about 96 pixels, with a caption's lines below each."""
    scale = 96 / max(images.shape[1:3])
    height, width = (round(side * (int(scale) if scale >= 2 else scale)) for side in images.shape[1:3])
    across, top = max(width, 96) + LINE, LINE * 2 if title else LINE // 2
    down = height + LINE * (max(map(len, captions), default=0) + 1)
    canvas = Image.new("L", (across * columns + LINE, top + down * -(-len(images) // columns)), 255)
    pen = ImageDraw.Draw(canvas)
    pen.text((LINE, LINE // 2), title, 0, font(13))
    places = [(LINE + across * (i % columns), top + down * (i // columns)) for i in range(len(images))]
    for (x, y), lines in zip(places, captions, strict=True):
        for number, line in enumerate(lines):
            pen.text((x, y + height + 3 + LINE * number), fitted(line, across - 4, 12), 0, font(12))
    canvas = canvas.convert("RGB" if images.shape[3] == 3 else "L")
    for place, image in zip(places, images, strict=True):
        picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
        canvas.paste(picture.resize((width, height), Image.Resampling.NEAREST if scale >= 2 else None), place)
    return canvas


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Counts (K, K), rows are the right classes. The shade is the root of a cell's share of its row, so that single
    mistakes show too; names and counts as far as a hundred classes."""
    classes = len(names)
    cell = max(min(56, 640 // classes), 16 if classes <= 100 else 1600 // classes, 1)
    size, side = max(min(14, cell - 6), 1), cell * classes
    levels = (6 + 194 * np.sqrt(counts / counts.sum(1, keepdims=True).clip(1))).astype(np.uint8)
    shades = levels.repeat(cell, 0).repeat(cell, 1)
    short = [fitted(name, 120, size) for name in names] if cell >= 16 else []
    left = LINE + round(max(map(font(size).getlength, short), default=0))
    top = 2 * LINE + left  # the names once more, upright
    canvas = Image.new("L", (max(left + side + LINE, 300), top + side + LINE))
    pen = ImageDraw.Draw(canvas)
    accuracy = f"{counts.trace() / max(counts.sum(), 1):.2%} of {counts.sum():,} right. Rows: is, columns: predicted"
    pen.text((LINE // 2, LINE // 2), accuracy, 255, font(12))
    canvas.paste(Image.fromarray(shades), (left, top))
    if short:
        above = Image.new("L", (left, side))
        for place, name in enumerate(short):
            middle = (place + 0.5) * cell
            pen.text((left - 6, top + middle), name, 255, font(size), anchor="rm")
            ImageDraw.Draw(above).text((6, middle), name, 255, font(size), anchor="lm")
        canvas.paste(above.rotate(90, expand=True), (left, 2 * LINE))
        for row, column in zip(*counts.nonzero(), strict=True):
            middle = left + (column + 0.5) * cell, top + (row + 0.5) * cell
            ink = 0 if levels[row, column] > 110 else 255
            pen.text(middle, f"{counts[row, column]:,}", ink, font(size), anchor="mm")
    canvas.putpalette(PALETTE.tobytes())
    return canvas
