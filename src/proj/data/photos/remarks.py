"""What is said of images once they are read: which are left out, and which have several frames or deep pixels."""

import os

from proj.data.photos.picture import Levels
from proj.data.photos.resized import Resized
from proj.errors import agree, how_many
from proj.system.names import readable

NAMED = 10  # images that are left out are named at most


def remarks_on(images: Resized, data_dir: str, levels: Levels) -> list[str]:
    """Lines to print. data_dir: below which the images lie. levels: of deep pixels, which the training has."""
    lines = []
    left_out = images.left_out
    if left_out:
        are = agree(len(left_out), "is", "are")
        lines.append(f"{len(left_out):,} of {how_many(len(images.files), 'image')} cannot be read and {are} left out:")
    for number, why in list(left_out.items())[:NAMED]:
        why = why.replace("max_pixels", "dataset.max_pixels")
        lines.append(f"    {readable(os.path.relpath(images.files[number], data_dir))}: {why}")
    if len(left_out) > NAMED:
        lines.append(f"    and {len(left_out) - NAMED:,} more")
    if images.frames:
        lines.append(f"Images of several frames or pages, of which the first is taken: {len(images.frames):,}")
    for kind, numbers in (("I", "whole numbers"), ("F", "numbers with fractions")):
        if count := sum(known[0] == kind for known in images.deep.values()):
            scale = (levels or {}).get(kind)
            how = "{:,g} becomes black and {:,g} white".format(*scale) if scale else "each is scaled by itself"
            lines.append(f"Images of more than 8 bits, {numbers}: {count:,}; {how} (dataset.levels=[black,white])")
    return lines
