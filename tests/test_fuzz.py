"""Mutated files: a named error or the same contents, never a crash, a hang or executed code.

`python benchmarks/fuzz.py` does the same with many more.
"""

import pytest
from support.fuzz import FUZZ, MAY_DIFFER


@pytest.mark.parametrize("kind", FUZZ)
def test_a_mutated_file_is_refused_or_read_as_it_was(tmp_path, kind):
    number = 20 if kind == "digits" else 150
    seen = FUZZ[kind](tmp_path, number, seed=1)
    allowed = {"refused", "the same"} | ({"other"} if kind in MAY_DIFFER else set())
    assert seen.keys() <= allowed and seen["refused"] > 0, seen
