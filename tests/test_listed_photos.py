"""Photos whose classes a table lists, as labels.csv beside a folder of photos."""

import re
import shutil
from pathlib import Path

import pytest
from support.photos import draw, fill, save_all, write_photos

from proj.data.exists import PhotoList, find_list
from proj.data.listed_photos import images_with_classes, in_parts
from proj.data.photos.found_images import FoundImage
from proj.errors import UserError
from proj.training.run import train
from proj.use.evaluation import evaluate

COLOURS = ("red", "blue", "green")


@pytest.fixture
def folder(tmp_path):
    """in/photos with 30 photos, 00.png to 29.png, the last five in in/photos/more; every third has the same colour."""
    names = (f"{'more/' * (number > 24)}{number:02}.png" for number in range(30))
    save_all(tmp_path / "in/photos", {name: draw(COLOURS[n % 3], n) for n, name in enumerate(names)})
    return tmp_path / "in"


def rows(form: str, count: int = 30) -> str:
    """Lines such as "00.png,red": in `form`, {n} is a photo's number, {p} its patient's, and {c} its class."""
    return "".join(form.format(n=n, p=n // 2, c=COLOURS[n % 3]) + "\n" for n in range(count))


def test_numbers_of_the_rows_are_not_taken_for_the_names_of_photos(photos, folder):
    for file in (folder / "photos").rglob("*.png"):
        file.rename(file.with_stem(str(int(file.stem))))
    for name, called in (("", "column 0"), ("index", "index")):
        (folder / "labels.csv").write_text(f"{name},case,label\n" + rows("{n},case-{n:02},{c}"))
        said = f"no image is named case-00, as in column case, and {called} only numbers the rows: write"
        with pytest.raises(UserError, match=said):
            photos(folder / "photos", "labels=labels.csv", "target=label")


@pytest.mark.parametrize(
    ("head", "form", "said"),
    (
        ("age,case,label", "{n},case-{n:02},{c}", "case-00, as in column case; so they are named by age: 0 is 0.png"),
        # Other numbers than those of the rows, from 0 or 1 on.
        (",case,label", "1{n:02},case-{n:02},{c}", "named by column 0: 100 is 100.png"),
        ("id,label", "{n},{c}", ""),
        ("id,age,label", "{n},2{n},{c}", ""),
        ("id,case,label", "{n}.png,case-{n:02},{c}", ""),
    ),
)
def test_photos_that_numbers_name_beside_a_column_of_other_names_are_said(photos, folder, capsys, head, form, said):
    for file in (folder / "photos").rglob("*.png"):
        file.rename(file.with_stem(str(int(file.stem) + 100 * form.startswith("1"))))
    (folder / "labels.csv").write_text(f"{head}\n" + rows(form))
    data = photos(folder / "photos", "labels=labels.csv", "target=label")
    assert sum(len(split.targets) for split in data.splits.values()) == 30
    out = " ".join(capsys.readouterr().out.split())
    assert said in out if said else "no image is named" not in out


def test_only_an_ending_with_letters_is_cut_off_a_name(photos, folder, capsys):
    (folder / "photos/00.png").rename(folder / "photos/case.png")
    (folder / "labels.csv").write_text("id,label\ncase.100,red\n" + rows("{n:02}.jpeg,{c}"))
    photos(folder / "photos", "labels=labels.csv")
    out = capsys.readouterr().out
    assert "left out, 2 rows whose image is not there, such as case.100" in out
    assert "no class: 1, such as case.png" in out


def test_classes_that_are_none_or_list_others_are_said_of_photos_too(photos, folder, capsys):
    words = ("unknown", "red", "red|spots", '{"choices": ["red", "blue"]}')
    lines = "".join(f"{n:02}.png;{words[n % 4]}\n" for n in range(28))
    (folder / "labels.csv").write_text("image;label\n" + lines)
    photos(folder / "photos", "labels=labels.csv")
    out = " ".join(capsys.readouterr().out.split())
    assert "taken as class names: unknown; leave the cell empty" in out
    assert """a class of its own: 'red|spots', '{"choices": ["red", "blue"]}'""" in out


def test_folders_of_one_class_each_may_be_groups(photos, tmp_path, capsys):
    save_all(tmp_path / "in", {f"P{n // 3:02}/{n % 3}.png": draw(COLOURS[n // 3 % 3], n) for n in range(30)})
    said = "Folders of several images, all of one class: 10, such as P00: if those of one folder belong together"
    for colour_of, expected in ((lambda n: n // 3, True), (lambda n: n, False)):
        lines = (f"P{n // 3:02}/{n % 3}.png,{COLOURS[colour_of(n) % 3]}\n" for n in range(30))
        (tmp_path / "in/labels.csv").write_text("image,label\n" + "".join(lines))
        photos(tmp_path / "in", "labels=labels.csv")
        assert (said in " ".join(capsys.readouterr().out.split())) == expected
    lines = (f"P{n // 3:02}/{n % 3}.png,class {n // 3}\n" for n in range(30))  # each folder is a class
    (tmp_path / "in/labels.csv").write_text("image,label\n" + "".join(lines))
    photos(tmp_path / "in", "labels=labels.csv")
    assert "Folders of several images" not in capsys.readouterr().out
    lines = (f"P{n // 3:02}/{n % 3}.png,{COLOURS[n // 3 % 3]}\n" for n in range(30))
    (tmp_path / "in/labels.csv").write_text("image,label\n" + "".join(lines))
    measured = images_with_classes(str(tmp_path / "in"), PhotoList("labels.csv"), known=COLOURS)  # no set is drawn
    assert len(measured.images) == 30 and not measured.said
    photos(tmp_path / "in", "labels=labels.csv", "group=([^/]+)/[^/]+$")
    assert "Folders of several images" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "folder_of",
    (
        lambda n: f"P{n // 3:02}" if n < 18 else f"Q{n}",  # most folders hold one photo
        lambda n: f"site{n // 9}/{COLOURS[n // 3 % 3]}",
        lambda n: f"{'train' if n < 15 else 'test'}/P{n // 3:02}",
    ),
    ids=("few", "classes", "sets"),
)
def test_folders_that_are_no_groups_are_not_said_to_be_some(photos, tmp_path, capsys, folder_of):
    paths = [f"{folder_of(n)}/{n}.png" for n in range(30)]
    save_all(tmp_path / "in", {path: draw("red", n) for n, path in enumerate(paths)})
    lines = (f"{path},{COLOURS[n // 3 % 3]}\n" for n, path in enumerate(paths))
    (tmp_path / "in/labels.csv").write_text("image,label\n" + "".join(lines))
    photos(tmp_path / "in", "labels=labels.csv")
    assert "Folders of several images" not in capsys.readouterr().out


def test_sets_are_found_below_a_folder_that_holds_them_all(photos, tmp_path):
    parts = {"train": range(18), "val": range(18, 24), "test": range(24, 30)}
    files = {f"images/{part}/{n:02}.png": draw(COLOURS[n % 3], n) for part, some in parts.items() for n in some}
    save_all(tmp_path / "in", files)
    (tmp_path / "in/labels.csv").write_text("image,label\n" + rows("{n:02}.png,{c}"))
    data = photos(tmp_path / "in", "labels=labels.csv")
    assert {part: numbers(data, part) for part in parts} == {part: [*some] for part, some in parts.items()}


def numbers(data, part: str) -> list[int]:
    """The numbers of the photos in a part."""
    return [int(Path(data.example(part, place)).stem) for place in range(len(data.splits[part].targets))]


def assert_classes_are_the_colours(data) -> None:
    for part, split in data.splits.items():
        names = [data.class_names[target] for target in split.targets.tolist()]
        assert names == [COLOURS[number % 3] for number in numbers(data, part)]


@pytest.mark.parametrize(
    ("head", "form"),
    (
        ("image,label\n", "{n:02}.png,{c}"),
        ("", "{n:02}.png,{c}"),
        ("label;file\n", "{c};photos\\\\{n:02}.PNG"),  # a folder, written on Windows, that is above the photos
        ("id,label\n", "{n:02},{c}"),
        ("id\tlabel\n", "{n:02}.jpg\t{c}"),
    ),
)
def test_the_classes_of_photos_are_those_of_a_table_in_any_form(photos, folder, head, form):
    (folder / "labels.csv").write_text(head + rows(form))
    data = photos(folder / "photos", "labels=labels.csv")
    assert data.class_names == sorted(COLOURS)
    assert [len(split.targets) for split in data.splits.values()] == [21, 3, 6]
    assert_classes_are_the_colours(data)
    (folder / "labels.csv").write_text(head + "\n".join(reversed(rows(form).split("\n"))))  # the order changes nothing
    again = photos(folder / "photos", "labels=labels.csv")
    assert [numbers(again, part) for part in again.splits] == [numbers(data, part) for part in data.splits]


@pytest.mark.parametrize(
    ("head", "form", "said"),
    (
        (
            "image,red,rest,other\n",
            "{n:02},0.0,0.0,1.0",
            r"a column of 0 and 1 for each class.*table\[\['red', 'rest', 'other'\]\].idxmax\(axis=1\); table.to_csv",
        ),
        ("image,cat,dog\n", "{n:02},True,False", r"table\[\['cat', 'dog'\]\].idxmax\(axis=1\)"),  # as pandas writes it
        (
            "image,dx\n29,red blue\n",
            "{n:02},{c}",
            r"line 2 gives 29 several classes in dx \(red blue\), .* one class for each image: .* such as red\+blue,",
        ),
        ("image,red,blue\n", "{n:02},1,1", "names no column yet"),  # several classes for each image
        ("image,dx\n29,'red,blue'\n".replace("'", '"'), "{n:02},{c}", r"several classes in dx \(red,blue\)"),
    ),
)
def test_a_list_of_several_classes_for_a_photo_is_told_to_give_one(photos, folder, head, form, said):
    (folder / "labels.csv").write_text(head + rows(form, 29))
    with pytest.raises(UserError, match=said):
        photos(folder / "photos", "labels=labels.csv")


def test_a_column_of_the_table_is_the_group_and_one_of_persons_is_asked_about(photos, folder, capsys):
    (folder / "labels.csv").write_text("id,patient_id,dx\n" + rows("{n:02},{p},{c}"))
    words = ("labels=labels.csv", "target=dx")
    photos(folder / "photos", *words)
    assert "dataset.group=patient_id keeps them in one part" in capsys.readouterr().out
    data = photos(folder / "photos", *words, "group=patient_id")
    patients = [{number // 2 for number in numbers(data, part)} for part in data.splits]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 15


def test_what_the_table_and_the_folder_do_not_share_is_left_out_and_said(photos, folder, capsys):
    listed = rows("{n:02}.png,{c}", 27) + "27.png,\n99.png,red\n00.png,red\n"
    (folder / "labels.csv").write_text("image,label\n" + listed)
    save_all(folder / "photos", {"more/00.png": draw("green", 99)})  # not the one at the path 00.png
    data = photos(folder / "photos", "labels=labels.csv")
    said = capsys.readouterr().out
    assert sum(len(split.targets) for split in data.splits.values()) == 27  # 00.png is listed twice, as the same
    assert "left out, 1 row whose image is not there, such as 99.png" in said
    assert "gives them no class: 4, such as more/00.png" in said and "rows without label left out: 1" in said


@pytest.mark.parametrize(("train", "test"), (("train", "test"), ("train2017", "test2017")))
def test_folders_called_train_and_test_are_parts_and_other_folders_are_not(photos, tmp_path, capsys, train, test):
    for part, count in ((train, 12), (test, 5)):
        fill(tmp_path, [f"in/{part}"], count)
    lines = [f"{train}/{n}.png,{'ab'[n % 2]}\n" for n in range(12)]
    lines += [f"{test}/{n}.png,{'abc'[n % 3]}\n" for n in range(5)]
    (tmp_path / "in/labels.csv").write_text("image,label\n" + "".join(lines))
    data = photos(tmp_path / "in", "labels=labels.csv", "identical=apart")
    assert len(data.splits["test"].targets) == 4 and data.class_names == ["a", "b"]
    assert "the training part does not have their class: 1 c" in capsys.readouterr().out


def test_no_photo_takes_the_class_of_a_missing_one_of_its_name_in_another_folder(photos, tmp_path, capsys):
    fill(tmp_path, ["in/train", "in/test"], 12)
    (tmp_path / "in/train/5.png").unlink()
    (tmp_path / "in/labels.csv").write_text("image,label\n" + rows("photos/train/{n}.png,{c}", 12))
    data = photos(tmp_path / "in", "labels=labels.csv", "identical=apart")
    assert sum(len(split.targets) for split in data.splits.values()) == 11
    assert "left out, 1 row whose image is not there, such as photos/train/5.png" in capsys.readouterr().out


def test_a_column_that_names_the_sets_is_said_to_divide_nothing(photos, folder, capsys):
    (folder / "labels.csv").write_text("image,label,split\n" + rows("{n:02}.png,{c},train").replace("train", "test", 9))
    photos(folder / "photos", "labels=labels.csv", "target=label")
    said = capsys.readouterr().out
    assert "split: its words name parts (test, train), but the sets are drawn: to split by them, add dataset.s" in said


TABLE = "dataset.labels=labels.csv"
REFUSED = {
    "no such table": (["dataset.labels=label.csv"], "", r"label\.csv is no file in .* Did you mean '.*labels"),
    "a column without a table": (["dataset.target=label"], "", "=label is a column of the table dataset.labels="),
    "no such column": ([TABLE, "dataset.target=colour"], "", "colour is no column of .* Options: image, label"),
    "no such group": ([TABLE, "dataset.group=lable"], "", "group=lable is no column of .* Did you mean 'label'"),
    "no photo of the folder": ([TABLE], "x.png,red\ny.png,blue\n", "names an image of .*, such as 00.png"),
    "two classes": ([TABLE], "0.png,blue\n00.png,red\n00.png,blue\n", "3 and 4 give 00.png both red and blue as its"),
    "two photos of a name": ([TABLE], "29,red\n28,blue\n", "line 2 names 29, which may be .*29.jpg, more/29.png"),
    "one class": ([TABLE], "00.png,red\n01.png,red\n", "only red in labels.csv: name another column with dataset.ta"),
    "no class": ([TABLE], "00.png,\n01.png,\n", "gives no image a class in label"),
}


@pytest.mark.parametrize(("words", "lines", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_gives_the_photos_no_classes_is_one_sentence(configure, folder, words, lines, sentence):
    (folder / "labels.csv").write_text("image,label\n" + (lines or rows("{n:02}.png,{c}")))
    shutil.copy(folder / "photos/00.png", folder / "photos/29.jpg")
    with pytest.raises(UserError, match=sentence):
        train(configure("dataset=image_folder", f"data_dir={folder / 'photos'}", *words))


def test_a_run_finds_its_table_from_anywhere_and_is_measured_on_sorted_photos(configure, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / "labels.csv").write_text("image,who,label\n" + rows("{n:02}.png,{p},{c}"))
    words = ("dataset=image_folder", "data_dir=in/photos", "model=mlp", "dataset.size=8", "+trainer.max_steps=1")
    words += ("dataset.labels=in/labels.csv", "dataset.target=label", "dataset.group=who")
    metrics = train(configure(*words, "dataset.cache_dir=cache"))
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved / "in")
    monkeypatch.chdir(tmp_path / "run")
    path = tmp_path / "run/best.ckpt"
    assert evaluate(path, data_dir=str(moved / "in/photos"))["examples"] == metrics["test_examples"]
    shutil.copytree(moved / "in", tmp_path / "other/in")
    (tmp_path / "other/in/labels.csv").write_text("image,label\n" + rows("{n:02}.png,{c}"))  # a group is not needed
    assert evaluate(path, data_dir=str(tmp_path / "other/in/photos"), split="all")["examples"] == 30
    assert evaluate(path, data_dir=str(write_photos(tmp_path / "new", 2)), split="all")["examples"] == 6
    with pytest.raises(UserError, match=r"in/labels\.csv, as in the training, is no file in .*: give the table of"):
        evaluate(path, data_dir=str(fill(tmp_path, ["none"]) / "none"), split="all")


def test_the_nearest_table_of_a_name_is_taken(tmp_path):
    for place in ("a/b", "a"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / "a/labels.csv").touch()
    assert find_list(str(tmp_path / "a/b"), PhotoList("labels.csv")) == str(tmp_path / "a/labels.csv")
    (tmp_path / "a/b/labels.csv").touch()
    assert find_list(str(tmp_path / "a/b"), PhotoList("labels.csv")) == str(tmp_path / "a/b/labels.csv")


def test_a_column_of_row_numbers_is_not_taken_for_the_names_of_photos(photos, folder, capsys):
    """pandas writes them, without a name or with one; the photos are in another order."""
    order = [(7 * n + 3) % 30 for n in range(30)]
    for head, ending in ((",image,label", ".png"), ("nr,image,label", ".png"), (",image,label", "")):
        lines = [f"{n:02},{photo:02}{ending},{COLOURS[photo % 3]}" for n, photo in enumerate(order)]
        (folder / "labels.csv").write_text("\n".join([head, *lines, f"30,99{ending},red"]))
        data = photos(folder / "photos", "labels=labels.csv", "target=label")
        assert_classes_are_the_colours(data)
    (folder / "labels.csv").write_text("\n".join(["nr,image,label", *lines]))
    with pytest.raises(UserError, match=r"labels.csv: line 2 names two images, 00 in nr and 03 in image: leave one of"):
        photos(folder / "photos", "labels=labels.csv", "target=label")


def test_a_table_that_names_images_and_their_masks_is_told_how_to_take_the_images(photos, tmp_path):
    names = [(f"img/{n:02}.png", f"mask/{n:02}_mask.png") for n in range(10)]
    save_all(tmp_path / "in", {file: draw("red", n) for n, pair in enumerate(names) for file in pair})
    lines = [f"{image},{mask},{'ab'[n % 2]}" for n, (image, mask) in enumerate(names)]
    (tmp_path / "in/labels.csv").write_text("\n".join(["image,mask,label", *lines]))
    with pytest.raises(UserError, match="take the images of one folder: ") as raised:
        photos(tmp_path / "in", "labels=labels.csv", "target=label")
    place, labels = re.findall(r"data_dir=(\S+) dataset\.(labels=\S+)\.$", str(raised.value))[0]
    assert photos(place, labels, "target=label").class_names == ["a", "b"]


@pytest.mark.parametrize("first", (0, 80))
def test_numbers_that_a_spreadsheet_wrote_without_their_leading_zeros_name_the_photos(photos, tmp_path, capsys, first):
    """All of them from 0 on; from 80 on, those above 100 have none."""
    save_all(tmp_path / "in", {f"{n:03}.png": draw(COLOURS[n % 3], n) for n in range(first, first + 30)})
    lines = [f"{n},{COLOURS[n % 3]}" for n in range(first, first + 30)]
    (tmp_path / "in/labels.csv").write_text("\n".join(["id,label", *lines]))
    data = photos(tmp_path / "in", "labels=labels.csv")
    assert sum(len(split.targets) for split in data.splits.values()) == 30
    assert_classes_are_the_colours(data)
    lost = {0: "30", 80: "20"}[first]
    said = " ".join(capsys.readouterr().out.split())
    assert f"{lost} numbers in id lack leading zeros, so that {first} is taken for {first:03}.png" in said


def test_the_table_with_one_column_for_the_classes_is_one_that_pandas_writes_as_told(photos, folder):
    (folder / "photos/labels.csv").write_text(
        "image,red,rest\n" + "".join(f"{n:02},{1 - n % 2},{n % 2}\n" for n in range(30))
    )
    with pytest.raises(UserError, match="pandas writes it: ") as raised:
        photos(folder / "photos", "labels=labels.csv")
    code, labels = re.search(r"writes it: (.*)\. Then give dataset\.(labels=\S+) dataset", str(raised.value)).groups()
    exec(f"import pandas; {code}")
    assert (folder / "photos/labels.csv").read_text().startswith("image,red,rest\n")
    assert photos(folder / "photos", labels, "target=label").class_names == ["red", "rest"]


def test_listed_photos_are_in_the_same_order_with_the_separators_of_windows():
    names = [("site1", "a.png"), ("site10", "b.png"), ("site2", "c.png")]
    for separator in "/\\":
        found = {separator.join(name): FoundImage(name[1], (0, 0, 0), "red", "", "") for name in names}
        assert [image.file for image in in_parts(found, [], {}).images] == ["a.png", "b.png", "c.png"]


def test_a_number_that_several_photos_have_but_for_zeros_is_one_sentence(photos, tmp_path):
    save_all(tmp_path / "in", {f"{'ab'[n % 2]}/0{n // 2}.png": draw("red", n) for n in range(12)})
    (tmp_path / "in/labels.csv").write_text("id,label\n" + "".join(f"{n},{COLOURS[n % 3]}\n" for n in range(6)))
    with pytest.raises(UserError, match=r"line 2 names 0, which may be a/00\.png, b/00\.png: write the paths below"):
        photos(tmp_path / "in", "labels=labels.csv")
