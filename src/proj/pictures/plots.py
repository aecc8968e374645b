"""The calibration of a classifier as a picture, and pictures in TensorBoard's files."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from proj.pictures.drawing import RIGHT, WRONG

BINS = 15  # of the probability, in which accuracy and confidence are compared
STYLE = matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


@STYLE
def reliability_picture(confidence: np.ndarray, right: np.ndarray, error: float) -> bytes:
    """confidence: (N,) probability of the predicted class; right: (N,) bool; error: the calibration error."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    filled = counts > 0
    accuracy, mean = (
        np.bincount(place, weights=value, minlength=BINS)[filled] / counts[filled] for value in (right, confidence)
    )
    middle = (np.flatnonzero(filled) + 0.5) / BINS
    figure = Figure(figsize=(4.6, 5.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.08})
    above.bar(middle, accuracy, 0.9 / BINS, color=RIGHT, label="accuracy")
    gap = mean - accuracy
    above.bar(
        middle, gap, 0.9 / BINS, accuracy, color="none", edgecolor=WRONG, hatch="////", linewidth=0.8, label="gap"
    )
    above.plot((0, 1), (0, 1), color="black", linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    above.set_title(
        f"right {right.mean():.1%}, sure {confidence.mean():.1%}, calibration error {error:.1%}", fontsize=10
    )
    above.legend(frameon=False, loc="upper left")
    below.bar(middle, counts[filled] / len(place), 0.9 / BINS, color="#a9bccd")
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.set(xlabel="probability of the predicted class", ylabel="examples")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15)
    return content.getvalue()


def log_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    """PNG files by their tags, into a file of TensorBoard's."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:
        for tag, picture in pictures.items():
            writer.add_image(tag, np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), dataformats="HWC")
