"""A table's model exported whole: the file takes the table's own columns and says what predict says."""

import re
from datetime import datetime, timezone
from math import nan
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from support.exports import export_both
from support.pages import python_lines
from support.runs import rewritten
from support.tables import encode, write_rows

from proj.config.compose import configure
from proj.data.facts import Facts
from proj.data.tables.answers import AnswerColumn
from proj.data.tables.date_column import DateColumn
from proj.data.tables.date_parts import DATE_PARTS, date_parts
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import WholeColumn
from proj.data.tables.texts import TextColumn
from proj.data.tables.word_column import WordColumn
from proj.errors import UserError
from proj.training.run import train
from proj.use.export import describe_inputs, export, refuse_to_export
from proj.use.prediction import predict
from proj.use.raw_columns import RawColumns, texts

KNOWN, STRANGE = ["Köln", "New York", "1", "class"], ["Ulm", "köln", "2"]


def draw(rows: int, seed: int, words: list[str]) -> dict[str, tuple[list[str], np.ndarray]]:
    """A table of all kinds of columns, by their names: (the cells as people write them, what they hold)."""
    draws = np.random.default_rng(seed)

    def numbers(values: np.ndarray, text: str, *missing: str) -> tuple[list[str], np.ndarray]:
        known = draws.random(rows) > 0.1
        cells = [text.format(value) if known[i] else missing[i % len(missing)] for i, value in enumerate(values)]
        return cells, np.where(known, values, np.nan)

    def decimal_commas(column: tuple[list[str], np.ndarray]) -> tuple[list[str], np.ndarray]:
        return [cell.translate(str.maketrans(",.", ".,")) for cell in column[0]], column[1]

    def dates(form: str, step: int) -> tuple[list[str], np.ndarray]:
        seconds = step * draws.integers(-(10**9) // step, 4 * 10**9 // step, rows)
        seconds[5::17] = 253_402_214_400  # 9999-12-31
        cells = [datetime.fromtimestamp(int(second), timezone.utc).strftime(form) for second in seconds]
        known = draws.random(rows) > 0.1
        return [cell if one else "" for cell, one in zip(cells, known, strict=True)], np.where(known, seconds, nan)

    hours = draws.integers(0, 200, rows)
    durations = [f"{hour // 24} days {hour % 24:02}:30:00" if hour % 2 else f"{hour}:30" for hour in hours]
    stamps = numbers(draws.integers(10**12, 2 * 10**12, rows).astype(float), "{:.0f}", "")
    missing = np.array(["", "NA", "?"])
    places = np.where(draws.random(rows) < 0.1, missing[draws.integers(3, size=rows)], draws.choice(words, rows))
    yes, letters = (draws.choice(some, rows).astype(object) for some in (["yes", "no", ""], ["ä", "b"]))
    return {
        "age": numbers(draws.integers(0, 90, rows).astype(float), "{:.0f}", "", "NA", "?"),
        "place": (places.tolist(), np.array(["" if place in missing else place for place in places], object)),
        "price ($)": numbers(draws.integers(-(10**9), 10**9, rows) / 100, "${:,.2f}", ""),
        "rate, %": numbers(draws.integers(0, 1000, rows) / 10, "{:.1f} %", "", "n/a"),
        "weight": decimal_commas(numbers(draws.integers(-(10**7), 10**7, rows) / 1000, "{:,.3f}0", "")),
        "when": numbers(1.7e12 + draws.integers(0, 10**6, rows), "{:.0f}", "null"),
        "class": (yes.tolist(), yes),
        "probabilities": numbers(draws.normal(size=rows), "{}", ""),
        "/": (letters.tolist(), letters),
        "born": dates("%d.%m.%Y", 86_400),
        "seen at": dates("%Y-%m-%d %H:%M:%S", 1),
        "stamp": stamps,
        "takes": (durations, 3600 * hours + 1800.0),
        "paid, date": numbers(40_000 + draws.integers(0, 10**7, rows) / 1000, "{:.3f}", ""),  # as Excel numbers days
    }


def write(file: Path, columns: dict[str, list[str]]) -> Path:
    return write_rows(file, [columns, *zip(*columns.values(), strict=True)], ";")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """The best checkpoint of a run on a table of all kinds of columns, three classes."""
    folder = tmp_path_factory.mktemp("mixed")
    table = draw(300, 0, KNOWN)
    cells = {name: column[0] for name, column in table.items()}
    pairs = zip(cells["place"], table["age"][1], strict=True)
    cells["lived"] = ["yes" if place == "Köln" else "no" if age > 40 else "may be" for place, age in pairs]
    file = write(folder / "table.csv", cells)
    words = ("dataset=csv", f"data_dir={file}", "dataset.target=lived", f"hydra.run.dir={folder / 'run'}")
    train(configure(*words, "~callbacks.progress", "trainer.max_epochs=2", "model.loss.label_smoothing=0.1"))
    return folder / "run" / "best.ckpt"


@pytest.fixture(scope="module")
def whole(mixed, tmp_path_factory):
    """(The file of that checkpoint, that in 8-bit integers, what was printed of both)."""
    return export_both(mixed, tmp_path_factory.mktemp("whole"))


def test_ten_thousand_rows_get_the_classes_of_predict(mixed, whole, tmp_path, capsys):
    table = draw(10_000, 1, KNOWN + STRANGE)
    rows = predict(mixed, str(write(tmp_path / "new.csv", {name: column[0] for name, column in table.items()})))
    session = onnxruntime.InferenceSession(whole[0])
    kinds = {one.name: one.type for one in session.get_inputs()}
    assert list(kinds) == list(table) and set(kinds.values()) == {"tensor(double)", "tensor(string)"}
    probabilities, classes = session.run(None, {name: column[1] for name, column in table.items()})
    differences = sum(row["class"] != name for row, name in zip(rows, classes, strict=True))
    off = np.abs(probabilities - [list(row["probabilities"].values()) for row in rows]).max()
    print(f"{differences} of {len(rows):,} classes differ, {off:.1e} off at most")
    assert differences == 0 and off < 2e-6 and len(set(classes)) == 3
    assert [one.name for one in session.get_outputs()] == ["probabilities_", "class_"]  # columns have their names


def test_a_file_names_the_kinds_of_columns_that_its_table_has(whole):
    columns = RawColumns([NumberColumn("length", 0.0, 1.0)])
    assert "words" not in describe_inputs(torch.zeros(1, 1), (), columns)
    assert "numbers as float64 (batch), words as strings (batch)" in whole[2]


def test_a_table_in_8_bit_integers_takes_its_columns_too(mixed, whole):
    table = draw(50, 1, KNOWN)
    given = {name: column[1] for name, column in table.items()}
    shares, small = (onnxruntime.InferenceSession(file).run(None, given)[0] for file in whole[:2])
    assert 0 < np.abs(shares - small).max() < 0.1
    assert re.search(r"float32 .*\nint8 .*\n", whole[2]) and "takes the table's columns by their names" in whole[2]


def test_the_pages_lines_classify_a_table_with_spaces_and_missing_cells_as_predict_does(tmp_path, monkeypatch):
    lines = python_lines("csv.reader")
    assert len([line for line in lines.splitlines() if line]) == 11
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    words, numbers = ["Private", "State-gov", "?", "NA", ""], ["39", "50.5", "-7", "1e3", "?", "NA", " ", "null", "N/A"]
    cells = {name: draws.choice(some, 300) for name, some in {"work": words, "age": numbers, "more": numbers}.items()}
    cells["paid"] = draws.choice(["yes", "no", "NA"], 300)
    cells["y"] = np.where(draws.random(300) < 0.1, "?", np.where(cells["work"] == "Private", ">50K", "<=50K"))
    rows = [", ".join(row) for row in zip(*cells.values(), strict=True)]
    Path("new.csv").write_text("\n".join([", ".join(cells), *rows, "", ""]), encoding="utf-8-sig")
    words = ("dataset=csv", "data_dir=new.csv", "dataset.target=y", "model=mlp", "trainer.max_epochs=3")
    train(configure(*words, "dataset.numeric=[age,more]", "hydra.run.dir=run", "~callbacks.progress"))
    export("run/best.ckpt", output="best.onnx")
    exec(lines, found := {})
    rows = predict("run/best.ckpt", "new.csv")
    assert found["classes"].tolist() == [row["class"] for row in rows] and len({*found["classes"]}) > 1
    shares = [[*row["probabilities"].values()] for row in rows]
    assert np.abs(found["probabilities"] - shares).max() < 1e-5
    Path("new.csv").write_text("work,age,more,paid\nPrivate,39 %,1,no\n")
    with pytest.raises(ValueError, match="39 %"):
        exec(lines, {})


def test_without_its_data_a_table_is_compared_on_random_cells(mixed, tmp_path, monkeypatch, capsys):
    with rewritten(mixed, tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["dataset"]["data_dir"] = str(tmp_path / "nowhere")
    seen = []
    monkeypatch.setattr("proj.use.export.to_onnx", lambda *words: (b"", None))
    monkeypatch.setattr("proj.use.export.compare", lambda exported, given, *rest: seen.append(given))
    export(tmp_path / "x.ckpt")
    words = seen[0][1:, 1].nan_to_num(-1)  # of the column place
    assert len(words.unique()) > 1 and words.max() < len(KNOWN) and bool(seen[0][0].isnan().all())


def test_a_missing_answer_is_missing_too_where_the_file_is_compared_with_the_network():
    columns = RawColumns([AnswerColumn("a", 0.6, 0.5, ["no", "yes"])])
    x = encode([["yes"], ["no"], ["?"]], columns.columns)
    assert x[2] == 0 and torch.equal(columns(columns.undo(x)), x)


@pytest.mark.parametrize("constant", ("none", "year", "month", "day"))
def test_where_the_file_is_measured_a_missing_date_is_missing_and_each_weekday_is_right(constant):
    days = [datetime(2021 + n % 3, 1 + n % 12, 1 + n % 28, tzinfo=timezone.utc) for n in range(200)]
    same = {} if constant == "none" else {constant: 2023 if constant == "year" else 9}
    seconds = torch.tensor([day.replace(**same).timestamp() for day in days], dtype=torch.float64)
    means = dict(zip(DATE_PARTS, date_parts(seconds).mean(0).tolist(), strict=True))
    parts = [NumberColumn(name, means[name], 2.0) for name in DATE_PARTS[:4] if name != constant]
    columns = RawColumns([DateColumn("day", "year-month-day", parts)])
    x = columns(torch.tensor([[nan], *seconds[:, None].tolist()], dtype=torch.float64))
    assert not x[0].any() and torch.equal(columns(columns.undo(x)), x)


def test_an_exported_file_knows_codes_as_pandas_writes_them_beside_missing_ones():
    known = texts(WordColumn("code", ["7", "7.0", "12", "13.0", "a", "-1"]))
    wanted = {"7": 0, "7.0": 1, "12": 2, "12.0": 2, "13": 3, "13.0": 3, "a": 4, "-1": 5, "-1.0": 5, "12,0": 2}
    assert {word: known.get(word) for word in wanted} == wanted
    cells = WholeColumn([*known])  # predict reads all of them in the same way
    assert cells.among(["7", "7.0", "12", "13.0", "a", "-1"]).tolist() == [*known.values()]


def test_an_exported_file_knows_answers_however_their_accents_are_stored():
    known = texts(AnswerColumn("paid", 0.5, 0.5, ["no", "s\u00ed"]))
    assert known["s\u00ed"] == known["si\u0301"] == known["1,0"] == 1 and known["NO"] == known["0.0"] == 0


def test_an_exported_file_knows_words_however_their_accents_are_stored_as_predict_does():
    known = texts(WordColumn("place", ["K\u00f6ln", "Tu\u0308r"]))
    assert known == {"K\u00f6ln": 0, "Ko\u0308ln": 0, "T\u00fcr": 1, "Tu\u0308r": 1}


def test_numbers_alone_can_be_normalized_and_the_sentence_names_raw(mixed, mistake):
    sentence = mistake("proj.export", f"ckpt={mixed}", "normalize=true")
    assert "normalize=true is for images, and for tables that hold numbers only: leave it out" in sentence
    assert sentence.endswith("raw=true is for tables with words as well.")


def test_a_table_with_texts_is_not_advised_raw_which_refuses_it():
    facts = Facts([1], ["p", "q"], False, None, None, [TextColumn("note", ["red"])], "")
    with pytest.raises(UserError, match=r"that hold numbers only: leave it out\.$"):
        refuse_to_export(facts, "onnx", True, False, "none")
