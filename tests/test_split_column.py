"""`dataset.split`: a column that says of each row, or of each photo that the table lists, to which set it belongs."""

from pathlib import Path

import pytest
from support.photos import draw, save_all
from support.refusals import refusals
from support.runs import make
from support.tables import write_rows

from proj.config.compose import configure
from proj.errors import UserError
from proj.training.run import train
from proj.use.evaluation import evaluate

SETS = ["train"] * 60 + ["val"] * 20 + ["test"] * 20


def table(file: Path, sets, classes="pq") -> Path:
    """Write a row for each of `sets`; the column `a` counts the rows."""
    rows = [[i, i * i % 37 / 10, name, classes[i % len(classes)]] for i, name in enumerate(sets)]
    return write_rows(file, [["a", "x", "set", "y"], *rows])


def load(data_dir: Path, *words: str, **more):
    return make("csv", f"data_dir={data_dir}", "target=y", "batch_size=8", "drop=[a]", "split=set", *words, **more)


def rows_of(data) -> dict[str, list[int]]:
    """The rows in each part, counted from 0."""
    return {part: [int(line) - 2 for line in lines] for part, lines in data.numbers.items()}


@pytest.mark.parametrize("words", ("train val test", "Training dev TestSet", "trainval valid testing"))
@pytest.mark.parametrize("column", ("set", "2"))
def test_the_sets_of_a_table_are_those_that_its_column_names(tmp_path, words, column):
    spelled = dict(zip(("train", "val", "test"), words.split(), strict=True))
    file = table(tmp_path / "t.csv", [spelled[name] for name in SETS])
    data = load(file, f"split={column}")
    wanted = {name: [row for row, its in enumerate(SETS) if its == name] for name in spelled}
    assert rows_of(data) == wanted
    assert [one.name for one in data.columns] == ["x"]  # the column is no input
    assert rows_of(load(file, f"split={column}", facts=data.facts)) == wanted  # as resume and evaluate do


def test_a_set_that_the_column_does_not_name_is_drawn_from_the_training_rows_or_is_the_last_of_them(tmp_path):
    file = table(tmp_path / "t.csv", ["test"] * 20 + ["train"] * 80)
    drawn, ordered = load(file), load(file, "drop=[]", "order=a")
    for data in (drawn, ordered):
        assert rows_of(data)["test"] == [*range(20)] and len(rows_of(data)["val"]) == 12
    assert rows_of(ordered)["val"] == [*range(88, 100)] != rows_of(drawn)["val"]


def test_means_and_words_are_those_of_the_training_rows_and_the_other_sets_are_compared_with_these(tmp_path, capsys):
    rows = [[f"k{name}", row * row % 37 + (name != "train"), name, "pq"[row % 2]] for row, name in enumerate(SETS)]
    write_rows(tmp_path / "t.csv", [["place", "x", "set", "y"], *rows])
    data = load(tmp_path / "t.csv", "drop=[]", "categorical=[place]")
    assert data.columns[0].categories == ["ktrain"]
    assert data.columns[1].mean == pytest.approx(sum(row * row % 37 for row in range(60)) / 60)
    assert "set=test: column place: none of its words ('ktest') is one of the training's" in capsys.readouterr().out


def test_a_class_that_the_training_rows_lack_is_left_out(tmp_path, capsys):
    assert load(table(tmp_path / "t.csv", SETS, ["p", "q"] * 48 + [*"pqss"])).class_names == ["p", "q"]
    assert "left out, 2 rows of a class that the training does not have: s (2)" in capsys.readouterr().out


@refusals(
    (["train", "test", "fold 3"], r"line 4 has no train, val or test in set \('fold 3'\), .* fill it in, or delete su"),
    (["train", "", "", ""], r"line 3 has no train, val or test in set \(like 2 more rows\), which is needed to split"),
    (["test", "val"] * 9, r"no row of .*t\.csv has train in set: name another column, dataset\.split="),
)
def test_a_column_that_does_not_name_the_set_of_each_row_is_one_sentence(tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        load(table(tmp_path / "t.csv", words))


def test_what_would_split_the_rows_once_more_is_refused(tmp_path):
    file = table(tmp_path / "t.csv", SETS)
    for word in ("folds=3", "test_fraction=0.3"):
        with pytest.raises(UserError, match=rf"dataset.{word[:4]}\w+ has no effect, since set=test is the test part"):
            load(file, word, "fold=0")
    with pytest.raises(UserError, match=r"dataset.order=a has no effect, since test and val are given"):
        load(file, "drop=[]", "order=a")
    with pytest.raises(UserError, match=r"the group 0\.\d is in both set=test and the training"):
        load(file, "group=x")
    (tmp_path / "in").mkdir()
    for part in ("train", "test"):
        table(tmp_path / f"in/{part}.csv", SETS)
    with pytest.raises(UserError, match=r"test\.csv is the test part, and dataset.split=set would split its rows"):
        load(tmp_path / "in")


def test_a_run_is_evaluated_on_the_set_that_the_column_names(tmp_path):
    named = ["dataset=csv", f"data_dir={table(tmp_path / 't.csv', SETS)}", "dataset.target=y", "dataset.split=set"]
    metrics = train(configure(*named, f"hydra.run.dir={tmp_path}/run", "trainer.max_epochs=1", "~callbacks.progress"))
    measured = evaluate(tmp_path / "run/best.ckpt")
    assert metrics["test_examples"] == measured["examples"] == 20 and measured["acc"] == metrics["test/acc"]


COLOURS = ("red", "blue", "green")


@pytest.fixture
def folder(tmp_path):
    """in/ with 30 photos, 00.png to 29.png, every third of the same colour; the last ten are listed as tested."""
    save_all(tmp_path / "in", {f"{number:02}.png": draw(COLOURS[number % 3], number) for number in range(30)})
    sets = ["train"] * 20 + ["Test"] * 10
    listed = [[f"{number:02}.png", COLOURS[number % 3], its, number // 2] for number, its in enumerate(sets)]
    write_rows(tmp_path / "in/labels.csv", [["image", "label", "set", "patient_id"], *listed])
    return tmp_path / "in"


WORDS = ("labels=labels.csv", "target=label", "split=set")


def test_the_sets_of_photos_are_those_that_the_list_names_whatever_their_folders_are_called(photos, folder, capsys):
    data = photos(folder, *WORDS)
    tested = sorted(data.example("test", place) for place in range(len(data.splits["test"].targets)))
    assert tested == [f"{number:02}.png" for number in range(20, 30)]
    assert {part: len(split.targets) for part, split in data.splits.items()} == {"train": 17, "val": 3, "test": 10}
    assert "dataset.group" not in capsys.readouterr().out  # of the photos' patients, which the list has divided
    (folder / "test").mkdir()
    for number in range(20):
        (folder / f"{number:02}.png").rename(folder / f"test/{number:02}.png")
    again = photos(folder, *WORDS)
    assert [len(split.targets) for split in again.splits.values()] == [17, 3, 10]


def test_a_photo_that_the_list_names_in_two_sets_is_refused_and_a_column_without_a_list(photos, folder, configure):
    with open(folder / "labels.csv", "a") as file:
        file.write("00.png,red,test,0\n")
    with pytest.raises(UserError, match=r"lines 2 and 32 give 00\.png both train and test as its set, .* one set"):
        photos(folder, *WORDS)
    with pytest.raises(UserError, match=r"dataset.split=set is a column of the table dataset.labels="):
        train(configure("dataset=image_folder", f"data_dir={folder}", "dataset.split=set"))
