"""Warns of test or validation photos that are nearly identical to training photos, or show the same by their names."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Container, Mapping
from os.path import dirname
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, normalize

from proj.wording import agree, how_many

# For each image, the training image is found whose COARSE × COARSE pixels correlate most with its own. The two are
# nearly identical if their FINE × FINE pixels correlate by at least NEAR once one is moved by up to SHIFT of these
# pixels. Of 300 distinct images among 9,000, none of CIFAR-10 or MNIST and 3 % of Fashion-MNIST have such a neighbour.
COARSE, FINE, SHIFT, NEAR = 8, 32, 2, 0.99
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
MOST, MOST_KNOWN = 1_000, 10_000  # at most so many images of a part, and of the training, are compared
NAME_ALIKE = "give them names with a common part that dataset.group can match (docs/data.md)"
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
    places, train_places = some_of(len(others), MOST), some_of(len(train), MOST_KNOWN)
    nearest, is_same = nearest_images(others[places], train[train_places])
    if (count := int(is_same.sum())) < max(2, len(places) / 10):
        return named_alike
    first = int(is_same.nonzero()[0])
    pair = name(part, int(places[first])), name("train", int(train_places[nearest[first]]))
    said = f"{count:,} of {how_many(len(places), f'{COMPARED[part]} image')} {agree(count, 'is', 'are')} nearly the"
    group = MOVE
    if part in drawn:
        fit = (pattern for pattern in (BURST, *ALIKE) if len({group_in(pattern, one) for one in pair}) == 1)
        group = f"have 'dataset.group={one}' keep them in one part" if (one := next(fit, None)) else NAME_ALIKE
    how = f"if they are copies, delete these, or {group}"
    is_other = parts[part].targets[places] != parts["train"].targets[train_places[nearest]]
    if among := int((is_same & is_other).sum()):
        how = f"{among:,} of these {agree(among, 'is', 'are')} of another class there; {how}"
    return [f"{said} same as a training image, such as {' and '.join(pair)}: {how}"]


def nearest_images(seen: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """For images `seen` (N, H, W, C), the places of the most similar ones in `known` (M, H, W, C), and whether the two
    are nearly identical, both (N,). An image may be mirrored, moved, or of another brightness or contrast."""
    coarse = torch.cat([flattened(shrunk(some, COARSE)) for some in known.split(256)])
    views = [shrunk(seen, FINE), shrunk(seen.flip(2), FINE)]
    shows = views[0].square().mean((1, 2, 3)).sqrt() >= CONTRAST
    alike = [flattened(adaptive_avg_pool2d(view, COARSE)) @ coarse.T for view in views]
    (similarity, nearest), (mirrored_similarity, mirrored_nearest) = (one.max(1) for one in alike)
    is_mirrored = mirrored_similarity > similarity
    nearest = torch.where(is_mirrored, mirrored_nearest, nearest)
    view = torch.where(is_mirrored[:, None, None, None], views[1], views[0])
    return nearest, shows & (moved_correlation(view, shrunk(known[nearest], FINE)) >= NEAR)


def moved_correlation(images: Tensor, others: Tensor) -> Tensor:
    """(N,) the correlation of each of `images` (N, C, H, W) with one of `others`, for the move by up to SHIFT pixels
    with the highest. Neighbouring pixels are averaged, so that a move by half a pixel matters little."""
    images, others = avg_pool2d(images, 2, stride=1), avg_pool2d(others, 2, stride=1)
    height, width = (side - 2 * SHIFT for side in images.shape[2:])
    middle = flattened(others[:, :, SHIFT : SHIFT + height, SHIFT : SHIFT + width])
    moves = itertools.product(range(2 * SHIFT + 1), repeat=2)
    moved = (flattened(images[:, :, y : y + height, x : x + width]) for y, x in moves)
    return torch.stack([(one * middle).sum(1) for one in moved]).amax(0)


def shrunk(images: Tensor, side: int) -> Tensor:
    """uint8 images (N, H, W, C) -> (N, C, side, side) float32, the averages of areas, minus their mean."""
    step = max(1, min(images.shape[1:3]) // (2 * side))  # of a large image, some pixels of each area
    small = adaptive_avg_pool2d(images[:, ::step, ::step].movedim(3, 1).float(), side)
    return small - small.mean((2, 3), keepdim=True)


def flattened(images: Tensor) -> Tensor:
    """Images (N, C, H, W) -> (N, C × H × W) with a mean of 0 in each channel, and a length of 1."""
    return normalize((images - images.mean((2, 3), keepdim=True)).flatten(1))


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


def some_of(count: int, most: int) -> Tensor:
    """The places of at most `most` of `count` images, in order, drawn with a fixed seed."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most].sort().values
