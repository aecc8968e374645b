"""No picture is drawn among a person's photos: the next training would take it for one, and its folder for a class."""

import os
from collections.abc import Mapping
from pathlib import Path

from proj.errors import UserError
from proj.system.folders import is_of_a_run


def refuse_among_photos(folder: Path, option: str, dataset: Mapping, data_dir: str = "") -> None:
    """Raises UserError where pictures would be written into a folder of photos, but for a run's folder in it, which no
    training takes for a class.

    folder: where they go. option: that names another place. dataset: the settings of the training's data. data_dir: of
    other photos, or "".
    """
    if not str(dataset.get("_target_")).endswith("ImageFolderDataModule"):
        return
    place = folder.resolve()
    for photos in (Path(one).resolve() for one in (str(dataset["data_dir"]), data_dir) if os.path.isdir(one)):
        within = [one for one in (place, *place.parents) if one.is_relative_to(photos)]
        if within and not any(is_of_a_run(str(one)) for one in within):
            raise UserError(
                f"{folder} lies in {photos}, and the next training would take its pictures for photos: name another "
                f"place with {option}=…"
            )
