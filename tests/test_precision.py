"""In which numbers a run computes."""

import shutil
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from support.runs import changed_by_stops
from torch import nn
from torch.nn.utils import get_total_norm

from proj.checkpoint.file import load_checkpoint, load_model
from proj.errors import UserError
from proj.models import Classifier, TabM
from proj.training import precision
from proj.training.precision import choose_precision, has_fast_bfloat16, set_precision
from proj.training.robustness.counters import restore_metrics
from proj.training.run import train
from proj.use.evaluation import evaluate
from proj.use.export import export
from proj.use.prediction import predict


def classifier(network: nn.Module) -> Classifier:
    model = Classifier(10)
    model.network = network
    return model


QUANTILES = [[0.0, 1.0, 2.0, 3.0, 4.0]] * 12
CONVOLUTION, SMALL, LARGE = map(classifier, (nn.Conv2d(1, 8, 3), nn.Linear(400, 400), nn.Linear(1000, 500)))
ENSEMBLE, SMALL_ENSEMBLE = (TabM((12,), 2, QUANTILES, 500, members=members) for members in (16, 4))


def test_auto_takes_bfloat16_where_the_device_is_faster_in_it_and_the_network_large_enough(monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    assert [choose_precision(n, "cpu")[0] for n in (CONVOLUTION, LARGE, ENSEMBLE)] == ["bf16-mixed"] * 3
    assert [choose_precision(n, "cpu")[0] for n in (SMALL, SMALL_ENSEMBLE)] == ["32-true"] * 2
    assert [choose_precision(n, "cuda")[0] for n in (CONVOLUTION, LARGE)] == ["bf16-mixed", "32-true"]
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)
    assert choose_precision(CONVOLUTION, "cpu") == ("32-true", "cpu is not faster in bfloat16")


@pytest.mark.parametrize(("name", "fast"), [("amx_bf16", True), ("avx512_bf16", True), ("avx2", False)])
def test_the_processor_says_whether_it_has_bfloat16_and_a_busy_machine_chooses_the_same(monkeypatch, name, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False, name: True})
    assert has_fast_bfloat16("cpu") is fast


def test_a_precision_that_is_asked_for_is_kept():
    assert set_precision("16-mixed", CONVOLUTION, "cpu") == ("16-mixed", "as asked for")


def test_the_chosen_precision_is_stored_said_and_kept_when_the_run_goes_on(configure, monkeypatch, capsys):
    settings = ("dataset=digits", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "scheduler=none")
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    cfg = configure(*settings)
    train(cfg)
    assert "on cpu with trainer.precision=bf16-mixed: cpu is faster in bfloat16" in capsys.readouterr().out
    assert load_checkpoint(f"{cfg.output_dir}/last.ckpt")["proj"]["config"]["trainer"]["precision"] == "bf16-mixed"
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)  # as on another machine
    train(configure(*settings, "trainer.max_epochs=2"))
    assert "precision=bf16-mixed" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"trainer.precision: bf16-mixed in the run, 32-true now"):
        train(configure(*settings, "trainer.max_epochs=3", "trainer.precision=32-true"))


@pytest.mark.parametrize("backend", ("eager", pytest.param("inductor", marks=pytest.mark.slow)))
def test_a_compiled_network_learns_the_same_and_its_checkpoint_has_the_same_keys(
    configure, tmp_path, monkeypatch, backend
):
    """eager: traced, and not handed to the compiler of C++, which takes ten seconds and need not be there."""
    if backend == "inductor" and not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("there is no C++ compiler")
    if backend == "eager":
        monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    settings = ("dataset=digits", "model=mlp", "trainer.max_epochs=1", "trainer.limit_train_batches=3", "optimizer=sgd")
    plain = train(configure(*settings, folder=tmp_path / "plain"))
    compiled = train(configure(*settings, "compile=true", folder=tmp_path / "compiled"))
    first, second = (load_checkpoint(metrics["checkpoint"])["state_dict"] for metrics in (plain, compiled))
    assert list(first) == list(second)
    assert all(torch.allclose(first[name], value, rtol=1e-3, atol=1e-4) for name, value in second.items())
    model, _ = load_model(compiled["checkpoint"])
    assert model(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_compiling_without_a_compiler_says_what_to_install(configure, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UserError, match=r"compile=true needs a C\+\+ compiler.*install g\+\+"):
        train(configure("compile=true"))


class Often(Classifier):
    """Gives all 400 examples the first class, and most are of it."""

    def __init__(self) -> None:
        super().__init__(2)
        self.network = nn.Linear(2, 2)
        with torch.no_grad():
            self.network.weight.zero_()
            self.network.bias.copy_(torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize("precision", ("32-true", "bf16-true", "16-true", "64-true", "bf16-mixed"))
def test_more_than_256_examples_of_a_cell_are_counted_in_any_precision(precision):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", precision=precision, **quiet)
    y = (torch.arange(5000) % 10 == 0).long()
    model, examples = Often(), torch.utils.data.TensorDataset(torch.zeros(5000, 2), y)
    (results,) = trainer.test(model, torch.utils.data.DataLoader(examples, batch_size=50), verbose=False)
    assert results["test/acc"] == pytest.approx(0.9, abs=1e-7) and model.confusion.tolist() == [[4500, 0], [500, 0]]
    losses = nn.functional.cross_entropy(torch.tensor([[1.0, 0.0]]).expand(5000, 2), y)
    assert results["test/loss"] == pytest.approx(losses.item(), rel=1e-6)


@pytest.mark.parametrize("precision", ("bf16-true", "64-true"))
def test_a_model_trained_in_other_numbers_predicts_and_is_exported_in_float32(trained, tmp_path, precision):
    path = trained(f"trainer.precision={precision}", "trainer.max_epochs=1") / "best.ckpt"
    model, _ = load_model(path)
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    (tmp_path / "new.csv").write_text("5.1,3.5,1.4,0.2\n")
    assert len(predict(path, str(tmp_path / "new.csv"))) == 1
    assert export(path, "torch_export", output=str(tmp_path / "best.pt2")).is_file()


@pytest.mark.parametrize("precision", ("bf16-true", "64-true", "16-true"))
def test_a_run_in_other_numbers_is_trained_drawn_and_evaluated(configure, tmp_path, precision):
    words = ("dataset=digits", "model=mlp", "model.hidden=[16]", "trainer.max_epochs=1", "optimizer=sgd", "tta=true")
    metrics = train(configure(*words, f"trainer.precision={precision}", "callbacks.dashboard.histograms=true"))
    found = evaluate(tmp_path / "run" / "best.ckpt", output=str(tmp_path))
    assert found["acc"] == metrics["test/acc"] and found["loss"] == metrics["test/loss"]
    assert sum(map(sum, found["confusion"])) == found["examples"] == metrics["test_examples"]


def test_a_finished_run_in_bfloat16_that_is_measured_again_has_the_same_figures(configure, tmp_path):
    words = ("dataset=digits", "model=cnn", "model.widths=[8]", "trainer.max_epochs=1", "trainer.precision=bf16-true")
    metrics = train(configure(*words))
    (tmp_path / "run" / "metrics.json").unlink()
    again = train(configure(*words))  # no batch is made before the first one that is measured
    assert again["calibration"] == metrics["calibration"] and again["test/loss"] == metrics["test/loss"]


def test_the_sums_of_an_older_version_are_taken_on():
    model, old = Often(), {"count": 3, "state": {"loss": torch.tensor(2.5), "confusion": torch.arange(4.0)}}
    restore_metrics(model, {"tallies.train_": old})
    tally = model.tallies["train_"]
    assert tally.confusion.tolist() == [0, 1, 2, 3] and tally.confusion.dtype == torch.long
    tally.update(torch.tensor(0.5), torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert tally.compute()["confusion"].sum() == 7 and tally.compute()["loss"] == pytest.approx(3 / 7)


NORMS = []


class Norms(Callback):
    def on_train_batch_end(self, trainer, pl_module, *rest) -> None:
        NORMS.append(get_total_norm([parameter.grad for parameter in pl_module.parameters()]))


def test_gradients_are_clipped_in_bfloat16_also_of_a_fused_optimizer(configure):
    NORMS.clear()
    words = ("trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.01", "trainer.max_epochs=1", "test=false")
    train(configure(*words, "optimizer.fused=true", "+callbacks.norms._target_=test_precision.Norms"))
    assert torch.stack(NORMS).tolist() == pytest.approx([0.01] * 11, rel=0.01)


def test_a_run_in_float64_goes_on_with_all_digits_of_its_weights(configure, monkeypatch, tmp_path):
    words = ("trainer.precision=64-true", "trainer.max_epochs=2", "save_every=0", "callbacks=average")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, [(0, 5), (1, 3)]) == []
