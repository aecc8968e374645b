"""Files that are there whole or not at all, also after a power cut; and those in which a command ends."""

import csv
import io
import os
import re
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from proj.errors import LIMITS, WRITING, UserError
from proj.system.platform import refuse_no_text, replace, sync_folder
from proj.wording import agree, first_of

FOLDER = 0x10  # in a ZIP record's external attributes, MS-DOS's bit for a folder


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yields a temporary file that replaces `path` at the end of the block. If the block fails, `path` is unchanged.

    Any number of processes may write the same path: each has a temporary file of its own, and the last one wins.
    """
    # In the same folder, so that renaming is atomic; with the beginning of the name, which may have 255 bytes at most.
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


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace the file by `content`, flushed to the disk, or leave the old one as it is. Text is written in UTF-8.

    Raises OSError, with the name of the file, where there is no room or no permission.
    """
    if isinstance(content, str):
        # The names of files need not be UTF-8: `surrogateescape` writes their bytes as the system has them. The other
        # halves of characters, which a JSON file may hold, stand for no byte.
        content = re.sub("[\ud800-\udc7f]", "\N{REPLACEMENT CHARACTER}", content)
        content = content.encode("utf-8", "surrogateescape")
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def writing(path: Path, option: str = "output") -> Iterator[None]:
    """Makes the folder of `path`. Raises UserError where that, or what is written there, fails. option: names it."""
    refuse_no_text(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        cures = LIMITS.get(error.errno), WRITING.get(error.errno), f"name another place, {option}=…"
        cure = cures[0] or ", or ".join(filter(None, cures))
        raise UserError(f"{error.filename or path} could not be written ({error.strerror}): {cure}") from error


def refuse_unwritable(path: Path, option: str = "output") -> None:
    """Raises UserError where no file can be written at `path`, before the work that ends in it; makes nothing."""
    above, why = next((place for place in path.absolute().parents if place.exists()), None), ""
    if path.is_dir():
        why = "it is a folder"
    elif above is None:
        why = "its drive is missing"
    elif not above.is_dir():
        why = f"{above} is a file"
    elif not os.access(above, os.W_OK):
        why = "Permission denied"
    if why:
        raise UserError(f"{path} could not be written ({why}): name another place, {option}=…")


def write_output(path: Path, content: bytes | str, option: str = "output") -> None:
    """Write a whole file that the user asked for; see `write_outputs`."""
    write_outputs(path.parent, {path.name: content}, option)


def write_outputs(folder: Path, contents: Mapping[str, bytes | str], option: str = "output") -> None:
    """Write files into `folder`, each whole. contents: by their names. Raises UserError if that fails. It names a new
    folder elsewhere that has them or, if no place takes them, what is lost; the tables among them are then printed."""
    try:
        with writing(folder / next(iter(contents)), option):
            for name, content in contents.items():
                write_atomically(folder / name, content)
    except UserError as error:
        if kept := keep_elsewhere(contents):
            raise UserError(f"{error}. Meanwhile it is kept in {kept}: move it from there.") from error
        tables = [name for name in contents if name.endswith((".csv", ".jsonl"))]
        print(*map(contents.get, tables), sep="\n", end="\n" if tables else "")
        ends = (tables, "printed above"), ([name for name in contents if name not in tables], "lost")
        said = (f"{first_of(names, 3)} {agree(len(names), 'is', 'are')} {what}" for names, what in ends if names)
        raise UserError(f"{error}. No other place takes it: {' and '.join(said)}.") from error


def keep_elsewhere(contents: Mapping[str, bytes | str]) -> Path | None:
    """Write the files into a new folder in the first place that has room for all, and return it; None if none has."""
    for place in (tempfile.gettempdir, os.getcwd, Path.home):
        with suppress(OSError, RuntimeError):  # RuntimeError: this user has no home
            folder = Path(tempfile.mkdtemp(prefix="proj-", dir=place()))
            try:
                for name, content in contents.items():
                    write_atomically(folder / name, content)
                return folder
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
    return None


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows, the first of them the header, as comma-separated values; None becomes an empty cell."""
    text = io.StringIO(newline="")  # leaves the csv module's line ends \r\n as they are
    csv.writer(text).writerows(rows)
    return text.getvalue()


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    """`csv_text` of mappings that all have the same keys, which become the header."""
    return csv_text([[*rows[0]], *(row.values() for row in rows)])


def remove_unfinished(folder: Path, pattern: str) -> None:
    """Remove the temporary files that killed processes left of files named like `pattern`. None may be in use now."""
    for temporary in folder.glob(f"{pattern}.*.tmp"):
        temporary.unlink(missing_ok=True)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's ZIP file, whose records hold the tensors; None if all records are sound.

    torch.load would read such a file without an error: it compares no checksums; it reads no bytes of a record that is
    marked as a folder, so that the tensor has whatever the memory held before; and of two records with the same name
    it takes either.
    Raises zipfile.BadZipFile for a file that is not a ZIP file, OSError for one that cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for record in archive.infolist():
            if record.external_attr & FOLDER:
                return f"{record.filename} is marked as a folder"
            if names.count(record.filename) > 1:
                return f"{record.filename} is there twice"
        if sum(record.file_size for record in archive.infolist()) > path.stat().st_size:
            return "its records are larger than the file"  # compressed, or one within the other: torch writes neither
        damaged = archive.testzip()
        return damaged and f"{damaged} fails its checksum"
