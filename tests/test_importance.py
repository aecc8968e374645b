"""Which columns of a table matter to a model, and which of them may leak the class."""

import json

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image
from support.evaluations import evaluate
from support.runs import events
from support.tables import numbers, read_rows, write_rows
from torch import nn

import proj.use.evaluation
import proj.use.importance
from proj.config.compose import configure
from proj.data.datamodule import Split
from proj.data.tables.word_column import WordColumn
from proj.training.run import train
from proj.use.importance import importance, leaks, means_and_intervals, print_importance

COLUMNS = [*numbers("noise"), WordColumn("word", ["a", "b", "c"])]


class ByWord(nn.Module):
    """The class is the word, with a probability that the three logits 0, 0 and 3 give. Refuses what is no word."""

    seen = 0

    def __init__(self, inputs: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 3, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()[:, 1:4] = 3 * torch.eye(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert (x[:, 1:4].sum(1) == 1).all()
        self.seen += len(x)
        return self.linear(x)


def words(size: int, seed: int = 0, more: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (size,), generator=draws)
    noise = torch.randn(size, 1 + more, generator=draws)
    return torch.cat([noise[:, :1], torch.eye(3)[y], noise[:, 1:]], 1), y


def test_all_inputs_of_a_column_are_shuffled_together_and_one_that_is_not_used_changes_nothing():
    x, y = words(90)
    given = x.clone()
    word, noise = importance(ByWord(), x, y, COLUMNS)
    assert (word["column"], noise["column"]) == ("word", "noise") and word["rows"] == noise["rows"] == 90
    assert all(noise[f"{name}{end}"] == 0 for name in ("log_loss", "accuracy") for end in ("", "_low", "_high"))
    others = 1 - float((y.bincount() / 90).square().sum())  # how often a shuffle brings another word
    assert word["accuracy"] == pytest.approx(others, abs=0.05)
    assert word["log_loss"] == pytest.approx(3 * word["accuracy"], abs=1e-5)  # of the logits 0, 0 and 3
    assert torch.equal(x, given) and importance(ByWord(), x, y, COLUMNS) == [word, noise]


def test_the_interval_holds_what_many_other_rows_give():
    class Partly(ByWord):
        def forward(self, x):
            return super().forward(x) * (x[:, :1] > 0)

    (truth,) = importance(Partly(), *words(10_000), COLUMNS)[:1]
    held = 0
    for seed in range(1, 41):
        word = {row["column"]: row for row in importance(Partly(), *words(60, seed), COLUMNS)}["word"]
        held += word["log_loss_low"] <= truth["log_loss"] <= word["log_loss_high"]
    assert held >= 34


def test_the_interval_of_few_rows_is_students_and_that_of_equal_values_no_wider_than_their_mean():
    low, high = scipy.stats.t.interval(0.95, 2, loc=2.5, scale=scipy.stats.sem([1, 2, 4.5]))
    found = means_and_intervals(torch.tensor([[1, 2, 4.5], [0, 0, 0]], dtype=torch.float64))
    assert (found["log_loss_low"], found["log_loss_high"]) == pytest.approx((low, high), abs=1e-6)
    assert found["accuracy_low"] == found["accuracy_high"] == 0


def test_a_large_table_takes_fewer_rows_and_a_wide_one_the_columns_that_the_gradient_finds(monkeypatch):
    columns = [*COLUMNS, *numbers(*(f"more {place}" for place in range(98)))]
    model, (x, y) = ByWord(102), words(2000, more=98)
    monkeypatch.setattr(proj.use.importance, "WORK", 2 * 102 * 3 * 10 * 50_000)  # ten shuffles of 500 rows a column
    found = importance(model, x, y, columns)
    assert found[0]["column"] == "word" and len(found) == 100 and {row["rows"] for row in found} == {500}
    monkeypatch.setattr(proj.use.importance, "WORK", 2 * 102 * 3 * 10 * 4000)
    model.seen = 0
    found = importance(model, x, y, columns)
    assert found[0]["column"] == "word" and len(found) == 20 and {row["rows"] for row in found} == {200}
    assert model.seen < 11 * 4000 and {row["shuffles"] for row in found} == {10}
    monkeypatch.setattr(proj.use.importance, "WORK", 2 * 102 * 3 * 3 * 2000)  # three shuffles of 200 rows, ten columns
    assert {(row["rows"], row["shuffles"]) for row in importance(model, x, y, columns)} == {(200, 3)}


def asked(columns: dict[str, np.ndarray], y: np.ndarray, accuracy: float) -> list[str]:
    split = Split(torch.tensor(np.stack([*columns.values()], 1)).float(), torch.tensor(y))
    train, test = (Split(split.inputs[part], split.targets[part]) for part in (slice(None, -60), slice(-60, None)))
    return list(leaks([{"column": name} for name in columns], train, test, numbers(*columns), accuracy))


def test_the_rows_of_a_large_table_are_drawn_from_all_also_of_one_in_the_order_of_its_classes(monkeypatch):
    monkeypatch.setattr(proj.use.importance, "MOST_ROWS", 30)
    x, y = words(300)
    word = importance(ByWord(), x[y.argsort()], y.sort().values, COLUMNS)[0]
    assert word["rows"] == 30 and word["accuracy"] > 0.4  # with the first rows alone, all of one word, it would be 0


def test_a_column_that_alone_gives_almost_the_whole_accuracy_is_found():
    draws = np.random.default_rng(0)
    y = draws.integers(0, 3, 300)
    leak, weak, noise = y + draws.normal(size=300) * 0.05, y + draws.normal(size=300), draws.normal(size=300)
    assert asked({"weak": weak, "leak": leak, "noise": noise}, y, 1.0) == ["leak"]
    assert asked({"weak": weak, "noise": noise}, y, 0.95) == []  # it takes more than this column
    assert asked({"weak": weak, "noise": noise}, y, 0.5) == []  # the model itself gains too little
    assert asked({"leak": leak, "id": -leak, "noise": noise}, y, 1.0) == ["leak", "id"]
    assert asked({"leak": leak}, y, 1.0) == []  # there is nothing else to learn from
    strong = y + draws.normal(size=300) * 0.4  # three quarters of what the model gains
    assert asked({"strong": strong, "noise": noise}, y, 1.0) == []
    rare = (draws.random(300) < 0.05).astype(int)
    assert asked({"weak": weak, "noise": noise}, rare, float((rare[-60:] == 0).mean())) == []  # always the same class


def test_the_limits_of_what_is_called_a_leak_and_of_the_rows_are_those_of_the_page():
    draws = np.random.default_rng(0)
    y = draws.integers(0, 3, 300)
    columns = {"leak": y + draws.normal(size=300) * 0.05, "noise": draws.normal(size=300)}
    most = np.bincount(y[-60:]).max() / 60
    assert [asked(columns, y, most + (1 - most) * gain) for gain in (0.49, 0.51)] == [[], ["leak"]]
    columns["leak"][-60:][y[-60:] == 0] = 1  # a tree takes it for the second class
    reached = 1 - (y[-60:] == 0).mean()
    found = [asked(columns, y, most + (reached - most) / share) for share in (0.94, 0.96)]
    assert found == [[], ["leak"]]
    x, targets = torch.tensor(y)[:, None].float().repeat(1, 2), torch.tensor(y)
    rows = [{"column": name} for name in "ab"]
    few = [leaks(rows, Split(x, targets), Split(x[:size], targets[:size]), numbers("a", "b"), 1.0) for size in (29, 30)]
    assert few[0] == {} and list(few[1]) == ["a", "b"]
    assert {row["rows"] for row in importance(ByWord(), *words(10_500), COLUMNS)} == {10_000}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The run of a table with 11 columns of noise, a strong column of words and one that leaks the class."""
    folder, draws = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    rows = [[*(f"noise {place}" for place in range(11)), "très\tlong " * 4, "the result", "y"]]
    for y in [0, 1] * 130:
        cells = [*draws.normal(size=11).round(3), "ab"[y ^ (draws.random() < 0.2)], y + draws.normal() * 0.1]
        rows.append([*cells, ["no", "yes"][y]])
    write_rows(folder / "t.csv", rows)
    words = ("dataset=csv", f"data_dir={folder}/t.csv", "dataset.target=y", "trainer.max_epochs=6")
    train(configure(*words, f"hydra.run.dir={folder}/run", "~callbacks.progress"))
    return folder / "run"


def test_evaluate_writes_a_table_a_csv_file_and_a_picture_and_asks_whether_a_column_leaks(table, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    found = proj.use.evaluation.evaluate(table / "best.ckpt")
    lines = capsys.readouterr().out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("when a column's values are shuffled"))
    shown = lines[start : start + 13]
    assert max(map(len, shown)) <= 80 and shown[12] == "… and 3 columns that matter less"
    assert shown[2].startswith("the result ") and shown[3].startswith("très long très long trè…")
    best = found["importance"][0]
    assert f"{best['log_loss']:.3f} [{best['log_loss_low']:.3f}, {best['log_loss_high']:.3f}]" in shown[2]
    (question,) = [line for line in lines if line.startswith("Does ")]
    assert "Does the result leak the class" in question and """\"dataset.drop=['the result']\"""" in question
    assert list(found["leaks"]) == ["the result"] and json.loads((table / "evaluation.json").read_text()) == found
    rows = read_rows(table / "evaluation_importance.csv")
    assert [{key: str(value) for key, value in row.items()} for row in found["importance"]] == rows
    assert len(rows) == 13 and {row["rows"] for row in rows} == {str(found["examples"])}
    picture = Image.open(table / "evaluation_importance.png")
    (logged,) = events(table).Images("evaluation/importance")
    assert (logged.width, logged.height) == picture.size and len(picture.getcolors(10_000)) > 10


def test_a_narrow_terminal_cuts_no_number_of_the_importance_and_none_is_a_negative_zero(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    row = {f"{what}{end}": 0.1234 for what in ("log_loss", "accuracy") for end in ("", "_high")}
    row |= {"log_loss_low": -0.0001, "accuracy_low": -0.0001}
    row |= {"column": "petal_length", "rows": 8, "shuffles": 10}
    print_importance({"importance": [row], "leaks": {}, "examples": 8}, droppable=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "petal_length 0.123 [0.000, 0.123] 12.3 [0.0, 12.3]" in shown


def test_importance_false_measures_no_column(table, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("proj.use.evaluation.columns_that_matter", None)
    found = evaluate(table / "best.ckpt", importance=False, output=str(tmp_path))
    assert "importance" not in found and "shuffled" not in capsys.readouterr().out
    assert not list(tmp_path.glob("*importance*"))


def test_another_table_of_these_columns_is_measured_without_the_training_part(table, tmp_path):
    whole = {"split": "all", "data_dir": str(table.parent / "t.csv"), "importance": True}
    found = evaluate(table / "best.ckpt", output=str(tmp_path), **whole)
    assert found["importance"][0]["column"] == "the result" and found["leaks"] == {}
    assert (tmp_path / "evaluation_all_importance.csv").is_file()
