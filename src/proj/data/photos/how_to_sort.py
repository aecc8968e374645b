"""What to do with photos that do not lie in a folder for each class."""

import os
from contextlib import suppress

from proj.errors import UserError, first_of
from proj.system.folders import entries_in
from proj.system.names import readable

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")


def by_a_list(data_dir: str) -> str:
    """What to do with a table that may list the classes of images, in their folder, beside it, or in its place."""
    files, (above, name) = list[os.DirEntry](), os.path.split(data_dir)
    with suppress(OSError):  # it may not be there, or not be a folder
        files += [entry for entry in entries_in(above) if entry.name.startswith(name)]
        files += entries_in(data_dir)
    tables = [readable(entry.path) for entry in files if entry.name.lower().endswith((".csv", ".tsv", ".xlsx"))]
    if not tables:
        return ""
    return f" (if {tables[-1]} lists the class of each image, docs/data.md makes the folders by it)"


def archives_in(place: str) -> list[str]:
    """The archives in a folder, or the one in its place."""
    names = [os.path.basename(place)]
    if os.path.isdir(place):
        names = [entry.name for entry in entries_in(place) if not entry.is_dir()]
    return [readable(name) for name in names if name.lower().endswith(ARCHIVES)]


def how_to_sort(data_dir: str) -> str:
    if packed := archives_in(data_dir):
        return f"unpack {first_of(packed, 3)}, and name the folder that comes out of it with data_dir=path/to/photos"
    return (
        f"put the images of each class into a folder that is named as the class{by_a_list(data_dir)}, or name another "
        "folder with data_dir=path/to/photos"
    )


def refuse_single(class_names: list[str], data_dir: str) -> None:
    """Raises UserError for a single class, of which nothing can be learned."""
    if len(class_names) == 1:
        raise UserError(
            f"a classifier takes two classes or more, and there is {class_names[0]} alone in {data_dir}: "
            f"{how_to_sort(data_dir)}"
        )
