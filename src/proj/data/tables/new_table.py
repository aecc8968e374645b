"""Compares a table with the training's, and warns of columns that the model may misunderstand."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from proj.data.tables.answers import AnswerColumn, answer_codes
from proj.data.tables.cells import count, examples_of, is_no_number
from proj.data.tables.date_column import ENOUGH, FAR, DateColumn, doubt_new_dates
from proj.data.tables.date_forms import spoilt
from proj.data.tables.input_column import InputColumn
from proj.data.tables.joined_notes import joined
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.number_remarks import number_remarks
from proj.data.tables.one_column import Column, WholeColumn, plain_word
from proj.data.tables.text_table import Table
from proj.data.tables.texts import TextColumn, words_in
from proj.data.tables.word_column import WordColumn, words_of
from proj.system.names import plain_name
from proj.wording import agree, first_of, how_many

RANGE = re.compile(r"\d\d? ?[-–/.,] ?\d\d?")  # 1-2, of which a spreadsheet makes January 2
UNKNOWN = 0.02  # the share of unknown words that is worth a remark where the training had none
SCALED, MANY = 8, 20  # the factor that suggests another unit; the fewest numbers whose spread is reliable


def unlike_training(table: Table, columns: dict[int, InputColumn], encoded: Tensor, rows: np.ndarray) -> list[str]:
    """Warnings of columns that differ from those of the training.

    They are about numbers in another unit, or many numbers far from the training's; limits such as <5; dates whose day
    and month seem to be swapped; words that are unknown or spelled differently; a third answer in a column of two; and
    columns in which all cells are missing.
    columns: the training's, by index in the table. rows: indices of rows. encoded: their inputs, see `encode_table`.
    """
    notes, widths = [], [column.width for column in columns.values()]
    for (place, column), inputs in zip(columns.items(), encoded.split(widths, 1), strict=True):
        cells, name = table.columns[place].take(rows), f"column {column.name}"
        if isinstance(column, NumberColumn):
            if cells.numbers is None and column.takes_limits:
                notes += number_remarks(name, count(cells), True, "numbers")
            far, (mean, std) = inputs.abs() > FAR, (column.mean, column.std)
            its = f"far from the training's, {mean:.4g} ± {std:.2g}"
            notes += [f"{name}: {note}" for note in other_codes(column, cells, inputs)]
            if is_in_another_unit(column, inputs):
                about = mean + float(inputs[inputs != 0].median()) * std
                notes.append(f"{name}: its numbers, about {about:.4g}, are {its}: are they in the same unit?")
            elif far.sum() >= max(ENOUGH, 0.02 * len(far)):  # of any numbers, up to 1 % can be 10 deviations away
                such = f"{int(far.sum()):,} numbers such as {cells.at(int(far.flatten().nonzero()[0]))} are {its}"
                notes.append(f"{name}: {such}: if they mark missing values, empty these cells")
        if isinstance(column, DateColumn):
            seconds = column.moments(cells, lambda at: table.line(rows[at]))
            notes += [f"{name}: {note}" for note in doubt_new_dates(column, cells, seconds)]
        if isinstance(column, WordColumn | AnswerColumn):
            notes += [f"{name}: {note}" for note in unknown_words(cells, column)]
        if isinstance(column, TextColumn) and not inputs.any() and any(map(words_in, cells)):
            notes.append(f"{name}: the model knows none of its words")
        may_be_empty = len(rows) >= ENOUGH and is_no_number(cells.at(0)) and not inputs.any()  # missing ones become 0
        if may_be_empty and all(is_no_number(cell) for cell, *_ in cells.different()):
            notes.append(f"{name}: no row has a value")
    return joined(notes, [column.name for column in columns.values()])


def other_codes(column: NumberColumn, cells: Column, inputs: Tensor) -> Iterator[str]:
    """A remark on other numbers than 0 and 1 if the training had these alone, as where 1 and 2 stand for no and yes.
    inputs: (B, 1), see `encode_table`."""
    found = (inputs[:, 0].double() * column.std + column.mean).where(inputs[:, 0] != 0, 0)  # 0 for a missing one
    others = ((found - found.round().clamp(0, 1)).abs() > 1e-3).numpy()
    if others.any() and 0.999 < column.excess <= 1.05:  # true of some other columns, of numbers that mostly are 0
        some = examples_of(words_of(cells.take(np.flatnonzero(others))))
        yield f"{int(others.sum()):,} cells ({some}) are neither 0 nor 1, and the training has these alone"


def is_in_another_unit(column: NumberColumn, inputs: Tensor) -> bool:
    """Whether the numbers of a column seem to be in another unit than in the training, as 0.5 instead of 50 %: their
    median is far from the training's mean, or mean and spread have both changed by a similar, large factor.
    inputs: the standardised numbers, 0 for a missing one."""
    found = inputs[inputs != 0].double()
    if not len(found):
        return False
    if abs(float(found.median())) > FAR:
        return True
    if len(found) < MANY or not column.mean:
        return False
    spread = float(found.std())
    mean = 1 + float(found.mean()) * column.std / column.mean
    low, high = min(mean, spread), max(mean, spread)
    return 0 < high < 3 * low and not 1 / SCALED < high < SCALED


def unknown_words(cells: Column, column: WordColumn | AnswerColumn) -> list[str]:
    """A warning if the model does not know most words of a column, or many more than the training had left out; or if
    one is a word that it knows, `written_otherwise`. In a column of two answers it warns of any other word."""
    answers = isinstance(column, AnswerColumn)
    known = column.truth if answers else column.categories
    counts, all_known = words_of(cells), [*answer_codes(known)] if answers else known
    among = dict(zip(counts, WholeColumn([*counts]).among(all_known), strict=True)) if counts else {}
    strange = Counter({word: times for word, times in counts.items() if among[word] < 0})
    if not strange:
        return []
    some, missing, others = examples_of(strange), "counts as missing", first_of([*map(repr, known)], 3)
    pairs = written_otherwise([word for word, _ in strange.most_common()], known)
    how = next((f": write {theirs!r} for {word!r}, as in the training" for word, theirs in pairs), "")
    if len(strange) == len(counts):
        return [f"none of its words ({some}) is one of the training's ({others}), so all are missing{how}"]
    if answers:
        return [f"{some} is neither of its two answers, and {missing}"]
    # Of further rows like the training's, about twice as many words as it had left out are unknown: also new ones.
    many = UNKNOWN + 4 * (1 - column.covered) if column.covered else 0.5
    if not how and strange.total() < max(min(many, 0.5) * counts.total(), ENOUGH * (many < 0.5)):
        return []
    have = agree(strange.total(), "has", "have")
    of_all = f"{strange.total():,} of {how_many(counts.total(), 'row')} {have} a word that the model does not know"
    return [f"{of_all} ({some}; it knows {others}), which {missing}{how}"]


def written_otherwise(words: list[str], known: list[str]) -> Iterator[tuple[str, str]]:
    """(A word, the known one that it seems to be) for each of these words that differs from a known one in case,
    accents, leading zeros or the kind of its dashes alone, or is a date that a spreadsheet made of it."""
    theirs = {plain_code(word): word for word in known}
    ranges = {tuple(sorted(map(int, re.findall(r"\d+", word)))): word for word in known if RANGE.fullmatch(word)}
    for word in words:
        if found := theirs.get(plain_code(word)) or ranges.get(spoilt(word)):
            yield word, found


def plain_code(word: str) -> str:
    """`plain_name` of a word without leading zeros, which spreadsheets drop, and with plain hyphens for all dashes."""
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", re.sub("[\u2010-\u2015\u2212]", "-", plain_name(plain_word(word))))
