"""Photos of one's own: a folder a class."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from proj.data.datamodule import Split, draw_parts
from proj.data.facts import Facts
from proj.data.images import ImageDataModule
from proj.data.resized import OnDisk, Resized
from proj.errors import UserError
from proj.system.platform import WINDOWS, file_name, readable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def folders_in(folder: str) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def stamp(path: str, stat: os.stat_result) -> tuple[int, int, int]:
    """What is another when a file is: its bytes, its time, and the system's own time of its last change.

    `cp -p` and `rsync -t` keep the first two and cannot keep the third. Windows, memory cards and some network disks
    have no such time: there it is the CRC-32 of three parts of the file, 4 KB at its beginning, middle and end. In
    compressed pictures a change reaches them all.
    """
    changed = stat.st_ctime_ns
    if WINDOWS or changed == stat.st_mtime_ns:  # equal also for a file that was just written
        changed = 0
        with suppress(OSError), open(path, "rb", buffering=0) as file:
            for start in (0, stat.st_size // 2, max(0, stat.st_size - 4096)):
                file.seek(start)
                changed = zlib.crc32(file.read(4096), changed)
    return stat.st_size, stat.st_mtime_ns, changed


def images_in(folder: str) -> Iterator[tuple[str, int, int, int]]:
    """(path, *`stamp`) of each image in a folder and below it, hidden ones left out."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from images_in(entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            stat = entry.stat(follow_symlinks=entry.is_file())  # of the link itself where it leads nowhere
            yield entry.path, *stamp(entry.path, stat)


class ImageFolderDataModule(ImageDataModule):
    """A folder with a folder of images for each class, or with train, val and test folders that hold such, of which one
    or both of the last may be missing. Images may lie deeper. The classes are in the order of their names.

    A part without a folder is drawn from the training images with `split_seed`: `test_fraction` of every class, then
    `val_fraction` of the rest. size: one number, or height and width; see `read_image`. channels: 1 or 3.
    memory_limit_mb: images that take more stay in their file in `cache_dir` and are read a batch at a time.
    """

    def __init__(
        self,
        data_dir: str,
        size: int | list[int],
        channels: int,
        test_fraction: float,
        memory_limit_mb: float,
        cache_dir: str,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.data_dir = os.path.abspath(data_dir)
        try:
            self.cache_dir = Path(cache_dir).expanduser()
        except RuntimeError as error:
            raise UserError(f"{error} Name a folder for the resized images with dataset.cache_dir=…") from error
        self.shape = (*((size, size) if isinstance(size, int) else size), channels)
        self.test_fraction, self.memory_limit = test_fraction, memory_limit_mb * 1e6
        self.draws = True  # the parts that have no folder
        self.evaluation_batch_size = max(1, 2**20 // (self.shape[0] * self.shape[1]))  # the pixels of 1024 of 32×32

    def take(self, facts: Facts) -> None:
        super().take(facts)
        channels, height, width = facts.input_shape
        self.shape, self.drawings = (height, width, channels), facts.drawings

    def load(self) -> None:
        files, targets, part_of, key = self._find()
        self._parts(targets, part_of)  # refuses the classes before all is read
        folder = hashlib.blake2b(os.fsencode(self.data_dir), digest_size=4).hexdigest()
        shape = "x".join(map(str, self.shape)) + "-drawings" * self.drawings
        name = f"{file_name(os.path.basename(self.data_dir), 25)}-{shape}-{folder}.images"
        images = Resized.from_files(self.cache_dir / name, key, files, self.shape, self.drawings)
        self._list(images.left_out, files)
        numbers = torch.from_numpy(images.facts[:, 0] >= 0).nonzero().flatten()
        parts = {name: numbers[part] for name, part in self._parts(targets[numbers], part_of[numbers]).items()}
        self.files, self.numbers = files, parts
        fits = len(numbers) * images.bytes <= self.memory_limit
        self.splits = {
            name: Split(images.read(part) if fits else OnDisk(images, part), targets[part])
            for name, part in parts.items()
        }
        height, width, channels = self.shape
        self.input_shape = (channels, height, width)
        totals = images.facts[parts["train"], 1:].sum(0).reshape(2, channels)
        mean, square = totals / (len(parts["train"]) * height * width)
        self.mean = self.mean or (mean / 255).tolist()
        self.std = self.std or (np.sqrt(square - mean**2) / 255).clip(1e-6).tolist()
        examples = [array for part in parts.values() for array in (images.facts[part, 0], targets[part])]
        self._checksum = f"{zlib.crc32(np.concatenate(examples)):08x}"

    def load_all(self, columns: list[dict] | None, class_names: list[str]) -> None:
        self.draws = False
        super().load_all(columns, class_names)
        self.numbers = {"test": torch.cat([*self.numbers.values()])}

    def file_of(self, split: str, index: int) -> str:
        return self.files[self.numbers[split][index]]

    def checksum(self) -> str:
        """Of the images' own checksums and the targets: nothing is read again."""
        return self._checksum

    def _find(self) -> tuple[list[str], Tensor, Tensor, str]:
        """All images: paths, targets and parts (0, 1, 2 for train, val, test), and a key that names them.

        Raises UserError where a folder cannot be read, or holds no class folders or images.
        """
        files, targets, part_of = [], [], []
        key = hashlib.blake2b(repr(self.shape).encode())
        try:
            folders = self._folders()
            self.class_names = [readable(name) for name in folders_in(folders["train"])]
            for part, folder in folders.items():
                for name in folders_in(folder):
                    if readable(name) not in self.class_names:
                        raise UserError(f"{folder} has a class {name}, which {folders['train']} has not.")
                    for path, *stamp in images_in(os.path.join(folder, name)):
                        key.update(os.fsencode(path[len(self.data_dir) :]) + repr(stamp).encode())
                        files.append(path)
                        targets.append(self.class_names.index(readable(name)))
                        part_of.append(list(PARTS).index(part))
        except OSError as error:
            raise UserError(
                f"{error.filename} cannot be read ({error.strerror}). Name the folder that holds a folder of images "
                "for each class with data_dir=path/to/photos"
            ) from error
        if not files or {name.lower() for name in self.class_names} <= {*chain(*PARTS.values())}:
            raise UserError(
                f"{self.data_dir} holds no class folders with images ({' '.join(SUFFIXES)}): put those of each class "
                "into a folder that is named as the class, or name another folder with data_dir=path/to/photos"
            )
        return files, torch.tensor(targets), torch.tensor(part_of), key.hexdigest()

    def _folders(self) -> dict[str, str]:
        """The folders of "train", "val" and "test"; {"train": data_dir} if the classes lie right in it.

        Raises UserError where it could be either, or a part has two folders.
        """
        found, others = {part: [] for part in PARTS}, []
        for name in folders_in(self.data_dir):
            folder = os.path.join(self.data_dir, name)
            parts = [part for part, names in PARTS.items() if name.lower() in names and folders_in(folder)]
            (found[parts[0]] if parts else others).append(folder)
        if not found["train"]:
            return {"train": self.data_dir}
        if twice := [folders for folders in found.values() if len(folders) > 1]:
            raise UserError(f"{' and '.join(twice[0])} are for the same part: put their images into one of them.")
        others = [folder for folder in others if any(images_in(folder))]
        train = found["train"][0]
        if not others:
            return {part: folders[0] for part, folders in found.items() if folders}
        loose = any(os.path.dirname(path) == train for path, *_ in images_in(train))
        if loose and not found["val"] + found["test"]:
            return {"train": self.data_dir}  # a class that is called train
        raise UserError(
            f"{others[0]} is a class beside {train}, which holds folders as for a part: move all other folders away if "
            f"{train} is the training part, or put its images right into it if it is a class."
        )

    def _parts(self, targets: Tensor, part_of: Tensor) -> dict[str, Tensor]:
        """Indices of the three parts: those that have a folder, and those that are drawn."""
        given = {name: (part_of == number).nonzero().flatten() for number, name in enumerate(PARTS)}
        if not self.draws:
            return given
        fractions = {"test": self.test_fraction, "val": self.val_fraction}
        fractions = {name: fraction for name, fraction in fractions.items() if not len(given[name])}
        drawn = draw_parts(targets[given["train"]], self.class_names, fractions, self.split_seed)
        return {name: given["train"][drawn[name]] if name in drawn else given[name] for name in PARTS}

    @rank_zero_only
    def _list(self, left_out: dict[int, str], files: list[str]) -> None:
        if left_out:
            print(f"{len(left_out):,} of {len(files):,} images cannot be read and are left out:")
        for number, why in list(left_out.items())[:10]:
            print(f"    {os.path.relpath(files[number], self.data_dir)}: {why}")
        if len(left_out) > 10:
            print(f"    and {len(left_out) - 10:,} more")
