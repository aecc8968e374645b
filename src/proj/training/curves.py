"""TensorBoard's files of a run, which are cut back to where the run goes on from."""

import os
from pathlib import Path

CURVES = ".proj"  # ends the names of TensorBoard's files that a run writes; other programs may write beside them


def event_files(folder: Path, known: dict[str, int]) -> list[Path]:
    """Of this run: named as such, or `known` from a checkpoint that an older version wrote."""
    paths = sorted(folder.glob("events.out.tfevents.*"))
    return [path for path in paths if path.name.endswith(CURVES) or path.name in known]


def rewind_curves(folder: Path, lengths: dict[str, int]) -> None:
    """Cut the run's TensorBoard files back to the bytes that they had; its newer ones go. Twice is the same as once."""
    for path in event_files(folder, lengths):
        if path.name not in lengths:
            try:
                path.unlink()
            except PermissionError:  # Windows, while TensorBoard has it open: an empty one shows nothing
                os.truncate(path, 0)
        elif path.stat().st_size > lengths[path.name]:
            os.truncate(path, lengths[path.name])
