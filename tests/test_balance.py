"""Classes of unequal size: the setting `balance`, and the figures in which classes count alike."""

import json
import math
from pathlib import Path

import pytest
import torch
from omegaconf import open_dict
from support.evaluations import evaluate
from torch import nn

from proj.checkpoint.file import load_checkpoint
from proj.config.compose import configure
from proj.config.stored_run import bring_up_to_date, stored_config
from proj.data.batches import Batches
from proj.data.datamodule import InMemoryDataModule, Split
from proj.errors import UserError
from proj.models.balance import WeightedLoss, few_to_measure, inequality, single_answer
from proj.models.metrics import Tally, areas_under_curves
from proj.reports.report import report
from proj.training.robustness.counters import metric_states, restore_metrics
from proj.training.run import train

FIGURES = ("balanced_acc", "macro_f1", "auc", "ap")


def table(folder: Path, yes: int, no: int) -> Path:
    """A table of two classes, which its one number tells apart as well as not."""
    numbers = torch.randn(yes + no, generator=torch.Generator().manual_seed(0)).tolist()
    rows = [f"{x + 0.7 * (i < yes):.6f},{'yes' if i < yes else 'no'}" for i, x in enumerate(numbers)]
    folder.joinpath("table.csv").write_text("\n".join(["x,lived", *rows]) + "\n")
    return folder / "table.csv"


def words(file: Path, folder: Path, *others: str) -> list[str]:
    data = ("dataset=csv", f"data_dir={file}", "dataset.target=lived", "trainer.max_epochs=2")
    return [*data, f"hydra.run.dir={folder}", "~callbacks.progress", *others]


@pytest.fixture(scope="module")
def unequal(tmp_path_factory):
    """(The folder of a run on 20 and 400 examples, its metrics)."""
    folder = tmp_path_factory.mktemp("unequal")
    metrics = train(configure(*words(table(folder, 20, 400), folder / "run", "monitor=val/auc", "balance=loss")))
    return folder / "run", metrics


@pytest.mark.parametrize("classes", (2, 5))
def test_the_figures_are_those_of_scikit_learn_also_where_a_class_is_missing(classes):
    from sklearn import metrics as sk  # here, since it takes seconds

    draw = torch.Generator().manual_seed(classes)
    logits = torch.randn(300, classes, generator=draw).round(decimals=1)  # with ties
    y = torch.randint(0, max(2, classes - 1), (300,), generator=draw)
    tally = Tally(classes)
    for part in torch.arange(300).split(70):
        tally.update(nn.functional.cross_entropy(logits[part], y[part]), logits[part], y[part])
    found, said = tally.compute(), logits.argmax(1)
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert found["acc"] == pytest.approx(sk.accuracy_score(y, said))
    assert found["balanced_acc"] == pytest.approx(sk.balanced_accuracy_score(y, said))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(y, said, average="macro"))
    assert ("auc" in found) == ("ap" in found) == (classes == 2)
    if classes == 2:
        scores = logits[:, 1] - logits[:, 0]
        assert found["auc"] == pytest.approx(sk.roc_auc_score(y, scores))
        assert found["ap"] == pytest.approx(sk.average_precision_score(y, scores))
        tally.positive = 0
        assert tally.compute()["ap"] == pytest.approx(sk.average_precision_score(y, -scores, pos_label=0))
        assert tally.compute()["auc"] == found["auc"]


@pytest.mark.parametrize("classes", (2, 300))  # few logits, which wait to be counted, and too many to wait
def test_figures_are_the_same_bits_wherever_a_checkpoint_comes_between_and_of_batches_of_any_size(classes):
    whole, stopped = Tally(classes, classes == 2), Tally(classes, classes == 2)
    for size in (300, 100, 0, 400, 200):  # none: of several processes, one may get no example of a small last batch
        logits, y = torch.randn(size, classes), torch.randint(classes, (size,))
        for tally in (whole, stopped):
            tally.update(nn.functional.cross_entropy(logits, y), logits, y)
        assert int(stopped.metric_state["confusion"].sum()) == int(stopped.confusion.sum())
    found, other = whole.compute(), stopped.compute()
    assert torch.equal(found.pop("confusion"), other.pop("confusion")) and found == other
    assert ("auc" in found) == (classes == 2) and math.isfinite(found["loss"])


def test_the_areas_under_the_curves_are_exact_where_probabilities_are_all_1():
    scores = torch.tensor([50.0, 60.0, 70.0, 80.0])
    found = areas_under_curves(scores, torch.tensor([False, True, False, True]))
    assert found.tolist() == [0.75, pytest.approx(5 / 6)]
    same = areas_under_curves(torch.zeros(4), torch.tensor([False, True, False, False]))
    assert same.tolist() == [0.5, 0.25]  # the share of the positive class
    for is_positive in (True, False):
        assert areas_under_curves(scores, torch.full((4,), is_positive)).isnan().all()


def test_a_validation_that_was_stopped_goes_on_with_its_scores():
    def counted(tally: Tally, part: slice) -> Tally:
        tally.update(torch.tensor(1.0), logits[part], y[part])
        return tally

    logits, y = torch.randn(9, 2), torch.arange(9) % 2
    model, other = nn.ModuleDict({"val_": counted(Tally(2), slice(5))}), nn.ModuleDict({"val_": Tally(2)})
    other.device = torch.device("cpu")
    restore_metrics(other, metric_states(model))
    counted(other["val_"], slice(5, 9))
    assert other["val_"].compute()["auc"] == counted(Tally(2), slice(9)).compute()["auc"]


@pytest.mark.parametrize("smoothing", (0.0, 0.2))
def test_the_loss_weighs_examples_by_their_class_and_the_mean_weight_is_1(smoothing):
    plain = nn.CrossEntropyLoss(label_smoothing=smoothing)
    counts = torch.tensor([90, 10, 0])
    weighted = WeightedLoss(plain, counts)
    assert weighted.weights.tolist() == pytest.approx([100 / 180, 5, 0]) and plain.reduction == "mean"
    assert (weighted.weights * counts).sum().item() == pytest.approx(100)
    logits, y = torch.randn(6, 3), torch.tensor([0, 0, 0, 0, 1, 1])
    each = [plain(logits[i : i + 1], y[i : i + 1]) * weighted.weights[y[i]] for i in range(6)]
    assert weighted(logits, y).item() == pytest.approx(sum(each).item() / 6)
    assert weighted(logits[:1], y[:1]) == each[0]  # a batch of one class has its weight too
    shares = nn.functional.one_hot(y, 3).float()
    assert weighted(logits, shares).item() == pytest.approx(weighted(logits, y).item())
    with pytest.raises(UserError, match=r"model.loss cannot: use balance=sampling"):
        WeightedLoss(lambda logits, y: logits.sum(), counts)
    heedless = nn.Module()
    heedless.reduction, heedless.forward = "mean", nn.functional.cross_entropy
    with pytest.raises(UserError, match=r"model.loss cannot: use balance=sampling"):
        WeightedLoss(heedless, counts)(logits, y)


def test_sampling_draws_classes_alike_in_epochs_of_the_same_length():
    targets = torch.tensor([0] * 900 + [2] * 90 + [3] * 10)  # and none of class 1

    def epoch(number: int, rank: int = 0, world: int = 1, start: int = 0) -> list[torch.Tensor]:
        index = torch.arange(len(targets))
        made = Batches(index, targets, 50, lambda x, i, *_: x[i], shuffle=True, rank=rank, world=world, balanced=True)
        made.epoch, made.first_batch = number, start
        return [x for x, _ in made]

    drawn = torch.cat(epoch(0))
    assert len(drawn) == 1000 and drawn.unique().max() < 1000
    counts = targets[drawn].bincount(minlength=4)
    assert counts[1] == 0 and all(270 < count < 400 for count in counts[[0, 2, 3]])
    assert len(drawn[targets[drawn] == 3].unique()) == 10
    assert all(map(torch.equal, epoch(0)[5:], epoch(0, start=5))) and not torch.equal(drawn, torch.cat(epoch(1)))
    ranks = [epoch(0, rank, world=2) for rank in range(2)]
    together = [torch.stack(parts, 1).flatten() for parts in zip(*ranks, strict=True)]
    assert torch.equal(torch.cat(together), drawn)


def test_a_run_measures_them_with_every_validation_and_test(unequal):
    folder, metrics = unequal
    stored = json.loads((folder / "metrics.json").read_text())
    for name in FIGURES:
        assert 0 <= stored[f"val/{name}"] <= 1 and 0 <= stored[f"test/{name}"] <= 1
    assert stored["val/auc"] == metrics["val/auc"] > 0.5
    assert stored["positive"] == "yes"  # the rarer one


def test_evaluate_and_the_report_show_them(unequal, capsys):
    folder, metrics = unequal
    found = evaluate(folder / "best.ckpt")
    assert [found[name] for name in FIGURES] == [metrics[f"test/{name}"] for name in FIGURES]
    assert "balanced" in (said := capsys.readouterr().out) and "AUC" in said
    assert f"average precision of class yes: {metrics['test/ap']:.4f}\n" in said and found["positive"] == "yes"
    assert report([folder])["metrics"] == ["val/auc", "test/auc", "test/acc"]
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines() if "/" not in line)
    assert "test/macro_f1" in (folder / "report.csv").read_text()


def test_average_precision_is_that_of_the_rarer_class_of_the_whole_data_and_evaluate_takes_the_same(unequal, tmp_path):
    parts = {"train": [0, 0, 1, 1, 1], "val": [0], "test": [0]}
    for known, rarest in ((["train", "val", "test"], 1), (["train", "val"], 1), (["train"], 0)):  # of equals the last
        data = InMemoryDataModule(batch_size=1, seed=0)
        data.splits = {part: Split(None, torch.tensor(parts[part])) for part in known}
        assert data.rarest_class == rarest
    checkpoint = load_checkpoint(unequal[0] / "best.ckpt")
    for known, name in ((0, "no"), (1, "yes"), (None, "yes")):  # None: older versions did not store it
        checkpoint["proj"].pop("positive")
        checkpoint["proj"] |= {} if known is None else {"positive": known}
        torch.save(checkpoint, tmp_path / "best.ckpt")
        found = evaluate(tmp_path / "best.ckpt")
        assert found["positive"] == name and (found["ap"] > 0.9) == (name == "no")
        checkpoint["proj"]["positive"] = known


def test_classes_of_ten_times_the_size_get_a_line_that_names_the_setting():
    assert inequality(torch.tensor([100, 11]), ["a", "b"]) is None
    line = inequality(torch.tensor([1000, 50, 100]), ["a", "b", "c"])
    assert "class a has 1,000 training examples, class b 50" in line and "balance=loss or balance=sampling" in line
    assert "class c 50" in inequality(torch.tensor([1000, 0, 50]), ["a", "b", "c"])
    assert inequality(torch.tensor([10, 0]), ["a", "b"]) is None  # no weight makes a class count that has no example


def test_a_part_that_lacks_classes_is_said(configure, tmp_path, capsys):
    for part, classes in (("train", "abc" * 10), ("test", "bbb")):
        rows = "".join(f"{number}.5,{name}\n" for number, name in enumerate(classes))
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / f"{part}.csv").write_text("x,y\n" + rows)
    train(configure("dataset=csv", f"data_dir={tmp_path / 'parts'}", "dataset.target=y", "+trainer.max_steps=1"))
    said = capsys.readouterr().out
    assert "test has no example of 2 classes: a, c\n" in said and "val has no" not in said


@pytest.mark.parametrize(
    ("train", "val", "test", "folds"),
    (([3, 9], [1, 9], [1, 9], 5), ([1, 9], [1, 9], [1, 9], 3), ([9, 9], [0, 2], [3, 3], 5)),
)
def test_classes_of_one_or_two_examples_to_measure_are_said_and_folds_that_hold_them(train, val, test, folds):
    data = InMemoryDataModule(None, 0)
    data.class_names = ["fraud", "ok"]
    parts = {"train": train, "val": val, "test": test}
    ys = {part: torch.tensor([0, 1]).repeat_interleave(torch.tensor(counts)) for part, counts in parts.items()}
    data.splits = {part: Split(y, y) for part, y in ys.items()}
    (said,) = few_to_measure(data, True)
    at = val.index(min(one for one in val if one))
    assert f"by: {data.class_names[at]} (val {val[at]}, test {test[at]}). The" in said
    assert f"-m dataset.folds={folds}" in said
    assert "folds" not in few_to_measure(data, False)[0]
    data.fold = (0, 3)
    assert few_to_measure(data, True) == []


CHOSEN = {"balance": "none", "monitor": "val/acc"}


def test_a_model_that_calls_all_examples_the_same_gets_a_sentence_and_the_data_a_line(tmp_path, capsys):
    train(configure(*words(table(tmp_path, 20, 400), tmp_path / "run", "monitor=val/loss", "trainer.max_epochs=3")))
    said = capsys.readouterr().out
    assert "class no has 289 training examples, class yes 14: balance=loss or balance=sampling" in said
    assert "The model predicts 'no' for all 63 examples" in said
    others = [[955, 14], [30, 1]]  # 985 of 1,000
    for right in ([[5, 0], [0, 0]], [[5, 0], [2, 1]], [[950, 0], [49, 1]], others):  # one class; not all; more right
        assert single_answer(torch.tensor(right), ["a", "b"], CHOSEN) is None
    unequal = torch.tensor([[950, 1], [49, 0]])
    said = single_answer(unequal, ["good", "bad"], CHOSEN)
    assert "predicts 'good' for 999 of 1,000 examples" in said and "balance=loss" in said and "monitor=val/loss" in said
    equal = single_answer(torch.tensor([[5, 0], [5, 0]]), ["a", "b"], CHOSEN)
    assert "try monitor=val/loss" in equal  # nothing to balance


@pytest.mark.parametrize(
    ("balance", "monitor", "advised"),
    (
        ("loss", "val/loss", "another optimizer.lr"),
        ("loss", "val/balanced_acc", "another optimizer.lr"),  # as docs/training.md advises
        ("loss", "val/acc", "monitor=val/balanced_acc, another"),
        ("none", "val/auc", "balance=loss or balance=sampling with monitor=val/balanced_acc, or another"),
    ),
)
def test_what_was_tried_or_measures_all_classes_alike_is_not_advised_against(balance, monitor, advised):
    unequal = torch.tensor([[950, 1], [49, 0]])
    said = single_answer(unequal, ["good", "bad"], {"balance": balance, "monitor": monitor})
    assert f"try {advised}" in said and "val/loss" not in said


def test_evaluate_says_too_that_a_model_calls_all_examples_the_same(trained, tmp_path, monkeypatch, capsys):
    path = trained() / "best.ckpt"
    monkeypatch.setattr("torch.nn.Linear.forward", lambda self, x: torch.eye(self.out_features)[:1].expand(len(x), -1))
    evaluate(path, output=str(tmp_path))
    assert "The model predicts 'setosa' for all 15 examples" in capsys.readouterr().out


def test_a_better_monitor_is_higher():
    for name in FIGURES:
        assert configure(f"monitor=val/{name}", "hydra.run.dir=unused").mode == "max"
        with pytest.raises(UserError, match="would keep the worst checkpoint"):
            configure(f"monitor=val/{name}", "mode=min", "hydra.run.dir=unused")


def test_a_run_of_before_has_no_balance_and_light_augmentation(unequal):
    cfg = stored_config(unequal[0], [])
    with open_dict(cfg):
        del cfg.balance, cfg.choices.augment
    bring_up_to_date(cfg)
    assert (cfg.balance, cfg.choices.augment) == ("none", "light")
