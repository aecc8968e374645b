"""Looks into the XML of a spreadsheet for what the library that reads its cells does not tell."""

import re
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import urljoin
from xml.etree.ElementTree import fromstring
from zipfile import BadZipFile, ZipFile

from proj.data.tables.text_encoding import BLOCK
from proj.errors import UserError

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


def doubts_in(stream: BinaryIO, name: str, place: int) -> list[str]:
    """The remarks of DOUBTS that apply to the cells of a sheet. place: the index of the sheet.

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
