"""Plots the reliability diagram of a classifier, and writes pictures into a file for TensorBoard."""

import io
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from proj.pictures.drawing import RIGHT, WRONG
from proj.system.files import write_atomically
from proj.wording import share

BINS = 15  # intervals of the predicted probability; accuracy and confidence are compared in each
STYLE = matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


@STYLE
def reliability_picture(
    confidence: np.ndarray, right: np.ndarray, error: float, weights: np.ndarray | float = 1.0
) -> bytes:
    """A PNG of accuracy against confidence, and below it the histogram of the confidence.

    confidence: (N,) the probability of the predicted class. right: (N,) bool. error: the calibration error.
    weights: (N,), with which the examples count so that all classes count equally; or 1.0.
    """
    size = len(confidence)
    counts, right_counts, sums = (  # (BINS,)
        np.histogram(confidence, BINS, (0, 1), weights=values * weights)[0]
        for values in (np.ones(size), right, confidence)
    )
    filled = counts > 0
    middle = (np.flatnonzero(filled) + 0.5) / BINS
    accuracy, gap = (values[filled] / counts[filled] for values in (right_counts, sums - right_counts))
    figure = Figure(figsize=(4.6, 5.4))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw={"hspace": 0.08})
    above.bar(middle, accuracy, 0.9 / BINS, color=RIGHT, label="accuracy")
    hatched = {"color": "none", "edgecolor": WRONG, "hatch": "////", "linewidth": 0.8}
    above.bar(middle, gap, 0.9 / BINS, accuracy, label="gap", **hatched)
    above.plot((0, 1), (0, 1), color="black", linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    is_right, is_sure = (share(values.sum() / size, ".1%") for values in (right_counts, sums))
    above.set_title(f"right {is_right}, sure {is_sure}, calibration error {error:.1%}", fontsize=10)
    above.legend(frameon=False, loc="upper left")
    below.bar(middle, counts[filled] / size, 0.9 / BINS, color="#a9bccd")
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    examples = "examples,\nclasses alike" if np.ndim(weights) else "examples"
    below.set(xlabel="probability of the predicted class", ylabel=examples)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15)
    return content.getvalue()


def log_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    """Write pictures, given as {tag: PNG}, into a new file for TensorBoard in `folder`."""
    from torch.utils.tensorboard import SummaryWriter

    # Elsewhere first: the writer's own thread would print a traceback if the disk is full, and leave half a file.
    with tempfile.TemporaryDirectory() as temporary:
        with SummaryWriter(temporary) as writer:
            for tag, picture in pictures.items():
                writer.add_image(tag, np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), dataformats="HWC")
        for file in Path(temporary).iterdir():
            write_atomically(folder / file.name, file.read_bytes())
