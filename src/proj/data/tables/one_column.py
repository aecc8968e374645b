"""The cells of one column of a table, stored compactly, with operations that look at each different cell only once."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Any
from unicodedata import is_normalized, normalize

import numpy as np

from proj.data.tables.plain_numbers import plain_numbers

SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f"  # all ASCII characters that `strip` removes
# A point that can only be a decimal point, since it does not separate thousands: 1.5, 1.2345, 0.123, 1234.567, .123
POINT = re.compile(r"\.\d{0,2}(?!\d)|\.\d{4}|(?<!\d)0\d*\.|\d{4}\.|(?<!\d)\.")
PIECES = 64  # so many pieces of text are joined into one: each Python string has an overhead, large for short pieces


class Column:
    """The cells of a column as text, without surrounding spaces: of all rows (`WholeColumn`) or some (`SomeRows`).

    Both have a length, and a method `at(row)`, which returns one cell and raises IndexError if there is no such row.

    numbers: (N,) float64, the cells as numbers, NaN for a missing one; None if any cell is neither missing nor a number
        that float() accepts, after its comma is replaced by a point if `mark` is a comma.
    mark: the decimal mark of `numbers`: a point; or a comma, if no cell has a point; or "", if none has either.
    words: the different cells of the whole column; those that differ only in how accents are stored count as one word.
    codes: (N,) int32, the index of each cell in `words`.
    """

    numbers: np.ndarray | None
    mark: str
    codes: np.ndarray
    words: list[str]

    def __iter__(self) -> Iterator[str]:
        return map(self.words.__getitem__, self.codes.tolist())

    def take(self, rows: np.ndarray) -> "Column":
        """The cells of these rows, in their order."""
        return SomeRows(self, rows)

    def different(self) -> list[tuple[str, int, int]]:
        """(A cell, how often it occurs, the index of its first occurrence) for each different cell, in that order."""
        words, codes = self.words, self.codes
        times, first = np.bincount(codes, minlength=len(words)), np.empty(len(words), np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]  # written from the end, so that the first index stays
        there = times.nonzero()[0]
        order = there[first[there].argsort()]
        return list(zip([words[code] for code in order], times[order].tolist(), first[order].tolist(), strict=True))

    def each(self, function: Callable[[str], Any], kind: type = np.float64) -> np.ndarray:
        """(N,) the value of a function for each cell; it is called once for each different cell."""
        return np.array([function(word) for word in self.words], kind)[self.codes]

    def holds(self, words: Collection[str]) -> np.ndarray:
        """(N,) bool: whether each cell is one of these words."""
        return self.each(words.__contains__, bool)

    def among(self, words: Sequence[str]) -> np.ndarray:
        """(N,) int64, the index of each cell in `words`, or of a word of the same `plain_word`; -1 if there is none."""
        places = {word: place for place, word in enumerate(words)}
        plain = {plain_word(word): place for word, place in places.items()}
        return self.each(lambda word: places.get(word, plain.get(plain_word(word), -1)), np.int64)


def plain_word(word: str) -> str:
    """A word with its accents stored as one character; a whole number without the .0 that pandas writes behind it, if
    a cell of its column is missing."""
    return re.sub(r"^(-?\d+)[.,]0\Z", r"\1", normalize("NFC", word))


def spellings(codes: dict[str, float]) -> dict[str, float]:
    """The codes of words, and of all other texts with the `plain_word` of one of them, as `Column.among` finds them."""
    plain = {plain_word(word): code for word, code in codes.items()}
    plain |= {normalize("NFD", word): code for word, code in plain.items()}  # accents stored apart, as macOS does
    whole = {f"{word}{end}": plain[word] for word in plain if re.fullmatch(r"-?\d+", word) for end in (".0", ",0")}
    return plain | whole | codes


class SomeRows(Column):
    """A view of some rows of another column."""

    mark = property(lambda self: self.whole.mark)
    words = property(lambda self: self.whole.words)

    def __init__(self, whole: Column, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, row: int) -> str:
        return self.whole.at(self.rows[row])

    @cached_property
    def numbers(self) -> np.ndarray | None:
        return None if self.whole.numbers is None else self.whole.numbers[self.rows]

    @cached_property
    def codes(self) -> np.ndarray:
        return self.whole.codes[self.rows]


class WholeColumn(Column):
    """A column that is filled with `add`. Its cells are joined: a million strings would take ten times the file's size.

    texts: pieces of the column, each with its cells joined by zero bytes. Once `codes` has been read, it holds only the
        different cells, in one piece, and nothing can be added any more.
    is_sure: whether some cell proves that `mark` is a decimal mark; 1.234 does not, since it might separate thousands.
    """

    def __init__(self, cells: Sequence[str] = ()) -> None:
        self.texts, self.size, self.loose = list[str](), 0, 0
        self._codes: np.ndarray | None = None
        if cells:
            self.add(cells)

    def add(self, cells: Sequence[str], first: bool = False) -> None:
        """Append cells, stripped of spaces; `first` puts them at the beginning instead.

        Raises ValueError for a zero byte, which a text file does not contain and which separates the cells here.
        """
        self._refuse_late(self)
        text = "\0".join(cells)
        if text.count("\0") != len(cells) - 1:
            raise ValueError("it holds zero bytes")
        if not text.isascii() or any(map(text.__contains__, SPACES)):
            text = "\0".join(map(str.strip, cells))
        self.texts.insert(0 if first else len(self.texts), text)
        self.size, self.loose = self.size + len(cells), self.loose + 1
        if self.loose == PIECES:
            self.texts[-PIECES:], self.loose = ["\0".join(self.texts[-PIECES:])], 0

    def extend(self, other: "WholeColumn") -> None:
        """Append the cells of another column."""
        self._refuse_late(self, other)
        self.texts += other.texts
        self.size, self.loose = self.size + other.size, 0

    @staticmethod
    def _refuse_late(*columns: "WholeColumn") -> None:
        """Raises RuntimeError if the codes of a column have been read, since its `texts` no longer hold all cells."""
        if any(column._codes is not None for column in columns):
            raise RuntimeError("nothing can be added to a column, or moved from it, once its codes were asked for")

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        if self._codes is not None:
            yield from super().__iter__()
        else:
            for text in self.texts:
                yield from text.split("\0")

    def at(self, row: int) -> str:
        if self._codes is not None:
            return self.words[self._codes[row]]
        for text in self.texts:
            size = text.count("\0") + 1
            if row < size:
                return text.split("\0")[row]
            row -= size
        raise IndexError(row)

    @cached_property
    def mark(self) -> str:
        for mark in ".,":
            if any(mark in text for text in self.texts):
                return mark
        return ""

    @cached_property
    def is_sure(self) -> bool:
        texts = (text.replace(",", ".") if self.mark == "," else text for text in self.texts)
        return any(map(POINT.search, texts))

    @cached_property
    def numbers(self) -> np.ndarray | None:
        pieces = []
        for text in self.texts:
            read = plain_numbers(text.replace(",", ".") if self.mark == "," else text)
            if read is None:
                return None
            pieces.append(read)
        read = np.concatenate(pieces) if pieces else np.empty(0)
        return read if self._codes is None else read[self._codes]

    @property
    def codes(self) -> np.ndarray:
        if self._codes is None:
            known: dict[str, int] = defaultdict(count().__next__)  # a word that is looked up first gets the next number
            codes, start = np.empty(self.size, np.int32), 0
            for text in self.texts:
                cells = text.split("\0")
                codes[start : start + len(cells)] = np.fromiter(map(known.__getitem__, cells), np.int32, len(cells))
                start += len(cells)
            words = [*known]
            if not is_normalized("NFC", "\0".join(words)):  # merge words that differ only in how accents are stored
                first: dict[str, int] = {}
                places = [first.setdefault(normalize("NFC", word), place) for place, word in enumerate(words)]
                kept, place_of = np.unique(places, return_inverse=True)
                words, codes = [words[place] for place in kept], place_of.astype(np.int32)[codes]
            self.texts, self._codes = ["\0".join(words)] if words else [], codes
        return self._codes

    @property
    def words(self) -> list[str]:
        return self.texts[0].split("\0") if len(self.codes) else []
