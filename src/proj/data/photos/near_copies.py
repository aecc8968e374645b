"""Warns of test or validation photos that are nearly identical to training photos, or show the same by their names."""

import re
from collections import Counter
from collections.abc import Callable, Container, Mapping
from os.path import dirname
from typing import Any

import torch
from torch import Tensor

from proj.wording import agree, how_many

GRID = 8  # images are compared at GRID × GRID pixels
NEAR = 6.0  # the root mean square difference, in grey levels (0..255), up to which two images are nearly identical
CONTRAST = 20.0  # an image whose pixels have a smaller standard deviation (0..255) shows too little to be compared
# Matches the part that the names of several photos of one thing have in common: IMG_002 in IMG_002_BURST01.jpg.
BURST = r"(.*\d)[^/\d]+\d+[^/\d]*$|.*"
# The same for photos and their masks, copies or augmented versions, each with words for a message: "… up to …".
ALIKE = {
    r"(.*\d)[^/\d]*$|.*": "up to its last number",
    r"(?:.*/)?([^/]*/[^/]*)\.rf\.|.*": "before .rf.",  # as Roboflow names augmented images
    r"(.*?)([-_ ](rot\w*\d|flip|mirror|aug|copy)[^/]*)?\.[^./]+$|.*": "before the word for a change",
    BURST: "up to its last number but one",  # patient12_3.png: a slice, or a frame of a video
}
FEW = 8  # one thing has at most so many images; more with a common name may be those of a class or a year
DAY = re.compile(r"(19|20)\d\d([-_.]?)\d\d\2\d\d$")  # IMG_20240131, as phones name all photos of a day
MOST, MOST_KNOWN = 1_000, 10_000  # at most so many images of a part, and of the training, are compared: 0.3 s a part
MOVE = "move what shows one thing into the folder of one part"
COMPARED = {"test": "test", "val": "validation"}  # the parts that are compared with the training, and their names


def describe_near_copies(
    parts: Mapping[str, Any], files: dict[str, list[str]] | None, drawn: Container[str], name: Callable
) -> list[str]:
    """A warning if at least two, and a tenth, of the test images are nearly identical to a training image, or else have
    similar names; if not, the same of the validation images. parts: their inputs are uint8 (N, H, W, C). files: those
    of each part; None if dataset.group says what belongs together, so that names do not. drawn: the parts without a
    folder. name: maps a part and an index in it to an image's name."""
    return next(filter(None, (near_copies(part, parts, files, drawn, name) for part in COMPARED)), [])


def near_copies(
    part: str, parts: Mapping[str, Any], files: dict[str, list[str]] | None, drawn: Container[str], name: Callable
) -> list[str]:
    """`describe_near_copies` of one part."""
    named_alike = describe_named_alike(part, files, drawn, name) if files else []
    train, others = parts["train"].inputs, parts[part].inputs
    if not (isinstance(train, Tensor) and isinstance(others, Tensor)):  # the images stay on the disk
        return named_alike
    (train_places, known), (places, seen) = some_pixels(train, MOST_KNOWN), some_pixels(others, MOST)
    shows = (seen - seen.mean(1, keepdim=True)).square().mean((1, 2)).sqrt() >= CONTRAST
    mirrored = seen.unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2)
    views = [torch.cdist(view.flatten(1), known.flatten(1)) for view in (seen, mirrored)]
    distance, nearest = torch.minimum(*views).min(1)
    same = shows & (distance <= NEAR * known[0].numel() ** 0.5)
    if (count := int(same.sum())) < max(2, len(seen) / 10):
        return named_alike
    first = int(same.nonzero()[0])
    pair = name(part, int(places[first])), name("train", int(train_places[nearest[first]]))
    said = f"{count:,} of {how_many(len(seen), f'{COMPARED[part]} image')} {agree(count, 'is', 'are')} nearly the"
    fit = (pattern for pattern in (BURST, *ALIKE) if len({group_in(pattern, one) for one in pair}) == 1)
    group = f"have 'dataset.group={next(fit, '…')}' keep them in one part" if part in drawn else MOVE
    how = f"if they are copies, delete these, or {group}"
    return [f"{said} same as a training image, such as {' and '.join(pair)}: {how}"]


def describe_named_alike(
    part: str, files: dict[str, list[str]], drawn: Container[str], name: Callable[[str, int], str]
) -> list[str]:
    """A warning if at least two, and a tenth, of a part's images share the beginning of a training image's name: they
    may be a photo and its mask or small copy, both eyes of a patient, augmented versions of a photo, or slices and
    frames. One thing has at most FEW images, or slices and frames in a third of a folder: more may be a whole class."""
    in_folder = Counter(map(dirname, files["train"] + files[part]))
    for pattern, up_to in ALIKE.items():
        known, seen = ([group_in(pattern, file) for file in files[one]] for one in ("train", part))
        places, counts = {one: place for place, one in enumerate(known)}, Counter(known + seen)
        alike = []  # the indices of the part's images that share a name with a training image
        for place, (one, file) in enumerate(zip(seen, files[part], strict=True)):
            most = FEW  # images with the same name
            if pattern == BURST:
                most = 0 if DAY.search(one) else in_folder[dirname(file)] / 3
            if one in places and counts[one] <= most:
                alike.append(place)
        if len(alike) >= max(2, len(seen) / 10):
            images = f"{COMPARED[part].capitalize()} images that have the name of a training image {up_to}"
            pair = f"{name(part, alike[0])} and {name('train', places[seen[alike[0]]])}"
            group = f"have 'dataset.group={pattern}' keep together what shows one thing" if part in drawn else MOVE
            how = f"move masks and copies away, or {group}"
            return [f"{images}: {len(alike):,} of {len(seen):,}, such as {pair}: {how}"]
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
