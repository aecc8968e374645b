"""The cache of resized photos: what is read anew, what is damaged, and images that stay on the disk."""

import errno
import os
import re
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.photos import draw, write_photos

from proj.data.photos import image_file
from proj.data.photos.resized import OnDisk
from proj.errors import UserError
from proj.system.folders import stamp


def test_a_second_start_reads_no_image_and_a_changed_one_is_read_anew(photos, tmp_path, calls_of):
    folder, read = write_photos(tmp_path / "in", 6), calls_of(image_file, "open_image")
    first, second = photos(folder), photos(folder, "split_seed=1", "memory_limit_mb=0")
    assert len(read) == 18 and first.checksum() != second.checksum()
    draw("red", 99).save(folder / "red" / "00.png")
    assert photos(folder).checksum() != first.checksum() and len(read) == 36
    assert photos(folder, "size=[8,6]").input_shape == (3, 8, 6) and len(read) == 54
    assert photos(folder, "channels=1").input_shape == (1, 8, 8) and len(read) == 72
    assert len(list((tmp_path / "cache").glob("*.images"))) == 3  # one for each size, not for each state of the folder


def put_in_its_place(image: Image.Image, file: Path) -> None:
    """Another picture with the size and the time of the one before, as `cp -p` or `rsync -t` may leave it."""
    before = file.stat()
    image.save(file)
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("system", ("posix", "no time of change"))
def test_a_picture_of_the_same_size_and_time_is_read_anew(photos, tmp_path, monkeypatch, system):
    folder, old = tmp_path / "in", time.time_ns() - 10**12
    monkeypatch.setattr("proj.system.folders.WINDOWS", system != "posix")
    for name, level in (("a", 50), ("b", 90)):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            file = folder / name / f"{number}.bmp"
            Image.new("RGB", (80, 60), (level, number, 0)).save(file)
            os.utime(file, ns=(old, old))
    first = photos(folder)
    assert photos(folder).checksum() == first.checksum()
    put_in_its_place(Image.new("RGB", (80, 60), (50, 200, 0)), folder / "a" / "0.bmp")
    second = photos(folder)
    assert second.checksum() != first.checksum()
    assert 200 in torch.cat([split.inputs for split in second.splits.values()])


@pytest.mark.parametrize("limit", (1000, 0))
def test_damage_of_the_cache_is_noticed_and_made_anew(photos, tmp_path, capsys, limit):
    words = (write_photos(tmp_path / "in", 8), f"memory_limit_mb={limit}")
    before = photos(*words)
    whole = {name: split.inputs[torch.arange(len(split.targets))] for name, split in before.splits.items()}
    (cache,) = (tmp_path / "cache").glob("*.images")
    content = cache.read_bytes()
    places = (300, len(content) // 2, len(content) - 300)  # of pixels, and of what follows them
    lost = [content[:place] + bytes(250) + content[place + 250 :] for place in places]
    for damaged in (b"", content[:1000], content[:-20], b"x" * len(content), *lost):
        cache.write_bytes(damaged)
        data = photos(*words)
        assert data.checksum() == before.checksum()
        for name, split in data.splits.items():
            assert torch.equal(split.inputs[torch.arange(len(split.targets))], whole[name])
        said = capsys.readouterr().out
        assert re.search(r"images is damaged\. It is made anew|damaged images? in .*images (was|were) made anew", said)
        assert cache.read_bytes() == content
    assert not list((tmp_path / "cache").glob("*.tmp"))


def test_a_cache_that_is_damaged_when_the_photo_has_changed_is_one_sentence(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    data = photos(folder, "memory_limit_mb=0")
    (cache,) = (tmp_path / "cache").glob("*.images")
    cache.write_bytes(bytes(len(cache.read_bytes())))
    for file in folder.rglob("*.png"):
        draw("red", 999).save(file)
    with pytest.raises(UserError, match=r"is damaged, and .*\.png is not as it was: delete .*images and run again"):
        data.splits["train"].inputs[torch.arange(3)]


def test_a_cache_of_another_format_is_made_anew_and_a_newer_one_is_named(photos, tmp_path, capsys):
    folder = write_photos(tmp_path / "in", 6)
    before = photos(folder).checksum()
    (cache,) = (tmp_path / "cache").glob("*.images")
    content = cache.read_bytes()
    key = content.split()[3]
    for other, said in (
        (b"proj images 13 " + key + content[:5000], "newer version of this program (format 13). It is made anew."),
        (key + content[:5000], ""),  # format 1
        (content.replace(key, b"0" * len(key)), ""),  # of other files
    ):
        cache.write_bytes(other)
        capsys.readouterr()
        assert photos(folder).checksum() == before and cache.read_bytes() == content
        assert said in (out := capsys.readouterr().out) and ("made anew" in out) == bool(said)


def test_a_photo_that_could_not_be_read_for_a_reason_that_may_pass_is_read_by_the_next_run(
    photos, tmp_path, monkeypatch, capsys
):
    folder, real, opened = write_photos(tmp_path / "in", 6), Image.open, list[str]()
    (folder / "red/broken.png").write_bytes(b"no image")

    def fails(file, **settings):
        opened.append(str(file))
        if str(file).endswith("03.png"):
            raise OSError(errno.EIO, "Input/output error")
        return real(file, **settings)

    monkeypatch.setattr(Image, "open", fails)
    photos(folder)
    said = capsys.readouterr().out
    assert "4 of 19 images cannot be read" in said and "red/03.png: Input/output error" in said
    monkeypatch.setattr(Image, "open", real)
    data = photos(folder)
    assert "1 of 19 images cannot be read" in capsys.readouterr().out
    (cache,) = (tmp_path / "cache").glob("*.images")
    content = cache.read_bytes()
    cache.unlink()
    assert photos(folder).checksum() == data.checksum() and cache.read_bytes() == content
    monkeypatch.setattr(Image, "open", fails)
    opened.clear()
    assert photos(folder).checksum() == data.checksum()
    assert not opened  # all are taken from the cache, and the broken one is left out without being read again


def test_the_cache_of_any_folder_has_a_name_that_the_system_takes(photos, tmp_path):
    for name in ("x" * 250, "nul", "a:b.", "日本" * 40):
        photos(write_photos(tmp_path / name, 4))
    names = [file.name for file in (tmp_path / "cache").glob("*.images")]
    assert len(names) == 4 and all(re.fullmatch(r"[\w.-]{10,80}", name, re.ASCII) for name in names)


def test_photos_that_are_read_as_drawings_have_a_cache_of_their_own(photos, tmp_path):
    data = photos(write_photos(tmp_path / "in", 4))
    data.drawings = True  # as of a model of drawings that is measured on them
    data.load_all(None, data.class_names)
    assert len([*(tmp_path / "cache").glob("*.images")]) == 2


def test_a_user_without_a_home_is_asked_for_a_folder(photos, tmp_path, monkeypatch):
    def nowhere(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", nowhere)
    with pytest.raises(UserError, match=r"home directory\. Name a folder .* dataset\.cache_dir="):
        photos(write_photos(tmp_path / "in", 4))


def test_no_room_for_the_resized_images_is_one_sentence_and_leaves_none(photos, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"could not be written \(No space left on device\).*dataset.cache_dir="):
        photos(write_photos(tmp_path / "in", 6))
    assert not list((tmp_path / "cache").glob("*.tmp")) + list((tmp_path / "cache").glob("*.images"))


def test_images_on_the_disk_give_the_batches_of_those_in_memory(photos, tmp_path):
    folder = write_photos(tmp_path / "in", 8)
    words = ("flip=true", "shift=2")
    here, there = photos(folder, *words), photos(folder, *words, "memory_limit_mb=0.001")
    assert isinstance(here.splits["train"].inputs, torch.Tensor)
    assert isinstance(there.splits["train"].inputs, OnDisk) and there.splits["train"].inputs.shape == (18, 8, 8, 3)
    assert here.checksum() == there.checksum() and (here.mean, here.std) == (there.mean, there.std)
    for epoch in (0, 1):
        for name in ("train", "val", "test"):
            loaders = [getattr(data, f"{name}_dataloader")() for data in (here, there)]
            for loader in loaders:
                loader.set_epoch(epoch)
            pairs = list(zip(*loaders, strict=True))
            assert pairs and all(torch.equal(a, b) for batches in pairs for a, b in zip(*batches, strict=True))


def test_where_files_have_no_time_of_change_their_beginning_middle_and_end_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("proj.system.folders.WINDOWS", True)
    file, seen = tmp_path / "a.jpg", set()
    for place in (None, 0, 50_000, 99_999):
        content = bytearray(100_000)
        if place is not None:
            content[place] = 1
        file.write_bytes(content)
        os.utime(file, ns=(0, 0))
        seen.add(stamp(str(file), file.stat()))
    assert len(seen) == 4
