"""Image files of any size: read, resized once, and kept in a file that the next start finds."""

import contextlib
import json
import os
import sys
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from proj.data.image_file import read_image
from proj.errors import UserError
from proj.lock import alone


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
    """Images of one shape (height, width, channels) in one file: `key`, which names the files that they were made of;
    the pixels; `facts`, (N, 1 + 2 * channels) int64 as in `measured`, -1 for a file that is left out; and `left_out`,
    {number of the file: why}, as JSON.

    They are read, not mapped: a mapped file counts as the process's memory, which batch systems limit.
    """

    def __init__(self, path: Path, key: str, count: int, shape: tuple[int, int, int]) -> None:
        """Raises OSError if there is no file, ValueError if it has another key."""
        self.shape, self.start, self.bytes = shape, len(key), int(np.prod(shape))
        self.file = open(path, "rb")  # noqa: SIM115 (open as long as the images are used)
        if self.file.read(self.start) != key.encode():
            raise ValueError(f"{path} was made from other files")
        self.file.seek(self.start + count * self.bytes)
        width = 1 + 2 * shape[2]
        self.facts = np.frombuffer(self.file.read(count * width * 8), np.int64).reshape(count, width)
        self.left_out = {int(number): why for number, why in json.load(self.file).items()}

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
                with contextlib.suppress(OSError, ValueError):
                    return cls(path, key, len(files), shape)
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, key, files, shape, drawings)
                return cls(path, key, len(files), shape)
        except OSError as error:
            raise UserError(
                f"{path}, {len(files) * np.prod(shape) / 1e6:,.0f} MB of resized images, could not be written "
                f"({error.strerror}): make room, or name another folder with dataset.cache_dir=…"
            ) from error

    def read(self, numbers: Tensor) -> Tensor:
        """(B, height, width, channels) uint8 images with these numbers (B,)."""
        images = np.empty((len(numbers), *self.shape), np.uint8)
        for image, number in zip(images, numbers.tolist(), strict=True):
            os.preadv(self.file.fileno(), [image], self.start + number * self.bytes)
        return torch.from_numpy(images)


def write(path: Path, key: str, files: list[str], shape: tuple[int, int, int], drawings: bool) -> None:
    """Read and resize all files in as many threads as torch uses, and write what `Resized` reads."""
    facts, left_out = np.full((len(files), 1 + 2 * shape[2]), -1, np.int64), {}
    batch = 1 + min(10**8 // np.prod(shape), 1000)  # what may wait to be written: 100 MB
    threads, temporary = ThreadPoolExecutor(torch.get_num_threads()), path.with_suffix(".tmp")
    read, quiet = partial(measured, shape=shape, drawings=drawings), not sys.stdout.isatty()
    try:
        with open(temporary, "wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd files that it reads nevertheless
            made = (
                image
                for start in range(0, len(files), batch)
                for image in threads.map(read, files[start : start + batch])
            )
            file.write(key.encode())
            for number, image in enumerate(track(made, "resizing", len(files), transient=True, disable=quiet)):
                if isinstance(image, str):
                    left_out[number] = image
                    file.write(bytes(np.prod(shape)))
                else:
                    facts[number] = image[1]
                    file.write(image[0])
            file.write(facts.tobytes() + json.dumps(left_out).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        threads.shutdown(cancel_futures=True)  # where it was interrupted
        temporary.unlink(missing_ok=True)


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
