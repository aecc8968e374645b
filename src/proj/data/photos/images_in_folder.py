"""Decides which files in a user's folder are images."""

import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from PIL import Image

from proj.data.photos.image_file import FORMATS, HEIC_START, RAW
from proj.system.folders import entries_in, everything_in, stamp
from proj.system.names import readable
from proj.wording import first_of

# Files with these suffixes are read, or reported as damaged. Any other file is an image if its first bytes say so.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif", ".heic", ".tga")


def is_start_of_image(start: bytes) -> bool:
    """Whether these 16 bytes are the beginning of an image in one of FORMATS."""
    if re.match(HEIC_START, start, re.S):  # also where the package that reads them is missing
        return True
    for kind in FORMATS:
        begins = Image.OPEN[kind][1]
        with suppress(IndexError, struct.error):  # a file of a few bytes
            if begins and begins(start) is True:
                return True
    return False


def is_image(entry: os.DirEntry) -> bool:
    """Whether a file is an image by its suffix, or else by its first bytes."""
    name = entry.name.lower()
    if name.endswith((*SUFFIXES, *RAW)):
        return name.endswith(SUFFIXES) and entry.is_file()
    with suppress(OSError):  # the file may be unreadable
        if entry.is_file():
            with open(entry.path, "rb", buffering=0) as file:
                return is_start_of_image(file.read(16))
    return False


def loose_images(folder: str) -> list[str]:
    """The images that lie directly in a folder."""
    return [entry.path for entry in entries_in(folder) if not entry.is_dir() and is_image(entry)]


def files_in(folder: str, wanted: Callable[[os.DirEntry], bool], others: Counter[str]) -> Iterator[os.DirEntry]:
    """The wanted files at any depth in a folder. Broken links count as wanted, so that they are reported later when
    they cannot be opened. The suffixes of all other files are counted in `others`."""
    for entry in everything_in(folder):
        if wanted(entry) or (entry.is_symlink() and not os.path.exists(entry.path)):
            yield entry
        else:
            others[ending(entry.name)] += 1


def images_in(folder: str, others: Counter[str]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """(path, `stamp`) of each image at any depth in a folder; see `files_in`."""
    for entry in files_in(folder, is_image, others):
        yield entry.path, stamp(entry.path, entry.stat(follow_symlinks=entry.is_file()))


def ending(name: str) -> str:
    return readable(os.path.splitext(name)[1].lower()) or "without an ending"


def listed_counts(counts: Counter[str]) -> str:
    return first_of([f"{count:,} {what}" for what, count in counts.most_common()], 10)
