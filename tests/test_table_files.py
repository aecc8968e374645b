"""Tables in the formats that people have: what a file holds is the same however it is written, packed and split."""

import bz2
import datetime
import gzip
import io
import lzma
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from support.photos import write_photos
from support.runs import make, ready, settings
from support.tables import numbers, write_rows

from proj.config.command_line import read_options
from proj.config.compose import configure
from proj.config.words import as_hydra_reads
from proj.data.copies import describe_copies
from proj.data.facts import Facts
from proj.data.tables import compressed, csv_file, one_column, parquet_file, table_file, text_table
from proj.data.tables.table_file import Reading, open_table, read_table
from proj.data.tables.table_files import named_files
from proj.errors import UserError
from proj.use.data import open_data
from proj.use.inputs import find_files, read_tables

PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: compressed.zstandard("a test").compress(content),
    "zip": lambda content: zipped({"inner.csv": content, "__MACOSX/._inner.csv": b"a Mac's own"}),
}


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def unzipped(file: Path | io.BytesIO) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def workbook(merged: tuple[str, ...] = (), **sheets: list[list[str]]) -> bytes:
    """An Excel file; a cell is what its XML element holds: <v>1</v>, or <is><t>a</t></is>. merged: such as A1:B2."""
    main, rels = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
    link = f'<Relationship Id="r{{0}}" Type="{office}/worksheet" Target="worksheets/{{0}}.xml"/>'
    links = "".join(link.format(i) for i, _ in enumerate(sheets, 1))
    styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
    members = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/{rels}"><Relationship Id="r" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/{rels}">{links}'
        f'<Relationship Id="s" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
    }
    for i, rows in enumerate(sheets.values(), 1):
        cells = [
            "".join(f'<c r="{"ABCDEFG"[place]}{line}" {cell}</c>' for place, cell in enumerate(row) if cell)
            for line, row in enumerate(rows, 1)
        ]
        data = "".join(f'<row r="{line}">{row}</row>' for line, row in enumerate(cells, 1))
        data = f"<sheetData>{data}</sheetData>"
        if merged:
            ranges = (f'<mergeCell ref="{cells}"/>' for cells in merged)
            data += f"<mergeCells>{''.join(ranges)}</mergeCells>"
        members[f"xl/worksheets/{i}.xml"] = f'<worksheet xmlns="{main}">{data}</worksheet>'
    return zipped({name: content.encode() for name, content in members.items()})


def excel(*values) -> list[str]:
    def cell(value) -> str:
        if value is None:
            return ""
        if isinstance(value, datetime.datetime):
            return f's="1"><v>{(value - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)}</v>'
        if isinstance(value, bool):
            return f't="b"><v>{int(value)}</v>'
        return f"><v>{value!r}</v>" if isinstance(value, int | float) else f't="inlineStr"><is><t>{value}</t></is>'

    return [cell(value) for value in values]


def flowers(start: int = 0, count: int = 40, header: str = "len,kind,y") -> str:
    rows = [f"{i * i % 17 + i / 10:.1f},{'ab'[i // 2 % 2]},{'pq'[i % 2]}" for i in range(start, start + count)]
    return "\n".join([header, *rows, ""])


@pytest.fixture
def load(tmp_path):
    """load("name", …) -> the datamodule of a file or folder in tmp_path."""

    def load(name: str, *overrides: str, facts: Facts | None = None):
        return make("csv", f"data_dir={tmp_path}/{name}", "target=y", "batch_size=4", *overrides, facts=facts)

    return load


def known_of(data, **chosen) -> dict:
    """The description in a checkpoint of a model that was trained on this data."""
    chosen = {"target": "y", "seed": 0, "batch_size": 4} | chosen
    return data.facts.to_dict() | {"config": {"dataset": dict(settings("csv")) | chosen}}


def write(folder: Path, **files: str | bytes) -> None:
    """Files by their names, in which __ is a point."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content.encode() if isinstance(content, str) else content)


def cells(content: bytes, **settings) -> list[list[str]]:
    table = read_table(io.BytesIO(content), "t", Reading(**settings))
    return [table.first, *map(list, zip(*table.columns, strict=True))]


def test_a_table_is_the_same_in_every_format(load, tmp_path):
    text = flowers()
    rows = [line.split(",") for line in text.splitlines()]
    write(tmp_path, t__csv=text, t__tsv=text.replace(",", "\t"))
    write(tmp_path, **{f"t__csv__{ending}": pack(text.encode()) for ending, pack in PACKED.items()})
    columns = {"len": [float(row[0]) for row in rows[1:]], "kind": [row[1] for row in rows[1:]]}
    pa.parquet.write_table(pa.table(columns | {"y": [row[2] for row in rows[1:]]}), tmp_path / "t.parquet")
    write(tmp_path, t__xlsx=workbook(Data=[excel(*rows[0]), *(excel(float(a), b, y) for a, b, y in rows[1:])]))
    (tmp_path / "t.xlsx.gz").write_bytes(gzip.compress((tmp_path / "t.xlsx").read_bytes()))
    whole = load("t.csv")
    for file in sorted(tmp_path.iterdir()):
        data = load(file.name)
        assert data.checksum() == whole.checksum() and data.columns == whole.columns, file
        assert [data.example("test", i) for i in range(3)] == [whole.example("test", i) for i in range(3)], file
    renamed = (tmp_path / "t.parquet").rename(tmp_path / "t.bin")
    assert load(renamed.name).checksum() == whole.checksum()  # by its first bytes
    names = [name for name, *_ in read_tables([str(tmp_path / "t.xlsx")], whole.columns)]
    assert names[0].endswith("t.xlsx:2") and len(names) == 40
    assert len(find_files(str(tmp_path), "table")) == 9  # all but t.bin


def test_values_become_the_cells_of_a_csv_file():
    moment, day = datetime.datetime(2024, 1, 5, 12, 30), datetime.datetime(2024, 1, 6)
    values = [["f", "w", "b", "t"], [0.1, 3.0, True, moment], [1e-07, -2.0, False, day], [None, None, None, None]]
    values.append(["x", 12345678901234.0, None, None])
    (header, *rest) = cells(workbook(A=[excel(), *(excel(*row) for row in values)]))
    assert header == values[0] and rest[0] == ["0.1", "3", "True", "2024-01-05 12:30:00"]
    assert rest[1] == ["1e-07", "-2", "False", "2024-01-06"] and rest[2] == [""] * 4
    assert rest[3] == ["x", "12345678901234", "", ""]
    file = io.BytesIO()
    table = {
        "f": [0.1, 1.0, None, float("nan")],
        "h": pa.array([0.1, None, 2, 3], pa.float32()),
        "i": [10**12, None, -1, 0],
        "w": pa.array(["a", " b", None, ""]).dictionary_encode(),
        "b": [True, None, False, True],
        "t": pa.array([moment, None, day, day], pa.timestamp("ns")),
        "d": [day.date(), None, None, None],
        "m": pa.array([day, None, None, None], pa.timestamp("ms", "UTC")),
        "__index_level_0__": [5, 6, 7, 8],
    }
    pa.parquet.write_table(pa.table(table), file)
    assert cells(file.getvalue()) == [
        ["", "f", "h", "i", "w", "b", "t", "d", "m"],
        ["5", "0.1", "0.1", "1000000000000", "a", "True", "2024-01-05 12:30:00", "2024-01-06", "2024-01-06"],
        ["6", "1.0", "", "", "b", "", "", "", ""],
        ["7", "", "2.0", "-1", "", "False", "2024-01-06 00:00:00", "", ""],
        ["8", "", "3.0", "0", "", "True", "2024-01-06 00:00:00", "", ""],
    ]


def test_the_first_sheet_is_read_and_the_others_are_named(load, tmp_path, capsys):
    rows = [excel("len", "y"), *(excel(i * i % 7, "pq"[i % 2]) for i in range(40))]
    write(tmp_path, t__xlsx=workbook(Info=[excel("read me")], Data=rows), one__xlsx=workbook(Other=rows))
    for sheet in ("Data", "1"):
        assert load("t.xlsx", f"sheet={sheet}").columns[0].name == "len"
        assert "dataset.sheet" not in capsys.readouterr().out
    with pytest.raises(UserError, match=r"dataset.target=y is no column"):
        load("t.xlsx")
    assert "the sheet Info is read, but not Data: dataset.sheet=… chooses another" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"dataset.sheet=Dat is no sheet of .*Did you mean 'Data'"):
        load("t.xlsx", "sheet=Dat")
    columns = load("t.xlsx", "sheet=Data").columns
    assert len(list(read_tables([str(tmp_path / "one.xlsx")], columns, {"sheet": "Data"}))) == 40  # it has but one
    new, training = [str(tmp_path / "t.xlsx")], {"sheet": "Other"}
    for sheet in ("Data", "1"):
        assert len(list(read_tables(new, columns, training, sheet=sheet))) == 40
    with pytest.raises(UserError, match=r"^sheet=Dat is no sheet of .*Did you mean 'Data'"):
        list(read_tables(new, columns, training, sheet="Dat"))


# Each has a sheet "Info" and a sheet "Data". That of Excel 97, whose days are dates, was written by xlwt 1.3; in those
# of LibreOffice and of Excel's binary format they are texts.
SPREADSHEETS = sorted(Path(__file__).with_name("spreadsheets").iterdir())


@pytest.mark.parametrize("file", SPREADSHEETS, ids=lambda file: file.suffix)
def test_every_kind_of_spreadsheet_is_the_same_table(file):
    for sheet in ("Data", 1, "1"):
        rows = [["len", "day", "y"], ["1.5", "2024-01-05", "p"], ["2", "2024-01-06", "q"], ["3", "2024-01-07", "p"]]
        assert cells(file.read_bytes(), sheet=sheet) == rows
    table = read_table(io.BytesIO(file.read_bytes()), "t")
    assert table.first == ["read me"]
    assert table.notes == ["t: the sheet Info is read, but not Data: dataset.sheet=… chooses another"]


@pytest.mark.parametrize("extra", ("parquet", "excel", "zst"))
def test_what_needs_an_extra_says_what_to_install(monkeypatch, extra):
    files = {"parquet": b"PAR1....", "excel": zipped({"[Content_Types].xml": b""}), "zst": PACKED["zst"](b"a")}
    content = files[extra]
    for module in ("pyarrow", "python_calamine", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"needs pip install 'proj\[{extra}\]'"):
        cells(content)


PASSWORD = b"\xd0\xcf\x11\xe0" + bytes(2000) + "EncryptedPackage".encode("utf-16-le")
NO_TABLES = {
    "cut gzip": (gzip.compress(b"a,y\n" * 500)[:25], "is damaged"),
    "cut zip": (b"PK\3\4\0", "is damaged"),
    "cut Parquet": (b"PAR1 and no more", "is damaged"),
    "no workbook": (b"\xd0\xcf\x11\xe0 and no more", "is damaged"),
    "two files": (zipped({"a.csv": b"a", "b.csv": b"b"}), "holds 2 files"),
    "a password": (PASSWORD, "is protected by a password: open it, and save it without one"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0", "is packed by 7z, which is not read here: unpack it"),
    "rar": (b"Rar!\x1a\7\0", "is packed by rar, which is not read here: unpack it"),
    "tar": (b"t.csv".ljust(257, b"\0") + b"ustar\0", "is packed by tar, which is not read here: unpack it"),
    "Apple's": (zipped({"in/Document.iwa": b"a", "b.jpg": b"b"}), "is of Apple's .*: export it as Excel or CSV"),
    "arrays": (zipped({"x.npy": b"x", "y.npy": b"y"}), "is a file of NumPy, which is not read here: save the table as"),
    "no encoding": (b"ORC\x0a\x80\x1f\0\3", "is no CSV file, Parquet file or spreadsheet: save the table as one"),
}


@pytest.mark.parametrize(("content", "sentence"), NO_TABLES.values(), ids=NO_TABLES)
def test_a_file_that_is_no_table_is_one_sentence(content, sentence):
    with pytest.raises(UserError, match=f"t {sentence}") as raised:
        cells(content)
    assert "\n" not in str(raised.value)


WESTERN = "Straße;Größe;y\nKöln;5 €;Café\nMünchen;7;L’été\n"


UTF32 = ("utf-32", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("encoding", ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", *UTF32, "cp1252"))
def test_an_encoding_is_found_out_and_a_guess_is_said(encoding):
    table = read_table(io.BytesIO(WESTERN.encode(encoding)), "t.csv")
    assert table.first == ["Straße", "Größe", "y"] and list(table.columns[2]) == ["Café", "L’été"]
    note = ["t.csv is not in UTF-8 and is read as cp1252 (Straße, Größe, Köln): dataset.encoding=… sets another"]
    assert table.notes == (note if encoding == "cp1252" else [])


FOREIGN = {
    "cp1251": "имя;y\nМосква;да\nКиев;нет\n",
    "gbk": "名字;y\n北京;是\n上海;否\n",
    "shift_jis": "名前;y\nテスト;はい\n",
    "cp1250": "město;y\nWrocław;tak\nPlzeň;ne\n",
    "cp850": "Größe;y\nKöln;ja\n",
    "mac_roman": "café;y\nété;oui\n",
}


@pytest.mark.parametrize(("encoding", "text"), FOREIGN.items(), ids=FOREIGN)
def test_an_encoding_that_makes_no_sense_is_refused_and_read_where_it_is_named(encoding, text):
    with pytest.raises(UserError, match=r"is no CSV file in UTF-8 .*dataset.encoding="):
        cells(text.encode(encoding))
    assert cells(text.encode(encoding), encoding=encoding)[0][0] == text.split(";")[0]
    # Of a model that was trained so, other files may be in UTF-8.
    assert cells(text.encode(), encoding=encoding, is_hint=True)[0][0] == text.split(";")[0]
    table = read_table(io.BytesIO(text.encode(encoding)), "t", Reading(None, encoding, is_hint=True, prefix=""))
    assert table.first[0] == text.split(";")[0]
    assert table.notes == [f"t is read as {encoding}, as the training's table was: encoding=… sets another"]


def test_a_new_table_may_have_another_encoding_or_sheet_than_the_training_if_a_word_says_it(load, tmp_path, capsys):
    text = "имя,y\n" + "".join(f"{'да' if i % 3 else 'нет'},{'pq'[i % 2]}\n" for i in range(40))
    write(tmp_path, t__csv=text.encode("cp1251"), new__csv=text.encode("koi8-r"))
    data = load("t.csv", "encoding=cp1251")
    known = known_of(data, encoding="cp1251", data_dir=f"{tmp_path}/t.csv")
    new = str(tmp_path / "new.csv")
    with pytest.raises(UserError, match="has no column 'имя'"):
        open_data(known, data_dir=new, everything=True)
    assert "new.csv is read as cp1251, as the training's table was: encoding=…" in capsys.readouterr().out
    other = open_data(known, data_dir=new, everything=True, reading={"encoding": "koi8-r"}).splits["test"]
    assert len(other.targets) == 40 and torch.equal(other.inputs[:, 0] > 0, other.inputs[:, 0] == other.inputs.max())
    with pytest.raises(UserError, match="has no column имя"):
        list(read_tables([new], data.columns, {"encoding": "cp1251"}))
    assert len(list(read_tables([new], data.columns, {"encoding": "cp1251"}, encoding="koi8-r"))) == 40
    with pytest.raises(UserError, match=r"^encoding=koi9 is no encoding that Python knows"):
        list(read_tables([new], data.columns, encoding="koi9"))
    assert open_data(known).checksum() == data.checksum()


def test_several_files_are_one_table_whose_rows_say_from_which_file(load, tmp_path, capsys):
    write(tmp_path / "parts", **{"1__csv": flowers(0, 20), "2__csv__gz": gzip.compress(flowers(20, 20).encode())})
    write(tmp_path / "parts", **{"3__csv": "y,len,kind\np,1.5,a\n", "notes__txt": "nothing"})
    write(tmp_path, whole__csv=flowers() + "1.5,a,p\n")
    whole, data = load("whole.csv"), load("parts")
    assert data.checksum() == whole.checksum() and data.columns == whole.columns
    assert "one table of 3 files: 1.csv, 2.csv.gz, 3.csv" in capsys.readouterr().out
    named = {data.example(part, i) for part, split in data.splits.items() for i in range(len(split.targets))}
    assert len(named) == 41 and {f"{tmp_path}/parts/1.csv:2", f"{tmp_path}/parts/2.csv.gz:21"} <= named
    assert f"{tmp_path}/parts/3.csv:2" in named
    for pattern in ("parts/*.csv*", f"parts/1.csv:{tmp_path}/parts/2.csv.gz:{tmp_path}/parts/3.csv"):
        assert load(pattern).checksum() == whole.checksum()
    write(tmp_path / "parts", **{"3__csv": "y,len,kind\np,1x5,a\n"})
    with pytest.raises(UserError, match=r"row .*parts/3.csv:2, column len: '1x5' is no number"):
        load("parts", "numeric=null", "max_categories=100", "test_fraction=0.1", "val_fraction=0.1")


def test_files_without_a_header_are_one_table(load, tmp_path):
    headless = flowers().split("\n", 1)[1].splitlines()
    write(tmp_path / "parts", a__csv="\n".join(headless[:20]), b__csv="\n".join(headless[20:]))
    write(tmp_path, whole__csv="\n".join(headless))
    assert load("parts", "target=-1").checksum() == load("whole.csv", "target=-1").checksum()


def test_files_of_other_columns_are_refused(load, tmp_path):
    write(tmp_path / "in", a__csv=flowers(), b__csv="len,kin,y\n1,1,1")
    how = r".*a.csv reads only that file. Did you mean 'kin'\?"
    with pytest.raises(UserError, match=f"b.csv has no column 'kind', which .*a.csv has: {how}"):
        load("in")


@pytest.mark.parametrize("header", ("LEN,Kind,Y", "len.,kind,y", '" Len (cm)",kind,y'))
def test_names_of_columns_may_be_written_otherwise_in_another_file(load, tmp_path, header):
    write(tmp_path / "same", train__csv=flowers(), test__csv=flowers(40, 8))
    write(tmp_path / "in", train__csv=flowers(), test__csv=flowers(40, 8, header=header))
    assert load("in").checksum() == load("same").checksum()


@pytest.mark.parametrize("drop", ([], ["kind"]))
def test_a_copy_of_the_trainings_table_may_have_its_columns_in_other_order_and_spelling(load, tmp_path, drop):
    turned = ["Y,Kind,LEN", *(",".join(row.split(",")[::-1]) for row in flowers().splitlines()[1:])]
    write(tmp_path, a__csv=flowers(), b__csv="\n".join(turned))
    data = load("a.csv", "categorical=[len]", f"drop={drop}")
    known = known_of(data, categorical=["len"], drop=drop)
    assert open_data(known, data_dir=f"{tmp_path}/b.csv").checksum() == data.checksum()


def test_further_columns_of_another_file_are_left_out_and_named(load, tmp_path, capsys):
    more = "\n".join(f"{row},{'i' if row[0] == 'l' else 1}" for row in flowers(40, 8).splitlines())
    write(tmp_path / "same", train__csv=flowers(), test__csv=flowers(40, 8))
    write(tmp_path / "in", train__csv=flowers(), test__csv=more)
    assert load("in").checksum() == load("same").checksum()
    said = f"{tmp_path}/in/test.csv: columns left out that {tmp_path}/in/train.csv does not have: i\n"
    assert said in capsys.readouterr().out


def test_test_rows_that_are_in_the_training_too_are_said(load, tmp_path, capsys):
    def rows(*numbers: int) -> str:
        return "".join(["len,wide,y\n", *(f"{number},{number / 7},{'pq'[number % 2]}\n" for number in numbers)])

    for new, copies in ((0, 8), (9, 1), (10, 1), (8, 0)):  # one of eleven is not said
        test = rows(*range(copies), *range(200, 200 + new))
        write(tmp_path / "in", train__csv=rows(*range(120)), val__csv=rows(150, 151), test__csv=test)
        load("in", "numeric=[len]")
        have, they = ("has", "it is a copy") if copies == 1 else ("have", "they are copies")
        said = f"{copies} of {copies + new} test rows {have} the same inputs as a training row: if {they}"
        assert (said in capsys.readouterr().out) == (new + copies < 11 and copies > 0)
    assert not describe_copies(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]), [1, 1])


def test_test_rows_that_equal_a_training_row_by_chance_are_not_said():
    words = torch.arange(3**7)[:, None] // 3 ** torch.arange(7) % 3  # all rows of seven columns with three words each
    inputs = torch.nn.functional.one_hot(words).flatten(1).float()
    assert not describe_copies(inputs, inputs[:20], [3] * 7)
    with_a_measurement = torch.cat([inputs, torch.arange(3.0**7)[:, None] % 200], 1)
    (said,) = describe_copies(with_a_measurement, with_a_measurement[:20], [3] * 7 + [1])
    assert said.startswith("20 of 20 test rows have the same inputs as a training row")


def test_the_same_table_in_two_formats_is_refused(load, tmp_path):
    write(tmp_path / "in", a__csv=flowers(), a__csv__gz=gzip.compress(flowers().encode()))
    with pytest.raises(UserError, match=r"a.csv and .*a.csv.gz would be the same rows twice"):
        load("in")


PARTS = ("train val test", "Training validation TEST", "adult_train adult_valid adult_test")
PARTS += ("train-00000-of-00001 validation-00000-of-00001 test-00000-of-00001", "datatraining dataval datatest2")


@pytest.mark.parametrize("names", PARTS)
def test_files_that_are_named_as_parts_are_these_parts(load, tmp_path, capsys, names):
    train, val, test = names.split()
    files = {f"{train}__csv": flowers(), f"{val}__csv": flowers(40, 6), f"{test}__csv": flowers(46, 8)}
    write(tmp_path / "in", **files)
    data = load("in")
    assert {name: len(split.targets) for name, split in data.splits.items()} == {"train": 40, "val": 6, "test": 8}
    assert all(f"{tmp_path}/in/{test}.csv:{i + 2}" == data.example("test", i) for i in range(8))
    assert "parts: train is " in capsys.readouterr().out
    training = torch.tensor([i * i % 17 + i / 10 for i in range(40)], dtype=torch.float64)
    assert data.columns[0].mean == pytest.approx(float(training.mean()))  # of the training file alone


def test_several_files_of_one_part_are_it_together(load, tmp_path, capsys):
    write(tmp_path / "in", datatraining__csv=flowers(), datatest__csv=flowers(40, 8), datatest2__csv=flowers(48, 9))
    assert [len(load("in").splits[part].targets) for part in ("train", "val", "test")] == [34, 6, 17]
    assert "train is datatraining.csv, test is datatest.csv, test is datatest2.csv, val is" in capsys.readouterr().out


def test_a_part_without_a_file_is_drawn_from_the_training_file(load, tmp_path, capsys):
    write(tmp_path / "in", train__csv=flowers(), test__csv=flowers(40, 8), sample_submission__csv="id\n1\n")
    data = load("in")
    assert [len(data.splits[part].targets) for part in ("train", "val", "test")] == [34, 6, 8]
    assert "test is test.csv, val is drawn from train" in (said := capsys.readouterr().out)
    assert "files left out because they are not parts: " in said and "sample_submission.csv" in said
    write(tmp_path / "deep" / "train" if (tmp_path / "deep").mkdir() else tmp_path / "deep/train", a__csv=flowers())
    write(tmp_path / "deep/test", b__csv=flowers(40, 8))
    assert load("deep").checksum() == data.checksum()
    capsys.readouterr()
    data.load_all(data.columns, data.class_names)
    assert "parts: train is " in (said := capsys.readouterr().out) and "drawn" not in said  # of all rows nothing is


@pytest.mark.parametrize(
    ("test", "words", "sentence"),
    (
        ("len,kind\n1,a\n", [], r"test.csv has no column y, so that it cannot be the test part: train with data_dir="),
        ("len,kind,y\n1,a,\n", [], r"test.csv has no row with a class, so that it cannot be the test part"),
        ("len,kind,y\n1,a,r\n", [], r"class 'r', which the training part does not have: remove the rows of that"),
        (flowers(), ["test_fraction=0.2"], r"dataset.test_fraction has no effect, since .*test.csv is the test part"),
        (flowers(), ["folds=5", "fold=0"], r"dataset.folds has no effect, since .*test.csv is the test part"),
        (flowers(), ["group=kind"], r"the group a is in both .*test.csv and the training"),
    ),
)
def test_a_split_that_cannot_be_taken_is_one_sentence(load, tmp_path, test, words, sentence):
    write(tmp_path / "in", train__csv=flowers(), test__csv=test)
    with pytest.raises(UserError, match=sentence):
        load("in", *words)


def test_a_long_text_is_a_cell(load, tmp_path):
    write(tmp_path, t__csv=flowers() + f"1.5,{'x' * 200_000},p\n")
    assert load("t.csv").columns[1].categories == ["a", "b"]


def test_a_table_is_split_without_a_copy_of_its_inputs(load, tmp_path):
    write(tmp_path, t__csv=flowers())
    inputs = [split.inputs for split in load("t.csv").splits.values()]
    assert len({tensor.untyped_storage().data_ptr() for tensor in inputs}) == 1
    assert sum(tensor.numel() for tensor in inputs) * 4 == inputs[0].untyped_storage().nbytes()


def test_each_column_is_cut_into_cells_but_a_few_times(load, tmp_path, calls_of):
    """What grows with the table is done once a column, whatever is asked of it."""
    random = np.random.default_rng(0)
    rows = [",".join([*(f"{x:.3f}" for x in random.normal(size=3)), "", "pq"[i % 2]]) for i in range(400)]
    write(tmp_path, t__csv="\n".join(["a,b,c,d,y", *rows]).replace(",,", ",NA,", 390))
    read = calls_of(one_column, "plain_numbers")
    load("t.csv", "drop=[d]")
    assert sum(text.count("\0") + 1 for (text,) in read) <= 400 * 4


def test_the_different_cells_of_a_column_of_numbers_are_not_looked_for(load, tmp_path, monkeypatch):
    asked, codes = [], one_column.WholeColumn.codes.fget
    recorded = property(lambda column: asked.append(column) or codes(column))
    monkeypatch.setattr(one_column.WholeColumn, "codes", recorded)
    rows = [f"{i * i % 37}.5,{'uv'[i % 3 > 0]},{'pq'[i % 2]}" for i in range(60)]
    write(tmp_path, t__csv="\n".join(["a,b,y", *rows]))
    load("t.csv")
    monkeypatch.undo()
    assert {column.at(0) for column in asked} == {"u", "p"}


def test_a_list_of_files_is_typed_as_such():
    word = as_hydra_reads("data_dir=[a.csv,more/b c.csv,'2024']")
    files = OverridesParser.create().parse_override(word).value().split(os.pathsep)
    assert files == [os.path.abspath(file) for file in ("a.csv", "more/b c.csv", "2024")]


def test_evaluate_and_predict_take_a_list_of_files_as_train_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, a__csv=flowers(4), b__csv=flowers(4))
    (tmp_path / "best.ckpt").touch()

    def named(word: str) -> str:
        key = word.partition("=")[0]
        return read_options({key: str}, ["ckpt=best.ckpt", word])[key]

    assert named("data_dir=[a.csv,'b.csv']") == f"a.csv{os.pathsep}b.csv"
    assert named("data_dir=[a.csv]") == "a.csv"
    assert find_files(named("input=[a.csv, b.csv]"), "table") == ["a.csv", "b.csv"]
    assert find_files(named("input=[ab].csv"), "table") == ["a.csv", "b.csv"]
    with pytest.raises(UserError, match=r"input=c\.csv finds no file"):
        find_files(os.pathsep.join(("a.csv", "c.csv")), "table")


@pytest.mark.parametrize("of", ("", "dataset."))
@pytest.mark.parametrize("files", ("[a.csv, b.csv]", "a.csv{}b.csv"))
def test_a_yaml_file_names_several_files_as_a_command_does(tmp_path, monkeypatch, capsys, files, of):
    monkeypatch.chdir(tmp_path)
    setting = f"data_dir: {files.format(os.pathsep)}"
    node = "dataset: {target: y, batch_size: 4}\n" + setting if not of else f"dataset:\n  target: y\n  {setting}"
    (tmp_path / "conf").mkdir()
    write(tmp_path / "conf" / "dataset", mine__yaml=f"# @package _global_\ndefaults:\n  - csv\n{node}\n")
    write(tmp_path, a__csv=flowers(40), b__csv=flowers(40, 8))
    config = configure("dataset=mine", "hydra.run.dir=run", config_dir="conf")
    assert config.dataset.data_dir == os.pathsep.join(f"{tmp_path}/{name}" for name in ("a.csv", "b.csv"))
    ready(config.dataset)
    assert "one table of 2 files: a.csv, b.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("large", "terminal", "rank", "shown"), ((1, 1, "0", 1), (0, 1, "0", 0), (1, 0, "0", 0), (1, 1, "1", 0))
)
def test_a_bar_is_drawn_while_a_large_file_is_read(tmp_path, monkeypatch, capsys, large, terminal, rank, shown):
    write(tmp_path, t__csv=flowers())
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(table_file, "LARGE", 10 if large else 10**6)
    real, drawn = table_file.wrap_file, []
    monkeypatch.setattr(table_file, "wrap_file", lambda *a, **how: drawn.append(not how["disable"]) or real(*a, **how))
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: bool(terminal))
        table = open_table(str(tmp_path / "t.csv"))
    assert drawn == [bool(shown)] and len(table.lines) == 40


def test_a_bar_is_drawn_for_a_compressed_file_of_a_tenth_of_the_size(tmp_path, monkeypatch, capsys):
    real, drawn = table_file.wrap_file, []
    monkeypatch.setattr(table_file, "wrap_file", lambda *a, **how: drawn.append(not how["disable"]) or real(*a, **how))
    for name, content in (("t.csv", flowers().encode()), ("t.csv.gz", gzip.compress(flowers().encode()))):
        (tmp_path / name).write_bytes(content)
        monkeypatch.setattr(table_file, "LARGE", 5 * len(content))
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            open_table(str(tmp_path / name))
    assert drawn == [False, True]


def test_a_line_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(csv_file, "LONGEST", 1000)
    with pytest.raises(UserError, match=r"t.csv has a line of 1,000 characters or more: a table has one line for each"):
        read_table(io.BytesIO(b"a,b\n" + b"1," * 1000), "t.csv")


def test_a_compressed_csv_file_of_more_cells_than_the_memory_holds_is_refused_while_it_is_read(monkeypatch):
    monkeypatch.setattr(text_table, "memory", lambda: 100_000)
    with pytest.raises(UserError, match=r"t.csv.gz has 20,000 cells, more than fit into this machine's memory: take"):
        read_table(io.BytesIO(gzip.compress(b"a,b\n" + b"1,\n" * 1_000_000)), "t.csv.gz")


def test_a_parquet_file_of_more_cells_than_the_memory_holds_is_refused(monkeypatch):
    file = io.BytesIO()
    pa.parquet.write_table(pa.table({"a": [1] * 1000, "b": ["x"] * 1000}), file)
    monkeypatch.setattr(text_table, "memory", lambda: 10_000)
    with pytest.raises(UserError, match=r"t.parquet has 2,000 cells, more than fit into this machine's memory: take"):
        read_table(file, "t.parquet")


@pytest.mark.parametrize("kind", (pa.string(), pa.dictionary(pa.int32(), pa.string())))
def test_a_long_text_that_a_parquet_file_stores_once_for_all_rows_is_refused_before_it_fills_memory(monkeypatch, kind):
    file, memory = io.BytesIO(), 100_000_000
    pa.parquet.write_table(pa.table({"a": pa.array(["x" * 1000] * 100_000).cast(kind)}), file)
    monkeypatch.setattr(parquet_file, "memory", lambda: memory)
    assert len(file.getvalue()) < memory / 1000
    with pytest.raises(UserError, match=r"t.parquet: the texts in column a do not fit into this machine's memory: "):
        read_table(file, "t.parquet")


def test_a_class_that_the_training_file_lacks_is_left_out_of_the_others_and_named(load, tmp_path, capsys):
    test = flowers(40, 8) + "1.5,a,r\n2.5,a,r\n"
    write(tmp_path / "in", train__csv=flowers(), test__csv=test, val__csv="len,kind,y\n1.5,a,p\n")
    data, places = load("in"), ("val.csv:2", "test.csv:9")
    assert [len(data.splits[part].targets) for part in ("train", "val", "test")] == [40, 1, 8]
    assert "left out, 2 rows of a class that the training does not have: r (2)" in capsys.readouterr().out
    assert (data.example("val", 0), data.example("test", 7)) == tuple(f"{tmp_path}/in/{place}" for place in places)


def test_classes_that_another_part_writes_otherwise_are_those_of_the_training_and_said(load, tmp_path, capsys):
    train, test = flowers(), flowers(40, 8)
    write(tmp_path / "in", train__csv=train, test__csv=test)
    same, _ = load("in"), capsys.readouterr()
    for end in ("", "."):
        write(tmp_path / "in", test__csv=test.replace(",p\n", f",P{end}\n").replace(",q\n", f",Q{end}\n"))
        data, said = load("in"), " ".join(capsys.readouterr().out.split())
        assert data.class_names == ["p", "q"] and data.checksum() == same.checksum()
        assert f"spells differently from the training: 'P{end}'" in said and f"'Q{end}' for 'q'" in said
    write(tmp_path / "in", train__csv=train + "1.5,a,P\n" * 3)  # of which "P." may be either
    with pytest.raises(UserError, match=r"test.csv has a class 'P.', which the training part does not have"):
        load("in")


def test_the_rows_below_the_first_of_merged_cells_have_its_value():
    rows = [[], excel(None, "kind", "len"), *(excel(None, "ab"[i // 3] if not i % 3 else None, i) for i in range(6))]
    content = workbook(A=rows, merged=("A1:C1", "B3:B5", "B6:B8"))
    assert cells(content) == [["kind", "len"], *([["aaabbb"[i], str(i)] for i in range(6)])]


def test_the_names_of_a_parquet_files_columns_are_not_doubted_where_they_are_numbers(load, tmp_path, capsys):
    columns = {"0": [i * i % 37 for i in range(60)], "1": ["pq"[i % 2] for i in range(60)]}
    pa.parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert load("csv", f"data_dir={tmp_path}/t.parquet", "target=1").columns[0].name == "0"
    assert "first row" not in capsys.readouterr().out


@pytest.mark.parametrize("names", (("a", "a"), ("ä", "a\u0308")))
def test_two_columns_of_one_name_are_said_of_parquet_too(names):
    file = io.BytesIO()
    pa.parquet.write_table(pa.table([pa.array([1.0]), pa.array([2.0])], names=names), file)
    with pytest.raises(UserError, match=f"has two columns '{names[0]}': give each a name"):
        cells(file.getvalue())


def test_an_empty_first_sheet_is_refused_with_the_names_of_the_others(load, tmp_path):
    write(tmp_path, t__xlsx=workbook(Info=[], Data=[excel("len", "y"), excel(1, "p")]))
    with pytest.raises(UserError, match=r"t.xlsx is empty\. .*: the sheet Info is read, but not Data: dataset.sheet=…"):
        load("t.xlsx")


def test_a_sheet_whose_cells_reach_far_is_refused_before_it_fills_the_memory(load, tmp_path, monkeypatch):
    monkeypatch.setattr("proj.data.tables.spreadsheet.MOST_CELLS", 10_000)
    rows = [excel("len", "y"), *(excel(i / 7, "pq"[i % 2]) for i in range(40))]
    write(tmp_path, near__xlsx=workbook(Data=rows))
    assert len(load("near.xlsx").splits["train"].targets)
    members = unzipped(tmp_path / "near.xlsx").items()
    write(tmp_path, far__xlsx=zipped({name: text.replace(b'r="B20"', b'r="AAA20"') for name, text in members}))
    with pytest.raises(UserError, match=r"far.xlsx has cells as far as row 41 and column 703, too many"):
        load("far.xlsx")


ERROR = 't="e"><f>1/0</f><v>#DIV/0!</v>'
FORMULAS = (("><f>1/0</f><v></v>", "t: formulas that no program has computed are read as empty cells: open the file"),)
FORMULAS += ((ERROR, "t: errors of formulas, such as #N/A, are read"), ("", ""), ('t="str"><f>A1</f><v></v>', ""))


@pytest.mark.parametrize(("cell", "said"), FORMULAS)
def test_a_few_formulas_that_are_read_as_empty_cells_are_said(cell, said):
    rows = [[*excel(i, "pq"[i % 2]), cell if i == 7 else "><f>1/2</f><v>0.5</v>"] for i in range(40)]
    table = read_table(io.BytesIO(workbook(Data=[excel("len", "y", "twice"), *rows])), "t")
    assert table.columns[2].at(7) == "" and table.columns[2].at(8) == "0.5"
    assert [said in note for note in table.notes] == ([True] if said else [])


@pytest.mark.parametrize(("sheet", "said"), (("Data", 0), ("Other", 2)))
def test_of_a_workbook_the_sheet_alone_that_is_read_is_doubted_and_its_hidden_rows(sheet, said):
    rows = [[*excel(i, "pq"[i % 2]), ERROR] for i in range(4)]
    content = workbook(Data=[excel("len", "y", "twice"), excel(1, "p", 2)], Other=[excel("len", "y", "twice"), *rows])
    members = unzipped(io.BytesIO(content))
    other = "xl/worksheets/2.xml"
    members[other] = members[other].replace(b'<row r="3">', b'<row r="3" spans="1:3" hidden="1">')
    table = read_table(io.BytesIO(zipped(members)), "t", Reading(sheet))
    assert len(table.lines) == (1 if sheet == "Data" else 4)
    assert [kind in " ".join(table.notes) for kind in ("hidden rows, such as", "such as #N/A")] == [said > 0] * 2


@pytest.mark.parametrize(
    ("attribute", "said"),
    (
        ('calcext:value-type="error"', "errors of formulas, such as"),
        ('table:number-rows-spanned="2"', "of merged cells, only the first has a value"),
        ('table:number-rows-spanned="1" table:number-columns-spanned="2"', ""),
    ),
)
def test_cells_of_libreoffice_that_are_read_as_empty_are_said(attribute, said):
    members = unzipped(Path(__file__).with_name("spreadsheets") / "table.ods")
    two = b'office:value-type="float" office:value="2"'
    members["content.xml"] = members["content.xml"].replace(two, attribute.encode())
    table = read_table(io.BytesIO(zipped(members)), "t", Reading("Data"))
    assert [*table.columns[0]] == ["1.5", "", "3"]
    assert [said in note for note in table.notes] == ([True] if said else [])


def test_a_sheet_of_libreoffice_with_too_many_cells_is_told_what_to_delete():
    members = unzipped(Path(__file__).with_name("spreadsheets") / "table.ods")
    cell = '<table:table-cell office:value-type="float" office:value="2" table:number-columns-repeated="1000"/>'
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row></table:table>'
    members["content.xml"] = members["content.xml"].replace(b"</table:table>", row.encode())
    with pytest.raises(UserError, match=r"too many cells, counting the repeated ones: delete those without values"):
        read_table(io.BytesIO(zipped(members)), "t")


def test_a_sheet_of_a_chart_is_not_the_first_sheet():
    members = unzipped(io.BytesIO(workbook(Plot=[], Data=[excel("len", "y"), excel(1, "p")])))
    links = members["xl/_rels/workbook.xml.rels"]
    sheet, chart = (f'{kind}sheet" Target="{kind}sheets/1'.encode() for kind in ("work", "chart"))
    members["xl/_rels/workbook.xml.rels"] = links.replace(sheet, chart)
    members["xl/chartsheets/1.xml"] = members.pop("xl/worksheets/1.xml").replace(b"worksheet", b"chartsheet")
    assert cells(zipped(members)) == [["len", "y"], ["1", "p"]]


@pytest.mark.parametrize("how", ("{}", "{}/*.xlsx"))
def test_what_excel_leaves_beside_an_open_file_is_no_table(load, tmp_path, how):
    rows = [excel("len", "y"), *(excel(i * i % 7, "pq"[i % 2]) for i in range(40))]
    write(tmp_path / "in", t__xlsx=workbook(Data=rows))
    (tmp_path / "in/~$t.xlsx").write_bytes(b"\4Anna" + b" " * 160)
    assert len(load(how.format("in")).files) == 1
    assert find_files(how.format(tmp_path / "in"), "table") == [str(tmp_path / "in/t.xlsx")]


def test_a_sheet_of_one_column_lacks_columns_and_no_separator(load, tmp_path):
    write(tmp_path, t__xlsx=workbook(Data=[excel("y"), *(excel(f"{one} rose") for one in "pqpq")]))
    with pytest.raises(UserError, match=r"no column to learn y from: write the columns to learn from beside it\.$"):
        load("t.xlsx", "target=y")


@pytest.mark.parametrize("sheets", (("Info", "Data"), ("Data", "Info")))
def test_a_column_that_is_not_in_the_first_sheet_is_answered_with_the_other_sheets(load, tmp_path, sheets):
    rows = {"Info": [excel("read me")], "Data": [excel("len", "kind", "y"), excel(1, "a", "p")]}
    write(tmp_path, t__xlsx=workbook(**{name: rows[name] for name in sheets}))
    others = rf".*: the sheet {sheets[0]} is read, but not {sheets[1]}: {{}}sheet=… chooses another\.$"
    with pytest.raises(UserError, match=r"target=width is no column .*\. Options: " + others.format("dataset.")) as no:
        load("t.xlsx", "target=width")
    assert "separate values by" not in str(no.value)
    with pytest.raises(UserError, match="has no column width; it has " + others.format("")):
        list(read_tables([str(tmp_path / "t.xlsx")], numbers("width")))


def test_a_title_above_a_new_table_is_told_by_the_line_of_its_header(load, tmp_path):
    text = "Study of May,,\n" + flowers()
    write(tmp_path, t__csv=flowers(), new__csv=text)
    data = load("t.csv")
    with pytest.raises(UserError, match=r"no column len, kind\. It is in line 2: if .* header, delete .* above it\.$"):
        list(read_tables([str(tmp_path / "new.csv")], data.columns))
    with pytest.raises(UserError, match=r"has no column y to measure\. It is in line 2: if that is the header, delete"):
        open_data(known_of(data), data_dir=str(tmp_path / "new.csv"), everything=True)


def test_a_table_whose_rows_are_named_in_its_first_column_is_to_be_turned(load, tmp_path):
    write(tmp_path, t__csv="gene,s1,s2,s3\ny,p,q,p\nBRCA1,0.5,0.7,0.6\n", u__csv="Study,,\nlen,y,kind\n1,p,a\n")
    with pytest.raises(UserError, match=r"is in line 2: .* above it; if it names a row, swap rows and columns"):
        load("t.csv")
    with pytest.raises(UserError, match=r"is in line 2: if that is the header, delete the lines above it\.$"):
        load("u.csv")


def test_a_message_names_some_of_many_columns_and_the_beginning_of_long_ones(load, tmp_path):
    names = [f"{place}{'n' * 200}" for place in range(3000)]
    write(tmp_path, t__csv=",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    with pytest.raises(UserError, match=r"is no column of .*t\.csv\. Options: 0nnn.*, …") as raised:
        load("t.csv")
    assert len(str(raised.value)) < 4000


def test_a_sheet_of_what_is_no_spreadsheet_is_said(load, tmp_path, capsys):
    write(tmp_path, t__csv=flowers())
    load("t.csv", "sheet=2")
    assert "t.csv is no spreadsheet, so dataset.sheet=2 has no effect" in capsys.readouterr().out


def test_another_table_takes_the_column_of_classes_from_the_model_or_says_how_to_name_it(load, tmp_path):
    write(tmp_path, t__csv=flowers())
    known, file = known_of(load("t.csv")), str(tmp_path / "t.csv")
    assert open_data(known, "csv", file).target_name == "y"
    with pytest.raises(UserError, match=r"^dataset=csv does not say which column .* write two lines"):
        open_data(known | {"target": None}, "csv", file, everything=True)


def test_a_dataset_of_other_columns_is_not_told_to_measure_all_rows_where_it_does(load, tmp_path):
    write(tmp_path, t__csv=flowers())
    with pytest.raises(UserError, match="other columns or values than the training's: choose another dataset, or the"):
        open_data(known_of(load("t.csv")), "iris", everything=True)


def test_a_table_that_the_model_cannot_be_measured_on_is_told_from_one_of_other_columns(load, tmp_path):
    renamed = flowers(header="length,kind,y")
    write(tmp_path, t__csv=flowers(), renamed__csv=renamed, unknown__csv=flowers(header="len,kind,z"))
    known = known_of(load("t.csv"))
    with pytest.raises(UserError, match="the table has other columns or values than the training's: split=all"):
        open_data(known, data_dir=str(tmp_path / "renamed.csv"))
    with pytest.raises(UserError, match=r"the training's: data_dir=\S+renamed\.csv split=all measures all of its rows"):
        open_data(known_of(load("t.csv"), data_dir=str(tmp_path / "renamed.csv")))
    with pytest.raises(UserError, match="has no column 'len', which the model takes"):
        open_data(known, data_dir=str(tmp_path / "renamed.csv"), everything=True)
    with pytest.raises(UserError, match=r"unknown.csv has no column y to measure: python -m proj.predict works"):
        open_data(known, data_dir=str(tmp_path / "unknown.csv"), everything=True)


def test_the_classes_of_another_table_are_found_by_name_where_the_training_named_their_place(load, tmp_path):
    rows = [(i % 2, i * i % 7, i // 3 % 2) for i in range(40)]  # a and y are both 0 or 1
    write(tmp_path, t__csv="a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    write(tmp_path, new__csv="y,b,a\n" + "".join(f"{y},{b},{a}\n" for a, b, y in rows))
    write(tmp_path, more__csv="a,b,y,note\n" + "".join(f"{a},{b},{y},{a}\n" for a, b, y in rows))
    write(tmp_path, without__csv="a,b\n" + "".join(f"{a},{b}\n" for a, b, _ in rows))
    known = known_of(load("t.csv", "target=-1"), target=-1)
    for name in ("t.csv", "new.csv", "more.csv"):
        data = open_data(known, data_dir=str(tmp_path / name), everything=True)
        assert data.splits["test"].targets.tolist() == [y for *_, y in rows], name
    with pytest.raises(UserError, match="has no column y to measure"):
        open_data(known, data_dir=str(tmp_path / "without.csv"), everything=True)


@pytest.mark.parametrize(
    ("content", "kind"),
    (
        (b'{"a": 1, "y": "p"}\n', "JSON"),
        (b'[\n {"a": 1}]', "JSON"),
        (b"<!DOCTYPE html><table>", "HTML or XML"),
        (b'<meta http-equiv="content-type"><table>', "HTML or XML"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related", "HTML or XML"),
        ("\ufeff<html>".encode(), "HTML or XML"),
        ("<html>".encode("utf-16"), "HTML or XML"),
        ('\ufeff[{"a": 1}]'.encode(), "JSON"),
        (b"ARROW1\0\0\xff\xff", "Feather"),
        (b'[[1, "p"], [2, "q"]]', "JSON"),
        (b"% Title: Iris\n%\n\n@RELATION t", "ARFF"),
        (b"+1 1:0.5 3:1 7:-1e-3\n-1 2:1 \n", "LIBSVM"),
        (b"$FL2@(#) SPSS DATA FILE \x80\0", "a file of SPSS"),
        (b"<stata_dta><header>\x80\0", "a file of Stata"),
        (b"\x72\2\1\0\x80", "a file of Stata"),
        (b"\0" * 12 + b"\xc2\xea\x81\x60", "a file of SAS"),
        (gzip.compress(b"X\n\0\0\0\3\x80", mtime=0), "a file of R"),
        (b"\x93NUMPY\1\0v\0{'descr'", "a file of NumPy"),
    ),
)
def test_a_table_in_a_format_that_is_not_read_is_told_by_its_first_bytes(content, kind):
    with pytest.raises(UserError, match=rf"t is {kind}, which is not read here: save the table as CSV"):
        cells(content)


@pytest.mark.parametrize("first", ("<OPEN>,{y}", "ORCID,y", "A\n2", "[a],{b}", "rar,tar", "RDX,X", "% a,b"))
def test_a_header_that_resembles_another_format_is_one(first):
    assert cells(f"{first}\n1,p\n2,q\n".encode())[0] == first.split("\n")[0].split(",")


@pytest.mark.parametrize(("blank", "end"), ((" ", "\n"), ("  ", " \r\n"), (" \t ", "\n")))
def test_blanks_separate_values_where_nothing_else_does_and_the_name_says_no_other(load, tmp_path, blank, end):
    write(tmp_path, whole__csv=flowers())
    write(tmp_path, blank__data=flowers().replace(",", blank).replace("\n", end))
    assert load("blank.data").checksum() == load("whole.csv").checksum()
    write(tmp_path, quoted__txt="name where y\n" + f"'O''Hara' \"New  York\" p{end}" * 3)
    assert open_table(str(tmp_path / "quoted.txt")).columns[1].at(2) == "New York"


def test_a_folder_without_a_table_names_its_files(load, tmp_path):
    write(tmp_path / "adult", adult__data=flowers(), Index="adult.data")
    with pytest.raises(UserError, match=r"finds no table .*: name one of its files \(Index, adult.data\)"):
        load("adult")


def test_a_folder_whose_tables_lie_in_its_folders_is_told_the_pattern_that_takes_them(load, tmp_path):
    (tmp_path / "parts").mkdir()
    for year in (2020, 2021):  # as Spark and pandas write a table in partitions
        write(tmp_path / "parts" / f"year={year}", a__csv=flowers(year % 2 * 20, 20))
    with pytest.raises(UserError, match="finds no table") as raised:
        load("parts")
    how = f"'data_dir={tmp_path}/parts/*/*.csv' takes those in its folders as one table"
    assert f"{how}; the column that year=2020 stands for is not read" in str(raised.value)
    write(tmp_path, whole__csv=flowers())
    assert load("parts/*/*.csv").checksum() == load("whole.csv").checksum()


def test_a_folder_of_photos_in_place_of_a_table_is_told_what_trains_on_it(tmp_path):
    write_photos(tmp_path / "photos", 3)
    with pytest.raises(UserError, match=r"finds no table .*: it holds pictures, on which dataset=image_folder trains"):
        make("csv", f"data_dir={tmp_path}/photos", "target=kind")


@pytest.mark.parametrize("names", (("data.csv", "test.csv"), ("adult.data", "adult.test"), ("a.csv", "b_val.csv")))
def test_a_file_that_is_named_as_a_part_without_one_for_the_training_is_said_to_be_mixed(load, tmp_path, capsys, names):
    for place, name in enumerate(names):
        write_rows(tmp_path / name, [["x", "y"], *([i * i % 37 + place, "pq"[i % 2]] for i in range(30))])
    files = os.pathsep.join(str(tmp_path / name) for name in names)
    assert sum(len(split.targets) for split in load("csv", f"data_dir={files}", "target=y").splits.values()) == 60
    how = "to keep its rows out of the training set, rename the file of the others train.csv"
    assert f"{names[1]} is mixed with the rest: {how}\n" in capsys.readouterr().out


NAMES, WORDS = [f"flight, {i}.JPG" for i in range(60)], [f"O'Brien, {i % 4}" for i in range(60)]


@pytest.mark.parametrize("cells", (WORDS, [f"{i % 40},5" for i in range(60)]))
@pytest.mark.parametrize("header", ("'a','x','y'", "a,x,y"))
def test_apostrophes_around_all_cells_are_quotation_marks(load, tmp_path, capsys, cells, header):
    for name, mark, first in (("double", '"', "a,x,y"), ("single", "'", header)):
        cell = [mark + cells[i].replace(mark, 2 * mark) + mark for i in range(60)]
        rows = [f"{cell[i]},{mark}{i * i % 37}{mark},{mark}{'pq'[i % 2]}{mark}" for i in range(60)]
        (tmp_path / f"{name}.csv").write_text("\n".join([first, *rows, ""]), encoding="utf-8")
    double, single = (load("csv", f"data_dir={tmp_path}/{name}.csv", "target=y") for name in ("double", "single"))
    assert single.columns == double.columns and single.class_names == ["p", "q"]
    assert torch.equal(single.splits["train"].inputs, double.splits["train"].inputs)
    said = f"{tmp_path}/single.csv: the apostrophes around its cells are taken for quotation marks"
    assert capsys.readouterr().out.count(said) == 1
    single, double = ([*read_tables([str(tmp_path / f"{name}.csv")], double.columns)] for name in ("single", "double"))
    assert all(torch.equal(one.x, other.x) for one, other in zip(single, double, strict=True))


@pytest.mark.parametrize("cells", (["'00012", "'00345"], ["'s-Gravenhage", "Delft"], ["5'3", "6'"], ["'a' b", "'c'"]))
def test_apostrophes_in_cells_are_of_their_texts(load, tmp_path, cells):
    rows = [f"{cells[i % 2]},{i * i % 37},{'pq'[i // 2 % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,x,y", *rows, ""]), encoding="utf-8")
    assert load("csv", f"data_dir={tmp_path}/t.csv", "target=y").columns[0].categories == sorted(cells)


def test_an_apostrophe_that_is_not_closed_below_quoted_cells_is_named(load, tmp_path):
    rows = [f"'w{i % 3}',{i * i % 37},{'pq'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,x,y", *rows, "'tis,5,p", *rows, ""]), encoding="utf-8")
    sentence = "an apostrophe, which quotes the cells above it, in line 42 is not closed within its cell"
    with pytest.raises(UserError, match=sentence):
        load("csv", f"data_dir={tmp_path}/t.csv", "target=y")


def test_a_list_of_photos_in_place_of_a_table_of_their_properties_is_told_what_trains_on_it(load, tmp_path, capsys):
    how = "it names images (dataset=image_folder dataset.labels=… trains on them, docs/data.md)"
    write_rows(tmp_path / "a.csv", [["image", "y"], *([NAMES[i], "pq"[i % 2]] for i in range(60))])
    with pytest.raises(UserError, match=r"has no column to learn y from \(image: it names images"):
        load("csv", f"data_dir={tmp_path}/a.csv", "target=y")
    write_rows(tmp_path / "b.csv", [["image", "x", "y"], *([NAMES[i], i % 7, "pq"[i % 2]] for i in range(60))])
    assert [one.name for one in load("csv", f"data_dir={tmp_path}/b.csv", "target=y").columns] == ["x"]
    assert f"left out, since {how}: image" in " ".join(capsys.readouterr().out.split())


def test_a_header_that_lacks_the_name_of_the_first_column_is_that_of_r(load, tmp_path, capsys):
    names, *rows = flowers().splitlines()
    labelled = [f"{i},{row}" for i, row in enumerate(rows, 1)]
    write(tmp_path, r__csv="\n".join([names, *labelled]), whole__csv="\n".join([f",{names}", *labelled]))
    assert load("r.csv").checksum() == load("whole.csv").checksum()
    assert "r.csv: the first column has no name, since there is one name too few" in capsys.readouterr().out
    for first in ("1.5,2.5,3.5", names):  # an example that lacks a value, and one row with a cell too many
        with pytest.raises(UserError, match=r"different numbers of values: 4 in line 2, 3 in the first: if the table"):
            cells("\n".join([first, labelled[0], *(labelled[1:] if first != names else rows)]).encode())


def test_an_index_without_a_name_that_only_another_file_has_is_left_out(load, tmp_path):
    indexed = "\n".join(f"{i - 1 if i else ''},{row}" for i, row in enumerate(flowers(40, 8).splitlines()))
    write(tmp_path / "in", train__csv=flowers(), test__csv=indexed)
    write(tmp_path / "same", train__csv=flowers(), test__csv=flowers(40, 8))
    assert load("in").checksum() == load("same").checksum()
    write(tmp_path / "in", train__csv="1,a,p\n2,b,q\n" * 20, test__csv="1,a,p,0\n2,b,q,1\n")
    with pytest.raises(UserError, match=r"train.csv has no column 'column 3', which .*test.csv has"):
        load("in", "header=false", "target=2")


@pytest.mark.parametrize("name", ("", "Id", "Nr", None))
def test_an_index_that_begins_anew_in_each_of_several_files_numbers_the_rows(load, tmp_path, capsys, name):
    header, target = ("", "target=-1") if name is None else (f"{name},x,y\n", "target=y")
    texts = ["".join(f"{i},{i * i % 37}.5,{'pq'[i > 15]}\n" for i in range(1, size)) for size in (36, 31, 41)]
    write(tmp_path / "days", **{f"day{i}__csv": header + text for i, text in enumerate(texts)})
    write(tmp_path, joined__csv="".join(header + text for text in texts))
    write(tmp_path / "both", a__csv=header + texts[0], b__csv="".join(header + text for text in texts))
    for file in ["days"] + ["joined.csv", "both"] * (name is not None):
        data = load(file, target)
        assert [one.name for one in data.columns] == ["column 1" if name is None else "x"]
        out = capsys.readouterr().out
        assert f"left out, since it numbers the rows: {name or 'column 0'}\n" in out and "belong together" not in out
    write(tmp_path / "days", day1__csv=header + texts[1].replace("30,", "31,", 1))
    assert len(load("days", target).columns) == (1 if name == "" else 2)  # pandas leaves rows out of its index


@pytest.mark.parametrize(("size", "name", "taken"), ((30, "", 1), (30, "n", 2), (6, "", 2)))
def test_an_index_of_the_rows_that_were_kept_of_each_file_is_one_without_a_name(load, tmp_path, size, name, taken):
    rows = [f"{3 * i + i * i % 3},{i * i % 37}.5,{'pq'[i % 3 > 0]}\n" for i in range(size)]
    write(tmp_path / "days", a__csv=f"{name},x,y\n{''.join(rows)}", b__csv=f"{name},x,y\n{''.join(rows[1:])}")
    assert len(load("days").columns) == taken


def test_a_column_whose_codes_were_asked_for_neither_takes_nor_gives_more_cells():
    def column() -> one_column.WholeColumn:
        return one_column.WholeColumn(["a", "b", "a"])

    done = column()
    assert done.codes.tolist() == [0, 1, 0]
    for late in (lambda: done.add(["c"]), lambda: done.extend(column()), lambda: column().extend(done)):
        with pytest.raises(RuntimeError, match="once its codes were asked for"):
            late()
    assert list(done) == ["a", "b", "a"]


ROWS_OF_TWO = "".join(f"{i * i % 37},{'uv'[i % 2]},{'pq'[i % 3 > 0]}\n" for i in range(40))


AGAIN = (("a,b,y", "a,b,y", "y"), ('"a","b","y"', '\ufeff"a","b","y"', "-1"), ("1999,2000,y", "1999,2000,y", "-1"))


@pytest.mark.parametrize(("header", "again", "target"), (*AGAIN, (",b,y", ",b,y", "y")))
def test_names_of_columns_that_stand_again_among_the_rows_are_no_example(load, tmp_path, capsys, target, header, again):
    (tmp_path / "once.csv").write_text(f"{header}\n{ROWS_OF_TWO * 2}", encoding="utf-8")
    text = f"{header}\n{ROWS_OF_TWO}{again}\n{ROWS_OF_TWO}"
    (tmp_path / "twice.csv").write_text(text, encoding="utf-8")
    words = (f"target={target}", "batch_size=8")
    once, twice = (load("csv", f"data_dir={tmp_path}/{name}.csv", *words) for name in ("once", "twice"))
    assert once.columns == twice.columns and once.class_names == twice.class_names == ["p", "q"]
    assert once.checksum() == twice.checksum()
    assert "left out, as repeated names of the columns: line 42" in capsys.readouterr().out
    data = read_tables([str(tmp_path / "twice.csv")], once.columns)
    assert [example.name.split(":")[-1] for example in data] == [str(line) for line in range(2, 83) if line != 42]


def test_a_first_row_that_is_no_header_may_come_again(load, tmp_path):
    (tmp_path / "t.csv").write_text(ROWS_OF_TWO * 2)
    data = load("csv", f"data_dir={tmp_path}/t.csv", "target=-1", "batch_size=8")
    assert sum(len(split.targets) for split in data.splits.values()) == 80


def test_a_row_of_a_survey_that_has_ticked_all_is_a_row(tmp_path):
    (tmp_path / "t.csv").write_text("Apples,Pears\n" + "Apples,\n,Pears\nApples,Pears\n" * 5)
    table = open_table(str(tmp_path / "t.csv"))
    table.take_header(True)
    assert len(table.lines) == 15 and len(table.columns[0]) == 15


def test_files_of_columns_in_another_order_that_are_put_together_are_refused(load, tmp_path):
    (tmp_path / "t.csv").write_text(f"a,b,y\n{ROWS_OF_TWO}b,a,y\n{ROWS_OF_TWO}")
    with pytest.raises(UserError, match=r"line 42 repeats the names of the columns in another order, .*data_dir=\["):
        load("csv", f"data_dir={tmp_path}/t.csv", "target=y")


@pytest.mark.parametrize(
    ("line", "is_refused"),
    (
        ("age,height,sex,group", True),  # of another table
        ("length,width,colour,class", True),  # the header again, in other words
        ("n/a,n/a,red,class", False),  # an example whose class is rare
        ("n/k,n/k,,", False),  # without a class
        ("refused,refused,refused,unknown", False),
        ("5,width,colour,class", False),
        ("length,width,red,class", False),
        ("Total,12.5,,", False),  # which has no class, so that it is no example
    ),
)
def test_a_row_that_may_name_the_columns_of_another_table_is_refused_or_named_above_all_examples(
    load, tmp_path, line, is_refused, capsys
):
    rows = [f"{i * i % 37},{i % 17}.5,{'red' if i % 5 else 'blue'},{'pq'[i % 2]}" for i in range(60)]
    names = line.replace(",", ", ")
    for place, said in ((40, is_refused), (0, False), (60, False)):  # units above the rows, and a note below them
        lines = ["a,b,c,y", *rows[:place], line, *rows[place:], ""]
        (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
        if said:
            with pytest.raises(UserError, match=f"t.csv: line 42, {names}, may name the columns of another table: "):
                load("csv", f"data_dir={tmp_path}/t.csv", "target=y")
        else:
            data = load("csv", f"data_dir={tmp_path}/t.csv", "target=y")
            assert sum(len(split.targets) for split in data.splits.values()) == 60 and len(data.columns) == 3
            note = f"line 2, {names}, is no example: if it names the columns, delete the lines above it"
            assert (note in capsys.readouterr().out) == (is_refused and place == 0)


@pytest.mark.parametrize(
    ("first", "second", "is_said"),
    (
        (["", "Sales", "Sales", "y"], ["Region", "2023", "2024", "y"], True),  # of merged cells
        (["Area", "Sales", "Sales 2", "y"], ["Region", "2023", "2024", "y"], True),
        (["", "Sales", "Sales 2", "y"], ["Region", "2023", "2024", ""], True),
        (["", "Sales", "Sales 2", "y"], ["North", "2023", "2024", ""], False),  # an example without a class
        (["", "Sales", "Sales 2", "y"], ["7", "2023", "2024", "rare"], False),  # without a name, an index
        (["Area", "Sales", "Sales 2", "y"], ["Region", "2023", "2024", "rare"], False),
        (["", "Sales", "Sales 2", "y"], ["Region", "2023", "2024", "p"], False),
        (["", "Sales", "Sales 2", "y"], ["Region", "in 2023", "in 2024", "y"], True),  # of words alone
    ),
)
def test_a_second_line_of_a_header_that_holds_years_is_named(load, tmp_path, capsys, first, second, is_said):
    first = [f"{name} 2" if name == first[place - 1] else name for place, name in enumerate(first)]
    rows = [[["North", "South"][i % 2], i * i % 37 / 10, i * i % 41, "pq"[i % 3 > 0]] for i in range(40)]
    write_rows(tmp_path / "t.csv", [first, second, *rows])
    load("t.csv")
    said = (
        f"line 2, {', '.join(second).rstrip(' ')}, is no example: if it names the columns, delete the lines above it\n"
    )
    assert capsys.readouterr().out.count(said) == is_said


def test_a_header_that_is_read_as_an_example_is_named(load, tmp_path, capsys):
    (tmp_path / "t.csv").write_text(flowers())
    load("t.csv", "header=false", "target=-1")
    said = "line 1, len, kind, y, is no example: if it names the columns, dataset.header=true says so"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("label", "every", "is_said"),
    (
        ("Subtotal", 10, True),
        ("Summe:", 10, True),
        ("North Total", 10, True),
        ("AVERAGE", 60, True),
        ("total", 2, False),  # a kind of its own
        ("average", 10, False),
        ("Totally", 10, False),
    ),
)
def test_rows_that_may_sum_up_others_are_said_where_they_have_a_class(load, tmp_path, capsys, label, every, is_said):
    rows = [[label if i % every == 5 else "ab"[i % 2], i * i % 37, "pq"[i % 3 > 0]] for i in range(60)]
    load("csv", f"data_dir={write_rows(tmp_path / 't.csv', [['region', 'x', 'y'], *rows])}", "target=y")
    said = " ".join(capsys.readouterr().out.split())
    assert (f"rows that may be sums of others: 7 ({label})" in said) == is_said


def test_a_table_of_a_run_that_began_on_windows_is_named_whole_where_it_is_not_there():
    stored = "C:\\Users\\me\\table.csv"
    assert [file for file, _ in named_files(stored)] == [stored]
    assert [file for file, _ in named_files(f"a.csv{os.pathsep}b.csv")] == ["a.csv", "b.csv"]


def test_a_table_that_was_read_leaves_its_file_to_whom_it_belongs():
    with io.BytesIO(b"a,b\n1,2\n") as file:
        assert read_table(file, "t.csv") and not file.closed
