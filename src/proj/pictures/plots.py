"""Pictures of what a classifier does, as PNG files: its confusion, its calibration, images with captions."""

import io
import math
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import PercentFormatter
from PIL import Image

RIGHT, WRONG, QUIET = "#20639b", "#c8452d", "#777777"
FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic")  # the later ones for what the first lacks
STYLE = matplotlib.rc_context(
    {
        "font.family": [font for font in FONTS if font in {known.name for known in fontManager.ttflist}],
        "font.size": 9,
        "text.parse_math": False,  # a class or a file may be called $x
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def png(figure: Figure) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(content, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15)
    return content.getvalue()


@STYLE
def confusion_picture(confusion: np.ndarray, rows: list[str], columns: list[str], title: str) -> bytes:
    """confusion: (R, C) counts, a row a right class. Blue shades the share of a row; red has a scale of its own, since
    the mistakes of a good classifier would be invisible beside its diagonal."""
    size = len(columns)
    cell = min(1, max(6 / size, 0.13))  # inches
    figure = Figure(figsize=(cell * size, cell * len(rows)))
    axes = figure.subplots()
    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    right = np.eye(*confusion.shape, dtype=bool)
    worst = max(share[~right].max(initial=0), 0.01)
    for shown, colours, most in ((right, "Blues", 1), (~right, "Reds", worst)):
        cells = np.ma.masked_where(~shown | (confusion == 0), share)
        axes.pcolormesh(cells, cmap=colours, vmin=0, vmax=1.3 * most, edgecolors="#eeeeee", linewidth=0.5)
    small = min(9, 60 * cell / max(4, len(str(confusion.max()))))
    if small >= 4:
        for (row, column), count in np.ndenumerate(confusion):
            if count:
                shade = share[row, column] / (1 if right[row, column] else worst)
                colour = "white" if shade > 0.6 else "black"
                axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=small, color=colour)
    labels = {"fontsize": min(9, 72 * cell * 0.8)}
    upright = max(map(len, columns)) * 0.09 > cell
    axes.set_xticks(np.arange(size) + 0.5, columns, rotation=90 if upright else 0, **labels)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, **labels)
    axes.set(xlim=(0, size), ylim=(len(rows), 0), xlabel="predicted", ylabel="right")
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return png(figure)


@STYLE
def reliability_picture(confidence: np.ndarray, right: np.ndarray, error: float, bins: int = 15) -> bytes:
    """confidence: (N,) probability of the predicted class; right: (N,) bool; error: the calibration error."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    accuracy, mean = (
        np.bincount(place, weights=value, minlength=bins)[filled] / counts[filled] for value in (right, confidence)
    )
    middle = (np.flatnonzero(filled) + 0.5) / bins
    figure = Figure(figsize=(4.6, 5.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.08})
    above.bar(middle, accuracy, 0.9 / bins, color=RIGHT, label="accuracy")
    gap = mean - accuracy
    above.bar(
        middle, gap, 0.9 / bins, accuracy, color="none", edgecolor=WRONG, hatch="////", linewidth=0.8, label="gap"
    )
    above.plot((0, 1), (0, 1), color="black", linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    above.set_title(
        f"right {right.mean():.1%}, sure {confidence.mean():.1%}, calibration error {error:.1%}", fontsize=10
    )
    above.legend(frameon=False, loc="upper left")
    below.bar(middle, counts[filled] / len(place), 0.9 / bins, color="#a9bccd")
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.set(xlabel="probability of the predicted class", ylabel="examples")
    return png(figure)


@STYLE
def image_grid(images: list[np.ndarray], captions: list[tuple[str, str]], colour: str = WRONG) -> bytes:
    """images: uint8 (H, W) or (H, W, 3), of any sizes; captions: two lines each, the first in `colour`."""
    columns = min(6, max(math.ceil(math.sqrt(len(images))), 2))
    rows = math.ceil(len(images) / columns)
    tall = min(1, max(np.shape(image)[0] / np.shape(image)[1] for image in images))  # of the cells, which are 1 wide
    figure = Figure(figsize=(1.6 * columns, 1.6 * (tall + 0.32) * rows))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for place, (image, lines) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        height, width = np.shape(image)[:2]
        scale = min(0.9 / width, 0.9 * tall / height)
        middle, bottom = column + 0.5, (tall + 0.32) * row + 0.9 * tall
        box = (middle - scale * width / 2, middle + scale * width / 2, bottom, bottom - scale * height)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box, aspect="auto")
        axes.plot(np.take(box, (0, 1, 1, 0, 0)), np.take(box, (2, 2, 3, 3, 2)), color="#dddddd", linewidth=0.5)
        for line, below, shade in zip(lines, (0.04, 0.14), (colour, QUIET), strict=True):
            if len(line) > 32:
                line = f"{line[:15]}…{line[-16:]}"
            size = min(9, 170 / max(len(line), 1))
            axes.text(middle, bottom + below, line, ha="center", va="top", color=shade, size=size)
    axes.set(xlim=(0, columns), ylim=((tall + 0.32) * rows, 0))
    return png(figure)


def log_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    """PNG files by their tags, into a file of TensorBoard's."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:
        for tag, picture in pictures.items():
            writer.add_image(tag, np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), dataformats="HWC")
