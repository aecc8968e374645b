"""What TensorBoard's own server shows of runs: one alone, one that was stopped, those of a sweep."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from lightning.pytorch import Callback
from support import processes
from support.processes import wait_for
from support.runs import changed_by_stops, curves, events
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import proj.train
from proj.data.facts import Facts
from proj.pictures import fonts
from proj.pictures.confusion import confusion_matrix, with_few_colours
from proj.pictures.drawing import LINE, png, shortened, text_mask, text_width, tiles
from proj.pictures.graph import graph_of
from proj.pictures.tensorboard import mistakes

DIGITS = ("dataset=digits", "model=mlp", "model.hidden=[16]", "dataset.shift=1", "trainer.max_epochs=3")
RUNS = ("digits/mlp/single", "digits/mlp/stopped")
RUNS += ("sweeps/rates/0_optimizer.lr=0.01", "sweeps/rates/1_optimizer.lr=0.1")
SCALARS = {f"train/{name}" for name in ("loss", "acc", "grad_norm", "examples_per_second")} | {"lr"}
SCALARS |= {f"{split}/{name}" for split in ("val", "val_best", "test") for name in ("loss", "acc")}
SCALARS |= {f"{split}/{name}" for split in ("val", "test") for name in ("balanced_acc", "macro_f1")}


class Stop(Callback):
    """Ends a run in its course: with a signal, at which it saves, or an error, at which it does not."""

    ends: dict = {}

    def on_train_batch_end(self, trainer, *rest) -> None:
        if end := Stop.ends.pop(trainer.global_step, None):
            end()


def fail() -> None:
    raise RuntimeError("stopped")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """outputs/ as users fill it: a run, the same one stopped twice in its second epoch, a sweep of two jobs."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        stop = f"+callbacks.stop._target_={__name__}.Stop"
        for name in ("single", "stopped"):
            Stop.ends = {30: lambda: os.kill(os.getpid(), signal.SIGTERM), 40: fail} if name == "stopped" else {}
            words = (*DIGITS, stop, "~callbacks.progress", f"hydra.run.dir=outputs/digits/mlp/{name}")
            for error in (SystemExit, RuntimeError) if Stop.ends else ():
                with pytest.raises(error):
                    proj.train.train(proj.config.configure(*words))
            proj.train.train(proj.config.configure(*words))
    words = ("-m", "optimizer.lr=0.01,0.1", "sweep_name=rates", "dataset=iris", "trainer.max_epochs=2")
    process = processes.run(home, "proj.train", *words, "callbacks.dashboard.histograms=true", "~callbacks.progress")
    assert process.returncode == 0, process.stderr
    return home / "outputs"


@contextmanager
def tensorboard(logdir: Path, log: Path) -> Iterator[str]:
    """TensorBoard in a process of its own, on a port that was free; its address."""
    words = ("-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0")
    with open(log, "w") as stderr:
        process = subprocess.Popen([sys.executable, *words], stderr=stderr)
    try:
        yield wait_for(lambda: re.search(r"http://\S+/", log.read_text()), process)[0]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def address(outputs, tmp_path_factory) -> Iterator[str]:
    """Of a TensorBoard that has read all of `outputs`."""
    with tensorboard(outputs, tmp_path_factory.mktemp("server") / "log.txt") as address:

        def has_read_all() -> bool:
            tags = json.load(urlopen(f"{address}data/plugin/scalars/tags"))
            return len(tags) == len(RUNS) and all("test/acc" in known for known in tags.values())

        wait_for(has_read_all)
        yield address


@pytest.fixture(scope="module")
def ask(address):
    """ask("scalars/tags", run=…) -> what the server's data API answers; with a body, to a POST."""

    def ask(path: str, body: dict | None = None, **query):
        content = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content else {}
        return json.load(urlopen(Request(f"{address}data/{path}?{urlencode(query)}", content, headers)))

    return ask


def test_each_run_is_shown_once_named_by_its_folder(ask):
    assert sorted(ask("runs")) == sorted(RUNS)


def test_every_run_has_every_curve_without_gaps_or_doubled_steps(ask):
    tags = ask("plugin/scalars/tags")
    assert {run: set(known) for run, known in tags.items()} == dict.fromkeys(RUNS, SCALARS)
    for run in RUNS:
        epoch, epochs = (21, 3) if "digits" in run else (11, 2)
        for tag in SCALARS:
            steps = [step for _, step, _ in ask("plugin/scalars/scalars", run=run, tag=tag)]
            ends = [epoch * (number + 1) for number in range(epochs)]
            assert steps == {"val": ends, "tes": ends[-1:]}.get(tag[:3], list(range(1, ends[-1] + 1))), (run, tag)


def test_a_run_that_was_stopped_shows_what_one_that_was_not_shows(ask, address):
    def shown(run: str) -> dict:
        found = {}
        for tag in SCALARS - {"train/examples_per_second"}:
            found[tag] = [point[1:] for point in ask("plugin/scalars/scalars", run=run, tag=tag)]
        for tag in ask("plugin/images/tags")[run]:
            for one in ask("plugin/images/images", run=run, tag=tag):
                picture = urlopen(f"{address}data/plugin/images/individualImage?{one['query']}").read()
                found.setdefault(tag, []).append((one["step"], picture))
        for tag in ask("plugin/pr_curves/tags")[run]:
            curves = ask("plugin/pr_curves/pr_curves", run=run, tag=tag)[run]
            found[tag] = [{**curve, "wall_time": None} for curve in curves]
        return found

    left, right = shown(RUNS[0]), shown(RUNS[1])
    assert len(left) == 14 + 3 + 10 and left.keys() == right.keys()
    assert [tag for tag in left if left[tag] != right[tag]] == []


def test_pictures_come_with_each_validation(ask):
    tags = ask("plugin/images/tags")
    digits, iris = {"views/inputs", "val/confusion", "val/mistakes"}, {"val/confusion"}
    assert [set(tags[run]) for run in RUNS] == [digits, digits, iris, iris]
    for run in RUNS[:2]:
        steps = {tag: [one["step"] for one in ask("plugin/images/images", run=run, tag=tag)] for tag in digits}
        assert steps == {"views/inputs": [0], "val/confusion": [21, 42, 63], "val/mistakes": [21, 42, 63]}


def test_a_run_of_more_than_ten_epochs_has_pictures_at_powers_of_two_and_of_the_last_validation(configure, tmp_path):
    stop = ("callbacks=early_stopping", "callbacks.early_stopping.patience=17", "optimizer.lr=1e-9")
    proj.train.train(configure("trainer.max_epochs=30", "test=false", *stop))
    epochs = [image.step / 11 for image in events(tmp_path / "run").Images("val/confusion")]
    assert epochs == [1, 2, 4, 8, 16, 18]


def test_the_last_validation_is_drawn_also_where_a_batch_follows_in_its_epoch_and_a_stop(
    configure, monkeypatch, tmp_path
):
    examples = []

    def drawn(confusion, names):
        examples.append(confusion.sum())
        return confusion_matrix(confusion, names)

    monkeypatch.setattr("proj.pictures.tensorboard.confusion_matrix", drawn)
    words = ["dataset.batch_size=8", "trainer.val_check_interval=4"]  # of 13 batches
    words += ["trainer.max_epochs=4", "save_every=0", "test=false"]
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, [(3, 12)]) == []
    steps = [image.step for image in events(tmp_path / "whole").Images("val/confusion")]
    assert steps == [4, 8, 12, 17, 21, 25, 30, 34, 38, 43, 51]  # all of the first ten
    assert set(examples) == {30}  # those of the validation


def test_precision_recall_curves_of_every_class_and_histograms_where_asked_for(ask):
    classes = {f"val/pr/{name}" for name in ("setosa", "versicolor", "virginica")}
    assert set(ask("plugin/pr_curves/tags")[RUNS[2]]) == classes
    curves = ask("plugin/pr_curves/pr_curves", run=RUNS[2], tag="val/pr/setosa")[RUNS[2]]
    assert [curve["step"] for curve in curves] == [11, 22] and max(curves[-1]["recall"]) == 1
    weights = ask("plugin/histograms/tags")
    assert set(weights) == set(RUNS[2:]) and "weights/0.weight" in weights[RUNS[2]]


def test_training_and_validation_share_a_chart(ask):
    (category,) = ask("plugin/custom_scalars/layout")["category"]
    charts = {chart["title"]: chart["multiline"]["tag"] for chart in category["chart"]}
    assert charts == {"loss": ["train/loss", "val/loss"], "accuracy": ["train/acc", "val/acc"]}
    for tag in charts["accuracy"]:
        found = ask("plugin/custom_scalars/scalars", run=RUNS[1], tag=tag)
        assert found["regex_valid"] and list(found["tag_to_events"]) == [tag]


def test_hparams_has_a_row_a_run_and_the_same_columns_for_all(ask, outputs):
    experiment = ask("plugin/hparams/experiment", {})
    names = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert names == ["test/acc", "val_best/acc", "val/acc", "test/loss", "val_best/loss", "val/loss"]
    columns = [{"metric": {"tag": name, "group": ""}} for name in names]
    statuses = ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING", "STATUS_FAILURE"]
    query = {"startIndex": 0, "sliceSize": 99, "allowedStatuses": statuses, "colParams": columns}
    groups = ask("plugin/hparams/session_groups", query)["sessionGroups"]
    sessions = {session["name"]: session for group in groups for session in group["sessions"]}
    assert sorted(sessions) == sorted(RUNS) and len(groups) == len(RUNS)
    assert len({frozenset(group["hparams"]) for group in groups}) == 1
    for run, session in sessions.items():
        values = {value["name"]["tag"]: value["value"] for value in session["metricValues"]}
        metrics = json.loads((outputs / run / "metrics.json").read_text())
        assert set(values) == set(names)
        assert values["val_best/acc"] == pytest.approx(metrics["val/acc"])
        assert values["test/loss"] == pytest.approx(metrics["test/loss"])
    assert {group["hparams"]["lr"] for group in groups if group["hparams"]["dataset"] == "iris"} == {0.01, 0.1}


def test_all_values_of_a_step_are_one_record(outputs):
    file = max((outputs / RUNS[0]).glob("events.*"), key=lambda path: path.stat().st_size)
    steps = [event.step for event in EventFileLoader(str(file)).Load() if event.summary.value and event.step]
    assert steps == sorted(set(steps)) and len(steps) > 2


def test_pictures_are_the_pixels_of_the_data(load):
    for words in (["digits"], ["cifar10", "dataset.mean=[0.3,0.4,0.5]", "dataset.std=[0.1,0.2,0.3]"]):
        data = load(*words)
        images = data.splits["val"].inputs[:20]
        assert np.array_equal(data.facts.pixels(data.normalize(images)).numpy(), images.numpy())
    pairs = Facts([2, 4, 4], ["a", "b"], False, None, None, None, "")  # of channels, of which the first is drawn
    assert pairs.pixels(torch.ones(1, 2, 4, 4)).shape == (1, 4, 4, 1)


def test_mistakes_are_the_wrong_ones_of_which_the_network_is_surest(load, monkeypatch):
    """Of every second validation example, as the first of two processes sees them."""
    data = load("digits")
    inputs, targets = data.splits["val"]
    y = targets[::2]
    logits = torch.nn.functional.one_hot(y, 10) * 9.0
    for place, sure in ((5, 4.0), (40, 8.0)):
        logits[place] = torch.nn.functional.one_hot((y[place] + 1) % 10, 10) * sure
    drawn = {}
    monkeypatch.setattr("proj.pictures.tensorboard.tiles", lambda *arguments: drawn.update(enumerate(arguments)))
    mistakes(logits.softmax(1), y, data, every=2)
    assert np.array_equal(drawn[0], inputs[[80, 10]].numpy())
    shares = {place: logits[place].softmax(0).max() for place in (40, 5)}
    assert drawn[1] == [(f"{(y[p] + 1) % 10} ({share:.0%})", f"is {y[p]}") for p, share in shares.items()]
    assert drawn[3] == f"2 of {len(y)} wrong, the most confident first"
    monkeypatch.undo()
    assert mistakes((torch.nn.functional.one_hot(y, 10) * 1.0), y, data).height < 50  # none: the title alone


@pytest.mark.parametrize("classes", (2, 3, 10, 100, 300))
def test_a_confusion_matrix_has_a_cell_for_every_pair_of_classes(classes):
    counts = np.diag(np.arange(classes) + 1)
    counts[0, 1] = 1
    picture = confusion_matrix(counts, [f"a class {n}" for n in range(classes)])
    assert 350 <= picture.width < 2500 and picture.height < 2500
    shades = np.array(picture).astype(int)
    bluer = shades[..., 2] - shades[..., 0]  # than red
    (last,) = np.nonzero(bluer[-LINE - 2] > 100)  # the pixels of the last cell, the only full one in its row
    cell = len(last) + (classes <= 100)  # with the line beside it
    left, top = last[-1] + 1 - cell * classes, picture.height - LINE - cell * classes
    corners = bluer[top + 2 :: cell, left + 2 :: cell][:classes, :classes]
    assert (corners.diagonal()[1:] > 100).all() and corners[0, 1] < -100 and corners[1, 0] == 0


def test_a_small_image_is_enlarged_by_a_whole_number_of_pixels():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    drawn = np.asarray(tiles([image], [()], columns=4))[LINE:, LINE // 2 :, 0]
    assert np.array_equal(drawn[:64, :64], np.kron(image[..., 0], np.ones((8, 8))))


def test_a_name_is_cut_to_its_room_and_keeps_its_end():
    assert shortened("automobile", 500, 11) == "automobile"
    short = shortened("a very long name of a class 93%", 90, 11)
    assert re.fullmatch("a very.*….*93%", short) and text_width(short, 11) <= 90
    assert shortened("two\nlines", 500, 11) == r"two\nlines"
    assert text_mask("Bär", 11).tobytes() != text_mask("Bar", 11).tobytes()


@pytest.fixture
def system_fonts(monkeypatch):
    """system_fonts(file, …): the fonts that the system has beside matplotlib's own."""
    caches = (fonts.file_for, fonts.split_by_font, text_width, shortened, text_mask)

    def system_fonts(*files: str) -> None:
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: list(files))
        monkeypatch.setattr("proj.pictures.fonts.missing", [])
        for cached in (fonts.system_fonts, *caches):
            cached.cache_clear()

    yield system_fonts
    monkeypatch.undo()
    for cached in (fonts.system_fonts, *caches):
        cached.cache_clear()


def test_a_letter_that_the_usual_font_lacks_is_drawn_with_one_of_the_systems(system_fonts, tmp_path, capsys):
    """With a font that has one letter of Chinese, a filled square."""
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "cat"])
    builder.setupCharacterMap({ord("猫"): "cat"})
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for place in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(place)
    pen.closePath()
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "cat": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (800, 0), "cat": (800, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupPost()
    builder.save(tmp_path / "Square.ttf")
    system_fonts()
    boxes = text_mask("a猫犬", 11).tobytes()
    assert text_mask("犬猫", 11) and capsys.readouterr().out.count("no font of this system has the letter") == 1
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    system_fonts(str(tmp_path / "damaged.ttf"), str(tmp_path / "Square.ttf"))
    drawn = np.array(text_mask("a猫", 11))
    assert (drawn[:, -9:].max(1) > 200).sum() >= 7 and text_mask("a猫", 11).tobytes() != boxes
    assert not capsys.readouterr().out


class Norms(Callback):
    """The norm of the gradients of every step, before they are clipped."""

    seen: list[float] = []

    def on_train_start(self, trainer, model) -> None:
        trainer.log_every_n_steps = 5  # of so short a run each step is one

    def on_before_optimizer_step(self, trainer, model, optimizer) -> None:
        self.seen.append(float(torch.nn.utils.get_total_norm([p.grad for p in model.network.parameters()])))


@pytest.mark.parametrize("setting", ("gradient_clip_val=null", "gradient_clip_val=0.01", "accumulate_grad_batches=4"))
def test_the_gradients_norm_is_that_of_a_windows_last_step_before_clipping(configure, tmp_path, setting):
    Norms.seen = []
    words = (f"trainer.{setting}", "trainer.max_epochs=2", "trainer.limit_val_batches=1")
    proj.train.train(configure(*DIGITS, *words, f"+callbacks.norms._target_={__name__}.Norms"))
    found = dict(curves(tmp_path / "run")["train/grad_norm"])
    ends = {5: 1, 10: 2, 15: 3, 20: 5, 21: 6} if "accumulate" in setting else {end: end for end in (5, 10, 15, 20, 21)}
    steps = [ends[21] * epoch + step for epoch in range(2) for step in ends.values()]
    assert found == {step: pytest.approx(Norms.seen[step - 1]) for step in steps}
    assert min(found.values()) > 0.01


@pytest.mark.parametrize("classes", (3, 30))
def test_the_dashboards_confusion_matrix_of_few_colours_looks_the_same_in_half_the_bytes(classes):
    draw = np.random.default_rng(0)
    counts = np.diag(draw.integers(50, 100, classes)) + draw.integers(0, 12, (classes, classes))
    picture = confusion_matrix(counts, [f"class {n}" for n in range(classes)])
    few = with_few_colours(picture)
    apart = np.abs(np.asarray(picture, dtype=int) - np.asarray(few.convert("RGB"), dtype=int))
    assert apart.max() < 30 and apart.mean() < 2 and len(png(few)) < 0.6 * len(png(picture))


def test_of_thousands_of_classes_the_confusion_matrix_is_of_those_with_the_most_mistakes(monkeypatch):
    counts = np.diag(np.full(1200, 3))
    counts[1150, 7] = 9
    names, written = [f"class {place}" for place in range(1200)], []
    monkeypatch.setattr("proj.pictures.confusion.write", lambda canvas, x, y, text, *_, **named: written.append(text))
    picture = confusion_matrix(counts, names, zoom=2)
    assert max(picture.size) < 4000 and "class 1150" in written and "class 1149" not in written
    assert written[0] == "99.75% of 3,609 right. The 100 of 1,200 classes with the most mistakes:"


def cells(counts: list[list[int]]) -> np.ndarray:
    """(2, 2, 3) the colour of each cell of a confusion matrix, at its corner."""
    picture = np.array(confusion_matrix(np.array(counts), ["one", "two"]))
    bottom, cell = len(picture) - LINE, 56
    left = np.flatnonzero((picture[bottom - 3] < 255).any(1))[0]
    return picture[bottom - 2 * cell + 3 :: cell, left + 3 :: cell][:2, :2]


def test_the_worst_mistake_is_the_reddest_however_rare_it_is():
    reds = [cells([[100 - mistaken, mistaken], [0, 100]])[0, 1].tolist() for mistaken in (1, 50)]
    assert reds[0] == reds[1] and reds[0][0] > reds[0][2]


def test_a_cell_is_shaded_by_its_share_of_the_right_class_however_many_examples_that_has():
    (few, few_taken), (many_taken, many) = cells([[3, 1], [100, 300]])
    assert (many == few).all() and (few_taken == many_taken).all() and (few != few_taken).any()


def test_the_graph_of_a_network_that_looks_at_its_inputs_is_traced_without_a_remark(recwarn):
    class Looks(torch.nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x

    graph_of(Looks(), torch.ones(1, 2))
    assert not [one for one in recwarn if issubclass(one.category, torch.jit.TracerWarning)]
