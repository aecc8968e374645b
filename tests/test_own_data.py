"""A folder of photos and a table of one's own."""

import errno
import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import load_photos
from support.refusals import refusals
from support.runs import make
from support.tables import encode, write_rows

import proj.config
from proj.checkpoint.file import load_model
from proj.data.photos import picture
from proj.data.photos.on_disk import OnDisk
from proj.data.rare_classes import unknown_classes
from proj.errors import UserError
from proj.system.folders import stamp
from proj.training.run import train
from proj.use.evaluation import evaluate
from proj.use.inputs import read_tables

COLUMNS = [{"name": "age", "mean": 30.0, "std": 10.0}, {"name": "port", "categories": ["C", "Q", "S"]}]
COLUMNS += [{"name": "fare", "mean": 0.0, "std": 1.0}]


def test_numbers_are_standardised_and_words_become_an_input_each():
    x = encode([["40", "C", "1.5"], [" 2e1", "S ", "-0.5"]], COLUMNS)
    assert x.dtype == torch.float32 and x.tolist() == [[1, 1, 0, 0, 1.5], [-1, 0, 0, 1, -0.5]]
    assert encode([], COLUMNS).shape == (0, 5)


def test_a_missing_number_becomes_the_mean_and_a_missing_or_unknown_word_no_word():
    x = encode([["", "", "nan"], ["?", "Southampton", "N/A"]], COLUMNS)
    assert x.tolist() == [[0] * 5] * 2


@pytest.mark.parametrize("standardize", ("true", "false"))
def test_the_columns_of_iris_encode_its_rows(load, standardize):
    data = load("iris", f"dataset.standardize={standardize}")
    first = data.splits["train"].inputs[:1]
    raw = first * torch.tensor([c["std"] for c in data.columns]) + torch.tensor([c["mean"] for c in data.columns])
    rows = [[f"{value:.1f}" for value in raw[0].tolist()]]  # as in the file: millimetres
    assert torch.allclose(encode(rows, data.columns), first, atol=1e-6)
    assert [c["name"] for c in data.columns] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.fixture
def passengers(tmp_path) -> Path:
    """80 rows with an id, numbers and words, some of them missing; two classes."""
    rows = [["id", "age", "port", "name", "", "lived"]]
    for i in range(80):
        age, port = "" if i % 9 == 0 else 20 + (i % 30) ** 2, "NA" if i % 7 == 0 else "SQC"[i % 3]
        rows.append([i, age, port, f"Jane, {i}", i % 4, ("no", "yes")[i % 2]])
    return write_rows(tmp_path / "passengers.csv", rows)


def table(file: Path, *overrides: str):
    return make("csv", f"data_dir={file}", *overrides)


def test_a_table_becomes_standardised_numbers_and_words(passengers, capsys):
    data = table(passengers, "target=lived", "drop=[id]")
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
        "    'dataset.categorical=[name]' keeps it",
        "2 of 12 test rows have the same inputs as a training row: if they are copies,",
        "    delete these, since the network has seen the answers",
    ]


def test_what_the_checkpoint_keeps_encodes_the_same_rows(passengers):
    data = table(passengers, "target=lived", "numeric=[id]")
    rows = [row.split(",") for row in ("3,29,S,3", "69,101,S,1")]  # two of the file
    made = {tuple(row.tolist()) for split in data.splits.values() for row in split.inputs}
    assert {tuple(row.tolist()) for row in encode(rows, data.columns)} <= made


def test_validation_and_test_change_neither_the_columns_nor_the_scale(passengers):
    words = ("target=lived", "drop=[name]", "numeric=[id]")
    before = table(passengers, *words)
    lines = passengers.read_text().splitlines()
    for name in ("val", "test"):
        ids = before.splits[name].inputs[:, 0] * before.columns[0]["std"] + before.columns[0]["mean"]
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
    assert data.columns[2] == {"name": "column 4", "categories": ["0", "1", "2", "3"]}
    words = ("drop=[id,name]", "categorical=[-2]", "max_categories=2")
    data = table(passengers, "target=lived", *words)
    assert [len(column.get("categories", "1")) for column in data.columns] == [1, 2, 2]


@pytest.mark.parametrize("target", ("-1", "4"))
@pytest.mark.parametrize("separator", (",", ";", "\t", "|"))
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
        (lambda i: [f"{i},5"], ";", 17, 23),
        *((lambda i: [f"{1000 + i:,}.50" if i % 2 else str(900 + i)], separator, 960, 980) for separator in ";\t,"),
        (lambda i: [f"1,{100 + i}", f"{i},5"], ";", 1, 2),  # in doubt, it follows the other column
        (lambda i: [f"1,{100 + i % 30}", f"{i}.5"], ";", 1100, 1200),
    ),
)
def test_a_comma_in_a_number_is_what_the_table_makes_clear(tmp_path, row, separator, least, most):
    column = two_classes(tmp_path, row, separator).columns[0]
    assert column["name"] == "x0" and least < column["mean"] < most


@pytest.mark.parametrize("cells", ("1,234 999 1", "1,234 5,678 1", "1.234 999 0,5", "1,234 999 0,5"))
def test_a_number_that_can_be_read_in_two_ways_is_refused(tmp_path, cells):
    first, second, beside = cells.split()
    with pytest.raises(UserError, match=r"row 2, column x0: '1[.,]234' can be 1.234 or 1234; .* decimal"):
        two_classes(tmp_path, lambda i: [second if i // 2 % 2 else first, beside])


def test_decimal_commas_of_a_table_without_header_are_not_its_separators(tmp_path):
    rows = [[f"{i},5", f"{i},25", "ab"[i % 2]] for i in range(40)]
    data = table(write_rows(tmp_path / "t.csv", rows, ";"), "target=-1", "batch_size=8")
    assert data.input_shape == (2,) and all("mean" in column for column in data.columns)


@pytest.mark.parametrize(
    ("word", "said"),
    (("low", "rows left out, without y: 20"), *((w, f"taken for classes: {w};") for w in ("NA", "nan", "null", "?"))),
)
def test_rows_without_a_class_are_left_out_and_a_class_may_be_called_what_elsewhere_is_missing(
    tmp_path, capsys, word, said
):
    rows = [["a", "y"], *([i, (word, "ZA", "")[i % 3]] for i in range(60))]
    data = table(write_rows(tmp_path / "gaps.csv", rows), "target=y", "batch_size=8")
    assert set(data.class_names) == {word, "ZA"} and sum(len(split.targets) for split in data.splits.values()) == 40
    assert said in capsys.readouterr().out


TABLES = {
    "no table": (None, r"t.csv cannot be read \(No such file or directory\): name a CSV file with data_dir="),
    "empty": ("\n\n", "is empty"),
    "no text": ("\xff\xfe\0", "is no CSV file in utf-16"),
    "a header alone": ("a,y\n", "has no row below its header"),
    "ragged": ("a,y\n1,p\n2\n", "rows of different numbers of values: 1 in line 3, 2 in the first"),
    "one class": ("a,y\n" + "1,p\n" * 9, "two classes or more, and there is p alone"),
    "a rare class": ("a,y\n" + "1,p\n" * 9 + "2,q\n" * 2, "class q has 2 examples, too few .* train, test, val"),
    "numbers to predict": ("a,y\n" + "".join(f"1,{i}\n" for i in range(30)), "y holds 30 different numbers in 30 rows"),
    "shares to predict": ("a;y\n" + "".join(f"1;{i},5 %\n" for i in range(30)), "30 different numbers in 30"),
    "words to predict": (
        "a,y\n" + "".join(f"1,w{i}\n" for i in range(30)),
        r"1 example \(one of 30 such classes\), too few",
    ),
    "a title": (
        "Report 2024\na,y\n" + "1,p\n2,q\n" * 9,
        "2 in line 2, 1 in the first: if the table begins in line 2, delete",
    ),
    "a padded title": (
        "Report,,\na,b,y\n" + "1,2,p\n2,3,q\n" * 9,
        "is no column of .* It stands in line 2: if that is the header",
    ),
    "a comment": (
        "# of 2024\na,b,y\n" + "1,2,p\n" * 9,
        "3 in line 2, 1 in the first: if the table begins in line 2, delete",
    ),
    "a comment with a mark": (
        "|1x3 x\n" + "1,2,p\n" * 30,
        "3 in line 2, 1 in the first: if the table begins in line 2",
    ),
    "another separator": ("a~b~y\n" + "1~2~p\n" * 9, "Its one column is 'a~b~y': separate values by commas"),
    "areas to predict": (
        "a,y\n" + "1,0\n" * 90 + "".join(f"1,{i}.5\n" for i in range(30)),
        "holds 31 different numbers",
    ),
    "spaces between": ("a b y\n" + "1 2 p\n" * 9, "Its one column is 'a b y': separate values by commas"),
    "words of their own": (
        "a,y\n" + "".join(f"{i} of {i},{'pq'[i % 2]}\n" for i in range(30)),
        "from .a: hardly a word",
    ),
    "too large a number": ("a,y\n" + "1,p\n2,q\n" * 30 + "1e300,p\n", "'1e300' is no number below 3e38"),
    "an empty column": ("a,b,y\n" + ",1,p\n,2,q\n" * 9, r"column a is empty in all training rows: .*drop=\[a\]'"),
    "one name twice": ("a,a,y\n" + "1,1,p\n2,2,q\n" * 9, "has two columns 'a'"),
    "nothing to learn from": ("y\n" + "p\nq\n" * 9, "has no column to learn y from"),
    "a word among numbers": ("a,y\n" + "1,p\n2,q\n" * 30 + "1O,p\n", "row 62, column a: '1O' is no number"),
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
    with pytest.raises(UserError, match=r"line 1 holds nothing but 'Sales 2024': if that is a title, delete"):
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


@refusals(
    ("target=null", "dataset.target names no column yet. Options: age, column 4, id, lived, name, port."),
    ("target=live", "dataset.target=live is no column .* Did you mean 'lived'?"),
    ("target=6", "dataset.target=6 is no column"),
    ("header=false", "is no column of .* It stands in the first row: leave dataset.header=false out."),
    ("drop=[agee]", "dataset.drop=agee is no column .* Did you mean 'age'?"),
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(passengers, words, sentence):
    with pytest.raises(UserError, match=sentence):
        table(passengers, "target=lived", words)


def test_a_column_in_two_lists_is_refused(passengers):
    with pytest.raises(UserError, match=r"column id is in dataset\.categorical and in another list"):
        table(passengers, "target=lived", "numeric=[id]", "categorical=[id]")


ALIKE = {
    "Yes and yes": ("Yes", "no", "yes"),
    "1 and 1.0": ("1", "1.0", "2"),
    "a b and a \u200b b": ("a b", "a \u200b b", "c"),
    ">50K and >50K.": (">50K", ">50K.", "<=50K"),
}


@pytest.mark.parametrize(("said", "classes"), ALIKE.items())
def test_classes_that_are_written_alike_are_said(tmp_path, capsys, said, classes):
    rows = [["a", "y"], *([i, classes[i % 3]] for i in range(60))]
    table(write_rows(tmp_path / "t.csv", rows), "target=y", "batch_size=8")
    assert f"count as several: {said}\n" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ("{}", "{}000", "{},5", "$ {}", "{} %"))
def test_many_numbers_that_are_classes_each_are_said(tmp_path, capsys, cell):
    for many, is_said in ((40, True), (20, False)):
        rows = [["a", "y"], *([i * i % 37, cell.format(10 + i % many)] for i in range(200))]
        table(write_rows(tmp_path / "t.csv", rows), "target=y", "batch_size=8")
        assert ("y: 40 different numbers, each a class of its own" in capsys.readouterr().out) == is_said


def test_a_model_knows_a_class_of_images_however_the_accents_of_its_folder_are_stored():
    assert unknown_classes(["Ba\u0308r", "cat", "dog"], ["Bär", "cat"]) == {"dog": 1}  # as macOS stores them


COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 60), "red": (230, 30, 20)}


def draw(colour: str, number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(number).integers(-20, 20, (*size[::-1], 3))
    return Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8))


def write_photos(folder: Path, count: int, colours: Iterable[str] = COLOURS) -> Path:
    """`count` photos for each colour, of various sizes, some in a folder further down."""
    for colour in colours:
        (folder / colour / "more").mkdir(parents=True)
        for number in range(count):
            place = "more/" if number % 5 == 4 else ""
            draw(colour, number, (40 + 7 * number, 30)).save(folder / colour / f"{place}{number:02}.png")
    return folder


@pytest.fixture
def photos(tmp_path):
    return lambda folder, *words: load_photos(folder, tmp_path / "cache", *words)


def test_the_class_folders_are_the_classes_and_every_image_is_in_one_part(photos, tmp_path):
    data = photos(write_photos(tmp_path / "in", 10))
    assert data.class_names == ["blue", "green", "red"] and data.input_shape == (3, 8, 8)
    counts = {name: split.targets.bincount().tolist() for name, split in data.splits.items()}
    assert counts == {"train": [7] * 3, "val": [1] * 3, "test": [2] * 3}
    images = torch.cat([split.inputs for split in data.splits.values()])
    targets = torch.cat([split.targets for split in data.splits.values()])
    assert images.dtype == torch.uint8 and len({image.numpy().tobytes() for image in images}) == 30
    for image, target in zip(images, targets, strict=True):
        assert image.float().mean((0, 1)).argmax() == 2 - target  # the colour of its folder


@pytest.mark.parametrize(
    ("val", "test", "trained"),
    ((None, None, 7), ("val", "test", 10), ("Valid", "Test", 10), ("validation", None, 8)),
)
def test_folders_for_the_parts_are_taken_and_the_others_drawn(photos, tmp_path, val, test, trained):
    write_photos(tmp_path / "in" / "train", 10)
    for name, count in ((val, 3), (test, 4)):
        if name:
            write_photos(tmp_path / "in" / name, count, ("red", "blue"))
    data = photos(tmp_path / "in")
    sizes = {name: split.targets.bincount().tolist() for name, split in data.splits.items()}
    assert data.class_names == ["blue", "green", "red"]
    assert sizes["val"] == ([3, 0, 3] if val else [1, 1, 1]) and sizes["test"] == ([4, 0, 4] if test else [2, 2, 2])
    assert sizes["train"] == [trained] * 3


def test_a_class_may_be_called_train(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    (folder / "red").rename(folder / "train")
    data = photos(folder)
    assert data.class_names == ["blue", "green", "train"]
    assert sum(len(split.targets) for split in data.splits.values()) == 24


def test_a_folder_without_images_beside_the_parts_is_none_of_them(photos, tmp_path):
    folder = write_photos(tmp_path / "in" / "train", 8).parent
    (folder / "labels").mkdir()
    (folder / "labels" / "all.json").write_text("{}")
    assert photos(folder).class_names == ["blue", "green", "red"]


def test_a_class_without_a_test_image_has_no_accuracy(configure, tmp_path):
    write_photos(tmp_path / "in" / "train", 4)
    write_photos(tmp_path / "in" / "test", 2, ("red", "blue"))
    words = (f"data_dir={tmp_path / 'in'}", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=8", "model=mlp")
    metrics = train(configure("dataset=image_folder", *words, "trainer.max_epochs=1", "dataset.batch_size=4"))
    assert metrics["test/acc_per_class"]["green"] is None
    json.dumps(metrics, allow_nan=False)


def test_what_cannot_be_read_is_listed_and_left_out(photos, tmp_path, capsys):
    folder = write_photos(tmp_path / "in", 6)
    content = (folder / "red" / "00.png").read_bytes()
    (folder / "red" / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "blue" / "link.jpg").symlink_to("nowhere")
    for number in range(10):
        (folder / "green" / f"text{number}.jpg").write_text("no image")
    for start in ("first", "second"):
        data = photos(folder)
        assert sum(len(split.targets) for split in data.splits.values()) == 18, start
        assert all(split.inputs.float().mean((1, 2)).sum(1).min() > 60 for split in data.splits.values())  # no black
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "12 of 30 images cannot be read and are left out:" and lines[-1] == "    and 2 more"
        assert lines[1] == "    blue/link.jpg: No such file or directory"
        assert lines[2] == "    green/text0.jpg: cannot identify image file" and len(lines) == 12


def test_a_class_that_only_a_part_has_is_left_out_and_said(photos, tmp_path, capsys):
    for place, count in (
        ("train/red", 5),
        ("train/blue", 5),
        ("test/red", 3),
        ("test/blue", 1),
        ("test/green", 2),
        ("test/gold", 1),
    ):
        (tmp_path / "in" / place).mkdir(parents=True)
        for number in range(count):
            draw("red", number).save(tmp_path / "in" / place / f"{number}.png")
    data = photos(tmp_path / "in")
    assert data.class_names == ["blue", "red"] and len(data.splits["test"].targets) == 4
    said = "Images left out, of classes that the training part has not: 2 green, 1 gold"
    assert said in capsys.readouterr().out


TWO = {"red": 5, "blue": 5}
NO_CLASSES = "in holds no class folders with images"
FOLDERS = {  # how many images lie where; a negative number is of files that are none
    "no folder": ({}, "in cannot be read .*No such file.*data_dir=path/to/photos"),
    "loose images": ({".": 1}, f"{NO_CLASSES} .*: put the images of each class into a folder"),
    "loose images in train and test": ({"train": 1, "test": 1}, NO_CLASSES),
    "no image": ({"red": 0}, NO_CLASSES),
    "one class": ({"red": 5}, "a classifier takes two classes or more, and there is red alone in .*in: put"),
    "the classes below a single folder": (
        {"pets": 1, "pets/red": 5, "pets/blue": 5},
        "in holds the folder pets alone: if the 2 folders in it are the classes, give data_dir=.*in/pets",
    ),
    "a class that cannot be read": ({**TWO, "green": -5}, "class green has no examples"),
    "a part that cannot be read": (
        {"train/red": 5, "train/blue": 5, "test/red": -3, "test/blue": -3},
        "no image of the folder of test can be read: mend its files, or take the folder away",
    ),
    "no image that can be read": ({"red": -5, "blue": -5}, "no training image can be read: mend the files, or name"),
    "a part without images": (
        {"train/red": 5, "train/blue": 5, "test/red": 0, "test/blue": 0},
        "in/test holds no images: take it away, and test is drawn from the training images",
    ),
    "an empty part": ({"train/red": 5, "train/blue": 5, "test": 0}, "in/test holds no images: take it away, and test"),
    "an empty part found by a word": (
        {"train_set/red": 5, "train_set/blue": 5, "dev_set": 0},
        "in/dev_set holds no images: take it away, and val",
    ),
    "one class and rare ones": (
        {"red": 5, "green": 2, "gold": 2},
        r"class gold has 2 .*\(one of 2 such classes\), too few",
    ),
    "a class in val in place of another one": (
        {"train/red": 5, "train/blue": 5, "val/red": 4, "val/green": 5},
        "val has a class green that .*train has not, and none of blue: name a class alike in both",
    ),
    "classes beside train": ({"train/red": 5, "train/blue": 5, "green": 5}, "in/green is a class beside .*in/train, "),
    "two folders for a part": (
        {f"{part}/{name}": 5 for part in ("train", "val", "validation") for name in TWO},
        "in/val and .*in/validation are for the same part",
    ),
}


@pytest.mark.parametrize(("images", "sentence"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_does_not_fit_is_one_sentence(photos, tmp_path, images, sentence):
    for name, count in images.items():
        place = tmp_path / "in" / name
        place.mkdir(parents=True)
        for number in range(abs(count)):
            draw("red", number).save(place / f"{number}.png") if count > 0 else (place / f"{number}.jpg").touch()
    with pytest.raises(UserError, match=sentence) as raised:
        photos(tmp_path / "in")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("images", "table", "data_dir"),
    (("in", "in/labels.csv", "in"), ("in/images", "in/labels.xlsx", "in"), ("in/train", "in/train.csv", "in/train"),
     ("in", "in/labels.csv", "in/labels.csv")),
)  # fmt: skip
def test_a_list_of_classes_beside_photos_is_named_where_they_lie_in_no_class_folders(
    photos, tmp_path, images, table, data_dir
):
    (tmp_path / images).mkdir(parents=True)
    draw("red", 1).save(tmp_path / images / "1.png")
    (tmp_path / table).write_text("image,label\n1.png,red\n")
    with pytest.raises(UserError, match=rf"if .*{table} lists the class of each image, docs/data\.md makes"):
        photos(tmp_path / data_dir)


def test_photos_are_sorted_by_a_list_as_the_page_says(photos, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    for number in range(12):
        draw(("red", "blue")[number % 2], number).save(tmp_path / "photos" / f"{number}.png")
    rows = (f"{number}.png,{('red', 'blue')[number % 2]}\n" for number in range(12))
    (tmp_path / "photos" / "labels.csv").write_text("image,label\n" + "".join(rows))
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(import csv, .*?)```", page, re.S)[1])
    data = photos(tmp_path / "sorted")
    assert data.class_names == ["blue", "red"] and sum(len(split.targets) for split in data.splits.values()) == 12


def test_figures_of_other_photos_and_of_another_checkpoint_replace_no_others(configure, tmp_path):
    for place in ("in", "new/val", "old/val"):
        write_photos(tmp_path / place, 6)
        draw("red", len(place)).save(tmp_path / place / "red" / "more.png")
    words = (
        "dataset=image_folder",
        "model=mlp",
        f"data_dir={tmp_path / 'in'}",
        "dataset.size=8",
        "+trainer.max_steps=1",
    )
    train(configure(*words, f"dataset.cache_dir={tmp_path / 'cache'}"))
    best, last = (tmp_path / "run" / name for name in ("best.ckpt", "last.ckpt"))

    def names(checkpoint=best, **settings) -> list[str]:
        before = {*(tmp_path / "run").glob("*.json")}
        evaluate(checkpoint, **settings)
        return [file.name for file in {*(tmp_path / "run").glob("*.json")} - before]

    assert names() == ["evaluation.json"] and names(split="val") == ["evaluation_val.json"]
    assert names(last) == ["evaluation_last.json"]
    new, old = ({"data_dir": str(tmp_path / name / "val")} for name in ("new", "old"))
    assert names(**new) == ["evaluation_val_test.json"]
    assert names(**new, split="all") == ["evaluation_val_all.json"]
    assert names(**old, split="all") == ["evaluation_val_all_2.json"]
    assert names(**new, split="all") == names(**old, split="all") == names(data_dir=str(tmp_path / "in")) == []
    assert json.loads((tmp_path / "run" / "evaluation_val_all_2.json").read_text())["data_dir"] == old["data_dir"]


def test_a_second_start_reads_no_image_and_a_changed_one_is_read_anew(photos, tmp_path, calls_of):
    folder, read = write_photos(tmp_path / "in", 6), calls_of(picture, "open_image")
    first, second = photos(folder), photos(folder, "split_seed=1", "memory_limit_mb=0")
    assert len(read) == 18 and first.checksum() != second.checksum()
    draw("red", 99).save(folder / "red" / "00.png")
    assert photos(folder).checksum() != first.checksum() and len(read) == 36
    assert photos(folder, "size=[8,6]").input_shape == (3, 8, 6) and len(read) == 54
    assert photos(folder, "channels=1").input_shape == (1, 8, 8) and len(read) == 72
    assert len(list((tmp_path / "cache").glob("*.images"))) == 3  # one for each size, not for each state of the folder


def put_in_its_place(image: Image.Image, file: Path) -> None:
    """Another picture with the size and the time of the one before, as `cp -p` or `rsync -t` may leave it."""
    before = file.stat()
    image.save(file)
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("system", ("posix", "no time of change"))
def test_a_picture_of_the_same_size_and_time_is_read_anew(photos, tmp_path, monkeypatch, system):
    folder, old = tmp_path / "in", time.time_ns() - 10**12
    monkeypatch.setattr("proj.system.folders.WINDOWS", system != "posix")
    for name, level in (("a", 50), ("b", 90)):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            file = folder / name / f"{number}.bmp"
            Image.new("RGB", (80, 60), (level, number, 0)).save(file)
            os.utime(file, ns=(old, old))
    first = photos(folder)
    assert photos(folder).checksum() == first.checksum()
    put_in_its_place(Image.new("RGB", (80, 60), (50, 200, 0)), folder / "a" / "0.bmp")
    second = photos(folder)
    assert second.checksum() != first.checksum()
    assert 200 in torch.cat([split.inputs for split in second.splits.values()])


@pytest.mark.parametrize("limit", (1000, 0))
def test_damage_of_the_cache_is_noticed_and_made_anew(photos, tmp_path, capsys, limit):
    words = (write_photos(tmp_path / "in", 8), f"memory_limit_mb={limit}")
    before = photos(*words)
    whole = {name: split.inputs[torch.arange(len(split.targets))] for name, split in before.splits.items()}
    (cache,) = (tmp_path / "cache").glob("*.images")
    content = cache.read_bytes()
    places = (300, len(content) // 2, len(content) - 300)  # of pixels, and of what follows them
    lost = [content[:place] + bytes(250) + content[place + 250 :] for place in places]
    for damaged in (b"", content[:1000], content[:-20], b"x" * len(content), *lost):
        cache.write_bytes(damaged)
        data = photos(*words)
        assert data.checksum() == before.checksum()
        for name, split in data.splits.items():
            assert torch.equal(split.inputs[torch.arange(len(split.targets))], whole[name])
        said = capsys.readouterr().out
        assert re.search(r"images is damaged\. It is made anew|damaged images? in .*images (was|were) made anew", said)
        assert cache.read_bytes() == content
    assert not list((tmp_path / "cache").glob("*.tmp"))


def test_a_cache_that_is_damaged_when_the_photo_has_changed_is_one_sentence(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    data = photos(folder, "memory_limit_mb=0")
    (cache,) = (tmp_path / "cache").glob("*.images")
    cache.write_bytes(bytes(len(cache.read_bytes())))
    for file in folder.rglob("*.png"):
        draw("red", 999).save(file)
    with pytest.raises(UserError, match=r"is damaged, and .*\.png is not as it was: delete .*images and run again"):
        data.splits["train"].inputs[torch.arange(3)]


def test_a_cache_of_another_format_is_made_anew_and_a_newer_one_is_named(photos, tmp_path, capsys):
    folder = write_photos(tmp_path / "in", 6)
    before = photos(folder).checksum()
    (cache,) = (tmp_path / "cache").glob("*.images")
    content = cache.read_bytes()
    key = content.split()[3]
    for other, said in (
        (b"proj images 13 " + key + content[:5000], "newer version of this program (format 13). It is made anew."),
        (key + content[:5000], ""),  # format 1
        (content.replace(key, b"0" * len(key)), ""),  # of other files
    ):
        cache.write_bytes(other)
        capsys.readouterr()
        assert photos(folder).checksum() == before and cache.read_bytes() == content
        assert said in (out := capsys.readouterr().out) and bool(out) == bool(said)


def test_the_cache_of_any_folder_has_a_name_that_the_system_takes(photos, tmp_path):
    for name in ("x" * 250, "nul", "a:b.", "日本" * 40):
        photos(write_photos(tmp_path / name, 4))
    names = [file.name for file in (tmp_path / "cache").glob("*.images")]
    assert len(names) == 4 and all(re.fullmatch(r"[\w.-]{10,80}", name, re.ASCII) for name in names)


def test_a_user_without_a_home_is_asked_for_a_folder(photos, tmp_path, monkeypatch):
    def nowhere(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", nowhere)
    with pytest.raises(UserError, match=r"home directory\. Name a folder .* dataset\.cache_dir="):
        photos(write_photos(tmp_path / "in", 4))


def test_no_room_for_the_resized_images_is_one_sentence_and_leaves_none(photos, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"could not be written \(No space left on device\).*dataset.cache_dir="):
        photos(write_photos(tmp_path / "in", 6))
    assert not list((tmp_path / "cache").glob("*.tmp")) + list((tmp_path / "cache").glob("*.images"))


def test_images_on_the_disk_give_the_batches_of_those_in_memory(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    words = ("flip=true", "shift=2")
    here, there = photos(folder, *words), photos(folder, *words, "memory_limit_mb=0.001")
    assert isinstance(here.splits["train"].inputs, torch.Tensor)
    assert isinstance(there.splits["train"].inputs, OnDisk) and there.splits["train"].inputs.shape == (18, 8, 8, 3)
    assert here.checksum() == there.checksum() and (here.mean, here.std) == (there.mean, there.std)
    for epoch in (0, 1):
        for name in ("train", "val", "test"):
            loaders = [getattr(data, f"{name}_dataloader")() for data in (here, there)]
            for loader in loaders:
                loader.set_epoch(epoch)
            pairs = list(zip(*loaders, strict=True))
            assert pairs and all(torch.equal(a, b) for batches in pairs for a, b in zip(*batches, strict=True))


@pytest.mark.parametrize(("model", "limit"), (("cnn model.widths=[16,32]", 1000), ("mlp", 0)))
def test_photos_train_and_go_on_from_one_command(configure, tmp_path, model, limit):
    words = ("dataset=image_folder", f"data_dir={write_photos(tmp_path / 'in', 10)}", *f"model={model}".split())
    words += (f"dataset.cache_dir={tmp_path}/cache", f"dataset.memory_limit_mb={limit}")
    words += ("dataset.size=16", "dataset.batch_size=8", "scheduler=none")
    metrics = train(configure(*words, "trainer.max_epochs=10"))
    assert metrics["test/acc"] == 1 and list(metrics["test/acc_per_class"]) == ["blue", "green", "red"]
    _, contents = load_model(tmp_path / "run" / "best.ckpt")
    assert contents["class_names"] == ["blue", "green", "red"] and contents["input_shape"] == [3, 16, 16]
    assert len(contents["mean"]) == 3 and contents["columns"] is None
    new = write_photos(tmp_path / "new", 2, ["red"])
    found = evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(new))
    assert (found["acc"], found["examples"], found["acc_per_class"]["blue"]) == (1, 2, None)
    (new / "red").rename(new / "blue")
    mistakes = evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(new))["mistakes"]
    assert sorted(one["file"] for one in mistakes) == [str(new / "blue" / f"0{n}.png") for n in range(2)]
    elsewhere = ("dataset.memory_limit_mb=500", f"dataset.cache_dir={tmp_path}/elsewhere")
    assert train(configure(*words, *elsewhere, "trainer.max_epochs=11"))["epochs"] == 11
    draw("red", 99).save(tmp_path / "in" / "red" / "00.png")
    with pytest.raises(UserError, match="run on other data"):
        train(configure(*words, "trainer.max_epochs=12"))


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


def test_a_table_that_the_model_has_not_seen_is_measured_whole(learnt, mistake, tmp_path):
    new = write_rows(tmp_path / "new.csv", [["y", "extra", "kind", "x"], ["yes", 1, "a", 10.5], ["no", 2, "", 11.5]])
    words = (f"run={learnt}", f"data_dir={new}")
    assert "Data that the model has not seen is measured whole with split=all." in mistake("proj.evaluate", *words)
    write_rows(tmp_path / "other.csv", [*ROWS, [50, "a", "yes"]])
    sentence = mistake("proj.evaluate", f"run={learnt}", f"data_dir={tmp_path}/other.csv")
    assert "other columns or values than the training's: split=all" in sentence
    found = evaluate(learnt / "best.ckpt", split="all", data_dir=str(new))
    assert found["examples"] == 2 and found["confusion"] == [[0, 1], [0, 1]]
    for content, sentence in (
        ([["y", "kind"], ["yes", "a"]], "has no column 'x', which the model takes. Options: kind, y."),
        ([["x", "kind", "y"], [1, "a", "maybe"]], "has a class 'maybe', which the model does not know."),
        ([["x", "kind", "y"], [1, "a", ""]], "has no row with a class."),
    ):
        write_rows(new, content)
        assert sentence in mistake("proj.evaluate", *words, "split=all")


@refusals(
    ("dataset=image_folder dataset.size=0", "size=0 is not a number of pixels, such as 64, or [height,width]."),
    ("dataset=image_folder dataset.size=[64]", "dataset.size=[64] is not a number of pixels"),
    ("dataset=image_folder dataset.size=big", "dataset.size=big is not a number of pixels"),
    ("dataset=image_folder dataset.channels=4", "dataset.channels=4 is not 1 (grey) or 3 (colour)"),
    ("dataset=image_folder dataset.memory_limit_mb=-1", "memory_limit_mb=-1 is not a number, 0 or more"),
    ("dataset=csv dataset.max_categories=0", "max_categories=0 is not a whole number, 1 or more"),
    ("dataset=csv dataset.drop=id", "dataset.drop=id is not a list: type 'dataset.drop=[id]'."),
)
def test_a_setting_out_of_its_range_is_refused(configure, words, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        configure(*words.split())


def test_without_data_dir_the_sentence_asks_for_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for dataset, sentence in (("image_folder", "data_dir=path/to/photos"), ("csv", "data_dir=path/to/table.csv")):
        with pytest.raises(UserError, match=rf"data cannot be read \(No such file or directory\).* {sentence}"):
            make(dataset, "data_dir=data")  # what it is by default


def test_where_files_have_no_time_of_change_their_beginning_middle_and_end_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("proj.system.folders.WINDOWS", True)
    file, seen = tmp_path / "a.jpg", set()
    for place in (None, 0, 50_000, 99_999):
        content = bytearray(100_000)
        if place is not None:
            content[place] = 1
        file.write_bytes(content)
        os.utime(file, ns=(0, 0))
        seen.add(stamp(str(file), file.stat()))
    assert len(seen) == 4


def test_the_columns_are_named_where_no_target_is_though_one_of_them_is_a_number(tmp_path):
    (tmp_path / "t.csv").write_text("age,2019,y\n" + "1,2,p\n2,3,q\n" * 9)
    with pytest.raises(UserError, match=r"names no column yet. Options: 2019, age, y."):
        table(tmp_path / "t.csv", "target=null")
