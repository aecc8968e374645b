"""What holds on a GPU. Skipped where there is none; with GPU = "cpu" the tests themselves can be tried there."""

import json

import pytest
import torch
from support.runs import changed_by_stops, curves, in_every_step, ready
from support.tables import write_rows

from proj.checkpoint.file import load_checkpoint, load_model
from proj.data.facts import Facts
from proj.training.run import train
from proj.use.evaluation import evaluate

GPU = "gpu"
pytestmark = pytest.mark.skipif(GPU == "gpu" and not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
WORDS = (f"trainer.accelerator={GPU}", "trainer.deterministic=true", "trainer.max_epochs=2", "save_every=0")
IMAGES = (*WORDS, "dataset=mnist", "dataset.batch_size=60", "model.widths=[8,16]")
CASES = {
    "mlp": (*WORDS, "dataset=digits", "model=mlp", "model.dropout=0.2", "dataset.batch_size=100"),
    "cnn": (*IMAGES, "model=cnn", "augment=strong"),
    "whitened_cnn": (*IMAGES, "model=whitened_cnn", "dataset.sizes=[20,28]"),
    "tabm": (*WORDS, "dataset=csv", "dataset.target=-1", "dataset.batch_size=30", "model=tabm"),
}


@pytest.fixture(params=CASES)
def words(request, tmp_path):
    """The command line of a short run of each network."""
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randn(120, 3, generator=draw)
    rows = [[*(f"{number:.3f}" for number in row), "up" if row.sum() > 0 else "down"] for row in numbers]
    table = write_rows(tmp_path / "table.csv", [["a", "b", "c", "kind"], *rows])
    words = CASES[request.param]
    return (*words, f"data_dir={table}") if request.param == "tabm" else words


def test_on_a_gpu_a_run_that_dies_twice_ends_with_the_same_bits(configure, monkeypatch, tmp_path, words):
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, [(0, 1), (1, 0)]) == []


def test_on_a_gpu_the_fast_loop_gives_the_bits_of_lightnings_own(configure, tmp_path, words):
    weights, shown = [], []
    for fast in ("true", "false"):
        train(configure(*words, f"fast_loop={fast}", folder=tmp_path / fast))
        weights.append(load_checkpoint(tmp_path / fast / "last.ckpt")["state_dict"])
        shown.append(curves(tmp_path / fast))
    assert shown[0] == shown[1]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_what_a_gpu_has_trained_classifies_alike_on_the_cpu(configure, tmp_path, words):
    cfg = configure(*words)
    trained = train(cfg)["test/acc"]
    model, contents = load_model(tmp_path / "run" / "best.ckpt")
    data = ready(cfg.dataset, Facts.from_dict(contents))
    inputs, targets = data.splits["test"]
    with torch.inference_mode():
        answers = model(data.prepare(inputs, slice(None), None)).argmax(1)
    assert (answers == targets).float().mean().item() == pytest.approx(trained, abs=2 / len(targets))
    assert evaluate(tmp_path / "run" / "best.ckpt")["acc"] == pytest.approx(trained, abs=2 / len(targets))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test/acc"] == trained


def test_images_lie_on_the_gpu_that_trains_as_bytes(configure, monkeypatch):
    places = set()

    def look(model, loss, batch, batch_idx):
        places.add((model.trainer.train_dataloader.inputs.device.type, model.trainer.train_dataloader.inputs.dtype))
        return loss

    in_every_step(monkeypatch, look)
    train(configure(*CASES["cnn"], "test=false"))
    assert places == {("cuda" if GPU == "gpu" else "cpu", torch.uint8)}
