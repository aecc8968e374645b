"""Photos of the test part that the training has too: saved again, made smaller, or mirrored."""

import re
from collections.abc import Callable

import torch
from torch import Tensor

from proj.errors import agree, how_many

GRID = 8  # pixels of an image that are compared, high and wide
NEAR, CONTRAST = 6.0, 20.0  # of 256 levels, the root mean square: by which two are the same, and one shows something
# What is the same in the names of several photos of one thing: IMG_002_BURST01.jpg, IMG_002_copy.jpg.
GROUPS = r"(.*\d)[^/\d]+\d+[^/\d]*$", r"(.*\d)[^/\d]*$"
MOST = {"train": 10_000, "test": 1_000}  # images that are compared; so many take a tenth of a second


def describe_near_copies(train: Tensor, test: Tensor, name: Callable[[str, int], str]) -> list[str]:
    """A line where a tenth or more of the test images, and two at least, are nearly the same as a training image.

    train, test: uint8 (N, H, W, C). name: says what image a place in one of these parts is.
    """
    if not (isinstance(train, Tensor) and isinstance(test, Tensor)):
        return []  # they are on the disk
    (train_places, known), (test_places, seen) = some_pixels(train, MOST["train"]), some_pixels(test, MOST["test"])
    shows = (seen - seen.mean(1, keepdim=True)).square().mean((1, 2)).sqrt() >= CONTRAST
    views = [torch.cdist(view.flatten(1), known.flatten(1)) for view in (seen, mirrored(seen))]
    distance, nearest = torch.minimum(*views).min(1)
    same = shows & (distance <= NEAR * known[0].numel() ** 0.5)
    if int(same.sum()) < max(2, len(seen) / 10):
        return []
    first = int(same.nonzero()[0])
    pair = name("test", int(test_places[first])), name("train", int(train_places[nearest[first]]))
    count = int(same.sum())
    said = f"{count:,} of {how_many(len(seen), 'test image')} {agree(count, 'is', 'are')} nearly the same as a training"
    found = {pattern: [re.search(pattern, one) for one in pair] for pattern in GROUPS}
    fit = (pattern for pattern, both in found.items() if all(both) and len({match[1] for match in both}) == 1)
    how = f"if they are copies, delete these, or have 'dataset.group={next(fit, '…')}' keep them in one part"
    return [f"{said} image, such as {' and '.join(pair)}: {how}"]


def some_pixels(images: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """(The places of some images, (N, GRID², C) float32 pixels of each)."""
    places = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:most].sort().values
    rows, columns = (torch.linspace(0, size - 1, GRID).round().long() for size in images.shape[1:3])
    return places, images[places[:, None, None], rows[:, None], columns].flatten(1, 2).float()


def mirrored(pixels: Tensor) -> Tensor:
    return pixels.unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
