"""The datamodule for the user's own photos, with one folder for each class."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from proj.data.datamodule import Split, checksum_of
from proj.data.exists import PhotoList
from proj.data.facts import Facts
from proj.data.groups import describe_duplicates, groups_in, has_duplicates, joined, refuse_divided
from proj.data.images import ImageDataModule
from proj.data.listed_photos import images_with_classes
from proj.data.part_names import PARTS
from proj.data.photos.deep_pixels import levels_of
from proj.data.photos.found_images import FoundImage, FoundImages
from proj.data.photos.how_to_sort import how_to_sort
from proj.data.photos.image_file import HEIC, MAX_PIXELS, Levels, Recipe
from proj.data.photos.near_copies import describe_near_copies
from proj.data.photos.remarks import describe_grey, describe_sides, refuse_huge, remarks_on, why_none_is_left
from proj.data.photos.resized import OnDisk, Resized
from proj.data.rare_classes import describe_rare, rare_classes, unknown_classes
from proj.data.splitting import draw_parts
from proj.errors import UserError
from proj.system.names import file_name, readable
from proj.system.ranks import say


class ImageFolderDataModule(ImageDataModule):
    """A folder with one folder for each class, which holds images at any depth; or with a train folder of such folders,
    and val and test folders if there are any. The classes are sorted by name, capitals first.

    labels, target, split: a table that gives the images their classes, and perhaps their parts, and its columns of
    these, see `PhotoList`. A part without images is drawn from the training images with `split_seed`: `test_fraction`
    of every class, then `val_fraction` of the rest. With folds, a fold replaces the first such part.
    size: one number, or [height, width], see `fit_image`; None is 64. channels: 1 or 3.
    memory_limit_mb: if the resized images take more, batches are read from their file in `cache_dir`.
    levels: the values of deep pixels that become black and white; None derives them from the training images.
    max_pixels: larger images are left out; None is MAX_PIXELS. min_examples: see `rare_classes`.
    group: a column of that table, or a regular expression that is searched in the paths below `data_dir`; images of
    equal values or matches are in the same part.
    identical: whether images of equal pixels are kept "together" in one part, as always with folds; or drawn "apart",
    as in runs from before this setting existed.
    """

    checked_by = "proj.data.exists.refuse_absent_photos"
    batch_sizes, batches = (4, 32), 4  # in one step an epoch, a network from random weights hardly learns

    def __init__(
        self,
        data_dir: str,
        size: int | list[int] | None,
        channels: int,
        test_fraction: float,
        memory_limit_mb: float,
        cache_dir: str,
        levels: list[float] | None = None,
        max_pixels: int | None = None,
        group: str | None = None,
        identical: str = "apart",
        min_examples: int | None = None,
        labels: str | None = None,
        target: str | int | None = None,
        split: str | int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.data_dir, self.listing = os.path.abspath(data_dir), PhotoList(labels, target, split, group)
        try:
            self.cache_dir = Path(cache_dir).expanduser()
        except RuntimeError as error:
            raise UserError(f"{error} Name a folder for the resized images with dataset.cache_dir=…") from error
        size = size or 64
        self.shape = (*((size, size) if isinstance(size, int) else size), channels)
        self.test_fraction, self.memory_limit = test_fraction, memory_limit_mb * 1e6
        self.levels = dict.fromkeys("IF", levels) if levels else {}
        self.measures, self.max_pixels = not levels, max_pixels or MAX_PIXELS
        self.known: list[str] | None = None  # set by `load_all`: the classes of the model that is to be measured
        self.identical, self.min_examples = identical, min_examples
        self.evaluation_batch_size = max(1, 2**20 // (self.shape[0] * self.shape[1]))  # 1024 images of 32×32

    def take(self, facts: Facts) -> None:
        super().take(facts)
        channels, height, width = facts.input_shape
        self.shape, self.drawings = (height, width, channels), facts.drawings
        self.levels, self.measures = facts.levels, False

    def load(self) -> None:
        refuse_huge(self.shape, self.batch_size or 32)
        found = images_with_classes(self.data_dir, self.listing, self.known)
        say(*found.said)
        if self.known is None:
            if len(found.class_names) == 1:
                how = "name another column with dataset.target=…" if self.listing.labels else how_to_sort(self.data_dir)
                only = f"there is only {found.class_names[0]} in {self.listing.labels or self.data_dir}: {how}"
                raise UserError(f"a classifier needs at least two classes, and {only}")
            found = self._without_rare(found)
        else:
            self.left_out = unknown_classes([image.label for image in found.images], self.known)
            found = found.without(self.left_out)
        self.class_names, self.files = found.class_names, [image.file for image in found.images]
        places = {name: place for place, name in enumerate(self.class_names)}
        targets = torch.tensor([places[image.label] for image in found.images])
        part_of = torch.tensor([PARTS.index(image.part) for image in found.images])
        groups = self._groups(found.images)
        self._parts(targets, part_of, groups)  # raises errors on the classes before all images are read
        parts_of = partial(self._parts_of_readable, targets, part_of, groups)

        def find_levels(images: Resized) -> Levels:
            # With folds, the levels come from all images, so that all folds share one cache file and the same pixels.
            train = range(len(self.files))
            with suppress(UserError):  # it is raised again below, after the images that cannot be read are named
                train = train if self.fold else parts_of(images)["train"].tolist()
            return levels_of(filter(None, map(images.deep.get, train))) if self.measures else self.levels

        recipe = Recipe(self.shape, self.drawings, self.levels, self.max_pixels)
        key = found.key(self.data_dir, self.shape, self.max_pixels, HEIC)
        images = Resized.from_files(self._cache_file(), key, self.files, recipe, find_levels)
        self.levels = images.recipe.levels if images.deep else self.levels
        say(*remarks_on(images, self.data_dir, self.levels))
        read = (images.sums[:, 0] >= 0).nonzero()[0]
        say(*describe_grey(images.sums[read], targets[read].numpy(), self.class_names))
        self.numbers = parts = parts_of(images, describe=True)
        fits = sum(map(len, parts.values())) * images.bytes <= self.memory_limit
        take = images.read if fits else partial(OnDisk, images)
        self.splits = {name: Split(take(part), targets[part]) for name, part in parts.items()}
        if self.known is None:
            files = {name: [self.files[number] for number in part.tolist()] for name, part in parts.items()}
            drawn = {*PARTS} - {image.part for image in found.images}
            say(*describe_near_copies(self.splits, files if self.listing.group is None else None, drawn, self.example))
            say(*describe_sides(self.class_names if self.flip else []))
        channels, height, width = self.input_shape = (self.shape[2], *self.shape[:2])
        sums = images.sums[parts["train"].numpy(), 1:].sum(0).reshape(2, channels)
        self.set_scale(torch.from_numpy(sums), len(parts["train"]) * height * width)
        # The checksum of the data is made from the images' checksums, so that no image has to be read again.
        checksums = torch.from_numpy(images.sums[:, 0].copy())
        sides = [torch.cat([*parts.values()]).sort().values] if self.fold else parts.values()
        self.whole = checksum_of(*(tensor for part in sides for tensor in (checksums[part], targets[part])))

    def _parts_of_readable(
        self, targets: Tensor, part_of: Tensor, groups: np.ndarray | None, images: Resized, describe: bool = False
    ) -> dict[str, Tensor]:
        """The numbers of the images in each part, without unreadable ones; identical images are kept together if asked.
        describe: whether to print which images are identical."""
        numbers = (images.sums[:, 0] >= 0).nonzero()[0]
        lost = {*part_of.tolist()} - {*part_of[numbers].tolist()}
        if lost and self.known is None:  # else the part would silently be drawn from the training images
            raise UserError(why_none_is_left(images, part_of, min(lost), self.data_dir))
        together, sums = None if groups is None else groups[numbers], images.sums[numbers]
        if (self.fold or self.identical == "together") and self.known is None and has_duplicates(sums[:, 0]):
            # The sums are compared, too, since among many images some have equal checksums by chance.
            marks = np.unique(sums, axis=0, return_inverse=True)[1].ravel()
            paths = self._paths()[numbers]
            together = joined(paths if together is None else together, marks)
            if describe and has_duplicates(marks):
                say(*describe_duplicates(marks, targets[numbers], part_of[numbers], paths))
        parts = self._parts(targets[numbers], part_of[numbers], together)
        return {name: torch.from_numpy(numbers)[part] for name, part in parts.items()}

    def load_all(self, columns: None, class_names: list[str]) -> None:
        self.known = class_names
        super().load_all(columns, class_names)

    def file_of(self, split: str, index: int) -> str:
        return self.files[self.numbers[split][index]]

    def example(self, split: str, index: int) -> str:
        return self._paths([self.file_of(split, index)])[0]

    def _groups(self, images: list[FoundImage]) -> np.ndarray | None:
        if self.listing.group is None or self.known is not None:
            return None
        parts, groups = [image.part for image in images], [image.group for image in images]
        if not any(groups):
            groups = groups_in(self._paths([image.file for image in images]), str(self.listing.group))
        refuse_divided(groups, parts)
        return np.array(groups, dtype=object)

    def _without_rare(self, found: FoundImages) -> FoundImages:
        """Leave out classes with too few training images, or groups of them, for each part that is drawn to get one."""
        drawn = {*PARTS} - {image.part for image in found.images}
        train = [image for image in found.images if image.part == "train"]
        labels, fold = [image.label for image in train], self.fold if drawn else None
        rare = rare_classes(labels, self._groups(train), 1 + len(drawn), fold, self.min_examples)
        if rare:
            say(describe_rare(rare, sum(image.label in rare for image in found.images)))
        return found.without(rare)

    def _paths(self, files: Sequence[str] | None = None) -> np.ndarray:
        """(N,) the paths of these files relative to `data_dir`; None takes all files."""
        within = (file[len(self.data_dir) :].replace(os.sep, "/").lstrip("/") for file in files or self.files)
        return np.array([*map(readable, within)], dtype=object)

    def _cache_file(self) -> Path:
        """The file in which the resized images are cached."""
        folder = hashlib.blake2b(os.fsencode(self.data_dir), digest_size=4).hexdigest()
        shape = "x".join(map(str, self.shape)) + ("-drawings" if self.drawings else "")
        return self.cache_dir / f"{file_name(os.path.basename(self.data_dir), 25)}-{shape}-{folder}.images"

    def _parts(self, targets: Tensor, part_of: Tensor, groups: np.ndarray | None) -> dict[str, Tensor]:
        """The indices of each part: it either has a folder, or is drawn from the training images."""
        given = {name: (part_of == number).nonzero().flatten() for number, name in enumerate(PARTS)}
        if self.known is not None:
            return given
        fractions = {name: getattr(self, f"{name}_fraction") for name in ("test", "val") if not len(given[name])}
        if self.fold and not fractions:
            given = f"{self.data_dir} has val and test sets of its own"
            raise UserError(f"{given}, so that no part is left for dataset.folds: make one of them training images.")
        train, self.fold_part = given["train"], next(iter(fractions), "test")
        groups_to_draw = None if groups is None else groups[train.numpy()]
        how = self.split_seed, groups_to_draw, self.fold, "different image" if self.listing.group is None else "group"
        drawn = draw_parts(targets[train], self.class_names, fractions, *how)
        return {name: train[drawn[name]] if name in drawn else given[name] for name in PARTS}
