"""What lies in a person's folder, without what systems leave there."""

import os
from collections.abc import Iterator
from pathlib import PurePath

from proj.system.platform import is_companion


def entries_in(folder: str) -> list[os.DirEntry]:
    """Files and folders by their names, without hidden ones, those that systems leave, and links to folders above."""
    found = (entry for entry in os.scandir(folder) if not (is_companion(entry.name) or leads_back(entry, folder)))
    return sorted(found, key=lambda entry: entry.name)


def leads_back(entry: os.DirEntry, folder: str) -> bool:
    """Whether an entry of a folder is a link to that folder or one above it, in which all would be found again."""
    return entry.is_symlink() and PurePath(os.path.realpath(folder)).is_relative_to(os.path.realpath(entry.path))


def everything_in(folder: str) -> Iterator[os.DirEntry]:
    """What lies in a folder and below it, but for the folders themselves."""
    for entry in entries_in(folder):
        if entry.is_dir():
            yield from everything_in(entry.path)
        else:
            yield entry


def folders_in(folder: str) -> list[str]:
    return [entry.path for entry in entries_in(folder) if entry.is_dir()]
