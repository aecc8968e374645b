"""The images of a user, each with its class and its part."""

import hashlib
import os
from collections.abc import Collection
from typing import NamedTuple


class FoundImage(NamedTuple):
    file: str
    stamp: tuple[int, int, int]  # see `stamp`
    label: str  # the name of its class
    part: str  # one of PARTS
    group: str = ""  # the value that a table gives it in the column dataset.group, if it has that


class FoundImages(NamedTuple):
    """The images in a folder, the class names in order, and lines that tell the user what is left out."""

    images: list[FoundImage]
    class_names: list[str]
    said: list[str]

    def without(self, classes: Collection[str]) -> "FoundImages":
        """The same without the images of some classes."""
        images = [image for image in self.images if image.label not in classes]
        return FoundImages(images, [name for name in self.class_names if name not in classes], self.said)

    def key(self, data_dir: str, *how: object) -> str:
        """A hash of the files' paths below `data_dir`, of their stamps, and of how they are read."""
        key = hashlib.blake2b(repr(how).encode())
        for image in self.images:
            key.update(os.fsencode(image.file[len(data_dir) :]) + repr(image.stamp).encode())
        return key.hexdigest()
