"""Spreadsheets of other kinds than .xlsx: they are the same table.

The files have a sheet "Info" and a sheet "Data", of three columns and rows: numbers, days and classes. The one of Excel
97, whose days are dates, was written by xlwt 1.3; in those of LibreOffice and of Excel's binary format they are texts.
"""

from pathlib import Path

import pytest

from proj.data.tables.table_file import read_table

FILES = sorted(Path(__file__).with_name("spreadsheets").iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.suffix)
def test_every_kind_of_spreadsheet_is_the_same_table(file):
    for sheet in ("Data", 1, "1"):
        with open(file, "rb") as content:
            table = read_table(content, "t", sheet=sheet)
        assert table.first == ["len", "day", "y"] and table.notes == []
        cells = [list(table.column(place)) for place in range(3)]
        assert cells == [["1.5", "2", "3"], ["2024-01-05", "2024-01-06", "2024-01-07"], ["p", "q", "p"]]
    with open(file, "rb") as content:
        table = read_table(content, "t")
    assert table.first == ["read me"]
    assert table.notes == ["t: the sheet Info is read, and not Data: dataset.sheet=… chooses another"]
