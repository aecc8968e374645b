"""A cache file of resized images, which later runs reuse. If the images exceed the memory, batches are read from it."""

import json
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from proj.data.photos.image_file import REMARKS, Levels, MayPass, Picture, Recipe, read_picture
from proj.errors import UserError
from proj.system.files import remove_unfinished, whole_file
from proj.system.locks import alone
from proj.system.platform import read_at
from proj.system.ranks import is_terminal, say
from proj.wording import agree, how_many

FORMAT = 4  # the version of the file format of `Resized`; files of another version are made anew
LEFT_OUT = "left_out", "may_pass"
HEADER = "proj images {} {}\n"  # filled with FORMAT and the key


class Resized:
    """Images of one shape in one file, which holds, in this order:

    HEADER with `key`, a hash of the source files; the pixels; `sums`, int64 (N, 1 + 2 * channels), see `Picture`, or -1
    for a file that is left out; JSON with the recipe's `levels` and, by the number of the source file, `left_out` (the
    reason), `may_pass` (whether it is `MayPass`), `deep`, `frames` and `cut` (see `Picture`); and the CRC-32 of the
    sums and the JSON, in 4 bytes.
    The file is read, not memory-mapped: mapped pages count as the process's memory, which batch systems limit.
    """

    def __init__(self, path: Path, key: str, files: list[str], recipe: Recipe) -> None:
        """Raises OSError if there is no file; ValueError, without a text if the key or an older format differs, or
        with one if the file is damaged or of a newer version."""
        header = HEADER.format(FORMAT, key).encode()
        self.path, self.files, self.shape = path, files, recipe.shape
        self.start, self.bytes = len(header), math.prod(recipe.shape)
        self.file = open(path, "rb")  # noqa: SIM115 (it stays open as long as the images are used)
        try:
            levels = self._read_end(header)
        except ValueError:
            self.file.close()  # on Windows, an open file cannot be replaced
            raise
        self.recipe = replace(recipe, levels=levels)

    def _read_end(self, header: bytes) -> Levels:
        """Read and check what follows the pixels; return the levels with which they were made."""
        found = read_at(self.file, self.start, 0)
        if found != header:
            known = re.match(rb"proj images (\d+) ", found)
            if known and int(known[1]) > FORMAT:
                raise ValueError(f"{self.path} is of a newer version of this program (format {int(known[1])}).")
            older = re.match(b"[0-9a-f]{128}", found)  # format 1 began with the key
            raise ValueError("" if known or older else f"{self.path} is damaged.")
        width, count = 1 + 2 * self.shape[2], len(self.files)
        end = self.start + count * self.bytes
        content = read_at(self.file, max(0, os.fstat(self.file.fileno()).st_size - end), end)
        sums, remarks, crc = content[: count * width * 8], content[count * width * 8 : -4], content[-4:]
        if zlib.crc32(sums + remarks).to_bytes(4, "little") != crc:
            raise ValueError(f"{self.path} is damaged.")
        self.sums = np.frombuffer(sums, np.int64).reshape(count, width)
        known = json.loads(remarks)
        self.left_out, self.may_pass, self.deep, self.frames, self.cut = (
            {int(number): value for number, value in known.get(name, {}).items()} for name in (*LEFT_OUT, *REMARKS)
        )
        return known["levels"]

    @classmethod
    def from_files(
        cls, path: Path, key: str, files: list[str], recipe: Recipe, find_levels: Callable[["Resized"], Levels]
    ) -> "Resized":
        """The images in the file at `path`, which is written first if necessary; other processes wait for it.

        Files that could not be read, for a reason that `MayPass`, are read again.
        find_levels: returns the levels for deep pixels once all files have been read. If the images were made with
        other levels, those with deep pixels are made again. Raises UserError if the file cannot be written.
        """
        try:
            with alone(path.with_suffix(".lock")):
                try:
                    images = cls(path, key, files, recipe)
                except (OSError, ValueError) as error:
                    if isinstance(error, ValueError) and str(error):
                        say(f"{error} It is made anew.")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write(path, key, files, recipe)
                    images = cls(path, key, files, recipe)
                else:
                    if images.may_pass:
                        images = images.again(key, images.recipe.levels)
                if images.deep and (levels := find_levels(images)) != images.recipe.levels:
                    images = images.again(key, levels)
                return images
        except OSError as error:
            raise UserError(
                f"{path}, {len(files) * math.prod(recipe.shape) / 1e6:,.0f} MB of resized images, could not be written "
                f"({error.strerror}): make room, or name another folder with dataset.cache_dir=…"
            ) from error

    def again(self, key: str, levels: Levels) -> "Resized":
        """The images with these levels, in the same file; see `write`."""
        write(self.path, key, self.files, replace(self.recipe, levels=levels), self)
        return Resized(self.path, key, self.files, self.recipe)

    def read(self, numbers: Tensor) -> Tensor:
        """uint8 (B, height, width, channels), the images with these numbers (B,). A damaged image is made again from
        its source file. Raises UserError if that is no longer possible."""
        images, damaged = np.empty((len(numbers), self.bytes), np.uint8), 0
        right = self.sums[numbers.numpy(), 0].tolist()
        for image, number, crc in zip(images, numbers.tolist(), right, strict=True):
            content = read_at(self.file, self.bytes, self.start + number * self.bytes)
            if zlib.crc32(content) != crc:
                content, damaged = self._mend(number), damaged + 1
            image[:] = np.frombuffer(content, np.uint8)
        if damaged:
            how = agree(damaged, "was made anew from its file", "were made anew from their files")
            say(f"{how_many(damaged, 'damaged image')} in {self.path} {how}.")
        return torch.from_numpy(images.reshape(-1, *self.shape))

    def picture(self, number: int) -> Picture | str:
        """What `read_picture` returned for a file without deep pixels."""
        if number in self.left_out:
            return self.left_out[number]
        (image,) = self.read(torch.tensor([number]))
        remarks = {"frames": self.frames.get(number), "cut": self.cut.get(number)}
        said = {name: value for name, value in remarks.items() if value}
        return Picture(image.numpy().tobytes(), self.sums[number].tolist(), said)

    def _mend(self, number: int) -> bytes:
        """Make an image again from its source file, write it to its place in the cache, and return its bytes."""
        picture = read_picture(self.files[number], self.recipe)
        if isinstance(picture, str) or picture.sums != self.sums[number].tolist():
            raise UserError(
                f"{self.path} is damaged, and {self.files[number]} is not as it was: delete {self.path} and run again."
            )
        with suppress(OSError), open(self.path, "r+b") as file:  # the disk may be read-only
            if os.path.sameopenfile(file.fileno(), self.file.fileno()):  # else another process has replaced the file
                file.seek(self.start + number * self.bytes)
                file.write(picture.pixels)
        return picture.pixels


def pictures(files: list[str], recipe: Recipe, before: Resized | None) -> Iterator[Picture | str]:
    """`read_picture` of each file, in order, in as many threads as torch uses. before: see `write`."""

    def make(number: int) -> Picture | str:
        if before is None or number in before.deep or number in before.may_pass:
            return read_picture(files[number], recipe)
        return before.picture(number)

    batch = 1 + min(10**8 // math.prod(recipe.shape), 1000)  # at most about 100 MB wait to be written
    threads = ThreadPoolExecutor(torch.get_num_threads())
    try:
        for start in range(0, len(files), batch):
            yield from threads.map(make, range(start, min(start + batch, len(files))))
    finally:
        threads.shutdown(cancel_futures=True)  # if it was interrupted, drop the files that are still waiting


def write(path: Path, key: str, files: list[str], recipe: Recipe, before: Resized | None = None) -> None:
    """Read and resize all files, and write the file that `Resized` reads.

    before: the same images, from which those are copied that other levels, or another attempt, would not change.
    """
    sums = np.full((len(files), 1 + 2 * recipe.shape[2]), -1, np.int64)
    remarks: dict = {**{name: {} for name in (*LEFT_OUT, *REMARKS)}, "levels": recipe.levels}
    shown = {"description": "resizing", "total": len(files), "transient": True, "disable": not is_terminal(sys.stdout)}
    remove_unfinished(path.parent, path.name)
    with whole_file(path) as file, closing(pictures(files, recipe, before)) as made:
        file.write(HEADER.format(FORMAT, key).encode())
        for number, picture in enumerate(track(made, **shown)):
            if isinstance(picture, str):
                remarks["left_out"][number] = picture
                if isinstance(picture, MayPass):
                    remarks["may_pass"][number] = True
                file.write(bytes(math.prod(recipe.shape)))
                continue
            sums[number] = picture.sums
            file.write(picture.pixels)
            for name, value in picture.remarks.items():
                remarks[name][number] = value
        if before:
            before.file.close()  # on Windows, an open file cannot be replaced
        end = sums.tobytes() + json.dumps(remarks).encode()
        file.write(end + zlib.crc32(end).to_bytes(4, "little"))


class OnDisk:
    """Takes the place of a uint8 tensor (N, height, width, channels) whose images stay in a file: indexing reads the
    images and moves them to `device`."""

    def __init__(self, images: Resized, numbers: Tensor, device: torch.device | str = "cpu") -> None:
        self.images, self.numbers, self.device = images, numbers, torch.device(device)
        self.shape = torch.Size((len(numbers), *images.shape))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return self.images.read(self.numbers[index.cpu() if isinstance(index, Tensor) else index]).to(self.device)

    def to(self, device: torch.device | str) -> "OnDisk":
        return OnDisk(self.images, self.numbers, device)

    def together(self, parts: Sequence["OnDisk"]) -> "OnDisk":
        return OnDisk(self.images, torch.cat([part.numbers for part in parts]), self.device)
