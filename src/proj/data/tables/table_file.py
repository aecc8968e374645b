"""Reads a table from a CSV file, Parquet file or spreadsheet; all cells become the text that a CSV file would hold."""

import csv
import sys
from io import BufferedReader, BytesIO
from os.path import basename, getsize
from typing import BinaryIO

from rich.progress import wrap_file

from proj.data.tables.compressed import refuse_other_formats, unpacked
from proj.data.tables.csv_file import read_csv
from proj.data.tables.parquet_file import read_parquet
from proj.data.tables.reading import AS_FOUND, Reading
from proj.data.tables.spreadsheet import rows_of_spreadsheet
from proj.data.tables.text_encoding import BLOCK, NO_TEXT, find_encoding
from proj.data.tables.text_table import Table, table_of_rows
from proj.errors import UserError, message_of
from proj.system.ranks import is_terminal, rank

LARGE = 30_000_000  # bytes, from which on reading takes a second or more and shows a progress bar
SEEN = 1 << 14  # bytes from which the format is recognised; so many because some files begin with comments


def open_table(path: str, how: Reading = AS_FOUND) -> Table:
    """`read_table` of a file, or of stdin for "-"; a large one shows a bar. Raises OSError if it cannot be opened."""
    if path == "-":
        return read_table(BytesIO(sys.stdin.buffer.read()), path, how)
    size, packed = getsize(path), path.lower().endswith((".gz", ".bz2", ".xz", ".zst", ".zip"))
    shown = size > (LARGE / 10 if packed else LARGE) and is_terminal(sys.stdout) and not rank()
    with open(path, "rb") as file:
        head = BytesIO(file.read()) if not file.seekable() else file  # a pipe is not seekable
        with wrap_file(head, size, description=f"reading {basename(path)}", transient=True, disable=not shown) as seen:
            return read_table(BufferedReader(seen, BLOCK) if shown else head, path, how)


def read_table(file: BinaryIO, name: str, how: Reading = AS_FOUND) -> Table:
    """The table in a file: CSV, Parquet or a spreadsheet, compressed or not, recognised by its content, not its name.

    Remarks on doubtful decisions are added to the table's `notes`.
    Raises UserError if the file is no table, or needs an optional dependency that is not installed.
    """
    encoding, notes = how.encoding, list[str]()
    try:
        stream, inner = unpacked(file, name)
        start = stream.read(SEEN)
        is_spreadsheet = start.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0"))
        stream.seek(0)
        if start.startswith(b"PAR1"):
            table = read_parquet(stream, name)
        elif is_spreadsheet:
            table = table_of_rows(rows_of_spreadsheet(stream, name, how, notes), name)
        else:
            refuse_other_formats(start, name)
            if not encoding or how.is_hint:
                encoding, doubt = find_encoding(stream, encoding)
                notes += [f"{name} {doubt}: {how.prefix}encoding=… sets another"] if doubt else []
                stream.seek(0)
            table = read_csv(stream, name, inner, encoding)
    except (UserError, MemoryError):
        raise
    except LookupError:
        raise UserError(f"{how.prefix}encoding={encoding} is no encoding that Python knows, such as cp1252.") from None
    except (csv.Error, UnicodeError) as error:
        from proj.data.photos.images_in_folder import is_start_of_image  # here, since it imports Pillow

        if is_start_of_image(start[:16]):
            photos = "dataset=image_folder trains on photos"
            raise UserError(f"{name} is no CSV file but a picture: name a table ({photos}).") from error
        if encoding is None and NO_TEXT.search(start):
            raise UserError(f"{name} is no CSV file, Parquet file or spreadsheet: save the table as one.") from error
        spelled = "UTF-8" if encoding in (None, "utf-8-sig") else encoding
        cure = f"{how.prefix}encoding=… sets another encoding, such as cp1251; or save the table as CSV UTF-8"
        raise UserError(f"{name} is no CSV file in {spelled} ({error}): {cure}.") from error
    except Exception as error:  # the libraries that read the formats raise many kinds
        raise UserError(f"{name} is damaged, or no table ({message_of(error, 200)}).") from error
    if table is None:
        raise UserError(". ".join([f"{name} is empty", *notes]) + ".")
    if how.sheet is not None and not how.is_hint and not is_spreadsheet:
        notes.append(f"{name} is no spreadsheet, so {how.prefix}sheet={how.sheet} has no effect")
    table.notes += notes
    return table
