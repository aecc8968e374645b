"""Remarks on images: before they are read, on their size; then, on those left out, of several frames or deep pixels."""

import math
import os
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from proj.data.part_names import PARTS, words_in
from proj.data.photos.deep_pixels import describe
from proj.data.photos.image_file import Levels
from proj.data.photos.resized import Resized
from proj.errors import UserError
from proj.system.names import readable
from proj.system.platform import memory
from proj.wording import agree, first_of, how_many

NAMED = 10  # the maximum number of left-out images that are listed by name
SIDES = {"left": "right", "l": "r", "links": "rechts", "gauche": "droite", "izquierda": "derecha"}
SIDES |= {right: left for left, right in SIDES.items()}
ENOUGH = 20  # with so many images, it is no coincidence if grey or colour separates the classes


def remarks_on(images: Resized, data_dir: str, levels: Levels) -> Iterator[str]:
    """All remarks, as lines to print. data_dir: the folder that the images are in. levels: of the training's pixels."""
    left_out = images.left_out
    if left_out:
        are = agree(len(left_out), "is", "are")
        yield f"{len(left_out):,} of {how_many(len(images.files), 'image')} cannot be read and {are} left out:"
    for number in [*left_out][:NAMED]:
        yield f"    {why_left_out(images, number, data_dir)}"
    if len(left_out) > NAMED:
        yield f"    and {len(left_out) - NAMED:,} more"
    yield from describe_cut(images, data_dir)
    if images.frames:
        yield f"Images of several frames or pages, of which only the first is used: {len(images.frames):,}"
    for line in describe(images.deep.values(), levels):
        yield f"{line} (dataset.levels=[black,white])"


def why_left_out(images: Resized, number: int, data_dir: str) -> str:
    """The name of an image that is left out, and why."""
    why = images.left_out[number].replace("max_pixels", "dataset.max_pixels")
    return f"{readable(os.path.relpath(images.files[number], data_dir))}: {why}"


def why_none_is_left(images: Resized, part_of: Tensor, part: int, data_dir: str) -> str:
    """The message for a part of which all images are left out. part_of: (N,) the place in PARTS of each image's."""
    first = why_left_out(images, int((part_of == part).nonzero()[0]), data_dir)
    cure = "raise dataset.max_pixels" if "dataset.max_pixels" in first else "mend the files"
    if part == PARTS.index("train"):
        return f"no training image can be read ({first}): {cure}, or name another folder with data_dir=…"
    return f"no image of the folder of {PARTS[part]} can be read ({first}): {cure}, or take the folder away."


def describe_cut(images: Resized, data_dir: str) -> Iterator[str]:
    """A remark if most images are so long or wide that less than half of each is left after they are cut to size."""
    if 2 * len(images.cut) <= len(images.files) - len(images.left_out):
        return
    side, stretch = np.sqrt(np.prod(images.shape[:2])), np.sqrt(np.median([*images.cut.values()]))
    height, width = (max(8, 8 * round(length / 8)) for length in (side * stretch, side / stretch))
    first = readable(os.path.relpath(images.files[min(images.cut)], data_dir))
    shape = f"'dataset.size=[{height},{width}]' has the shape of most (model=pretrained takes squares)"
    yield f"Images of which more than half is cut away: {len(images.cut):,}, such as {first}; {shape}"


def describe_grey(sums: np.ndarray, targets: np.ndarray, class_names: list[str]) -> Iterator[str]:
    """A warning if nearly all images of some classes are grey and those of the others coloured, so that a network can
    tell them apart by that. sums: (N, 1 + 2 * channels) of the images, see `Picture`. targets: (N,)."""
    if sums.shape[1] < 7 or len(targets) < ENOUGH:  # fewer than 7 sums: the images have one channel
        return
    colours = sums[:, 1:].reshape(len(sums), 2, 3)
    is_grey = (colours == colours[:, :, :1]).all((1, 2))
    counts = np.bincount(targets, minlength=len(class_names))
    shares = dict(zip(class_names, np.bincount(targets, is_grey, len(class_names)) / counts.clip(1), strict=True))
    grey = [name for name, share in shares.items() if share >= 0.9]
    coloured = [name for name, share in shares.items() if share <= 0.1]
    if grey and coloured and len(grey) + len(coloured) == len(class_names):
        those = f"Nearly all images of {first_of(grey, 3)} are grey, and those of {first_of(coloured, 3)} in colour"
        yield f"{those}: a network may learn only that difference; dataset.channels=1 makes all grey"


def describe_sides(class_names: list[str]) -> Iterator[str]:
    """A warning of two classes whose names differ in left and right alone, since mirrored images of one of them look
    like the other. class_names: of images that the training mirrors."""
    names = {tuple(words_in(name)): name for name in class_names}
    for words, name in names.items():
        other = names.get(tuple(SIDES.get(word, word) for word in words), name)
        if other != name:
            alike = f"The training mirrors images, and those of {name} may then look like those of {other}"
            yield f"{alike}: dataset.flip=false leaves them as they are"
            return


def refuse_huge(shape: tuple[int, int, int], batch: int) -> None:
    """Raises UserError if a single batch would not fit into the machine's memory. shape: (H, W, C)."""
    needed, there = 4 * batch * math.prod(shape), memory()
    if there and needed > there:
        raise UserError(
            f"images of {shape[0]}×{shape[1]} pixels take {needed / 1e9:,.0f} GB for a batch of {batch}, and this "
            f"machine has {there / 1e9:,.0f}: choose a smaller dataset.size or dataset.batch_size."
        )
