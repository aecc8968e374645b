"""Files that are there whole or not at all, also after a power cut."""

import csv
import io
import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from proj.system.platform import replace, sync_folder

FOLDER = 0x10  # the bit by which MS-DOS, and a ZIP file since then, marks a folder


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` at the end of the block; where the block fails, nothing changes.

    Any number of processes may write the same path: each has a temporary file of its own, and the last one wins.
    """
    # In the same folder, so that the renaming is atomic; a part of the name, since a name has at most 255 bytes.
    temporary = path.with_name(f"{path.name[:60]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | memoryview | str) -> None:
    """All of the file, on the disk, or the old one; text is written in UTF-8.

    Raises OSError where there is no room or no permission.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogateescape")  # names of files as the system has them, whatever they are
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        error.filename = str(path)
        raise


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows, the first of them the header, as comma-separated values; None is an empty cell."""
    text = io.StringIO(newline="")  # the lines end as in Excel's own
    csv.writer(text).writerows(rows)
    return text.getvalue()


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    """`csv_text` of rows that all have the same keys, which are the header."""
    return csv_text([[*rows[0]], *(row.values() for row in rows)])


def remove_unfinished(folder: Path, pattern: str) -> None:
    """Remove what killed processes have left of files named like `pattern`, which nobody else writes now."""
    for temporary in folder.glob(f"{pattern}.*.tmp"):
        temporary.unlink(missing_ok=True)


def damage(path: Path) -> str | None:
    """What is wrong with a record of a ZIP file, in which torch keeps tensors: it is damaged, or torch.load would not
    read it as Python does; None where all are whole.

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
