"""What the files of an evaluation are called, so that none replaces those of another evaluation."""

import os
from itertools import chain, count
from pathlib import Path

from proj.data.tables.table_files import without_ending
from proj.system.names import file_name
from proj.system.run_folder import read_flat


def name_of_files(
    folder: Path, checkpoint: Path, dataset: str, data_dir: str, sheet: str, split: str, tta: bool
) -> str:
    """evaluation, and all that tells this one from that of best.ckpt on the test part of its own data; with a number
    where the folder has figures under this name that are of another checkpoint or of other data.

    data_dir, sheet: of data that is not the training's, or "".
    """
    names = without_ending(os.path.basename(data_dir)), sheet
    other_data = dataset or "_".join(file_name(name, 40) for name in names if name)
    parts = [
        "evaluation",
        "" if checkpoint.stem == "best" else file_name(checkpoint.stem, 40),
        other_data,
        "" if split == "test" and other_data in ("", dataset) else split,  # a folder may be called val
        "tta" if tta else "",
    ]
    name = "_".join(filter(None, parts))
    numbered = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(one for one in numbered if not is_of_another(folder / f"{one}.json", checkpoint, data_dir))


def is_of_another(file: Path, checkpoint: Path, data_dir: str) -> bool:
    """Whether a file has the figures of another checkpoint, or of other data."""
    before = read_flat(file)
    other = str(before.get("checkpoint"))
    if os.path.exists(other) and not os.path.samefile(other, checkpoint):
        return True
    return bool(data_dir) and before.get("data_dir") not in (None, data_dir)
