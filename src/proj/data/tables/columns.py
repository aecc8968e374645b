"""What each column of a table is taken for, found out from its cells, and measured in those of the training part."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from proj.config.words import typed
from proj.data.tables.cells import Count, count, is_missing, values
from proj.data.tables.dates import find_form, moments, parts_of
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.header import counts, is_unnamed
from proj.data.tables.named_column import find_column
from proj.data.tables.one_column import Column
from proj.data.tables.row_numbers import is_id
from proj.data.tables.table import (
    find_truth,
    is_of_numbers,
    kind_of,
    measure_numbers,
    measure_words,
    remarks,
    truth_values,
)
from proj.data.tables.text_table import Table
from proj.errors import UserError

EVIDENCE = 20  # rows, below which nothing is left out for what its cells look like
KINDS = {"numeric": "numbers", "categorical": "words", "dates": "dates"}


@dataclass
class Columns:
    """The columns of a table beside `target`, the place of that with the classes.

    training: the rows in which means, words and so on are measured. rows: those that show what a column is taken for:
    all but those of files that are parts, and so the same for all folds; this asks nothing of the classes.
    settings: those of `CSVDataModule` that say what a column is. trained: the columns of another training, by their
    names; they are taken as they were then.
    notes: sentences on what can be doubted are added to them.
    left_out: why, by the places of columns. choices: the settings that take a column for something else.
    shuffled: those of numbers that are, see `is_id`.
    missing, holds: by their places, the share of the training rows in which columns have no value, and their words or
    the range of their numbers.
    """

    table: Table
    target: int
    training: np.ndarray
    rows: np.ndarray
    settings: dict[str, Any]
    trained: dict[str, dict]
    notes: list[str]
    shuffled: list[int] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    choices: dict[int, str] = field(default_factory=dict)
    missing: dict[int, float] = field(default_factory=dict)
    holds: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines = self.table.lines_of(self.rows)
        self.inside = np.searchsorted(self.rows, self.training).astype(np.int32)  # the places of the training rows

    def cells(self, place: int) -> Column:
        return self.table.column(place).take(self.rows)

    def inputs(self) -> dict[int, str]:
        """The columns to learn from, by their places, and what a setting or another training says of them, or ""."""
        table, kinds = self.table, dict.fromkeys(range(len(self.table.names)), "")
        for setting, kind in KINDS.items():
            places = [find_column(table, setting, key) for key in self.settings[setting]]
            if twice := [table.names[place] for place in places if kinds[place] not in ("", kind)]:
                raise UserError(
                    f"column {twice[0]} is in dataset.{setting} and in another list: leave it in one of them."
                )
            kinds |= dict.fromkeys(places, kind)
        group = self.settings["group"]
        groups = [] if group is None else [find_column(table, "group", group)]
        for place in {self.target, *groups, *(find_column(table, "drop", key) for key in self.settings["drop"])}:
            del kinds[place]
        if self.trained:
            trained = {place: self.trained[name] for place, name in enumerate(table.names) if name in self.trained}
            return {place: kind_of(column) for place, column in trained.items() if place in kinds}
        for place in [at for at, kind in kinds.items() if not kind and table.headed and is_unnamed(table.names[at])]:
            cells = table.column(place)
            numbers_rows = counts(cells) or (all(map(str.isdecimal, cells)) and len(cells.words) == len(cells))
            if numbers_rows or not any(cells):
                del kinds[place]
                self.left_out[place] = "it numbers the rows" if any(cells) else "it is empty"
                self.choices |= {place: "numeric"} if any(cells) else {}
        return kinds

    def measure(self) -> dict[int, dict]:
        """The columns as `encode_table` takes them, by their places."""
        kinds = self.inputs()
        found = {place: self._take(place, kind) for place, kind in kinds.items()}
        numbers = {place: column for place, column in found.items() if is_of_numbers(column)}
        marks = decimal_marks(self.table, numbers, self.settings["decimal"], self.notes)
        for place in numbers:
            found[place] = self._measure_numbers(place, kinds[place], found[place], marks[place])
        # Several columns of the numbers 1 to n, each in another order, are ranks. And where nothing but ids would be
        # left, they are none: who makes a table of an id alone?
        ranks = self.shuffled if len(self.shuffled) > 1 else []
        nothing_left = self.left_out.keys() >= found.keys()
        for place in numbers if nothing_left else ranks:
            self.left_out.pop(place, None)
        return {place: column for place, column in found.items() if place not in self.left_out}

    def why_left_out(self) -> str:
        """The end of a message where no column is left."""
        reasons = "; ".join(f"{self.table.names[place]}: {why}" for place, why in [*self.left_out.items()][:3])
        how = "dataset.categorical=[…] or dataset.numeric=[…] takes a column all the same"
        return f" ({reasons}): {how}" if reasons else ""

    def _take(self, place: int, kind: str) -> dict:
        """A column as `encode_table` takes it; but of numbers only what says how they are read."""
        name, cells = self.table.names[place], self.cells(place)
        seen, trained = count(cells), self.trained.get(self.table.names[place])
        if not (trained or seen.numbers or seen.words or seen.missing):
            self._refuse_empty()
        if kind == "numbers" and not (trained or seen.numbers):
            raise UserError(f"column {name} has no number in the training rows: leave it out of dataset.numeric.")
        if kind in ("", "dates") and (dates := self._dates(place, cells, seen, trained, kind)):
            return dates
        truth = trained["truth"] if kind == "truth" else None
        if not (kind or seen.numbers or seen.missing):
            truth = find_truth(seen.words)
        if truth:
            numbers = self._in_training(place, truth_values(cells, truth))
            self.holds[place] = ", ".join(truth)
            return {"name": name, "truth": truth, **measure_numbers(name, numbers)}
        numeric = kind == "numbers" or (not kind and seen.mostly_numbers)
        self.notes += [] if self.trained else remarks(name, seen, numeric, kind)
        if numeric:
            lenient = trained.get("lenient", False) if trained else kind == "numbers"
            return {"name": name} | ({"unit": seen.unit} if seen.unit else {}) | ({"lenient": True} if lenient else {})
        return self._words(place, cells, kind)

    def _refuse_empty(self) -> NoReturn:
        """Raises UserError for all columns that are empty, so that one word leaves them out, beside those left out."""
        empty = [place for place in self.inputs() if self.cells(place).each(is_missing, bool).all()]
        dropped = [find_column(self.table, "drop", key) for key in self.settings["drop"]]
        names = [self.table.names[place] for place in (*empty, *dropped)]
        those, it = (f"column {names[0]} is", "it") if len(empty) == 1 else (f"{len(empty):,} columns are", "them")
        how = typed("dataset.drop", *names, listed=True)
        raise UserError(f"{those} empty in all training rows: leave {it} out with {how}.")

    def _in_training(self, place: int, numbers: np.ndarray) -> np.ndarray:
        """The numbers of the training rows; a column that has none there is left out."""
        found = numbers[self.inside]
        self.missing[place] = np.isnan(found).mean()
        self.left_out |= {place: "it is empty in the training rows"} if self.missing[place] == 1 else {}
        return found

    def _words(self, place: int, cells: Column, kind: str) -> dict:
        training = self.table.column(place).take(self.training)
        everywhere, tally = (
            Counter({word: times for word, times, _ in some.different() if not is_missing(word)})
            for some in (cells, training)
        )
        column = measure_words(self.table.names[place], tally, self.settings["max_categories"], asked=bool(kind))
        text, total = sum(map(len, everywhere)) > 40 * len(everywhere), everywhere.total()
        again = sum(times for times in everywhere.values() if times > 1)
        many = total >= EVIDENCE and again < (0.5 if text else 0.1) * total
        if not column["categories"] or (many and not kind):
            self.left_out[place] = "it is free text" if text else "hardly a word comes twice"
            self.choices[place] = "categorical"
        self.missing[place], self.holds[place] = 1 - tally.total() / len(training), ", ".join(column["categories"])
        return column

    def _dates(self, place: int, cells: Column, seen: Count, trained: dict | None, kind: str) -> dict | None:
        """A column of dates as `encode_table` takes it, of the parts that vary; None for one of something else."""
        name, asked = self.table.names[place], kind == "dates"

        def refuse(first: int) -> None:
            raise UserError(
                f"row {self.lines[first]}, column {name}: {cells.at(first)!r} can be day/month or month/day: train "
                "with dataset.day_first=true or dataset.day_first=false."
            )

        form = trained["date"] if trained else find_form(name, cells, self.settings["day_first"], asked, refuse)
        lenient = trained.get("lenient", False) if trained else asked
        if not form and not asked:
            return None
        column = {"name": name, "date": form} | ({"lenient": True} if lenient else {})
        seconds = moments(column, cells, self.lines) if form else np.array([np.nan])
        if np.isnan(seconds).all():
            raise UserError(f"column {name} has no date in the training rows: leave it out of dataset.dates.")
        found = parts_of(seconds)
        names = [part["name"] for part in trained["parts"]] if trained else found
        names = [part for part in names if trained or np.nanmin(found[part]) < np.nanmax(found[part])]
        self.choices[place] = "numeric" if seen.mostly_numbers else "categorical"
        if not names:
            self.left_out[place] = "it is always the same"
        if np.isnan(self._in_training(place, seconds)).all():
            return column | {"parts": []}
        parts = [measure_numbers(part, numbers[self.inside]) for part, numbers in found.items() if part in names]
        first, last = (np.datetime64(int(at), "s") for at in (np.nanmin(seconds), np.nanmax(seconds)))
        self.holds[place] = f"{first} to {last}"
        return column | {"parts": parts}

    def _measure_numbers(self, place: int, kind: str, how: dict, mark: str) -> dict:
        """`_take` of numbers, once their decimal mark is known."""
        name, marks = how["name"], MARKS.get(self.settings["decimal"], ".,")
        read = (mark, marks, how.get("unit", ""), how.get("lenient", False))
        everywhere = values(name, self.cells(place), self.lines, *read)
        numbers = self._in_training(place, everywhere)
        column = how | (measure_numbers(name, numbers) if place not in self.left_out else {"mean": 0.0, "std": 1.0})
        if mark == "," or any("," in text for text in self.table.column(place).texts):
            column["decimal"] = mark
        if not kind and len(self.table.lines) >= EVIDENCE and (why := is_id(name, everywhere)):
            self.left_out[place], self.choices[place] = "it numbers the rows", "numeric"
            self.shuffled += [place] * (why == "shuffled")
        if not (kind or self.trained or self.missing[place] == 1) and np.nanmin(everywhere) == np.nanmax(everywhere):
            self.left_out[place] = "it is always the same"  # and what is missing becomes that, too
        if self.missing[place] < 1:
            self.holds[place] = f"{np.nanmin(numbers):g} to {np.nanmax(numbers):g}"
        trained = self.trained.get(name, column)  # an older version stored less of a column
        return {key: value for key, value in column.items() if key in trained}
