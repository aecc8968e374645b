"""Reads a sheet of a workbook that Excel or LibreOffice has written."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO
from urllib.parse import urljoin
from xml.etree.ElementTree import fromstring
from zipfile import BadZipFile, ZipFile

from proj.data.tables.cells import cell_text
from proj.data.tables.reading import Reading
from proj.data.tables.text_encoding import BLOCK
from proj.errors import UserError, nearest

SEEN = 1 << 14  # bytes from which LibreOffice's format is recognised
MOST_CELLS = 500_000_000  # of the 17 billion that a sheet of Excel may have
# Remarks on the cells of a spreadsheet, with the XML they are about. A formula of type "str" may have an empty text.
DOUBTS = {
    "formulas that no program has computed are read as empty cells: open the file in Excel or LibreOffice, which "
    "compute them, and save it there": rb'<c\b(?![^>]*\bt="str")[^>]*><f\b[^>]*(?:/>|>[^<]*</f>)\s*'
    rb"(?:<v\s*/>|<v></v>)?\s*</c>",
    "errors of formulas, such as #N/A, are read as empty cells": rb'="e(?:rror"|"[^<>]*><[fv])',
    "of merged cells, only the first has a value here: save it as .xlsx": rb'table:number-rows-spanned="(?!1")',
    "hidden rows, such as filtered ones, are read like all others: delete them to leave them out": rb"<(?:table:)?"
    rb'(?:table-)?row\b[^>]*\b(?:hidden="[1t]|visibility="[cf])[^>]*[^/]>\s*<(?:c\b|[^>]*office:value)',
}


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


def doubts_in(stream: BinaryIO, name: str, place: int) -> list[str]:
    """The remarks of DOUBTS that apply to the cells of a sheet. place: the index of the sheet, in whose XML they are
    found: python-calamine does not tell.

    Raises UserError if its cells reach so far down and to the right that reading them would fill the memory: the
    library allocates all cells up to the last row and column, also for a file of a few hundred bytes.
    """
    found, at, last_column, last_row = set[str](), -1, 1, 1
    with suppress(KeyError, BadZipFile), ZipFile(stream) as book:  # .xls and .xlsb hold no XML, so nothing is found
        member = "content.xml"  # in LibreOffice's files, this one holds all sheets
        if member not in book.namelist():
            links = {one.get("Id"): one.get("Target") for one in fromstring(book.read("xl/_rels/workbook.xml.rels"))}
            ids = re.findall(r'<(?:\w+:)?sheet\s[^>]*\bid="([^"]+)', book.read("xl/workbook.xml").decode())
            member, at = urljoin("/xl/", links[ids[place]])[1:], place
        with book.open(member) as sheet:
            while block := sheet.read(BLOCK):  # a block may end within a cell: then a remark relies on the other cells
                columns = re.findall(rb' r="([A-Z]{3})\d', block)  # beyond ZZ, the 702nd
                last_column = max([last_column, *map(column_number, {*columns})])
                rows = re.findall(rb'\br="[A-Z]*(\d+)"', block[block.rfind(b"<row ") :])
                last_row = max([last_row, *map(int, rows)])
                if last_row * last_column > MOST_CELLS:
                    raise UserError(
                        f"{name} has cells as far as row {last_row:,} and column {last_column:,}, too many to read: "
                        "press Ctrl+End in the spreadsheet to find the last one, and delete the empty rows and columns."
                    )
                for piece in re.split(rb"(?=<table:table )", block):
                    at += piece.startswith(b"<table:table ")
                    found |= {what for what, cell in DOUBTS.items() if at == place and re.search(cell, piece)}
    return sorted(found)


def column_number(letters: bytes) -> int:
    """1 for A, 27 for AA, 703 for AAA."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
