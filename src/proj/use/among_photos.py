"""Keeps plots and other pictures out of users' folders of photos.

The next training would take such a picture for a photo, and the folder that holds it for a class.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from proj.errors import UserError
from proj.system.folders import is_of_a_run


def refuse_among_photos(folder: Path, option: str, dataset: Mapping, data_dir: str = "") -> None:
    """Raises UserError if pictures are to be written into a folder of photos. A run's folder inside it is allowed,
    since no training takes that for a class.

    folder: where the pictures are to be written. option: the option by which the user can name another place.
    dataset: the settings of the training's data. data_dir: the folder of other photos that are measured, or "".
    """
    if not str(dataset.get("_target_")).endswith("ImageFolderDataModule"):
        return
    for photos in (str(dataset["data_dir"]), data_dir):
        if lies_in(folder, photos):
            raise UserError(
                f"{folder} lies in {os.path.realpath(photos)}, and the next training would read its pictures as "
                f"photos: name another place with {option}=…"
            )


def lies_in(place: Path, folder: str) -> bool:
    """Whether what is written at `place` is found when the folder is read: not in a run's folder inside of it."""
    place, folder = place.resolve(), os.path.realpath(folder) if os.path.isdir(folder) else "-"
    within = [one for one in (place, *place.parents) if one.is_relative_to(folder)]
    return bool(within) and not any(is_of_a_run(str(one)) for one in within)
