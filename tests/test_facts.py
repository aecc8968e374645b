"""What goes into a network is the same in training, evaluate, predict and the exported file."""

import functools
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from support.evaluations import evaluate
from support.pages import python_lines
from support.runs import rewritten
from support.tables import encode, write_rows

from proj.checkpoint.file import load_checkpoint, load_model
from proj.data.facts import FORMAT, Facts
from proj.data.tables.answers import AnswerColumn
from proj.data.tables.date_column import DateColumn
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.texts import TextColumn
from proj.data.tables.word_column import WordColumn
from proj.errors import UserError
from proj.models.logits import calibrated_logits
from proj.training.run import train
from proj.use.evaluation import open_data
from proj.use.export import export
from proj.use.prediction import predict

FORMATS = {  # of each mode, and what it is saved with
    "L": ("png", "jpg", "bmp", "tif"),
    "RGB": ("png", "jpg", "webp", "bmp"),
    "RGBA": ("png", "webp"),
    "P": ("png", "gif"),
    "LA": ("png",),
    "I;16": ("png", "tif"),
    "CMYK": ("jpg", "tif"),
    "1": ("png",),
    "F": ("tif",),
}


def write_raw_images(folder: Path, names: list[str], count: int, largest: int) -> None:
    """Blots on noise, dark on light or light on dark, of many sizes, modes, formats and orientations."""
    random = np.random.default_rng(count)
    for name in names:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        height, width = random.integers(3, largest, 2)
        if number % 10 == 0:
            height, width = height * 8, width  # a large or a long one
        dark, light = sorted(random.integers(0, 256, (2, 3)).tolist(), key=sum)
        pixels = np.zeros((height, width, 3)) + (light if number % 3 else dark)
        top, left = height // 4, width // 4
        pixels[top : top * 3, left : left * 3] = dark if number % 3 else light
        pixels += random.normal(0, 12, pixels.shape)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        mode = list(FORMATS)[number % len(FORMATS)]
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        elif mode == "F":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.float32) / 255)
        elif mode in ("RGBA", "LA"):
            image = image.convert(mode)
            alpha = (random.random((height, width)) * 300).clip(0, 255).astype(np.uint8)
            image.putalpha(Image.fromarray(alpha))
        else:
            image = image.convert(mode)
        exif = Image.Exif()
        exif[0x0112] = int(random.integers(1, 9))
        ending = FORMATS[mode][number // len(FORMATS) % len(FORMATS[mode])]
        settings = {"exif": exif} if ending in ("png", "jpg", "webp", "tif") else {}
        image.save(folder / names[number % len(names)] / f"{number}.{ending}", **settings)


@pytest.fixture
def seen(monkeypatch):
    """seen(function, *words) -> the logits that a network gives in it, by their order."""

    def seen(function, *words, **more) -> torch.Tensor:
        logits = []

        def load(path, trust=TRUST):
            model, known = load_model(path, TRUST)
            model.register_forward_hook(lambda module, inputs, output: logits.append(output.detach().float().cpu()))
            return model, known

        with monkeypatch.context() as patch:
            patch.setattr("proj.checkpoint.file.load_model", load)
            result = function(*words, **more)
        return result, torch.cat(logits)

    return seen


@pytest.fixture(scope="module")
def recipe():
    """recipe(onnx file, image file) -> (logits, class) as the lines of docs/checkpoints.md find them."""
    session = functools.cache(onnxruntime.InferenceSession)

    def recipe(onnx: Path, file: str) -> tuple[torch.Tensor, str]:
        printed = []
        lines = python_lines("onnxruntime").replace("onnxruntime.InferenceSession(", "open_session(")
        lines = lines.replace('"best.onnx"', repr(str(onnx))).replace('"cat.png"', repr(str(file)))
        names = {"open_session": session, "print": printed.append}
        exec(lines, names)
        return torch.from_numpy(names["logits"][0]), printed[0]

    return recipe


def agree(one: torch.Tensor, other: torch.Tensor) -> None:
    assert one.shape == other.shape and (one - other).abs().max() < 1e-4
    assert torch.equal(one.argmax(1), other.argmax(1))


def calibrated(path: Path, logits: torch.Tensor) -> torch.Tensor:
    """The logits of predict and of exported files, of those that evaluate measures as the training did."""
    model, _ = load_model(path, TRUST)
    return calibrated_logits(logits, model.temperature, model.smoothing)


TRUST = ("support",)  # whose class reads the tests' CIFAR-10
LARGER = pytest.param("cifar10", 120, marks=pytest.mark.slow)  # of no drawings, and also larger images


def compare_images(path: Path, folder: Path, tmp_path: Path, seen, recipe, **words) -> tuple[dict, int]:
    """(The logits of each file, the same by evaluate, predict and the exported file; the number of files)."""
    whole = {"split": "all", "data_dir": str(folder), "output": str(tmp_path / "e")}
    measured, evaluated = seen(evaluate, path, trust=TRUST, **whole, **words)
    data = open_data(load_model(path, TRUST)[1], words.get("dataset", ""), str(folder), everything=True)
    evaluated = {data.file_of("test", k): logits for k, logits in enumerate(calibrated(path, evaluated))}
    rows, predicted = seen(predict, path, str(folder), trust=TRUST, show_line=print)
    assert len(rows) == len(evaluated) == measured["examples"]
    agree(predicted, torch.stack([evaluated[row["input"]] for row in rows]))
    onnx = export(path, normalize=True, output=str(tmp_path / "best.onnx"), trust=TRUST)
    found = [recipe(onnx, row["input"]) for row in rows]
    agree(predicted, torch.stack([logits for logits, _ in found]))
    assert [name for _, name in found] == [row["class"] for row in rows]
    return evaluated, len(rows)


@pytest.mark.parametrize(("dataset", "count"), (("digits", 36), LARGER))
def test_a_raw_image_is_the_same_input_everywhere(trained, tmp_path, monkeypatch, seen, recipe, capsys, dataset, count):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = trained(f"dataset={dataset}", "model=mlp") / "best.ckpt"
    names = load_model(path, TRUST)[1]["class_names"][-4:]
    write_raw_images(tmp_path / "raw", names, count, 60 if count < 100 else 300)
    capsys.readouterr()
    compare_images(path, tmp_path / "raw", tmp_path, seen, recipe, dataset="image_folder")
    inverted = capsys.readouterr().out.count("(dark on light: inverted)")
    assert (inverted == 0) == (dataset == "cifar10") and inverted < count


def test_a_file_of_ones_own_is_the_input_that_the_training_saw(configure, tmp_path, seen, recipe):
    write_raw_images(tmp_path / "raw", ["left", "right"], 36, 60)
    data = ("dataset=image_folder", f"data_dir={tmp_path}/raw", f"dataset.cache_dir={tmp_path}/cache")
    data += ("dataset.channels=3", "dataset.size=[12,16]")
    short = ("dataset.batch_size=16", "model=mlp", "trainer.max_epochs=1", "trainer.precision=32-true")
    train(configure(*data, *short))
    path = tmp_path / "run" / "best.ckpt"
    with rewritten(path) as checkpoint:
        checkpoint["proj"]["calibration"]["threshold"] = {"asked": "f1", "costs": [1e-6, 1.0]}  # right in all files
    model, known = load_model(path)
    found, examples = compare_images(path, tmp_path / "raw", tmp_path, seen, recipe)
    data, trained = open_data(known), {}
    with torch.inference_mode():
        for split in ("train", "val", "test"):
            logits = torch.cat([model(x) for x, _ in data._loader(split)])
            trained |= {data.file_of(split, k): each for k, each in enumerate(logits)}
    assert len(trained) == examples == 36
    agree(torch.stack([trained[file] for file in found]), torch.stack([*found.values()]))


@pytest.mark.parametrize("words", (True, False))
def test_a_raw_row_is_the_same_input_everywhere(configure, tmp_path, seen, words):
    """Numbers small and large, missing ones, words."""
    random = np.random.default_rng(0)
    names = ["age", "time", "port", "rate", "lived"] if words else ["age", "time", "rate", "lived"]
    rows = []
    for k in range(45):
        cells = {
            "age": random.choice(["", "NA", f"{random.normal(40, 12):.1f}", f"{random.normal(40, 12):.3e}"]),
            "time": f"{1.7e9 + random.integers(0, 5000)}",
            "port": random.choice(["C", "Q", "S", "?"]),
            "rate": f"{random.normal(0, 1e-6):.3g}",
            "lived": ("no", "yes")[k % 2],
        }
        rows.append([cells[name] for name in names])
    write_rows(tmp_path / "t.csv", [names, *rows])
    write_rows(tmp_path / "new.csv", [row[::-1] for row in [names, *rows]])
    settings = ("dataset.target=lived", f"data_dir={tmp_path}/t.csv", "dataset.batch_size=8", "trainer.max_epochs=2")
    train(configure("dataset=csv", *settings, "trainer.precision=32-true"))
    path = tmp_path / "run" / "best.ckpt"
    model, known = load_model(path)
    made, predicted = seen(predict, path, str(tmp_path / "new.csv"))
    assert len(made) == 45
    whole = {"split": "all", "data_dir": str(tmp_path / "new.csv"), "output": str(tmp_path / "e")}
    _, evaluated = seen(evaluate, path, **whole, importance=False)
    agree(predicted, calibrated(path, evaluated))
    with torch.inference_mode():
        trained = torch.cat([model(split.inputs) for split in open_data(known).splits.values()])
    given, found = ({tuple(row.round(decimals=3).tolist()) for row in logits} for logits in (trained, predicted))
    assert len(given ^ found) <= 2  # but for those that are rounded up in one of them and down in the other
    onnx = export(path, normalize=not words, raw=False, output=str(tmp_path / "best.onnx"))
    session = onnxruntime.InferenceSession(onnx)
    columns = json.loads(session.get_modelmeta().custom_metadata_map["columns"])
    cells = [[row[names.index(column["name"])] for column in columns] for row in rows]
    if words:  # as docs/checkpoints.md says how
        x = encode(cells, columns).numpy()
    else:
        kind = {"tensor(float)": np.float32, "tensor(double)": np.float64}[session.get_inputs()[0].type]
        x = np.array([[float(cell) if cell not in ("", "NA") else np.nan for cell in row] for row in cells], kind)
    agree(torch.from_numpy(session.run(None, {"input": x})[0]), predicted)


def test_a_checkpoint_carries_the_facts_of_its_datamodule(digits, trained):
    _, known = load_model(digits / "best.ckpt")
    facts, data = Facts.from_dict(known), open_data(known)
    assert facts == data.facts and facts.kind == "image" and facts.drawings and known["format"] == FORMAT
    assert not Facts.from_dict(load_model(trained() / "best.ckpt")[1]).drawings


@pytest.mark.parametrize("dataset", ("mnist", "cifar10", "digits"))
def test_a_checkpoint_from_before_the_facts_has_them_from_its_configuration(trained, dataset):
    _, known = load_model(trained(f"dataset={dataset}", "model=mlp") / "best.ckpt", TRUST)
    old = {name: value for name, value in known.items() if name not in ("format", "kind", "drawings")}
    assert Facts.from_dict(old) == Facts.from_dict(known) and Facts.from_dict(old).drawings == (dataset != "cifar10")


@pytest.mark.parametrize(("source", "drawings"), (("KMNIST", True), ("CIFAR10", False)))
def test_of_torchvisions_classes_mnists_family_are_drawings(load, source, drawings):
    target = "support.classes.CIFAR10" if source == "CIFAR10" else f"torchvision.datasets.{source}"
    assert load("mnist", f"dataset.source._target_={target}").facts.drawings == drawings


def test_a_checkpoint_of_a_newer_format_is_refused(trained, tmp_path):
    with rewritten(trained() / "best.ckpt", tmp_path / "new.ckpt") as checkpoint:
        checkpoint["proj"]["format"] = FORMAT + 1
    for read in (load_checkpoint, load_model, evaluate):
        with pytest.raises(UserError, match=r"new.ckpt was written by a newer version of proj .*: update proj.$"):
            read(tmp_path / "new.ckpt")
    with rewritten(tmp_path / "new.ckpt") as checkpoint:
        checkpoint["proj"]["format"] = "2"
    with pytest.raises(UserError, match=r"new.ckpt is not a checkpoint of this project"):
        load_checkpoint(tmp_path / "new.ckpt")


COLUMNS = {
    "number": NumberColumn("a", 0.5, 2.0),
    "amount": NumberColumn("a", 0.5, 2.0, unit="kg", lenient=True, limits=True, decimal=","),
    "answer": AnswerColumn("a", 0.5, 2.0, ["no", "yes"]),
    "date": DateColumn("a", "year-month-day", [NumberColumn("month", 6.0, 3.0)], no_end=True),
    "word": WordColumn("a", ["x", "y"]),
    "text": TextColumn("a", ["red", "sky"]),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_of_each_kind_is_stored_in_plain_values_and_comes_back(column):
    stored = Facts([column.width], ["p", "q"], False, None, None, [column], "").to_dict()
    assert Facts.from_dict(json.loads(json.dumps(stored))).columns == [column]
    newer = column.to_dict() | {"of_a_newer_version": 1}
    assert Facts.from_dict(stored | {"columns": [newer]}).columns == [column]
    assert "unit" not in COLUMNS["number"].to_dict()  # what says nothing is not stored, as in older versions


def test_facts_that_describe_no_input_are_refused(digits):
    _, known = load_model(digits / "best.ckpt")
    wrong = {"input_shape": ([], [1, -8, 8], "8"), "class_names": (None, ["a", 1]), "mean": ([0.5, 0.5], None)}
    wrong["target"] = (0,)
    number = {"name": "x", "mean": 0, "std": 1}
    wrong |= {"std": (["x"],), "columns": ([{"name": "x"}], [{"name": "x", "categories": [1]}])}
    wrong["columns"] += tuple([{"name": "x", "text": words}] for words in ([1], "won", None))
    wrong["columns"] += ([{"name": "x", "categories": "won"}],)
    wrong["columns"] += ([number | {"truth": ["yes"]}], [number | {"decimal": "'"}], [number | {"std": "1"}])
    dates = {"name": "x", "date": "year-month-day", "parts": [number | {"name": "month"}]}
    wrong["columns"] += ([dates | {"date": "month of the year"}],)
    wrong["levels"] = ({"I": [5, 1]}, {"I": [1]}, {"I": ["0", "1"]})
    for _ in range(50):  # to look at each part would take longer than the universe is old
        dates = {"name": "month", "date": "year-month-day", "parts": [dates, dates]}
    wrong["columns"] += ([dates], [dates | {"parts": torch.zeros(2)}], [dates | {"parts": [number | {"name": "era"}]}])
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(UserError, match="does not say what its network takes"):
                Facts.from_dict(known | {name: value})


@pytest.mark.parametrize(
    ("channels", "mean", "sentence"),
    ((1, None, "its datamodule sets no mean"), (4, [0.5] * 4, "takes 4 channels, and images have 1 or 3")),
)
def test_a_network_that_takes_no_images_as_files_have_them_says_so(channels, mean, sentence):
    with pytest.raises(UserError, match=sentence):
        Facts([channels, 8, 8], ["a", "b"], False, mean, mean, None, "").read_image("a.png")
