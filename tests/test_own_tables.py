"""A table of one's own: what becomes of its columns, its parts and its classes, and what does not fit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.evaluations import evaluate
from support.runs import make
from support.tables import encode, write_rows

import proj.config
from proj.checkpoint.file import load_checkpoint, load_model
from proj.data.class_names import ordered
from proj.data.copied_class import how_it_tells
from proj.data.rare_classes import rows_with_class
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import WholeColumn
from proj.data.tables.reading import Reading
from proj.data.tables.row_numbers import doubt_groups
from proj.data.tables.table_files import find_tables, open_tables
from proj.data.tables.word_column import WordColumn
from proj.errors import UserError
from proj.training.run import train
from proj.use.inputs import read_tables
from proj.use.prediction import predict

COLUMNS = [NumberColumn("age", 30.0, 10.0), WordColumn("port", ["C", "Q", "S"]), NumberColumn("fare", 0.0, 1.0)]


def test_numbers_are_standardised_and_words_become_an_input_each():
    x = encode([["40", "C", "1.5"], [" 2e1", "S ", "-0.5"]], COLUMNS)
    assert x.dtype == torch.float32 and x.tolist() == [[1, 1, 0, 0, 1.5], [-1, 0, 0, 1, -0.5]]
    assert encode([], COLUMNS).shape == (0, 5)


def test_a_missing_number_becomes_the_mean_and_a_missing_or_unknown_word_no_word():
    x = encode([["", "", "nan"], ["?", "Southampton", "N/A"]], COLUMNS)
    assert x.tolist() == [[0] * 5] * 2


def test_a_whole_number_among_words_is_the_same_with_and_without_a_decimal_place():
    columns = [WordColumn("code", ["1010", "2020.0", "-3", "a.0", "7", "7.0", "1.5"])]
    given, places = ["1010.0", "2020", "2020,0", "-3.0", "a", "7.0", "1", "1010.00", "1,010"], [0, 1, 1, 2, None, 5]
    for row, place in zip(encode([[cell] for cell in given], columns).tolist(), [*places, *[None] * 3], strict=True):
        assert row == [float(place == at) for at in range(7)]


@pytest.mark.parametrize("standardize", ("true", "false"))
def test_the_columns_of_iris_encode_its_rows(load, standardize):
    data = load("iris", f"dataset.standardize={standardize}")
    first = data.splits["train"].inputs[:1]
    raw = first * torch.tensor([c.std for c in data.columns]) + torch.tensor([c.mean for c in data.columns])
    rows = [[f"{value:.1f}" for value in raw[0].tolist()]]  # as in the file: millimetres
    assert torch.allclose(encode(rows, data.columns), first, atol=1e-6)
    assert [c.name for c in data.columns] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.fixture
def passengers(tmp_path) -> Path:
    """80 rows with an id, numbers and words, some of them missing; two classes."""
    rows = [["id", "age", "port", "name", "", "lived"]]
    for i in range(80):
        age, port = "" if i % 9 == 0 else 20 + (i % 30) ** 2, "NA" if i % 7 == 0 else "SQC"[i % 3]
        rows.append([i, age, port, f"Jane, {i}", i % 5, ("no", "yes")[i % 2]])
    return write_rows(tmp_path / "passengers.csv", rows)


def table(file: Path, *overrides: str):
    return make("csv", f"data_dir={file}", *overrides)


def test_a_table_becomes_standardised_numbers_and_words(passengers, capsys):
    data = table(passengers, "target=lived", "drop=[id]")
    assert data.class_names == ["no", "yes"] and data.input_shape == (5,)
    assert [column.name for column in data.columns] == ["age", "port", "column 4"]
    assert data.columns[1].categories == ["C", "Q", "S"]
    assert [len(split.targets) for split in data.splits.values()] == [58, 10, 12]
    assert all(split.targets.bincount().diff() == 0 for split in data.splits.values())
    x = data.splits["train"].inputs
    known = x[x[:, 0] != 0, 0]  # the missing ones are 0
    assert len(known) < len(x) and known.mean().abs() < 1e-6 and known.std() == pytest.approx(1, abs=1e-5)
    assert set(x[:, 1:4].sum(1).tolist()) == {0, 1}
    assert capsys.readouterr().out.splitlines() == [
        "numbers: age, column 4",
        "words: port (3)",
        "left out, since almost no word occurs twice: name",
        "    'dataset.categorical=[name]' keeps it, each whole cell as one word",
    ]


def test_validation_and_test_change_neither_the_columns_nor_the_scale(passengers):
    words = ("target=lived", "drop=[name]", "numeric=[id]")
    before = table(passengers, *words)
    lines = passengers.read_text().splitlines()
    for name in ("val", "test"):
        ids = before.splits[name].inputs[:, 0] * before.columns[0].std + before.columns[0].mean
        for i in ids.round().int().tolist():
            lines[1 + i] = f"{i},1000,X,name,5,{lines[1 + i].split(',')[-1]}"
    passengers.write_text("\n".join(lines))
    after = table(passengers, *words)
    assert before.columns == after.columns
    assert torch.equal(before.splits["train"].inputs, after.splits["train"].inputs)
    assert not torch.equal(before.splits["val"].inputs, after.splits["val"].inputs)


def test_another_training_seed_leaves_the_parts_and_another_split_seed_changes_them(passengers):
    words = (passengers, "target=lived")
    first, seeded, other = (table(*words, word) for word in ("seed=0", "seed=1", "split_seed=1"))
    assert torch.equal(first.splits["val"].inputs, seeded.splits["val"].inputs)
    assert not torch.equal(first.splits["val"].inputs, other.splits["val"].inputs)


def test_numbers_that_are_names_become_words_the_most_frequent_ones(passengers):
    data = table(passengers, "target=lived", "drop=[id,name]", "categorical=[age,column 4]")
    assert data.columns[2].to_dict() == {"name": "column 4", "categories": ["0", "1", "2", "3", "4"], "covered": 1.0}
    words = ("drop=[id,name]", "categorical=[-2]", "max_categories=2")
    data = table(passengers, "target=lived", *words)
    assert [column.width for column in data.columns] == [1, 2, 2]


@pytest.mark.parametrize(("target", "separator"), (("-1", ","), ("4", ";"), ("-1", "\t"), ("4", "|")))
def test_a_file_without_header_takes_a_place_and_any_separator(tmp_path, target, separator):
    rows = [[i / 10, i % 30, "a b" if i % 3 else "c", -i % 30, ("x", "y", "10", "9")[i % 4]] for i in range(40)]
    data = table(write_rows(tmp_path / "plain.csv", rows, separator), f"target={target}", "batch_size=8")
    assert data.class_names == ["9", "10", "x", "y"] and data.input_shape == (5,)
    assert sum(len(split.targets) for split in data.splits.values()) == 40


def test_a_header_is_seen_where_the_target_is_a_place(passengers):
    by_place, by_name = (table(passengers, f"target={target}") for target in ("5", "lived"))
    assert by_place.columns == by_name.columns and by_place.class_names == ["no", "yes"]


def two_classes(tmp_path: Path, row, separator=";", count=40):
    """The datamodule of a table with the values row(0), row(1), … and the classes p and q by turns."""
    names = [f"x{place}" for place in range(len(row(0)))]
    rows = [[*names, "y"], *([*row(i), "pq"[i % 2]] for i in range(count))]
    file = write_rows(tmp_path / "t.csv", rows, separator)
    file.write_text("\ufeff" + file.read_text())  # as Excel writes it
    return table(file, "target=y", "batch_size=8")


@pytest.mark.parametrize(
    ("row", "separator", "least", "most"),
    (
        (lambda i: [f"{1000 + i:,}.50" if i % 2 else str(900 + i)], "\t", 960, 980),
        (lambda i: [f"1,{100 + i}", f"{i},5"], ";", 1, 2),  # in doubt, it follows the other column
        (lambda i: [f"1,{100 + i % 30}", f"{i}.5"], ";", 1100, 1200),
    ),
)
def test_a_comma_in_a_number_is_what_the_table_makes_clear(tmp_path, row, separator, least, most):
    column = two_classes(tmp_path, row, separator).columns[0]
    assert column.name == "x0" and least < column.mean < most


@pytest.mark.parametrize("cells", ("1,234 999 1", "1,234 5,678 1", "1.234 999 0,5", "1.234 5.678 0,5", "1,234 999 0,5"))
def test_a_number_that_can_be_read_in_two_ways_is_refused(tmp_path, cells):
    first, second, beside = cells.split()
    with pytest.raises(UserError, match=r"row 2, column x0: '1[.,]234' can be 1.234 or 1234; .* decimal"):
        two_classes(tmp_path, lambda i: [second if i // 2 % 2 else first, beside])


def test_decimal_commas_of_a_table_without_header_are_not_its_separators(tmp_path):
    rows = [[f"{i},5", f"{i},25", "ab"[i % 2]] for i in range(40)]
    data = table(write_rows(tmp_path / "t.csv", rows, ";"), "target=-1", "batch_size=8")
    assert data.input_shape == (2,) and all(column.kind == "numbers" for column in data.columns)


@pytest.mark.parametrize(
    ("word", "said"),
    (("low", "rows without y left out: 20"), *((w, f"taken as class names: {w}") for w in ("NA", "nan", "null", "?"))),
)
def test_rows_without_a_class_are_left_out_and_a_class_may_be_called_like_a_missing_one(tmp_path, capsys, word, said):
    rows = [["a", "y"], *([i, (word, "ZA", "")[i % 3]] for i in range(60))]
    data = table(write_rows(tmp_path / "gaps.csv", rows), "target=y", "batch_size=8")
    assert set(data.class_names) == {word, "ZA"} and sum(len(split.targets) for split in data.splits.values()) == 40
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("names", (["0", "2", "10", "15+"], ["5", "18-24", "25-49", "9+"]))
def test_classes_that_end_a_scale_are_last(names):
    assert ordered([*reversed(names)], []) == names


@pytest.mark.parametrize(
    ("classes", "mark", "left_out"),
    (("0 1", "NA", True), ("2.5 3", ".", True), ("FALSE TRUE", "NA", True), ("no yes", "unknown", False)),
)
def test_a_mark_of_missing_values_among_numbers_or_two_answers_is_no_class(tmp_path, capsys, classes, mark, left_out):
    rows = [["a", "y"], *([i % 7 + i / 100, [*classes.split(), mark][i % 3]] for i in range(60))]
    data = table(write_rows(tmp_path / "gaps.csv", rows), "target=y", "batch_size=8")
    assert data.class_names == sorted([*classes.split(), *[mark] * (not left_out)])
    assert (f"rows without y left out: 20 ({mark})" in capsys.readouterr().out) == left_out


@pytest.mark.parametrize(("words", "left_out"), (("male female", True), ("male", False)))
def test_what_marks_missing_numbers_in_another_column_is_no_class(tmp_path, capsys, words, left_out):
    """In tables that R wrote NA is a missing value in every column; where it is one class of two, it has to be one."""
    words = [*words.split(), "NA"]
    rows = [["mass", "sex"], *([40 + i if i % 9 else "NA", words[i % len(words)]] for i in range(60))]
    file = write_rows(tmp_path / "penguins.csv", rows)
    data = table(file, "target=sex", "batch_size=8", "numeric=[mass]")
    assert data.class_names == (["female", "male"] if left_out else ["NA", "male"])
    assert ("rows without sex left out: 20 (NA)" in capsys.readouterr().out) == left_out
    (whole,) = open_tables(find_tables(str(file)), Reading(), None, "sex", [], [])
    assert len(rows_with_class(whole, 1, ["NA", "male"])[0]) == 60  # a model of an older version knows it as a class


def test_measurements_with_missing_ones_are_doubted_as_classes(tmp_path, capsys):
    rows = [["a", "y"], *([i, "NA" if i % 10 == 0 else i % 30] for i in range(300))]
    table(write_rows(tmp_path / "m.csv", rows), "target=y", "batch_size=8", "numeric=[a]")
    assert "y: 27 different numbers, each a class of its own: if they are measurements" in capsys.readouterr().out


TABLES = {
    "no table": (None, r"t.csv cannot be read \(No such file or directory\): .*data_dir=path/to/table.csv"),
    "empty": ("\n\n", "is empty"),
    "no text": ("\xff\xfe\0", "is no CSV file in utf-16"),
    "a header alone": ("a,y\n", "has no row below its header"),
    "decimal commas": ("a,b,y\n1,5,2,7,p\n3,5,4,2,q\n", "5 in line 2, 3 in the first: if its numbers have decimal"),
    "two separators": ("a,b,y\n1;2;p\n3;4;q\n", "',' separates the names of the columns, but ';' the values: use one"),
    "ragged": ("a,y\n1,p\n2\n", "rows of different numbers of values: 1 in line 3, 2 in the first: mend that line"),
    "one class": ("a,y\n" + "1,p\n" * 9, "at least two classes, and there is only p"),
    "a rare class": ("a,y\n" + "1,p\n" * 9 + "2,q\n" * 2, "class q has 2 examples, too few .* train, test, val"),
    "few numbers to predict": ("a,y\n" + "".join(f"1,{i}.5\n" for i in range(12)), "12 different numbers in 12 rows"),
    "a few equal numbers": ("a,y\n" + "".join(f"1,{i // 2}\n" for i in range(30)), "15 different numbers in 30 rows"),
    "shares to predict": ("a;y\n" + "".join(f"1;{i},5 %\n" for i in range(30)), "30 different numbers in 30"),
    "words to predict": ("a,y\n" + "".join(f"1,w{i}\n" for i in range(30)), "30 different values in 30 rows, too many"),
    "a title": ("Report 2024\na,y\n" + "1,p\n2,q\n" * 9, "2 in line 2, 1 in the first: if the table begins in line 2"),
    "a padded title": ("Report,,\na,b,y\n" + "1,2,p\n2,3,q\n" * 9, "no column of .* It is in line 2: if that is"),
    "a comment with a mark": ("|1x3 x\n" + "1,2,p\n" * 30, "3 in line 2, 1 in the first: if the table begins in"),
    "another separator": ("a~b~y\n" + "1~2~p\n" * 9, "Its one column is 'a~b~y': separate values by commas"),
    "areas to predict": ("a,y\n" + "1,0\n" * 90 + "".join(f"1,{i}.5\n" for i in range(30)), "31 different numbers"),
    "spaces between": ("a b y\n" + "1 2 p\n" * 9, "'a b y': name the file .txt in .* else separate"),
    "words of their own": ("a,y\n" + "".join(f"{i} of {i},{'pq'[i % 2]}\n" for i in range(30)), "a: almost no word"),
    "too large a number": ("a,y\n" + "1,p\n2,q\n" * 30 + "1e300,p\n", "'1e300' is no number below 3e38"),
    "one name twice": ("a,a,y\n" + "1,1,p\n2,2,q\n" * 9, "has two columns 'a'"),
    "nothing to learn from": ("y\n" + "p\ny\n" * 9, "has no column to learn y from: separate values by commas"),
    "a word among numbers": ("a,y\n" + "1,p\n2,q\n" * 30 + "1O,p\n", "row 62, column a: '1O' is no number"),
    "a zero byte": ("a,y\n" + "1,p\n2,q\n" * 9 + "1\0,p\n", r"t.csv is no CSV file .*(zero bytes|NUL)"),
    "another target": ("Y,b\n" + "1,p\n" * 9, "target=y is no column of .* Options: Y, b."),
}


@pytest.mark.parametrize(("content", "sentence"), TABLES.values(), ids=TABLES)
def test_a_table_that_does_not_fit_is_one_sentence(tmp_path, content, sentence):
    if content:
        (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=sentence) as raised:
        table(tmp_path / "t.csv", "target=y", "batch_size=1")
    assert "\n" not in str(raised.value)


def test_a_title_above_a_table_whose_target_is_a_place_is_no_header(tmp_path):
    (tmp_path / "t.csv").write_text("Sales 2024,,\n,,\na,b,y\n" + "1,2,p\n2,3,q\n" * 9)
    with pytest.raises(UserError, match=r"line 1 holds only 'Sales 2024': if that is a title, delete"):
        table(tmp_path / "t.csv", "target=-1")
    (tmp_path / "t.csv").write_text("x,,\n" + "1,,p\n2,3,q\n" * 9)
    assert table(tmp_path / "t.csv", "target=-1", "header=false", "batch_size=4").num_classes == 2


@pytest.mark.parametrize("label", ("", "class"))
def test_a_row_of_units_below_the_header_is_left_out_of_the_training(tmp_path, capsys, label):
    rows = "".join(f"{i * i % 37},{i * i % 11},{'pq'[i % 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,y\nkg,m²,{label}\n{rows}")
    data, said = table(tmp_path / "t.csv", "target=y", "batch_size=8"), capsys.readouterr().out
    assert "numbers: a, b\n" in said and data.class_names == ["p", "q"] and "left out" in said
    with pytest.raises(UserError, match="row 2, column a: 'kg' is no number"):
        list(read_tables([str(tmp_path / "t.csv")], data.columns))


def test_a_column_whose_name_is_in_the_first_row_is_told_to_be_there(passengers):
    with pytest.raises(UserError, match=r"is no column of .* It is in the first row: leave dataset.header=false out\."):
        table(passengers, "target=lived", "header=false")


def test_a_list_that_names_the_target_or_a_column_of_the_split_is_reported_to_have_no_effect_on_it(passengers, capsys):
    table(passengers, "target=lived", "group=id", "drop=[name]", "categorical=[lived,id,name]")
    said = " ".join(capsys.readouterr().out.split())
    for column, role in (("lived", "the target"), ("id", "the column of dataset.group"), ("name", "in dataset.drop")):
        assert f"{column}: it is {role} and no input, so dataset.categorical has no effect on it" in said


def test_a_column_in_two_lists_is_refused(passengers):
    with pytest.raises(UserError, match=r"column id is in dataset\.categorical and in another list"):
        table(passengers, "target=lived", "numeric=[id]", "categorical=[id]")


def test_words_are_no_numbers_because_a_setting_says_so(passengers):
    with pytest.raises(UserError, match="column name has no number in the training rows: leave"):
        table(passengers, "target=lived", "numeric=[name]")


ALIKE = {
    "Yes and yes": ("Yes", "no", "yes"),
    "1 and 1.0": ("1", "1.0", "2"),
    "a b and 'a \\u200b b'": ("a b", "a \u200b b", "c"),
    "'a  b' and a b": ("a b", "a  b", "c"),
    ">50K and >50K.": (">50K", ">50K.", "<=50K"),
    "1 and TRUE": ("1", "0", "TRUE"),
    "nein and no": ("nein", "ja", "no"),
}


@pytest.mark.parametrize(("said", "classes"), ALIKE.items())
def test_classes_that_are_written_alike_are_said(tmp_path, capsys, said, classes):
    rows = [["a", "y"], *([i, classes[i % 3]] for i in range(60))]
    table(write_rows(tmp_path / "t.csv", rows), "target=y", "batch_size=8")
    assert f"count as different: {said}\n" in capsys.readouterr().out


def test_classes_that_are_lists_of_others_are_said(tmp_path, capsys):
    for classes, said in ((("cat", "dog", "cat; dog"), "'cat; dog'"), (("cat", "dog", "cat; bird"), "")):
        rows = [["a", "y"], *([i * i % 37, classes[i % 3]] for i in range(60))]
        table(write_rows(tmp_path / "t.csv", rows), "target=y", "batch_size=8")
        listed = f"classes that seem to list others, though each counts as a class of its own: {said}"
        assert (listed in " ".join(capsys.readouterr().out.split())) == bool(said)


@pytest.mark.parametrize("cell", ("{}", "{}000", "{},5", "$ {}", "{} %"))
def test_many_numbers_that_are_classes_each_are_said(tmp_path, capsys, cell):
    for many, is_said in ((40, True), (20, False)):
        rows = [["a", "y"], *([i * i % 37, cell.format(10 + i % many)] for i in range(200))]
        table(write_rows(tmp_path / "t.csv", rows), "target=y", "batch_size=8")
        assert ("y: 40 different numbers, each a class of its own" in capsys.readouterr().out) == is_said


ROWS = [["x", "kind", "y"], *([i % 2 * 10 + i / 50, "ab"[i // 2 % 2], ("no", "yes")[i % 2]] for i in range(100))]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> Path:
    """The folder of a run on ROWS."""
    folder = tmp_path_factory.mktemp("learnt")
    words = ("dataset=csv", f"data_dir={write_rows(folder / 't.csv', ROWS)}", "dataset.target=y")
    train(proj.config.configure(*words, f"hydra.run.dir={folder / 'run'}", "~callbacks.progress"))
    return folder / "run"


def test_a_table_trains_from_one_command(learnt):
    metrics = json.loads((learnt / "metrics.json").read_text())
    assert metrics["test/acc"] == 1 and list(metrics["test/acc_per_class"]) == ["no", "yes"]
    network, contents = load_model(learnt / "best.ckpt")
    x = encode([["10.5", "a"], ["0.5", ""]], contents["columns"])
    assert [contents["class_names"][i] for i in network(x).argmax(1)] == ["yes", "no"]


def test_predictions_replace_no_table_of_the_training_and_lie_beside_none(learnt, tmp_path):
    table, checkpoint = learnt.parent / "t.csv", load_checkpoint(learnt / "best.ckpt")
    before, new = table.read_bytes(), write_rows(tmp_path / "new.csv", [["x", "kind"], [10.5, "a"]])
    with pytest.raises(UserError, match=r"t\.csv exists, and holds no predictions: name another file"):
        predict(learnt / "best.ckpt", str(new), output=str(table))
    assert table.read_bytes() == before
    (tmp_path / "parts").mkdir()
    checkpoint["proj"]["config"]["dataset"]["data_dir"] = str(tmp_path / "parts")
    torch.save(checkpoint, tmp_path / "best.ckpt")
    with pytest.raises(UserError, match=r"the next training would read its files as data: .* output=…"):
        predict(tmp_path / "best.ckpt", str(new), output=str(tmp_path / "parts/p.csv"))
    assert predict(tmp_path / "best.ckpt", str(new), output=str(tmp_path / "parts/p.jsonl"))  # which is no table


def test_a_table_that_the_model_has_not_seen_is_measured_whole(learnt, mistake, tmp_path):
    new = write_rows(tmp_path / "new.csv", [["y", "extra", "kind", "x"], ["yes", 1, "a", 10.5], ["no", 2, "", 11.5]])
    words = (f"run={learnt}", f"data_dir={new}")
    assert "If the model has not seen this data, split=all measures all of it." in mistake("proj.evaluate", *words)
    found = evaluate(learnt / "best.ckpt", split="all", data_dir=str(new))
    assert found["examples"] == 2 and found["confusion"] == [[0, 1], [0, 1]]
    for content, sentence in (
        ([["y", "kind"], ["yes", "a"]], "has no column 'x', which the model takes. Options: kind, y."),
        ([["x", "kind", "y"], [1, "a", "maybe"]], "has a class 'maybe', which the model does not know."),
        ([["x", "kind", "y"], [1, "a", ""]], "has no row with a class."),
    ):
        write_rows(new, content)
        assert sentence in mistake("proj.evaluate", *words, "split=all")


def test_the_columns_are_named_where_no_target_is_though_one_of_them_is_a_number(tmp_path):
    (tmp_path / "t.csv").write_text("age,2019,y\n" + "1,2,p\n2,3,q\n" * 9)
    with pytest.raises(UserError, match=r"names no column yet. Options: 2019, age, y."):
        table(tmp_path / "t.csv", "target=null")


def test_rows_without_a_class_are_said_before_too_few_examples_are_refused(tmp_path, capsys):
    rows = [["abc"[i // 20] if i % 20 == 0 else "", i * i % 37] for i in range(60)]  # as merged cells are written
    write_rows(tmp_path / "t.csv", [["y", "x"], *rows])
    with pytest.raises(UserError, match="class a has 1 example"):
        table(tmp_path / "t.csv", "target=y")
    assert capsys.readouterr().out == "rows without y left out: 57\n"


def test_a_column_is_a_copy_of_the_class_with_mistakes_in_up_to_a_tenth_of_the_smallest_class():
    classes, known = np.array([0] * 185 + [1] * 15), np.ones(200, bool)
    for mistakes, how in ((1, "value"), (2, "code")):
        values = classes.copy()
        values[-mistakes:] = 0
        assert how_it_tells(values, None, known, classes)[0] == how


@pytest.mark.parametrize(("different", "lines"), ((9, 0), (10, 1), (89, 1), (90, 0)))
def test_a_column_named_as_groups_are_is_doubted_from_ten_values_to_nine_tenths_of_the_rows(different, lines):
    cells = WholeColumn([f"p{min(row, different - 1)}" for row in range(100)])
    assert len([*doubt_groups("patient_id", cells)]) == lines
