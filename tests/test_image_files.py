"""Which files of a folder are taken as images, how deep pixels and odd kinds are read, and what is said about it."""

import errno
import functools
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image, ImageCms
from PIL.features import check
from support.evaluations import evaluate
from support.images import load_photos, read_image
from support.photos import draw, save_all

import proj.data.photos.image_file
import proj.use.evaluation
from proj.checkpoint.file import load_model
from proj.data.facts import Facts
from proj.data.photos.deep_pixels import black_and_white, to_8_bits
from proj.data.photos.image_file import Recipe, Refused, open_image, read_picture
from proj.errors import UserError
from proj.training.run import train
from proj.use.inputs import read_images
from proj.use.prediction import find_files, predict

picture = functools.partial(draw, size=(12, 12))


def write_classes(folder: Path, count: int = 6) -> Path:
    return save_all(folder, {f"{name}/{n}.png": picture(name, n) for name in ("blue", "red") for n in range(count)})


@pytest.fixture
def photos(tmp_path, capsys):
    """photos(folder, "size=6", …) -> (the datamodule, what it printed)."""

    def photos(folder: Path, *words: str):
        capsys.readouterr()
        return load_photos(folder, tmp_path / "cache", *words), capsys.readouterr().out

    return photos


def examples(data) -> int:
    return sum(len(split.targets) for split in data.splits.values())


def test_images_are_told_by_their_content_whatever_their_name_is(photos, tmp_path):
    folder = write_classes(tmp_path / "in")
    kinds = {"JPEG": "a.jfif a.jpe a.JPG a.jpg_large a.jpg~orig plain", "PNG": "wrong.jpg b.dat", "TGA": "c.tga"}
    kinds |= {"GIF": "d", "TIFF": "e.tif", "BMP": "f.dib", "PPM": "g.pnm", "ICO": "h.ico", "WEBP": "i.bin"}
    kinds |= {"PCX": "j.pcx"}
    if check("jpg_2000"):
        kinds |= {"JPEG2000": "k.jp2 k.j2k"}
    names = [(kind, name) for kind, names in kinds.items() for name in names.split()]
    for kind, name in names:
        picture("red", 50, size=(16, 16)).save(folder / "red" / name, kind)
    data, said = photos(folder, "identical=apart")
    assert examples(data) == 12 + len(names) and said == ""
    reds = torch.cat([split.inputs[split.targets == 1] for split in data.splits.values()]).float()
    assert (reds.mean((1, 2))[:, 0] > 180).all() and (reds.mean((1, 2))[:, 1:] < 70).all()


def test_what_is_no_image_is_counted_by_its_ending(photos, tmp_path):
    folder = write_classes(tmp_path / "in")
    for name, content in {
        "a.txt": b"text", "b.txt": b"PIL", "c.svg": b"<svg/>", "d.pdf": b"%PDF-1.7", "e.mp4": b"\0\0\0\x18ftypisom",
        "f": b"{}", "g.eps": b"%!PS-Adobe-3.0 EPSF-3.0", "h.xml": b"", "i.npy": b"\x93NUMPY",
        "k.dcm": bytes(128) + b"DICM",
    }.items():  # fmt: skip
        (folder / "red" / name).write_bytes(content)
    picture("red", 60).save(folder / "red" / "j.dng", "TIFF")  # as a raw photo begins, with a small preview
    picture("red", 61).save(folder / "beside.jpg")
    (folder / "yellow.zip").touch()
    with pytest.raises(Refused, match="is a raw photo: develop it"):
        open_image(folder / "red" / "j.dng", (8, 8), 3)
    data, said = photos(folder)
    assert examples(data) == 12
    for what in ("2 .txt", "1 .svg", "1 .pdf", "1 .dcm", "1 .mp4", "1 .dng", "1 without an ending"):
        assert what in said.splitlines()[0]
    assert "no class folder: 1 .jpg" in said.splitlines()[1]
    assert "Archives left out: unpack them first if they hold images: yellow.zip" in said.splitlines()[2]


COMPANIONS = "__MACOSX @eaDir lost+found .ipynb_checkpoints $RECYCLE.BIN .git .hidden #recycle @__thumb .Trash-1000"


def test_what_systems_leave_is_no_class_and_no_image(photos, tmp_path):
    folder = write_classes(tmp_path / "in")
    for name in [*COMPANIONS.split(), "System Volume Information"]:
        for place in (folder, folder / "red"):
            (place / name / "0.png").mkdir(parents=True)
            picture("red", 70).save(place / name / "0.png" / "SYNOPHOTO_THUMB_M.jpg")
    for name in ("Thumbs.db", ".DS_Store", "._0.png", "desktop.ini"):
        (folder / "red" / name).write_bytes(b"\0")
    (folder / "empty").mkdir()
    data, said = photos(folder)
    assert data.class_names == ["blue", "red"] and examples(data) == 12
    assert said == "Folders left out because they hold no images: empty\n"
    assert len(find_files(str(folder))) == 12  # predict's


@pytest.mark.parametrize(
    "names",
    ("train/valid/test", "Train/dev/Test", "training/eval/testing", "TRAIN/val/", "training/validation/evaluation",
     "seg_train/seg_val/seg_test", "training_set/dev-set/test_set", "train2017/val2017/test2017", "TrainData/Val/Test",
     "trainset/valset/testset", "trainval/val/test", "VOC_trainval/VOC_val/VOC_test"),
)  # fmt: skip
def test_the_parts_are_found_as_public_data_sets_name_them(photos, tmp_path, names):
    for count, name in zip((8, 2, 3), names.split("/"), strict=True):
        if name:
            write_classes(tmp_path / "in" / name, count)
    data, _ = photos(tmp_path / "in")
    sizes = [len(split.targets) for split in data.splits.values()]
    assert data.class_names == ["blue", "red"]
    assert sizes == ([14, 4, 2] if names == "TRAIN/val/" else [16, 4, 6])


def test_folders_that_may_be_parts_are_not_taken_as_classes_without_a_word(photos, tmp_path):
    for name in ("train_set", "test_set", "holdout"):
        write_classes(tmp_path / "in" / name)
    with pytest.raises(UserError, match=r"holdout is a class beside .*train_set, which holds folders as for a part"):
        photos(tmp_path / "in")
    for name in ("Trainingsdaten", "Testdaten"):
        write_classes(tmp_path / "other" / name)
    _, said = photos(tmp_path / "other", "identical=apart")
    assert "The classes are Testdaten, Trainingsdaten, and hold the folders blue, red: if" in said


def test_an_archive_that_is_packed_twice_is_unpacked(photos, tmp_path):
    for name, count in (("seg_train", 8), ("seg_test", 3)):
        write_classes(tmp_path / "in" / "intel" / name / name, count)
    (tmp_path / "in" / "__MACOSX").mkdir()
    (tmp_path / "in" / "intel" / "seg_pred" / "seg_pred").mkdir(parents=True)
    picture("red", 80).save(tmp_path / "in" / "intel" / "seg_pred" / "seg_pred" / "1.jpg")
    data, said = photos(tmp_path / "in")
    assert data.class_names == ["blue", "red"] and len(data.splits["test"].targets) == 6
    assert "Folders left out because their images have no classes: " in said and "seg_pred" in said


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def test_a_heic_photo_names_the_package_that_it_takes(photos, tmp_path, mistake, digits, monkeypatch, capsys):
    kinds = tuple(kind for kind in proj.data.photos.image_file.FORMATS if kind != "HEIF")
    monkeypatch.setattr("proj.data.photos.image_file.FORMATS", kinds)
    folder = write_classes(tmp_path / "in")
    for name in ("a.heic", "b.HIF", "c.jpg", "d"):
        (folder / "red" / name).write_bytes(HEIC)
    data, said = photos(folder)
    assert examples(data) == 12 and said.startswith("4 of 16 images cannot be read")
    assert said.count("is a HEIC photo, which takes one more package: pip install 'proj[heic]'") == 4
    mistake("proj.predict", f"run={digits}", f"input={folder}/red/c.jpg")
    assert "pip install 'proj[heic]'" in capsys.readouterr().err


def test_heic_photos_are_read_where_the_package_is_there(photos, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="an extra: pip install 'proj[heic]'")
    folder = write_classes(tmp_path / "in")
    pillow_heif.from_pillow(picture("red", 50, size=(64, 64))).save(folder / "red" / "a.heic")
    data, said = photos(folder)
    assert examples(data) == 13 and said == ""


def test_predict_says_that_of_many_frames_the_first_is_taken(photos, tmp_path, capsys):
    for frames in (1, 3):
        pictures = [picture("red", 80 + number) for number in range(frames)]
        pictures[0].save(tmp_path / f"{frames}.tif", save_all=True, append_images=pictures[1:])
    facts = Facts([3, 8, 8], ["a", "b"], False, [0.5] * 3, [0.5] * 3, None, "")
    assert len([*read_images([str(tmp_path / "1.tif"), str(tmp_path / "3.tif")], facts, "auto", 10**6, [])]) == 2
    assert capsys.readouterr().err == "Images of several frames or pages, of which only the first is used: 1\n"


def test_of_many_frames_the_first_is_taken_and_said(photos, tmp_path):
    folder = write_classes(tmp_path / "in")
    for name in ("a.gif", "b.tif", "c.webp"):
        more = {"save_all": True, "append_images": [picture("blue", 50)]}
        picture("red", 50).save(folder / "red" / name, **more)
    for again in (False, True):
        data, said = photos(folder, "identical=apart")
        assert said == "Images of several frames or pages, of which only the first is used: 3\n", again
    reds = torch.cat([split.inputs[split.targets == 1] for split in data.splits.values()]).float()
    assert (reds.mean((1, 2))[:, 0] > 180).all()


def png16(values: np.ndarray) -> bytes:
    """A PNG file of 16 bits a channel; Pillow writes those of one channel alone. values: (H, W, C)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, channels = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff16(values: np.ndarray, order: str, planes: int = 1) -> bytes:
    """A TIFF file of 16 bits a channel, of either order of bytes. values: (H, W, 3). planes: 2 if it says that each
    channel is a plane of its own."""
    height, width, channels = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    entries = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 1), (262, 3, 2), (273, 4, 14)]
    entries += [(277, 3, channels), (278, 3, height), (279, 4, len(pixels)), (284, 3, planes)]
    start = 14 + len(pixels)
    content = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, start)
    content += struct.pack(f"{order}3H", 16, 16, 16) + pixels + struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        count, kind_of_value = (3, "I") if tag == 258 else (1, "H2x" if kind == 3 else "I")
        content += struct.pack(f"{order}HHI{kind_of_value}", tag, kind, count, value)
    return content + bytes(4)


@pytest.mark.parametrize("most", (255, 1023, 4095, 16383, 65535))
@pytest.mark.parametrize("kind", ("png 1", "png 2", "png 3", "png 4", "tif <", "tif >", "I;16", "I"))
def test_no_bit_of_deep_pixels_is_lost_before_they_are_scaled(kind, most):
    values = np.linspace(0, most, 8 * 9 * 3).round().astype(np.uint16).reshape(8, 9, 3)
    name, _, how = kind.partition(" ")
    if name == "png":
        values = np.concatenate([values, values], 2)[..., : int(how)]
        if int(how) % 2 == 0:
            values[..., -1] = 65535  # not transparent
        content = png16(values)
        values = values[..., : int(how) - 1 + int(how) % 2]
    elif name == "tif":
        content = tiff16(values, how)
    else:
        values, file = values[..., :1], io.BytesIO()
        kind_of_number = np.uint16 if name == "I;16" else np.int32
        Image.fromarray(values[..., 0].astype(kind_of_number)).save(file, "TIFF")
        content = file.getvalue()
    image = open_image(io.BytesIO(content), (8, 9), values.shape[2], {})
    wanted = (values * (255 / most)).round()
    assert np.abs(np.asarray(image).reshape(wanted.shape) - wanted).max() == 0


def test_deep_colours_are_turned_upright(tmp_path):
    values = np.zeros((4, 6, 3), np.uint16)
    values[:, :3, 0] = 4095
    exif = Image.Exif()
    exif[0x0112] = 6
    head, tail = png16(values)[:33], png16(values)[33:]
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content + struct.pack(">I", zlib.crc32(b"eXIf" + content))
    image = open_image(io.BytesIO(head + chunk + tail), (6, 4), 3, {})
    assert image.size == (4, 6) and np.asarray(image)[:3, :, 0].min() == 255 and np.asarray(image)[3:].max() == 0


@pytest.mark.parametrize("orientation", (1, 3, 5, 6, 8))
@pytest.mark.parametrize("mode", ("L", "P", "RGB", "RGBA", "CMYK", "I;16"))
def test_an_uncompressed_tiff_file_is_turned_upright_also_where_it_is_opened_by_its_name(tmp_path, mode, orientation):
    values = np.random.default_rng(0).integers(0, 255, (8, 12), np.uint8)
    image = Image.fromarray(values.astype(np.uint16)) if mode == "I;16" else Image.fromarray(values).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.tif", exif=exif)
    image.save(tmp_path / "packed.tif", exif=exif, compression="tiff_lzw")
    plain, packed = (np.asarray(open_image(tmp_path / name, (8, 12), 3, {})) for name in ("a.tif", "packed.tif"))
    assert plain.shape == ((8, 12, 3) if orientation < 5 else (12, 8, 3)) and (plain == packed).all()


def test_deep_planes_of_channels_which_pillow_would_misread_are_refused(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (8, 9, 3)).astype(np.uint16)
    content = tiff16(values, "<", planes=2)
    with pytest.raises(Refused, match="16 bits a channel and a plane for each channel: save it with"):
        open_image(io.BytesIO(content), (8, 9), 3, {})


def test_black_and_white_are_those_of_the_usual_depths_or_of_the_values():
    for span, levels in {
        (0, 200): (0, 255), (3, 3900): (0, 4095), (0, 20817): (0, 65535), (0, 0.9): (0, 1), (0, 1.0000001): (0, 1),
        (0, 255.01): (0, 255), (-1, 1): (-1, 1), (-1024, 3071): (-1024, 3071), (280, 310): (280, 310),
        (0, 0): (0, 1), (7, 7): (7, 8), (0, 0.02): (0, 1 / 32), (0, 1): (0, 1), (0, 100_000): (0, 2**17 - 1),
    }.items():  # fmt: skip
        assert black_and_white(*span) == levels, span


def write_deep(folder: Path, name: str, most: int, kind=np.uint16, count: int = 8) -> None:
    """Bright and dark squares of values up to `most`."""
    for place, share in (("bright", 0.95), ("dark", 0.4)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = np.full((12, 12), most * share)
            values[:6] = most * number / 50
            Image.fromarray(values.astype(kind)).save(folder / place / f"{number}{name}")


@pytest.mark.parametrize(
    ("ending", "most", "kind", "said"),
    (
        (".png", 4095, np.uint16, "0 becomes black and 4,095 white"),
        (".tif", 4095, np.int32, "0 becomes black and 4,095 white"),
        (".png", 255, np.uint16, "0 becomes black and 255 white"),
        (".tif", 1, np.float32, "0 becomes black and 1 white"),
        (".tif", 0.02, np.float32, "0 becomes black and 0.03125 white"),
    ),
)
def test_deep_pixels_are_scaled_by_what_the_training_images_hold(photos, tmp_path, ending, most, kind, said):
    write_deep(tmp_path / "in", ending, most, kind)
    data, printed = photos(tmp_path / "in", "channels=1")
    assert printed.startswith("Images of more than 8 bits, ") and said in printed and "from 0 to " in printed
    assert "dataset.levels=[black,white]" in printed
    inputs = torch.cat([split.inputs for split in data.splits.values()]).float()
    assert inputs.max() > 130 and len(inputs.unique()) > 8
    assert photos(tmp_path / "in", "channels=1")[1] == printed
    assert data.facts.levels == Facts.from_dict(data.facts.to_dict() | {"config": {}}).levels


def test_test_images_do_not_change_the_scale_and_the_setting_does(photos, tmp_path):
    write_deep(tmp_path / "in" / "train", ".png", 4000)
    write_deep(tmp_path / "in" / "test", ".png", 60000)
    data, _ = photos(tmp_path / "in", "channels=1")
    assert data.levels == {"I": [0, 4095]}
    before = data.checksum()
    data, said = photos(tmp_path / "in", "channels=1", "levels=[0,65535]")
    assert data.levels["I"] == [0, 65535] and "65,535 white" in said and data.checksum() != before
    assert photos(tmp_path / "in", "channels=1")[0].checksum() == before


def test_what_cannot_be_read_stays_left_out_where_deep_pixels_are_scaled_anew(photos, tmp_path):
    write_deep(tmp_path / "in", ".png", 4000)
    (tmp_path / "in" / "dark" / "a.png").write_bytes(b"no image")
    more = {"save_all": True, "append_images": [picture("blue", 50)]}
    picture("red", 50).save(tmp_path / "in" / "bright" / "b.gif", **more)
    data, said = photos(tmp_path / "in", "channels=1")
    assert examples(data) == 17 and data.levels == {"I": [0, 4095]} and "1 of 18 images cannot be read" in said
    assert "of which only the first is used: 1" in said


@pytest.mark.parametrize("most", (None, 4000))  # without deep pixels, or with those, by which the images are scaled
def test_images_that_cannot_be_read_are_named_before_the_class_that_has_no_others(photos, tmp_path, capsys, most):
    write_deep(tmp_path, ".png", most) if most else write_classes(tmp_path)
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "empty" / name).touch()
    with pytest.raises(UserError, match="class empty has no examples"):
        photos(tmp_path, "channels=1")
    assert "empty/2.jpg: is empty: copy it again" in capsys.readouterr().out


def test_what_is_no_number_is_black_and_the_rest_of_the_image_stays(tmp_path):
    values = np.linspace(0, 1, 144, dtype=np.float32).reshape(12, 12)
    values[0, 0], values[0, 1], values[11, 11] = np.nan, -np.inf, np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    made = read_image(tmp_path / "a.tif", (12, 12), 1)
    assert made[0, 0] == made[0, 1] == 0 and made[11, 11] == 255 and len(np.unique(made)) > 100
    Image.fromarray(values * np.nan).save(tmp_path / "b.tif")
    assert not read_image(tmp_path / "b.tif", (12, 12), 1).any()
    values = np.where(values > 0.5, values, np.float32(-9999))
    Image.fromarray(values).save(tmp_path / "c.tif", tiffinfo={42113: "-9999"})  # GDAL's: not measured
    assert read_image(tmp_path / "c.tif", (12, 12), 1)[11].min() > 200


@pytest.mark.parametrize("turn", (1, 6))
def test_a_16_bit_tiff_whose_zero_is_white_is_no_negative(tmp_path, turn):
    values = np.arange(144, dtype=np.uint16).reshape(12, 12) * 400
    for name, stored, photometric in (("black", values, 1), ("white", 65535 - values, 0)):
        Image.fromarray(stored).save(tmp_path / f"{name}.tif", tiffinfo={262: photometric, 274: turn})
    with Image.open(tmp_path / "white.tif") as white:
        assert white.tag_v2[262] == 0
    black, white = (read_image(tmp_path / f"{name}.tif", (12, 12), 1) for name in ("black", "white"))
    assert len(np.unique(black)) > 100 and np.array_equal(black, white)


def test_predict_and_evaluate_scale_deep_pixels_as_the_training_did(configure, tmp_path):
    write_deep(tmp_path / "in", ".png", 4000)
    words = (f"data_dir={tmp_path}/in", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=12", "dataset.channels=1")
    exact = "trainer.precision=32-true"  # evaluate measures in the precision of the training, and predict in float32
    train(configure("dataset=image_folder", *words, "dataset.batch_size=4", "model=mlp", "trainer.max_epochs=2", exact))
    path = tmp_path / "run" / "best.ckpt"
    model, known = load_model(path)
    assert known["levels"] == {"I": [0, 4095]}
    dim = np.full((12, 12), 200, np.uint16)  # by itself it would be bright
    (tmp_path / "new" / "dark").mkdir(parents=True)
    Image.fromarray(dim).save(tmp_path / "new" / "dark" / "a.png")
    (row,) = predict(path, str(tmp_path / "new"))
    pixels = torch.full((1, 12, 12, 1), round(200 * 255 / 4095), dtype=torch.uint8)
    with torch.inference_mode():
        wanted = model(Facts.from_dict(known).normalizer()(pixels)).softmax(1)[0]
    assert list(row["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=1e-5)
    found = evaluate(path, split="all", data_dir=str(tmp_path / "new"), output=str(tmp_path))
    assert found["calibration_error"] == pytest.approx(1 - wanted.max().item(), abs=1e-4)


def test_predict_reports_pixels_beyond_those_of_the_training_that_become_black_or_white(tmp_path, capsys):
    facts = Facts([1, 8, 8], ["a", "b"], False, [0.5], [0.5], None, "", {"I": [0, 4095]})
    files = [str(tmp_path / f"{most}.png") for most in (255, 3000, 4095, 9000, 48_000)]
    for file in files:
        values = np.linspace(7, int(Path(file).stem), 144).reshape(12, 12)
        Image.fromarray(values.astype(np.uint8 if "255" in file else np.uint16)).save(file)
    beyond = "numbers from 7 to 48,000: 2; 0 becomes black and 4,095 white, as in the"
    for some, said in ((files[:3], ""), (files, beyond)):
        assert len([*read_images(some, facts, "auto", 1000, [])]) == len(some)
        printed = capsys.readouterr().err
        assert said in printed and bool(said) == bool(printed)


def test_a_checkpoint_without_levels_takes_deep_pixels_as_it_did(tmp_path):
    values = np.linspace(0, 4095, 144).reshape(12, 12).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    facts = Facts([1, 12, 12], ["a", "b"], False, [0.5], [0.5], None, "")
    assert facts.levels is None
    assert (facts.read_image(tmp_path / "a.png")[0][..., 0] == (values / 257).astype(np.uint8)).all()
    colours = np.linspace(0, 65535, 3 * 144).reshape(12, 12, 3).astype(np.uint16)
    (tmp_path / "b.png").write_bytes(png16(colours))
    facts = Facts([3, 12, 12], ["a", "b"], False, [0.5] * 3, [0.5] * 3, None, "")
    assert (facts.read_image(tmp_path / "b.png")[0] == colours >> 8).all()


@pytest.mark.parametrize("mode", ("LAB", "YCbCr", "CMYK", "1", "L", "LA", "PA", "P", "RGBA", "RGBX"))
def test_pictures_of_every_mode_have_their_colours(tmp_path, mode):
    if mode == "YCbCr" and PIL.__version__.startswith("12."):
        pytest.skip("Pillow 12 cannot read the file of this mode that it writes")
    image = Image.new("RGB", (20, 20), "white")
    image.paste("black", (0, 0, 10, 20))
    if mode == "LAB":
        profiles = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
        image = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
    else:
        image = image.convert("P" if mode == "PA" else mode).convert(mode)
    image.save(tmp_path / "a.tif")
    made = read_image(tmp_path / "a.tif", (20, 20), 3)
    assert made[:, :9].max() < 8 and made[:, 11:].min() > 247


def test_images_of_more_pixels_than_the_setting_are_named_with_it(photos, tmp_path, digits, mistake, capsys):
    folder = write_classes(tmp_path / "in")
    picture("red", 90, size=(50, 40)).save(folder / "red" / "large.png")
    data, said = photos(folder, "max_pixels=1999")
    assert examples(data) == 12 and "large.png: has 2,000 pixels, more than dataset.max_pixels=1999" in said
    assert examples(photos(folder, "max_pixels=2000")[0]) == 13
    words = ("proj.predict", f"run={digits}", f"input={folder}/red/large.png")
    mistake(*words, "max_pixels=1999")
    assert "has 2,000 pixels, more than max_pixels=1999" in capsys.readouterr().err
    assert "max_pixels=many should be a whole number" in mistake(*words, "max_pixels=many")


def test_an_image_above_pillows_own_limit_is_read(tmp_path, recwarn):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="has 200,000,000 pixels, more than max_pixels="):
        open_image(tmp_path / "a.png", (8, 8), 1)
    assert not recwarn.list


def test_an_image_within_a_file_of_icons_is_no_larger_than_the_setting_allows_either(tmp_path):
    Image.new("RGB", (50, 40)).save(inner := io.BytesIO(), "PNG")
    icon = b"icp4" + struct.pack(">I", 8 + len(inner.getvalue())) + inner.getvalue()  # of 16×16, says the file
    (tmp_path / "a.icns").write_bytes(b"icns" + struct.pack(">I", 8 + len(icon)) + icon)
    with pytest.raises(Refused, match="has 2,000 pixels, more than max_pixels=1999"):
        open_image(tmp_path / "a.icns", (8, 8), 3, max_pixels=1999)


UNUSUAL = {"many pixels": ((9000, 10_000), b""), "cut EXIF": ((9, 9), b"Exif\0\0II*\0\x08\0\0\0\1\0..")}


@pytest.mark.parametrize(("shape", "exif"), UNUSUAL.values(), ids=UNUSUAL)
def test_of_an_unusual_file_that_can_be_read_pillow_says_nothing(tmp_path, shape, exif):
    Image.new("L", shape).save(tmp_path / "a.jpg", exif=exif)
    code = f"from proj.data.photos.image_file import open_image; open_image({str(tmp_path / 'a.jpg')!r}, (8, 8), 1)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # pytest has its own filters
    assert (ended.returncode, ended.stderr) == (0, "")


ODD = ("[red]", "[bold]", ":cat:", "two\nlines", "50 %", "a\\", "$x$", "<b>", "x" * 80)


def test_classes_of_any_name_go_through_all_commands(configure, tmp_path, capsys):
    names = [*ODD, "日本", os.fsdecode(b"caf\xe9")]
    try:
        write_classes(tmp_path / "in")
        shutil.rmtree(tmp_path / "in" / "red")
        for name in names:
            shutil.copytree(tmp_path / "in" / "blue", tmp_path / "in" / name)
            (tmp_path / "in" / name / "5.png").rename(tmp_path / "in" / name / os.fsdecode(b"p\xe9.png"))
    except OSError:
        pytest.skip("this disk has no such names")
    words = (f"data_dir={tmp_path}/in", f"dataset.cache_dir={tmp_path}/cache", "dataset.size=8", "dataset.batch_size=8")
    metrics = train(configure("dataset=image_folder", *words, "model=mlp", "trainer.max_epochs=1"))
    printed = capsys.readouterr().out
    assert all(f"{name} " in printed for name in ("[red]", "[bold]", ":cat:", r"two\nlines", r"caf\xe9", "a\\"))
    shown = {r"two\nlines", r"caf\xe9", "日本", "[red]", "[bold]", ":cat:", "50 %", "a\\"}
    assert shown <= set(metrics["test/acc_per_class"])
    path = tmp_path / "run" / "best.ckpt"
    capsys.readouterr()
    found = proj.use.evaluation.evaluate(path)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("[red]", "[bold]", ":cat:", r"two\nlines", r"caf\xe9"))
    assert shown <= set(found["acc_per_class"])
    for ending in ("csv", "jsonl"):
        rows = predict(path, str(tmp_path / "in"), output=str(tmp_path / f"x.{ending}"), show=str(tmp_path / "x.png"))
        assert len(rows) == 6 * 12 and r"\xe9" in (tmp_path / f"x.{ending}").read_text(encoding="utf-8")
    assert len(capsys.readouterr().out.splitlines()) == 2 * (1 + 1)  # the file with its counts, and the picture


def test_deep_pixels_that_are_scaled_by_their_own_file_have_black_at_0():
    image, low, high = to_8_bits(np.array([[3000.0, 3900.0]]), None)  # of the 4096 values of 12 bits
    assert np.asarray(image).tolist() == [[187, 243]] and (low, high) == (3000, 3900)


def test_a_tiff_file_that_pillow_cannot_read_is_refused_with_what_to_do(tmp_path):
    entries = [(256, 3, 2), (257, 3, 2), (258, 3, 64), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 2)]
    entries += [(279, 4, 32), (339, 3, 3)]  # four numbers with fractions, of 64 bits each
    content = struct.pack("<2sHI", b"II", 42, 40) + np.ones(4).tobytes() + struct.pack("<H", len(entries))
    content += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(4)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(Refused, match=r"TIFF file that Pillow cannot read, .*: save it in grey or in three colours"):
        open_image(tmp_path / "a.tif", (4, 4), 3)


@pytest.mark.skipif(os.name == "nt", reason="links take a right of their own there")
def test_a_link_to_a_folder_above_is_no_class_and_links_have_an_end(photos, tmp_path):
    folder = write_classes(tmp_path / "photos")
    for name, target in (("all", "."), ("red/up", ".."), ("red/self", "."), ("red/loop", "loop")):
        (folder / name).symlink_to(target)
    data, _ = photos(folder)
    assert data.class_names == ["blue", "red"] and examples(data) == 12
    assert len(find_files(str(folder))) == 12
    (folder / "red" / "others").symlink_to("../blue")
    (folder / "blue" / "others").symlink_to("../red")
    assert len(find_files(str(folder))) == 24  # each link is followed once


def test_links_that_lead_nowhere_are_named_wherever_they_lie(photos, tmp_path, capsys, digits):
    folder = write_classes(tmp_path / "in")
    for name in ("fish", "red/frog"):
        (folder / name).symlink_to("nowhere")
    said = photos(folder)[1]
    assert "Broken links left out: fish" in said and "red/frog: No such file" in said
    rows = predict(digits / "best.ckpt", str(folder), output=f"{tmp_path}/again.csv")
    assert len(rows) == 12 and rows.skipped == [f"{folder}/fish", f"{folder}/red/frog"]
    assert f"skipped {folder}/fish: no image" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"skipped 1 of 1 file: .*fish"):
        predict(digits / "best.ckpt", str(folder / "f*"), output=f"{tmp_path}/again.csv")  # which is there by now


def test_images_of_which_no_batch_fits_into_the_memory_are_refused_before_any_is_read(photos, tmp_path):
    with pytest.raises(UserError, match=r"images of 1000000×1000000 pixels take 48,000 GB for a batch of 4, "):
        photos(write_classes(tmp_path / "in"), "size=1000000")


@pytest.mark.parametrize(("shade", "ground"), ((0, 255), (255, 0)))
def test_a_transparent_picture_is_laid_on_white_or_a_light_one_on_black(tmp_path, shade, ground):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[2:6, 2:6] = shade, shade, shade, 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    seen = read_image(tmp_path / "a.png", (8, 8), 1)
    assert seen[0, 0] == ground and seen[3, 3] == shade


def test_new_photos_of_classes_that_the_model_does_not_have_are_left_out_and_counted(configure, tmp_path, capsys):
    words = ("dataset=image_folder", "model=mlp", "dataset.size=8", f"dataset.cache_dir={tmp_path}/cache")
    write_classes(tmp_path / "photos", 8)
    train(configure(*words, f"data_dir={tmp_path}/photos", "trainer.max_epochs=1", "dataset.batch_size=8"))
    shutil.copytree(tmp_path / "photos" / "red", tmp_path / "photos" / "green")
    found = evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(tmp_path / "photos"))
    said = capsys.readouterr().out
    assert "left out, 8 images of a class that the model does not have: green (8)" in said
    assert found["left_out"] == {"green": 8} and found["examples"] == 16
    assert "was trained on this data, or on some of it: on new examples, its figures would be worse" in said
    for name in ("red", "blue"):
        shutil.copytree(tmp_path / "photos" / name, tmp_path / "some" / name)
        Image.new("RGB", (20, 20), name).save(tmp_path / "some" / name / "new.png")
    evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(tmp_path / "some"))
    of_them = re.search(r"Note: (\d+) of 18 images are the same as a training image", capsys.readouterr().out)
    assert 8 <= int(of_them[1]) <= 16  # all but the new ones and those of validation and test
    shutil.move(tmp_path / "photos", tmp_path / "others")
    evaluate(tmp_path / "run" / "best.ckpt", split="all", data_dir=str(tmp_path / "others"))
    assert "the model was trained on this data" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shape", "size", "said"),
    (
        ((40, 100), "64", "20, such as a/0.png; 'dataset.size=[104,40]' has"),
        ((900, 30), "64", "20, such as a/0.png; 'dataset.size=[8,352]' has"),
        ((40, 100), "[104,40]", ""),
        ((40, 60), "64", ""),
        ((100, 100), "[32,128]", "20, such as a/0.png; 'dataset.size=[64,64]' has"),
    ),
)
def test_photos_of_which_less_than_half_is_taken_are_said(photos, tmp_path, shape, size, said):
    for place, colour in (("a", "red"), ("b", "blue")):
        save_all(tmp_path / "in" / place, {f"{number}.png": draw(colour, number, shape) for number in range(10)})
    for start in ("first", "second"):
        _, out = photos(tmp_path / "in", f"size={size}")
        line = f"Images of which more than half is cut away: {said}"
        assert line in out if said else "cut away" not in out, start


def test_a_page_that_was_saved_in_place_of_a_photo_is_named_in_training_and_by_predict(photos, tmp_path, capsys):
    folder = write_classes(tmp_path / "in")
    (folder / "red" / "page.jpg").write_text("\n<!DOCTYPE html><html>404")
    (folder / "red" / "said.png").write_text('{"error": "not found"}')
    (folder / "red" / "none.jpg").touch()
    (folder / "red" / "lfs.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
    _, said = photos(folder)
    assert "red/none.jpg: is empty: copy it again" in said
    assert "red/lfs.jpg: is a pointer of Git LFS in place of a photo: git lfs pull fetches it" in said
    what = "is a text, such as the page of an error in place of a photo: fetch it again"
    assert f"red/page.jpg: {what}" in said and f"red/said.png: {what}" in said
    facts = Facts([3, 8, 8], ["a", "b"], False, [0.5] * 3, [0.5] * 3, None, "")
    skipped: list[str] = []
    (folder / "red" / "torn.png").write_bytes(b"torn")
    files = [str(folder / "red" / name) for name in ("page.jpg", "torn.png", "gone.png")]
    assert not [*read_images(files, facts, "auto", 10**6, skipped)] and skipped == files
    page, torn, gone = capsys.readouterr().err.splitlines()
    assert page == f"skipped {files[0]}: {what}"
    assert torn == f"skipped {files[1]}: no image (cannot identify image file)"
    assert gone == f"skipped {files[2]}: no image (No such file or directory)"


@pytest.mark.parametrize("error", (MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")))
def test_a_photo_for_which_predict_lacks_memory_is_not_called_no_image(monkeypatch, tmp_path, capsys, error):
    def read_image(*how):
        raise error

    facts = Facts([3, 8, 8], ["a", "b"], False, [0.5] * 3, [0.5] * 3, None, "")
    monkeypatch.setattr(Facts, "read_image", read_image)
    files, skipped = [str(tmp_path / "large.jpg")], list[str]()
    assert not [*read_images(files, facts, "auto", 10**6, skipped)] and skipped == files
    assert capsys.readouterr().err == f"skipped {files[0]}: the memory does not suffice to read it\n"


def test_deep_pixels_for_which_the_memory_is_too_small_are_refused_before_they_are_decoded(monkeypatch, tmp_path):
    Image.fromarray(np.zeros((100, 100), np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "plain.png")
    monkeypatch.setattr("proj.data.photos.image_file.memory", lambda: 100_000)
    assert open_image(tmp_path / "plain.png", (8, 8), 1).size == (100, 100)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=r"the memory does not suffice to read .*deep\.png"):
        read_picture(str(tmp_path / "deep.png"), Recipe((8, 8, 1)))
