"""Says where evaluate and predict may write: not over another evaluation, and not among photos or tables.

The next training would take such a picture for a photo, the folder that holds it for a class, and a list for a table.
"""

import glob
import os
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path

from proj.data.tables.table_files import without_ending
from proj.errors import UserError
from proj.system.folders import is_of_a_run
from proj.system.names import file_name
from proj.system.run_folder import read_flat


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
    if not os.path.isdir(folder):
        return False
    place, folder = place.resolve(), os.path.realpath(folder)
    within = [one for one in (place, *place.parents) if one.is_relative_to(folder)]
    return bool(within) and not any(is_of_a_run(str(one)) for one in within)


def name_of_files(
    folder: Path, checkpoint: Path, dataset: str, place: tuple[str, str] | None, split: str, tta: bool
) -> str:
    """The name of an evaluation's files without their ending.

    It is plain `evaluation` for best.ckpt on the test part of its own data; anything that differs from this is added,
    such as the name of another part. A number is added if the folder already has files of that name which belong to
    another checkpoint or other data.
    place: the data_dir and the sheet of data that is not the training's, as far as they were named; else None.
    """
    data_dir, sheet = place or ("", "")
    names = without_ending(os.path.basename(data_dir)), sheet or ("changed" if place and not data_dir else "")
    other_data = dataset or "_".join(file_name(name, 40) for name in names if name)
    parts = [
        "evaluation",
        "" if checkpoint.stem == "best" else file_name(checkpoint.stem, 40),
        other_data,
        "" if split == "test" and other_data in ("", dataset) else split,  # "val" may be the name of the data
        "tta" if tta else "",
    ]
    name = "_".join(filter(None, parts))
    numbered = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(one for one in numbered if not belongs_to_another(folder / f"{one}.json", checkpoint, data_dir))


def belongs_to_another(file: Path, checkpoint: Path, data_dir: str) -> bool:
    """Whether an evaluation's JSON file exists and belongs to another checkpoint, or to other data."""
    before = read_flat(file)
    other = str(before.get("checkpoint"))
    if os.path.exists(other) and not os.path.samefile(other, checkpoint):
        return True
    return bool(data_dir) and before.get("data_dir") not in (None, data_dir)
