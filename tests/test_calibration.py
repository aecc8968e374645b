"""Probabilities one can trust: the temperature, and sets of classes that hold the right one as often as is asked."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.evaluations import evaluate
from support.pages import ROOT
from support.refusals import refusals
from support.runs import rewritten
from support.tables import read_rows

from proj.checkpoint.file import load_checkpoint, load_model
from proj.models.balance import weights_to_equal_sizes
from proj.models.logits import calibrated_logits
from proj.training.calibration import (
    calibration_error,
    doubt_logits,
    fit_temperature,
    in_prediction_set,
    prediction_set_limit,
)
from proj.training.run import train
from proj.use.data import open_data
from proj.use.prediction import predict


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(Logits, classes drawn with their probabilities): calibrated as they are."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, 5, generator=generator, dtype=torch.float64)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()


@pytest.mark.parametrize("factor", (0.4, 1.0, 3.0))
def test_the_temperature_is_the_factor_by_which_logits_are_too_large(factor):
    logits, targets = drawn(20_000, 0)
    assert fit_temperature(factor * logits, targets) == pytest.approx(factor, rel=0.03)


def test_a_model_trained_on_classes_of_equal_size_is_calibrated_for_such_classes():
    """Without weights, the many examples of one class would make the temperature another one: 100 or 0.1."""
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(20_000, generator=generator) < 0.05).long()
    x = torch.randn(20_000, generator=generator, dtype=torch.float64) + 2 * targets - 1
    logits = torch.stack([-x, x], 1)  # of two normal distributions with means of -1 and 1, equally frequent
    weights = weights_to_equal_sizes(targets, {"balance": "loss"})
    assert weights.mean() == pytest.approx(1) and weights[targets == 1].sum() == pytest.approx(10_000)
    for factor in (0.5, 4.0):
        assert fit_temperature(factor * logits, targets, weights) == pytest.approx(factor, rel=0.05)
    assert (
        calibration_error(logits.softmax(1), targets, weights)
        < 0.02
        < 0.04
        < calibration_error((3 * logits).softmax(1), targets, weights)
    )
    assert weights_to_equal_sizes(targets, {"balance": "none"}) == weights_to_equal_sizes(targets, {}) == 1


def test_an_example_of_twice_the_weight_counts_as_two_examples():
    logits, targets = drawn(5_000, 2)
    times = 1 + 3 * (logits[:, 0] > 1) + (targets == 1)
    again, targets_again = (values.repeat_interleave(times, 0) for values in (logits, targets))
    expected = fit_temperature(again, targets_again)
    assert fit_temperature(logits, targets, times.double()) == pytest.approx(expected, rel=1e-3)
    assert abs(expected - fit_temperature(logits, targets)) > 0.01
    shares, shares_again = logits.softmax(1), again.softmax(1)
    error = calibration_error(shares_again, targets_again)
    assert calibration_error(shares, targets, times.double()) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("balance", ("loss", "sampling"))
def test_that_probabilities_are_of_classes_of_equal_size_is_said(balance, configure, tmp_path, capsys):
    generator = np.random.default_rng(0)
    ill = generator.random(1000) < 0.1
    rows = [f"{x:.3f},{'yes' if one else 'no'}" for x, one in zip(generator.normal(ill * 1.5), ill, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["x,ill", *rows]))
    words = ("dataset=csv", f"data_dir={tmp_path}/t.csv", "dataset.target=ill", "model=mlp", "trainer.max_epochs=5")
    metrics = train(configure(*words, f"balance={balance}"))
    assert metrics["calibration"]["error"] < 0.15 and 0.2 < metrics["calibration"]["temperature"] < 5
    measured = evaluate(tmp_path / "run/best.ckpt", split="val")["calibration_error"]
    assert metrics["calibration"]["error"] == pytest.approx(measured, abs=1e-4)
    said = f"The probabilities are those of classes of equal size, since balance={balance} trained the model so."
    assert said in capsys.readouterr().out
    found = evaluate(tmp_path / "run/best.ckpt")
    assert said in " ".join(capsys.readouterr().out.split())
    rows = predict(tmp_path / "run/best.ckpt", str(tmp_path / "t.csv"))
    assert said in capsys.readouterr().err
    sure = sum(row["probabilities"]["yes"] for row in rows) / len(rows)
    assert sure > 0.2 and found["calibration_error"] < 0.2


def test_a_small_validation_without_a_mistake_makes_nothing_certain():
    targets = torch.arange(15) % 3
    logits = 2.0 * torch.eye(3, dtype=torch.float64)[targets]
    confidence = (logits / fit_temperature(logits, targets)).softmax(1).max(1).values
    assert confidence.max() == pytest.approx(16 / 17, abs=1e-3)  # one more counts as wrong, and one as right


def test_what_label_smoothing_adds_is_taken_out_and_the_order_stays():
    logits, _ = drawn(500, 1)
    smoothed = (0.9 * logits.softmax(1) + 0.1 / 5).log()
    found = calibrated_logits(smoothed, 1.0, 0.1).softmax(1)
    assert (found - logits.softmax(1)).abs().max() < 0.002
    for smoothing in (0.1, 0.5):  # with more than was in them, most of the probabilities would be below 0
        assert torch.equal(calibrated_logits(logits, 0.3, smoothing).argsort(1), logits.argsort(1))
    assert calibrated_logits(logits, 1.0, 0.0) is logits


@pytest.mark.parametrize("coverage", (0.5, 0.9, 0.95, 0.99))
def test_sets_hold_the_right_class_as_often_as_asked_and_hold_the_fewest_classes(coverage):
    scores = (1 - drawn(5000, 2)[0].softmax(1)).gather(1, drawn(5000, 2)[1][:, None]).flatten().sort().values
    logits, targets = drawn(20_000, 3)
    members = in_prediction_set(logits.softmax(1), prediction_set_limit({"calibration": {"scores": scores}}, coverage))
    assert members.gather(1, targets[:, None]).double().mean() == pytest.approx(coverage, abs=0.015)
    order = logits.softmax(1).sort(1, descending=True).values
    needed = (order.cumsum(1) < coverage).sum(1) + 1  # sets that reach the coverage in each case
    assert members.sum(1).double().mean() < needed.double().mean()


@pytest.mark.parametrize("coverage", (0.6, 0.8, 0.9))
def test_sets_hold_the_right_class_as_often_as_asked_where_many_rows_are_equal(coverage):
    """200 draws of a table of six different rows. The checkpoint holds the scores in float32, and batches of another
    size give slightly other logits."""
    draws, held = torch.Generator().manual_seed(0), []
    for _ in range(200):
        shares = torch.rand(6, generator=draws, dtype=torch.float64)  # of the first of two classes, by the row
        words = torch.randint(6, (2, 60), generator=draws)
        probabilities = torch.stack([shares, 1 - shares], 1)[words]
        targets = (torch.rand(2, 60, generator=draws, dtype=torch.float64) > shares[words]).long()[..., None]
        scores = (1 - probabilities[0].gather(1, targets[0])).flatten().sort().values.float()
        limit = prediction_set_limit({"calibration": {"scores": scores}}, coverage)
        noise = 1e-5 * (torch.rand(60, 2, generator=draws, dtype=torch.float64) - 0.5)
        later = (probabilities[1].log() + noise).softmax(1)
        held.append(in_prediction_set(later, limit).gather(1, targets[1]).double().mean().item())
    assert sum(held) / 200 >= coverage


@pytest.mark.parametrize("words", (("dataset=digits", "tta=true"), ()))
def test_the_best_checkpoint_keeps_what_the_validation_part_says(trained, words):
    folder = trained(*words)
    model, known = load_model(folder / "best.ckpt")
    data, kept = open_data(known), known["calibration"]
    told = json.loads((folder / "metrics.json").read_text())["calibration"]
    x, y = next(iter(data.val_dataloader()))
    with torch.inference_mode():
        logits = model.network(x)
        assert torch.equal(model(x), calibrated_logits(logits, kept["temperature"], kept["smoothing"]))
        shares = model(x).double().softmax(1)
    assert told["temperature"] == kept["temperature"] == model.temperature != 1
    assert told["examples"] == len(y) == len(kept["scores"])
    scores = (1 - shares.gather(1, y[:, None])).flatten().sort().values
    assert scores.tolist() == pytest.approx(kept["scores"].tolist(), abs=1e-5)
    assert told["error"] == pytest.approx(calibration_error(shares, y), abs=1e-4)
    assert told["error_before"] == pytest.approx(calibration_error(logits.softmax(1), y), abs=1e-4)
    assert torch.equal(shares.argmax(1), logits.argmax(1))


def test_a_run_below_a_symbolic_link_has_one_best_checkpoint_which_says_it_too(configure, tmp_path, monkeypatch):
    (tmp_path / "disk/outputs").mkdir(parents=True)
    (tmp_path / "home/me").mkdir(parents=True)
    (tmp_path / "home/me/outputs").symlink_to(tmp_path / "disk/outputs")
    monkeypatch.chdir(tmp_path / "home/me")
    metrics = train(configure("trainer.max_epochs=1", folder=Path("outputs/run")))
    assert metrics["checkpoint"] == "outputs/run/best.ckpt"
    assert [*tmp_path.rglob("best.ckpt")] == [tmp_path / "disk/outputs/run/best.ckpt"]
    assert "calibration" in load_checkpoint("outputs/run/best.ckpt")["proj"]


def test_evaluate_measures_the_sets_and_both_errors_on_the_test_part(digits, tmp_path, capsys):
    found = evaluate(digits / "best.ckpt", output=str(tmp_path), coverage=0.8)
    model, known = load_model(digits / "best.ckpt")
    x, y = next(iter(open_data(known).test_dataloader()))
    with torch.inference_mode():
        shares, before = model(x).double().softmax(1), model.network(x).softmax(1)
    members = in_prediction_set(shares, prediction_set_limit(known, 0.8))
    measured = members.gather(1, y[:, None]).double().mean().item()
    assert found["coverage"]["asked"] == 0.8 and found["coverage"]["measured"] == pytest.approx(measured, abs=0.004)
    sizes = members.sum(1)
    assert found["coverage"]["classes"] == pytest.approx(sizes.double().mean().item(), abs=0.01)
    assert found["coverage"]["unsure"] == pytest.approx((sizes != 1).double().mean().item(), abs=0.004)
    assert not sizes.all()  # an empty set says as little as one of two classes
    assert found["calibration_error_before"] == pytest.approx(calibration_error(before, y), abs=1e-4)
    output = capsys.readouterr().out
    assert f"sets at coverage 0.8: {measured:.2%} hold the right class" in output
    assert f"({found['calibration_error_before']:.2%} before" in output
    assert evaluate(digits / "best.ckpt", output=str(tmp_path))["coverage"]["asked"] == 0.95  # where none is asked for


@pytest.mark.parametrize(("coverage", "said"), ((0.3, "unsure: no class is likely enough"), (0.93, "unsure: vi")))
def test_predict_writes_the_sets_and_says_what_is_unsure(trained, tmp_path, capsys, coverage, said):
    path = trained() / "best.ckpt"
    capsys.readouterr()
    (tmp_path / "x.csv").write_text("5.1,3.5,1.4,0.2\n6.0,2.7,5.1,1.6\n6.3,2.5,4.9,1.5\n")
    predict(path, str(tmp_path / "x.csv"), str(tmp_path / "out.csv"), coverage=coverage)
    capsys.readouterr()
    rows = predict(path, str(tmp_path / "x.csv"), coverage=coverage, show_line=print)
    lines = capsys.readouterr().out.splitlines()
    _, known = load_model(path)
    limit = prediction_set_limit(known, coverage)
    for row, line in zip(rows, lines, strict=False):
        likely = sorted(row["probabilities"].items(), key=lambda item: -item[1])
        assert row["set"] == [name for name, share in likely if share >= 1 - limit]
        sure = len(row["set"]) == 1
        assert ("unsure: " in line) != sure and (sure or not row["set"] or line.endswith(", ".join(row["set"])))
    unsure = sum(len(row["set"]) != 1 for row in rows)
    assert lines[3] == f"unsure of {unsure} of 3: at coverage={coverage} their sets are not of one class"
    assert unsure and said in "".join(lines)
    first = next(place for place, row in enumerate(rows) if len(row["set"]) != 1)
    (tmp_path / "one.csv").write_text((tmp_path / "x.csv").read_text().splitlines()[first])
    predict(path, str(tmp_path / "one.csv"), coverage=coverage)
    end = "its set is not of one class\n"
    assert capsys.readouterr().out.endswith(f"unsure of 1 of 1: at coverage={coverage} {end}")
    assert f"unsure of 1 of 20: at coverage=0.95 {end}" in (ROOT / "docs/checkpoints.md").read_text(encoding="utf-8")
    written = read_rows(tmp_path / "out.csv")
    assert [json.loads(row["set"]) for row in written] == [row["set"] for row in rows]
    assert "set" not in predict(path, str(tmp_path / "x.csv"))[0]


def test_an_old_checkpoint_has_temperature_1_and_no_sets_which_is_one_sentence(digits, tmp_path, mistake):
    with rewritten(digits / "best.ckpt", tmp_path / "old.ckpt") as checkpoint:
        del checkpoint["proj"]["calibration"]
    model, _ = load_model(tmp_path / "old.ckpt")
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(model(x), model.network(x))
    assert evaluate(tmp_path / "old.ckpt")["coverage"] is None
    for command in ("proj.predict", "proj.evaluate"):
        words = [f"ckpt={tmp_path / 'old.ckpt'}", "coverage=0.9"]
        words += ["input=x.png"] if command == "proj.predict" else []
        assert "coverage=0.9 needs the results of a validation, but the checkpoint has none" in mistake(command, *words)


@refusals(
    ("coverage=0.99", "needs more than the 30 validation examples of the training: use coverage=0.967 or less"),
    ("coverage=95", "coverage=95 should be a number between 0 and 1, such as coverage=0.95"),
    ("coverage=x", "coverage=x should be a number between 0 and 1"),
)
def test_a_coverage_that_cannot_be_is_one_sentence(trained, mistake, words, sentence):
    assert sentence in mistake("proj.predict", f"ckpt={trained() / 'best.ckpt'}", "input=x.csv", words)


@pytest.mark.parametrize("test", ("true", "false"))
def test_the_best_checkpoint_holds_the_temperature_and_the_threshold_of_metrics_json(configure, tmp_path, test):
    """A small best.ckpt is held in memory while a run trains."""
    metrics = train(configure("trainer.max_epochs=1", f"test={test}", "threshold={setosa:5}"))
    known = load_checkpoint(tmp_path / "run/best.ckpt")["proj"]["calibration"]
    assert known["temperature"] == metrics["calibration"]["temperature"] != 1
    assert known["threshold"] == metrics["threshold"]


def test_a_network_with_infinite_logits_is_left_as_it_is(configure, tmp_path, monkeypatch, capsys):
    infinite = torch.full((4, 3), -torch.inf).double(), torch.arange(4) % 3
    monkeypatch.setattr("proj.training.calibration.logits_of", lambda trainer, part: infinite)
    metrics = train(configure("trainer.max_epochs=1", "test=false", "threshold={setosa:5}"))
    assert "best.ckpt is not calibrated and threshold=… has no effect" in capsys.readouterr().out
    assert "calibration" not in metrics and "calibration" not in load_checkpoint(tmp_path / "run/best.ckpt")["proj"]
    assert load_model(tmp_path / "run/best.ckpt")[0].temperature == 1


def test_a_network_that_gives_probabilities_in_place_of_logits_is_doubted(configure, monkeypatch, capsys):
    logits = torch.randn(6, 3).double()
    assert not doubt_logits(logits, "Net") and not doubt_logits(logits.log_softmax(1), "Net")
    probabilities = logits.softmax(1), torch.arange(6) % 3
    monkeypatch.setattr("proj.training.calibration.logits_of", lambda trainer, part: probabilities)
    train(configure("trainer=debug", "test=false"))
    assert "The outputs of IrisClassifier sum to 1 for each example, as probabilities do" in capsys.readouterr().out


def test_a_class_that_is_as_unlikely_as_the_limit_belongs_to_the_set():
    probabilities = torch.tensor([[0.75, 0.25]], dtype=torch.float64)
    assert in_prediction_set(probabilities, 0.75).tolist() == [[True, True]]
    assert in_prediction_set(probabilities, 0.7).sum() == 1
