"""Refuses a report where it would replace files that are not of a report."""

from collections.abc import Iterable
from pathlib import Path

from proj.errors import UserError
from proj.wording import agree, first_of

FIRST = b"place,folder,status"  # a report.csv begins so
NAMES = ("report.csv", "report.html", "report.json", "report.md", "report.tex", "out_of_fold.csv")


def refuse_other_reports(folder: Path, names: Iterable[str] = NAMES) -> None:
    """Raises UserError if the folder has files of these names but no report, of which report.csv is written first."""
    found = [name for name in names if (folder / name).is_file()]
    if "report.csv" in found:
        with open(folder / "report.csv", "rb") as file:
            found = [] if file.read(len(FIRST)) == FIRST else found
    if found:
        it = agree(len(found), "it", "them")
        raise UserError(
            f"{folder} has {first_of(found, 5)}, but no report of this project, and a report would replace {it}: move "
            f"{it} away, or name another folder, output=path/to/folder (of a sweep hydra.sweep.dir=path/to/folder)."
        )
