"""Parametrises tests of commands that are refused with one sentence."""

import pytest


def refusals(*cases: tuple):
    """Parametrise a test by (words, sentence): a command's words, and the sentence with which it ends."""
    return pytest.mark.parametrize(("words", "sentence"), cases)
