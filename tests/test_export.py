"""python -m proj.export: what leaves in a file computes what the network computes."""

import functools
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image, ImageOps
from support.exports import export_both
from support.pages import python_lines
from support.photos import write_photos
from support.refusals import refusals
from support.runs import rewritten
from support.tables import encode

import proj.export
from proj.checkpoint.file import load_model
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.facts import Facts
from proj.data.photos.image_file import fit_image
from proj.errors import UserError
from proj.use.evaluation import open_data
from proj.use.export import export, make_inputs, some_inputs, to_onnx
from proj.use.prediction import predict
from proj.use.raw_pixels import RawPixels


@pytest.fixture(scope="module")
def checkpoints(trained):
    words = {"digits": ("dataset=digits", "tta=true"), "iris": (), "mnist": ("dataset=mnist", "model=mlp")}
    return {name: trained(*words[name]) / "best.ckpt" for name in words}


def raw_inputs(known: dict, stored: torch.Tensor) -> np.ndarray:
    """A datamodule's inputs as a user has them."""
    if not known["columns"]:
        return stored.numpy()
    mean, std = (np.float32([column[key] for column in known["columns"]]) for key in ("mean", "std"))
    return stored.numpy() * std + mean


CASES = (("digits", "onnx", True), ("iris", "onnx", True), ("digits", "torch_export", True))
CASES += (("iris", "torch_export", False),)  # of ONNX, test_facts has a file of normalised inputs


@pytest.fixture(scope="module")
def exported(checkpoints, tmp_path_factory):
    """exported(dataset, format, normalize) -> the file, alone in its folder."""

    @functools.cache
    def exported(dataset: str, *words) -> Path:
        return export(checkpoints[dataset], *words, str(tmp_path_factory.mktemp("exported") / "file"))

    return exported


def logits_of(file: Path, format: str, given: np.ndarray) -> np.ndarray:
    """What an exported file gives."""
    if format == "onnx":
        return onnxruntime.InferenceSession(file).run(None, {"input": given})[0]
    return torch.export.load(file).module()(torch.from_numpy(given)).detach().numpy()


@pytest.mark.parametrize(("dataset", "format", "normalize"), CASES)
def test_one_file_gives_the_networks_logits_at_any_batch_size(checkpoints, exported, dataset, format, normalize):
    file = exported(dataset, format, normalize)
    assert list(file.parent.iterdir()) == [file]
    model, known = load_model(checkpoints[dataset])
    data = open_data(known)
    for size in (1, 5, 14):
        x = data.prepare(data.splits["test"].inputs, slice(size), None)
        given = raw_inputs(known, data.splits["test"].inputs[:size]) if normalize else x.contiguous().numpy()
        logits = logits_of(file, format, given)
        assert logits.shape == (size, model.num_classes)
        assert np.abs(logits - model(x).detach().numpy()).max() < 1e-4


@pytest.mark.parametrize("format", ("onnx", "torch_export"))
def test_the_file_carries_what_it_takes_to_use_it(checkpoints, exported, format):
    file = exported("digits", format, True)
    _, known = load_model(checkpoints["digits"])
    if format == "onnx":
        facts = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    else:
        facts = dict.fromkeys(("class_names", "input_shape", "mean", "std", "input"), "")
        torch.export.load(file, extra_files=facts)
    for name in ("class_names", "input_shape", "mean", "std"):
        assert json.loads(facts[name]) == known[name]
    assert facts["input"] == "uint8 (batch, 8, 8, 1)"


def test_the_file_lies_beside_the_checkpoint_and_the_largest_difference_is_printed(checkpoints, capsys):
    path = checkpoints["iris"]
    assert export(path, "torch_export") == path.with_suffix(".pt2") and path.with_suffix(".pt2").is_file()
    found = re.search(
        r"on test inputs, in batches of 1, 2 and 7: .* differ by ([\d.e+-]+) at most", capsys.readouterr().out
    )
    assert float(found[1]) < 1e-5


def test_without_the_data_it_is_checked_on_random_inputs_and_says_so(checkpoints, tmp_path, capsys):
    with rewritten(checkpoints["mnist"], tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["dataset"]["data_dir"] = str(tmp_path / "nowhere")
    export(tmp_path / "x.ckpt", "torch_export", True)
    output = capsys.readouterr().out
    assert "on random inputs, in batches of 1, 2 and 7" in output and "The data could not be opened: " in output
    assert not (tmp_path / "nowhere").exists()  # nothing was downloaded


@pytest.mark.parametrize("off", (0.01, float("nan")))
def test_a_file_with_other_logits_is_not_written(checkpoints, tmp_path, monkeypatch, off):
    right = proj.use.export.to_pt2

    def wrong(*words):
        content, exported = right(*words)
        return content, lambda x: exported(x) + off

    monkeypatch.setattr("proj.use.export.to_pt2", wrong)
    with pytest.raises(UserError, match="gives other logits than the network, so no file was written: a forward"):
        export(checkpoints["iris"], "torch_export", output=str(tmp_path / "x.pt2"))
    assert not list(tmp_path.iterdir())


def test_the_readmes_lines_name_an_image_with_onnxruntime_alone(checkpoints, exported, command, tmp_path):
    lines = python_lines("onnxruntime")
    assert len(lines.strip().splitlines()) <= 39  # they are all of `open_image` and `fit_image`
    data = open_data(load_model(checkpoints["digits"])[1])
    Image.fromarray(data.splits["test"].inputs[3].squeeze().numpy()).convert("RGB").save(tmp_path / "cat.png")
    shutil.copy(exported("digits", "onnx", True), tmp_path / "best.onnx")
    process = command("-c", lines + "\nimport sys; assert not {'torch', 'proj'} & set(sys.modules)")
    assert process.returncode == 0, process.stderr
    (row,) = predict(checkpoints["digits"], str(tmp_path / "cat.png"))
    assert process.stdout.split()[0] == row["class"]


@refusals(
    (("ckpt={digits}", "format=onxx"), "Did you mean 'onnx'? Options: onnx, torch_export."),
    (("ckpt={iris}", "output={iris}"), "is the checkpoint, which it would overwrite"),
    (("ckpt={iris}", "output={iris.parent}/new/../best.ckpt"), "is the checkpoint, which it would overwrite"),
    (("ckpt={iris}", "output=."), "output=. is a folder: name a file in it, output=best.onnx"),
    (("ckpt={iris}", "output=x.pt2"), "output=x.pt2 should end in .onnx, or in .pt2 with format=torch_export."),
    (("ckpt={iris}", "output=x.txt"), "output=x.txt should end in .onnx, or in .pt2 with format=torch_export."),
    (("{iris}",), "without spaces around the =. Did you mean ckpt="),
    (("ckpt={iris}", "format=torch_export", "output={digits}/x.pt2"), "x.pt2 could not be written"),
    (("ckpt={iris}", "raw=true", "format=torch_export"), "raw=true and quantize=int8 are for format=onnx"),
    (("ckpt={mnist}", "quantize=int8", "data_dir={iris}"), "quantize=int8 needs training examples: name"),
    (("ckpt={iris}", "quantize=int4"), "quantize=int4 does not exist."),
)
def test_a_mistake_is_one_sentence(checkpoints, mistake, words, sentence):
    assert sentence in mistake("proj.export", *(word.format(**checkpoints) for word in words))


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
def test_a_network_in_half_precision_that_onnxruntime_cannot_run_is_one_sentence(dtype):
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(1)).to(dtype).eval()
    program = torch.export.export(network, (torch.zeros(2, 4, dtype=dtype),))
    facts = {"output": "probabilities", "class_names": '["a", "b", "c"]', "costs": "null"}
    with pytest.raises(UserError, match=r"onnxruntime cannot run .*let it compute in float32 .*format=torch_export$"):
        to_onnx(program, facts, None)


def test_missing_packages_are_one_sentence(checkpoints, monkeypatch, mistake):
    monkeypatch.setattr("proj.use.export.find_spec", lambda name: None if name == "onnxscript" else True)
    said = mistake("proj.export", f"ckpt={checkpoints['iris']}")
    assert "format=onnx needs onnxscript: pip install 'proj[export]'" in said


@pytest.mark.parametrize("format", ("onnx", "torch_export"))
def test_a_missing_number_is_the_mean(checkpoints, exported, format):
    file, (model, _) = exported("iris", format, True), load_model(checkpoints["iris"])
    given = np.full((2, 4), np.nan, np.float32)
    logits = logits_of(file, format, given)
    assert np.abs(logits - model(torch.zeros(2, 4)).detach().numpy()).max() < 1e-5


def test_numbers_too_fine_for_float32_are_taken_as_float64(checkpoints, tmp_path):
    with rewritten(checkpoints["iris"], tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["columns"][0] |= {"mean": 1.7e9, "std": 1000.0}  # seconds since 1970
    file = export(tmp_path / "x.ckpt", "onnx", True)
    session, (model, known) = onnxruntime.InferenceSession(file), load_model(tmp_path / "x.ckpt")
    given = np.array([[1.7e9 + 37, 3.0, 1.4, 0.2]])
    assert session.get_modelmeta().custom_metadata_map["input"] == "float64 (batch, 4)"
    (logits,) = session.run(None, {"input": given})
    x = encode([[repr(value) for value in given[0].tolist()]], known["columns"])
    assert np.abs(logits - model(x).detach().numpy()).max() < 1e-5


@pytest.fixture(scope="module")
def raw(checkpoints, tmp_path_factory):
    """(The file with raw=true, that in 8-bit integers, what was printed of both)."""
    return export_both(checkpoints["digits"], tmp_path_factory.mktemp("raw"), raw=True)


def write_pictures(folder: Path, count: int, channels: int = 1) -> list[Path]:
    """Smooth pictures of many sizes and orientations, light and dark."""
    draw, files = np.random.default_rng(0), []
    for number in range(count):
        height, width = (int(draw.integers(12, 200)) for _ in range(2))
        coarse = draw.integers(0, 256, (2 + height // 12, 2 + width // 12, channels), dtype=np.uint8)
        picture = Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC)
        picture = picture.point(lambda level, number=number: level // 2 + 128 * (number % 2))
        files.append(folder / f"{number:04}.png")
        picture.save(files[-1])
    return files


def test_one_file_takes_raw_pictures_of_any_size_and_says_what_predict_says(checkpoints, raw, tmp_path):
    """Also JPEG files of every orientation, once they are upright."""
    (tmp_path / "jpeg").mkdir()
    for number, file in enumerate(write_pictures(tmp_path, 32)):
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8  # orientation
        Image.open(file).save(tmp_path / "jpeg" / f"{number}.jpg", exif=exif)
    rows = predict(checkpoints["digits"], str(tmp_path))
    session = onnxruntime.InferenceSession(raw[0])
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["input"] == "uint8 (batch, height, width, 1)" and len(json.loads(facts["class_names"])) == 10
    assert len(rows) == 64
    for row in rows:
        with Image.open(row["input"]) as image:
            image.draft("L", (16, 16))
            pixels = np.asarray(ImageOps.exif_transpose(image))
        shares, name = session.run(["probabilities", "class"], {"input": pixels[None, ..., None]})
        assert np.abs(shares[0] - list(row["probabilities"].values())).max() < 0.02
        if row["probability"] > 0.6:
            assert name[0] == row["class"]
    shares = session.run(None, {"input": np.zeros((3, 40, 30, 1), np.uint8)})[0]
    assert shares.shape == (3, 10) and shares.sum(1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("drawings", "shape"), ((False, [3, 16, 16]), (False, [1, 12, 20]), (True, [1, 28, 28]), (True, [3, 20, 14]))
)
def test_pictures_are_resized_as_pillow_does_it(tmp_path, drawings, shape):
    fitted = RawPixels(SimpleNamespace(drawings=drawings, input_shape=shape))
    for file in write_pictures(tmp_path, 24, shape[0]):
        image = Image.open(file)
        found = fitted(torch.from_numpy(np.array(image)).reshape(1, image.height, image.width, -1))
        off = np.abs(found[0].numpy() - fit_image(image, shape[1:], drawings)[0])
        assert (off > 0).mean() < 0.02 and off.max() <= 1


def test_a_file_in_8_bit_integers_is_smaller_and_its_accuracy_stands_beside_the_others(checkpoints, raw):
    small, printed = raw[1], raw[2]
    assert small.stat().st_size < raw[0].stat().st_size
    known = load_model(checkpoints["digits"])[1]
    test = open_data(known).splits["test"]
    for name, file in (("float32", raw[0]), ("int8", small)):
        names = onnxruntime.InferenceSession(file).run(["class"], {"input": test.inputs.numpy()})[0]
        accuracy = np.mean([int(one) == y for one, y in zip(names, test.targets.tolist(), strict=True)])
        size, milliseconds, told = re.search(rf"{name} +([\d,]+) kB +([\d.]+) ms +([\d.]+)%", printed).groups()
        assert float(told) == pytest.approx(100 * accuracy, abs=0.01)
        assert int(size) == round(file.stat().st_size / 1000) and float(milliseconds) > 0
    model = onnx.load(small)
    assert json.loads({one.key: one.value for one in model.metadata_props}["class_names"]) == known["class_names"]
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    resizing = [node for node in model.graph.node if node.op_type == "MatMul"]  # which takes all bits of the pixels
    assert resizing and not any(makers.get(name) == "DequantizeLinear" for node in resizing for name in node.input)


def test_8_bit_integers_are_calibrated_on_examples_of_all_the_training_and_what_they_cost_is_said(
    monkeypatch, checkpoints, calls_of, tmp_path, capsys
):
    accuracies = iter((0.99, 0.98))
    monkeypatch.setattr("proj.use.quantization.measure", lambda *words: (1e-4, next(accuracies)))
    monkeypatch.setattr("proj.use.quantization.SEEN", 20)
    prepared = calls_of(InMemoryDataModule, "prepare")
    file = export(checkpoints["iris"], raw=False, quantize="int8", output=str(tmp_path / "table.onnx"))
    assert "int8 costs 1.0 points of accuracy" in capsys.readouterr().out
    train, chosen = open_data(load_model(checkpoints["iris"])[1]).splits["train"].inputs, prepared[-1][2].tolist()
    assert torch.equal(prepared[-1][1], train) and len(chosen) == 20 and (chosen[0], chosen[-1]) == (0, len(train) - 1)
    assert onnxruntime.InferenceSession(file).run(None, {"input": np.zeros((5, 4), np.float32)})[0].shape == (5, 3)


def test_data_that_lacks_a_class_is_measured_by_the_models_classes(trained, tmp_path, capsys):
    write_photos(tmp_path / "all", 12)
    write_photos(tmp_path / "two", 12, ("blue", "red"))
    words = ("dataset=image_folder", "model=mlp", "dataset.size=8", f"data_dir={tmp_path}/all", "trainer.max_epochs=9")
    run = trained(*words)
    assert load_model(run / "best.ckpt")[1]["class_names"] == ["blue", "green", "red"]
    export(run / "best.ckpt", quantize="int8", data_dir=f"{tmp_path}/two", output=str(tmp_path / "two.onnx"))
    assert re.search(r"float32 .* 100\.00%", capsys.readouterr().out)


def test_raw_is_for_pictures_and_tables_that_say_their_columns(checkpoints, tmp_path):
    with rewritten(checkpoints["iris"], tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["columns"] = None
    with pytest.raises(UserError, match="raw=true is for grey or coloured pictures, and for tables whose datamodule"):
        export(tmp_path / "x.ckpt", raw=True)


def test_normalised_images_of_ones_own_data_are_pixels_in_a_file_that_normalises_them():
    facts = Facts([3, 4, 5], ["a", "b"], False, [0.5] * 3, [0.25] * 3, None, "")
    pixels = torch.randint(256, (7, 4, 5, 3), dtype=torch.uint8)
    kept = facts.normalizer()(pixels)
    for prepare in (facts.normalizer(), None):
        given, seen = make_inputs(kept, facts, prepare)
        assert torch.equal(seen, kept) and torch.equal(given, pixels if prepare else kept)


def test_a_file_is_compared_on_what_ones_own_datamodule_makes_of_its_data_which_is_repeated_if_it_is_small():
    class Own(InMemoryDataModule):
        def prepare(self, inputs, index, generator, epoch=0):
            return inputs[index].float()[:, None] / 10

    data = Own(1, 0)
    data.splits = {"test": Split(torch.tensor([10, 20], dtype=torch.uint8), torch.tensor([0, 1]))}
    facts = Facts([1], ["a", "b"], False, None, None, None, "")
    assert some_inputs(data, facts)[0].tolist() == [[1.0], [2.0], [1.0], [2.0], [1.0], [2.0], [1.0]]
