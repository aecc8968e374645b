"""A folder of photos of one's own: which folders are classes and parts, what is left out, and what does not fit."""

import errno
import itertools
import json
import os
import random
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from support.evaluations import evaluate
from support.pages import python_lines
from support.photos import draw, fill, save_all, write_photos
from support.runs import settings

import proj.use.evaluation
from proj.checkpoint.file import load_checkpoint, load_model
from proj.data.datamodule import Split
from proj.data.photos.class_folders import find_images
from proj.data.photos.how_to_sort import sets_of_one_class
from proj.data.photos.near_copies import describe_named_alike, group_in
from proj.data.rare_classes import unknown_classes
from proj.errors import UserError
from proj.training.build import few_images, read_data
from proj.training.run import train
from proj.use.data import open_data
from proj.use.prediction import find_files, predict


def test_a_model_knows_a_class_of_images_however_the_accents_of_its_folder_are_stored():
    assert unknown_classes(["Ba\u0308r", "cat", "dog"], ["Bär", "cat"]) == {"dog": 1}  # as macOS stores them


def test_folders_whose_accents_are_stored_in_two_ways_are_one_class(photos, tmp_path):
    for form, colour, name in (("NFC", "red", "Bär"), ("NFD", "red", "Bär"), ("NFC", "blue", "Öl")):
        images = {f"{form}{number}.png": draw(colour, number + 6 * (form == "NFD")) for number in range(6)}
        save_all(tmp_path / "photos" / unicodedata.normalize(form, name), images)
    data = photos(tmp_path / "photos")
    assert [unicodedata.normalize("NFC", name) for name in data.class_names] == ["Bär", "Öl"]
    assert sum(len(split.targets) for split in data.splits.values()) == 18


def test_folders_that_differ_in_spaces_case_or_underscores_alone_are_said(photos, tmp_path, capsys):
    names = ("cat", "cat ", "red_fox", "Red fox")
    save_all(tmp_path / "photos", {f"{names[number // 4]}/{number}.png": draw("red", number) for number in range(16)})
    assert len(photos(tmp_path / "photos").class_names) == 4
    said = "classes that differ only in spelling, but count as different: Red fox and red_fox, cat and 'cat '\n"
    assert said in capsys.readouterr().out


def test_the_class_folders_are_the_classes_and_every_image_is_in_one_part(photos, tmp_path):
    data = photos(write_photos(tmp_path / "in", 10))
    assert data.class_names == ["blue", "green", "red"] and data.input_shape == (3, 8, 8)
    counts = {name: split.targets.bincount().tolist() for name, split in data.splits.items()}
    assert counts == {"train": [7] * 3, "val": [1] * 3, "test": [2] * 3}
    images = torch.cat([split.inputs for split in data.splits.values()])
    targets = torch.cat([split.targets for split in data.splits.values()])
    assert images.dtype == torch.uint8 and len({image.numpy().tobytes() for image in images}) == 30
    for image, target in zip(images, targets, strict=True):
        assert image.float().mean((0, 1)).argmax() == 2 - target  # the colour of its folder


@pytest.mark.parametrize(("val", "test", "train"), ((None, None, 7), ("val", "Test Set", 10), ("validation", None, 8)))
def test_folders_for_the_parts_are_taken_and_the_others_drawn(photos, tmp_path, val, test, train):
    write_photos(tmp_path / "in" / "train", 10)
    for name, count in ((val, 3), (test, 4)):
        if name:
            write_photos(tmp_path / "in" / name, count, ("red", "blue"))
    data = photos(tmp_path / "in")
    sizes = {name: split.targets.bincount().tolist() for name, split in data.splits.items()}
    assert data.class_names == ["blue", "green", "red"]
    assert sizes["val"] == ([3, 0, 3] if val else [1, 1, 1]) and sizes["test"] == ([4, 0, 4] if test else [2, 2, 2])
    assert sizes["train"] == [train] * 3


def test_a_class_is_the_same_in_all_parts_whether_its_words_are_parted_by_blanks_or_underscores(photos, tmp_path):
    places = ("Train/Golden Retriever", "Train/pug", "test/golden_retriever", "test/Pug ")
    data = photos(five_scenes_each(tmp_path / "in", places))
    assert data.class_names == ["Golden Retriever", "pug"]
    assert data.splits["test"].targets.bincount().tolist() == [5, 5]


def test_a_folder_that_may_not_be_read_is_not_asked_for_the_files_of_a_run(tmp_path, monkeypatch):
    def refused(*args, **settings):
        raise PermissionError(errno.EACCES, "Permission denied", "run.json")

    folder = write_photos(tmp_path / "in", 6)
    monkeypatch.setattr("pathlib.Path.stat", refused)  # as of what lies in such a folder
    assert find_images(str(folder)).class_names == ["blue", "green", "red"]


def test_a_class_may_be_called_train(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    (folder / "red").rename(folder / "train")
    data = photos(folder)
    assert data.class_names == ["blue", "green", "train"]
    assert sum(len(split.targets) for split in data.splits.values()) == 24


@pytest.mark.parametrize("place", ("test", "test/unknown", "test/test", "test1"))
def test_images_without_classes_beside_the_training_part_are_none_of_them(photos, tmp_path, capsys, place):
    folder = fill(write_photos(tmp_path / "in" / "train", 8).parent, [place], 1)
    data = photos(folder)
    assert data.class_names == ["blue", "green", "red"]
    said = f"because their images have no classes: .*{place.split('/')[0]}"
    assert re.search(said + r" \(a part without class folders is drawn from the tr", capsys.readouterr().out)
    data.load_all(None, data.class_names)  # of which none is drawn
    assert re.search(said + "$", capsys.readouterr().out, re.M) and len(data.splits["test"].targets) == 24


def test_a_part_beside_the_class_folders_is_no_class(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8, ("red", "blue"))
    write_photos(folder / "val", 3, ("red", "blue"))
    data = photos(folder)
    assert data.class_names == ["blue", "red"]
    assert {name: len(split.targets) for name, split in data.splits.items()} == {"train": 14, "val": 6, "test": 2}
    write_photos(folder / "validation", 3, ("red", "blue"))
    with pytest.raises(UserError, match=r"in/val and .*in/validation are for the same part: put their images into"):
        photos(folder)


@pytest.mark.parametrize(
    ("train", "test", "within"),
    (
        *(("", test, ("red", "blue")) for test in ("test_set", "testing_data", "Test Images", "test/test")),
        ("", "test_set", ("red",)),
        ("train", "train/test", ("red", "blue")),
        ("train", "train/test", ("red",)),
    ),
)
def test_a_folder_with_folders_of_the_classes_is_the_part_that_its_name_says(photos, tmp_path, train, test, within):
    write_photos(tmp_path / "in" / train, 8, ("red", "blue"))
    write_photos(tmp_path / "in" / test, 3, within)
    data = photos(tmp_path / "in")
    assert data.class_names == ["blue", "red"]
    sizes = {name: len(split.targets) for name, split in data.splits.items()}
    assert sizes == {"train": 14, "val": 2, "test": 3 * len(within)}


def test_one_class_beside_its_test_part_is_one_class(photos, tmp_path):
    write_photos(tmp_path / "in", 8, ("red",))
    write_photos(tmp_path / "in" / "test", 3, ("red",))
    with pytest.raises(UserError, match=r"needs at least two classes, and there is only red in .*: put"):
        photos(tmp_path / "in")


def test_a_copy_of_all_classes_beside_their_folders_is_no_class(photos, tmp_path, capsys):
    folder = five_scenes_each(tmp_path / "in", ("no", "yes", "dataset/no", "dataset/yes"))
    assert photos(folder).class_names == ["no", "yes"]
    line = "Folders left out because they hold folders of the classes' names: "
    assert f"{line}{folder}/dataset\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "classes"),
    (
        (("red", "blue", "test"), ["blue", "red"]),
        (("red", "blue", "Predict"), ["blue", "red"]),
        (("red", "blue", "test_set"), ["blue", "red"]),
        (("red", "test"), ["red", "test"]),
        (("valid", "invalid", "blank"), ["blank", "invalid", "valid"]),
        (("red", "blue", "test_tube"), ["blue", "red", "test_tube"]),
    ),
)
def test_images_without_classes_beside_the_class_folders_are_no_class(photos, tmp_path, capsys, names, classes):
    folder = five_scenes_each(tmp_path / "in", names)
    data = photos(folder)
    assert data.class_names == classes
    left_out = {*names} - {*classes}
    assert ("Folders left out because their images have no classes: " in capsys.readouterr().out) == bool(left_out)
    data.load_all(None, sorted(names))  # as for a model that knows them all, from folders within train
    assert len(data.splits["test"].targets) == 5 * len(names)


def test_a_folder_without_images_beside_the_parts_is_none_of_them(photos, tmp_path):
    folder = write_photos(tmp_path / "in" / "train", 8).parent
    (folder / "labels").mkdir()
    (folder / "labels" / "all.json").write_text("{}")
    assert photos(folder).class_names == ["blue", "green", "red"]


def test_few_photos_train_in_small_batches_and_the_run_names_the_pretrained_model(configure, tmp_path, capsys):
    write_photos(tmp_path / "in", 8)
    words = (f"data_dir={tmp_path / 'in'}", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=8", "model=mlp")
    cfg = configure("dataset=image_folder", *words, "trainer.max_epochs=1")
    train(cfg)
    assert re.search(r"About \d training images of each class are few .*model=pretrained", capsys.readouterr().out)
    assert load_checkpoint(tmp_path / "run" / "last.ckpt")["global_step"] in (4, 5)
    data = read_data(cfg, None)
    cfg.model._target_ = "proj.models.Pretrained"
    assert few_images(cfg, data) == []
    cfg.model._target_ = "proj.models.CNN"
    assert few_images(cfg, data)
    data.splits["train"] = Split(data.splits["train"].inputs, torch.zeros(100 * len(data.class_names)))
    assert few_images(cfg, data) == []


def test_a_class_without_a_test_image_has_no_accuracy(configure, tmp_path):
    write_photos(tmp_path / "in" / "train", 4)
    write_photos(tmp_path / "in" / "test", 2, ("red", "blue"))
    words = (f"data_dir={tmp_path / 'in'}", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=8", "model=mlp")
    metrics = train(configure("dataset=image_folder", *words, "trainer.max_epochs=1", "dataset.batch_size=4"))
    assert metrics["test/acc_per_class"]["green"] is None
    json.dumps(metrics, allow_nan=False)


def test_what_cannot_be_read_is_listed_and_left_out(photos, tmp_path, capsys):
    folder = write_photos(tmp_path / "in", 6)
    content = (folder / "red" / "00.png").read_bytes()
    (folder / "red" / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "blue" / "link.jpg").symlink_to("nowhere")
    for number in range(10):
        (folder / "green" / f"text{number}.jpg").write_text("no image")
    for start in ("first", "second"):
        data = photos(folder)
        assert sum(len(split.targets) for split in data.splits.values()) == 18, start
        assert all(split.inputs.float().mean((1, 2)).sum(1).min() > 60 for split in data.splits.values())  # no black
        deeper, *lines = capsys.readouterr().out.splitlines()
        assert deeper.startswith("Images in subfolders of the class folders: blue/more (1), green/more (1), red")
        assert lines[0] == "12 of 30 images cannot be read and are left out:" and lines[-1] == "    and 2 more"
        assert lines[1] == "    blue/link.jpg: No such file or directory"
        assert lines[2] == "    green/text0.jpg: cannot identify image file" and len(lines) == 12


def test_a_class_that_only_a_part_has_is_left_out_and_said(photos, tmp_path, capsys):
    for place, count in {**PARTED, "test/red": 3, "test/blue": 1, "test/green": 2, "test/gold": 1}.items():
        fill(tmp_path / "in", [place], count)
    data = photos(tmp_path / "in")
    assert data.class_names == ["blue", "red"] and len(data.splits["test"].targets) == 4
    said = "Images left out because the training part does not have their class: 2 green, 1 gold"
    assert said in capsys.readouterr().out


TWO = {"red": 5, "blue": 5}
PARTED = {"train/red": 5, "train/blue": 5}
NO_CLASSES = "in holds no class folders with images"

FOLDERS = {  # how many images lie where; a negative number is of files that are none
    "no folder": ({}, "in cannot be read .*No such file.*data_dir=path/to/photos"),
    "loose images": ({".": 1}, f"{NO_CLASSES} .*: put the images of each class into a folder"),
    "loose images in train and test": ({"train": 1, "test": 1}, NO_CLASSES),
    "no image": ({"red": 0}, NO_CLASSES),
    "one class": ({"red": 5}, "a classifier needs at least two classes, and there is only red in .*in: put"),
    "classes in a single folder": ({"a": 1, "a/red": 5, "a/blue": 5}, "the folder a alone: .*give data_dir=.*in/a"),
    "a class that cannot be read": ({**TWO, "green": -5}, "class green has no examples"),
    "a part that cannot be read": ({**PARTED, "test/red": -3, "test/blue": -3}, "of test can be .*0.jpg: .*: mend"),
    "no image that can be read": ({"red": -5, "blue": -5}, "no training image can be read .*0.jpg: .*: mend"),
    "a part without images": ({**PARTED, "test/red": 0, "test/blue": 0}, "in/test holds no images: .* test is drawn"),
    "an empty part": ({**PARTED, "test": 0}, "in/test holds no images: remove it, and test is"),
    "an empty part of a word": ({"train_set/red": 5, "train_set/blue": 5, "dev_set": 0}, "/dev_set holds no images: "),
    "one class and rare ones": ({"red": 5, "green": 2, "gold": 2}, r"class gold has 2 .*\(one of 2 such classes\)"),
    "another class in val": ({**PARTED, "val/red": 4, "val/green": 5}, "val has a class green .*, and lacks blue"),
    "classes beside train": ({**PARTED, "green": 5}, "in/green is a class beside .*in/train, "),
    "no training part": (
        {"val/red": 5, "val/blue": 5, "test/red": 5},
        "val and test, but no folder called train: .*, or",
    ),
    "two folders for a part": ({**PARTED, "val/red": 5, "validation/red": 5}, "/val and .*/validation are for the"),
}


@pytest.mark.parametrize(("images", "sentence"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_does_not_fit_is_one_sentence(photos, tmp_path, images, sentence):
    for name, count in images.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        fill(tmp_path / "in", [name], count)
        for number in range(-count):
            (tmp_path / "in" / name / f"{number}.jpg").touch()
    with pytest.raises(UserError, match=sentence) as raised:
        photos(tmp_path / "in")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("named", "sentence"),
    (
        ("in/cat", r"if it is one of the classes cat, dog, give data_dir=.*/in$"),
        ("in/cat:in/dog", r"data_dir takes one folder of photos, .*, not .*/in/cat, .*/in/dog: give data_dir=.*/in$"),
        ("in/*", r"data_dir takes one folder of photos, .*, not .*/in/cat, .*/in/dog: give data_dir=.*/in$"),
        ("in/cat:more/dog", "data_dir takes one folder of photos, .*: move them into one, and name that"),
    ),
)
def test_a_class_named_as_the_data_or_several_are_answered_with_the_folder_above(photos, tmp_path, named, sentence):
    fill(tmp_path, ["in/cat", "in/dog", "more/dog"], 1)
    with pytest.raises(UserError, match=sentence):
        photos(os.pathsep.join(str(tmp_path / one) for one in named.split(":")))


def test_photos_that_all_have_too_many_pixels_need_another_limit_and_no_mending(photos, tmp_path):
    fill(tmp_path, [*TWO], 5)
    with pytest.raises(UserError, match=r"more than dataset.max_pixels=9\): raise dataset.max_pixels, or name"):
        photos(tmp_path, "max_pixels=9", "size=8")


@pytest.mark.parametrize(
    ("images", "table", "data_dir"),
    (("in", "in/labels.csv", "in"), ("in/images", "in/labels.xlsx", "in"), ("in/train", "in/train.csv", "in/train"),
     ("in/train", "in/train/metadata.csv", "in"),
     ("in", "in/labels.csv", "in/labels.csv")),
)  # fmt: skip
def test_a_list_of_classes_beside_photos_is_named_where_no_folder_is_a_class(photos, tmp_path, images, table, data_dir):
    fill(tmp_path, [images], 1)
    (tmp_path / table).write_text("image,label\n1.png,red\n")
    with pytest.raises(UserError, match=rf"if .*{table} lists the class of each image, dataset.labels="):
        photos(tmp_path / data_dir)


@pytest.mark.parametrize(
    ("rows", "said"),
    (
        ("image,dx\n1.png,nv\n", True),
        ("image,dx\npart_1/1.png,nv\n", True),
        ("image,dx\n1.png,Part_1\n", False),
        ("input,class,probability,nv,mel\n1.png,nv,0.9,0.9,0.1\n", False),  # of proj.predict
    ),
)
def test_a_table_beside_the_classes_with_none_of_them_in_a_cell_may_list_others(photos, tmp_path, capsys, rows, said):
    folder = write_photos(tmp_path / "in", 5, ("red", "blue"))
    for number, name in enumerate(("red", "blue")):
        (folder / name).rename(folder / f"part_{number}")
    table = folder / "metadata.csv"
    table.write_text(rows)
    photos(folder)
    line = f"The classes are the folders (if {table} lists the class of each image, dataset.labels=metadata.csv takes"
    assert (line in capsys.readouterr().out) == said


@pytest.mark.parametrize(
    ("names", "said"),
    (
        (("cat", "dog", "dog (1)", "cat - Copy"), "dog (1), cat - Copy"),
        (("cat", "dog", "Unsorted"), "Unsorted"),
        (("cat", "unlabeled"), "unlabeled"),
        (("cat", "dog", "New folder"), "New folder"),
        (("cat", "dog", "masks"), "masks"),
        (("train/cat", "train/dog", "train/val"), "val"),
        (("valid", "invalid"), ""),
        (("Boeing (737)", "Boeing (747)", "other"), ""),
    ),
)
def test_folders_whose_names_are_of_no_class_are_said(photos, tmp_path, capsys, names, said):
    photos(five_scenes_each(tmp_path / "in", names))
    found = re.search(r"Folders that may not be classes \(move them away if so\): (.*)", capsys.readouterr().out)
    assert (sorted(found[1].split(", ")) if found else []) == sorted(filter(None, said.split(", ")))


@pytest.mark.parametrize(
    ("names", "words", "said"),
    (
        (("left", "none", "right"), ["flip=true"], "of left may then look like those of right: dataset.flip=false"),
        (("RightEye", "left_eye"), ["flip=true"], "of RightEye may then look like those of left_eye: "),
        (("left", "right"), [], ""),
        (("left", "straight"), ["flip=true"], ""),
    ),
)
def test_classes_that_are_mirror_images_are_said_if_the_training_mirrors(photos, tmp_path, capsys, names, words, said):
    data = photos(five_scenes_each(tmp_path / "in", names), *words)
    assert said in (out := capsys.readouterr().out) and ("mirrors" in out) == bool(said)
    data.load_all(None, data.class_names)
    assert "mirrors" not in capsys.readouterr().out


@pytest.mark.parametrize(("data_dir", "archive"), (("in/pets.zip", "pets.zip"), ("in", "pets.tar.gz")))
def test_an_archive_is_to_be_unpacked(photos, tmp_path, data_dir, archive):
    (fill(tmp_path, ["in"], 1) / "in" / archive).write_bytes(b"PK")
    with pytest.raises(UserError, match=rf"unpack {archive}, and name the folder that comes out of it with data_dir="):
        photos(tmp_path / data_dir)
    with pytest.raises(UserError, match=r"in/0.png is a file, and the photos lie in folders: put the images of each"):
        photos(tmp_path / "in/0.png")


def test_folders_that_may_be_parts_with_misspelled_names_are_said(photos, tmp_path, capsys, monkeypatch):
    for part, first in (("trian", 0), ("test", 10)):
        pairs = itertools.product(("red", "blue"), range(first, first + 5))
        save_all(tmp_path / "in" / part, {f"{colour}/{number}.png": draw(colour, number) for colour, number in pairs})
    assert photos(tmp_path / "in").class_names == ["test", "trian"]
    said = capsys.readouterr().out
    assert "The classes are test, trian, and hold the folders blue, red: if these are the classes, or parts, " in said
    assert "if those above are parts, name them train, val and test; if each holds the same photos, as in two" in said
    monkeypatch.chdir(tmp_path / "in")
    run_command_in(said)  # it exchanges the two
    assert photos(tmp_path / "in").class_names == ["blue", "red"]
    assert sorted(folder.name for folder in (tmp_path / "in/red").iterdir()) == ["test", "trian"]


def run_command_in(sentence: str) -> None:
    """Run the Python that a sentence names."""
    exec(re.search(r'python -c "([^"]+)"', sentence)[1], {})


def test_folders_that_most_classes_hold_are_said_though_a_class_lacks_one(photos, tmp_path, capsys):
    photos(five_scenes_each(tmp_path / "in", ("p1/ill", "p1/well", "p2/ill", "p2/well", "p3/well")))
    assert "The classes are p1, p2, p3, and hold the folders ill, well: if these are" in capsys.readouterr().out


def test_masks_within_the_folders_of_classes_are_said(photos, tmp_path, capsys):
    photos(five_scenes_each(tmp_path / "in", ("red/images", "red/masks", "blue/images", "blue/masks")))
    assert "hold the folders images, masks: if masks hold masks and no photos, move them" in capsys.readouterr().out


LAYOUTS = {  # where images lie of folders that are no classes
    "Kaggle's parts": ("train", "test1"),
    "COCO's parts": ("train2017", "val2017"),
    "parts in words": ("train_images", "test_images"),
    "masks": ("images", "masks"),
    "VOC": ("JPEGImages", "SegmentationClass", "SegmentationObject"),
    "YOLO": ("images/train", "images/val"),
}


@pytest.mark.parametrize("places", LAYOUTS.values(), ids=LAYOUTS)
def test_parts_masks_and_folders_of_all_images_are_no_classes(photos, tmp_path, places):
    names = ", ".join(sorted(place.split("/")[-1] for place in places))
    with pytest.raises(UserError, match=f"in holds no class folders .*, since {names} are names of none: put"):
        photos(fill(tmp_path / "in", places))


@pytest.mark.parametrize(
    ("names", "said"),
    (
        (("train_cat", "train_dog", "test_cat", "dog_test"), "train_cat, test_cat, train_dog, dog_test"),
        (("trainA", "trainB", "testA", "testB"), "trainA, testA, trainB, testB"),
        (("train_station", "test_tube"), ""),
        (("left_test", "right_test"), ""),
    ),
)
def test_classes_that_differ_in_the_word_for_a_part_alone_are_said(names, said):
    assert sets_of_one_class([*names]) == [*filter(None, said.split(", "))]


def test_class_folders_beside_their_masks_are_named(photos, tmp_path):
    folder = five_scenes_each(tmp_path / "in", ("images/no", "images/yes", "masks/no", "masks/yes"))
    with pytest.raises(UserError, match=r"if the folders in .*in/images are the classes, give data_dir=.*in/images"):
        photos(folder)


LEARNT = ("passed_test failed_test", "train_station test_tube", "mask no_mask", "bus train_tram/old train_tram/new")


@pytest.mark.parametrize("places", [names.split() for names in LEARNT])
def test_classes_whose_names_hold_the_word_of_a_part_are_learnt(photos, tmp_path, places):
    names = sorted({place.split("/")[0] for place in places})
    assert photos(fill(tmp_path / "in", places)).class_names == names


@pytest.mark.parametrize(
    ("place", "first", "second", "classes"),
    (
        (".", "cat.{}.jpg", "dog.{}.jpg", "cat (6), dog (6)"),
        (".", "great dane_{}.png", "pug ({}).png", "great dane (6), pug (6)"),
        ("train", "cat{:03}.png", "dog{:03}.png", "cat (6), dog (6)"),
        (".", "{:04}_cat.png", "img{:04}-dog.png", "cat (6), dog (6)"),
        ("train", "n01440764_{}.JPEG", "n01443537_{}.JPEG", "n01440764 (6), n01443537 (6)"),
        (".", "patient{0}_cat_{0}.png", "patient{0}_dog_1{0}.png", "cat (6), dog (6)"),
        (".", "{}.png", "1{}.png", ""),
        (".", "IMG_{}.png", "IMG_1{}.png", ""),
        (".", "cat{0}{0}{0}x.png", "cat{0}{0}{0}y{0}z.png", ""),
    ),
)
def test_classes_in_the_names_of_photos_are_told_with_a_command_that_sorts_them(
    photos, tmp_path, monkeypatch, place, first, second, classes
):
    for colour, name in (("red", first), ("blue", second)):
        save_all(tmp_path / "in" / place, {name.format(number): draw(colour, number) for number in range(6)})
    with pytest.raises(UserError) as raised:
        photos(tmp_path / "in")
    if not classes:
        assert ": put the images of each class into a folder that is named as the class" in str(raised.value)
        return
    assert f"seem to be named by their classes, {classes}, and python -c " in str(raised.value)
    monkeypatch.chdir(tmp_path / "in" / place)
    run_command_in(str(raised.value))
    data = photos(tmp_path / "in")
    assert data.class_names == [one.rsplit(" ", 1)[0] for one in classes.split(", ")]
    assert sum(len(split.targets) for split in data.splits.values()) == 12


def write_marks(folder: Path, tool: str) -> tuple[str, ...]:
    """Four photos, each of a red square on blue, and what marks it; the arguments of the page's function."""
    place = {"coco": "train2017", "voc": "JPEGImages", "yolo": "images"}[tool]
    for name in (place, "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(4):
        image = Image.new("RGB", (40, 20), "blue")
        image.paste("red", (10, 5, 30, 15))
        image.save(folder / place / f"{number}.png")
    if tool == "coco":
        marks = [{"image_id": number, "category_id": number % 2, "bbox": [10, 5, 20, 10]} for number in range(4)]
        names = [{"id": number, "name": name} for number, name in enumerate(("cat", "dog"))]
        images = [{"id": number, "file_name": f"{number}.png"} for number in range(4)]
        said = json.dumps({"info": {}, "images": images, "annotations": marks, "categories": names})
        (folder / "labels" / "instances.json").write_text(said)
        return str(folder / "labels/instances.json"), str(folder / place)
    for number in range(4):
        name = ("cat", "dog")[number % 2]
        box = "<xmin>10</xmin><ymin>5</ymin><xmax>30</xmax><ymax>15</ymax>"
        voc = f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
        voc = f"<annotation>\n<filename>{number}.png</filename>{voc}</annotation>"
        ending, text = ("xml", voc) if tool == "voc" else ("txt", f"{number % 2} 0.5 0.5 0.5 0.5\n")
        (folder / "labels" / f"{number}.{ending}").write_text(text)
    return str(folder / "labels"), str(folder / place)


def test_cvats_own_format_is_told_what_to_export_instead(photos, tmp_path):
    (tmp_path / "in/images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "in/images/0.png")
    tags = '<image id="0" name="0.png"><tag label="cat" source="manual"></tag></image>'
    (tmp_path / "in/annotations.xml").write_text(f'<?xml version="1.0"?>\n<annotations>\n{tags}</annotations>')
    with pytest.raises(UserError, match=r"xml is in CVAT's own format.* tags of whole images as ImageNet"):
        photos(tmp_path / "in")


@pytest.mark.parametrize(("tool", "named"), (("coco", "COCO"), ("voc", "Pascal VOC"), ("yolo", "YOLO")))
def test_marked_objects_are_said_and_cut_out_as_the_page_says(photos, tmp_path, monkeypatch, tool, named):
    arguments = write_marks(tmp_path / "in", tool)
    with pytest.raises(UserError, match=f"labels/.* marks objects in images, as {named} does, .*docs/data.md cuts"):
        photos(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    functions: dict = {}
    exec(re.search(r"```python\n(import json, pathlib, xml.*?)```", page, re.S)[1], functions)
    functions[tool](*arguments, *[["cat", "dog"]] * (tool == "yolo"))
    names = sorted(str(file.relative_to(tmp_path / "sorted")) for file in (tmp_path / "sorted").rglob("*.png"))
    place = Path(arguments[1]).name
    assert [name.split("_")[0] for name in names] == [
        f"{name}/in-{place}-{number}" for name, number in (("cat", 0), ("cat", 2), ("dog", 1), ("dog", 3))
    ]
    assert np.array(Image.open(tmp_path / "sorted" / names[0])).tolist() == [[[255, 0, 0]] * 20] * 10


def test_the_page_cuts_out_polygons_and_turned_photos_and_keeps_the_objects_of_two_sets(tmp_path, monkeypatch):
    turned, shape = Image.Exif(), "0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"
    turned[274] = 6
    for part in ("train", "valid"):
        (images, labels) = (tmp_path / part / name for name in ("images", "labels"))
        images.mkdir(parents=True)
        labels.mkdir()
        upright = Image.new("RGB", (40, 20), "blue")
        upright.paste("red", (10, 5, 30, 15))
        upright.transpose(Image.Transpose.ROTATE_90).save(images / "1.png", exif=turned)
        (labels / "1.txt").write_text(f"0 {shape}\n1 0.5 0.5 0.5 0.5\n")
    monkeypatch.chdir(tmp_path)
    exec(python_lines("import json, pathlib, xml"), functions := {})
    for part in ("train", "valid"):
        functions["yolo"](f"{part}/labels", f"{part}/images", ["cat", "dog"])
    cut = sorted((tmp_path / "sorted").rglob("*.png"))
    assert len(cut) == 4 and len({*map(str, cut)}) == 4
    assert all(np.array(Image.open(file)).tolist() == [[[255, 0, 0]] * 20] * 10 for file in cut)


def test_raw_photos_and_films_alone_are_named(photos, tmp_path):
    for place, ending in (("a", "nef"), ("b", "nef"), ("b", "mp4")):
        (tmp_path / "in" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / place / f"1.{ending}").write_bytes(b"II*\0" if ending == "nef" else b"film")
    with pytest.raises(UserError, match=r", but 2 \.nef, 1 \.mp4, raw photos that are to be developed into JPEG"):
        photos(tmp_path / "in")


def test_pictures_of_a_run_are_no_class_of_photos_and_none_are_drawn_where_they_would_be(configure, photos, tmp_path):
    folder = write_photos(tmp_path / "in", 5)
    words = (f"data_dir={folder}", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=8", "model=mlp")
    run = folder / "outputs" / "run"
    train(configure("dataset=image_folder", *words, "trainer.max_epochs=1", folder=run))
    assert proj.use.evaluation.evaluate(run / "best.ckpt")["examples"] and [*run.glob("*.png")]  # its pictures
    assert photos(folder).class_names == ["blue", "green", "red"] and len(find_files(str(folder))) == 15
    for place in ("mistakes", "red", "red/more", ".", "outputs"):
        with pytest.raises(UserError, match=r"in, and the next training would read its files .* with output=…"):
            evaluate(run / "best.ckpt", output=str(folder / place))
        with pytest.raises(UserError, match=r"in, and the next training would read its files .* with show=…"):
            predict(run / "best.ckpt", str(folder / "red"), show=str(folder / place / "shown.png"))
    new = write_photos(tmp_path / "new", 2)
    for data_dir, output in ((new, new / "figures"), (new, folder / "figures")):
        with pytest.raises(UserError, match="name another place with output=…"):
            evaluate(run / "best.ckpt", "all", data_dir=str(data_dir), output=str(output))
    assert evaluate(run / "best.ckpt", "all", data_dir=str(new), output=str(tmp_path / "figures"))["examples"] == 6


def test_advice_on_other_photos_is_a_sentence_of_its_own(photos, tmp_path):
    data = photos(write_photos(tmp_path / "in", 5))
    known = data.facts.to_dict() | {"config": {"dataset": dict(settings("image_folder")) | {"seed": 0}}}
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError, match=r"data_dir=path/to/photos\. If the model has not seen this data, split=all"):
        open_data(known, data_dir=str(tmp_path / "new"))


def test_figures_of_other_photos_and_of_another_checkpoint_replace_no_others(configure, tmp_path):
    for place in ("in", "new/val", "old/val"):
        write_photos(tmp_path / place, 6)
        draw("red", len(place)).save(tmp_path / place / "red" / "more.png")
    words = ("dataset=image_folder", "model=mlp", f"data_dir={tmp_path}/in", "dataset.size=8", "+trainer.max_steps=1")
    train(configure(*words, f"dataset.cache_dir={tmp_path / 'cache'}"))
    best, last = (tmp_path / "run" / name for name in ("best.ckpt", "last.ckpt"))

    def names(checkpoint=best, **settings) -> list[str]:
        before = {*(tmp_path / "run").glob("*.json")}
        evaluate(checkpoint, **settings)
        return [file.name for file in {*(tmp_path / "run").glob("*.json")} - before]

    assert names() == ["evaluation.json"] and names(split="val") == ["evaluation_val.json"]
    assert names(last) == ["evaluation_last.json"]
    new, old = ({"data_dir": str(tmp_path / name / "val")} for name in ("new", "old"))
    assert names(**new) == ["evaluation_val_test.json"]
    assert names(**new, split="all") == ["evaluation_val_all.json"]
    assert names(**old, split="all") == ["evaluation_val_all_2.json"]
    assert names(**new, split="all") == names(**old, split="all") == names(data_dir=str(tmp_path / "in")) == []
    assert json.loads((tmp_path / "run" / "evaluation_val_all_2.json").read_text())["data_dir"] == old["data_dir"]


@pytest.mark.parametrize("limit", (1000, 0))
def test_photos_train_and_go_on_from_one_command(configure, tmp_path, limit):
    words = ("dataset=image_folder", f"data_dir={write_photos(tmp_path / 'in', 10)}", "model=mlp")
    words += (f"dataset.cache_dir={tmp_path}/cache", f"dataset.memory_limit_mb={limit}")
    words += ("dataset.size=16", "dataset.batch_size=8", "scheduler=none")
    metrics = train(configure(*words, "trainer.max_epochs=10"))
    assert metrics["test/acc"] == 1 and list(metrics["test/acc_per_class"]) == ["blue", "green", "red"]
    _, contents = load_model(tmp_path / "run" / "best.ckpt")
    assert contents["class_names"] == ["blue", "green", "red"] and contents["input_shape"] == [3, 16, 16]
    assert len(contents["mean"]) == 3 and contents["columns"] is None
    new = write_photos(tmp_path / "new", 2, ["red"])
    found = evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(new))
    assert (found["acc"], found["examples"], found["acc_per_class"]["blue"]) == (1, 2, None)
    (new / "red").rename(new / "blue")
    mistakes = evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(new))["mistakes"]
    assert sorted(one["file"] for one in mistakes) == [str(new / "blue" / f"0{n}.png") for n in range(2)]
    elsewhere = ("dataset.memory_limit_mb=500", f"dataset.cache_dir={tmp_path}/elsewhere")
    assert train(configure(*words, *elsewhere, "trainer.max_epochs=11"))["epochs"] == 11
    (tmp_path / "in" / "red").rename(tmp_path / "in" / "rouge")
    with pytest.raises(UserError, match=r"other names \('red' then, 'rouge' now\).*type python -m proj.train resume="):
        train(configure(*words, "trainer.max_epochs=12"))
    (tmp_path / "in" / "rouge").rename(tmp_path / "in" / "red")
    draw("red", 99).save(tmp_path / "in" / "red" / "00.png")
    with pytest.raises(UserError, match="run on other data"):
        train(configure(*words, "trainer.max_epochs=12"))


@pytest.mark.parametrize(
    ("grey", "words", "is_said"),
    (
        (("blue",), [], True),
        (("blue", "green"), [], True),
        (("blue",), ["channels=1"], False),
        (("blue", "green", "red"), [], False),
        ((), [], False),
    ),
)
def test_classes_that_their_photos_tell_by_being_grey_are_said(photos, tmp_path, capsys, grey, words, is_said):
    folder = write_photos(tmp_path / "in", 10)
    for colour in grey:
        for file in (folder / colour).rglob("*.png"):
            Image.open(file).convert("L").save(file)
    photos(folder, *words)
    said = f"Nearly all images of {', '.join(grey)} are grey, and those of "
    assert (said in capsys.readouterr().out) == is_said


def test_a_class_of_grey_and_coloured_photos_is_not_told_by_them(photos, tmp_path, capsys):
    folder = write_photos(tmp_path / "in", 10)
    for file in (folder / "blue").glob("*.png"):
        if file.stem < "04":
            Image.open(file).convert("L").save(file)
    photos(folder)
    assert "are grey" not in capsys.readouterr().out


def scene(number: int) -> Image.Image:
    """A photo of many colours, another one for each number."""
    colours = np.random.default_rng(number).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((240, 180), Image.Resampling.BICUBIC)


def five_scenes_each(root: Path, folders) -> Path:
    """Write five images into each of these folders, all different, and return what they lie in."""
    images = {f"{folders[number // 5]}/{number:02}.png": scene(number) for number in range(5 * len(folders))}
    return save_all(root, images)


def ab(number: int) -> str:
    """The class of photo `number`: a or b by turns."""
    return "ab"[number % 2]


COPIES = {
    "saved again": lambda image: image,
    "smaller": lambda image: image.resize((120, 90)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "moved": lambda image: ImageChops.offset(image, 11, 11),  # by three of the 48 pixels that the network sees
    "brighter": lambda image: image.point(lambda value: value * 0.7 + 70),
    "others": lambda image: scene(int(np.asarray(image).sum())),
}


@pytest.mark.parametrize("kind", COPIES)
def test_photos_of_the_test_that_are_nearly_those_of_the_training_are_said(photos, tmp_path, capsys, kind):
    save_all(tmp_path / "in", {f"{ab(n)}/{n:02}.jpg": scene(n) for n in range(40)}, quality=95)
    save_all(tmp_path / "in", {f"{ab(n)}/{n:02}_too.jpg": COPIES[kind](scene(n)) for n in range(40)}, quality=60)
    photos(tmp_path / "in", "size=48")
    said = capsys.readouterr().out
    assert (" are nearly the same as a training image, such as " in said) == (kind != "others")
    photos(tmp_path / "in", "size=48", r"group=\d\d")
    assert "nearly the same" not in capsys.readouterr().out


@pytest.mark.parametrize("copy", ("smaller", "others"))
def test_copies_in_folders_of_different_parts_are_told_to_be_moved_since_no_group_can(photos, tmp_path, capsys, copy):
    for part, taken in (("train", scene), ("test", lambda number: COPIES[copy](scene(number)))):
        images = {f"{part}/{ab(n)}/{n}_jpg.rf.{part}{n}.jpg": taken(n) for n in range(20)}
        save_all(tmp_path / "in", images, quality=95)
    photos(tmp_path / "in", "size=48")
    said = capsys.readouterr().out
    assert "or move what shows one thing into the folder of one part" in said and "dataset.group" not in said


@pytest.mark.parametrize("again", ("_too", "_rot90"))
def test_photos_of_the_validation_that_are_those_of_the_training_are_said(photos, tmp_path, capsys, again):
    """The test photos have a folder of their own, and no copies."""
    for number in range(40):
        other = COPIES["smaller"](scene(number)) if again == "_too" else scene(1000 + number)
        train = {f"train/{ab(number)}/{number}.jpg": scene(number), f"train/{ab(number)}/{number}{again}.jpg": other}
        test = {f"test/{ab(number)}/x{'x' * number}.jpg": scene(9000 + number)}
        save_all(tmp_path / "in", train | test, quality=60)
    photos(tmp_path / "in", "size=48")
    said = capsys.readouterr().out
    assert ("validation images are nearly the same as a training image" in said) == (again == "_too")
    assert ("Validation images that have the name of a training image" in said) == (again == "_rot90")
    photos(tmp_path / "in", "size=48", re.search(r"or have 'dataset\.(group=.*?)' keep", said)[1])
    assert "alidation images" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ("IMG_{:03}_BURST{:02}.jpg", "{:02}-{}.jpg", "{0:02}{2}.jpg", "2_{:02}.{}.jpg"))
def test_near_copies_are_said_with_the_group_that_their_names_show(photos, tmp_path, capsys, name):
    for again, end in enumerate(("", "_copy")):
        images = {f"{('a1', 'b2')[n % 2]}/{name.format(n, again, end)}": scene(n) for n in range(40)}
        save_all(tmp_path / "in", images, quality=95 - 30 * again)
    photos(tmp_path / "in", "size=48")
    words = re.search(r"or have 'dataset\.(group=.*)' keep them in one part", capsys.readouterr().out)
    data = photos(tmp_path / "in", "size=48", words[1])
    assert "nearly the same" not in capsys.readouterr().out
    assert all(len(split.targets) >= 8 for split in data.splits.values())


@pytest.mark.parametrize(
    ("name", "limit"), (("benign ({}){}.png", 2000), ("{}{}.png", 2000), ("{}{}.png", 0), ("photo{}{}_.png", 2000))
)
def test_photos_named_as_a_mask_or_eye_of_the_training_are_said_with_their_group(photos, tmp_path, capsys, name, limit):
    pairs = [[f"{ab(n)}/{name.format(n, end)}" for end in ("", "_mask")] for n in range(40)]
    images = {file: scene(place) for place, file in enumerate(itertools.chain(*pairs))}
    images |= {f"{ab(n)}/other{'xy'[n % 2] * n}.png": scene(1000 + n) for n in range(40)}  # without a number
    save_all(tmp_path / "in", images)
    photos(tmp_path / "in", "size=8", f"memory_limit_mb={limit}")
    said = capsys.readouterr().out
    assert "Test images that have the name of a training image up to its last number: " in said
    group = re.search(r"or have 'dataset\.(group=.*)' keep together what shows one thing", said)[1]
    data = photos(tmp_path / "in", "size=8", group)
    assert "up to its last number" not in capsys.readouterr().out
    part_of = {data.example(part, k): part for part, split in data.splits.items() for k in range(len(split.targets))}
    assert all(part_of[one] == part_of[other] for one, other in pairs)
    photos(tmp_path / "in", "size=8", "group=.+")  # somebody who gives another group is not asked about names
    assert "the name of a training image" not in capsys.readouterr().out


NUMBERS, LETTERS = range(60), "abcdefghijklmnopqrstuvwxyzäöüß"
NAMED = {  # the names of photos, and which part of its name one thing has in all of its photos
    "Roboflow": (
        [f"img{n}_jpg.rf.{(31 * n + again) ** 7:x}.jpg" for n in NUMBERS for again in range(3)],
        "before .rf.",
    ),
    "augmented": ([f"{n}{end}.jpg" for n in NUMBERS for end in ("", "_rot90", "_flip2")], "before the word for a chan"),
    "slices": ([f"patient{n % 12 // 2}_slice{n:02d}.png" for n in NUMBERS], "up to its last number but one"),
    "frames": ([f"SEQ{n % 12 // 2:03d}-{n}.png" for n in NUMBERS], "up to its last number but one"),
    "classes": ([f"n0{n % 2}_{n}.png" for n in NUMBERS], None),
    "days": ([f"IMG_2024013{n % 5}_{n}.png" for n in NUMBERS], None),
    "days in words": ([f"2024-01-3{n % 5} {n}.png" for n in NUMBERS], None),
    "a year": ([f"2019_{letter}.png" for letter in LETTERS], None),
    "letters": ([f"{letter}.png" for letter in LETTERS], None),
    "letters among numbers": ([f"IMG_{letter}_1.png" for letter in LETTERS], None),
}


@pytest.mark.parametrize(("names", "up_to"), NAMED.values(), ids=NAMED)
def test_photos_that_are_of_one_thing_by_their_names_are_said_with_the_group_that_keeps_it_together(names, up_to):
    files = [f"class/{name}" for name in random.Random(0).sample(names, len(names))]
    parts = {"test": files[: len(files) // 5], "train": files[len(files) // 5 :]}
    said = describe_named_alike("test", parts, {"test"}, lambda part, place: parts[part][place])
    assert len(said) == bool(up_to)
    for line in said:
        assert line.startswith(f"Test images that have the name of a training image {up_to}")
        group = re.search(r"or have 'dataset\.group=(.*)' keep together", line)[1]
        assert len({group_in(group, file) for file in files}) < len(files) / 2


def test_a_second_copy_of_all_photos_in_another_size_is_told_from_a_class(photos, tmp_path, capsys):
    for place in ("casting_512x512", "casting_data/casting_data/train", "casting_data/casting_data/test"):
        write_photos(tmp_path / "in" / place, 6, ("blue", "red"))
    assert photos(tmp_path / "in").class_names == ["casting_512x512", "casting_data"]
    said = capsys.readouterr().out
    one = f"data_dir={tmp_path}/in/casting_data"
    assert f"if each holds the same photos, as in two sizes, {one} takes one" in said
    assert photos(tmp_path / "in/casting_data").class_names == ["blue", "red"]


def test_single_photos_among_bursts_are_groups_of_their_own(photos, tmp_path, capsys):
    save_all(tmp_path / "in", {f"{ab(n)}/IMG_{n:03}_BURST1.jpg": scene(n) for n in range(40)})
    save_all(tmp_path / "in", {f"{ab(n)}/IMG_{n:03}_BURST2.jpg": scene(n) for n in range(40)}, quality=60)
    save_all(tmp_path / "in", {f"{ab(n)}/IMG_{100 + n}.jpg": scene(1000 + n) for n in range(40)})
    photos(tmp_path / "in", "size=48")
    words = re.search(r"or have 'dataset\.(group=.*)' keep them in one part", capsys.readouterr().out)
    photos(tmp_path / "in", "size=48", words[1])
    assert "nearly the same" not in capsys.readouterr().out


def test_near_copies_in_two_classes_are_said_and_no_group_where_names_have_nothing_in_common(photos, tmp_path, capsys):
    images = {f"{ab(n)}/{LETTERS[n]}.jpg": scene(n) for n in range(30)}
    save_all(tmp_path / "in", images | {f"{ab(n + 1)}/{LETTERS[n] * 2}.png": scene(n) for n in range(30)})
    photos(tmp_path / "in", "size=48")
    said = capsys.readouterr().out
    assert re.search(r"([2-9]) of 8 test images are nearly the same .*: \1 of these are of another class there; ", said)
    assert "delete these, or give them names with a common part that dataset.group can match" in said


def test_plain_photos_pass_for_no_copies_and_a_few_ones_are_not_said(photos, tmp_path, capsys):
    photos(write_photos(tmp_path / "plain", 10), "size=48")
    save_all(tmp_path / "in", {f"{ab(n)}/{n:02}.jpg": scene(n) for n in range(60)}, quality=95)
    scene(0).save(tmp_path / "in/a/again.jpg", quality=60)
    photos(tmp_path / "in", "size=48")
    assert "nearly the same" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folders", "said"),
    (
        (("a", "a/masks", "b"), "a/masks (5): move them away if they do not show their class, such as masks\n"),
        (("photos/a", "photos/b", "plots"), ": move them away if they do not show their class, such as masks, or giv"),
        (("a/p1", "a/p2", "b/p3", "b/p4"), "a/p1 (5), a/p2 (5), b/p3 (5), b/p4 (5): if those of one folder belong"),
        (("a/x", "b/y"), ""),
        (("a", "b"), ""),
    ),
)
def test_images_in_folders_within_those_of_the_classes_are_said(photos, tmp_path, capsys, monkeypatch, folders, said):
    photos(five_scenes_each(tmp_path / "in", folders))
    out = capsys.readouterr().out
    lines = [line + "\n" for line in out.splitlines() if line.startswith("Images in subfolders of the class folders")]
    assert said in lines[0] if said else not lines
    assert ("photos/a" in folders) == (f"give data_dir={tmp_path}/in/photos, if its folders are the classes" in out)
    if "a/p1" in folders:
        monkeypatch.chdir(tmp_path / "in")
        run_command_in(lines[0])
        assert photos(tmp_path / "in").class_names == ["p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("within", (("p1", "p2", "p3", "p4"), ("p5", "p6", "p7", "p8")))
def test_a_group_that_is_given_as_advised_is_not_advised_again(photos, tmp_path, capsys, within):
    names = (*(f"a/{name}" for name in within), *(f"b/p{number}" for number in range(1, 5)))
    folder, advice = five_scenes_each(tmp_path / "in", names), re.compile(r"'dataset\.(group=\S+)' keeps them in one")
    photos(folder)
    photos(folder, advice.search(capsys.readouterr().out)[1])
    assert not advice.search(capsys.readouterr().out)
