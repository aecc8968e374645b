"""A decision threshold, fitted on the validation part: kept in the checkpoint, used by all that names a class."""

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from omegaconf import DictConfig
from support.evaluations import evaluate
from support.refusals import refusals

from proj.checkpoint.file import load_checkpoint, load_model
from proj.config.compose import configure
from proj.errors import UserError
from proj.models.logits import decided
from proj.training.run import train
from proj.training.threshold import at_threshold, best_boundary, check_threshold, fit_decision, summary
from proj.use.data import open_data
from proj.use.export import export
from proj.use.prediction import predict


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(Logits of two classes, of which the second has a tenth of the examples; the right classes)."""
    draws = torch.Generator().manual_seed(seed)
    targets = (torch.rand(count, generator=draws) < 0.1).long()
    scores = torch.randn(count, generator=draws, dtype=torch.float64).round(decimals=1) + 1.5 * targets - 3.05
    return torch.stack([torch.zeros(count), scores], 1), targets


def scores(targets: torch.Tensor, called: torch.Tensor) -> tuple[list[float], float]:
    """(F1 of each of two classes, balanced accuracy)."""
    counts = (2 * targets + called).bincount(minlength=4).view(2, 2).double()
    f1 = 2 * counts.diagonal() / (counts.sum(0) + counts.sum(1))
    return f1.tolist(), (counts.diagonal() / counts.sum(1)).mean().item()


def value_of(threshold: str, targets: torch.Tensor, called: torch.Tensor, positive: int = 1) -> float:
    if threshold.startswith("cost"):
        wrong = called != targets
        return -((wrong & (targets == positive)).sum() * 5 + (wrong & (targets != positive)).sum()).item() / len(
            targets
        )
    f1, balanced = scores(targets, called)
    return balanced if threshold == "balanced" else f1[positive]


@pytest.mark.parametrize(
    ("threshold", "positive"), (("f1", 1), ("f1:no", 0), ("balanced", 1), ("cost:yes", 1), ("cost:no", 0))
)
def test_no_other_threshold_is_better_on_the_validation_part(threshold, positive):
    logits, targets = drawn(120, 0)
    asked = DictConfig({threshold[5:]: 5}) if threshold.startswith("cost") else threshold
    found = fit_decision(asked, ["no", "yes"], 1, logits, targets)
    probabilities = logits.softmax(1)
    called = decided(probabilities, torch.tensor(found["costs"], dtype=torch.float64))
    assert found["class"] == ["no", "yes"][positive]
    assert torch.equal(called == positive, probabilities[:, positive] > found["probability"])
    best = max(
        value_of(threshold, targets, torch.where(probabilities[:, positive] > bound, positive, 1 - positive), positive)
        for bound in [*probabilities[:, positive].unique().tolist(), 0, 0.5]
    )
    word = threshold.partition(":")[0]
    assert abs(value_of(threshold, targets, called, positive)) == pytest.approx(found[word]) == pytest.approx(abs(best))
    assert abs(value_of(threshold, targets, logits.argmax(1), positive)) == pytest.approx(found[f"{word}_at_0.5"])


def test_where_nothing_is_better_the_threshold_stays_at_one_half():
    logits = torch.tensor([[0.0, 3.0], [0.0, 2.0], [0.0, -1.0], [0.0, -4.0]], dtype=torch.float64)
    for threshold in ("f1", "balanced"):
        told = fit_decision(threshold, ["no", "yes"], 1, logits, torch.tensor([1, 1, 0, 0]))
        assert told["probability"] == 0.5 and told[threshold] == 1
        for only in (0, 1):
            without = fit_decision(threshold, ["no", "yes"], 1, logits, torch.full((4,), only))
            assert without["costs"] == [1, 1] and "has no example of one class" in summary(without)
    scores, positive = torch.tensor([3.0, 1.0, -1.0]).double(), torch.tensor([True, False, False])
    assert best_boundary(scores, positive, lambda tp, fp, fn, tn: -fp - fn)[0] == 2  # half-way between two examples
    numbers, found = torch.tensor([2.0, 1.0, -1.0]).double(), torch.tensor([True, False, True])
    assert best_boundary(numbers, found, lambda tp, fp, fn, tn: 0 * tp)[0] == 0
    equal = torch.tensor([2 + 1e-5, 2.0, 2 - 1e-5, -1.0]).double()  # three equal examples in batches of three sizes
    of_positive = torch.tensor([True, True, False, False])
    assert best_boundary(equal, of_positive, lambda tp, fp, fn, tn: -fp - fn) == (0, -1, -1)
    never = best_boundary(torch.tensor([1.0, 1.0]).double(), torch.tensor([True, False]), lambda tp, fp, fn, tn: -fp)
    assert never[0] > 1 and never[1:] == (0, -1)  # no split between equal scores; none is called positive


def test_the_positive_class_is_the_rarer_one_of_the_whole_data_in_each_fold(tmp_path):
    """Of 23 and 24 rows, 17 of each are left to train on."""
    rows = [f"{number % 7},{'no' if number < 23 else 'yes'}" for number in range(47)]
    (tmp_path / "table.csv").write_text("\n".join(["x,lived", *rows]) + "\n")
    metrics = train(configure(*words(tmp_path / "table.csv", tmp_path / "run", "threshold=f1", "model=mlp")))
    assert metrics["threshold"]["class"] == metrics["positive"] == "no"


def test_of_more_classes_the_one_is_named_that_is_likely_to_cost_the_least():
    told = fit_decision(DictConfig({"b": 10}), ["a", "b", "c"], 1, torch.zeros(1, 3), torch.zeros(1).long())
    shares = torch.tensor([[0.6, 0.1, 0.3], [0.9, 0.05, 0.05]])
    at = at_threshold(told, ["a", "b", "c"], torch.tensor([0, 0, 2, 1]), torch.tensor([1, 0, 1, 2]))
    assert at["cost"] == 21 / 4 and "costs 5.25" in summary(told, at["cost"])
    assert told["costs"] == [1, 10, 1] and decided(shares, torch.tensor(told["costs"])).tolist() == [1, 0]
    assert decided(shares, None).tolist() == [0, 0] and "smallest expected cost" in summary(told)


@pytest.mark.parametrize("costs", ("{>50K:5}", "{'>50K' : 5.0, <=50K:1}", '{"a: b, c":5}', "{true:5}", "{1.00:5}"))
def test_a_class_of_any_name_has_a_cost(costs):
    asked = configure(f"threshold={costs}", "hydra.run.dir=.").threshold
    names = {"{t": ["false", "true"], "{1": ["0.00", "1.00"], '{"': ["-", "a: b, c"]}.get(costs[:2], ["<=50K", ">50K"])
    check_threshold(asked, names)
    logits, targets = drawn(120, 0)
    found = fit_decision(asked, names, 1, logits, targets)
    assert found == fit_decision(DictConfig({"yes": 5}), ["no", "yes"], 1, logits, targets) | {
        "asked": found["asked"],
        "class": names[1],
    }
    for asked, rarest in ((f"f1:{names[1]}", 0), ("f1", 1)):
        assert fit_decision(asked, names, rarest, logits, targets)["class"] == names[1]


def words(file: Path, folder: Path, *others: str) -> list[str]:
    named = [f"data_dir={file}", "dataset.target=lived", f"hydra.run.dir={folder}", "~callbacks.progress"]
    return ["dataset=csv", "monitor=val/auc", "trainer.max_epochs=4", *named, *others]


@pytest.fixture(scope="module")
def rare(tmp_path_factory) -> tuple[Path, dict, str]:
    """(The folder of a run on a table of a rare class with threshold=f1, its metrics, what it printed)."""
    folder, printed = tmp_path_factory.mktemp("rare"), io.StringIO()
    numbers = np.random.default_rng(0).normal(size=1200)
    rows = [f"{x + (i % 6 == 0):.6f},{'yes' if i % 6 == 0 else 'no'}" for i, x in enumerate(numbers)]
    folder.joinpath("table.csv").write_text("\n".join(["x,lived", *rows]) + "\n")
    with redirect_stdout(printed):
        metrics = train(configure(*words(folder / "table.csv", folder / "run", "threshold=f1")))
    return folder / "run", metrics, printed.getvalue()


def test_the_checkpoint_the_metrics_and_the_end_of_the_training_say_it(rare):
    folder, metrics, printed = rare
    told, kept = metrics["threshold"], load_checkpoint(folder / "best.ckpt")["proj"]["calibration"]["threshold"]
    assert told == kept == json.loads((folder / "metrics.json").read_text())["threshold"]
    assert told["class"] == "yes" and told["f1"] > told["f1_at_0.5"] and told["probability"] < 0.5
    assert f"threshold: class yes from a probability of {told['probability']:.4g} on (validation: F1 " in printed
    costs = load_model(folder / "best.ckpt")[0].costs.tolist()
    assert costs == pytest.approx([told["probability"], 1 - told["probability"]])


def test_the_same_answers_have_the_same_figures_with_and_without_a_threshold():
    """metrics.json has both, and test/acc is measured in float32."""
    targets = torch.arange(15) % 2
    predicted = torch.cat([1 - targets[:1], targets[1:]])
    assert at_threshold({}, ["no", "yes"], predicted, targets)["acc"] == torch.tensor(14 / 15).item() != 14 / 15
    never = at_threshold({"class": "yes"}, ["no", "yes"], 0 * targets, 0 * targets)
    assert never.keys() == {"acc", "balanced_acc", "macro_f1"}  # without a yes, none can be found or missed
    missed = at_threshold({"class": "yes"}, ["no", "yes"], 0 * targets, targets)
    assert [missed[name] for name in ("precision", "recall", "f1")] == [0, 0, 0]


def test_the_training_and_evaluate_measure_both_apart(rare, tmp_path, capsys):
    folder, metrics, printed = rare
    found = evaluate(folder / "best.ckpt", output=str(tmp_path))
    said = capsys.readouterr().out
    model, known = load_model(folder / "best.ckpt")
    test = open_data(known).splits["test"]
    shares = model(test.inputs).softmax(1)
    usual, called = shares.argmax(1), (shares[:, 1] > metrics["threshold"]["probability"]).long()
    at = found["threshold"]
    assert [found["acc"], found["macro_f1"]] == [metrics["test/acc"], metrics["test/macro_f1"]]
    assert found["macro_f1"] == pytest.approx(sum(scores(test.targets, usual)[0]) / 2)
    f1, balanced = scores(test.targets, called)
    assert (at["f1"], at["macro_f1"], at["balanced_acc"]) == pytest.approx((f1[1], sum(f1) / 2, balanced))
    assert at["asked"] == "f1"
    assert at["recall"] == found["acc_per_class"]["yes"] > 0 and sum(map(sum, found["confusion"])) == len(test.targets)
    measured = {name: at[name] for name in ("acc", "balanced_acc", "macro_f1", "precision", "recall", "f1")}
    assert measured == {name: metrics[f"test/{name}_threshold"] for name in measured}
    assert f"{at['acc']:.2%}   balanced {at['balanced_acc']:.2%}   macro F1 {at['macro_f1']:.2%}" in printed
    assert f"accuracy {found['acc']:.2%}" in said and f"accuracy {at['acc']:.2%}" in said
    assert f"At the threshold, class yes from {at['probability']:.4g} on:" in said
    assert all(len(line) <= 80 for line in said.splitlines() if "/" not in line)


def test_costs_of_several_classes_with_probabilities_that_balance_shifts_are_doubted(tmp_path, capsys):
    for balance in ("loss", "none"):
        words = ("threshold={setosa:3}", f"balance={balance}", "trainer.fast_dev_run=true", "~callbacks.progress")
        train(configure("dataset=iris", *words, f"hydra.run.dir={tmp_path / 'run'}"))
        doubted = "balance=loss shifts the probabilities by which threshold=… decides" in capsys.readouterr().out
        assert doubted == (balance == "loss")


def test_the_end_of_a_training_measures_what_is_decided_and_all_classes_alike(rare):
    _, metrics, printed = rare
    assert metrics["test/acc_per_class"] == {"no": 1, "yes": 0} and metrics["test/recall_threshold"] > 0
    assert "predicts 'no' for all" not in printed  # yes is never the most probable class, but the threshold gives it
    figures = "balanced 50.00%   macro F1 {test/macro_f1:.2%}   AUC {test/auc:.3f}".format_map(metrics)
    assert f"classes alike  {figures}" in printed
    assert f"rarer class    yes: average precision {metrics['test/ap']:.3f}" in printed


def test_predict_and_the_exported_file_name_the_class_of_the_threshold(rare, tmp_path, capsys):
    folder, metrics, _ = rare
    numbers = np.linspace(-2, 4, 200)
    (tmp_path / "new.csv").write_text("x\n" + "\n".join(map(repr, numbers.tolist())))
    rows = predict(folder / "best.ckpt", str(tmp_path / "new.csv"), coverage=0.9, show_line=print)
    said = capsys.readouterr().out.splitlines()
    for row, line in zip(rows, said, strict=False):
        called = row["probabilities"]["yes"] > metrics["threshold"]["probability"]
        assert row["class"] == ("yes" if called else "no") and row["probability"] == row["probabilities"][row["class"]]
        assert line.split()[1] == row["class"] and ("(by the threshold)" in line) == (row["probability"] < 0.5)
    assert any(row["class"] == "yes" and row["probability"] < 0.5 for row in rows)
    file = export(folder / "best.ckpt", output=str(tmp_path / "x.onnx"), quantize="int8")
    session = onnxruntime.InferenceSession(file)
    shares, classes = session.run(None, {"x": numbers})
    assert np.array_equal(classes == "yes", shares[:, 1] > np.float32(metrics["threshold"]["probability"]))
    off = np.abs(shares[:, 1] - [row["probabilities"]["yes"] for row in rows])
    assert sum(row["class"] != name for row, name in zip(rows, classes, strict=True)) <= (off > 1e-6).sum()
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["costs"]) == metrics["threshold"]["costs"]
    assert "gives logits only" not in capsys.readouterr().out


def test_a_finished_run_gets_another_threshold_without_training_anew(rare, tmp_path, capsys):
    folder, metrics, _ = rare
    copy = shutil.copytree(folder, tmp_path / "run")
    table = folder.parent / "table.csv"
    again = train(configure(*words(table, copy, "threshold={no:1,yes:5}")))
    assert again["steps"] == metrics["steps"] and again["test/acc"] == metrics["test/acc"]
    told = again["threshold"]
    assert told["asked"] == "{no:1,yes:5}" and told["cost"] < told["cost_at_0.5"]
    at = evaluate(copy / "best.ckpt")
    (_, false), (missed, _) = at["confusion"]
    assert (
        at["threshold"]["cost"] == again["test/cost_threshold"] == pytest.approx((false + 5 * missed) / at["examples"])
    )
    assert f"test: an example costs {at['threshold']['cost']:.4f}" in " ".join(capsys.readouterr().out.split())
    assert load_model(copy / "best.ckpt")[0].costs.tolist() == again["threshold"]["costs"]
    assert "threshold" not in train(configure(*words(table, copy)))
    assert load_model(copy / "best.ckpt")[0].costs is None


@refusals(
    ("threshold=f2", "threshold=f2 is not f1, f1:<class>, balanced, what it costs to miss a class, above 0"),
    ("threshold={>50K:0}", r"threshold=\{>50K:0\} is not f1"),
    ("threshold={yes:0}", r"threshold=\{'yes': 0\} is not f1"),
    ("threshold=f1", "threshold=f1 is for two classes, not 3: say what it costs to miss one, such as"),
    ("threshold={null:3}", r"""threshold holds a name that reads as null: .* such as "threshold=\{'null':5\}"\."""),
    ("threshold={}", r"threshold=\{\} names no class: say what it costs to miss one, such as 'threshold=\{setosa:5\}'"),
    ("threshold={setosa:3,Setosa:2}", "threshold gives setosa two costs, as setosa and as Setosa: leave one out"),
    ("threshold={setosa:3,setosa:2}", "names something twice in .setosa:3,setosa:2.: leave one of the two out"),
    ("threshold={1:2,1.0:3}", "names something twice in .1:2,1.0:3.: leave one of the two out"),
    ("threshold={1_000:3}", r"threshold=1000 does not exist.*quotation marks, such as \"threshold=\{'1_000':5\}\""),
    ("threshold={setsa:5}", "threshold=setsa does not exist. Did you mean 'setosa'"),
)
def test_a_threshold_that_cannot_be_is_one_sentence(tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        train(configure(words, f"hydra.run.dir={tmp_path / 'run'}", "~callbacks.progress"))
