"""Photos of the test part that the training has too, or that their names show to be of the same thing."""

import re
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

from proj.errors import agree, how_many

GRID = 8  # pixels of an image that are compared, high and wide
NEAR, CONTRAST = 6.0, 20.0  # of 256 levels, the root mean square: by which two are the same, and one shows something
# What is the same in the names of several photos of one thing: IMG_002_BURST01.jpg.
BURST = r"(.*\d)[^/\d]+\d+[^/\d]*$|.*"
# Such names of photos and their masks, copies or changed versions, with the words that say up to where.
ALIKE = {
    r"(.*\d)[^/\d]*$|.*": "up to its last number",
    r"(?:.*/)?([^/]*/[^/]*)\.rf\.|.*": "before .rf.",  # as Roboflow names what it has rotated and so on
    r"(.*?)([-_ ](rot\w*\d|flip|mirror|aug|copy)[^/]*)?\.[^./]+$|.*": "before the word for a change",
}
FEW = 8  # images of one thing; those of a class or a year are more
MOST = {"train": 10_000, "test": 1_000}  # images that are compared; so many take a tenth of a second


def describe_near_copies(train: Tensor, test: Tensor, files: dict[str, list[str]], name: Callable) -> list[str]:
    """A line where a tenth or more of the test images, and two at least, are nearly the same as a training image, or
    else are named alike. train, test: uint8 (N, H, W, C). files: those of a part. name: says what image a place in a
    part is."""
    if not (isinstance(train, Tensor) and isinstance(test, Tensor)):  # they are on the disk
        return describe_named_alike(files, name)
    (train_places, known), (test_places, seen) = some_pixels(train, MOST["train"]), some_pixels(test, MOST["test"])
    shows = (seen - seen.mean(1, keepdim=True)).square().mean((1, 2)).sqrt() >= CONTRAST
    mirrored = seen.unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    views = [torch.cdist(view.flatten(1), known.flatten(1)) for view in (seen, mirrored)]
    distance, nearest = torch.minimum(*views).min(1)
    same = shows & (distance <= NEAR * known[0].numel() ** 0.5)
    if (count := int(same.sum())) < max(2, len(seen) / 10):
        return describe_named_alike(files, name)
    first = int(same.nonzero()[0])
    pair = name("test", int(test_places[first])), name("train", int(train_places[nearest[first]]))
    said = f"{count:,} of {how_many(len(seen), 'test image')} {agree(count, 'is', 'are')} nearly the same as a training"
    fit = (pattern for pattern in (BURST, *ALIKE) if len({group_in(pattern, one) for one in pair}) == 1)
    how = f"if they are copies, delete these, or have 'dataset.group={next(fit, '…')}' keep them in one part"
    return [f"{said} image, such as {' and '.join(pair)}: {how}"]


def describe_named_alike(files: dict[str, list[str]], name: Callable[[str, int], str]) -> list[str]:
    """A line where so many of the test images have the name of a training image but for its end: a photo and its mask
    or small copy, both eyes of a patient, or versions that another program made."""
    for pattern, up_to in ALIKE.items():
        known, seen = ([group_in(pattern, file) for file in files[part]] for part in ("train", "test"))
        places, counts = {one: place for place, one in enumerate(known)}, Counter(known + seen)
        alike = [place for place, one in enumerate(seen) if one in places and counts[one] <= FEW]
        if len(alike) >= max(2, len(seen) / 10):
            said = f"Test images that have the name of a training image {up_to}: {len(alike):,} of {len(seen):,}"
            pair = f"{name('test', alike[0])} and {name('train', places[seen[alike[0]]])}"
            how = f"move masks and copies away, or have 'dataset.group={pattern}' keep together what shows one thing"
            return [f"{said}, such as {pair}: {how}"]
    return []


def group_in(pattern: str, file: str) -> str:
    """What `dataset.group` finds in a path."""
    match = re.search(pattern, file)
    return match[1] or match[0]


def some_pixels(images: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """(The places of some images, (N, GRID², C) float32 pixels of each)."""
    places = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:most].sort().values
    rows, columns = (torch.linspace(0, size - 1, GRID).round().long() for size in images.shape[1:3])
    return places, images[places[:, None, None], rows[:, None], columns].flatten(1, 2).float()
