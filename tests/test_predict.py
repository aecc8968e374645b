"""python -m proj.predict: what is said of images and tables."""

import codecs
import errno
import gc
import io
import json
import os
import shutil
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.pages import python_lines
from support.refusals import refusals
from support.runs import rewritten
from support.tables import numbers, read_rows

import proj.pictures.drawing
import proj.use.prediction
from proj.checkpoint.file import load_model
from proj.config.command_line import named_files
from proj.data.tables.table_file import read_table
from proj.errors import UserError
from proj.system.files import csv_text, write_output
from proj.use.ensemble import Ensemble
from proj.use.evaluation import open_data
from proj.use.export import export
from proj.use.inputs import read_tables
from proj.use.predicted import Predictions, csv_rows
from proj.use.prediction import find_files, predict


@pytest.fixture(scope="module")
def digits(digits):
    return digits / "best.ckpt"


@pytest.fixture(scope="module")
def iris(trained):
    return trained() / "best.ckpt"


@pytest.fixture(scope="module")
def photos(trained, tmp_path_factory):
    """A model of images that are no drawings: the tests' small ones are nearly black, so another mean is put in."""
    path = tmp_path_factory.mktemp("photos") / "best.ckpt"
    with rewritten(trained("dataset=cifar10", "model=mlp") / "best.ckpt", path) as checkpoint:
        checkpoint["proj"] |= {"mean": [0.5, 0.5, 0.4], "std": [0.25, 0.2, 0.25]}
    return path


def rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def expected(path, count: int):
    """(a datamodule's test images as they are, the network's probabilities for them)."""
    model, known = load_model(path, trust=["support"])
    data = open_data(known)
    x, _ = next(iter(data.test_dataloader()))
    with torch.inference_mode():
        return data.splits["test"].inputs[:count].numpy(), model(x).softmax(1)[:count], known


def shares(row: dict) -> list[float]:
    return list(row["probabilities"].values())


@pytest.mark.parametrize("model", ("digits", "photos"))
def test_an_image_as_the_training_has_it_gets_the_networks_own_probabilities(model, request, tmp_path):
    path = request.getfixturevalue(model)
    images, probabilities, known = expected(path, 5)
    for k, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(tmp_path / f"{k}.png")
    rows = predict(path, str(tmp_path), trust=["support"])
    assert len(rows) == len(images) == 5
    for k, row in enumerate(rows):
        assert row["input"] == str(tmp_path / f"{k}.png")
        assert shares(row) == pytest.approx(rounded(probabilities[k]), abs=2e-6)
        assert row["class"] == known["class_names"][probabilities[k].argmax()]
        assert row["probability"] == row["probabilities"][row["class"]]


@pytest.fixture
def reversed_iris(trained, tmp_path):
    """A checkpoint of another part of Iris, whose classes have their names in the other order."""
    with rewritten(trained("dataset.split_seed=1") / "best.ckpt", tmp_path / "reversed.ckpt") as checkpoint:
        checkpoint["proj"]["class_names"].reverse()
    return tmp_path / "reversed.ckpt"


def test_several_checkpoints_predict_by_the_mean_of_the_probabilities_of_each_class(
    iris, reversed_iris, tmp_path, capsys
):
    (tmp_path / "in.csv").write_text("5.1,3.5,1.4,0.2\n6.0,2.2,4.0,1.0\n")
    alone = [predict(path, str(tmp_path / "in.csv")) for path in (iris, reversed_iris)]
    capsys.readouterr()
    for first, second, row in zip(*alone, predict([iris, reversed_iris], str(tmp_path / "in.csv")), strict=True):
        means = {name: (share + second["probabilities"][name]) / 2 for name, share in first["probabilities"].items()}
        assert row["probabilities"] == pytest.approx(means, abs=2e-6) and [*row["probabilities"]] == [*means]
        assert row["class"] == max(means, key=means.get)
    assert capsys.readouterr().err.count("has no header") == 1


def test_several_checkpoints_decide_by_the_mean_of_their_costs(iris, reversed_iris, tmp_path):
    with rewritten(reversed_iris, tmp_path / "costs.ckpt") as checkpoint:
        checkpoint["proj"]["calibration"]["threshold"] = {"costs": [1.0, 1.0, 3.0]}
    ensemble = Ensemble([iris, tmp_path / "costs.ckpt"], (), torch.device("cpu"))
    assert ensemble.costs.tolist() == pytest.approx([(1 / 3 + 3 / 5) / 2, (1 / 3 + 1 / 5) / 2, (1 / 3 + 1 / 5) / 2])
    assert Ensemble([iris, reversed_iris], (), torch.device("cpu")).costs is None


def test_checkpoints_that_cannot_predict_together_are_one_sentence(iris, reversed_iris, digits, tmp_path):
    with rewritten(digits, tmp_path / "photos.ckpt") as checkpoint:
        checkpoint["proj"]["drawings"] = False
    (tmp_path / "in.csv").write_text("5.1,3.5,1.4,0.2\n")
    for paths, settings, sentence in (
        ([iris, digits], {}, "knows other classes than .*: name checkpoints that know the same"),
        ([digits, tmp_path / "photos.ckpt"], {}, "takes other inputs than .*: name checkpoints of one kind of data"),
        ([iris, reversed_iris], {"coverage": 0.9}, "coverage=… needs the scores of one checkpoint.* leave it out"),
        ([iris, reversed_iris], {"input": "-"}, "input=- can be read only once.* give a file"),
    ):
        with pytest.raises(UserError, match=sentence):
            predict(paths, **{"input": str(tmp_path / "in.csv"), **settings})


def test_checkpoints_are_named_by_a_pattern_or_between_commas(tmp_path, mistake):
    for name in ("0_lr=0.1,seed=1", "1_lr=0.1,seed=2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "best.ckpt").touch()
    both = [str(tmp_path / "0_lr=0.1,seed=1/best.ckpt"), str(tmp_path / "1_lr=0.1,seed=2/best.ckpt")]
    assert named_files(f"{tmp_path}/*/best.ckpt") == named_files(",".join(both)) == both
    assert named_files(f"{both[0]},{tmp_path}/*/best.ckpt") == both
    assert named_files("*/lost.ckpt") == ["*/lost.ckpt"]
    assert "there is no checkpoint lost.ckpt" in mistake("proj.predict", f"ckpt={both[0]},lost.ckpt", "input=x")


def test_a_pattern_finds_files_at_any_depth_but_no_pipe_and_none_that_systems_leave(tmp_path):
    for name in ("2.png", "folder.png/1.png", "__MACOSX/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "4.png")  # to open it never ends
    assert [Path(file).name for file in find_files(f"{tmp_path}/**/*.png")] == ["2.png", "1.png"]
    assert len(find_files(f"{tmp_path}/__MACOSX/*.png")) == 1
    (tmp_path / "x[1].png").touch()
    assert find_files(f"{tmp_path}/x[1].png") == [f"{tmp_path}/x[1].png"]


def test_ctrl_c_leaves_the_rows_of_what_was_done(iris, tmp_path, monkeypatch, capsys):
    (tmp_path / "in.csv").write_text("5.1,3.5,1.4,0.2\n" * 250)
    answers = iter([proj.use.ensemble.probabilities_of] * 2)

    def stopped(*args):
        if answer := next(answers, None):
            return answer(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(proj.use.ensemble, "probabilities_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        predict(iris, str(tmp_path / "in.csv"), output=str(tmp_path / "out.csv"))
    assert len(read_rows(tmp_path / "out_unfinished.csv")) == 200 and "stopped: " in capsys.readouterr().err


def test_dark_on_light_is_recognised_inverted_and_said(digits, tmp_path, capsys):
    image = expected(digits, 1)[0][0].squeeze()
    Image.fromarray(image).save(tmp_path / "a_light.png")
    Image.fromarray(255 - image).save(tmp_path / "b_dark.png")
    dark = Image.fromarray((230 - image * 0.8).astype(np.uint8))  # grey paper
    dark.save(tmp_path / "c_paper.png")
    dark.resize((400, 400), Image.Resampling.BICUBIC).convert("RGB").save(tmp_path / "d_large.jpg")
    light, dark, paper, large = predict(digits, str(tmp_path), show_line=print)
    lines = capsys.readouterr().out.splitlines()
    assert ["dark on light" in line for line in lines] == [False, True, True, True]
    assert shares(dark) == shares(light) and shares(paper) == pytest.approx(shares(light), abs=0.02)
    assert large["class"] == light["class"]
    (kept,) = predict(digits, str(tmp_path / "b_dark.png"), invert="false", show_line=print)
    assert shares(kept) != shares(dark) and "dark on light" not in capsys.readouterr().out
    predict(digits, str(tmp_path))
    expected_line = "3 images of 4 taken as dark on light and inverted; invert='false' leaves them"
    assert capsys.readouterr().out.splitlines() == [expected_line]  # in Python no line for each picture
    predict(digits, str(tmp_path), output=str(tmp_path / "x.csv"))
    assert expected_line not in capsys.readouterr().out  # the line on the file says so itself
    (forced,) = predict(digits, str(tmp_path / "a_light.png"), invert="true")
    assert shares(forced) == pytest.approx(shares(kept), abs=1e-6)


def test_a_photo_is_not_inverted_and_its_middle_is_taken(photos, tmp_path, capsys):
    images, probabilities, _ = expected(photos, 1)
    wide = np.full((32, 96, 3), 255, np.uint8)
    wide[:, 32:64] = images[0]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (row,) = predict(photos, str(tmp_path / "wide.png"), trust=["support"])
    assert shares(row) == pytest.approx(rounded(probabilities[0]), abs=2e-6)
    assert "dark on light" not in capsys.readouterr().out


def test_a_drawing_is_not_cut_off(digits, tmp_path):
    image = expected(digits, 1)[0][0].squeeze()
    wide = np.zeros((8, 24), np.uint8)
    wide[:, :8] = image  # would be lost with the middle third
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide * 0).save(tmp_path / "nothing.png")
    nothing, drawn = predict(digits, str(tmp_path))
    assert shares(nothing) != pytest.approx(shares(drawn), abs=0.01)


def test_what_is_no_image_is_named_and_skipped_and_the_rest_goes_on(digits, tmp_path, capsys, mistake):
    image = Image.fromarray(expected(digits, 1)[0][0].squeeze())
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    for name in ("a.png", "z.png", "below/b.png", ".hidden.png"):
        image.save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "empty.jpg").touch()
    sentence = mistake("proj.predict", f"ckpt={digits}", f"input={folder}", f"output={tmp_path}/new/x.jsonl")
    assert "skipped 2 of 5 files: " in sentence
    said = capsys.readouterr().err
    assert f"skipped {folder}/cut.png: no image" in said and f"skipped {folder}/empty.jpg: is empty" in said
    assert said.startswith("Files left out because they are not images: 1 .txt\n")
    named = mistake("proj.predict", f"ckpt={digits}", f"input={folder}/notes.txt")
    assert "skipped 1 of 1 file: " in named
    shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    mistake("proj.predict", f"ckpt={digits}", f"input={tmp_path}/packed.zip")
    assert f"skipped {tmp_path}/packed.zip: is an archive: unpack it, and name the folder" in capsys.readouterr().err
    named = mistake("proj.predict", f"ckpt={digits}", f"input={tmp_path}/packed")
    assert f"finds no file. Did you mean '{tmp_path}/packed.zip'?" in named
    rows = [json.loads(line) for line in (tmp_path / "new/x.jsonl").read_text().splitlines()]
    assert [row["input"] for row in rows] == [str(folder / name) for name in ("a.png", "below/b.png", "z.png")]


def test_of_several_tables_one_that_does_not_fit_is_named_and_skipped_and_the_rest_goes_on(
    iris, tmp_path, capsys, mistake
):
    row, folder = "5.1,3.5,1.4,0.2\n", tmp_path / "folder"
    folder.mkdir()
    for name, text in {"a": row, "b": "1,x,3,4\n", "c": "1,2\n", "d": "", "e": "x,y\n1,2\n", "z": row * 150}.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "gone.csv").symlink_to("nowhere")
    (folder / "header.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n")
    words = (f"ckpt={iris}", f"input={folder}", f"output={tmp_path}/out.csv")
    sentence = mistake("proj.predict", *words)
    assert "skipped 5 of 8 files: " in sentence and f"{folder}/gone.csv" in sentence
    said = capsys.readouterr().err
    assert all(f"skipped {folder}/{name}.csv" in said for name in ("b", "c", "d", "e", "gone"))
    assert f"\n{folder}/header.csv has no row below its header\n" in said
    names = [row["input"] for row in read_rows(tmp_path / "out.csv")]
    assert names == [f"{folder}/a.csv:1", *(f"{folder}/z.csv:{line}" for line in range(1, 151))]
    for name in "az":
        (folder / f"{name}.csv").unlink()
    mistake("proj.predict", *words)
    assert len(read_rows(tmp_path / "out.csv")) == 151  # nothing takes its place


def test_standard_input_is_an_image_or_a_table(digits, iris, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    Image.fromarray(expected(digits, 1)[0][0].squeeze()).save(buffer, "png")
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(buffer.getvalue())))
    (row,) = predict(digits, "-", show=str(tmp_path / "x.png"))
    assert row["input"] == "-" and shares(row) == pytest.approx(rounded(expected(digits, 1)[1][0]), abs=2e-6)
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(b"5.1,3.5,1.4,0.2\n")))
    (row,) = predict(iris, "-")
    assert row["input"] == "-:1" and row["probabilities"].keys() == {"setosa", "versicolor", "virginica"}


def test_more_images_than_a_batch_are_all_named(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("proj.use.prediction.BATCH", 3)
    images, probabilities, _ = expected(digits, 7)
    for k, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(tmp_path / f"{k}.png")
    rows = predict(digits, f"{tmp_path}/[0-9].png")
    assert [row["input"][-5] for row in rows] == list("0123456")
    assert shares(rows[6]) == pytest.approx(rounded(probabilities[6]), abs=2e-6)


def test_the_rows_of_a_table_are_called_by_a_column_that_the_user_names(iris, tmp_path, capsys):
    lines = ["flower,sepal_length,sepal_width,petal_length,petal_width", "007,5,3,1,0", ",6,3,5,2", '"=1,5",6,3,5,2']
    (tmp_path / "t.csv").write_text("\n".join(lines))
    rows = predict(iris, str(tmp_path / "t.csv"), id="flower", output=str(tmp_path / "out.csv"))
    assert [row["input"] for row in rows] == ["007", "", "=1,5"]
    assert [row["input"] for row in read_rows(tmp_path / "out.csv")] == ["007", "", "=1,5"]
    with pytest.raises(UserError, match=r"t\.csv has no column 'flwer' that names its rows\. Did you mean 'flower'"):
        predict(iris, str(tmp_path / "t.csv"), id="flwer")


def test_a_network_that_takes_more_than_the_columns_of_its_table_is_opened_but_reads_no_table(iris, tmp_path):
    path = tmp_path / "best.ckpt"
    with rewritten(iris, path) as checkpoint:  # as of a datamodule that adds a fourth input itself
        checkpoint["proj"]["columns"].pop()
    (tmp_path / "t.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n5,3,1,0\n")
    assert load_model(path)[1]["input_shape"] == [4]
    for read in (lambda: predict(path, str(tmp_path / "t.csv")), lambda: export(path)):
        with pytest.raises(UserError, match=r"make 3 inputs, and the network takes \[4\]\. .* with raw=false"):
            read()


def tensors() -> int:
    return sum(type(one) is torch.Tensor for one in gc.get_objects())


def test_a_large_table_takes_little_memory_a_row(tmp_path):
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 5000)
    examples = read_tables([str(tmp_path / "t.csv")], numbers("a"))
    before = tensors()
    next(examples)
    assert tensors() - before < 2000  # a row is made when it is its turn
    tracemalloc.start()
    rows, shares = Predictions(["no", "yes"], None), torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    for name in map(str, range(5000)):
        rows.add([name], shares.argmax(1), shares)
    assert tracemalloc.get_traced_memory()[0] < 200 * len(rows)
    tracemalloc.stop()
    assert rows[-1] == {
        "input": "4999",
        "class": "yes",
        "probability": 0.75,
        "probabilities": {"no": 0.25, "yes": 0.75},
    }


def test_predictions_can_be_cut_like_a_list():
    rows = Predictions(["no", "yes"], None)
    rows.add(["a", "b", "c"], torch.tensor([1, 0, 1]), torch.full((3, 2), 0.5, dtype=torch.float64))
    assert [row["input"] for row in rows[1:]] == ["b", "c"] and rows[:2] == [rows[0], rows[1]] and not rows[5:]


def test_the_output_holds_every_classs_probability_as_csv_or_json_lines(digits, tmp_path, capsys):
    Image.fromarray(expected(digits, 1)[0][0].squeeze()).save(tmp_path / "a, b.png")
    (row,) = predict(digits, str(tmp_path / "a, b.png"), output=str(tmp_path / "x.csv"), show_line=print)
    best = sorted(row["probabilities"].items(), key=lambda one: -one[1])[:3]
    assert capsys.readouterr().out == f"{tmp_path / 'x.csv'} (1 in all): {row['class']} 1\n"
    predict(digits, str(tmp_path / "a, b.png"), show_line=print)
    line = capsys.readouterr().out.splitlines()[0]
    assert line.split("  ")[1:] == [f"{name} {share:.1%}" for name, share in best]
    (read,) = read_rows(tmp_path / "x.csv")
    assert read["input"].endswith("a, b.png") and read["class"] == row["class"]
    assert {name: float(read[name]) for name in "0123456789"} == row["probabilities"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_csv_file_is_utf_8_without_a_mark_and_one_with_a_mark_is_read_the_same(tmp_path):
    write_output(tmp_path / "x.csv", csv_text([["ä", "b"], ["1", "é"]]))
    content = (tmp_path / "x.csv").read_bytes()
    assert content == "ä,b\r\n1,é\r\n".encode()
    tables = [read_table(io.BytesIO(mark + content), "x.csv") for mark in (b"", codecs.BOM_UTF8)]
    for table in tables:
        table.take_header(True)
    assert tables[0].names == tables[1].names == ["ä", "b"]


def test_a_class_that_is_called_as_a_column_of_the_output_has_a_column_of_its_own():
    row = {"input": "x.png", "class": "input", "probability": 0.7, "probabilities": {"input": 0.7, "class": 0.3}}
    assert csv_rows([row]).splitlines()[0] == "input,class,probability,p(input),p(class)"


def test_the_picture_shows_each_image_with_its_prediction(digits, tmp_path, monkeypatch, capsys, calls_of):
    monkeypatch.chdir(tmp_path)
    for k, image in enumerate(expected(digits, 3)[0]):
        Image.fromarray(image.squeeze()).resize((50 + k, 50)).save(f"{k}.png")
    drawn = calls_of(proj.pictures.drawing, "grid")
    rows = predict(digits, "?.png", show=True)
    ((images, captions),) = drawn
    assert [image.size for image in images] == [(50, 50), (51, 50), (52, 50)]
    assert [first.split()[0] for first, _ in captions] == [row["class"] for row in rows]
    assert [second for _, second in captions] == ["0.png", "1.png", "2.png"]
    assert Image.open("predictions.png").width > 300 and "predictions.png" in capsys.readouterr().out


@pytest.fixture(scope="module")
def flowers(iris):
    """(cells of six test flowers as text, the network's probabilities)."""
    model, known = load_model(iris)
    x = open_data(known).splits["test"].inputs[:6]
    raw = x * torch.tensor([c["std"] for c in known["columns"]]) + torch.tensor([c["mean"] for c in known["columns"]])
    with torch.inference_mode():
        return [[f"{value:.1f}" for value in row] for row in raw.tolist()], model(x).softmax(1)


@pytest.mark.parametrize(
    ("header", "order", "separator"),
    (
        ("", (0, 1, 2, 3), ","),
        ("sepal_length|sepal_width|petal_length|petal_width", (0, 1, 2, 3), ","),
        ("petal width (cm)|species|petal length (cm)|sepal length (cm)|sepal width (cm)", (3, None, 2, 0, 1), ";"),
        ("Id|SepalLengthCm|SepalWidthCm|PetalLengthCm|PetalWidthCm|Species", (None, 0, 1, 2, 3, None), "\t"),
    ),
)
def test_a_table_is_read_with_and_without_a_header_in_any_order(iris, flowers, tmp_path, header, order, separator):
    cells, probabilities = flowers
    lines = [[("Iris-x" if k is None else row[k]) for k in order] for row in cells]
    text = "\n".join(separator.join(line) for line in ([header.split("|")] if header else []) + lines)
    (tmp_path / "flowers.csv").write_text("\ufeff" + text + "\n\n", encoding="utf-8")
    rows = predict(iris, str(tmp_path / "flowers.csv"))
    assert len(rows) == 6 and rows[0]["input"].endswith("flowers.csv:2" if header else "flowers.csv:1")
    for row, probability in zip(rows, probabilities, strict=True):
        assert shares(row) == pytest.approx(probability.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    (
        (b"", "is empty"),
        (b"1,2,3\n", "row 1 has 3 values for 4 columns: sepal_length"),
        (b"1,2,3,x\n", "row 1, column petal_width: 'x' is no number"),
        (b"sepal_length,sepal_width,petal_length,petal_width\n1,2,3,x\n", "row 2, column petal_width: 'x' is no"),
        (b"sepal_length,sepal_width,petal_length\n1,2,3\n", "has no column petal_width; it has sepal_length"),
        (b"1,2,3,4\n1,2\n", "different numbers of values"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is no CSV file but a picture"),
        (b"sepal_length,sepal_width,petal_length,petal_width\n", "has no row below its header"),
    ),
)
def test_a_table_that_does_not_fit_is_one_sentence(iris, tmp_path, mistake, content, sentence):
    (tmp_path / "table.csv").write_bytes(content)
    found = mistake("proj.predict", f"ckpt={iris}", f"input={tmp_path}/table.csv")
    assert sentence in found and "table.csv" in found


@pytest.mark.parametrize(
    ("names", "text", "found"),
    (
        ("column 0|column 2", "1,a,2,yes\n", [1, 2]),  # the other columns of the training's table
        ("column 0|column 2", "1,2\n", [1, 2]),
        ("age|Port no.|column 2", "Age,PORT_NO,,age\n1,2,3,4\n", [4, 2, 3]),  # its own name before one alike
        ("Größe|age", "AGE,GRÖSSE\n2,1\n", [1, 2]),
        ("temp (min)|temp (max)", "temp (max),temp (min)\n2,1\n", [1, 2]),  # told apart by their brackets
    ),
)
def test_the_columns_of_the_training_are_found_by_place_or_name(tmp_path, names, text, found):
    (tmp_path / "t.csv").write_text(text)
    (one,) = read_tables([str(tmp_path / "t.csv")], numbers(*names.split("|")))
    assert one[1].tolist() == found


def test_a_table_without_the_names_that_the_model_knows_says_in_which_order_it_is_read(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("1,2\n")
    list(read_tables([str(tmp_path / "t.csv")], numbers("width", "height")))
    assert "t.csv has no header: its columns are taken for width, height, in this order" in capsys.readouterr().err


@pytest.mark.parametrize(("first", "said"), ((0, False), (1, True)))
def test_where_a_column_may_be_away_without_a_header_it_is_said_which_ones_are_taken(tmp_path, capsys, first, said):
    (tmp_path / "t.csv").write_text("1,2,3,4\n")
    list(read_tables([str(tmp_path / "t.csv")], numbers(f"column {first}", f"column {first + 1}")))
    assert ("has no header: column 1, column 2 are taken, counted from 0" in capsys.readouterr().err) == said


@pytest.mark.parametrize(
    ("names", "header", "sentence"),
    (
        ("length (cm)|width", "length (mm)|width", r"has no column length \(cm\)"),  # other units
        ("a|Port", "Port.|port|a", "has no column Port; it has Port., port, a"),  # two that could be meant
        ("2010|2011", "2010|2012", "has no column 2011"),
        ("a|b", "a|b|b", "has two columns 'b'"),
        ("%|$", "%|#", r"has no column \$"),
    ),
)
def test_a_column_that_could_be_another_is_refused(tmp_path, names, header, sentence):
    (tmp_path / "t.csv").write_text(f"{header.replace('|', ',')}\n{','.join('1' for _ in header.split('|'))}\n")
    with pytest.raises(UserError, match=sentence):
        list(read_tables([str(tmp_path / "t.csv")], numbers(*names.split("|"))))


@refusals(
    (("ckpt={digits}",), "name what to look at: input="),
    (("ckpt={digits}", "input=nowhere.png"), "input=nowhere.png finds no file"),
    (("ckpt={digits}", "input={empty}"), "finds no image"),
    (("ckpt={iris}", "input={empty}"), "finds no table"),
    (("ckpt=nowhere.ckpt", "input=x"), "there is no checkpoint nowhere.ckpt"),
    (("ckpt={digits}", "input={digits}"), "skipped 1 of 1 file: "),
    (("ckpt={digits}", "input=x", "output=x.txt"), "output=x.txt should end in .csv or .jsonl"),
    (("ckpt={digits}", "input=x", "show=x.jpg"), "show=x.jpg should be true, or end in .png"),
    (("ckpt={iris}", "input=x", "show=true"), "this model takes a table"),
    (("ckpt={digits}", "input=x", "sheet=x"), "sheet=…, encoding=… and id=… are for tables, and this model takes"),
    (("ckpt={digits}", "input=x", "id=x"), "sheet=…, encoding=… and id=… are for tables"),
    (("ckpt={digits}", "input=x", "invert=maybe"), "invert=maybe does not exist. Options: auto, false, true."),
)
def test_a_mistake_is_one_sentence(digits, iris, tmp_path, mistake, words, sentence):
    words = [word.format(digits=digits, iris=iris, empty=tmp_path) for word in words]
    assert sentence in mistake("proj.predict", *words)


def test_a_table_or_a_folder_that_cannot_be_read_is_one_sentence(iris, tmp_path, monkeypatch):
    (tmp_path / "gone.csv").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"gone\.csv cannot be read \(No such file or directory\)"):
        predict(iris, str(tmp_path / "gone.csv"))

    def refuse(folder, *_):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr("proj.use.inputs.files_in", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        predict(iris, str(tmp_path))


def test_no_output_takes_the_place_of_an_input(digits, iris, tmp_path, mistake):
    (tmp_path / "t.csv").write_text("1,2,3,4\n")
    Image.new("L", (8, 8)).save(tmp_path / "p.png")
    for checkpoint, file, word in ((iris, "t.csv", "output"), (digits, "p.png", "show")):
        before = (tmp_path / file).read_bytes()
        for place in (tmp_path, tmp_path / "missing" / ".."):  # it would be made, and lead to the input
            said = mistake("proj.predict", f"ckpt={checkpoint}", f"input={tmp_path}/{file}", f"{word}={place}/{file}")
            assert "is one of the inputs, which it would overwrite" in said and (tmp_path / file).read_bytes() == before


@pytest.mark.parametrize("name", ("data.csv", "notes.jsonl", "photo.png"))
def test_a_file_that_predict_has_not_written_is_not_replaced(digits, tmp_path, name):
    Image.new("L", (8, 8)).save(tmp_path / "p.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    (tmp_path / "data.csv").write_text("age,churn\n1,yes\n")
    (tmp_path / "notes.jsonl").write_text('{"note": 1}\n')
    before, option = (tmp_path / name).read_bytes(), "show" if name == "photo.png" else "output"
    with pytest.raises(UserError, match=rf"{option}=.*{name} exists, and holds no predictions: name another file"):
        predict(digits, str(tmp_path / "p.png"), **{option: str(tmp_path / name)})
    assert (tmp_path / name).read_bytes() == before
    for _ in range(2):  # its own file of a command before is replaced
        predict(digits, str(tmp_path / "p.png"), **{option: str(tmp_path / f"new_{name}")})


def test_nothing_is_written_where_the_next_prediction_would_take_it_for_an_input(digits, iris, tmp_path, mistake):
    (tmp_path / "t.csv").write_text("1,2,3,4\n")
    Image.new("L", (8, 8)).save(tmp_path / "p.png")
    for checkpoint, word, file in ((iris, "output", "a.csv"), (digits, "show", "b.png")):
        for folder in (tmp_path, tmp_path / "new"):
            said = mistake("proj.predict", f"ckpt={checkpoint}", f"input={tmp_path}", f"{word}={folder}/{file}")
            assert f"{word}={folder}/{file} lies in {tmp_path}: the next run would read it. Name another" in said
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["p.png", "t.csv"]
    assert predict(digits, str(tmp_path), output=f"{tmp_path}/a.csv")  # which is no image
    (tmp_path / "a.csv").unlink()
    assert predict(iris, str(tmp_path), output=f"{tmp_path}/a.jsonl")  # which is no table
    assert predict(iris, f"{tmp_path}/t.csv", output=f"{tmp_path}/b.csv")


def test_a_table_whose_datamodule_says_nothing_of_its_columns_is_one_sentence(iris, tmp_path):
    with rewritten(iris, tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["columns"] = None
    (tmp_path / "x.csv").write_text("1,2,3,4\n")
    with pytest.raises(UserError, match="sets no columns"):
        predict(tmp_path / "x.ckpt", str(tmp_path / "x.csv"))


def test_where_nothing_can_be_written_is_said_before_anything_is_read(trained, tmp_path, mistake, monkeypatch):
    monkeypatch.setattr(proj.use.prediction, "classified", None)
    (tmp_path / "rows.csv").write_text("1,2,3,4\n")
    (tmp_path / "folder.csv").mkdir()
    for place, why in (("folder.csv", "it is a folder"), ("rows.csv/x.csv", "rows.csv is a file")):
        words = (f"run={trained()}", f"input={tmp_path}/rows.csv", f"output={tmp_path}/{place}")
        said = mistake("proj.predict", *words)
        assert f"{place} could not be written (" in said and f"{why}): name another place, output=" in said


def test_the_pages_lines_classify_a_photo_in_python_as_the_command_does(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((50, 40), 60).save("photo.jpg")
    for place in (None, 3, 7):  # a threshold that chooses this class
        with rewritten(digits, Path("best.ckpt")) as checkpoint:
            costs = [1.0 if place == index else 1e-9 for index in range(10)]
            checkpoint["proj"]["calibration"] |= {"threshold": place and {"asked": "{}", "costs": costs}}
        exec(python_lines("for row in predict"), found := {})
        exec(python_lines("facts.read_image"), found)
        row = found["row"]
        assert found["probabilities"][0].tolist() == pytest.approx([*row["probabilities"].values()], abs=1e-6)
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"{row['class']} ")
