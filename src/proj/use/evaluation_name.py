"""Names the files of an evaluation so that they do not replace those of another evaluation."""

import os
from itertools import chain, count
from pathlib import Path

from proj.data.tables.table_files import without_ending
from proj.system.names import file_name
from proj.system.run_folder import read_flat


def name_of_files(
    folder: Path, checkpoint: Path, dataset: str, data_dir: str, sheet: str, split: str, tta: bool
) -> str:
    """The name of an evaluation's files without their ending.

    It is plain `evaluation` for best.ckpt on the test part of its own data; anything that differs from this is added,
    such as the name of another part. A number is added if the folder already has files of that name which belong to
    another checkpoint or other data.
    data_dir, sheet: where data that is not the training's is; else "".
    """
    names = without_ending(os.path.basename(data_dir)), sheet
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
