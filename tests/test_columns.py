"""What each column of a table is taken for: ids, dates, yes and no, texts; and classes of too few rows."""

import random
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import load_photos
from support.runs import make
from support.tables import numbers, read_rows, write_rows

from proj.config.quoting import typed
from proj.data.facts import Facts
from proj.data.tables.answers import find_answers
from proj.data.tables.columns import Columns
from proj.data.tables.date_forms import moment
from proj.data.tables.date_parts import parts_of
from proj.data.tables.word_column import WordColumn
from proj.errors import UserError
from proj.system.run_folder import RunFolder
from proj.training.run import train
from proj.use.inputs import read_tables

START = datetime(2021, 3, 5, 14, 30)
DAYS = [START + timedelta(days=i * 37 % 600, hours=i * 7 % 24) for i in range(60)]


@pytest.fixture
def table(tmp_path):
    """table(column, …, words=[…]) -> the datamodule of rows of these cells, named a, b …, a number and a class."""

    def table(*columns, words=(), names="abcdefghij", rows=60, classes="pq", facts=None):
        header = [*names[: len(columns)], "x", "y"]
        lines = [[*(cells[i] for cells in columns), i * i % 37 / 10, classes[i % len(classes)]] for i in range(rows)]
        write_rows(tmp_path / "t.csv", [header, *lines])
        return make("csv", f"data_dir={tmp_path}/t.csv", "target=y", "batch_size=4", *words, facts=facts)

    return table


@pytest.fixture
def new(tmp_path):
    """new(text or rows, columns) -> the inputs of each row of another table, as a model with these columns takes it."""

    def new(content, columns) -> list[torch.Tensor]:
        file = tmp_path / "new.csv"
        file.write_text(content) if isinstance(content, str) else write_rows(file, content)
        return [row.x for row in read_tables([str(file)], columns)]

    return new


def taken(data) -> dict[str, str]:
    return {row["column"]: row["taken for"] for row in data.described}


def shuffled(cells) -> list:
    cells = [*cells]
    random.Random(0).shuffle(cells)
    return cells


def test_what_a_column_is_follows_from_the_settings_that_say_it_alone(table, monkeypatch):
    given, measure = [], Columns.measure
    monkeypatch.setattr(Columns, "measure", lambda self: given.append(self.settings) or measure(self))
    table(range(60), words=["drop=[a]", "max_categories=7"])
    names = "group order split drop categorical numeric text dates max_categories max_words decimal day_first"
    values = (None, None, None, ["a"], [], [], [], [], 7, 1000, None, None)
    assert given == [dict(zip(names.split(), values, strict=True))]


IDS = {
    "from 1": range(1, 61),
    "backwards": range(1060, 1000, -1),
    "with gaps": [i * i + 3 * i for i in range(60)],
    "not in order": shuffled(range(500, 560)),
    "not in order, with gaps": shuffled(range(0, 90))[:60],
}


@pytest.mark.parametrize("cells", IDS.values(), ids=IDS)
def test_a_running_id_is_left_out_until_a_setting_asks_for_it(table, capsys, cells):
    assert taken(table(cells))["a"] == "left out"
    assert "left out, since it numbers the rows: a\n    'dataset.numeric=[a]' keeps it\n" in capsys.readouterr().out
    assert [one.name for one in table(cells, words=["numeric=[a]"]).columns] == ["a", "x"]


def test_numbers_that_are_different_are_an_id_where_the_name_says_so(table):
    cells = [int(number) for number in np.random.default_rng(0).permutation(10**6)[:60]]
    ids = ("PassengerId", "user_id", "Matrikelnummer", "Kunden-Nr.", "invoice_no", "Rechnungsnr", "index", "ID")
    others = ("humid", "a", "Reynolds number", "volcano", "No vote")
    found = taken(table(*[cells] * 13, names=[*ids, *others]))
    assert {found[name] for name in ids} == {"left out"} and {found[name] for name in others} == {"numbers"}


def test_numbers_that_may_be_ids_or_are_not_told_apart_are_said(table, tmp_path, capsys):
    ids = [int(number) for number in np.random.default_rng(0).permutation(10**6)[:59]]
    write_rows(tmp_path / "t.csv", [[number, ids[0], "pq"[i % 2]] for i, number in enumerate([*ids, ids[0]])])
    data = make("csv", f"data_dir={tmp_path}/t.csv", "target=-1", "batch_size=4")
    assert [one.name for one in data.columns] == ["column 0"]
    assert """nearly all of them different: "dataset.drop=['column 0']" leaves""" in capsys.readouterr().out
    table([10**17 + 10**12 * (i % 7) + i for i in range(60)], [f"{i % 7}.5e17" for i in range(60)], [*ids, 5])
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("a: ", "b: ", "c: "))]
    assert note.startswith("a: numbers of more than 15 digits lose the last ones: 'dataset.categorical=[a]'")


def test_ids_of_which_each_has_several_rows_are_said_to_be_groups(table, capsys):
    names = ["patient_id", "Subject", "userId", "Mouse ID", "Patient-Nr.", "Fallnummer", "Probanden", "file_name"]
    names += ["Sample Name", "liquid"]
    for cells in ([1000 + i // 4 * 7 for i in range(60)], [f"P{i // 4}" for i in range(60)]):
        out = "\n".join(table(*[cells] * 10, names=names).notes)
        same = "15 values in 60 rows: if rows of the same value belong together"
        told = [name for name in names if f"{name}: {same}, {typed('dataset.group', name)} keeps" in out]
        assert told == names[:-1] and f"patient_id: {same}" in capsys.readouterr().out
        table(cells, names=names, words=["group=patient_id"])
        assert "belong together" not in capsys.readouterr().out
    table([i % 5 for i in range(60)], names=names)  # a code of a few kinds
    assert "belong together" not in capsys.readouterr().out


def test_how_a_column_is_read_otherwise_is_said_in_the_training_alone(table, capsys):
    cells = [range(60), [day.date() for day in DAYS]]
    facts = table(*cells).facts
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("    'dataset.")]) == 2
    table(*cells, facts=facts)
    said = capsys.readouterr().out
    assert "dates: b (year" in said and "dataset." not in said


MEASURED = {
    "sorted, with repeated values": [20 + i // 2 for i in range(60)],
    "sorted fractions": [i / 7 for i in range(60)],
    "whole and different, far apart": [int(n) for n in np.random.default_rng(0).permutation(10**5)[:60]],
    "repeated": [i * i % 37 for i in range(60)],
}


def test_a_measurement_is_no_id(table):
    found = taken(table(*MEASURED.values(), names=[*MEASURED]))
    assert {found[name] for name in MEASURED} == {"numbers"}


def test_years_ranks_small_tables_and_an_only_column_are_no_ids(table, tmp_path):
    for first, kind in ((1950, "numbers"), (2050, "left out")):
        assert taken(table(range(first, first + 60), names=["year"]))["year"] == kind
    texts = [DAY.format(min(i, 12)) for i in range(16)]
    few = taken(table(range(16), texts, rows=16, words=["batch_size=2"]))
    assert [few[name] for name in "ab"] == ["numbers", "words"]
    ranks = taken(table(shuffled(range(60)), shuffled(range(1, 61)), range(60)))
    assert [ranks[name] for name in "abc"] == ["numbers", "numbers", "left out"]
    (tmp_path / "one.csv").write_text("\n".join(["a,y", *(f"{i},{'pq'[i % 2]}" for i in range(40))]))
    assert len(make("csv", f"data_dir={tmp_path}/one.csv", "target=y", "batch_size=4").columns) == 1


def test_a_column_that_is_always_the_same_is_left_out_unless_it_is_asked_for(table):
    some = ["3" if i % 2 else "" for i in range(60)]
    found = taken(table(some, [7] * 60, ["one"] * 60, ["two", ""] * 30))
    assert [found[name] for name in "abcd"] == ["left out"] * 3 + ["words"]
    assert taken(table(some, [7] * 60, words=["numeric=[a]"]))["a"] == "numbers"


@pytest.mark.parametrize("name", ("", "Unnamed: 1"))
def test_an_empty_column_between_others_is_said_to_separate_two_tables(table, capsys, name):
    said, empty = "an empty column separates y from", [""] * 60
    table(range(60), empty, names=["a", name])
    others = " a: if these are another table, whose rows are other things, 'dataset.drop=[a]' leaves it out\n"
    assert said + others in capsys.readouterr().out
    table(range(60), range(60), empty, names=["a b", "c", name, "y"])
    assert f"{said} a b, c: if these are another table, " in (out := capsys.readouterr().out)
    assert f"{typed('dataset.drop', 'a b', 'c', listed=True)} leaves them out" in out
    for outside in ([empty, range(60)], [range(60), ["7"] * 60], [range(60), [*empty[1:], "7"]]):
        table(*outside, names=[name, "a"] if outside[0] is empty else ["a", name])
        assert said not in capsys.readouterr().out
    table(range(60), empty, names=["a", name], words=["drop=[a]"])
    assert said not in capsys.readouterr().out


@pytest.mark.parametrize("cell", ("{0}.5", "2021-03-{0:02d}", "{0}:30", "word"))
def test_a_column_that_has_values_outside_the_training_part_alone_is_left_out(table, capsys, cell):
    lines = [*map(int, table(range(60)).numbers["test"])]
    cells = [cell.format(lines.index(line) + 1) if line in lines else "" for line in range(2, 62)]
    assert [one.name for one in table(cells).columns] == ["x"]
    assert "left out, since it is empty in the training rows: a\n" in capsys.readouterr().out


def test_a_number_that_all_training_rows_have_is_one_deviation_from_others(table):
    lines = [*map(int, table(range(60)).numbers["test"])]
    for number in (0.1, 0.7, 12.3):
        column = table([5 if line in lines else number for line in range(2, 62)]).columns[0]
        assert column.std == 1


DAY = "It was a long day, and number {} of those that I remember"
SEVERAL = "its cells hold several values each, which need columns of their own"
NAMES = [first * 2 + last * 2 for first in "abcdefgh" for last in "klmnopqr"][:60]
SHORT = "almost none of its texts occurs twice"
TEXTS = {
    "ids of letters": ([f"A{i:04d}" for i in range(60)], "almost no word occurs twice"),
    "pressures": ([f"{99 + i}/{60 + i % 9}" for i in range(60)], SEVERAL),
    "places": ([f"{i / 7:.4f}, {-i / 9:.4f}" for i in range(60)], SEVERAL),
    "lists": ([f"[{i / 7:.4f}, {-i / 9:.4f}, 1.5]" for i in range(60)], SEVERAL),
    "structures": ([f"{{'a': {i}, 'b': None}}" for i in range(60)], SEVERAL),
    "few that come twice": ([f"A{max(i, 2):04d}" for i in range(60)], "almost no word occurs twice"),
    "sentences": ([DAY.format(i) for i in range(60)], "it is free text"),
    "names with titles": ([f"{'Mr' if i % 3 else 'Mrs'}. {name}, John" for i, name in enumerate(NAMES)], SHORT),
    "words of their own": ([f"{name}o {name}i {name}u" for name in NAMES], "almost no word occurs twice"),
    "some the same": ([DAY.format(min(i, 40)) for i in range(60)], "it is free text"),
}


def test_words_that_hardly_come_twice_and_texts_are_left_out_until_a_setting_asks(table, capsys):
    columns = [cells for cells, _ in TEXTS.values()]
    data = table(*columns)
    assert [row["why"] for row in data.described[:10]] == [why for _, why in TEXTS.values()]
    how = "'dataset.text=[g]' keeps the first of them, with an input for each of its frequent words"
    said = capsys.readouterr().out
    assert f"it is free text: g, j\n    {how}\n" in said
    assert f"{SHORT}: h\n    'dataset.text=[h]' keeps it, with an input for each of its frequent words\n" in said
    asked = table(*columns, words=["categorical=[a,b,c,d,e,f,g,h,i,j]"]).columns
    assert [one.name for one in asked] == [*"abcdefghij", "x"]


def test_a_word_that_comes_often_among_others_is_kept(table):
    cells = ["nothing" if i % 4 else f"Note {i}" for i in range(60)]
    assert table(cells).columns[0].categories == ["nothing"]
    assert table(cells, words=["categorical=[a]"]).columns[0].categories == ["nothing"]


FORMS = {
    "year-month-day": (
        "%Y/%m/%d %I:%M:%S %p GMT+2",
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S.250Z",
        "%Y/%m/%d",
    ),
    "day.month.year": ("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y %H:%M"),
    "month/day/year": ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%m/%d/%Y %I:%M %p"),
    "1 Jan 2000": ("%d %b %Y", "%d-%b-%y", "%d%b%Y:%H:%M:%S", "%a, %d %B %Y %H:%M:%S +0100"),
    "Jan 1, 2000": ("%B %d, %Y", "%a %b %d %Y"),
    "Sat Jan 1 10:00:00 2000": ("%a %b %e %H:%M:%S %Y", "%a %b %d %H:%M:%S +0000 %Y"),
    "2000年1月1日": ("%Y年%m月%d日", "%Y年%m月%d日 %H:%M"),
    "hour:minute": ("%H:%M", "%H:%M:%S"),
    "yearmonthday": ("%Y%m%d",),
    "20000101T100000": ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M+0100", "%Y%m%d_%H%M%S", "%Y%m%d%H%M%S"),
}
CASES = [(form, how) for form, hows in FORMS.items() for how in hows]


@pytest.mark.parametrize(("form", "how"), CASES, ids=[how for _, how in CASES])
def test_dates_become_numbers_of_those_parts_that_vary_also_in_predict(table, new, form, how):
    cells = [f"{day:{how}}" for day in DAYS]
    data = table(["" if i % 10 == 3 else cell for i, cell in enumerate(cells)])
    column = data.columns[0]
    assert column.date == form
    at = ["hour"] if "%H" in how or "%I" in how else []
    wanted = at if form == "hour:minute" else ["year", "month", "day", "weekday", *at]
    assert [part.name for part in column.parts] == wanted
    first, *missing = (x[: len(wanted)] for x in new(f'x,a\n1,"{cells[0]}"\n1,\n1,NULL\n', data.columns))
    right = {"year": 2021, "month": 3, "day": 5, "weekday": 4, "hour": 14.5}
    for value, part in zip(first.tolist(), column.parts, strict=True):
        assert value == pytest.approx((right[part.name] - part.mean) / part.std, abs=1e-5)
    assert not torch.cat(missing).any()


MONTHS = {
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Austrian, short": "Jän. Feb. Mrz. Apr. Mai Jun. Jul. Aug. Sep. Okt. Nov. Dez.",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "French, short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Dutch, short": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Norwegian": "januar februar mars april mai juni juli august september oktober november desember",
}


def test_classes_and_words_whose_accents_are_stored_in_two_ways_are_one(table, capsys):
    forms = [unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD")]
    data = table([forms[i // 2 % 2] if i % 3 else "Kuh" for i in range(60)], classes=[*forms, "Kuh"])
    assert [unicodedata.normalize("NFC", name) for name in data.class_names] == ["Bär", "Kuh"]
    assert len(data.columns[0].categories) == 2
    assert "differ only in spelling" not in capsys.readouterr().out


@pytest.mark.parametrize("names", (["0,5", "1", "1,5", "10"], ["2 kg", "10 kg"], ["5%", "20%"], ["-1", "3", "low"]))
def test_classes_that_are_numbers_are_in_the_order_of_their_values(table, names):
    data = table(range(60), classes=names[::-1])
    assert data.class_names == names
    facts = replace(data.facts, class_names=sorted(names))  # as an older version has them
    assert table(range(60), classes=names[::-1], facts=facts).class_names == sorted(names)


@pytest.mark.parametrize("names", MONTHS.values(), ids=MONTHS)
def test_months_have_their_names_in_other_languages(table, names):
    days = [datetime(2020 + i // 12, 1 + i % 12, 1 + i * 7 % 28) for i in range(60)]
    forms = ("{} {} {}", "{}. {} {}", "{} de {} de {}", "{}-{}-{}")  # each month is written in all of them
    cells = [forms[i // 12 % 4].format(day.day, names.split()[day.month - 1], day.year) for i, day in enumerate(days)]
    cells = [unicodedata.normalize(("NFC", "NFD")[(i + i // 12) % 2], cell) for i, cell in enumerate(cells)]
    column, names = table(cells).columns[0], ["year", "month", "day", "weekday"]
    assert column.date == "1. Januar 2000" and [part.name for part in column.parts] == names
    found = [datetime(1970, 1, 1) + timedelta(seconds=moment(cell, column.date)) for cell in cells]
    assert found == days


AS_WORDS = {
    "quarters": ("Q1 2024", "2023-Q2", "q3/2024"),
    "weeks": ("2024-W05", "2024W06", "2023-W51-1"),
    "months": ("03/2024", "11.2023", "5-2024", "Jan-20", "Nov 2020", "März 2021"),
    "durations": ("1h 30m", "PT1H30M", "P1DT12H", "2 d 3 h", "45min 10s", "PT0.5S"),
    "numbers or codes after a sign of Excel": ('="0012"', "'-12", '="1.5"'),
}


def test_words_that_have_an_order_are_said(table):
    data = table(*([cells[i % len(cells)] for i in range(60)] for cells in AS_WORDS.values()))
    assert [taken(data)[name] for name in "abcde"] == ["words"] * 5
    for name, (what, cells) in zip("abcde", AS_WORDS.items(), strict=True):
        said = f"{name}: taken for words, although they are {what} ({cells[0]}): write "
        assert any(note.startswith(said) for note in data.notes)


def test_words_with_digits_have_no_such_remark(table, capsys):
    table([("Part 7", "P12", "3 m", "D5 2024", "W05", "10/20", "it's")[i % 7] for i in range(60)])
    assert "though they are" not in capsys.readouterr().out


def test_a_column_of_words_of_which_many_are_dates_is_said(table, capsys):
    cells = [f"{1 + i % 28}.{1 + i % 18}.2020" for i in range(60)]  # of months that there are not
    assert taken(table(cells))["a"] != "dates"
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("a: ")]
    assert "a: taken for words, although 70% are dates (day.month.year), others not ('13.13.2020'): 'dataset.d" in line
    table([f"{1 + i % 28}.{1 + i // 28}.2020" if i < 51 else f"{i - 50}.3.2020 - 9.4.2020" for i in range(60)])
    assert "although 85% are dates (day.month.year), others not ('1.3.2020 - 9.4.2020" in capsys.readouterr().out
    table(cells, words=["categorical=[a]"])
    table([f"group {i % 7}" for i in range(60)])
    assert "are dates" not in capsys.readouterr().out


@pytest.mark.parametrize(("seldom", "shares"), ((3, "67% in kg, 33% in g"), (20, "95% in kg, 5% in g")))
def test_a_column_of_numbers_in_several_units_is_said(table, capsys, seldom, shares):
    cells = [f"{i} kg" if i % seldom else f"{i * 1000} g" for i in range(60)]
    assert taken(table(cells))["a"] == "left out"
    how = "write plain numbers in one unit, if they are amounts"
    assert f"a: taken for words, although nearly all are numbers ({shares}): {how}" in capsys.readouterr().out
    table([f"{i}" if i % 10 == 0 else f"{i} kg" for i in range(60)])
    assert "nearly all are numbers (90% in kg, 10% in no unit)" in capsys.readouterr().out
    table([f"{i % 7} kg" if i % 2 else "heavy" for i in range(60)])
    table(cells, words=["categorical=[a]"])
    assert "nearly all are numbers" not in capsys.readouterr().out


@pytest.mark.parametrize("labels", ("1st 2nd 3rd", "1st 2nd 3rd 4th 5th 6th 7th", "1. White|2. Black|3. Other"))
def test_ordinals_and_numbered_labels_are_no_amounts(table, capsys, labels):
    words = labels.split("|") if "|" in labels else labels.split()
    assert taken(table([words[i % len(words)] for i in range(60)]))["a"] == "words"
    assert "nearly all are numbers" not in capsys.readouterr().out


@pytest.mark.parametrize("unit", (1, 1000))
def test_seconds_and_milliseconds_since_1970_become_dates_where_there_is_no_doubt(table, capsys, unit):
    cells = [int((day - datetime(1970, 1, 1)).total_seconds()) * unit for day in DAYS]
    data = table(cells, names=["created_at"])
    assert [part.name for part in data.columns[0].parts] == ["year", "month", "day", "weekday", "hour"]
    assert "'dataset.numeric=[created_at]' reads it as numbers" in capsys.readouterr().out
    assert table(cells, names=["created_at"], words=["numeric=[created_at]"]).columns[0].kind == "numbers"
    assert taken(table(cells))["a"] == ("numbers" if unit == 1 else "dates")  # the name does not say it
    assert taken(table(cells, words=["dates=[a]"]))["a"] == "dates"
    assert taken(table([cells[0] + i % 50 for i in range(60)], names=["time"]))["time"] == "numbers"  # of one day
    assert taken(table([cells[0], *range(59)], names=["time"]))["time"] == "numbers"
    assert taken(table(["-", *cells[1:]], names=["time"]))["time"] == "dates"


@pytest.mark.parametrize("hours", (True, False))
def test_days_as_excel_numbers_them_are_dates_where_the_name_says_so(table, new, capsys, hours):
    """They are all different and in order, as of rows that are numbered."""
    days = [datetime(2024, 1, 30) + timedelta(days=i, hours=7 * i % 24 * hours) for i in range(60)]
    cells = [f"{45321 + (day - datetime(2024, 1, 30)) / timedelta(days=1):.10g}" for day in days]
    data = table(cells, names=["order_date"])
    assert "'dataset.numeric=[order_date]' reads it as numbers" in capsys.readouterr().out
    column, written = data.columns[0], table([f"{day:%Y-%m-%d %H:%M}" for day in days], names=["order_date"])
    for part, same in zip(column.parts, written.columns[0].parts, strict=True):
        assert part.name == same.name and part.mean == pytest.approx(same.mean, abs=0.01)
    one, same, missing = new("x,order_date\n1,45400.5\n1,2024-04-18 12:00\n1,\n", [column])
    assert torch.equal(one, same) and one.any() and not missing.any()
    assert taken(table(["1960", *cells[1:]], names=["order_date"]))["order_date"] != "dates"
    dates, others = ["birthdate", "OrderDateUTC"], ["a", "candidate", "consolidated_debt", "Datenvolumen", "day"]
    found = taken(table(*[cells] * 7, names=dates + others))
    assert [name for name, kind in found.items() if kind == "dates"] == dates
    assert taken(table(cells, words=["dates=[a]"]))["a"] == "dates"


def test_a_day_that_can_be_a_month_is_refused_until_a_setting_says_it(table):
    cells = [f"{1 + i % 12:02d}/{1 + i % 7:02d}/2021" for i in range(60)]
    with pytest.raises(UserError, match=r"row 2, column a: '01/01/2021' can be .*dataset.day_first=true or"):
        table(cells)
    for first, month in (("true", range(1, 8)), ("false", range(1, 13))):
        column = table(cells, words=[f"day_first={first}"]).columns[0]
        assert column.parts[0].mean == pytest.approx(np.mean(month), abs=0.5)
    assert table([*cells[:-1], "25/01/2021"]).columns[0].date == "day.month.year"  # one that tells of all


def test_a_cell_that_is_no_date_is_refused_or_missing_as_a_setting_says(table, new):
    cells = [f"{day:%Y-%m-%d}" if i else "0000-00-00" for i, day in enumerate(DAYS)]
    data = table(cells)  # with which databases write that there is none
    assert taken(data)["a"] == "dates"
    with pytest.raises(UserError, match=r"row 2, column a: '2021-02-30' is not a date.*'dataset.dates=\[a\]'"):
        new("x,a\n1,2021-02-30\n", data.columns)
    for how, cell in (("%H:%M", "2021-02-03"), ("%d.%m.%Y", "1999.5")):
        columns = table([f"{day:{how}}" for day in DAYS]).columns
        with pytest.raises(UserError, match=f"'{cell}' is not a date as the others are"):
            new(f"x,a\n1,{cell}\n", columns)
    with pytest.raises(UserError, match=r"'1.2.2021' is not a date as in the training \(year-month-day\), nor are the"):
        new("x,a\n1,1.2.2021\n2,\n3,3.2.2021\n", data.columns)
    data = table([*cells[:30], *(["soon", "late", "12"] * 10)], words=["dates=[a]"])
    assert taken(data)["a"] == "dates" and len(new("x,a\n1,2021-02-30\n", data.columns)) == 1
    assert table([f"2021-0{1 + i % 3}-01" for i in range(60)], words=["categorical=[a]"]).columns[0].kind == "words"
    with pytest.raises(UserError, match=r"column x has no date in the training rows: leave it out of dataset.dates"):
        table(cells, words=["dates=[x]"])


@pytest.mark.parametrize(
    ("form", "never"), (("%Y-%m-%d", "9999-12-31"), ("%d.%m.%Y", "31.12.2999"), ("%Y%m%d", "99991231"))
)
def test_a_date_that_says_that_there_is_no_end_is_none(table, new, form, never):
    """A mean of years such as 2820 would hide all others."""
    days = [f"{day:{form}}" for day in DAYS]
    cells = [never if i % 10 == 3 else day for i, day in enumerate(days)]
    data, empty = (table(cells, words=["day_first=true"]) for cells in (cells, [c.replace(never, "") for c in cells]))
    assert data.columns == empty.columns
    rows = [["a", "x"], [never, 1], ["", 1]]
    first, second = new(rows, data.columns)
    assert torch.equal(first, second)
    old = [replace(data.columns[0], no_end=False), *data.columns[1:]]
    if form == "%Y-%m-%d":  # an older model goes on with what it learned
        first, second = new(rows, old)
        assert not torch.equal(first, second)


def test_a_new_table_may_hold_dates_as_spreadsheets_and_databases_write_them(table, new):
    seconds = [f"{(day - datetime(1970, 1, 1)).total_seconds():.0f}" for day in DAYS]
    for cells in (*([f"{day:{form}}" for day in DAYS] for form in ("%d.%m.%Y %H:%M", "%b %d, %Y %H:%M")), seconds):
        data, taken_for = table(cells, names=["time"], words=["day_first=true"]), []
        for rows in (cells, [f"{day:%Y-%m-%d %H:%M}" for day in DAYS], ["", *cells]):
            taken_for.append([x.tolist() for x in new([["time", "x"], *([cell, 1] for cell in rows)], data.columns)])
        assert taken_for[0] == taken_for[1] == taken_for[2][1:]


@pytest.mark.parametrize("form", ("%d.%m.%Y", "%m/%d/%y", "%b %d, %Y", "%Y%m%d"))
@pytest.mark.parametrize(("every", "is_iso_rare"), ((50, True), (50, False), (2, True)))
def test_dates_that_spreadsheets_and_databases_write_may_be_among_others(table, new, capsys, form, every, is_iso_rare):
    iso, local = (f"{DAYS[0]:%Y-%m-%d}", f"{DAYS[1]:%Y-%m-%d}"), [f"{day:{form}}" for day in DAYS]
    cells = [f"{day:%Y-%m-%d}" if (i % every == 1) == is_iso_rare else local[i] for i, day in enumerate(DAYS)]
    data, plain = (table(rows, words=["day_first=false"]) for rows in (cells, [f"{day:%Y-%m-%d}" for day in DAYS]))
    assert data.columns[0].date != plain.columns[0].date
    assert data.columns[0].parts == plain.columns[0].parts
    assert "a: dates in two forms, " in capsys.readouterr().out
    rows = [x.tolist() for x in new([["a", "x"], *([cell, 1] for cell in (*iso, *local[:2]))], data.columns)]
    assert rows[:2] == rows[2:] and rows[0] != rows[1]


@pytest.mark.parametrize("never", ("01.01.1900", "31.12.2099"))
def test_a_date_that_comes_often_and_is_far_from_all_others_is_said(table, capsys, never):
    table([never if i % 10 == 3 else f"{day:%d.%m.%Y}" for i, day in enumerate(DAYS)])
    assert f"a: {never} is far from all other values, and 10% of the column: if it marks" in capsys.readouterr().out


def test_dates_of_which_a_spreadsheet_has_exchanged_day_and_month_are_doubted(table, capsys):
    cells = [f"{day:%Y-%d-%m}" if day.day <= 12 else f"{day:%d/%m/%Y}" for day in DAYS]
    table(cells)
    assert "none of the first has a day above 12: are day and month swapped?" in capsys.readouterr().out
    table([f"{day:%Y-%m-%d}" if i % 2 else f"{day:%d/%m/%Y}" for i, day in enumerate(DAYS)])
    assert "swapped" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("form", "days", "others", "doubted"),
    (
        ("%d/%m/%Y", [day for day in DAYS if day.day <= 12], DAYS, True),
        ("%m/%d/%Y", DAYS, DAYS, False),
        ("%m/%d/%Y", [day for day in DAYS if day.day == 1], DAYS, False),  # such as the first days of months
        ("%d/%m/%Y", *[[day for day in DAYS if day.day <= 12]] * 2, False),
    ),
)
def test_a_file_that_has_day_and_month_the_other_way_round_is_doubted(tmp_path, capsys, form, days, others, doubted):
    for file, how, its_own in (("a.csv", form, days), ("b.csv", "%m/%d/%Y", others)):
        rows = [[f"{day:{how}}", "ab"[i % 2]] for i, day in enumerate(its_own)]
        write_rows(tmp_path / file, [["day", "y"], *rows])
    make("csv", f"data_dir={tmp_path}", "target=y", "batch_size=4", "day_first=false")
    doubt = f"day: read as month/day/year; {tmp_path}/a.csv has no day above 12, others have: are day and month swapped"
    assert (doubt in " ".join(capsys.readouterr().out.split())) == doubted


def test_a_test_file_and_a_new_table_that_have_day_and_month_the_other_way_round_are_doubted(tmp_path, new, capsys):
    early = [datetime(2021, 1 + i % 12, 1 + (i + i // 12) % 12) for i in range(60)]
    german, english, iso = "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d"
    for trained, form, days, its_form, doubted in (
        ([*early, datetime(2021, 1, 31)], german, early, german, False),
        (DAYS, iso, early, iso, False),
        (DAYS, german, early, english, True),
        (DAYS, german, DAYS, german, False),
        (DAYS, german, early[:12], english, False),
    ):
        for file, how, its_own in (("train", form, trained), ("test", its_form, days)):
            rows = [[f"{day:{how}}", "ab"[i % 2]] for i, day in enumerate(its_own)]
            write_rows(tmp_path / f"{file}.csv", [["day", "y"], *rows])
        data = make("csv", f"data_dir={tmp_path}", "target=y", "batch_size=4")
        new([["day", "y"], *rows], data.columns)
        said, doubt = capsys.readouterr(), "csv: column day: read as day.month.year, and no day is above 12: are day"
        assert (doubt in said.out, doubt in said.err) == (doubted, doubted)
        assert doubted or "no day is above 12" not in said.out + said.err
    with pytest.raises(UserError, match=r"'03/31/2021' is not a date as the others are \(day.month.year\), but month"):
        new([["day"], ["01/02/2021"], ["03/31/2021"]], data.columns)


def test_a_model_of_before_takes_dates_of_another_form_for_missing_ones_as_it_did(table, new):
    days = [f"{day:%d.%m.%Y}" for day in DAYS]
    today = table(["2021-03-05" if i % 3 else day for i, day in enumerate(days)], words=["dates=[a]"])
    old = [replace(today.columns[0], iso=False, no_end=False), *today.columns[1:]]
    told = []
    for cells in (["2021-03-05", days[1]], ["2021-03-05", "2021-03-06"], ["", days[1]]):
        rows = [["a", "x"], *([cell, 1] for cell in cells)]
        told.append([[x.tolist() for x in new(rows, columns)] for columns in (today.columns, old)])
    (now, before), (all_now, all_before), (_, missing) = told
    assert before == missing != now and all_now == all_before and now[0] == all_now[0]
    again = table(days, words=["dates=[a]"], facts=Facts([4], ["p", "q"], False, None, None, old, ""))
    assert not {"iso", "no_end"} & again.columns[0].to_dict().keys()


def test_a_model_of_before_keeps_the_inputs_of_its_columns(table):
    """Its version stored no decimal mark, and here fewer parts of a date."""
    cells = [f"{day:%Y-%m-%d}" for day in DAYS], [f"{i},5 kg" for i in range(60)]
    today = table(*cells).columns
    assert today[1].unit == "kg" and today[1].decimal == "," and len(today[0].parts) > 2
    before = [replace(today[0], parts=today[0].parts[:2]), replace(today[1], decimal=""), *today[2:]]
    facts = Facts([sum(one.width for one in before)], ["p", "q"], False, None, None, before, "")
    assert table(*cells, facts=facts).columns == before


def test_dates_of_a_new_table_that_cannot_be_read_or_are_far_off_are_said(table, new, capsys):
    days = [f"{day:%d.%m.%Y}" for day in DAYS]
    columns = table(days, words=["dates=[a]"]).columns
    new([["a", "x"], *([f"{day:%B %d, %Y}" if i % 2 else days[i], 1] for i, day in enumerate(DAYS))], columns)
    assert "column a: 50% count as missing (" in (said := capsys.readouterr().err) and "read as day.month.y" in said
    new([["a", "x"], *(["01.01.1900" if i % 3 == 0 else day, 1] for i, day in enumerate(days))], columns)
    assert "column a: 20 dates such as 01.01.1900 are far from the training's years, 2021 ± " in capsys.readouterr().err
    new([["a", "x"], *([day, 1] for day in days), ["", 1]], columns)
    assert "column a" not in capsys.readouterr().err


def test_words_of_which_most_occur_once_and_those_beyond_the_most_are_said(table, capsys):
    cells = [f"w{i}" if i % 3 else "often" for i in range(60)]
    table(cells)
    assert " words have an input (others occur only once), and 6" in capsys.readouterr().out
    table([f"w{i % 12}" for i in range(60)], words=["max_categories=4"])
    assert "a: 4 of 12 words have an input (dataset.max_categories=4), and " in capsys.readouterr().out
    table([f"w{i % 12}" for i in range(60)])
    assert "have an input" not in capsys.readouterr().out


CODES = {"1 2 -9": ["-9"], "0 1 98 99": ["98", "99"], "-1 0 1": [], "7 8 9": []}


@pytest.mark.parametrize(("codes", "told"), CODES.items())
def test_codes_that_may_mark_a_missing_class_are_said(table, capsys, codes, told):
    table(range(60), classes=codes.split())
    assert ("taken as class names" in (said := capsys.readouterr().out)) == bool(told) and ", ".join(told) in said


def test_groups_of_which_the_mark_of_a_missing_one_is_a_group_are_said(table, capsys):
    table([f"p{i}" if i % 4 else "unknown" for i in range(60)], words=["group=a"])
    assert "groups of a: unknown is one group of 15 rows: if theirs are unknown" in capsys.readouterr().out


def test_among_dates_of_two_forms_those_that_can_be_day_or_month_are_refused(table):
    cells = [f"{day:%Y-%m-%d}" if i % 2 == 0 else f"0{1 + i % 9}/0{1 + i % 7}/2021" for i, day in enumerate(DAYS)]
    with pytest.raises(UserError, match=r"row 3, column a: '02/02/2021' can be .*dataset.day_first=true or"):
        table(cells)


def test_what_is_taken_for_a_missing_date_is_said(table, capsys):
    days = [f"{day:%Y-%m-%d}" for day in DAYS]
    for cell, words in (("9999-12-31", ()), ("unknown", ()), ("0000-00-00", ()), ("soon", ["dates=[a]"])):
        table([cell if i % 10 == 3 else "" if i % 10 == 4 else day for i, day in enumerate(days)], words=words)
        assert f"a: dates, and 11% count as missing ('{cell}')" in capsys.readouterr().out
    table(days)
    assert "missing" not in capsys.readouterr().out


def test_durations_become_hours_though_they_are_longer_than_a_day(table, new):
    hours, days = ([f"{i * 7 % 50}{word}" for i in range(60)] for word in (":12:30", " days 03:30"))
    data = table(hours, days, [f"{i % 24}:15" for i in range(60)])
    parts = [column.parts for column in data.columns[:3]]
    assert [[part.name for part in some] for some in parts] == [["hours"], ["hours"], ["hour"]]
    one, missing = (x[:3] for x in new('x,a,b,c\n1,36:30:00,"2 days, 06:00:00",0:15\n1,,,\n', data.columns))
    wanted = [(hours - part.mean) / part.std for hours, (part,) in zip((36.5, 54, 0.25), parts, strict=True)]
    assert one.tolist() == pytest.approx(wanted) and not missing.any()


def test_a_time_in_another_unit_than_the_training_has_is_refused(table, new):
    cells = [1_600_000_000 + 10**5 * i for i in range(60)]
    data = table(cells, names=["timestamp"])
    with pytest.raises(UserError, match="row 3, column timestamp: '1600000000000' is a time in milliseconds since"):
        new("x,timestamp\n1,\n1,1600000000000\n", data.columns)
    data = table(["soon" if i == 30 else cell for i, cell in enumerate(cells)], words=["dates=[a]"])
    assert len(new("x,a\n1,later\n1,16000\n", data.columns)) == 2  # no time in any unit


NO_DATES = {
    "versions": [f"1.{i % 7}.{i % 40}" for i in range(60)],
    "codes": [f"{i % 30:02d}-{i % 10:02d}-{i % 50:02d}" for i in range(60)],
    "scores": [f"{i % 4}:{i % 3}" for i in range(60)],
    "addresses": [f"192.168.0.{i % 20}" for i in range(60)],
    "halves": [f"{1500 + i * 37 % 600}.5" for i in range(60)],
    "halves with gaps": ["1850.5", "n.a.", *(f"{1500 + i * 37 % 600}.5" for i in range(58))],
    "years and months": [f"{1871 + i // 12}.{i % 12 + 1:02d}".rstrip("0") for i in range(60)],  # .1 is the tenth month
    "amounts": [1_300_000_000 + i * i % 37 * 10**7 for i in range(60)],
}


def test_what_resembles_a_date_is_none(table):
    assert "dates" not in taken(table(*NO_DATES.values())).values()


def test_the_parts_of_dates_are_those_of_the_calendar_also_before_1970():
    days = [datetime(1600, 2, 29, 23, 45), datetime(1969, 12, 31), datetime(2024, 2, 29, 6, 30)]
    parts = parts_of(np.array([moment(f"{day:%Y-%m-%d %H:%M}", "year-month-day") for day in days] + [np.nan]))
    for name, of in (("year", "year"), ("month", "month"), ("day", "day")):
        assert parts[name][:3].tolist() == [getattr(day, of) for day in days]
    assert parts["weekday"][:3].tolist() == [day.weekday() for day in days]
    assert parts["hour"][:3].tolist() == [23.75, 0, 6.5] and all(np.isnan(part[3]) for part in parts.values())
    assert moment("2024-01-05 12:30:00+02:00", "year-month-day") == moment("2024-01-05T12:30Z", "year-month-day")
    for short, year in (("68", 2068), ("69", 1969)):
        assert moment(f"5.1.{short}", "day.month.year") == moment(f"{year}-01-05", "year-month-day")


@pytest.mark.parametrize(
    ("words", "is_said"),
    ((("train", "val", "test"), True), (("Training", "PublicTest", "PrivateTest"), True), (("train", "bus"), False)),
)
def test_a_column_that_names_the_part_of_each_row_is_said_to_be_an_input(table, capsys, words, is_said):
    table([words[i // 2 % len(words)] for i in range(60)])
    said = f"a: its words name parts ({', '.join(sorted(words))}), but it is an input like any other: to split by them"
    assert (said in " ".join(capsys.readouterr().out.split())) == is_said


@pytest.mark.parametrize(("year", "is_said"), (("62", True), ("82", False), ("24", False), ("2062", False)))
def test_years_of_two_digits_that_are_far_in_the_future_are_said(table, capsys, year, is_said):
    assert taken(table([f"{1 + i % 28}.3.{year if i % 9 == 0 else '85'}" for i in range(60)]))["a"] == "dates"
    said = "a: years of two digits are read as 1969 to 2068 ('1.3.62', '10.3.62', '19.3.62'): write four if not so\n"
    assert (said in capsys.readouterr().out) == is_said


@pytest.mark.parametrize("words", (("yes", "no"), ("True", "False"), ("TRUE", "FALSE"), ("j", "n"), ("Ja", "Nein")))
def test_yes_and_no_become_one_number_also_in_predict(table, new, words):
    data = table([(*words, "")[i * i % 3 if i % 5 else 2] for i in range(60)])
    column = data.columns[0]
    assert len(data.columns) == data.input_shape[0] == 2 and 0 < column.mean < 1
    yes, *missing = (x[0].item() for x in new(f"x,a\n1,{words[0].lower()}\n1,\n1,maybe\n", data.columns))
    assert yes == pytest.approx((1 - column.mean) / column.std) and missing == [0, 0]
    others = ("yes", "TRUE", "1", "1.0", "Vrai"), ("no", "False", "0", "0.0", "nein")  # as other programs write them
    rows = [["x", "a"], *([1, cell] for cell in (*others[0], *others[1]))]
    found = [x[0].item() for x in new(rows, data.columns)]
    assert found == [yes] * 5 + [pytest.approx(-column.mean / column.std)] * 5


def test_other_words_and_a_single_answer_stay_words(table):
    assert find_answers(["yes", "no"]) == ["no", "yes"] and find_answers(["yes", "true"]) is None
    for cells, more in (((["yes", ""]), []), (["yes", "no", "unknown"], []), (["yes", "no"], ["categorical=[a]"])):
        assert table([cells[i % len(cells)] for i in range(60)], words=more).columns[0].kind == "words"


def test_a_column_of_0_and_1_takes_yes_and_no_in_predict_and_any_other_column_refuses_them(table, new, capsys):
    ones = [i * i % 3 for i in range(60)]
    data = table(ones, [0.1 * i % 1 for i in range(60)], [i % 4 for i in range(60)])
    rows = [["x", "a", "b", "c"], *([1, cell, 0, 0] for cell in ("yes", "no", "TRUE", "n/a", 1))]
    yes, no, true, missing, one = (x.tolist() for x in new(rows, data.columns))
    column = next(column for column in data.columns if column.name == "a")
    assert yes == true == one and (yes[0], no[0], missing[0]) == (
        pytest.approx((1 - column.mean) / column.std),
        pytest.approx(-column.mean / column.std),
        0,
    )
    said = capsys.readouterr().err
    as_given = "column a: answers are read as the training has them, 'yes', 'TRUE' as 1 and 'no' as 0"
    assert as_given in said and said.count("column ") == 1
    with pytest.raises(UserError, match="row 3, column a: 'maybe' is no number"):
        new("x,a,b,c\n1,no,0,0\n1,maybe,0,0\n", data.columns)
    for row in ("1,maybe,0,0", "1,0,yes,0", "1,0,0,yes"):
        with pytest.raises(UserError, match="is no number"):
            new(f"x,a,b,c\n{row}\n1,0,0,0\n", data.columns)


def test_other_codes_than_the_0_and_1_of_the_training_are_said(table, new, capsys):
    ones = table([i % 2 for i in range(60)]).columns
    new([["a", "x"], *([1 + i % 2, 1] for i in range(10))], ones)
    assert "column a: 5 cells ('2') are neither 0 nor 1, and the training has these alone" in capsys.readouterr().err
    new([["a", "x"], *([i % 2, 1] for i in range(10)), ["", 1]], ones)
    new([["a", "x"], *([i % 4, 1] for i in range(10))], table([i % 4 for i in range(60)]).columns)
    assert "neither" not in capsys.readouterr().err


def test_a_test_file_may_have_yes_and_no_where_the_training_has_1_and_0(tmp_path, capsys):
    for name, answers in (("train", "01"), ("test", ("no", "yes"))):
        write_rows(tmp_path / f"{name}.csv", [["a", "y"], *([answers[i * i % 3 % 2], "pq"[i % 2]] for i in range(60))])
    data = make("csv", f"data_dir={tmp_path}", "target=y", "batch_size=4")
    assert "column a: answers are read as the training has them, 'yes' as 1 and 'no' as 0" in capsys.readouterr().out
    assert {*data.splits["test"].inputs.flatten().tolist()} == {*data.splits["train"].inputs.flatten().tolist()}


def test_a_training_that_took_yes_and_dates_for_words_is_read_as_it_was(table):
    cells = [["no", "yes"][i * i % 3 % 2] for i in range(60)], [f"2021-0{1 + i % 3}-01" for i in range(60)], range(60)
    words = [WordColumn("a", ["no", "yes"]), WordColumn("b", ["2021-01-01", "2021-02-01"])]
    data = table(*cells, facts=Facts([6], ["p", "q"], False, None, None, [*words, *numbers("c", "x")], ""))
    assert [one.name for one in data.columns] == [*"abcx"]
    assert [one.kind for one in data.columns] == ["words", "words", "numbers", "numbers"]
    new = table(*cells, words=["numeric=[c]"])
    again = table(*cells, facts=new.facts)
    assert again.columns == new.columns and again.checksum() == new.checksum()
    stored = [" ".join(sorted(one.to_dict())) for one in new.columns[:2]]
    assert stored == ["mean name std truth", "date name no_end parts"]
    assert Facts.from_dict(new.facts.to_dict()) == new.facts and new.facts.normalizer() is None


def test_classes_of_too_few_rows_are_left_out_and_named(table, capsys):
    classes = ["p", "q"] * 28 + ["r", "s", "s", "p"]
    data = table(range(60), classes=classes)
    assert data.class_names == ["p", "q"] and sum(len(split.targets) for split in data.splits.values()) == 57
    said = " ".join(capsys.readouterr().out.split())
    assert "left out, 2 classes with too few examples, 3 in all (dataset.min_examples): r (1), s (2)" in said
    for fold in range(5):
        dealt = table(range(60), classes=["p", "q"] * 28 + ["r"] * 4, words=["folds=5", f"fold={fold}"])
        assert dealt.class_names == ["p", "q"]
    two = table(range(60), classes=["p", "q"] * 28 + ["r"] * 3 + ["p"], words=["folds=2", "fold=0"])
    assert two.class_names == ["p", "q"]
    assert len(table(range(60), classes=["p", "q"] * 28 + ["r"] * 4).class_names) == 3
    assert table(range(60), classes=["p", "q"] * 28 + ["r"] * 4, words=["min_examples=5"]).class_names == ["p", "q"]
    capsys.readouterr()
    assert len(table(range(60), classes=["p", "q"] * 30, words=["min_examples=31"]).class_names) == 2
    assert "dataset.min_examples=31 leaves no class out, since less than two classes" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"class r has 1 example .*too few"):
        table(range(60), classes=classes, words=["min_examples=1"])
    groups = [f"g{i}" if classes[i] in "pq" else "one" for i in range(60)]
    assert table(groups, classes=["p", "q"] * 27 + ["r"] * 6, words=["group=a"]).num_classes == 3
    one = [f"g{min(i, 54)}" for i in range(60)]
    assert table(one, classes=["p", "q"] * 27 + ["r"] * 6, words=["group=a"]).class_names == ["p", "q"]


def test_classes_of_too_few_photos_are_left_out_too(tmp_path, new, capsys):
    for name, count in (("cat", 6), ("dog", 6), ("lynx", 2)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(count):
            Image.new("RGB", (8, 8), (40 * k, len(name) * 30, count)).save(tmp_path / "photos" / name / f"{k}.png")
    data = load_photos(tmp_path / "photos", tmp_path / "cache")
    assert data.class_names == ["cat", "dog"] and "lynx (2)" in capsys.readouterr().out
    assert all("lynx" not in data.file_of(part, k) for part, s in data.splits.items() for k in range(len(s.targets)))
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "lynx" / "2.png")
    (tmp_path / "photos" / "lynx" / "3.png").write_bytes((tmp_path / "photos" / "lynx" / "2.png").read_bytes()[:40])
    (tmp_path / "photos" / "lynx" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"class lynx has 2 .*, too few to be in each of train, test, val"):
        load_photos(tmp_path / "photos", tmp_path / "cache")


def test_a_run_leaves_the_whole_list_of_columns_and_names_its_file_where_there_are_many(configure, tmp_path, capsys):
    names = [f"a_column_of_a_long_name_{i}" for i in range(20)]
    for more, said in ((0, False), (10, True)):
        header = [*names, *(f"more_{i}" for i in range(more)), "id", "y"]
        rows = [[*(i * i % (7 + k) for k in range(20 + more)), i, "pq"[i % 2]] for i in range(60)]
        write_rows(tmp_path / "t.csv", [header, *rows])
        folder = tmp_path / f"run{more}"
        words = ["dataset=csv", f"data_dir={tmp_path}/t.csv", "dataset.target=y", "trainer.max_epochs=1"]
        train(configure(*words, "dataset.batch_size=8", folder=folder))
        out = capsys.readouterr().out
        listed = read_rows(RunFolder(folder).columns)
        assert [row["column"] for row in listed] == header
        assert RunFolder(folder).columns.read_bytes().count(b"\r\n") == 1 + len(header)  # as Excel ends them
        assert [row["taken for"] for row in listed[-2:]] == ["left out", "classes"] and listed[0]["holds"] == "0 to 4"
        sentence = f"columns.csv in the run's folder says how each of the {len(header)} columns is used"
        assert (sentence in out.splitlines()) == said  # the same for each job of a sweep, which shows it once
        assert all(name in out for name in names) != said and "numbers the rows: id\n" in out


def test_rows_of_classes_that_the_model_does_not_have_are_left_out_of_an_evaluation_and_counted(table, capsys):
    classes = ["p", "q"] * 28 + ["r", "s", "s", "p", "", ""]
    data = table(range(62), classes=classes, rows=62)
    capsys.readouterr()
    data.load_all(data.columns, ["p", "q"])
    split, lines = data.splits["test"], data.numbers["test"]
    assert split.targets.tolist() == [int(label == "q") for label in classes if label in {"p", "q"}]
    assert lines.tolist() == [*range(2, 58), 61] and data.left_out == {"r": 1, "s": 2}
    said = "left out, 3 rows of 2 classes that the model does not have: r (1), s (2)\nrows without y left out: 2\n"
    assert said in capsys.readouterr().out
    with pytest.raises(UserError, match=r"a class 'p', which the model does not know. Options: v, w"):
        data.load_all(data.columns, ["v", "w"])


WRITTEN = ((["no", "yes"], ["No", "YES "]), (["0", "1"], ["0.0", "1.0"]), (["Bär", "cat"], ["Ba\u0308r", "CAT"]))


@pytest.mark.parametrize(("known", "written"), WRITTEN)
def test_a_class_that_is_written_otherwise_is_known(table, known, written):
    data = table(range(60), classes=written)
    data.load_all(data.columns, known)
    assert data.splits["test"].targets.tolist() == [0, 1] * 30 and not data.left_out
    with pytest.raises(UserError, match="does not know"):  # where it could be either
        data.load_all(data.columns, [*known, f"{known[0].upper()} ", "-0"])


def test_a_column_is_taken_for_the_same_in_all_folds(table):
    groups, doubtful = [f"g{i // 10}" for i in range(60)], ["low" if i < 4 else i * i % 37 for i in range(60)]
    later = [f"2024-01-{1 + i % 28:02}" if i < 10 else "" for i in range(60)]  # of which a training part has none
    words = ["folds=3", "group=a"]
    folds = [table(groups, doubtful, later, words=[*words, f"fold={fold}"]) for fold in range(3)]
    assert [taken(data)["b"] for data in folds] == ["words"] * 3  # also beside the fold of the four words
    assert {taken(data)["c"] for data in folds} <= {"dates", "left out"}
    x = [data.columns[-1].mean for data in folds]
    assert len({*x}) == 3  # each measured in its own training part


def test_numbers_that_are_far_from_the_trainings_are_said(table, new, tmp_path, capsys):
    heights = [150 + i * i % 37 for i in range(60)]
    data = table(heights)
    for unit, rows, is_said in ((100, 9, True), (100, 1, True), (1, 9, False), (1, 1, False)):
        capsys.readouterr()
        new([["a", "x"], *([height / unit, 1] for height in heights[:rows])], data.columns)
        about = 1.62 if rows > 1 else 1.5
        said = (
            f"column a: its numbers, about {about}, are far from the training's, 168.8 ± 12: are they in the same unit"
        )
        assert (said in capsys.readouterr().err) == is_said
    for times, is_said in ((5, True), (4, False)):
        capsys.readouterr()
        new([["a", "x"], *([-999 if i < times else 170, 1] for i in range(60))], data.columns)
        said = "column a: 5 numbers such as -999 are far from the training's, 168.8 ± 12: if they mark missing values"
        assert (said in capsys.readouterr().err) == is_said
    for part, unit in (("train", 1), ("test", 100)):
        rows = [[height / unit, "pq"[i % 2]] for i, height in enumerate(heights)]
        write_rows(tmp_path / f"{part}.csv", [["a", "y"], *rows])
    make("csv", f"data_dir={tmp_path}/t*.csv", "target=y", "batch_size=8")
    assert f"{tmp_path}/test.csv: column a: its numbers, about 1.66, are far" in capsys.readouterr().out


def test_a_column_of_words_that_the_training_did_not_have_is_said(table, new, capsys):
    data = table(["red", "blue"] * 30, ["yes", "no"] * 30)
    for cells, said in (("RED,maybe", "('RED') is one of the training's ('blue', 'red')"), ("red,yes", ""), (",", "")):
        new(f"a,b,x\n{cells},1\n", data.columns)
        err = capsys.readouterr().err
        assert (f"column a: none of its words {said}, so" in err) == bool(said)
        assert ("('maybe') is one of the training's ('no', 'yes')" in err) == bool(said)
    new("a,b,x\nred,maybe,1\nred,no,1\n", data.columns)
    assert "new.csv: column b: 'maybe' is neither of its two answers, and counts as" in capsys.readouterr().err


def test_a_column_that_has_no_value_in_a_new_table_is_said(table, new, capsys):
    data = table(["red", "blue"] * 30, ["yes", "no"] * 30, [f"{day:%Y-%m-%d}" for day in DAYS])
    for gaps in ([], ["a"], ["b", "x"], ["c", "x"]):
        row = {"a": "red", "b": "yes", "c": "2021-03-05", "x": "1"} | dict.fromkeys(gaps, "NA")
        for count in (5, 4):
            new([[*row], *[[*row.values()]] * count], data.columns)
            err = capsys.readouterr().err
            assert [name for name in row if f"column {name}: no row has a value" in err] == (gaps if count > 4 else [])
    new([["a", "b", "c", "x"], *[["", "yes", "2021-03-05", "1"], ["C85", "no", "2021-03-05", "1"]] * 3], data.columns)
    err = capsys.readouterr().err
    assert "column a: none of its words ('C85')" in err and "no row has a value" not in err


def test_columns_that_say_the_class_themselves_are_named_with_what_leaves_them_out(table, capsys):
    columns = (
        [i % 2 for i in range(60)],
        ["" if i % 5 == 1 else f"{'pq'[i % 2]}!" for i in range(60)],  # some of which are missing
        ["died" if i % 2 else "" for i in range(60)],
        [("no", "yes")[i % 2] for i in range(60)],
        [("no", "yes")[i % 2] if i else "yes" for i in range(60)],  # from here on none: it may be a strong predictor
        [i % 2 if i < 20 else "" for i in range(60)],  # most of which are missing
        range(60),
    )
    table(*columns, range(60), names="abcdefgh", words=["drop=[h]"])
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "reveal" in line]
    assert said.startswith("a, b, c, d reveal y without a mistake, with one value for each class: if they are the")
    assert said.endswith("'dataset.drop=[a,b,c,d,h]' leaves them out")
    table(columns[0], range(60), words=["drop=[b]"])
    said = capsys.readouterr().out
    assert "a reveals y without a mistake" in said and "'dataset.drop=[a,b]' leaves it out" in said


@pytest.mark.parametrize(("rows", "is_said"), ((60, True), (20, False)))  # of two rows a plant, it may be chance
@pytest.mark.parametrize("cell", ("plant {}", "{}"))
def test_a_column_whose_values_have_one_class_each_is_named_as_group_or_finer_class(table, capsys, cell, rows, is_said):
    table([cell.format(i * 7 % 10) for i in range(rows)], rows=rows)
    said = "a reveals y without a mistake, since each class has values of its own: if rows of one value belong together"
    how = "dataset.group=a keeps them in one part; if it is the class in finer words, 'dataset.drop=[a]' leaves it out"
    assert (f"{said}, {how}" in capsys.readouterr().out) == is_said
    table([cell.format(i * 7 % 10 + (i == 3)) for i in range(rows)], rows=rows)  # one plant with a row of either class
    table([cell.format(i * 7) for i in range(rows)], ["red" if i else "blue" for i in range(rows)], rows=rows)
    assert "each class has values of its own" not in capsys.readouterr().out


def test_numbers_and_dates_of_which_each_class_has_a_range_of_its_own_are_named(table, capsys):
    columns = (
        [i % 3 * 20 + i % 7 for i in range(90)],  # such as points, of which marks are made
        ["" if i % 4 == 1 else i % 3 * 20 + i % 7 for i in range(90)],
        [f"2024-{1 + i % 3 * 4 + i % 4:02}-{1 + i % 28:02}" for i in range(90)],
        [f"2024-{1 + i % 3 * 4 + i % 5:02}-{1 + i % 28:02}" for i in range(89)] + ["2023-01-01"],
        [i % 3 * 20 + i % 7 + 20 * (i == 30) for i in range(90)],  # from here on none: a strong predictor has a mistake
        [i % 3 * 6 + i % 7 for i in range(90)],  # the ends are common to two
        [(i % 3 > 0) * 20 + i % 7 for i in range(90)],
    )
    table(*columns, rows=90, classes="pqr")
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "reveal" in line]
    assert said.startswith("a, b, c reveal y without a mistake, with a range for each class: if one was made from the")
    assert said.endswith("'dataset.drop=[a,b,c]' leaves them out")


@pytest.mark.parametrize(
    ("classes", "others", "is_said"),
    (((1,), 0, True), ((0, 2), 0, True), ((0, 1, 2), 0, False), ((1,), 1, False)),  # others: rows of another class
)
def test_a_column_that_is_filled_in_for_some_classes_alone_is_named(table, capsys, classes, others, is_said):
    cells = [f"cause {i % 7}" if i % 3 in classes or i < others else "" for i in range(90)]
    table(cells, rows=90, classes="pqr")
    said, has = capsys.readouterr().out, "a has values in all rows of some classes"
    assert (has in said and "'dataset.drop=[a]' leaves it out" in said) == is_said


@pytest.mark.parametrize(("mistakes", "is_said"), ((4, True), (8, False)))
@pytest.mark.parametrize("how", ("value", "range", "filled"))
def test_a_column_that_says_the_class_but_for_few_rows_is_named_with_their_count(table, capsys, how, mistakes, is_said):
    said = {
        "value": "a reveals y but for 4 of 200 rows, with one value for each class",
        "range": "a reveals y but for 4 of 200 rows, with a range for each class",
        "filled": "a has values in all rows of some classes and in none of the others but for 4 of 200 rows",
    }
    codes = [(i + (i < mistakes)) % 2 for i in range(200)]
    make_cell = {"value": "code {0}", "range": "{1}", "filled": "{2}"}[how].format
    table([make_cell(code, 30 * code + i % 29, f"cause {i % 7}" * code) for i, code in enumerate(codes)], rows=200)
    assert (said[how] in " ".join(capsys.readouterr().out.split())) == is_said


def test_strong_columns_of_known_tables_are_not_taken_for_the_class(tmp_path, capsys):
    from sklearn.datasets import load_breast_cancer, load_iris, load_wine  # here, since it takes seconds

    for load in (load_iris, load_wine, load_breast_cancer):
        rows = [[*row, label] for row, label in zip(*load(return_X_y=True), strict=True)]
        names = [f"x{place}" for place in range(len(rows[0]) - 1)]
        write_rows(tmp_path / "known.csv", [[*names, "y"], *[[*row[:-1], f"class {row[-1]}"] for row in rows]])
        make("csv", f"data_dir={tmp_path}/known.csv", "target=y")
        assert "dataset.drop" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "mark", "mistakes", "is_said"),
    (
        ("pqr", "1 0", 0, True),
        ("pq", "yes no", 0, True),  # of one class less, as drop_first leaves them
        ("rq", "r other", 0, True),
        ("p", "1 0", 0, False),  # what all of one class have, such as feathers, may be known before
        ("pqr", "1 0", 1, False),
    ),
)
def test_columns_that_together_say_the_class_are_named(table, capsys, told, mark, mistakes, is_said):
    mark, other = mark.split()
    columns = [[mark if ("pqr"[i % 3] == one) == (i >= mistakes) else other for i in range(90)] for one in told]
    table(*columns, rows=90, classes="pqr")
    said, names = " ".join(capsys.readouterr().out.split()), "abc"[: len(told)]
    sentence = f"{', '.join(names)} together reveal y without a mistake: if they are its one-hot code"
    assert (f"{sentence}, 'dataset.drop=[{','.join(names)}]' leaves them out" in said) == is_said


@pytest.mark.parametrize(("mistakes", "is_said"), ((0, True), (1, False)))
def test_the_rest_of_a_one_hot_code_is_named_beside_the_column_that_is_the_target(table, capsys, mistakes, is_said):
    """Of setosa, versicolor and virginica the first is the target, and a rare mark of it tells nothing."""
    code = [[int(i % 3 == one and i >= 3 * mistakes) for i in range(90)] for one in (1, 2)]
    table(*code, [int(i == 30) for i in range(90)], rows=90, classes="100")
    said = " ".join(capsys.readouterr().out.split())
    assert ("a, b together reveal y without a mistake: if they are its one-hot code" in said) == is_said


def test_a_code_of_more_classes_than_words_have_inputs_says_the_class_too(table, capsys):
    cells = [f"code {i % 30}" for i in range(120)]
    table(cells, rows=120, classes=[f"c{i}" for i in range(30)], words=["max_categories=10"])
    assert "a reveals y without a mistake" in capsys.readouterr().out


def test_in_a_table_of_a_few_rows_a_column_that_says_the_class_may_be_chance(table, capsys):
    table([i % 2 for i in range(18)], rows=18)
    assert "without a mistake" not in capsys.readouterr().out


@pytest.mark.parametrize(("unit", "is_said"), ((0.01, True), (0.5, False), (1, False), (2, False), (9, True)))
def test_numbers_in_another_unit_are_said_though_they_spread_widely(table, new, capsys, unit, is_said):
    data = table([i * 37 % 53 for i in range(60)])
    new([["a", "x"], *([unit * (i * 41 % 53), 1] for i in range(30))], data.columns)
    assert ("are they in the same unit?" in capsys.readouterr().err) == is_said


@pytest.mark.parametrize(
    ("cells", "said"),
    (
        (["rot"] * 6 + ["red"] * 4, "6 of 10 rows have a word that the model does not know ('rot'; it"),
        (["rot"] * 4 + ["red"] * 6, ""),
        (["Red"] + ["red"] * 9, "1 of 10 rows has a word that the model does not know ('Red'; it knows 'blue', 'red')"),
    ),
)
def test_words_most_of_which_the_training_did_not_have_are_counted(table, new, tmp_path, capsys, cells, said):
    data = table(["red", "blue"] * 30)
    new([["a", "x", "y"], *([cell, 1, "pq"[i % 2]] for i, cell in enumerate(cells))], data.columns)
    printed = capsys.readouterr()
    assert (said in printed.err) if said else not printed.err
    other = table(["red", "blue"] * 30)
    other.file, other.is_other = tmp_path / "new.csv", True
    other.load_all(data.columns, data.class_names)
    assert " ".join(said.split()) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("known", "given"),
    (
        (["01067", "01069"], "1067"),
        (["A-01", "A-02"], "A-1"),
        (["1-2", "3-5"], "1–2"),
        (["1-2", "3-5"], "02. Jan"),
        (["1-2", "3-5"], "2-Jan"),
        (["1/2", "3/5"], "Feb 01"),
        (["1–2", "3–5"], "2024-01-02 00:00:00"),
    ),
)
def test_a_word_that_a_spreadsheet_has_changed_is_named_with_the_one_of_the_training(table, new, capsys, known, given):
    data = table(known * 30, words=["categorical=[a]"])
    new([["a", "x"], *[[given, 1]] * 3, *[[known[1], 1]] * 50], data.columns)
    err = " ".join(capsys.readouterr().err.split())
    assert "3 of 53 rows have a word that the model does not know" in err
    assert f"which counts as missing: write {known[0]!r} for {given!r}, as in the training" in err
    new([["a", "x"], [given, 1]], data.columns)
    assert f"so all are missing: write {known[0]!r} for {given!r}" in " ".join(capsys.readouterr().err.split())
    new([["a", "x"], *[["1-3 sept", 1]] * 4, *[[known[1], 1]] * 50], data.columns)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("known", "given"), (("A101", "A11"), ("A1.05", "A1.5")))
def test_a_zero_within_a_number_is_none_that_a_spreadsheet_drops(table, new, capsys, known, given):
    data = table([known, "B"] * 30, words=["categorical=[a]"])
    new([["a", "x"], *[[given, 1]] * 4, *[["B", 1]] * 50], data.columns)
    assert not capsys.readouterr().err


def test_some_unknown_words_are_said_where_the_training_had_hardly_any(table, new, capsys):
    cabins = [f"C{i}" if i % 8 == 0 else "AB"[i % 2] for i in range(60)]
    data = table(["red", "blue"] * 30, cabins)
    for a, b, said in (("red", "D1", False), ("green", "A", True)):
        new([["a", "b", "x"], *[[a, b, 1]] * 5, *[["red", "A", 1]] * 45], data.columns)
        assert ("5 of 50 rows have a word that the model does not know" in capsys.readouterr().err) == said
    old = [replace(column, covered=0.0) if isinstance(column, WordColumn) else column for column in data.columns]
    new([["a", "b", "x"], *[["green", "A", 1]] * 5, *[["red", "A", 1]] * 45], old)
    assert not capsys.readouterr().err and old == data.columns  # as evaluate compares them


def test_words_of_a_column_that_differ_in_case_alone_are_said(table, capsys):
    table(["male", "Male", "female"] * 20, ["1", "1.0", "x"] * 20, ["up", "down", "left"] * 20)
    out = capsys.readouterr().out
    assert "a: words that differ only in spelling, but count as different: Male and male\n" in out
    assert "b: words that differ" in out and "c: words" not in out
