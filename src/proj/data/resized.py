"""Image files of any size: read, resized once, and kept in a file that the next start finds."""

import json
import os
import re
import sys
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from proj.data.image_file import read_image
from proj.errors import UserError
from proj.system.files import remove_unfinished, whole_file
from proj.system.locks import alone
from proj.system.platform import read_at

FORMAT = 2  # of what `Resized` reads; another number has every folder read anew
HEADER = "proj images {} {}\n"  # with the format's number and the key


def measured(file: str, shape: tuple[int, int, int], drawings: bool) -> tuple[bytes, list[int]] | str:
    """The bytes of `read_image` with their CRC-32, sums and sums of squares per channel; or why there are none."""
    try:
        pixels = read_image(file, shape[:2], shape[2], drawings)
    except Exception as error:
        why = getattr(error, "strerror", None) or str(error).replace(f" {file!r}", "")
        return " ".join(why.split()) or type(error).__name__
    flat = pixels.reshape(-1, shape[2]).astype(np.int64)
    return pixels.tobytes(), [zlib.crc32(pixels), *flat.sum(0).tolist(), *(flat**2).sum(0).tolist()]


class Resized:
    """Images of one shape (height, width, channels) in one file: HEADER with `key`, which names the files that they
    were made of; the pixels; `facts`, (N, 1 + 2 * channels) int64 as in `measured`, -1 for a file that is left out;
    `left_out`, {number of the file: why}, as JSON; and the CRC-32 of these two in 4 bytes.

    They are read, not mapped: a mapped file counts as the process's memory, which batch systems limit.
    """

    def __init__(
        self, path: Path, key: str, files: list[str], shape: tuple[int, int, int], drawings: bool = False
    ) -> None:
        """Raises OSError if there is no file, ValueError if it has another key or is damaged, which its text says."""
        header = HEADER.format(FORMAT, key).encode()
        self.path, self.files, self.shape, self.drawings = path, files, shape, drawings
        self.start, self.bytes = len(header), int(np.prod(shape))
        self.file = open(path, "rb")  # noqa: SIM115 (open as long as the images are used)
        try:
            self._read_facts(header)
        except ValueError:
            self.file.close()  # Windows replaces no file that is open
            raise

    def _read_facts(self, header: bytes) -> None:
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
        facts, left_out, crc = content[: count * width * 8], content[count * width * 8 : -4], content[-4:]
        if zlib.crc32(facts + left_out).to_bytes(4, "little") != crc:
            raise ValueError(f"{self.path} is damaged.")
        self.facts = np.frombuffer(facts, np.int64).reshape(count, width)
        self.left_out = {int(number): why for number, why in json.loads(left_out).items()}

    @classmethod
    def from_files(
        cls, path: Path, key: str, files: list[str], shape: tuple[int, int, int], drawings: bool
    ) -> "Resized":
        """The images at `path`, made now where they are not there; a process that comes meanwhile waits.

        drawings: whether they are read for a model of drawings; see `fit_image`.

        Raises UserError where there is no room for them.
        """
        try:
            with alone(path.with_suffix(".lock")):
                try:
                    return cls(path, key, files, shape, drawings)
                except OSError:
                    pass
                except ValueError as error:
                    if str(error):
                        print(f"{error} It is made anew.")
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, key, files, shape, drawings)
                return cls(path, key, files, shape, drawings)
        except OSError as error:
            raise UserError(
                f"{path}, {len(files) * np.prod(shape) / 1e6:,.0f} MB of resized images, could not be written "
                f"({error.strerror}): make room, or name another folder with dataset.cache_dir=…"
            ) from error

    def read(self, numbers: Tensor) -> Tensor:
        """(B, height, width, channels) uint8 images with these numbers (B,), a damaged one made from its file again.

        Raises UserError where that is no longer possible.
        """
        images, damaged = np.empty((len(numbers), self.bytes), np.uint8), 0
        right = self.facts[numbers.numpy(), 0].tolist()
        for image, number, crc in zip(images, numbers.tolist(), right, strict=True):
            content = read_at(self.file, self.bytes, self.start + number * self.bytes)
            if zlib.crc32(content) != crc:
                content, damaged = self._mend(number), damaged + 1
            image[:] = np.frombuffer(content, np.uint8)
        if damaged:
            print(f"{damaged:,} damaged images in {self.path} were made anew from their files.")
        return torch.from_numpy(images.reshape(-1, *self.shape))

    def _mend(self, number: int) -> bytes:
        """Make an image from its file again, put it in its place, and return its bytes."""
        made = measured(self.files[number], self.shape, self.drawings)
        if isinstance(made, str) or made[1] != self.facts[number].tolist():
            raise UserError(
                f"{self.path} is damaged, and {self.files[number]} is not as it was: delete {self.path} and run again."
            )
        with suppress(OSError), open(self.path, "r+b") as file:  # it may be on a disk that can only be read
            if os.path.sameopenfile(file.fileno(), self.file.fileno()):  # not made anew by another process
                file.seek(self.start + number * self.bytes)
                file.write(made[0])
        return made[0]


def write(path: Path, key: str, files: list[str], shape: tuple[int, int, int], drawings: bool) -> None:
    """Read and resize all files in as many threads as torch uses, and write what `Resized` reads."""
    facts, left_out = np.full((len(files), 1 + 2 * shape[2]), -1, np.int64), {}
    batch = 1 + min(10**8 // np.prod(shape), 1000)  # what may wait to be written: 100 MB
    threads, quiet = ThreadPoolExecutor(torch.get_num_threads()), not sys.stdout.isatty()
    read = partial(measured, shape=shape, drawings=drawings)
    remove_unfinished(path.parent, path.name)
    try:
        with whole_file(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd files that it reads nevertheless
            made = (
                image
                for start in range(0, len(files), batch)
                for image in threads.map(read, files[start : start + batch])
            )
            file.write(HEADER.format(FORMAT, key).encode())
            for number, image in enumerate(track(made, "resizing", len(files), transient=True, disable=quiet)):
                if isinstance(image, str):
                    left_out[number] = image
                    file.write(bytes(np.prod(shape)))
                else:
                    facts[number] = image[1]
                    file.write(image[0])
            about = facts.tobytes() + json.dumps(left_out).encode()
            file.write(about + zlib.crc32(about).to_bytes(4, "little"))
    finally:
        threads.shutdown(cancel_futures=True)  # where it was interrupted


class OnDisk:
    """uint8 images (N, height, width, channels) that stay in a file, in the place of a tensor: those that it is indexed
    with are read to `device`."""

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
