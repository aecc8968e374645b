"""A folder of photos and a table of one's own."""

import csv
from pathlib import Path

import pytest
import torch

from proj.config import build
from proj.data.table import encode
from proj.errors import UserError

COLUMNS = [
    {"name": "age", "mean": 30.0, "std": 10.0},
    {"name": "port", "categories": ["C", "Q", "S"]},
    {"name": "fare", "mean": 0.0, "std": 1.0},
]


def test_numbers_are_standardised_and_words_become_an_input_each():
    x = encode([["40", "C", "1.5"], [" 2e1", "S ", "-0.5"]], COLUMNS)
    assert x.dtype == torch.float32 and x.tolist() == [[1, 1, 0, 0, 1.5], [-1, 0, 0, 1, -0.5]]
    assert encode([], COLUMNS).shape == (0, 5)


def test_a_missing_number_becomes_the_mean_and_a_missing_or_unknown_word_no_word():
    x = encode([["", "", "nan"], ["?", "Southampton", "N/A"]], COLUMNS)
    assert x.tolist() == [[0] * 5] * 2


@pytest.mark.parametrize("text", ("forty", "inf", "1_000", "1,5"))
def test_a_cell_that_is_no_number_is_named_by_row_and_column(text):
    with pytest.raises(UserError, match=rf"row 3, column age: '{text}' is no number"):
        encode([["1", "C", "1"], [text, "C", "1"]], COLUMNS, first=2)
    with pytest.raises(UserError, match="row 1 has 2 values for 3 columns: age, port, fare"):
        encode([["1", "C"]], COLUMNS)


@pytest.mark.parametrize("standardize", ("true", "false"))
def test_the_columns_of_iris_encode_its_rows(configure, standardize):
    data = build(configure(f"dataset.standardize={standardize}").dataset)
    data.setup()
    first = data.splits["train"].inputs[:1]
    raw = first * torch.tensor([c["std"] for c in data.columns]) + torch.tensor([c["mean"] for c in data.columns])
    rows = [[f"{value:.1f}" for value in raw[0].tolist()]]  # as in the file: millimetres
    assert torch.allclose(encode(rows, data.columns), first, atol=1e-6)
    assert [c["name"] for c in data.columns] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def write_table(path: Path, rows: list[list], separator: str = ",") -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


@pytest.fixture
def passengers(tmp_path) -> Path:
    """80 rows with an id, numbers and words, some of them missing; two classes."""
    rows = [["id", "age", "port", "name", "", "lived"]]
    for i in range(80):
        age, port = "" if i % 9 == 0 else 20 + (i % 30) ** 2, "NA" if i % 7 == 0 else "SQC"[i % 3]
        rows.append([i, age, port, f"Jane, {i}", i % 4, ("no", "yes")[i % 2]])
    return write_table(tmp_path / "passengers.csv", rows)


@pytest.fixture
def table(configure):
    def table(file: Path, *overrides: str):
        data = build(configure("dataset=csv", f"data_dir={file}", *overrides).dataset)
        data.setup()
        return data

    return table


def test_a_table_becomes_standardised_numbers_and_words(table, passengers, capsys):
    data = table(passengers, "dataset.target=lived", "dataset.drop=[id]")
    assert data.class_names == ["no", "yes"] and data.input_shape == (5,)
    assert [column["name"] for column in data.columns] == ["age", "port", "column 4"]
    assert data.columns[1]["categories"] == ["C", "Q", "S"]
    assert [len(split.targets) for split in data.splits.values()] == [58, 10, 12]
    assert all(split.targets.bincount().diff() == 0 for split in data.splits.values())
    x = data.splits["train"].inputs
    known = x[x[:, 0] != 0, 0]  # the missing ones are 0
    assert len(known) < len(x) and known.mean().abs() < 1e-6 and known.std() == pytest.approx(1, abs=1e-5)
    assert set(x[:, 1:4].sum(1).tolist()) == {0, 1}
    assert capsys.readouterr().out.splitlines() == [
        "numbers: age, column 4",
        "words: port (3)",
        "left out, hardly a word comes twice: name",
    ]


def test_what_the_checkpoint_keeps_encodes_the_same_rows(table, passengers):
    data = table(passengers, "dataset.target=lived")
    rows = [row.split(",") for row in ("3,29,S,3", "69,101,S,1")]  # two of the file
    made = {tuple(row.tolist()) for split in data.splits.values() for row in split.inputs}
    assert {tuple(row.tolist()) for row in encode(rows, data.columns)} <= made


def test_validation_and_test_change_neither_the_columns_nor_the_scale(table, passengers):
    before = table(passengers, "dataset.target=lived", "dataset.drop=[name]")
    lines = passengers.read_text().splitlines()
    for name in ("val", "test"):
        ids = before.splits[name].inputs[:, 0] * before.columns[0]["std"] + before.columns[0]["mean"]
        for i in ids.round().int().tolist():
            lines[1 + i] = f"{i},1000,X,name,5,{lines[1 + i].split(',')[-1]}"
    passengers.write_text("\n".join(lines))
    after = table(passengers, "dataset.target=lived", "dataset.drop=[name]")
    assert before.columns == after.columns
    assert torch.equal(before.splits["train"].inputs, after.splits["train"].inputs)
    assert not torch.equal(before.splits["val"].inputs, after.splits["val"].inputs)


def test_another_training_seed_leaves_the_parts_and_another_split_seed_changes_them(table, passengers):
    words = (passengers, "dataset.target=lived")
    first, seeded, other = (table(*words, word) for word in ("seed=0", "seed=1", "dataset.split_seed=1"))
    assert torch.equal(first.splits["val"].inputs, seeded.splits["val"].inputs)
    assert not torch.equal(first.splits["val"].inputs, other.splits["val"].inputs)


def test_numbers_that_are_names_become_words_the_most_frequent_ones(table, passengers):
    data = table(passengers, "dataset.target=lived", "dataset.drop=[id,name]", "dataset.categorical=[age,column 4]")
    assert data.columns[2] == {"name": "column 4", "categories": ["0", "1", "2", "3"]}
    words = ("dataset.drop=[id,name]", "dataset.categorical=[-2]", "dataset.max_categories=2")
    data = table(passengers, "dataset.target=lived", *words)
    assert [len(column.get("categories", "1")) for column in data.columns] == [1, 2, 2]


@pytest.mark.parametrize("target", ("-1", "4"))
@pytest.mark.parametrize("separator", (",", ";", "\t", "|"))
def test_a_file_without_header_takes_a_place_and_any_separator(table, tmp_path, target, separator):
    rows = [[i / 10, i, "a b" if i % 3 else "c", -i, ("x", "y", "10", "9")[i % 4]] for i in range(40)]
    data = table(
        write_table(tmp_path / "plain.csv", rows, separator), f"dataset.target={target}", "dataset.batch_size=8"
    )
    assert data.class_names == ["9", "10", "x", "y"] and data.input_shape == (5,)
    assert sum(len(split.targets) for split in data.splits.values()) == 40


def test_a_header_is_seen_where_the_target_is_a_place(table, passengers):
    by_place, by_name = (table(passengers, f"dataset.target={target}") for target in ("5", "lived"))
    assert by_place.columns == by_name.columns and by_place.class_names == ["no", "yes"]


def test_decimal_commas_beside_semicolons_are_numbers(table, tmp_path):
    rows = [["Länge", "Art"], *([f"{i},5", "ab"[i % 2]] for i in range(40))]
    file = write_table(tmp_path / "eu.csv", rows, ";")
    file.write_text("\ufeff" + file.read_text())  # as Excel writes it
    data = table(file, "dataset.target=Art", "dataset.batch_size=8")
    assert data.columns[0]["name"] == "Länge" and 17 < data.columns[0]["mean"] < 23


def test_rows_without_a_class_are_left_out_and_counted(table, tmp_path, capsys):
    rows = [["a", "y"], *([i, ("low", "none", "")[i % 3]] for i in range(60))]
    data = table(write_table(tmp_path / "gaps.csv", rows), "dataset.target=y", "dataset.batch_size=8")
    assert data.class_names == ["low", "none"] and sum(len(split.targets) for split in data.splits.values()) == 40
    assert "rows left out, without y: 20" in capsys.readouterr().out


TABLES = {
    "no table": (None, "there is no table .*: name a CSV file with data_dir=path/to/table.csv"),
    "empty": ("\n\n", "is empty"),
    "no text": ("\xff\xfe\0", "is no CSV file in UTF-8"),
    "a header alone": ("a,y\n", "a classifier takes two classes or more, and there is none alone"),
    "ragged": ("a,y\n1,p\n2\n", "rows of different numbers of values: 1 in line 3, 2 in the first"),
    "one class": ("a,y\n" + "1,p\n" * 9, "two classes or more, and there is p alone"),
    "a rare class": ("a,y\n" + "1,p\n" * 9 + "2,q\n" * 2, "class q has 2 examples, too few .* train, test, val"),
    "numbers to predict": ("a,y\n" + "".join(f"1,{i}\n" for i in range(30)), r"1 example \(so do 29 more of 30\)"),
    "an empty column": (
        "a,b,y\n" + ",1,p\n,2,q\n" * 9,
        r"column a is empty in all training rows: .*'dataset.drop=\[a\]'",
    ),
    "one name twice": ("a,a,y\n" + "1,1,p\n2,2,q\n" * 9, "has two columns 'a'"),
    "nothing to learn from": ("y\n" + "p\nq\n" * 9, "has no column to learn y from"),
    "a word among numbers": ("a,y\n" + "1,p\n2,q\n" * 30 + "1O,p\n", "row 62, column a: '1O' is no number"),
    "another target": ("Y,b\n" + "1,p\n" * 9, "dataset.target=y is no column of .* Options: Y, b."),
}


@pytest.mark.parametrize(("content", "sentence"), TABLES.values(), ids=TABLES)
def test_a_table_that_does_not_fit_is_one_sentence(table, tmp_path, content, sentence):
    if content:
        (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=sentence) as raised:
        table(tmp_path / "t.csv", "dataset.target=y", "dataset.batch_size=1")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("word", "sentence"),
    (
        ("dataset.target=null", "dataset.target names no column yet. Options: age, column 4, id, lived, name, port."),
        ("dataset.target=live", "dataset.target=live is no column .* Did you mean 'lived'?"),
        ("dataset.target=6", "dataset.target=6 is no column"),
        ("dataset.drop=[agee]", "dataset.drop=agee is no column .* Did you mean 'age'?"),
    ),
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(table, passengers, word, sentence):
    with pytest.raises(UserError, match=sentence):
        table(passengers, "dataset.target=lived", word)
