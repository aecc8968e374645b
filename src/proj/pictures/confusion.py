"""Draws a confusion matrix: shaded cells with their counts and the names of the classes. `zoom`: see `drawing.py`."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from proj.pictures.drawing import BLUES, INK, LINE, REDS, WIDTH, shades, shortened, text_mask, write
from proj.wording import share


def cell_colours(counts: np.ndarray, row_totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns ((R, C) the darkness of each cell in 0..1, (R, C, 3) its colour as uint8). row_totals: (R, 1).

    The diagonal is blue, by its share of the row. The mistakes are red, in proportion to the worst one: on the scale
    of the diagonal they would be too pale to see.
    """
    shares, diagonal = counts / row_totals, np.eye(*counts.shape, dtype=bool)
    worst = max(shares[~diagonal].max(initial=0), 0.01)
    darkness = np.where(counts > 0, 0.05 + 0.95 * np.where(diagonal, shares, shares / worst), 0)
    return darkness, np.where(diagonal[..., None], shades(darkness * 0.9, BLUES), shades(darkness, REDS))


def confusion_matrix(
    counts: np.ndarray, rows: Sequence[str], columns: Sequence[str] | None = None, zoom: int = 1
) -> Image.Image:
    """Draw the counts (R, C) of the true classes, in rows, and the predicted ones, in columns (None: the same names).

    Up to 100 classes, names and counts are written too. Of more than 1,000, whose cells would be too small to see, only
    the 100 with the most mistakes are drawn.
    """
    columns = columns or rows
    total, row_totals = counts.sum(), counts.sum(1, keepdims=True).clip(1)
    figure = f"{share(counts.trace() / max(total, 1))} of {total:,} right."
    if len(columns) > 1000:
        figure += f" The 100 of {len(columns):,} classes with the most mistakes:"
        chosen = np.sort((counts.diagonal() - counts.sum(1)).argsort(kind="stable")[:100])
        counts, row_totals = counts[np.ix_(chosen, chosen)], row_totals[chosen]
        rows, columns = ([names[index] for index in chosen] for names in (rows, columns))
    darkness, colours = cell_colours(counts, row_totals)
    classes, line = len(columns), zoom * LINE
    size = zoom * (11 if classes <= 12 else 9)
    if classes > 100:
        names, cell = [], max(1600 // classes, 1)
    else:
        names = [[shortened(name, 120 * zoom, size) for name in names] for names in (rows, columns)]
        cell = max(zoom * max(16, min(56, 250 // classes)), text_mask(f"{counts.max():,}", size).width + 4 * zoom)
    left, longest = (max(text_mask(name, size).width for name in one) for one in names) if names else (0, 0)
    upright = longest > cell - 4 * zoom  # the columns are too narrow for their names, which are turned by 90 degrees
    left, top = left + line, 2 * line + (longest + line // 2 if upright else line)
    across, down = cell * classes, cell * len(rows)
    canvas = Image.new("RGB", (max(left + across + line, zoom * WIDTH), top + down + line), "white")
    write(canvas, line // 2, line, figure, zoom * 11)
    write(canvas, canvas.width - line // 2, line, "rows: true, columns: predicted", zoom * 11, anchor=1)
    canvas.paste(Image.fromarray(colours).resize((across, down), Image.Resampling.NEAREST), (left, top))
    if names:
        draw_lines(canvas, (left, top), (across, down), cell, zoom)
        name_classes(canvas, names, (left, top), cell, size, upright, zoom)
    for row, column in zip(*counts.nonzero(), strict=True) if names else ():
        x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
        ink = "white" if darkness[row, column] > 0.6 else INK
        write(canvas, x, y, f"{counts[row, column]:,}", size, ink, anchor=0.5)
    return canvas


def draw_lines(canvas: Image.Image, corner: tuple[int, int], size: tuple[int, int], cell: int, zoom: int) -> None:
    """Draw grey lines around the cells. corner: the upper left one of the matrix. All lengths are in pixels."""
    draw, (left, top), (across, down) = ImageDraw.Draw(canvas), corner, size
    for x in range(left, left + across + 1, cell):
        draw.line((x, top, x, top + down), "#eeeeee", zoom)
    for y in range(top, top + down + 1, cell):
        draw.line((left, y, left + across, y), "#eeeeee", zoom)


def name_classes(
    canvas: Image.Image, names: list[list[str]], corner: tuple[int, int], cell: int, size: int, upright: bool, zoom: int
) -> None:
    """Write the rows' names to the left of the matrix, and the columns' above it, turned by 90 degrees if upright."""
    (left, top), (rows, columns) = corner, names
    for index, name in enumerate(rows):
        write(canvas, left - 6 * zoom, top + (index + 0.5) * cell, name, size, anchor=1)
    for index, name in enumerate(columns):
        middle = left + (index + 0.5) * cell
        if upright:
            turned = text_mask(name, size).rotate(90, expand=True)
            canvas.paste(INK, (round(middle - turned.width / 2), top - 6 * zoom - turned.height), turned)
        else:
            write(canvas, middle, top - 10 * zoom, name, size, anchor=0.5)


@cache
def matrix_palette() -> Image.Image:
    """An image whose palette has the colours of all cells, and the blends at the antialiased edges of their digits."""
    white, ink = (255, 255, 255), ImageColor.getrgb(INK)
    ramps = [shades(np.linspace(0, 1, 33), colours) for colours in (BLUES, REDS)]
    blends = [np.linspace(cell, ink, 8) for ramp in ramps for cell in ramp[5:20:5]]  # dark digits on pale cells
    blends += [np.linspace(cell, white, 8) for ramp in ramps for cell in ramp[20::5]]  # white digits on dark cells
    colours = np.concatenate([*ramps, np.linspace(white, ink, 24), *blends]).round().astype(np.uint8)
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image


def with_few_colours(matrix: Image.Image) -> Image.Image:
    """Reduce the picture of a confusion matrix to 256 colours: it looks the same, and its PNG has half the bytes."""
    return matrix.quantize(palette=matrix_palette(), dither=Image.Dither.NONE)
