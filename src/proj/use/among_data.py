"""Keeps what evaluate and predict write out of users' folders of photos and of tables.

The next training would take such a picture for a photo, the folder that holds it for a class, and a list for a table.
"""

import glob
import os
from collections.abc import Mapping
from pathlib import Path

from proj.errors import UserError
from proj.system.folders import is_of_a_run


def refuse_among_data(folder: Path, option: str, dataset: Mapping, data_dir: str = "") -> None:
    """Raises UserError if files are to be written where a training would read them as photos or tables.

    folder: where the files are to be written. option: the option by which the user can name another place.
    dataset: the settings of the training's data. data_dir: the folder of other data that is measured, or "".
    """
    kind = str(dataset.get("_target_")).rpartition(".")[2]
    is_read = {"ImageFolderDataModule": lies_in, "CSVDataModule": lies_among_tables}.get(kind)
    for place in filter(None, (dataset.get("data_dir"), data_dir)):
        if is_read and is_read(folder, str(place)):
            where = f"{folder} lies in {os.path.realpath(place)}, and the next training would read its files as data"
            raise UserError(f"{where}: name another place with {option}=…")


def lies_among_tables(folder: Path, data_dir: str) -> bool:
    """Whether a list in a folder is read as a table where data_dir, a folder or a pattern, names the tables."""
    place = os.path.realpath(data_dir)
    pattern = os.path.join(glob.escape(place), "*.csv") if os.path.isdir(place) else place
    return not is_of_a_run(str(folder)) and (folder.resolve() / "list.csv").match(pattern)


def lies_in(place: Path, folder: str) -> bool:
    """Whether what is written at `place` is found when the folder is read: not in a run's folder inside of it."""
    place, folder = place.resolve(), os.path.realpath(folder) if os.path.isdir(folder) else "-"
    within = [one for one in (place, *place.parents) if one.is_relative_to(folder)]
    return bool(within) and not any(is_of_a_run(str(one)) for one in within)
