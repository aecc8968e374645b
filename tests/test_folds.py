"""Folds and groups: what belongs together is on one side, and every example is in exactly one test part."""

import itertools
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support import sweeps
from support.evaluations import evaluate
from support.images import load_photos
from support.made_runs import change, write_run
from support.refusals import refusals
from support.runs import break_off, differences, make, outcome
from support.tables import read_rows
from torch.utils.data import DataLoader

from proj.config.stored_run import stored_config
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.groups import joined
from proj.data.rare_classes import rare_classes
from proj.data.sklearn import read_table
from proj.data.splitting import deal, draw_parts
from proj.data.torchvision import MNISTDataModule
from proj.errors import UserError
from proj.reports.label_issues import label_issues
from proj.reports.report import report
from proj.reports.verdicts import judge
from proj.sweeps.swept import every_fold
from proj.system.run_folder import RunFolder
from proj.training.run import train

FRACTIONS = {"test": 0.15, "val": 0.15}


def some_table(random: np.random.Generator) -> tuple[torch.Tensor, list[str], np.ndarray | None]:
    """Classes and groups of 12 to 300 rows: of few and many classes, even and not, in groups of any size or none."""
    size, kinds = int(random.integers(12, 300)), int(random.integers(2, 6))
    shares = random.dirichlet(np.ones(kinds) * random.choice([1, 10]))
    targets = torch.from_numpy(random.choice(kinds, size, p=shares))
    how = random.integers(4)
    if how == 0:
        return targets, [*"abcdef"[:kinds]], None
    groups = random.integers(0, max(2, size // random.integers(1, 9)), size)
    if how == 1:  # twins among rows that stand alone
        groups = np.where(random.random(size) < 0.1, groups, size + np.arange(size))
    if how == 2:  # a group has one class mostly
        groups = groups * kinds + targets.numpy()
    return targets, [*"abcdef"[:kinds]], groups.astype(str)


def faults(targets, names, groups, folds: int) -> str | None:
    """What is wrong with the folds and the plain split of a table; "refused" where there are none, None for nothing."""
    try:
        dealt = [draw_parts(targets, names, FRACTIONS, 0, groups, (fold, folds)) for fold in range(folds)]
        plain = draw_parts(targets, names, FRACTIONS, 0, groups)
    except UserError as error:
        assert "\n" not in str(error) and str(error).endswith("."), error
        return "refused"
    tested = torch.cat([parts["test"] for parts in dealt])
    if sorted(tested.tolist()) != [*range(len(targets))]:
        return "a row is in no test part, or in two"
    for parts in (*dealt, plain):
        if sorted(torch.cat([*parts.values()]).tolist()) != [*range(len(targets))]:
            return "the parts are not the whole"
        if groups is not None and sum(len(set(groups[part])) for part in parts.values()) > len(set(groups)):
            return "a group is in two parts"
        if any((targets[part].bincount(minlength=len(names)) == 0).any() for part in parts.values()):
            return "a part lacks a class"
    counts = torch.stack([targets[parts["test"]].bincount(minlength=len(names)) for parts in dealt])
    sizes = counts.sum(1)
    if groups is None and ((counts.max(0).values - counts.min(0).values).max() > 1 or sizes.max() - sizes.min() > 1):
        return "folds of single rows are uneven"
    return None


def test_no_group_is_in_two_parts_and_every_row_is_in_one_test_part(count=60):  # 10,000 take two minutes
    random = np.random.default_rng(count)
    found = Counter(faults(*some_table(random), int(random.integers(2, 8))) for _ in range(count))
    assert found.keys() <= {None, "refused"} and found[None] > count / 2, found


def examples(data, part: str) -> list[str]:
    return [data.example(part, index) for index in range(len(data.splits[part].targets))]


@pytest.fixture
def patients(tmp_path) -> Path:
    """90 rows of 30 patients, three each in a row of lines; a patient's rows are of both classes."""
    rows = [f"{i * i % 37},{'xyz'[i % 3]},p{i // 3},{('ill', 'well')[i * i % 37 < 18]}" for i in range(90)]
    (tmp_path / "patients.csv").write_text("\n".join(["a,b,patient,state", *rows]))
    return tmp_path / "patients.csv"


def by_patient(file: Path, *words: str):
    return make("csv", f"data_dir={file}", "target=state", "batch_size=8", "group=patient", *words)


def test_a_patient_is_on_one_side_and_no_input_with_folds_and_without(patients):
    lines = patients.read_text().splitlines()
    tested, checksums = [], set()
    for words in ([], *([f"folds=4 fold={fold}"] for fold in range(4))):
        data = by_patient(patients, *" ".join(words).split())
        assert [column.name for column in data.columns] == ["a", "b"]
        sides = {part: [lines[int(line) - 1].split(",")[2] for line in examples(data, part)] for part in data.splits}
        assert sum(len(set(names)) for names in sides.values()) == 30 and sum(map(len, sides.values())) == 90
        if words:
            tested += examples(data, "test")
            checksums.add(data.checksum())
        for part, split in data.splits.items():
            states = [lines[int(line) - 1].split(",")[3] for line in examples(data, part)]
            assert [data.class_names[label] for label in split.targets] == states
    assert sorted(map(int, tested)) == [*range(2, 92)] and len(checksums) == 1


def test_groups_that_are_written_in_two_ways_are_said(patients, capsys):
    by_patient(patients)
    assert "only in spelling" not in capsys.readouterr().out
    patients.write_text(patients.read_text().replace(",p3,", ",7,", 1).replace(",p3,", ",7.0,"))
    by_patient(patients)
    assert "groups of patient that differ only in spelling, but count as different: 7 and" in capsys.readouterr().out


TABLES = {  # the column "patient" of 40 rows, and what is said
    "missing": (lambda i: "" if i in (7, 9) else f"p{i}", [], r"line 9 has no patient \(like 1 more row\)"),
    "one that is nearly all": (lambda i: f"p{min(i, 4)}", [], "p4 has 36 of 40 examples"),
    "one for all": (lambda i: "p", [], "class ill has 1 group .*each of train, test, val: add examples, or"),
    "fewer than folds": (lambda i: f"p{i % 3}", ["folds=6", "fold=0"], "3 groups .*6 folds: use dataset.folds=3 or f"),
    "more folds than rows": (lambda i: f"p{i}", ["folds=21", "fold=0"], "20 examples .*21 folds: use dataset.folds=20"),
    "no such column": (lambda i: "p", ["group=pateint"], "dataset.group=pateint is no column .*patient"),
}


@pytest.mark.parametrize(("name", "words", "sentence"), TABLES.values(), ids=TABLES)
def test_groups_that_cannot_be_dealt_are_one_sentence(tmp_path, name, words, sentence):
    rows = [f"{i},{name(i)},{('ill', 'well')[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,patient,state", *rows]))
    with pytest.raises(UserError, match=sentence) as raised:
        by_patient(tmp_path / "t.csv", *words)
    assert "\n" not in str(raised.value)


@refusals(
    ("folds=1 fold=0", "dataset.folds=1 is not a whole number, 2 or more"),
    ("folds=3 fold=3", "dataset.fold=3 does not exist: dataset.folds=3 are numbered 0 to 2"),
    ("folds=3", "dataset.folds=3 trains one fold in each run: add .*-m … dataset.folds=3"),
    ("fold=3", "dataset.fold=3 needs the number of folds"),
    ("folds=true fold=0", "dataset.folds=true is not a whole number"),
)
def test_folds_that_are_none_are_one_sentence(configure, words, sentence):
    with pytest.raises(UserError, match=sentence):
        configure(*(f"dataset.{word}" for word in words.split()))


def test_a_sweep_with_the_number_of_folds_trains_all_of_them_and_says_how_they_predict_together(tmp_path):
    out = sweeps.run(tmp_path, "sweep_name=s", "dataset.folds=3")
    runs = sorted(file.parent.name for file in tmp_path.glob("outputs/sweeps/s/*/config.yaml"))
    assert runs == [f"{number}_dataset.fold={number}" for number in range(3)]
    assert "together: python -m proj.predict 'ckpt=outputs/sweeps/s/*/best.ckpt' input=…\n" in out
    again = out.partition("The best again: python -m proj.train ")[2].splitlines()[0].split()
    assert {"-m", "dataset.folds=3"} < {*again} and "dataset.fold=" not in " ".join(again)
    assert "All folds together" not in sweeps.run(tmp_path, "sweep_name=two", "dataset.folds=3", "dataset.fold=0,2")


@pytest.mark.parametrize(
    "words",
    (["dataset.folds=3", "dataset.fold=0,2"], ["dataset.folds=3,4"], ["dataset.folds=1"], ["dataset.folds=null"]),
)
def test_other_folds_than_all_are_those_of_the_command(words):
    assert every_fold(words) == []


@pytest.mark.parametrize("dataset", ("digits", "csv", "mnist", "image_folder"))
def test_the_size_of_the_part_that_is_a_fold_is_refused(configure, dataset):
    words, part = (f"dataset={dataset}", "dataset.folds=4", "dataset.fold=1"), "val" if dataset == "mnist" else "test"
    with pytest.raises(UserError, match=rf"_fraction=0.2 has no effect .*=4, since a fold is the {part} part"):
        configure(*words, f"dataset.{part}_fraction=0.2")
    if part == "test":
        configure(*words, "dataset.val_fraction=0.2")


def test_the_examples_of_a_fold_are_not_named_by_a_loader_in_another_order(configure, monkeypatch):
    def reversed_loader(data):
        return DataLoader([tuple(one.flip(0) for one in data.splits["test"])], batch_size=None)

    monkeypatch.setattr("proj.data.sklearn.IrisDataModule.test_dataloader", reversed_loader, raising=False)
    with pytest.raises(UserError, match=r"IrisDataModule\.test_dataloader gives other examples .* without shuffle"):
        train(configure("dataset.folds=3", "dataset.fold=0", "trainer=debug"))


def test_data_of_ones_own_that_deals_no_folds_says_so():
    class Own(InMemoryDataModule):
        def load(self) -> None:
            x = torch.zeros(4, 1)
            self.splits = {name: Split(x, torch.zeros(4).long()) for name in ("train", "val", "test")}

    with pytest.raises(UserError, match=r"Own deals no folds: leave dataset.folds out"):
        Own(batch_size=2, seed=0, folds=2, fold=0).setup()


def draw(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 255, (9, 9, 3), dtype=np.uint8))


def photos(folder: Path, *words: str):
    return load_photos(folder, folder.with_suffix(".cache"), *words)


@pytest.fixture
def animals(tmp_path) -> Path:
    """24 photos of each class by 12 people, whose names are in those of the photos."""
    for k, kind in enumerate(("cat", "dog")):
        (tmp_path / "animals" / kind).mkdir(parents=True)
        for number in range(24):
            draw(100 * k + number).save(tmp_path / f"animals/{kind}/anna{number % 12:02}_{number}.png")
    return tmp_path / "animals"


@pytest.mark.parametrize("words", ([], ["folds=4", "fold=1"]))
def test_what_a_pattern_finds_in_the_path_of_a_photo_stays_together(animals, words):
    data = photos(animals, r"group='zoe(\d)|(anna\d+)_\d+'", *words)
    people = [{re.search("anna..", path)[0] for path in examples(data, part)} for part in data.splits]
    assert sum(map(len, people)) == 12 and len(set().union(*people)) == 12
    data.listing = data.listing._replace(group="bert")
    data.load_all(None, data.class_names)  # where all are one part, no group is looked for
    assert data.splits["test"].targets.bincount().tolist() == [24, 24]
    with pytest.raises(UserError, match=r"cat/anna00_0.png belongs to no group: dataset.group=bert does not match"):
        photos(animals, "group=bert")
    with pytest.raises(UserError, match="is no regular expression"):
        photos(animals, r"group='(anna'")


def test_a_class_of_photos_of_too_few_groups_is_left_out(animals, capsys):
    (animals / "fish").mkdir()
    for number in range(8):
        draw(500 + number).save(animals / f"fish/anna{20 + number % 2}_{number}.png")
    assert photos(animals, r"group=anna\d+").class_names == ["cat", "dog"]
    assert "a class with too few examples, 8 in all (dataset.min_examples): fish (2)" in capsys.readouterr().out


@pytest.mark.parametrize("words", ([], ["folds=3", "fold=2"], [r"group=_\d"]))
def test_identical_photos_are_in_one_part_whatever_their_files_are(animals, capsys, words):
    for number in range(8):
        draw(number).save(animals / f"cat/again_{number}.bmp")
    draw(100).save(animals / "cat/dogs_0.png")
    data = photos(animals, *words)
    said = capsys.readouterr().out
    assert "18 images are identical to others (9 different images): kept in one part" in said
    assert "identical images are in different classes: 1, such as cat/dogs_0.png and dog/anna00_0.png" in said
    seen = [{image.numpy().tobytes() for image in split.inputs} for split in data.splits.values()]
    assert sum(map(len, seen)) == 48 == len(set().union(*seen)) and sum(map(len, data.splits.values())) // 2 == 3
    assert sum(len(split.targets) for split in data.splits.values()) == 57
    assert photos(animals, "identical=apart").class_names  # as an older run's data
    assert "identical" not in capsys.readouterr().out
    data.load_all(None, data.class_names)
    assert "identical" not in capsys.readouterr().out  # nor where all are one part


def test_images_that_have_the_same_checksum_by_chance_are_not_identical(animals, capsys):
    """One of 32 bits, as two among a hundred thousand images have."""
    data = photos(animals, "identical=together")
    capsys.readouterr()
    targets, part_of = torch.tensor([0, 1] * 24), torch.zeros(48, dtype=torch.long)
    for images, said in ((48, ""), (47, "2 images are identical to others (1 different image)")):
        sums = np.array([[7, number % images] for number in range(48)])
        data._parts_of_readable(targets, part_of, None, SimpleNamespace(sums=sums), describe=True)
        assert (said in (out := capsys.readouterr().out)) and bool(out) == bool(said)


@pytest.mark.parametrize(
    ("copied", "words", "sentence"),
    (
        (23, [], "class cat has 1 different image, too few to be in each of train, test, val"),
        (22, ["folds=3", "fold=0"], "class cat has 2 different images, too few to be in each of 3 folds"),
        (20, ["folds=4", "fold=0"], r"since identical images stay together \(the most, as cat/.*png, are 21 of 30\)"),
    ),
)
def test_copies_of_one_photo_are_called_so_where_nobody_has_named_a_group(animals, copied, words, sentence):
    first, *others = sorted((animals / "cat").iterdir())
    for photo in others[:copied]:
        shutil.copy(first, photo)
    for photo in [*(animals / "dog").iterdir()][6:]:
        photo.unlink()
    with pytest.raises(UserError, match=sentence):
        photos(animals, *words)


def test_identical_photos_in_the_folders_of_different_parts_are_said_to_stay_there(animals, capsys):
    for part in ("train", "test"):
        (animals / part).mkdir()
    for kind in ("cat", "dog"):
        (animals / kind).rename(animals / "train" / kind)
        (animals / "test" / kind).mkdir()
        draw(900 + len(kind) + ord(kind[0])).save(animals / "test" / kind / "new.png")
    draw(0).save(animals / "test/cat/again.png")
    assert len(photos(animals).splits["test"].targets) == 3
    said = "2 images are identical to others (1 different image): kept in one part, except those that are in different"
    assert said in capsys.readouterr().out


def test_without_identical_photos_the_parts_are_those_of_older_runs(animals):
    for part in ("train", "val", "test"):
        assert examples(photos(animals), part) == examples(photos(animals, "identical=apart"), part)


def test_the_folds_of_a_folder_are_of_the_part_without_a_folder(animals):
    (animals / "train").mkdir()
    for kind in ("cat", "dog"):
        (animals / kind).rename(animals / "train" / kind)
        (animals / "test" / kind).mkdir(parents=True)
        draw(len(kind) + ord(kind[0])).save(animals / "test" / kind / "anna99.png")
    folds = [photos(animals, "folds=3", f"fold={fold}") for fold in range(3)]
    files = sorted(path.relative_to(animals).as_posix() for path in animals.glob("train/*/*"))
    assert sorted(path for data in folds for path in examples(data, "val")) == files
    assert {data.fold_part for data in folds} == {"val"} and len({data.checksum() for data in folds}) == 1
    assert {tuple(examples(data, "test")) for data in folds} == {("test/cat/anna99.png", "test/dog/anna99.png")}
    draw(0).save(animals / "test/cat/anna00_9.png")
    with pytest.raises(UserError, match=r"group anna00 \(dataset.group\) is in both the train and the test part: move"):
        photos(animals, r"group=anna\d+")
    (animals / "test").rename(animals / "val")
    assert photos(animals, "folds=3", "fold=0").fold_part == "test"
    (animals / "test" / "cat").mkdir(parents=True)
    draw(7).save(animals / "test/cat/7.png")
    with pytest.raises(UserError, match="has val and test sets of its own, so that no part is left"):
        photos(animals, "folds=3", "fold=0")


@pytest.mark.parametrize("dataset", ("mnist", "digits", "iris"))
def test_the_folds_of_the_known_data_are_test_parts_or_validation_parts_of_an_official_set(data_dir, dataset):
    words = ["batch_size=8", *([f"data_dir={data_dir}"] if dataset == "mnist" else [])]
    folds = [make(dataset, *words, "folds=4", f"fold={fold}") for fold in range(4)]
    part, size = {"mnist": ("val", 200), "digits": ("test", 1797), "iris": ("test", 150)}[dataset]
    assert sorted(int(name) for data in folds for name in examples(data, part)) == [*range(size)]
    assert {data.fold_part for data in folds} == {part} and len({data.checksum() for data in folds}) == 1
    for data in folds:
        counts = torch.stack([split.targets.bincount() for split in data.splits.values()])
        assert (counts > 0).all()
        if part == "val":
            assert torch.equal(data.splits["test"].targets, make(dataset, *words).splits["test"].targets)
    for name in ("train", "val", "test")[: 2 if part == "val" else 3]:  # each where its number says
        pairs = (zip(examples(data, part), data.splits[part].targets.tolist(), strict=True) for data in folds)
        whole = {number: label for those in pairs for number, label in those}
        assert [whole[number] for number in examples(folds[0], name)] == folds[0].splits[name].targets.tolist()


def test_identical_images_of_an_official_set_are_in_one_fold(data_dir, capsys, monkeypatch):
    real = MNISTDataModule._split

    def twice(self, dataset):
        split = real(self, dataset)
        return Split(torch.cat([split.inputs[:100]] * 2), torch.cat([split.targets[:100]] * 2))

    monkeypatch.setattr(MNISTDataModule, "_split", twice)
    data = make("mnist", f"data_dir={data_dir}", "folds=4", "fold=1", "batch_size=8")
    assert "200 images are identical to others (100 different images): kept in one part" in capsys.readouterr().out
    assert {int(name) % 100 for name in examples(data, "val")}.isdisjoint(int(n) % 100 for n in examples(data, "train"))
    assert len(data.splits["val"].targets) == 50


def test_labels_that_are_linked_by_a_mark_are_joined():
    labels, marks = np.array(["a", "a", "b", "c", "d"]), np.array([0, 1, 1, 2, 3])
    assert joined(labels, marks).tolist() == ["a", "a", "a", "c", "d"]


def share_right(lines: list[dict[str, str]]) -> float:
    return sum(line["class"] == line["predicted"] for line in lines) / len(lines)


def test_a_run_on_a_fold_is_tested_on_it_keeps_its_predictions_and_goes_on_the_same(configure, tmp_path, monkeypatch):
    words = ["dataset.folds=3", "dataset.fold=1", "trainer.max_epochs=2", "save_every=0", "threshold={setosa:9}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    metrics = train(configure(*words, folder=whole))
    lines = read_rows(whole / "fold.csv")
    assert len(lines) == metrics["test_examples"] == 50 and share_right(lines) == pytest.approx(metrics["test/acc"])
    for line in lines:
        shares = {name: float(line[f"p({name})"]) for name in ("setosa", "versicolor", "virginica")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5) and shares[line["predicted"]] == max(shares.values())
        assert line["at threshold"] == max(shares, key=lambda name: shares[name] * (9 if name == "setosa" else 1))
    at_threshold = sum(line["class"] == line["at threshold"] for line in lines) / 50
    assert metrics["test/acc_threshold"] == pytest.approx(at_threshold)
    with pytest.raises(UserError, match=r"dataset.fold: 1 in the run, 2 now"):
        train(configure(*words, "dataset.fold=2", folder=whole))
    break_off(monkeypatch, configure(*words, folder=stopped), 1, 3)
    train(stored_config(stopped, []))
    assert (whole / "fold.csv").read_bytes() == (stopped / "fold.csv").read_bytes()
    assert not differences(outcome(whole), outcome(stopped))
    assert evaluate(whole / "best.ckpt")["acc"] == pytest.approx(metrics["test/acc"])


def test_of_an_official_set_the_predictions_are_those_of_the_validation_part_also_without_a_test(configure, tmp_path):
    words = ["dataset=mnist", "model=mlp", "model.hidden=[8]", "dataset.batch_size=20", "trainer.max_epochs=1"]
    metrics = train(configure(*words, "test=false", "dataset.folds=4", "dataset.fold=3"))
    lines = read_rows(tmp_path / "run/fold.csv")
    assert len(lines) == 50 and metrics["fold_part"] == "val"
    assert share_right(lines) == pytest.approx(metrics["val/acc"])


def fold_run(folder: Path, fold: int, seed=0, lr=0.01, accuracy=0.9, folds=3, more=("", "")) -> None:
    """A finished run on a fold of four rows, of which the first is always right and the last never. more: the end of
    the heading and of each row."""
    changed = {"dataset.folds": folds, "dataset.fold": fold}
    run = RunFolder(write_run(folder / f"{lr}_{seed}_{fold}", accuracy, seed=seed, lr=lr, changed=changed))
    change(run.metrics, {"fold_part": "test", "test_examples": 4})
    classes = ("two,two", "one,one", "one,one", "one,two")  # the right one and that which the run names
    rows = [f"{4 * fold + k},{classes[k]},0.7,0.7,0.3{more[1]}" for k in range(4)]
    run.fold.write_text("\n".join([f"example,class,predicted,probability,p(one),p(two){more[0]}", *rows]) + "\n")


def test_the_folds_of_a_row_are_put_together_in_one_file_with_their_accuracy(tmp_path, capsys):
    for fold in range(3):
        fold_run(tmp_path, fold)
    (row,) = report([tmp_path])["rows"]
    lines = read_rows(tmp_path / "out_of_fold.csv")
    assert [line["example"] for line in lines] == [str(k) for k in range(12)] and row["val/acc"][2] == 3
    assert [*lines[5]] == ["seed", "fold", "example", "class", "predicted", "probability", "p(one)", "p(two)"]
    assert lines[5] | {"seed": "0", "fold": "1"} == lines[5]
    out = " ".join(capsys.readouterr().out.split())
    assert "out-of-fold accuracy of mlp on digits: 75.00 % of 12 examples (out_of_fold.csv)" in out
    assert "for 12 test examples" in out
    for run in map(RunFolder, tmp_path.glob("0.01_*")):  # each fold was tested on the same four
        change(run.metrics, {"fold_part": "val"})
    report([tmp_path])
    assert "for 4 test examples" in " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mean ± standard deviation (folds)" in page and '"val/acc % of every fold"' in page
    issues = read_rows(tmp_path / "label_issues.csv")
    assert "3 of 12 examples are predicted as another class than labelled" in out and len(issues) == 12
    assert [issue["example"] for issue in issues[:3]] == ["0", "4", "8"]  # "two", of which the runs are sure of "one"
    assert issues[0] == {"example": "0", "label": "two", "p(label)": "0.3", "likelier": "one", "p(likelier)": "0.7"}
    for fold in range(3):
        fold_run(tmp_path, fold, seed=7)
    report([tmp_path])
    assert "75.00 % of 12 examples, 2 seeds (out_of_fold.csv)" in " ".join(capsys.readouterr().out.split())
    assert [line["seed"] for line in read_rows(tmp_path / "out_of_fold.csv")] == ["0"] * 12 + ["7"] * 12


def test_the_classes_of_a_threshold_have_an_accuracy_of_their_own(tmp_path, capsys):
    for fold in range(3):
        fold_run(tmp_path, fold, more=(",at threshold", ",one"))
    report([tmp_path])
    out = " ".join(capsys.readouterr().out.split())
    assert "75.00 % of 12 examples, 75.00 % at the threshold (out_of_fold.csv)" in out
    assert "3 of 12 examples are predicted as another class" in out


@pytest.mark.parametrize("row", ["", "1;one", "1,one,one,0.7,0.7", "1,one,one,0.7,0.7,?", "1,one,one,0.7,0.7,0.3,9"])
def test_a_damaged_table_of_a_folds_predictions_is_named_and_its_seed_left_out(tmp_path, capsys, row):
    for fold, seed in itertools.product(range(3), (0, 7)):
        fold_run(tmp_path, fold, seed)
    (tmp_path / "0.01_7_1/fold.csv").write_text(f"example,class,predicted,probability,p(one),p(two)\n{row}\n")
    report([tmp_path])
    out = capsys.readouterr().out
    assert f"damaged or of another run: {tmp_path}/0.01_7_1/fold.csv\n" in out
    assert "75.00 % of 12 examples (out_of_fold.csv)" in " ".join(out.split())


@pytest.mark.parametrize("copied", [False, True])
def test_a_missing_or_copied_table_of_a_folds_predictions_is_named_and_its_seed_left_out(tmp_path, capsys, copied):
    for fold, seed in itertools.product(range(3), (0, 7)):
        fold_run(tmp_path, fold, seed)
    table = tmp_path / "0.01_7_2/fold.csv"
    table.unlink()
    if copied:  # of a fold before the previous one
        table.write_bytes((tmp_path / "0.01_7_0/fold.csv").read_bytes())
    report([tmp_path])
    out = capsys.readouterr().out
    assert f"not read, since missing, damaged or of another run: {table}\n" in out
    assert "75.00 % of 12 examples (out_of_fold.csv)" in " ".join(out.split())


def test_folds_that_are_not_complete_make_no_file(tmp_path, capsys):
    for fold in (0, 2):
        fold_run(tmp_path, fold)
    report([tmp_path])
    assert "out-of-fold" not in capsys.readouterr().out and not (tmp_path / "out_of_fold.csv").exists()
    fold_run(tmp_path, 1, lr=0.02, accuracy=0.99)  # of another row
    report([tmp_path])
    assert not (tmp_path / "out_of_fold.csv").exists()


def test_rows_are_compared_by_seed_and_fold_and_say_so(tmp_path, capsys):
    for seed in (0, 1):
        for fold in range(3):
            for lr, better in ((0.01, 0.0), (0.02, 0.02)):
                fold_run(tmp_path, fold, seed, lr, 0.8 + 0.03 * fold + 0.001 * seed + better)
    first, second = report([tmp_path])["rows"]
    assert first["settings"] == [0.02] and second["verdict"].seeds == 6 and second["verdict"].is_significant
    out = " ".join(capsys.readouterr().out.split())
    assert re.search(r"lr=0.02 beats lr=0.01 by 2.00 points .*, 6 runs, seeds × folds, p", out)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mean ± standard deviation (runs, seeds × folds)" in page and '"val/acc % of every run"' in page
    saved = json.loads((tmp_path / "report.json").read_text())["rows"][0]["val/acc"]["by_seed"]
    assert {*saved} == {f"{s}, fold {f}" for s in (0, 1) for f in range(3)}


@pytest.mark.parametrize(("folds", "pairs"), ((3, True), (4, False)))
def test_fold_0_of_3_is_no_pair_with_fold_0_of_4_which_has_other_examples(tmp_path, capsys, folds, pairs):
    for fold in range(3):
        fold_run(tmp_path, fold, lr=0.01, accuracy=0.7 + 0.1 * fold)
        fold_run(tmp_path, fold, lr=0.02, accuracy=0.701 + 0.1 * fold, folds=folds)
    verdict = report([tmp_path])["rows"][1]["verdict"]
    assert verdict.seeds == 3 and (verdict.high - verdict.low < 0.05) == pairs  # of pairs the differences are alike
    said = " ".join(capsys.readouterr().out.split())
    assert verdict.more_seeds % 3 and ("even 33", f"about {verdict.more_seeds // 3 + 1}")[pairs] in said


@pytest.mark.parametrize(("key", "values"), (("target", ["easy", "hard"]), ("min_examples", [None, 20])))
def test_rows_of_the_same_folds_that_learn_other_classes_are_not_compared(tmp_path, capsys, key, values):
    for fold in range(3):
        for lr, value in zip((0.01, 0.02), values, strict=True):
            fold_run(tmp_path, fold, lr=lr, accuracy=0.5 + 20 * lr)
            change(RunFolder(tmp_path / f"{lr}_0_{fold}").config, {f"dataset.{key}": value})
    rows = report([tmp_path])["rows"]
    said = " ".join(capsys.readouterr().out.split())
    assert len(rows) == 2 and not any(row["verdict"] for row in rows) and "2 sets of data are not compared" in said


def test_folds_share_their_training_examples_so_that_their_intervals_are_wider():
    random = np.random.default_rng(0)
    values = random.standard_normal((5, 2)) + np.array([1, 0])
    plain, corrected = judge(values)[1], judge(values, overlap=1 / 4)[1]
    assert corrected.high - corrected.low == pytest.approx((1 + 5 / 4) ** 0.5 * (plain.high - plain.low))
    assert corrected.p > plain.p


@pytest.mark.slow
def test_wrong_labels_are_among_the_first_of_the_list(configure, tmp_path):
    """Of 5 % changed at random, 95 % and more are in the first 8 %: docs/sweeps.md says so."""
    table, draws = read_table("digits.csv.gz", (1797, 65)), np.random.default_rng(0)
    wrong = draws.choice(len(table), 90, replace=False)
    table[wrong, -1] = (table[wrong, -1] + torch.from_numpy(draws.integers(1, 10, 90))) % 10
    rows = [",".join(f"{value:.0f}" for value in row) for row in table.tolist()]
    names = [*(f"p{place}" for place in range(64)), "digit"]
    (tmp_path / "digits.csv").write_text("\n".join([",".join(names), *rows]))
    words = ["dataset=csv", f"data_dir={tmp_path}/digits.csv", "dataset.target=-1", "dataset.folds=5"]
    words += ["dataset.batch_size=128", "trainer.max_epochs=6", "~callbacks.dashboard"]  # a quarter of the usual time
    for fold in range(5):
        train(configure(*words, f"dataset.fold={fold}", folder=tmp_path / str(fold)))
    report([tmp_path])
    first = {int(issue["example"]) - 2 for issue in read_rows(tmp_path / "label_issues.csv")[:144]}  # after a header
    assert len(first & {*wrong.tolist()}) >= 0.95 * 90


@pytest.mark.parametrize(
    ("classes", "groups", "shares"),
    (
        ("0100111", "fabcafd", {"train": 0.5, "val": 0.25, "test": 0.25}),
        ("011101101", "adedadbbd", {"0": 0.5, "1": 0.5}),  # too soon is no help: the next group may fit better
    ),
)
def test_the_last_groups_of_a_class_go_to_the_parts_that_lack_it(classes, groups, shares):
    targets = torch.tensor([int(label) for label in classes])
    parts = deal(targets, ["x", "y"], shares, 0, np.array([*groups]), "group")
    assert all(set(targets[parts == place].tolist()) == {0, 1} for place in range(len(shares)))


def test_the_probabilities_of_an_example_that_several_seeds_tested_are_averaged():
    answers = [("a", "x", {"x": 0.2, "y": 0.8}), ("a", "x", {"x": 0.4, "y": 0.6}), ("b", "y", {"x": 0.5, "y": 0.5})]
    content, said = label_issues(answers)
    assert content.splitlines()[1] == "a,x,0.3,y,0.7" and said.startswith("1 of 2 examples is predicted as")


def test_a_class_of_three_is_left_out_of_two_folds_since_each_part_needs_one_and_not_of_three():
    labels = ["a"] * 20 + ["b"] * 20 + ["c"] * 3
    assert rare_classes(labels, None, 3, (0, 2), None) == {"c": 3}
    assert rare_classes(labels, None, 3, (0, 3), None) == {}


def test_no_class_is_rare_where_less_than_half_of_the_examples_would_be_left():
    many = [f"kind {number}" for number in range(30)] * 2
    assert rare_classes(["a"] * 30 + ["b"] * 30 + many[:-1], None, 3, None, None).keys() == {*many}
    assert rare_classes(["a"] * 29 + ["b"] * 30 + many, None, 3, None, None) == {}
