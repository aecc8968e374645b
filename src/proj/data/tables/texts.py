"""Columns of free text, such as reviews and messages, whose inputs say which words occur in a cell."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from unicodedata import normalize

import torch
from torch import Tensor

from proj.data.tables.input_column import InputColumn, are_words
from proj.data.tables.one_column import Column

WORD = re.compile(r"\w\w+")  # of two characters or more, as scikit-learn's CountVectorizer finds words
LETTERS = re.compile(r"[^\W\d_]{2,}")


def words_in(cell: str) -> set[str]:
    """The different words of a text, in lower case."""
    return {*WORD.findall(normalize("NFC", cell).casefold())}


def hold_sentences(cells: Iterable[str]) -> bool:
    """Whether different cells, such as headings or names with titles, hold three words on average, and most of them
    share one with another cell. A thousand of them are looked at."""
    found = [{*map(str.casefold, LETTERS.findall(cell))} for cell in islice(cells, 1000)]
    tally = Counter(chain.from_iterable(found))
    shared = sum(any(tally[word] > 1 for word in words) for words in found)
    return sum(map(len, found)) >= 3 * len(found) and 2 * shared > len(found)


@dataclass(frozen=True)
class TextColumn(InputColumn):
    """Free text. text: the words with an input, which is 1 for a cell that holds the word, and else 0."""

    text: list[str]

    kind = "texts"

    def _is_sound(self) -> bool:
        return are_words(self.text)

    @property
    def width(self) -> int:
        return len(self.text)

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        places, codes = {word: place for place, word in enumerate(self.text)}, cells.codes
        found = {code: words_in(cells.words[code]) for code in {*codes.tolist()}}
        held = {code: [places[word] for word in there if word in places] for code, there in found.items()}
        encoded = torch.zeros(len(codes), self.width)
        for row, code in zip(encoded.numpy(), codes.tolist(), strict=True):
            row[held[code]] = 1
        return encoded


def measure_text(name: str, cells: Column, most: int) -> TextColumn:
    """A column of texts with its words. cells: those of the training part.

    most: the maximum number of words; those that occur in the most cells are taken, if they occur in two or more.
    """
    tally = Counter[str]()
    for cell, times, _ in cells.different():
        for word in sorted(words_in(cell)):  # sorted, since the order decides between equally frequent ones
            tally[word] += times
    return TextColumn(name, sorted(word for word, times in tally.most_common(most) if times > 1))
