import functools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from support.pages import README
from support.runs import rewritten
from support.tables import encode

import proj.export
from proj.checkpoint.file import load_model
from proj.errors import UserError
from proj.use.evaluation import open_data
from proj.use.export import export
from proj.use.prediction import predict


@pytest.fixture(scope="module")
def checkpoints(trained):
    return {
        "digits": trained("dataset=digits", "tta=true") / "best.ckpt",
        "iris": trained() / "best.ckpt",
        "mnist": trained("dataset=mnist", "model=mlp") / "best.ckpt",
    }


def raw_inputs(known: dict, stored: torch.Tensor) -> np.ndarray:
    """A datamodule's inputs as a user has them."""
    if not known["columns"]:
        return stored.numpy()
    mean, std = (np.float32([column[key] for column in known["columns"]]) for key in ("mean", "std"))
    return stored.numpy() * std + mean


CASES = (
    ("digits", "onnx", False),
    ("digits", "onnx", True),
    ("iris", "onnx", True),
    ("digits", "torch_export", True),
    ("iris", "torch_export", False),
)


@pytest.fixture(scope="module")
def exported(checkpoints, tmp_path_factory):
    """exported(dataset, format, normalize) -> the file, alone in its folder."""

    @functools.cache
    def exported(dataset: str, *words) -> Path:
        return export(checkpoints[dataset], *words, str(tmp_path_factory.mktemp("exported") / "file"))

    return exported


@pytest.mark.parametrize(("dataset", "format", "normalize"), CASES)
def test_one_file_gives_the_networks_logits_at_any_batch_size(checkpoints, exported, dataset, format, normalize):
    file = exported(dataset, format, normalize)
    assert list(file.parent.iterdir()) == [file]
    model, known = load_model(checkpoints[dataset])
    data = open_data(known)
    for size in (1, 5, 14):
        x = data.prepare(data.splits["test"].inputs, slice(size), None)
        given = raw_inputs(known, data.splits["test"].inputs[:size]) if normalize else x.contiguous().numpy()
        if format == "onnx":
            (logits,) = onnxruntime.InferenceSession(file).run(None, {"input": given})
        else:
            logits = torch.export.load(file).module()(torch.from_numpy(given)).detach().numpy()
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
    found = re.search(r"on test inputs, in batches of 1, 2 and 7: ([\d.e+-]+) off at most", capsys.readouterr().out)
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
    with pytest.raises(UserError, match="gives other logits than the network: no file was written"):
        export(checkpoints["iris"], "torch_export", output=str(tmp_path / "x.pt2"))
    assert not list(tmp_path.iterdir())


def test_the_readmes_lines_name_an_image_with_onnxruntime_alone(checkpoints, exported, command, tmp_path):
    lines = re.search(r"```python\n((?:(?!```).)*onnxruntime.*?)```", README, re.S)[1]
    assert len(lines.strip().splitlines()) <= 39  # they are all of `open_image` and `fit_image`
    data = open_data(load_model(checkpoints["digits"])[1])
    Image.fromarray(data.splits["test"].inputs[3].squeeze().numpy()).convert("RGB").save(tmp_path / "cat.png")
    shutil.copy(exported("digits", "onnx", True), tmp_path / "best.onnx")
    process = command("-c", lines + "\nimport sys; assert not {'torch', 'proj'} & set(sys.modules)")
    assert process.returncode == 0, process.stderr
    (row,) = predict(checkpoints["digits"], str(tmp_path / "cat.png"))
    assert process.stdout.split()[0] == row["class"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    (
        (
            ("ckpt={digits}", "format=onxx"),
            "format=onxx does not exist. Did you mean 'onnx'? Options: onnx, torch_export.",
        ),
        (("run=nowhere",), "there is no checkpoint nowhere/best.ckpt"),
        (("ckpt={iris}", "format=torch_export", "output={digits}/x.pt2"), "x.pt2 could not be written"),
    ),
)
def test_a_mistake_is_one_sentence(checkpoints, mistake, words, sentence):
    assert sentence in mistake("proj.export", *(word.format(**checkpoints) for word in words))


def test_missing_packages_are_one_sentence(checkpoints, monkeypatch, mistake):
    monkeypatch.setattr("proj.use.export.find_spec", lambda name: None if name == "onnxscript" else True)
    assert "format=onnx needs onnxscript: pip install 'proj[export]'" in mistake(
        "proj.export", f"ckpt={checkpoints['iris']}"
    )


@pytest.mark.parametrize("format", ("onnx", "torch_export"))
def test_a_missing_number_is_the_mean(checkpoints, exported, format):
    file, (model, _) = exported("iris", format, True), load_model(checkpoints["iris"])
    given = np.full((2, 4), np.nan, np.float32)
    if format == "onnx":
        (logits,) = onnxruntime.InferenceSession(file).run(None, {"input": given})
    else:
        logits = torch.export.load(file).module()(torch.from_numpy(given)).detach().numpy()
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


def test_a_table_with_words_cannot_be_normalized_inside(checkpoints, tmp_path):
    with rewritten(checkpoints["iris"], tmp_path / "x.ckpt") as checkpoint:
        checkpoint["proj"]["columns"][3:] = [{"name": "port", "categories": ["C"]}]
    with pytest.raises(UserError, match="normalize=true is for images and tables of numbers"):
        export(tmp_path / "x.ckpt", "torch_export", True)
