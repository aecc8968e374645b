"""`evaluate` without its pictures, which take nearly all of its time, for tests that only look at its metrics."""

from pathlib import Path
from unittest import mock

import proj.use.evaluation


def evaluate(path: Path, *words, **settings) -> dict:
    without = {"draw": lambda *drawn: {}, "plots": mock.DEFAULT}
    with mock.patch.multiple(proj.use.evaluation, **without):
        return proj.use.evaluation.evaluate(path, *words, **settings)
