"""Plots the reliability diagram of a classifier, and writes pictures into a file for TensorBoard."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from proj.pictures.drawing import RIGHT, WRONG
from proj.wording import share

BINS = 15  # intervals of the predicted probability; accuracy and confidence are compared in each
STYLE = matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


@STYLE
def reliability_picture(
    confidence: np.ndarray, right: np.ndarray, error: float, weights: np.ndarray | float = 1.0
) -> bytes:
    """A PNG of accuracy against confidence, and below it the histogram of the confidence.

    confidence: (N,) the probability of the predicted class. right: (N,) bool. error: the calibration error.
    weights: (N,), with which the examples count.
    """
    weights = np.broadcast_to(weights, len(confidence))
    is_right, is_sure = (share((values * weights).mean(), ".1%") for values in (right, confidence))
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)  # (N,)
    counts = np.bincount(bin_of, weights, minlength=BINS)
    filled = counts > 0
    accuracy, mean_confidence = (
        np.bincount(bin_of, value * weights, minlength=BINS)[filled] / counts[filled] for value in (right, confidence)
    )
    middle = (np.flatnonzero(filled) + 0.5) / BINS
    figure = Figure(figsize=(4.6, 5.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.08})
    above.bar(middle, accuracy, 0.9 / BINS, color=RIGHT, label="accuracy")
    gap = mean_confidence - accuracy
    above.bar(
        middle, gap, 0.9 / BINS, accuracy, color="none", edgecolor=WRONG, hatch="////", linewidth=0.8, label="gap"
    )
    above.plot((0, 1), (0, 1), color="black", linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    above.set_title(
        f"right {is_right}, sure {is_sure}, calibration error {error:.1%}",
        fontsize=10,
    )
    above.legend(frameon=False, loc="upper left")
    below.bar(middle, counts[filled] / len(bin_of), 0.9 / BINS, color="#a9bccd")
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.set(xlabel="probability of the predicted class", ylabel="examples")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15)
    return content.getvalue()


def log_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    """Write pictures, given as {tag: PNG}, into a new file for TensorBoard in `folder`."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:
        for tag, picture in pictures.items():
            writer.add_image(tag, np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), dataformats="HWC")
