"""Reads a sheet of a workbook that Excel or LibreOffice has written."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO

from proj.data.tables.cells import cell_text
from proj.data.tables.reading import Reading
from proj.data.tables.sheet_xml import doubts_in
from proj.errors import UserError, nearest

SEEN = 1 << 14  # bytes from which LibreOffice's format is recognised


def rows_of_spreadsheet(stream: BinaryIO, name: str, how: Reading, notes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(The number of a row, its cells) for each row of the sheet that `how` names. Remarks are added to `notes`."""
    book = open_workbook(stream, name)
    sheet = choose_sheet(book, name, how, notes)
    notes += [f"{name}: {what}" for what in doubts_in(stream, name, book.sheet_names.index(sheet))]
    return rows_of_sheet(book.get_sheet_by_name(sheet))


def open_workbook(stream: BinaryIO, name: str) -> Any:
    """python-calamine's workbook. Raises UserError without that library, and for a protected or too large file."""
    try:
        from python_calamine import load_workbook
    except ImportError:
        raise UserError(f"{name} is a spreadsheet, which needs pip install 'proj[excel]'.") from None
    # Excel encrypts a workbook into the stream "EncryptedPackage" of an OLE file, which begins with these four bytes.
    if stream.read(4) == b"\xd0\xcf\x11\xe0" and "EncryptedPackage".encode("utf-16-le") in stream.read():
        raise UserError(f"{name} is protected by a password: open it, and save it without one.")
    stream.seek(0)
    is_ods = b"opendocument.spreadsheet" in stream.read(SEEN)
    stream.seek(0)
    try:
        return load_workbook(stream)
    except Exception as error:
        if not is_ods:
            raise
        # Of too many cells, python-calamine 0.9 says only that it cannot detect the format of what it reads.
        cure = "delete those without values, or save it as CSV"
        raise UserError(f"{name} is damaged, or has too many cells, counting the repeated ones: {cure}.") from error


def choose_sheet(book: Any, name: str, how: Reading, notes: list[str]) -> str:
    """The sheet that `how` names, by its name or its place among those that are shown; else the first of these, with a
    remark if there are others. Raises UserError if there is no such sheet."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    shown = (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible)
    names = [one.name for one in book.sheets_metadata if (one.typ, one.visible) == shown] or book.sheet_names
    sheet = str(how.sheet)
    if sheet in book.sheet_names:
        return sheet
    if re.fullmatch(r"-?\d+", sheet) and -len(names) <= int(sheet) < len(names):
        return names[int(sheet)]
    if how.sheet is not None and not how.is_hint:
        raise UserError(f"{how.prefix}sheet={sheet} is no sheet of {name}." + nearest(sheet, names))
    chosen, *others = names
    if others:
        others = ", ".join(others)
        notes.append(f"{name}: the sheet {chosen} is read, but not {others}: {how.prefix}sheet=… chooses another")
    return chosen


def rows_of_sheet(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """(The number of a row, its cells) for each row. The cells of a merged range have the value of its uppermost one,
    where alone the file stores it."""
    (_, first), (last, _) = sheet.start or (0, 0), sheet.end or (0, 0)
    merged, above = defaultdict[int, list[int]](list), list[str]()
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        if 0 <= column - first < sheet.width:
            for number in range(top + 1, min(bottom, last) + 1):
                merged[number].append(column - first)
    for number, row in enumerate(sheet.iter_rows() if sheet.start else ()):  # python-calamine 0.4 panics without rows
        cells = [cell_text(value) for value in row]
        for place in merged.get(number, ()):
            cells[place] = above[place]
        above = cells
        yield number + 1, cells
