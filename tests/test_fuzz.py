"""Mutated files: a named error or the same contents, never a crash, a hang or executed code.

`python benchmarks/fuzz.py` does the same with many more.
"""

import io
import zipfile

import pytest
from support.fuzz import FUZZ, MAY_DIFFER, checkpoint

from proj.checkpoint.file import load_checkpoint
from proj.errors import UserError


@pytest.mark.parametrize("kind", FUZZ)
def test_a_mutated_file_is_refused_or_read_as_it_was(tmp_path, kind):
    number = 20 if kind == "digits" else 150
    seen = FUZZ[kind](tmp_path, number, seed=1)
    allowed = {"refused", "the same"} | ({"other"} if kind in MAY_DIFFER else set())
    assert seen.keys() <= allowed and seen["refused"] > 0, seen


def test_a_tensor_that_torch_would_take_for_a_folder_is_damage(tmp_path):
    content = bytearray(checkpoint(tmp_path))
    content[content.rindex(b"a/data/2") - 8] |= 0x10  # in the directory at the file's end; torch then reads nothing
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(UserError, match="a/data/2 is marked as a folder"):
        load_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_tensors_of_one_name_are_damage(tmp_path):
    file = io.BytesIO(checkpoint(tmp_path))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a/data/2", archive.read("a/data/2"))
    (tmp_path / "a.ckpt").write_bytes(file.getvalue())
    with pytest.raises(UserError, match="a/data/2 is there twice"):
        load_checkpoint(tmp_path / "a.ckpt")
