"""Reads a table from a CSV file, Parquet file or spreadsheet; all cells become the text that a CSV file would hold."""

import csv
import math
import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader, BytesIO
from os.path import basename, getsize
from typing import Any, BinaryIO

from rich.progress import wrap_file

from proj.data.tables.compressed import refuse_other_formats, unpacked
from proj.data.tables.csv_file import read_csv
from proj.data.tables.sheet_xml import doubts_in
from proj.data.tables.text_encoding import BLOCK, NO_TEXT, find_encoding
from proj.data.tables.text_table import CELLS, Table, most_cells, refuse_too_many, table_of_rows
from proj.errors import UserError, message_of, nearest
from proj.system.platform import memory
from proj.system.ranks import is_terminal, rank

LARGE = 30_000_000  # bytes, from which on reading takes a second or more and shows a progress bar
SEEN = 1 << 14  # bytes from which the format is recognised; so many because some files begin with comments


@dataclass(frozen=True)
class Reading:
    """How to read a file. sheet: a spreadsheet's sheet, by name or place; None takes the first that is not hidden.

    encoding: of a CSV file; None detects it. is_hint: whether both come from the training's file, so that they apply
    only if this file has such a sheet, or is not UTF-8. prefix: what precedes both settings when they are typed.
    """

    sheet: str | int | None = None
    encoding: str | None = None
    is_hint: bool = False
    prefix: str = "dataset."


AS_FOUND = Reading()  # the user has said nothing


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
            table = table_of_rows(spreadsheet(stream, name, how, notes), name)
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
        from proj.data.photos.image_file import is_start_of_image  # here, since it imports Pillow

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


def cell_text(value: Any) -> str:
    """A value of a spreadsheet or of a Parquet file, as a CSV file would hold it."""
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def spreadsheet(stream: BinaryIO, name: str, how: Reading, notes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(The number of a row, its cells) for each row of the chosen sheet of an Excel or LibreOffice workbook."""
    try:
        from python_calamine import SheetTypeEnum, SheetVisibleEnum, load_workbook
    except ImportError:
        raise UserError(f"{name} is a spreadsheet, which needs pip install 'proj[excel]'.") from None
    # Excel encrypts a workbook into the stream "EncryptedPackage" of an OLE file, which begins with these four bytes.
    if stream.read(4) == b"\xd0\xcf\x11\xe0" and "EncryptedPackage".encode("utf-16-le") in stream.read():
        raise UserError(f"{name} is protected by a password: open it, and save it without one.")
    stream.seek(0)
    is_ods = b"opendocument.spreadsheet" in stream.read(SEEN)
    stream.seek(0)
    try:
        book = load_workbook(stream)
    except Exception as error:
        if not is_ods:
            raise
        # Of too many cells, python-calamine 0.9 says only that it cannot detect the format of what it reads.
        cure = "delete those without values, or save it as CSV"
        raise UserError(f"{name} is damaged, or has too many cells, counting the repeated ones: {cure}.") from error
    shown = (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible)
    names = [one.name for one in book.sheets_metadata if (one.typ, one.visible) == shown] or book.sheet_names
    sheet = str(how.sheet)
    place = int(sheet) if re.fullmatch(r"-?\d+", sheet) else len(names)
    if sheet in book.sheet_names:
        chosen = sheet
    elif -len(names) <= place < len(names):
        chosen = names[place]
    elif how.sheet is not None and not how.is_hint:
        raise UserError(f"{how.prefix}sheet={sheet} is no sheet of {name}." + nearest(sheet, names))
    else:
        chosen, *others = names
        if others:
            others = ", ".join(others)
            notes.append(f"{name}: the sheet {chosen} is read, but not {others}: {how.prefix}sheet=… chooses another")
    notes += [f"{name}: {what}" for what in doubts_in(stream, name, book.sheet_names.index(chosen))]
    opened = book.get_sheet_by_name(chosen)
    (_, first), (last, _) = opened.start or (0, 0), opened.end or (0, 0)
    merged, above = defaultdict[int, list[int]](list), list[str]()
    for (top, column), (bottom, _) in opened.merged_cell_ranges or ():
        if 0 <= column - first < opened.width:
            for number in range(top + 1, min(bottom, last) + 1):
                merged[number].append(column - first)
    for number, row in enumerate(opened.iter_rows() if opened.start else ()):  # python-calamine 0.4 panics without rows
        cells = [cell_text(value) for value in row]
        for place in merged.get(number, ()):  # the file stores the value of merged cells in the first one alone
            cells[place] = above[place]
        above = cells
        yield number + 1, cells


def read_parquet(stream: BinaryIO, name: str) -> Table | None:
    """The table in a Parquet file, read a column at a time; its first row has number 2, as in a CSV file."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{name} is a Parquet file, which needs pip install 'proj[parquet]'.") from None
    file = ParquetFile(stream)
    index = re.compile(r"__index_level_\d+__")  # the index of a pandas table: in CSV the first column, without a name
    names = sorted(file.schema_arrow.names, key=lambda one: not index.fullmatch(one))
    if not names:
        return None
    refuse_too_many(file.metadata.num_rows * len(names), most_cells(), name)
    table = Table(name, [index.sub("", one).strip() for one in names], 1, [])
    table.is_named = True
    table.take_header(True)  # before reading, since two columns of one name could not be told apart
    size, most = 0, (memory() or math.inf) / 2  # a column's text is there twice while its pieces are joined
    for column, one in zip(table.columns, names, strict=True):
        kind = file.schema_arrow.field(one).type
        pieces = (batch.column(0) for batch in file.iter_batches(CELLS, columns=[one]))
        if pyarrow.types.is_timestamp(kind):
            moments = file.read(columns=[one]).column(one).cast(pyarrow.timestamp("us", kind.tz), safe=False)
            days = moments.cast(pyarrow.date32(), safe=False)
            values = days if days.cast(moments.type).equals(moments) else moments
            pieces = (values.slice(start, CELLS) for start in range(0, len(values), CELLS))
        for piece in pieces:
            # In a column of floats 1.0 remains 1.0, since Parquet has another type for columns of whole numbers.
            if pyarrow.types.is_floating(kind):
                numbers = piece.to_numpy(zero_copy_only=False).astype(str).tolist()
                column.add(["" if number == "nan" else number for number in numbers])
                continue
            cells = [cell_text(cell) for cell in piece.to_pylist()]
            size += sum(map(len, cells))  # the file may hold a long text once for a million rows
            if size > most:
                why = "do not fit into this machine's memory: write the file without that column"
                raise UserError(f"{name}: the texts in column {one} {why}.")
            column.add(cells)
    table.lines = array("i", range(2, len(table.columns[0]) + 2))
    return table
