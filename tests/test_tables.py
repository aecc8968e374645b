"""Table files as spreadsheets and countries write them: every cell is read as it is meant, refused, or spoken of."""

import math
import re
import shlex
import sys
import tracemalloc
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from support.runs import make
from support.tables import numbers

from proj.config.quoting import typed
from proj.config.words import as_hydra_reads
from proj.data.facts import Facts, Standardize
from proj.data.tables.cells import number
from proj.data.tables.date_forms import moment
from proj.data.tables.encode import encode_table
from proj.data.tables.table_file import read_table
from proj.errors import UserError
from proj.use.inputs import read_tables


@pytest.fixture
def table(tmp_path):
    """table(text, "target=y", …) -> the datamodule of a file with this text, ready."""

    def table(text: str | bytes, *overrides: str, facts: Facts | None = None):
        (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return make("csv", f"data_dir={tmp_path}/t.csv", "target=y", "batch_size=4", *overrides, facts=facts)

    return table


@pytest.fixture
def predict(tmp_path):
    """predict(text, columns) -> {line: inputs} of each row of a file with this text."""

    def predict(text: str, columns: list[dict]) -> dict[str, list[float]]:
        (tmp_path / "p.csv").write_bytes(text.encode())
        return {name.rpartition(":")[2]: x.tolist() for name, x, *_ in read_tables([str(tmp_path / "p.csv")], columns)}

    return predict


def column(*cells: str, separator: str = ";") -> str:
    """60 rows whose column a has these cells in turn."""
    cells = [f'"{cell}"' if separator in cell else cell for cell in cells]
    rows = [separator.join((cells[i // 2 % len(cells)], str(i * i % 37), "pq"[i % 2])) for i in range(60)]
    return "\n".join([separator.join("aby"), *rows])


def beside(columns) -> str:
    """60 rows whose columns c0, c1, … have the cells of each of these in turn."""
    rows = [[*(cells[i // 2 % len(cells)] for cells in columns), str(i * i % 37), "pq"[i % 2]] for i in range(60)]
    return "\n".join(map(";".join, [[*(f"c{place}" for place, _ in enumerate(columns)), "b", "y"], *rows]))


READ = {
    ("1,5e-05", "2,5e-05"): (1.5e-05, 2.5e-05),
    (",5", ",75"): (0.5, 0.75),
    ("1.234,56", "12,5"): (1234.56, 12.5),
    ("1.234", "12,5"): (1234, 12.5),
    ("1.234.567", "999"): (1234567, 999),
    ("1,200", "12,500.5"): (1200, 12500.5),
    ("1,00,000", "99"): (100000, 99),
    ("$5", "$1,200.50"): (5, 1200.5),
    ("-$5", "$-7"): (-5, -7),
    ("5 €", "7,5 €"): (5, 7.5),
    ("5.2%", "7 %"): (5.2, 7),
    ("−5", "–7"): (-5, -7),
    ("(5)", "(1.234,5)"): (-5, -1234.5),
    ("($5)", "$7"): (-5, 7),
    ("5-", "1.234,5–"): (-5, -1234.5),
    ("1\u202f234", "12\u00a0345,5"): (1234, 12345.5),
    ("1 234 567", "99"): (1234567, 99),
    ("1'234.5", "2’345"): (1234.5, 2345),
    ("5.", "1E-3"): (5, 0.001),
    ("-0.5", "+1,234.5"): (-0.5, 1234.5),
    ("12.5 kg", "1,200.5 kg"): (12.5, 1200.5),
    ("36months", "−60 months."): (36, -60),
    ("CHF 7", "CHF1'200.50"): (7, 1200.5),
    ("7,5 zł", "5 zł"): (7.5, 5),
    ("12.5 м²", "9 м²"): (12.5, 9),
    ("7,5 km/h", "1.200,5 km/h"): (7.5, 1200.5),
    ("'1.5'", '"2.5"'): (1.5, 2.5),
    ("1,500/-", "2,50,000/-"): (1500, 250_000),
    ("Rs. 4/-", "Rs. 6/-"): (4, 6),
}


SEPARATED = [(cells, ";") for cells in READ]
SEPARATED += [(cells, ",") for cells in READ if "," in cells[1]][::4]  # which stand in quotation marks


@pytest.mark.parametrize(("cells", "separator"), SEPARATED)
def test_a_number_is_read_however_it_is_written_also_in_predict(table, predict, cells, separator):
    data = table(column(*cells, separator=separator))
    one, two = READ[cells]
    read = sorted({round(x, 5) for split in data.splits.values() for x in split.inputs[:, 0].tolist()})
    mean, std = data.columns[0].mean, data.columns[0].std
    assert read == pytest.approx(sorted((value - mean) / std for value in (one, two)), abs=1e-4)
    for cell, value in zip(cells, (one, two), strict=True):  # a file that shows nothing but this number
        cell = f'"{cell}"' if separator in cell else cell
        (x,) = predict(f"a{separator}b\n{cell}{separator}1\n", data.columns).values()
        assert x[0] == pytest.approx((value - mean) / std, abs=1e-4)


@pytest.mark.parametrize("cells", ("5 kg;6 g", "5 kg;6", "940xx;606xx", "A11;A12", "5 kg;null kg", "1,5 l;2,50;none"))
def test_words_that_hold_numbers_of_several_kinds_stay_words(table, cells):
    assert table(column(*cells.split(";"))).columns[0].kind == "words"


def test_a_unit_that_is_a_word_is_said_and_asked_of_other_tables(table, predict, capsys):
    data = table(column("5 kg", "1.234 kg", "7 kg", "1,5 kg"))
    assert "a: numbers in kg: 'dataset.categorical=[a]' reads all as words" in capsys.readouterr().out
    assert data.columns[0].unit == "kg" and data.columns[0].mean > 100  # commas are decimal marks, beyond doubt
    for cell, sentence in (
        ("5", "'5' is among numbers in kg"),
        ("5 g", "'5 g' is among numbers in kg"),
        ("11 lb", "'11 lb' is among numbers in kg: write"),
    ):
        with pytest.raises(UserError, match=sentence):
            predict(f"a;b\n{cell};1\n", data.columns)
    table(column("1.234 kg", "999 kg"))
    assert "1.234 kg in column a is read as 1.234, which dataset.decimal=comma changes" in capsys.readouterr().out
    assert table(column("5 kg", "6 kg"), "categorical=[a]").columns[0].kind == "words"


MISSING = ("-", "–", "—", ".", "#DIV/0!", "#N/A", "#WERT!", "#NAME?", "#NV", "<NA>", "NaT", "unknown", "n.a.", "-nan")


def test_what_stands_for_no_number_is_missing_and_said(table, predict):
    data = table(beside([(word, "1.5", "2") for word in MISSING]))
    for place, word in enumerate(MISSING):
        assert 1.5 < data.columns[place].mean < 2
        said = f"c{place}: numbers, and 33% count as missing ({word!r}): 'dataset.categorical=[c{place}]'"
        assert any(said in note for note in data.notes)
    names = ";".join(column.name for column in data.columns)
    assert predict(f"{names}\n{';'.join(MISSING)};1\n", data.columns)["2"][:-1] == [0] * len(MISSING)


def test_a_few_missing_ones_are_not_none(table, capsys):
    """Columns with a dot in their names are typed in quotation marks; they are columns like others."""
    rows = "\n".join(f"{i % 37};{i % 41};{i % 43};{i % 51};{'pq'[i % 2]}" for i in range(200)) + "\n.;.;.;.;p\n"
    for header, words in (("a;b.c;d;e;y\n", ["b.c", "d", "e"]), ("", [f"column {place}" for place in (1, 2, 3)])):
        table(f"{header}{rows}", "target=4" if not header else "target=y")
        said = capsys.readouterr().out
        assert ": numbers, and 0.5% count as missing ('.')" in said
        assert f"3 more columns: {', '.join(words)}\n" in said


@pytest.mark.parametrize(("columns", "lines"), ((3, 3), (14, 1)))
def test_a_remark_that_holds_for_many_columns_is_printed_once(table, predict, capsys, columns, lines):
    data = table(beside([(word, "1.5", "2") for word in MISSING[:columns]]))
    said = [line for line in capsys.readouterr().out.splitlines() if "count as missing" in line]
    assert len(said) == lines and said[0].startswith("c0: numbers, and 33% count as missing ('-')")
    assert said[0].endswith("The same goes for 13 more columns: c1, c2, c3, c4, c5, …") == (columns == 14)
    names = ";".join(column.name for column in data.columns)
    predict("\n".join([names, *[";" * columns] * 5]), data.columns)
    assert capsys.readouterr().err.count("no row has a value") == 1  # of the column b, too


@pytest.mark.parametrize(("one", "two"), (("Bär", "Löwe"), ("sí", "no")))
def test_words_and_names_are_the_same_however_their_accents_are_stored(table, predict, capsys, one, two):
    text = column(one, two).replace("a;b;y", "Größe;b;y")
    data = table(text)
    stored = unicodedata.normalize("NFD", text)  # as macOS has them
    assert stored != text and predict(stored, data.columns) == predict(text, data.columns)
    assert "none of its words" not in capsys.readouterr().err
    other = table(stored.replace(";y\n", ";ä\n"), "target=ä", "drop=[Größe]")
    assert [column.name for column in other.columns] == ["b"] and other.class_names == ["p", "q"]


@pytest.mark.parametrize(("trained", "given"), (("1010", "1010.0"), ("1010.0", "1010")))
def test_codes_that_pandas_wrote_as_decimal_numbers_are_those_of_the_training(table, predict, capsys, trained, given):
    columns = table(column(trained, "2020", "3030"), "categorical=[a]").columns
    capsys.readouterr()
    assert predict(f"a;b\n{given};1\n;1\n", columns) == predict(f"a;b\n{trained};1\n;1\n", columns)
    assert capsys.readouterr() == ("", "")


def test_numbers_that_may_say_that_there_is_none_and_codes_are_said(table):
    strange = (
        (["-999", *"123456789"], "-999 is far from all other values, and 10% of the column: if it marks missing"),
        (["99999", *"123456789"], "99999 is far from all other values"),
        (["-1", *map(str, range(13, 40, 3))], "-1 is far from all other values"),
        (["99", *map(str, range(18, 80, 7))], "99 is far from all other values"),
        (["98", "99", *"12345"], "98 and 99 are far from all other values, and 33% of the column: if"),
        (["-8", "-9", *map(str, range(18, 80, 7))], "-9 and -8 are far from all other values"),
        (["77", "88", "99", *"1234"], "77 and 88 and 99 are far from all other values"),
        (["99", *"1234"], "99 is far from all other values"),
        (["-9", *"123"], "-9 is far from all other values"),
        (["7", "9", *"12"], "7 and 9 are far from all other values"),
        (["00501", "10115", "94105"], "numbers such as 00501 may be codes: 'dataset.categorical=[c10]' reads"),
        (["9", *"1234"], "9 is far from all other values, and 20% of the column: if it marks missing values"),
        (["9", *"12345"], "9 is far from all other values"),
    )
    notes = table(beside([cells for cells, _ in strange])).notes
    assert len(notes) == len(strange)
    assert all(note.startswith(f"c{place}: {strange[place][1]}") for place, note in enumerate(notes))


def test_numbers_among_which_none_is_strange_are_not_doubted(table):
    usual = (
        ["0", "1"],
        ["0", "100", "200"],
        [*"123456789"],
        ["0", *map(str, range(10, 60))],
        ["-1", *map(str, range(9))],
        ["-1", "-20", *map(str, range(13, 40, 3))],
        ["99", *map(str, range(18, 98, 8))],
        ["-1", "1"],
        [*"0123458"],
        ["-1", "0", "1"],
        ["-2", "-1", "0", "1", "2"],
        ["50", "51", *"12345"],
        ["1", "99"],
        [*"1249"],
        [*"1234569"],
        ["98", "99", *map(str, range(90, 98))],
    )
    assert table(beside(usual)).notes == []


@pytest.mark.parametrize("mark", "\u200b\u200e\u202d\u2060\ufeff")
def test_characters_that_nobody_sees_are_no_part_of_numbers_and_dates(table, capsys, mark):
    plain, marked = (table(column(f"{one}13.5", f"2{one}", f"{one}NA")) for one in ("", mark))
    assert marked.columns == plain.columns and "words: a" not in capsys.readouterr().out
    date = f"{mark}1{mark}/{mark}31{mark}/{mark}2024"  # as Windows writes it
    assert moment(date, "month/day/year") == moment("2024-01-31", "year-month-day")


@pytest.mark.parametrize("cell", ("(13)", "13-", "13−"))
def test_numbers_in_parentheses_or_before_a_minus_are_said_to_be_negative(table, capsys, cell):
    data = table(column(cell, "13", "-"))
    assert abs(data.columns[0].mean) < 13
    assert f"a: {cell} and the like are negative numbers: 'dataset.c" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ("12,-", "12,--", "12.–", "12,- €", "€ 12,-"))
def test_a_price_without_cents_is_not_negative(table, capsys, cell):
    prices = table(column(cell, *(["7,50 €"] if "€" in cell else ["7,50"])))
    assert prices.columns[0].mean == pytest.approx(9.75, abs=0.4)
    assert "negative" not in capsys.readouterr().out


def test_amounts_with_a_letter_for_their_size_are_said_to_be_words(table, capsys):
    table(column("€12.1M", "€565K", "€3M"))
    assert "a: taken for words, although nearly all are numbers (6" in capsys.readouterr().out


@pytest.mark.parametrize(("cells", "are_codes"), ((("1E2", "101", "2E3"), True), (("1E2", "1.5E2", "7"), False)))
def test_numbers_that_may_be_codes_with_a_letter_are_said(table, capsys, cells, are_codes):
    table(column(*cells))
    said = "a: numbers such as 1E2 may be codes: 'dataset.categorical=[a]' reads them as words"
    assert (said in capsys.readouterr().out) == are_codes


def test_a_column_of_words_that_is_left_out_is_not_said_to_be_read_though_most_are_numbers(table, capsys):
    cells = [f"PC {i * 7919}" if i % 5 == 0 else f"{i * 7919}" for i in range(100)]
    table("\n".join(["a;b;y", *(f"{cell};{i * i % 37};{'pq'[i % 2]}" for i, cell in enumerate(cells))]))
    out = capsys.readouterr().out
    assert "left out, since almost no word occurs twice: a\n" in out and "read as words" not in out
    assert "a: taken for words, although 80% are numbers, others not ('PC 0'," in out


def test_the_usual_words_for_a_missing_number_need_no_remark(table):
    data = table(beside([(word, "1.5", "2") for word in ("?", "n/a", "NULL", "None", "NaN", "")]))
    assert all(column.kind == "numbers" for column in data.columns) and data.notes == []


def test_a_column_of_numbers_and_others_is_words_and_a_sentence_says_so(table, predict):
    words = ["inf", "-inf", "1_000", "<5x", "12A", "(x)", "5 kg", "2024-01-05", "12:30", "1/2", "yes"]
    text, names = beside([(word, "13", "14") for word in words]), [f"c{place}" for place, _ in enumerate(words)]
    data = table(text)
    numeric = table(text, f"numeric=[{','.join(names)}]")
    for place, (word, name) in enumerate(zip(words, names, strict=True)):
        assert word in data.columns[place].categories and 13 < numeric.columns[place].mean < 14
        said = f"others not ({word!r}): 'dataset.numeric=[{name}]' reads them as numbers"
        assert any(note.startswith(f"{name}: ") and said in note for note in data.notes)
        assert any(note.startswith(f"{name}: ") and f"count as missing ({word!r})" in note for note in numeric.notes)
    text = f"{';'.join(names)};b\n{';'.join(words)};1\n"
    assert predict(text, numeric.columns)["2"][:-1] == [0] * len(words)


@pytest.mark.parametrize("limit", ("<5", "< 5", "≤5", "<=5", ">5", ">=5.0", "<5,0", "5+", "5 +"))
def test_a_limit_among_numbers_is_read_as_such_and_said(table, predict, capsys, limit):
    """As laboratories write what is below or above what they can measure, and surveys the last of their numbers."""
    point = "." if "," not in limit else ","
    data = table(column(limit, f"13{point}5", f"14{point}5"))
    assert data.columns[0].mean == pytest.approx(11, rel=0.05)
    assert f"a: limits count as the number itself ({limit!r}; 20 cells): 'dataset.cat" in capsys.readouterr().out
    limited, plain = (predict(f"a;b\n{cell};1\n", data.columns)["2"] for cell in (limit, "5"))
    assert limited == plain
    capsys.readouterr()
    predict("a;b\n13;1\n<7;1\n-;1\n", data.columns)
    said = capsys.readouterr().err
    assert "column a: limits count as the number itself ('<7'; 1 cell)" in said
    assert "column a: numbers, and 33% count as missing ('-')" in said


def test_what_is_said_is_wrapped_at_the_terminals_width_but_for_words_to_copy(table, predict, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True)
    rows = [f"{n % 7 if n % 3 else '<5'},{n},x{n % 2},{n / 3:.3f},{'pq'[n % 2] if n % 9 else 'p;q'}" for n in range(60)]
    data = table("\n".join(["a b c,id,copy,measured,y", *rows]))
    predict("a b c,copy,measured\n1,other,2\n2,other,3\n", data.columns)
    out, err = capsys.readouterr()
    assert "\"dataset.categorical=['a b c']\"" in out
    for said, sentence in (
        (out, "a b c: limits count as the number itself ("),
        (out, "classes that seem to list others, though each"),
        (err, "none of its words ("),
    ):
        assert sentence in " ".join(said.split())
        assert all(len(line) <= 50 or " " not in line.strip() or "'dataset." in line for line in said.splitlines())


def test_limits_with_a_unit_are_numbers_in_it(table, predict, capsys):
    data = table(column("<5 mg/l", "13 mg/l", "14 mg/l"))
    assert data.columns[0].unit == "mg/l" and data.columns[0].mean == pytest.approx(11, rel=0.05)
    said = capsys.readouterr().out
    assert "a: limits count as the number itself ('<5 mg/l'; 20 cells)" in said and "a: numbers in mg/l: " in said
    limited, plain = (predict(f"a;b\n{cell};1\n", data.columns)["2"] for cell in ("<5 mg/l", "5 mg/l"))
    assert limited == plain
    assert table(column("<18 years", ">=65 years", "20 years")).columns[0].kind == "words"


def test_groups_of_which_most_are_limits_are_words(table, predict, capsys):
    text = column("<18", ">=65", "20")
    assert table(text).columns[0].categories == ["20", "<18", ">=65"]
    said = capsys.readouterr().out
    assert "a: taken for words, although 33% are numbers, others not ('<18', '>=65'): 'dataset.num" in said
    assert "reads them as numbers, and limits as the number itself\n" in said
    columns = table(text, "numeric=[a]").columns
    assert columns[0].mean == pytest.approx((18 + 65 + 20) / 3, rel=0.2)
    older = [replace(columns[0], limits=False), columns[1]]
    new = "a;b\n<18;1\n"
    assert predict(new, columns)["2"][0] < 0
    assert "limits count as the number itself" in capsys.readouterr().err
    assert predict(new, older)["2"][0] == 0  # for which a limit is missing
    assert "limits count" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cells", "sentence"),
    (
        (("5.2%", "0.07"), r"row 4, column a: '0.07' is among numbers in %"),
        (("$5", "€7"), r"row 4, column a: '€7' is among numbers in \$"),
        (("1,200", "950"), r"'1,200' can be 1.200 or 1200; .*dataset.decimal=point or dataset.decimal=comma"),
        (("1,200 €", "950 €"), r"'1,200 €' can be 1.200 € or 1200 €; .* \(1.2000 € or 1200 €\)"),
        (("1,5", "2.5", "1,234", "5,678"), r"'1,234' can be 1.234 or 1234"),
        ((*("1",) * 25, "inf"), "'inf' is no number"),
        (
            (*("1,5",) * 25, "05. Mrz"),
            "'05. Mrz' is no number, but a date, maybe what a spreadsheet made of one: import",
        ),
        (
            (*("1.5",) * 25, "5-Mar"),
            r"'5-Mar' is no number, but a date, .* text .* or train with 'dataset.numeric=\[a\]'",
        ),
    ),
)
def test_what_is_ambiguous_is_refused(table, cells, sentence):
    with pytest.raises(UserError, match=sentence):
        table(column(*cells))


def test_a_setting_tells_the_decimal_mark(table, predict):
    for decimal, mean in (("point", 1075), ("comma", 475.6)):
        data = table(column("1,200", "950"), f"decimal={decimal}")
        assert data.columns[0].mean == pytest.approx(mean, abs=40)
        (x,) = predict('a;b\n"1,200";1\n', data.columns).values()
        value = {"point": 1200, "comma": 1.2}[decimal]
        assert x[0] == pytest.approx((value - data.columns[0].mean) / data.columns[0].std, abs=1e-4)
    with pytest.raises(UserError, match=r"'1.5' is no number with a decimal comma"):
        table(column("1.5", "950"), "decimal=comma")


def test_a_number_that_looks_grouped_is_said(table, capsys):
    for cells, is_said in ((["999"], True), (["n.a.", "999"], True), (["2.345"], False), (["5.5"], False)):
        table(column("1.234", *cells))
        said = "1.234 in column a is read as 1.234, which dataset.decimal=comma changes"
        assert (said in capsys.readouterr().out) == is_said


def test_a_unit_that_the_training_had_is_needed_in_predict(predict):
    with pytest.raises(UserError, match=r"row 2, column a: '0.05' is among numbers in %"):
        predict("a\n0.05\n", numbers("a", unit="%"))
    with pytest.raises(UserError, match=r"row 2, column a: '6\.1 mg' is among numbers without mg"):
        predict("a\n6.1 mg\n", numbers("a"))
    with pytest.raises(UserError, match=r"row 2, column a: '5%' is among numbers without %"):
        predict("a\n5%\n", numbers("a"))


@pytest.mark.parametrize(
    "cell",
    ("1.2.3", "1,2,3", "192.168.0.1", "1 23", "--5", "$5$", "5%%", "1,234.567.8", "e5", "1.234e", "(-5)", "(5", "5)"),
)
def test_what_only_resembles_a_number_is_none(cell):
    assert number(cell) is None


@pytest.mark.parametrize(
    ("text", "lines"),
    (
        ('a,b\n1,"x\ny"\n,\n\n3,z\n', {"2": 1, "4": 0, "6": 3}),
        ("a,b\r\n1,x\r\n,\r\n3,z", {"2": 1, "3": 0, "4": 3}),
        ("a,b\r1,x\r,\r3,z", {"2": 1, "3": 0, "4": 3}),
        ("\n\na;b\n1;x\n;\n\n3;z\n;", {"4": 1, "5": 0, "7": 3, "8": 0}),
        ("sep=;\na;b\n1;x\n;\n3;z", {"3": 1, "4": 0, "5": 3}),
        ("a,b,\n1,x,\n,,\n3,z,\n", {"2": 1, "3": 0, "4": 3}),
        ('a\n1\n""\n\n3\n', {"2": 1, "3": 0, "5": 3}),
    ),
)
def test_each_row_has_one_prediction_under_the_line_where_it_begins(predict, text, lines):
    assert {line: x[0] for line, x in predict(text, numbers("a")).items()} == lines


def test_an_empty_first_row_without_header_is_a_row(predict):
    columns = numbers("column 0", "column 1")
    assert predict(",\n\n7.5,2\n3,4\n", columns) == {"1": [0, 0], "3": [7.5, 2], "4": [3, 4]}


def test_columns_without_names_are_those_of_the_same_places(predict, capsys):
    columns = numbers("column 0", "column 1")
    assert predict("1,2\n3,4\n", columns) == predict("1,2,9\n3,4,9\n", columns) == {"1": [1, 2], "2": [3, 4]}
    assert not capsys.readouterr().err
    with pytest.raises(UserError, match="4 values for 3 columns"):
        predict("1,2,3,4\n5,6,7,8\n", numbers("column 1", "column 2", "column 5"))


def flowers(header: list | None, rows: int = 60, index: bool = False) -> str:
    random = np.random.default_rng(0)
    made = [[f"{random.random():.3f}", f"{random.random():.3f}", i % 3] for i in range(rows)]
    made = [[i, *row] for i, row in enumerate(made)] if index else made
    return "\n".join(",".join(map(str, row)) for row in [header or [], *made]).lstrip("\n")


@pytest.mark.parametrize(
    ("header", "target"),
    (([0, 1, 2], 2), ([0, 1, 2], -1), ([1, 2, 3], "3"), ([2020, 2021, "y"], "-1"), ([400.5, 401.5, "kind"], -1)),
)
def test_a_header_of_numbers_is_no_example(table, predict, capsys, header, target):
    data = table(flowers(header), f"target={target}" if target != "3" else 'target="3"')
    assert sum(len(split.targets) for split in data.splits.values()) == 60 and data.class_names == ["0", "1", "2"]
    assert [one.name for one in data.columns] == [str(name) for name in header[:2]]
    assert "is taken for names of the columns: dataset.header=false" in capsys.readouterr().out or target == "3"
    assert list(predict(flowers(header), data.columns)) == [str(line) for line in range(2, 62)]


@pytest.mark.parametrize("target", ("y", 2, -1))
def test_a_header_of_words_is_not_doubted_also_where_the_target_is_named_by_its_place(table, capsys, target):
    table(flowers(["width", "length", "y"]), f"target={target}")
    assert "is taken for" not in capsys.readouterr().out


def test_a_name_of_a_column_may_be_a_class_where_another_stands_above_numbers(table):
    text = flowers(["width", "length", "y"]).replace(",0\n", ",y\n")
    data = table(text, "target=-1")
    assert data.class_names == ["1", "2", "y"] and [one.name for one in data.columns] == ["width", "length"]


def test_a_header_is_what_the_setting_says(table):
    for header, rows in (("true", 60), ("false", 61)):
        data = table(flowers([0, 1, 2]), "target=2", f"header={header}")
        assert sum(len(split.targets) for split in data.splits.values()) == rows


@pytest.mark.parametrize("name", ("", "Unnamed: 0"))
def test_an_unnamed_column_that_numbers_the_rows_is_left_out_and_named(table, capsys, name):
    data = table(flowers([name, "a", "b", "y"], index=True))
    assert [one.name for one in data.columns] == ["a", "b"]
    said = f"left out, since it numbers the rows: {name or 'column 0'}\n    \"dataset.numeric=['"
    assert said in capsys.readouterr().out
    kept = table(flowers([name, "a", "b", "y"], index=True), "numeric=[0]")
    assert len(kept.columns) == 3
    old = table(flowers([name, "a", "b", "y"], index=True), facts=kept.facts)  # of a version that took it
    assert [one.name for one in old.columns] == [one.name for one in kept.columns]


@pytest.mark.parametrize(("name", "taken"), (("id", False), ("rownames", False), ("Case-Nr.", False), ("dose", True)))
def test_a_named_column_that_numbers_a_few_rows_is_left_out(table, name, taken):
    data = table(flowers([name, "a", "b", "y"], rows=15, index=True))
    assert [one.name for one in data.columns] == [name] * taken + ["a", "b"]


@pytest.mark.parametrize("names", (",", "Unnamed: 0,Unnamed: 1"))
def test_a_table_whose_target_alone_has_a_name_is_read_again_as_in_the_training(table, names):
    text = "\n".join([f"{names},y", *(f"{i * i % 37},{i * i % 41},{'pq'[i % 2]}" for i in range(60))])
    data = table(text)
    assert table(text, facts=data.facts).checksum() == data.checksum()


@pytest.mark.parametrize("ends", (("", ","), (",", ","), (",", "")))
def test_separators_at_the_ends_of_lines_make_no_column(table, ends):
    text = "\n".join([f"a,b,y{ends[0]}", *(f"{i % 7},{i % 5},{'pq'[i % 2]}{ends[1]}" for i in range(40))])
    assert [one.name for one in table(text).columns] == ["a", "b"]
    if ends[0]:
        with pytest.raises(UserError, match=r"has no class in column 3: name another"):
            table(text, "target=-1")


NAMES = ["len (cm)", "größe", "col'x", "City, State", "2019", 'a "b"', "true", "1.50", "a=b", "#1", "x\\", "${x}"]
NAMES += ["null"]


@pytest.mark.parametrize("name", NAMES)
def test_the_words_that_a_message_advises_are_what_the_command_takes(table, capsys, name):
    cell = '"' + name.replace('"', '""') + '"'
    table("\n".join([f"{cell};b;y", *(f"word{i};{i % 7};{'pq'[i % 2]}" for i in range(40))]))
    (word,) = shlex.split(re.search(r"^ +(.*) keeps it, each", capsys.readouterr().out, re.M)[1])
    override = OverridesParser.create().parse_override(as_hydra_reads(word))
    assert override.value() == [name if name != "${x}" else "\\${x}"]
    (word,) = shlex.split(typed("dataset.target", name))
    assert OverridesParser.create().parse_override(as_hydra_reads(word)).value() in (name, "\\${x}")


@pytest.mark.parametrize(
    "word", ("[len (cm)]", "[größe]", "[col'x]", "[2019]", "[b, größe, col'x]", "[#1]", "[1.5]", "[true]", "[null]")
)
def test_a_list_of_columns_is_taken_as_it_is_typed(table, word):
    names = ["len (cm)", "größe", "col'x", "2019", "#1", "1.50", "true", "null", "b", "c", "y"]
    text = "\n".join([";".join(names), *(";".join([str(i % 7)] * 10 + ["pq"[i % 2]]) for i in range(40))])
    dropped = OverridesParser.create().parse_override(as_hydra_reads(f"dataset.drop={word}")).value()
    data = table(text)
    data.drop, data.splits = dropped, {}
    data.setup()
    assert len(data.columns) == 10 - len(dropped)


def test_a_name_with_a_comma_is_said_as_it_is_typed(table):
    text = "\n".join(["City, State;b;y", *(f"{i % 3};{i % 7};{'pq'[i % 2]}" for i in range(40))])
    with pytest.raises(UserError) as raised:
        table(text, "drop=[City, State]")
    assert str(raised.value).endswith("""Type "dataset.drop=['City, State']".""")


def test_a_number_that_is_a_name_and_another_place_is_refused(table):
    with pytest.raises(UserError, match=r"""can be a column's name or its place: use "dataset.target='2'" or"""):
        table(flowers([1, 2, 3]), "target=2")


def test_milliseconds_since_1970_are_told_apart(table, predict):
    """float32 has one value in 131,072 ms there."""
    times = [1_700_000_000_000 + 37 * i * i % 1000 for i in range(60)]
    data = table("\n".join(["t,y", *(f"{time},{'pq'[i % 2]}" for i, time in enumerate(times))]))
    x = torch.cat([split.inputs for split in data.splits.values()])[:, 0]
    mean, std = data.columns[0].mean, data.columns[0].std
    assert sorted(x.tolist()) == pytest.approx(sorted((time - mean) / std for time in times), abs=1e-5)
    made = torch.tensor([*predict("t\n" + "\n".join(map(str, times)), data.columns).values()])
    exact = Standardize(data.columns)
    assert exact.dtype == torch.float64 and torch.equal(exact(torch.tensor(times).double()[:, None]), made)


def test_a_large_table_is_kept_in_about_the_size_of_its_file(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("\n".join([",".join("abcdefghij"), *(",".join([f"{i / 7:.6f}"] * 10) for i in range(20000))]))
    tracemalloc.start()
    with open(file, "rb") as lines:
        read = read_table(lines, "t.csv")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1.5 * file.stat().st_size
    read.take_header(True)
    assert encode_table(read, dict(zip((0, 9), numbers("a", "j"), strict=True)), np.arange(20000)).shape == (20000, 2)
    assert math.isclose(float(read.columns[9].at(19999)), 19999 / 7, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("cells", "line"),
    (
        ({5: '"5 inch', 9: '"9 inch'}, 7),  # the second mark would end the cell that the first one begins
        ({5: '"5 inch'}, 7),  # all that follows would be one cell
        ({0: '"two\nlines, ""quoted"""', 5: '"5 inch', 9: '"9'}, 8),
        ({0: '"two\nlines, ""quoted"""', 5: '5" pipe', 9: '"9 inch" '}, None),
    ),
)
def test_a_quotation_mark_that_is_not_closed_takes_no_rows_along(table, predict, cells, line):
    text = "\n".join(["b,a,y", *(f"{i % 7},{cells.get(i, 'ab'[i % 2])},{'pq'[i // 2 % 2]}" for i in range(40))])
    if line:
        for read in (table, lambda text: predict(text, numbers("b"))):
            with pytest.raises(UserError, match=rf"csv: a quotation mark in line {line} is not closed"):
                read(text)
    else:
        assert len(predict(text, table(text).columns)) == 40


def test_empty_columns_are_left_out_and_named_unless_a_setting_names_them(table, capsys):
    text = "\n".join(["a;b;e f;c;y;", *(f";{i % 7};NA;1;{'pq'[i % 2]};" for i in range(40))])
    data = table(text, "drop=[c]")
    assert [one.name for one in data.columns] == ["b"]
    assert "left out, since it is empty in the training rows: a, e f, column 5\n" in capsys.readouterr().out
    assert {"column": "a", "taken for": "left out", "missing": "100.00%"}.items() <= data.described[0].items()
    assert [one.name for one in table(text, facts=data.facts).columns] == ["b"]
    for setting, what in (("numeric", "number"), ("categorical", "word"), ("dates", "date")):
        with pytest.raises(UserError, match=f"a has no {what} in the training .*: leave it out of dataset.{setting}"):
            table(text, f"{setting}=[a]")
    with pytest.raises(UserError, match=r"no column to learn y from \(a: it is empty in the training rows; e f: it is"):
        table(text, "drop=[b,c]")


def test_the_word_that_takes_a_cell_among_numbers_for_an_empty_one_is_said(table):
    text = column(*map(str, range(29)), "lost")
    with pytest.raises(UserError, match=r"'lost' is no number; .* or train with 'dataset.numeric=\[a\]', which"):
        table(text)
    assert table(text, "numeric=[a]").columns[0].lenient


@pytest.mark.parametrize(
    ("cells", "labels"),
    (
        ([*map(str, range(101, 160)), "136A"], True),  # as houses and families are numbered
        ([*"2346" * 15, "rotary"], True),  # cylinders
        ([*map(str, range(100)), "north", "south", "west"], True),
        ([*map(str, range(60)), "1x5"], False),
    ),
)
def test_of_a_word_among_numbers_both_cures_are_said_and_the_likelier_first(table, cells, labels):
    with pytest.raises(UserError, match="is no number") as raised:
        table("\n".join(["a;b;y", *(f"{cell};{i * i % 37};{'pq'[i % 2]}" for i, cell in enumerate(cells))]))
    places = [str(raised.value).index(f"train with 'dataset.{kind}=[a]'") for kind in ("numeric", "categorical")]
    assert (places[1] < places[0]) == labels


def test_a_file_whose_lines_are_in_quotes_as_a_whole_is_told_from_one_of_a_single_column(table):
    text = "\n".join(['"a,b,y"', *(f'"{i},1,{"pq"[i % 2]}"' for i in range(40))])
    with pytest.raises(UserError, match="Its one column is 'a,b,y': remove the quotation marks"):
        table(text)


@pytest.mark.parametrize("encoding", ("utf-8", "utf-16-le"))
def test_a_mark_of_the_byte_order_is_no_part_of_the_first_name_where_the_encoding_is_said(table, encoding):
    text = "\ufeff" + column("1", "2", "3").replace("a;b;y", '"a";b;y')
    assert [one.name for one in table(text.encode(encoding), f"encoding={encoding}").columns] == ["a", "b"]


def test_a_remark_shows_the_beginning_of_a_long_word(table, capsys):
    table(column("1", "2", "3", "f" * 32))
    assert f"others not ('{'f' * 19}…')" in capsys.readouterr().out


def test_words_that_differ_in_quotation_marks_alone_are_said(table, capsys):
    text = column("'red'", '"red"', '"blue"')
    table(text)
    assert "count as different: 'red' and red" in capsys.readouterr().out
    with pytest.raises(UserError, match="line 4, 3 in the first: write quotation marks for the apostrophes around"):
        table(text.replace('"red"', "'red;dark'"))


@pytest.mark.parametrize(("name", "word"), (("[x, y]", "[x,y]"), ("[x]", "[x]")))
def test_a_column_whose_name_hydra_takes_for_a_list_is_found(table, name, word):
    assert table(column("1", "2").replace(";y\n", f";{name}\n"), f"target={word}").class_names == ["p", "q"]


def test_a_column_that_is_called_null_is_told_with_what_to_type(table):
    with pytest.raises(UserError, match=r""""dataset\.target='null'" is the column null"""):
        table(column("1", "2").replace(";y\n", ";null\n"), "target=null")
