"""python -m proj.evaluate: its figures, pictures and sentences."""

import errno
import io
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from PIL import Image
from support.evaluations import evaluate
from support.refusals import refusals
from support.runs import events, rewritten
from support.tables import read_rows
from torch import nn
from torch.utils.data import DataLoader

import proj.use.evaluation
from proj.checkpoint.file import load_model
from proj.config.command_line import read_options
from proj.data.datamodule import Split
from proj.data.facts import pair
from proj.errors import UserError
from proj.models.backbones import Recipe
from proj.models.logits import UNCALIBRATED
from proj.models.pretrained import Fit
from proj.pictures import plots
from proj.pictures.drawing import beside_heat
from proj.pictures.plots import log_pictures, reliability_picture
from proj.use.answers import Answers
from proj.use.data import holds_training, is_other, note_seen
from proj.use.evaluation import classify, draw, mistaken, open_data
from proj.use.evaluation_table import print_evaluation
from proj.use.heat_map import heat_map
from proj.use.places import refuse_among_data


@pytest.fixture(scope="module")
def evaluated(digits):
    return proj.use.evaluation.evaluate(digits / "best.ckpt")  # with its pictures


def figures(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("words", (("dataset=digits", "tta=true"), (), ("dataset=fashion_mnist", "model=cnn")))
def test_the_figures_are_those_of_the_training_bit_for_bit(trained, tmp_path, words):
    folder = trained(*words)
    found, metrics = evaluate(folder / "best.ckpt", output=str(tmp_path)), figures(folder)
    assert (found["acc"], found["loss"]) == (metrics["test/acc"], metrics["test/loss"])
    assert found["acc_per_class"] == metrics["test/acc_per_class"]


def test_another_loss_than_the_training_measured_is_said(trained, tmp_path, capsys):
    """As where code of one's own has changed, which no checkpoint holds."""
    folder = shutil.copytree(trained(), tmp_path / "run")
    evaluate(folder / "best.ckpt")
    assert "the training measured" not in capsys.readouterr().out
    metrics = figures(folder)
    text = json.dumps(metrics | {"test/loss": 1.05 * metrics["test/loss"]}) + "\n"
    (folder / "metrics.json").write_text(text)
    evaluate(folder / "best.ckpt")
    said = " ".join(capsys.readouterr().out.split())
    assert f"the training measured a test loss of {1.05 * metrics['test/loss']:.4f}, and this is" in said
    (folder / "metrics.json").write_text(text.replace('"test_examples_left_out": 0', '"test_examples_left_out": 5'))
    evaluate(folder / "best.ckpt")
    assert "the training measured" not in capsys.readouterr().out


def test_the_augmented_accuracy_is_that_of_the_training(digits):
    found = evaluate(digits / "best.ckpt", tta=True)
    assert found["acc"] == figures(digits)["test/acc_tta"] and (digits / "evaluation_tta.json").is_file()


def test_a_model_that_was_measured_keeps_no_answers_afterwards(digits):
    model, known = load_model(digits / "best.ckpt")
    hooks, temperature = dict(model._forward_hooks), model.temperature
    classify(model, open_data(known), known, known["class_names"], tta=False)
    assert dict(model._forward_hooks) == hooks and model.temperature == temperature != 1


def test_a_loader_of_ones_own_that_gives_the_test_examples_in_another_order_is_refused(digits):
    model, known = load_model(digits / "best.ckpt")
    data = open_data(known)
    batches = [(x.flip(0), y.flip(0)) for x, y in data.test_dataloader()]
    data.test_dataloader = lambda: DataLoader(batches, batch_size=None)
    with pytest.raises(UserError, match=r"DigitsDataModule\.test_dataloader gives other examples .* without shuffle"):
        classify(model, data, known, known["class_names"], tta=False)


@pytest.fixture(scope="module")
def answers(digits):
    """(The model's probabilities of the test examples, their classes)."""
    model, known = load_model(digits / "best.ckpt")
    x, y = next(iter(open_data(known).test_dataloader()))
    return model(x).softmax(1).detach(), y


def test_every_figure_follows_from_the_logits(answers, evaluated):
    shares, y = answers
    confidence, predicted = shares.max(1)
    right = predicted == y
    assert evaluated["examples"] == len(y) and evaluated["acc"] == pytest.approx(right.float().mean().item())
    ranks = (shares > shares[torch.arange(len(y)), y, None]).sum(1)
    assert evaluated["top3_acc"] == pytest.approx((ranks < 3).float().mean().item())
    f1 = [2 * ((predicted == k) & (y == k)).sum() / ((predicted == k).sum() + (y == k).sum()) for k in range(10)]
    assert evaluated["macro_f1"] == pytest.approx(sum(f1).item() / 10)
    bins = (confidence * 15).long()
    gaps = [(confidence - right.float())[bins == k].sum().abs().item() for k in range(15)]
    assert evaluated["calibration_error"] == pytest.approx(sum(gaps) / len(y), abs=1e-6)
    assert np.array(evaluated["confusion"]).trace() == right.sum() and np.sum(evaluated["confusion"]) == len(y)
    assert evaluated["confusion"][3][5] == ((y == 3) & (predicted == 5)).sum()


def test_the_mistakes_are_the_most_confident_ones_first(answers, evaluated):
    (confidence, predicted), y = answers[0].max(1), answers[1]
    wrong = confidence[predicted != y].sort(descending=True).values
    mistakes = evaluated["mistakes"]
    assert 0 < len(mistakes) == min(30, len(wrong))
    assert [one["probability"] for one in mistakes] == pytest.approx(wrong[:30].tolist())
    assert [int(one["right"]) for one in mistakes] == y[[one["index"] for one in mistakes]].tolist()
    assert [int(one["predicted"]) for one in mistakes] == predicted[[one["index"] for one in mistakes]].tolist()


def by_costs(*costs: float) -> dict:
    """What a checkpoint says of two classes that are decided for by costs."""
    return {"class_names": ["a", "b"], "calibration": UNCALIBRATED | {"threshold": {"costs": [*costs]}}}


def test_the_probability_of_an_answer_is_that_of_the_class_that_costs_name():
    logits = torch.tensor([[2.0, 0.0]])
    answers = Answers(logits, torch.tensor([0]), ["a", "b"], by_costs(1.0, 100.0))
    wanted = {"right": "a", "predicted": "b", "probability": pytest.approx(logits.softmax(1)[0, 1].item())}
    assert answers.to_example(0) == wanted and answers.worst(1) == [0]


def test_the_reliability_picture_is_of_the_most_probable_class_as_the_calibration_error_is(calls_of):
    drawn, logits = calls_of(plots, "reliability_picture"), torch.tensor([[0.0, -2.0]]).expand(2, 2)
    answers = Answers(logits, torch.tensor([0, 1]), ["a", "b"], by_costs(1.0, 99.0))
    draw({"confusion": torch.tensor([[0, 1], [0, 1]]), "calibration_error": 0.38}, answers, 1.0, None)
    ((sure, right, _, _),) = drawn
    assert right.tolist() == [True, False] and sure == pytest.approx(1 / (1 + np.exp(-2)))


def test_the_files_lie_beside_the_checkpoint_and_the_pictures_in_tensorboard(digits, evaluated):
    assert json.loads((digits / "evaluation.json").read_text()) == evaluated
    accumulator = events(digits)
    for kind in ("confusion", "reliability", "mistakes"):
        picture = Image.open(digits / f"evaluation_{kind}.png")
        assert min(picture.size) > 250 and len(set(picture.convert("L").tobytes())) > 20
        (logged,) = accumulator.Images(f"evaluation/{kind}")
        assert (logged.width, logged.height) == picture.size


def test_no_letter_of_a_folders_name_controls_the_terminal(trained, tmp_path, capsys):
    evaluate(trained() / "best.ckpt", output=str(tmp_path / "a\x1b[31m"))
    said = capsys.readouterr().out
    assert "\x1b" not in said and r"a\x1b[31m" in said


def test_the_validation_part_is_that_of_the_training(digits):
    assert evaluate(digits / "best.ckpt", split="val")["acc"] == figures(digits)["val/acc"]
    assert (digits / "evaluation_val.json").is_file()


def test_all_is_every_example_of_every_part_also_where_the_current_folder_is_a_sweeps(digits, tmp_path, monkeypatch):
    (tmp_path / "sweep.yaml").touch()
    monkeypatch.chdir(tmp_path)
    _, known = load_model(digits / "best.ckpt")
    y = torch.cat([split.targets for split in open_data(known).splits.values()])
    found = evaluate(digits / "best.ckpt", split="all", dataset="digits", output=str(tmp_path))
    assert np.sum(found["confusion"], 1).tolist() == y.bincount().tolist() and found["examples"] == 1797


def test_the_table_names_the_classes_and_keeps_to_80_columns(digits, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("proj.use.evaluation_table.SHOWN", 3)
    found = evaluate(digits / "best.ckpt", split="train")
    output = capsys.readouterr().out
    table = [line for line in output.splitlines() if str(digits) not in line]
    assert max(map(len, table)) <= 80 and f"accuracy {found['acc']:.2%}" in output and "top-3" in output
    assert "… and 7 classes with fewer mistakes" in output
    worst = min(found["acc_per_class"].items(), key=lambda one: one[1])
    assert table[table.index(next(line for line in table if line.startswith("class"))) + 1].startswith(worst[0])


@pytest.mark.parametrize("width", [80, 40])
def test_long_names_of_classes_cut_no_number_from_the_table(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    names = ["Tomato___Tomato_Yellow_Leaf_Curl_Virus", "Tomato___Spider_mites_Two-spotted_spider_mite"]
    names.append("Tomato___Tomato_mosaic_virus_of_leaves")
    figures = dict.fromkeys(("acc", "balanced_acc", "macro_f1", "loss", "calibration_error", "temperature"), 1)
    figures |= {"tta": False, "split": "test", "examples": 12, "dataset": "image_folder", "coverage": None}
    figures |= {
        "threshold": None,
        "acc_per_class": dict.fromkeys(names, 0.25),
        "confusion": torch.tensor([[1, 2, 1], [3, 1, 0], [0, 3, 1]]),
    }
    print_evaluation(figures, names)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("Tomato")]
    assert [(row[1], row[2], row[-1]) for row in rows] == [
        ("4", "25.00%", share) for share in ("50.0%", "75.0%", "75.0%")
    ]


def test_another_dataset_is_prepared_and_mirrored_as_the_models_own(trained, data_dir, tmp_path, monkeypatch, capsys):
    path = trained("dataset=fashion_mnist", "model=cnn") / "best.ckpt"
    _, known = load_model(path)
    data, mirrored = open_data(known, "mnist", str(data_dir)), []
    assert data.mean == known["mean"] and data.std == known["std"]
    monkeypatch.setattr(
        "proj.use.evaluation.augmented_logits", lambda network, x, mirror: mirrored.append(mirror) or network(x)
    )
    found = evaluate(path, tta=True, dataset="mnist", data_dir=str(data_dir), output=str(tmp_path))
    assert set(mirrored) == {known["config"]["dataset"]["flip"]} == {True}
    said = capsys.readouterr().out
    assert "paired in their order: 0 - zero is T-shirt/top, 1 - one is Trouser, " in said
    assert "Note: this is not the data" not in said  # has changed, which is no news of another dataset
    assert next(iter(found["acc_per_class"])) == "0 - zero" and found["dataset"] == "mnist"
    assert (tmp_path / "evaluation_mnist_tta.json").is_file()


def test_a_folder_that_no_dataset_is_named_for_is_not_filled_with_a_download_and_measured(trained, tmp_path):
    path = trained("dataset=fashion_mnist", "model=cnn") / "best.ckpt"
    with pytest.raises(UserError, match=r"what the model was trained on, .*: add dataset=image_folder"):
        evaluate(path, split="all", data_dir=str(tmp_path))
    assert not any(tmp_path.iterdir())


def test_classes_are_paired_by_their_names_and_one_that_never_comes_has_no_accuracy(digits, monkeypatch, tmp_path):
    _, known = load_model(digits / "best.ckpt")
    data = open_data(known)
    inputs, y = data.splits["test"]
    chosen = (y == 7) | (y == 2)
    data.splits["test"] = data.splits["test"]._replace(inputs=inputs[chosen], targets=(y[chosen] == 2).long())
    data.class_names = ["7", "2"]
    monkeypatch.setattr(proj.use.evaluation, "open_data", lambda *_, **__: data)
    found = evaluate(digits / "best.ckpt", dataset="some", output=str(tmp_path))
    whole = figures(digits)["test/acc_per_class"]
    assert {name: acc for name, acc in found["acc_per_class"].items() if acc is not None} == {k: whole[k] for k in "27"}
    assert json.loads((tmp_path / "evaluation_some.json").read_text())["acc_per_class"]["3"] is None


def test_classes_are_paired_by_names_in_any_order_subset_or_spelling():
    assert pair(["night", "day"], ["day", "night"]) == ([1, 0], ["day", "night"])
    assert pair(["night"], ["day", "night"]) == ([1], ["day", "night"])
    assert pair([" Night", "day"], ["Day", "dusk", "night"]) == ([2, 0], ["Day", "dusk", "night"])
    assert pair(["café"], ["tea", "cafe\u0301"]) == ([1], ["tea", "cafe\u0301"])  # as a Mac writes it
    assert pair(["A", "a"], ["a", "A"]) == ([1, 0], ["a", "A"])
    assert pair(["2.0", "1.0"], ["1", "2", "3"]) == ([1, 0], ["1", "2", "3"])


UNLIKE = ("alba, day|day, night", "Alba, Day|day, night", "day, dusk, night|day, night", "x, y|day, dusk, night")
UNLIKE += ("x, y, z|day, night", "a, A|a, b")


@pytest.mark.parametrize("lists", UNLIKE)
def test_classes_that_cannot_be_paired_are_refused_with_both_lists(lists):
    given, known = lists.split("|")
    with pytest.raises(UserError, match=f"the data has the classes {given} and the model {known}, which cannot be pai"):
        pair(given.split(", "), known.split(", "))


def test_data_that_has_changed_since_the_training_is_noted(trained, data_dir, tmp_path, monkeypatch, capsys):
    path = trained("dataset=fashion_mnist", "model=cnn") / "best.ckpt"
    assert evaluate(path, output=str(tmp_path))["data_dir"] is None
    assert "Note" not in capsys.readouterr().out
    shutil.copytree(data_dir / "FashionMNIST", tmp_path / "data" / "FashionMNIST")
    file = tmp_path / "data/FashionMNIST/raw/t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    monkeypatch.chdir(tmp_path)
    found = evaluate(path, data_dir="data", output=str(tmp_path))
    said = capsys.readouterr().out
    assert "this is not the data of the training: the part may hold" in said and "split=all measures all of it" in said
    assert found["data_dir"] == str(tmp_path / "data")
    with rewritten(path, tmp_path / "best.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["dataset"]["data_dir"] = str(tmp_path / "data")
    evaluate(tmp_path / "best.ckpt", output=str(tmp_path))
    assert (tmp_path / "evaluation_changed_test.json").is_file()  # beside the figures of the training's own test set
    capsys.readouterr()
    note_seen("test", True, "", "", "", {}, None)  # it changed in its place, where split=all would measure it too
    assert "is not the data of the training" in (said := capsys.readouterr().out) and "split=all" not in said


def test_the_trainings_own_tables_are_known_by_their_pattern_and_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = {"config": {"dataset": {"data_dir": str(tmp_path / "part*.csv"), "sheet": "a"}}}
    others = [is_other("all", None, contents, "part*.csv", sheet) for sheet in ("", "a", "b")]
    assert others == [False, False, True]
    several = os.pathsep.join(str(tmp_path / name) for name in ("a.csv", "b.csv"))
    contents = {"config": {"dataset": {"data_dir": several}}}
    assert not is_other("all", None, contents, os.pathsep.join(("a.csv", "b.csv")), "")


def test_a_copy_of_the_trainings_table_is_noted_as_such_and_another_table_is_not(trained, tmp_path, capsys):
    lines = [f"{n % 7},{n},{'ab'[n % 2]}" for n in range(60)]
    for name, rows in (("table", lines), ("copy", lines), ("others", [f"1{line}" for line in lines])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,y,class", *rows]))
    run = trained("dataset=csv", "dataset.target=class", f"data_dir={tmp_path}/table.csv")
    for name, seen in (("copy", True), ("others", False)):
        evaluate(run / "best.ckpt", split="all", data_dir=str(tmp_path / f"{name}.csv"), output=str(tmp_path / "out"))
        assert ("the model was trained on this data" in capsys.readouterr().out) == seen


@pytest.mark.parametrize(
    ("measured", "trained_on", "seen"),
    (
        ("photos/train", "photos", True),
        ("photos/seg_test", "photos", False),
        ("pets/pets/val", "pets", False),
        ("photos", "photos/train", True),
        ("photos2", "photos", False),
        ("table/train.csv", "table", True),
        ("table/test.csv", "table", False),
        ("tables/2.csv", "tables/*.csv", True),
        ("b.csv", f"a.csv{os.pathsep}b.csv", True),
    ),
)
def test_a_part_of_the_trainings_files_is_noted_unless_it_is_named_after_validation_or_test(
    tmp_path, monkeypatch, capsys, measured, trained_on, seen
):
    monkeypatch.chdir(tmp_path)
    trained_on = os.pathsep.join(str(tmp_path / one) for one in trained_on.split(os.pathsep))
    stored = {"dataset": {"data_dir": trained_on}, "choices": {"dataset": "image_folder"}}
    note_seen("all", True, "", measured, "", {"config": stored}, SimpleNamespace(input_shape=(4,)))
    assert ("was trained on this data, or on some of it" in capsys.readouterr().out) == seen
    assert holds_training(measured, trained_on) == seen


@pytest.mark.parametrize(("dataset", "seen"), (("mnist", True), ("kmnist", False)))
def test_all_of_an_official_dataset_is_noted_where_the_model_was_trained_on_it(capsys, dataset, seen):
    stored = {"dataset": {"data_dir": "/data", "source": {}}, "choices": {"dataset": "mnist"}}
    for data_dir in ("", "/data"):
        note_seen("all", True, dataset, data_dir, "", {"config": stored}, SimpleNamespace(input_shape=(4,)))
        assert ("was trained on this data" in capsys.readouterr().out) == seen


@refusals(
    ((), "name either a checkpoint, ckpt=<file>, or a run, run=<folder>"),
    (("run={run}", "ckpt={run}/best.ckpt"), "name either a checkpoint"),
    (("run=nowhere",), "there is no checkpoint nowhere/best.ckpt. Give run=<folder of a run>."),
    (("run={run}", "splt=val"), "there is no option 'splt'. Did you mean 'split'?"),
    (("run={run}", "split=vall"), "split=vall does not exist. Did you mean 'val'? Options: all, test, train, val."),
    (("run={run}", "split=all"), "split=all is for data that the model has not seen: name it with data_dir=…"),
    (("run={run}", "val"), "'val' is not of the form key=value"),
    (("ckpt={run}/metrics.json",), "is truncated or is not a checkpoint"),
    (("run={run}", "dataset=minst"), "dataset=minst does not exist. Did you mean 'mnist'?"),
    (("run={run}", "dataset=iris"), "the data has inputs of 4 in 3 classes, the model takes 1×8×8"),
    (("run={run}", "dataset=mnist", "data_dir={data}"), "inputs of 1×28×28 in 10 classes"),
    (("run={run}", "dataset=mnist", "data_dir={run}"), "MNIST is missing or damaged in"),
    (("run={run}", "data_dir=x"), "data_dir=… has no effect here, since this dataset reads no files: leave it out, or"),
    (("run={run}", "data_dir=x", "split=all"), "or add dataset=image_folder, which reads your own files"),
    (("run={iris}", "data_dir=x", "split=all"), "or add dataset=csv, which reads your own files"),
    (("run={run}", "sheet=x"), "sheet=… is for tables in files, and this data is something else: leave it out"),
    (("run={run}", "output={run}/best.ckpt"), "could not be written"),
    (("run={run}", "--config-dir=nope"), "--config-dir=nope has no effect without dataset=…"),
    (("run={run}", "--config-dir=nope", "dataset=mnist"), "--config-dir=nope: there is no such folder"),
    (("run={run}", "trust=liner"), "trust=liner: there is no module of that name here"),
    (("run={run}", "importance=false"), "importance=… is for the columns of tables, and this model"),
    (("run={iris}", "tta=true"), "tta=true mirrors and moves images, and this model takes something else"),
)
def test_a_mistake_is_one_sentence(trained, digits, data_dir, monkeypatch, mistake, words, sentence):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no network
    places = {"run": digits, "iris": trained(), "data": data_dir}
    words = [word.format(**places) for word in words]
    assert sentence in mistake("proj.evaluate", *(words or ["split=test"]))


@pytest.mark.parametrize(
    ("word", "meant"),
    (
        ("ckpt=mine/run1/bset.ckpt", "mine/run1/best.ckpt"),
        ("ckpt=mine/run1/best", "mine/run1/best.ckpt"),
        ("ckpt=mien/run1/best.ckpt", "mine/run1/best.ckpt"),
        ("run=mien/run1", "mine/run1"),
        ("run=mine/rum1", "run=mine/run1"),
        ("ckpt=mien/else/best.ckpt", ""),
        ("ckpt=other.ckpt", ""),
    ),
)
def test_a_misspelled_checkpoint_is_answered_with_what_is_meant(tmp_path, monkeypatch, word, meant):
    monkeypatch.chdir(tmp_path)
    Path("mine/run1").mkdir(parents=True)
    Path("mine/run1/best.ckpt").touch()
    with pytest.raises(UserError, match="there is no checkpoint ") as refused:
        read_options({}, [word])
    assert (f" Did you mean {meant!r}?" in str(refused.value)) if meant else "Did you mean" not in str(refused.value)


def test_a_mistake_and_help_are_answered_without_torch(command, tmp_path):
    (tmp_path / "best.ckpt").touch()
    code = (
        "import importlib, sys\nfor name in ('evaluate', 'predict', 'export'):\n"
        "    main = importlib.import_module(f'proj.{name}').main\n"
        "    for words in ('ckpt=best.ckpt outptu=y', 'ckpt=best.ckpt input=x output=x.txt', '--help'):\n"
        "        sys.argv[1:] = words.split()\n        try: main()\n        except SystemExit as stop: print(stop)\n"
        "        assert not {'torch', 'lightning', 'matplotlib', 'numpy', 'torchvision'} & set(sys.modules)\n"
    )
    process = command("-c", code)
    assert process.returncode == 0 and process.stdout.count("no option 'outptu'. Did you mean 'output'?") == 3, process
    assert process.stdout.count("output=x.txt should end in .csv or .jsonl") == 1
    for module in ("evaluate", "predict", "export"):
        assert f"python -m proj.{module} ckpt=<file>" in process.stdout


def test_the_reliability_picture_holds_the_accuracy_of_each_bin_and_its_gap_to_the_confidence(calls_of):
    drawn = calls_of(Axes, "bar")
    reliability_picture(np.array([0.5, 0.95, 0.5, 1.0]), np.array([True, True, False, True]), error=0.0125)
    (places, accuracy), (_, gap), (_, shares) = [(list(places), list(heights)) for _, places, heights, *_ in drawn]
    assert places == pytest.approx([7.5 / 15, 14.5 / 15]) and shares == [0.5, 0.5]
    assert accuracy == [0.5, 1] and gap == pytest.approx([0, -0.025])


def test_the_reliability_picture_of_classes_of_equal_size_says_so(calls_of):
    labels, drawn = calls_of(Axes, "set_ylabel"), calls_of(Axes, "bar")
    for weights in (1.0, np.array([0.5, 1.5])):
        reliability_picture(np.array([0.5, 0.9]), np.array([True, False]), 0.5, weights)
    assert [words[1] for words in labels][1::2] == ["examples", "examples,\nclasses alike"]
    assert [words[2].tolist() for words in drawn][2::3] == [[0.5, 0.5], [0.25, 0.75]]


def test_a_network_looks_where_its_class_is_drawn():
    """A filter that answers to one pixel, and a head that takes the brightest answer for class 1."""
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(1))
    network = nn.Sequential(network, nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        network[0][0].weight.zero_()[0, 0, 1, 1] = 1
        network[2].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    x = torch.zeros(2, 1, 6, 8)
    x[0, 0, 2, 5] = x[1, 0, 4, 1] = 1
    heat = heat_map(network, x, torch.tensor([1, 1]))
    assert heat.shape == (2, 6, 8) and heat.sum() == 2 and heat[0, 2, 5] == heat[1, 4, 1] == 1
    assert not heat_map(network, x, torch.tensor([0, 0])).any()  # nothing speaks for class 0
    assert not any(module._forward_hooks for module in network.modules())


def test_an_mlp_looks_at_pixels():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[0.0, 0, 0, 0], [1, -1, 2, 0]]))
    heat = heat_map(network, torch.ones(1, 1, 2, 2), torch.tensor([1]))
    assert heat.tolist() == [[[0.5, 0], [1, 0]]]


def test_mistakes_are_drawn_on_the_device_of_the_model(monkeypatch):
    # After a test on a GPU, Lightning has moved the model back to the CPU, and the images are still on the GPU.
    devices = []

    def look(model, x, classes):
        devices.append(x.device.type)
        return torch.zeros(2, 2, 2)

    monkeypatch.setattr(proj.use.evaluation, "heat_map", look)
    model, facts = SimpleNamespace(device="meta"), SimpleNamespace(pixels=lambda x: torch.zeros(2, 2, 2, 1))
    images = torch.zeros(3, 1, 2, 2)
    data = SimpleNamespace(splits={"test": Split(images, None)}, prepare=lambda inputs, index, draws: inputs[index])
    answers = SimpleNamespace(predicted=torch.zeros(3, dtype=torch.long))
    assert mistaken(model, facts, data, "test", answers, [2, 0]).shape == (2, 2, 4, 3) and devices == ["meta"]


def test_the_heat_reddens_a_grey_copy_beside_the_image():
    image = np.full((1, 2, 3, 1), 100, np.uint8)
    heat = np.zeros((1, 2, 3))
    heat[0, 1, 2] = 1
    both = beside_heat(image, heat)[0]
    assert both.shape == (2, 6, 3) and (both[:, :3] == 100).all()
    assert (both[0, 3:] == 100).all() and both[1, 5, 0] > 150 > 100 > both[1, 5, 2]
    assert np.abs(both[1, 5] - (0.3 * 100 + 0.7 * np.array([200, 69, 45]))).max() <= 0.5  # the image shines through


def test_labels_lists_the_examples_whose_own_label_is_doubted_most_first(digits, tmp_path, capsys):
    found = evaluate(digits / "best.ckpt", split="train", labels=True, output=str(tmp_path))
    issues = read_rows(tmp_path / "label_issues_train.csv")
    doubtful = [issue for issue in issues if float(issue["p(label)"]) < float(issue["p(likelier)"])]
    out = capsys.readouterr().out
    assert len(issues) == found["examples"] and len({issue["example"] for issue in issues}) == len(issues)
    assert len(doubtful) == round((1 - found["acc"]) * len(issues)) and doubtful == issues[: len(doubtful)]
    assert f"{len(doubtful):,} of {len(issues):,} examples are predicted as another" in out
    assert "cross-validation finds more" in out
    worst = found["mistakes"][0]
    assert any((issue["label"], issue["likelier"]) == (worst["right"], worst["predicted"]) for issue in doubtful)


def test_the_heat_of_a_network_that_sees_the_middle_of_a_picture_lies_in_its_middle():
    fit = Fit((3, 16, 24), Recipe(8, 4, (0.0,) * 3, (1.0,) * 3, "bilinear"))  # the middle 8×8 of 16×24
    network = nn.Sequential(fit, nn.Conv2d(3, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        network[1].weight.fill_(1)
        network[4].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    (heat,) = heat_map(network, torch.ones(1, 3, 16, 24), torch.tensor([1]))
    assert heat[5:11, 9:15].min() == 1 and heat[4:12, 8:16].min() > 0.5
    heat[3:13, 7:17] = 0
    assert not heat.any()


def test_maps_whose_channels_come_last_are_looked_at_by_their_places():
    class Last(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1)

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((1, 2))

    fit = Fit((3, 8, 8), Recipe(8, 8, (0.0,) * 3, (1.0,) * 3, "bilinear"))
    network = nn.Sequential(fit, nn.Conv2d(3, 5, 1), Last(), Mean(), nn.Linear(5, 2)).eval()
    x = torch.zeros(1, 3, 8, 8)
    x[..., 2, 6] = 1
    with torch.no_grad():
        for layer in (network[1], network[4]):
            layer.weight.fill_(1), layer.bias.zero_()
    (heat,) = heat_map(network, x, torch.tensor([1]))
    assert heat[2, 6] == 1 and heat.sum() == 1


def test_a_part_that_is_none_is_refused_in_python_too(digits):
    with pytest.raises(UserError, match="split=vall does not exist"):
        evaluate(digits / "best.ckpt", split="vall")


def test_of_very_many_classes_the_confusion_is_a_table_of_its_own(digits, evaluated, tmp_path, monkeypatch):
    """As lists in evaluation.json, the counts of 5,000 classes take 225 MB."""
    monkeypatch.setattr(proj.use.evaluation, "LISTED", 9)
    assert evaluate(digits / "best.ckpt", output=str(tmp_path))["confusion"] is None
    rows = read_rows(tmp_path / "evaluation_confusion.csv")
    counts = torch.zeros(10, 10, dtype=torch.long)
    for row in rows:
        counts[int(row["is"]), int(row["predicted"])] = int(row["examples"])
    assert counts.tolist() == evaluated["confusion"] and len(rows) == int((counts > 0).sum())
    assert json.loads((tmp_path / "evaluation.json").read_text())["confusion"] is None


@pytest.mark.parametrize("pattern", ("tables", "tables/*.csv"))
def test_no_list_is_written_among_the_tables_where_the_next_training_would_read_it(tmp_path, pattern):
    tables, dataset = tmp_path / "tables", {"_target_": "proj.data.CSVDataModule", "data_dir": str(tmp_path / pattern)}
    for place in ("run/.hydra", "figures"):
        (tables / place).mkdir(parents=True)
    for known, other in ((dataset, ""), (dataset | {"data_dir": "t.csv"}, dataset["data_dir"])):
        with pytest.raises(UserError, match=r"would read its files as data: name another place with output=…"):
            refuse_among_data(tables, "output", known, other)
        for place in (tmp_path, tables / "figures", tables / "run"):  # where no training looks for tables
            refuse_among_data(place, "output", known, other)


def test_pictures_for_the_dashboard_are_a_whole_file_or_none(tmp_path, monkeypatch):
    def full(file, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    content = io.BytesIO()
    Image.new("RGB", (4, 4)).save(content, "PNG")
    monkeypatch.setattr("proj.pictures.plots.write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        log_pictures(tmp_path, {"a": content.getvalue()})
    assert not list(tmp_path.iterdir())
