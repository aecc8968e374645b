"""Columns of two answers, such as no and yes, which become 0 and 1."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from proj.data.tables.input_column import InputColumn, are_numbers, are_words, standardised
from proj.data.tables.one_column import Column

ANSWERS = [("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("nein", "ja"), ("n", "j"), ("non", "oui")]
ANSWERS += [("falsch", "wahr"), ("faux", "vrai"), ("no", "si"), ("no", "sí"), ("off", "on")]
WHOLE_WORDS = [pair for pair in ANSWERS if len(pair[0]) > 1]  # without single letters, which may mean many other things


@dataclass(frozen=True)
class AnswerColumn(InputColumn):
    """Two answers, of which one becomes 0 and the other 1, standardised like a number.

    mean, std: of the training part. truth: the words for 0 and 1, in lower case; see `answer_codes`.
    """

    mean: float
    std: float
    truth: list[str]

    kind = "answers"

    def _is_sound(self) -> bool:
        return are_numbers(self.mean, self.std) and are_words(self.truth) and len(self.truth) == 2

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        return standardised(answer_values(cells, self.truth), self.mean, self.std)


def codes_of(words: Sequence[str]) -> dict[str, float]:
    """0 for the first word and 1 for the second, in lower case, in upper case, or capitalized."""
    return {text: float(code) for code, word in enumerate(words) for text in (word.upper(), word.capitalize(), word)}


def answer_codes(words: Sequence[str]) -> dict[str, float]:
    """0 and 1 for each spelling of the two answers: those of the column itself, and those that another table may have
    in their place, such as 0 and 1, or yes and no in another language."""
    codes, own = dict[str, float](), codes_of(words)
    for pair in [("0", "1"), ("0.0", "1.0"), *WHOLE_WORDS]:
        codes |= codes_of(pair)
    others = {text: code for text, code in codes.items() if text not in own}
    return others | own  # its own are last, also in order: in a column of (on, off), say, off is 1


def answer_values(cells: Column, words: Sequence[str]) -> np.ndarray:
    """(N,) float64, the `answer_codes` of the cells; NaN for any other cell."""
    codes = answer_codes(words)
    return np.array([*codes.values(), np.nan])[cells.among([*codes])]  # for other cells `among` gives -1, the NaN


def find_answers(words: Collection[str]) -> list[str] | None:
    """The pair of ANSWERS that makes up the different words of a column; None if there is no such pair."""
    both = ([*pair] for pair in ANSWERS if {*map(codes_of(pair).get, words)} == {0.0, 1.0})
    return next(both, None) if len(words) <= 6 else None
