"""Infers from its cells what each column of a table holds, and measures it (mean, words …) on the training part."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from proj.config.quoting import typed
from proj.data.tables.answers import AnswerColumn, answer_values, find_answers
from proj.data.tables.cells import Count, count, is_missing
from proj.data.tables.chosen_columns import LISTED, OF_SPLIT, chosen_columns, is_index
from proj.data.tables.date_column import DateColumn, date_remarks, doubt_files, doubt_order
from proj.data.tables.date_forms import DURATION
from proj.data.tables.date_parts import DATE_PARTS, parts_of
from proj.data.tables.dates import doubt_words, find_form
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.finding import CONSTANT, EMPTY, EVIDENCE, Finding
from proj.data.tables.header import check_second_header, describe_gaps, describe_totals
from proj.data.tables.input_column import InputColumn, mean_and_std
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.number_remarks import number_remarks
from proj.data.tables.one_column import Column
from proj.data.tables.row_numbers import doubt_groups, doubts, id_evidence
from proj.data.tables.text_table import Table
from proj.data.tables.texts import measure_text
from proj.data.tables.word_column import doubt_coverage, hardly_recur, measure_words, why_no_categories, words_of
from proj.errors import UserError

NUMBERING = "it numbers the rows"
NO_DATE = "has no date in the training rows: leave it out of dataset.dates."


@dataclass
class Columns:
    """The columns of a table beside the target.

    target: the index of the target column.
    training: the rows on which means, words and so on are measured.
    rows: the rows from which the kind of each column is inferred: all but those of validation and test files, so that
        the result is the same in all folds. The classes are not used for it.
    settings: those of `CSVDataModule` that say what a column holds: SETTINGS. trained: the columns of a checkpoint, by
    name, which are treated as then. notes: warnings are added here. by_chance: whether the validation and test rows are
    drawn at random. found: by column index.
    """

    table: Table
    target: int
    training: np.ndarray
    rows: np.ndarray
    settings: dict[str, Any]
    trained: dict[str, InputColumn]
    notes: list[str]
    by_chance: bool = False
    found: dict[int, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line: Callable[[int], str] = lambda place: self.table.line(self.rows[place])
        self.inside = np.searchsorted(self.rows, self.training).astype(np.int32)  # indices of the training rows in rows

    def measure(self) -> dict[int, InputColumn]:
        """The columns that become inputs, by their index."""
        self.kinds, without_effect = chosen_columns(self.table, self.target, self.settings, self.trained)
        for place, kind in self.kinds.items():
            is_numbering = not kind and is_index(self.table, place)
            self.found[place] = Finding(None, NUMBERING, "numeric") if is_numbering else self._take(place, kind)
        numbers = {place: column for place, column in self._taken().items() if isinstance(column, NumberColumn)}
        if not self.trained:
            self.notes += without_effect
            self.notes += check_second_header(self.table, self.target, [*numbers], self.rows)
            self.notes += describe_totals(self.table, self.target, self.rows)
            self.notes += describe_gaps(self.table, self.target, [*self.kinds])
        marks = decimal_marks(self.table, numbers, self.settings["decimal"], self.notes)
        for place, column in numbers.items():
            self._measure_numbers(place, column, marks[place])
        self._keep_ranks()
        if not self.trained and len(self.rows) >= EVIDENCE and {self.settings[key] for key in OF_SPLIT} == {None}:
            for place, kind in self.kinds.items():
                if not kind and self.found[place].left_out != NUMBERING:
                    self.notes += doubt_groups(self.table.names[place], self.table.columns[place].take(self.rows))
        return self._taken()

    def _taken(self) -> dict[int, InputColumn]:
        return {place: one.column for place, one in self.found.items() if one.column and not one.left_out}

    def _keep_ranks(self) -> None:
        """Keep columns of seeming ids: several of the numbers 1 to n, each in another order, are ranks; and if there is
        no other column they are data, since nobody makes a table of ids alone."""
        ids = [found for found in self.found.values() if found.id_evidence]
        shuffled = [found for found in ids if found.id_evidence == "shuffled"]
        ranks = shuffled if len(shuffled) > 1 else []
        for found in ranks if self._taken() else ids:
            found.left_out, found.setting = "", ""

    def why_left_out(self) -> str:
        """The end of a message where no column is left."""
        reasons = "; ".join(f"{self.table.names[place]}: {one.left_out}" for place, one in [*self.found.items()][:3])
        how = "dataset.categorical=[…] or dataset.numeric=[…] uses a column anyway"
        texts = [self.table.names[place] for place, one in self.found.items() if one.setting == "text"]
        if texts:
            how = f"{typed('dataset.text', texts[0], listed=True)} learns from its words"
        return f" ({reasons}): {how}" if reasons else ""

    def _take(self, place: int, kind: str) -> Finding:
        """Infer what a column holds: a text if a setting says so, else dates, answers, numbers or words, in this order.
        A column of numbers gets its mean and deviation later, in `_measure_numbers`."""
        name, cells = self.table.names[place], self.table.columns[place].take(self.rows)
        seen, trained = count(cells), self.trained.get(name)
        is_empty = not (seen.numbers or seen.words or seen.missing or trained)
        if is_empty and not kind:
            return Finding(None, EMPTY, missing=1.0)
        if is_empty or (kind == "numbers" and not trained and not seen.numbers):
            setting = {of: f"dataset.{name}" for name, of in LISTED.items()}[kind]
            raise UserError(f"column {name} has no {kind[:-1]} in the training rows: leave it out of {setting}.")
        if kind == "texts":
            return self._text(name, cells)
        if kind in ("", "dates") and (dates := self._dates(name, cells, seen, trained, kind)):
            return dates
        truth = trained.truth if isinstance(trained, AnswerColumn) else None
        if not (kind or seen.numbers or seen.missing):
            truth = find_answers(seen.words)
        if truth:
            answers = answer_values(cells, truth)[self.inside]
            found = Finding(AnswerColumn(name, *mean_and_std(answers), truth), holds=", ".join(truth))
            found.note_missing(answers)
            return found
        numeric = kind == "numbers" or (not kind and seen.mostly_numbers)
        if not self.trained:
            self.notes += number_remarks(name, seen, numeric, kind)
        if not numeric:
            if not kind:
                self.notes += doubt_words(name, [*islice(seen.words, 10_000)])
            return self._words(name, cells, kind)
        if isinstance(trained, NumberColumn):
            return Finding(replace(trained, decimal=""))  # the cells decide again, as they did then
        asked = kind == "numbers"  # by dataset.numeric
        return Finding(NumberColumn(name, mean=0.0, std=1.0, unit=seen.unit, lenient=asked, limits=asked))

    def _words(self, name: str, cells: Column, kind: str) -> Finding:
        everywhere, in_training = words_of(cells), words_of(cells.take(self.inside))
        column = measure_words(name, in_training, self.settings["max_categories"], asked=bool(kind))
        missing = 1 - in_training.total() / len(self.inside)
        found = Finding(column, missing=missing, holds=", ".join(column.categories))
        if not in_training:
            found.left_out = EMPTY
        elif not column.categories or (not kind and hardly_recur(everywhere)):
            found.left_out, found.setting = why_no_categories(everywhere)
        elif not kind and len(everywhere) == 1 and everywhere.total() == len(cells):
            found.left_out = CONSTANT
        elif not self.trained:
            self.notes += doubt_coverage(column, in_training, self.settings["max_categories"])
        return found

    def _text(self, name: str, cells: Column) -> Finding:
        in_training = cells.take(self.inside)
        column = measure_text(name, in_training, self.settings["max_words"])
        if not column.text:
            raise UserError(
                f"column {name} has no word that occurs in two of the training rows: leave it out of dataset.text."
            )
        missing = in_training.each(is_missing, bool).mean()
        return Finding(column, missing=missing, holds=", ".join(column.text))

    def _dates(self, name: str, cells: Column, seen: Count, trained: InputColumn | None, kind: str) -> Finding | None:
        """The finding for a column of dates, whose inputs are the parts that vary; None if it does not hold dates."""
        asked = kind == "dates"
        if isinstance(trained, DateColumn):
            column = replace(trained, parts=[])
        elif form := find_form(name, cells, self.settings["day_first"], asked, self.line):
            column = DateColumn(name, form, [], lenient=asked, no_end=True, iso=asked)
        elif asked:
            raise UserError(f"column {name} {NO_DATE}")
        else:
            return None
        seconds = column.moments(cells, self.line)
        if np.isnan(seconds).all():
            raise UserError(f"column {name} {NO_DATE}")
        if not self.trained:
            self.notes += [*date_remarks(column, cells, seconds), *doubt_files(column, seconds, self.table, self.rows)]
            if self.by_chance and self.settings["group"] is None and len(seconds) >= EVIDENCE:
                self.notes += doubt_order(name, seconds)
        parts, low, high = parts_of(seconds), np.nanmin(seconds), np.nanmax(seconds)
        possible = [part for part in DATE_PARTS if (part == "hours") == (column.date == DURATION)]
        names = [part for part in possible if np.nanmin(parts[part]) < np.nanmax(parts[part])]
        if isinstance(trained, DateColumn):
            names = [part.name for part in trained.parts]
        measured = [NumberColumn(part, *mean_and_std(parts[part][self.inside])) for part in names]
        found = Finding(replace(column, parts=measured), "" if names else CONSTANT)
        if not asked:
            found.setting = "numeric" if seen.mostly_numbers else "categorical"
        found.note_missing(seconds[self.inside])
        found.holds = f"{np.datetime64(int(low), 's')} to {np.datetime64(int(high), 's')}"
        if column.date == DURATION:
            found.holds = f"{low / 3600:g} to {high / 3600:g}"
        return found

    def _measure_numbers(self, place: int, column: NumberColumn, mark: str) -> None:
        """Complete the finding for a column of numbers, once its decimal mark is known."""
        found, kind, whole = self.found[place], self.kinds[place], self.table.columns[place]
        name = column.name
        everywhere = column.values(whole.take(self.rows), self.line, mark, MARKS.get(self.settings["decimal"], ".,"))
        numbers = everywhere[self.inside]
        found.note_missing(numbers)
        mean, std = mean_and_std(numbers)
        decimal = mark if mark == "," or any("," in text for text in whole.texts) else ""
        if isinstance(trained := self.trained.get(name), NumberColumn) and not trained.decimal:
            decimal = ""  # older versions did not store it
        found.column = replace(column, mean=mean, std=std, decimal=decimal)
        enough = not (kind or column.unit) and len(self.table.lines) >= EVIDENCE
        if enough and (why := id_evidence(name, everywhere)):
            found.left_out, found.setting, found.id_evidence = NUMBERING, "numeric", why
        elif enough:
            self.notes += doubts(name, everywhere, self.table.beginning(place))
        if not kind and found.missing < 1 and np.nanmin(everywhere) == np.nanmax(everywhere):
            found.left_out = CONSTANT  # a missing number becomes the mean, and so that value
        if found.missing < 1:
            found.holds = f"{np.nanmin(numbers):g} to {np.nanmax(numbers):g}"
