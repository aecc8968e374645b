"""The ZIP files in which torch keeps tensors: whether they hold what was written."""

import zipfile
from pathlib import Path

FOLDER = 0x10  # the bit by which MS-DOS, and a ZIP file since then, marks a folder


def damage(path: Path) -> str | None:
    """What is wrong with a record that is damaged, or that torch.load would not read as Python does; None where all are
    whole.

    torch.load looks at no checksum. It reads nothing of a record that is marked as a folder, so that a tensor is what
    the memory held before, and takes any of two records of one name.
    Raises zipfile.BadZipFile for a file that is no ZIP file, OSError for one that cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for record in archive.infolist():
            if record.external_attr & FOLDER:
                return f"{record.filename} is marked as a folder"
            if names.count(record.filename) > 1:
                return f"{record.filename} is there twice"
        damaged = archive.testzip()
        return damaged and f"{damaged} fails its checksum"
