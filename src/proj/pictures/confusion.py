"""A confusion matrix as a picture: its cells shaded, its classes named. `zoom`: see `drawing.py`."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from proj.pictures.drawing import BLUES, INK, LINE, REDS, WIDTH, fitted, mask, shades, write


def cell_colours(counts: np.ndarray, of_each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((R, C) how dark each cell is, in 0..1, its colour (R, C, 3) in uint8). of_each: (R, 1) examples of the classes.

    Blue shades the share of a row; red has a scale of its own, since few mistakes would be invisible beside the blue.
    """
    share, right = counts / of_each, np.eye(*counts.shape, dtype=bool)
    worst = max(share[~right].max(initial=0), 0.01)
    dark = np.where(counts > 0, 0.05 + 0.95 * np.where(right, share, share / worst), 0)
    return dark, np.where(right[..., None], shades(dark * 0.9, BLUES), shades(dark, REDS))


def confusion_matrix(
    counts: np.ndarray, rows: Sequence[str], columns: Sequence[str] | None = None, zoom: int = 1
) -> Image.Image:
    """Counts (R, C), rows are the right classes; names and counts as far as a hundred classes. Of more than a thousand,
    whose cells nobody could see, the hundred with the most mistakes."""
    columns = columns or rows
    total, of_each = counts.sum(), counts.sum(1, keepdims=True).clip(1)
    figure = f"{counts.trace() / max(total, 1):.2%} of {total:,} right."
    if len(columns) > 1000:
        figure += f" The 100 of {len(columns):,} classes with the most mistakes:"
        chosen = np.sort((counts.diagonal() - counts.sum(1)).argsort(kind="stable")[:100])
        counts, of_each = counts[np.ix_(chosen, chosen)], of_each[chosen]
        rows, columns = ([names[place] for place in chosen] for names in (rows, columns))
    dark, colours = cell_colours(counts, of_each)
    classes, line = len(columns), zoom * LINE
    size = zoom * (11 if classes <= 12 else 9)
    if classes > 100:
        names, cell = [], max(1600 // classes, 1)
    else:
        names = [[fitted(name, 120 * zoom, size) for name in names] for names in (rows, columns)]
        cell = max(zoom * max(16, min(56, 250 // classes)), mask(f"{counts.max():,}", size).width + 4 * zoom)
    left, longest = (max(mask(name, size).width for name in one) for one in names) if names else (0, 0)
    upright = longest > cell - 4 * zoom  # where the columns' names have no room
    left, top = left + line, 2 * line + (longest + line // 2 if upright else line)
    across, down = cell * classes, cell * len(rows)
    canvas = Image.new("RGB", (max(left + across + line, zoom * WIDTH), top + down + line), "white")
    write(canvas, line // 2, line, figure, zoom * 11)
    write(canvas, canvas.width - line // 2, line, "rows: is, columns: predicted", zoom * 11, back=1)
    canvas.paste(Image.fromarray(colours).resize((across, down), Image.Resampling.NEAREST), (left, top))
    if names:
        draw_lines(canvas, (left, top), (across, down), cell, zoom)
        name_classes(canvas, names, (left, top), cell, size, upright, zoom)
    for row, column in zip(*counts.nonzero(), strict=True) if names else ():
        x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
        write(canvas, x, y, f"{counts[row, column]:,}", size, "white" if dark[row, column] > 0.6 else INK, back=0.5)
    return canvas


def draw_lines(canvas: Image.Image, corner: tuple[int, int], size: tuple[int, int], cell: int, zoom: int) -> None:
    """Lines around the cells of a matrix whose upper left corner this is."""
    draw, (left, top), (across, down) = ImageDraw.Draw(canvas), corner, size
    for x in range(left, left + across + 1, cell):
        draw.line((x, top, x, top + down), "#eeeeee", zoom)
    for y in range(top, top + down + 1, cell):
        draw.line((left, y, left + across, y), "#eeeeee", zoom)


def name_classes(
    canvas: Image.Image, names: list[list[str]], corner: tuple[int, int], cell: int, size: int, upright: bool, zoom: int
) -> None:
    """Write the names of a matrix's rows beside it, and those of its columns above it, from below where `upright`."""
    (left, top), (rows, columns) = corner, names
    for place, name in enumerate(rows):
        write(canvas, left - 6 * zoom, top + (place + 0.5) * cell, name, size, back=1)
    for place, name in enumerate(columns):
        middle = left + (place + 0.5) * cell
        if upright:
            turned = mask(name, size).rotate(90, expand=True)
            canvas.paste(INK, (round(middle - turned.width / 2), top - 6 * zoom - turned.height), turned)
        else:
            write(canvas, middle, top - 10 * zoom, name, size, back=0.5)


@cache
def matrix_palette() -> Image.Image:
    """The colours of confusion matrices, as a palette: those of cells, and the edges of letters on them."""
    white, ink = (255, 255, 255), ImageColor.getrgb(INK)
    ramps = [shades(np.linspace(0, 1, 33), colours) for colours in (BLUES, REDS)]
    edges = [np.linspace(back, ink, 8) for ramp in ramps for back in ramp[5:20:5]]
    edges += [np.linspace(back, white, 8) for ramp in ramps for back in ramp[20::5]]
    colours = np.concatenate([*ramps, np.linspace(white, ink, 24), *edges]).round().astype(np.uint8)
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image


def with_few_colours(matrix: Image.Image) -> Image.Image:
    """A confusion matrix that looks the same in half the bytes."""
    return matrix.quantize(palette=matrix_palette(), dither=Image.Dither.NONE)
