"""A table that is not the training's, as its model takes it: what in it may be meant otherwise than it is taken."""

from collections import Counter

import numpy as np
from torch import Tensor

from proj.data.tables.cells import count, examples_of, is_no_number
from proj.data.tables.encode import answer_codes, kind_of, remarks, width, words_in
from proj.data.tables.one_column import Column, WholeColumn
from proj.data.tables.text_table import Table
from proj.errors import agree, first_of, how_many
from proj.system.names import plain_name

FAR, ENOUGH = 10, 5  # deviations from the training's mean, and rows so many of which tell
SCALED, MANY = 8, 20  # times that numbers in another unit are larger or smaller, and of how many their spread tells


def unlike_training(table: Table, columns: dict[int, dict], encoded: Tensor, rows: np.ndarray) -> list[str]:
    """What can be doubted of rows that are not the training's: a remark on each column of numbers that are far from
    its, such as metres for centimetres, or many of which are; of limits and the like in it, as the training says them;
    of words most of which are not known, or that are written in another case; of two answers that has a third one; of
    missing cells alone. encoded: what `encode_table` makes of these rows."""
    notes, widths = [], [*map(width, columns.values())]
    for (place, column), inputs in zip(columns.items(), encoded.split(widths, 1), strict=True):
        cells, name = table.columns[place].take(rows), f"column {column['name']}"
        if kind_of(column) == "numbers":
            takes_limits = "limits" in column or "lenient" not in column  # those of an older version may not
            if cells.numbers is None and takes_limits:
                notes += remarks(name, count(cells), True, "numbers")
            far, (mean, std) = inputs.abs() > FAR, (column["mean"], column["std"])
            its = f"far from the training's, {mean:.4g} ± {std:.2g}"
            if is_in_another_unit(column, inputs):
                about = mean + float(inputs[inputs != 0].median()) * std
                notes.append(f"{name}: its numbers, about {about:.4g}, are {its}: are they in the same unit?")
            elif far.sum() >= max(ENOUGH, 0.02 * len(far)):  # of the training's own 1 % can be so far
                such = f"{int(far.sum()):,} numbers such as {cells.at(int(far.flatten().nonzero()[0]))} are {its}"
                notes.append(f"{name}: {such}: if they say that there is none, make these cells empty")
        known, truth = column.get("categories", []), column.get("truth", [])
        notes += [f"{name}: {note}" for note in (unknown_words(cells, known, truth) if known or truth else [])]
        if len(rows) >= ENOUGH and is_no_number(cells.at(0)) and not inputs.any():  # as which missing ones are encoded
            notes.append(f"{name}: no row has a value")
    return notes


def is_in_another_unit(column: dict, inputs: Tensor) -> bool:
    """Whether numbers are so far from the training's, or mean and spread both so many times larger or smaller, as those
    in another unit are: a share of 0.5 for 50 %. inputs: standardised, 0 for a missing one."""
    found = inputs[inputs != 0].double()
    if not len(found):
        return False
    if abs(float(found.median())) > FAR:
        return True
    if len(found) < MANY or not column["mean"]:
        return False
    spread = float(found.std())
    mean = 1 + float(found.mean()) * column["std"] / column["mean"]
    low, high = min(mean, spread), max(mean, spread)
    return 0 < high < 3 * low and not 1 / SCALED < high < SCALED


def unknown_words(cells: Column, known: list[str], truth: list[str]) -> list[str]:
    """A remark on the words of a column, if most of them are not `known`, or if one is but for its case and the like.

    truth: the two answers of a column that has such in place of words; no other word is looked over then.
    """
    counts, all_known = words_in(cells), known or [*answer_codes(truth)]
    among = dict(zip(counts, WholeColumn([*counts]).among(all_known), strict=True)) if counts else {}
    strange = Counter({word: times for word, times in counts.items() if among[word] < 0})
    if not strange:
        return []
    some, missing = examples_of(strange), "taken for missing"
    if len(strange) == len(counts):
        others = first_of([*map(repr, known or truth)], 3)
        return [f"none of its words ({some}) is one of the training's ({others}), so all are missing"]
    if truth:
        return [f"{some} is neither of its two answers, and {missing}"]
    plain = {*map(plain_name, known)}
    if 2 * strange.total() < counts.total() and not any(plain_name(word) in plain for word in strange):
        return []
    have = agree(strange.total(), "has", "have")
    of_all = f"{strange.total():,} of {how_many(counts.total(), 'row')} {have} a word that the model does not know"
    return [f"{of_all} ({some}; it knows {first_of([*map(repr, known)], 3)}), {missing}"]
