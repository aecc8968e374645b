"""What is refused, and the sentence that says so."""

import pytest


def refusals(*cases: tuple):
    """Of a test that takes the words of a command, and the sentence in which they end: pairs of both."""
    return pytest.mark.parametrize(("words", "sentence"), cases)
