"""Columns of words, such as the names of ports, with one input for each word."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from proj.data.tables.cells import is_missing, sort_key
from proj.data.tables.finding import EVIDENCE
from proj.data.tables.input_column import InputColumn, are_numbers, are_words
from proj.data.tables.one_column import Column
from proj.data.tables.texts import hold_sentences
from proj.wording import percent

IMAGE_FILE = re.compile(r".+\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)", re.I)
SEVERAL = re.compile(r"(?s)[-+]?\d[\d.,]*°? ?[/x×;,|] ?[-+]?\d[\d.,]*°?|\[.*\]|\{.*\}")  # 120/80, or Parquet's lists


@dataclass(frozen=True)
class WordColumn(InputColumn):
    """Words. categories: those with an input, which is 1 for a cell of this word, and else 0. covered: the share of the
    training's words that are such; 0 in the checkpoints of older versions, whose columns equal those of today."""

    categories: list[str]
    covered: float = field(default=0.0, compare=False)

    kind = "words"

    def _is_sound(self) -> bool:
        return are_words(self.categories) and are_numbers(self.covered)

    @property
    def width(self) -> int:
        return len(self.categories)

    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        found = torch.from_numpy(cells.among(self.categories))
        known = found >= 0
        encoded = torch.zeros(len(cells), self.width)
        encoded[known.nonzero().flatten(), found[known]] = 1
        return encoded


def words_of(cells: Column) -> Counter[str]:
    """The frequency of each word among the cells, without missing cells."""
    return Counter({word: times for word, times, _ in cells.different() if not is_missing(word)})


def measure_words(name: str, tally: Counter, most: int, asked: bool) -> WordColumn:
    """A column of words with its categories. tally: how often each word occurs in the training part.

    most: the maximum number of categories; the most frequent words are taken. A word that occurs only once teaches
    nothing and is left out, unless the user asked for the column and none of its words occurs twice.
    """
    least = 1 if asked and max(tally.values(), default=0) < 2 else 2
    frequent = [word for word, times in tally.most_common(most) if times >= least]
    covered = sum(map(tally.__getitem__, frequent)) / max(1, tally.total())
    return WordColumn(name, sorted(frequent, key=sort_key), covered)


def doubt_coverage(column: WordColumn, tally: Counter, most: int) -> Iterator[str]:
    """A remark if the words with an input are those of less than half of the cells. For tally and most see
    `measure_words`."""
    if column.covered < 0.5:
        of_all = f"{len(column.categories):,} of {len(tally):,} words have an input"
        why = f"dataset.max_categories={most}" if len(column.categories) == most else "others occur only once"
        yield f"{column.name}: {of_all} ({why}), and {percent(1 - column.covered)} of the cells count as missing"


def are_long(words: Counter) -> bool:
    """Whether these different words are so long, on average, that they are texts."""
    return sum(map(len, words)) > 40 * len(words)


def hardly_recur(words: Counter) -> bool:
    """Whether so few cells of a column share their word with another that it is no column of categories. words: the
    frequency of each in all rows."""
    again = sum(times for times in words.values() if times > 1)
    return words.total() >= EVIDENCE and again < (0.5 if are_long(words) else 0.1) * words.total()


def why_no_categories(words: Counter) -> tuple[str, str]:
    """(Why a column whose words hardly recur becomes no input, the setting that makes it one)."""
    why, setting = "almost no word occurs twice", "categorical"
    if are_long(words):
        why, setting = "it is free text", "text"
    elif hold_sentences(words):
        why, setting = "almost none of its texts occurs twice", "text"
    if all(map(IMAGE_FILE.fullmatch, islice(words, 50))):
        why = "it names images (dataset=image_folder dataset.labels=… trains on them, docs/data.md)"
    elif all(map(SEVERAL.fullmatch, islice(words, 50))):
        why = "its cells hold several values each, which need columns of their own"
    return why, setting
