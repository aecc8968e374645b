"""Infers from its cells what each column of a table holds, and measures it (mean, words …) on the training part."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from proj.config.words import typed
from proj.data.tables.cells import Count, count, is_missing, values
from proj.data.tables.chosen_columns import KINDS, OF_SPLIT, chosen_columns, is_index, without_effect
from proj.data.tables.date_forms import DURATION
from proj.data.tables.date_parts import DATE_PARTS, parts_of
from proj.data.tables.dates import date_remarks, doubt_words, find_form, moments
from proj.data.tables.dates_of_files import doubt_files
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.encode import find_truth, kind_of, measure_numbers, measure_words, remarks, truth_values, words_of
from proj.data.tables.finding import EMPTY, Finding
from proj.data.tables.header import check_second_header, describe_gaps, describe_totals
from proj.data.tables.one_column import Column
from proj.data.tables.row_numbers import doubt_groups, doubts, id_evidence
from proj.data.tables.text_table import Table
from proj.data.tables.texts import hold_sentences, measure_text
from proj.errors import UserError

IMAGE_FILE = re.compile(r".+\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)", re.I)
SEVERAL = re.compile(r"(?s)[-+]?\d[\d.,]*°? ?[/x×;,|] ?[-+]?\d[\d.,]*°?|\[.*\]|\{.*\}")  # 120/80, or Parquet's lists
NUMBERING = "it numbers the rows"
EVIDENCE = 20  # with fewer rows, no column is left out because of what its cells look like


@dataclass
class Columns:
    """The columns of a table beside the target.

    target: the index of the target column.
    training: the rows on which means, words and so on are measured.
    rows: the rows from which the kind of each column is inferred: all but those of validation and test files, so that
        the result is the same in all folds. The classes are not used for it.
    settings: those of `CSVDataModule` that say what a column holds: SETTINGS. trained: descriptions of columns from a
    checkpoint, by name, which are treated as then. notes: warnings are added here. found: by column index.
    """

    table: Table
    target: int
    training: np.ndarray
    rows: np.ndarray
    settings: dict[str, Any]
    trained: dict[str, dict]
    notes: list[str]
    found: dict[int, Finding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line: Callable[[int], str] = lambda place: self.table.line(self.rows[place])
        self.inside = np.searchsorted(self.rows, self.training).astype(np.int32)  # indices of the training rows in rows

    def measure(self) -> dict[int, dict]:
        """The descriptions of the columns for `encode_table`, by column index."""
        self.kinds = chosen_columns(self.table, self.target, self.settings, self.trained)
        for place, kind in self.kinds.items():
            is_numbering = not kind and is_index(self.table, place)
            self.found[place] = Finding({}, NUMBERING, "numeric") if is_numbering else self._take(place, kind)
        numbers = {place: column for place, column in self._taken().items() if kind_of(column) == "numbers"}
        if not self.trained:
            self.notes += without_effect(self.table, self.target, self.settings)
            self.notes += check_second_header(self.table, [*numbers], self.rows)
            self.notes += describe_totals(self.table, self.target, self.rows)
            self.notes += describe_gaps(self.table, self.target, [*self.kinds])
        marks = decimal_marks(self.table, numbers, self.settings["decimal"], self.notes)
        for place in numbers:
            self._measure_numbers(place, marks[place])
        self._keep_ranks()
        if not self.trained and len(self.rows) >= EVIDENCE and {self.settings[key] for key in OF_SPLIT} == {None}:
            for place in [place for place, kind in self.kinds.items() if not kind]:
                self.notes += doubt_groups(self.table.names[place], self.table.columns[place].take(self.rows))
        return self._taken()

    def _taken(self) -> dict[int, dict]:
        return {place: one.column for place, one in self.found.items() if not one.left_out}

    def _keep_ranks(self) -> None:
        """Keep columns of seeming ids: several of the numbers 1 to n, each in another order, are ranks; and if there is
        no other column they are data, since nobody makes a table of ids alone."""
        numbering = [one for one in self.found.values() if one.id_evidence]
        shuffled = [one for one in numbering if one.id_evidence == "shuffled"]
        ranks = shuffled if len(shuffled) > 1 else []
        for one in ranks if self._taken() else numbering:
            one.left_out = one.setting = ""

    def why_left_out(self) -> str:
        """The end of a message where no column is left."""
        reasons = "; ".join(f"{self.table.names[place]}: {one.left_out}" for place, one in [*self.found.items()][:3])
        how = "dataset.categorical=[…] or dataset.numeric=[…] uses a column anyway"
        texts = [self.table.names[place] for place, one in self.found.items() if one.setting == "text"]
        if texts:
            how = f"{typed('dataset.text', texts[0], listed=True)} learns from its words"
        return f" ({reasons}): {how}" if reasons else ""

    def _take(self, place: int, kind: str) -> Finding:
        """Infer what a column holds. A column of numbers gets its mean and deviation later, in `_measure_numbers`."""
        name, cells = self.table.names[place], self.table.columns[place].take(self.rows)
        seen, trained = count(cells), self.trained.get(name)
        is_empty = not (seen.numbers or seen.words or seen.missing or trained)
        if is_empty and not kind:
            return Finding({}, EMPTY, missing=1.0)
        if is_empty or (kind == "numbers" and not trained and not seen.numbers):
            there = next(setting for setting, its in KINDS.items() if its == kind)
            raise UserError(f"column {name} has no {kind[:-1]} in the training rows: leave it out of dataset.{there}.")
        if kind == "texts":
            return self._text(name, cells)
        if kind in ("", "dates") and (dates := self._dates(name, cells, seen, trained, kind)):
            return dates
        truth = trained["truth"] if kind == "truth" else None
        if not (kind or seen.numbers or seen.missing):
            truth = find_truth(seen.words)
        if truth:
            found = Finding({"name": name, "truth": truth}, holds=", ".join(truth))
            found.column |= measure_numbers(name, found.measured(truth_values(cells, truth)[self.inside]))
            return found
        numeric = kind == "numbers" or (not kind and seen.mostly_numbers)
        if not self.trained:
            self.notes += remarks(name, seen, numeric, kind)
        if not numeric:
            if not (self.trained or kind):
                self.notes += doubt_words(name, [*islice(seen.words, 10_000)])
            return self._words(name, cells, kind)
        column: dict[str, Any] = {"name": name}
        if seen.unit:
            column["unit"] = seen.unit
        asked = kind == "numbers"
        how = trained or {"lenient": asked, "limits": asked}
        return Finding(column | {key: True for key in ("lenient", "limits") if how.get(key)})

    def _words(self, name: str, cells: Column, kind: str) -> Finding:
        everywhere, in_training = words_of(cells), words_of(cells.take(self.inside))
        column = measure_words(name, in_training, self.settings["max_categories"], asked=bool(kind))
        missing = 1 - in_training.total() / len(self.inside)
        found = Finding(column, missing=missing, holds=", ".join(column["categories"]))
        total, again = everywhere.total(), sum(times for times in everywhere.values() if times > 1)
        is_text = sum(map(len, everywhere)) > 40 * len(everywhere)
        too_few_again = again < (0.5 if is_text else 0.1) * total
        if not in_training:
            found.left_out = EMPTY
        elif not column["categories"] or (too_few_again and total >= EVIDENCE and not kind):
            found.left_out, found.setting = "almost no word occurs twice", "categorical"
            if is_text:
                found.left_out, found.setting = "it is free text", "text"
            elif hold_sentences(everywhere):
                found.left_out, found.setting = "almost none of its texts occurs twice", "text"
            if all(map(IMAGE_FILE.fullmatch, islice(everywhere, 50))):
                found.left_out = "it names images (dataset=image_folder dataset.labels=… trains on them, docs/data.md)"
            elif all(map(SEVERAL.fullmatch, islice(everywhere, 50))):
                found.left_out = "its cells hold several values each, which need columns of their own"
        elif not kind and len(everywhere) == 1 and total == len(cells):
            found.left_out = "it is always the same"
        return found

    def _text(self, name: str, cells: Column) -> Finding:
        in_training = cells.take(self.inside)
        column = measure_text(name, in_training, self.settings["max_words"])
        if not column["text"]:
            raise UserError(
                f"column {name} has no word that occurs in two of the training rows: leave it out of dataset.text."
            )
        missing = in_training.each(is_missing, bool).mean()
        return Finding(column, missing=missing, holds=", ".join(column["text"]))

    def _dates(self, name: str, cells: Column, seen: Count, trained: dict | None, kind: str) -> Finding | None:
        """The finding for a column of dates, whose inputs are the parts that vary; None if it does not hold dates."""
        asked = kind == "dates"
        form = trained["date"] if trained else find_form(name, cells, self.settings["day_first"], asked, self.line)
        if not form and not asked:
            return None
        # Older versions took 9999-12-31 for a date, and in a lenient column 2024-01-31 for missing: see `moments`.
        how = trained or {"lenient": asked, "no_end": True, "iso": asked}
        column = {"name": name, "date": form} | {key: True for key in ("lenient", "no_end", "iso") if how.get(key)}
        seconds = moments(column, cells, self.line) if form else np.array([np.nan])
        if np.isnan(seconds).all():
            raise UserError(f"column {name} has no date in the training rows: leave it out of dataset.dates.")
        if not self.trained:
            self.notes += [*date_remarks(column, cells, seconds), *doubt_files(column, seconds, self.table, self.rows)]
        parts, low, high = parts_of(seconds), np.nanmin(seconds), np.nanmax(seconds)
        possible = [part for part in DATE_PARTS if (part == "hours") == (form == DURATION)]
        names = [part for part in possible if np.nanmin(parts[part]) < np.nanmax(parts[part])]
        if trained:
            names = [part["name"] for part in trained["parts"]]
        found = Finding(column, "" if names else "it is always the same")
        found.setting = "numeric" if seen.mostly_numbers else "categorical"
        found.measured(seconds[self.inside])
        column["parts"] = [measure_numbers(part, parts[part][self.inside]) for part in names]
        found.holds = f"{np.datetime64(int(low), 's')} to {np.datetime64(int(high), 's')}"
        if form == DURATION:
            found.holds = f"{low / 3600:g} to {high / 3600:g}"
        return found

    def _measure_numbers(self, place: int, mark: str) -> None:
        """Complete the finding for a column of numbers, once its decimal mark is known."""
        found, kind, whole = self.found[place], self.kinds[place], self.table.columns[place]
        how, name = found.column, found.column["name"]
        everywhere = values(how, whole.take(self.rows), self.line, mark, MARKS.get(self.settings["decimal"], ".,"))
        numbers = found.measured(everywhere[self.inside])
        column = how | measure_numbers(name, numbers)
        if mark == "," or any("," in text for text in whole.texts):
            column["decimal"] = mark
        enough = not (kind or "unit" in how) and len(self.table.lines) >= EVIDENCE
        if enough and (why := id_evidence(name, everywhere)):
            found.left_out, found.setting, found.id_evidence = NUMBERING, "numeric", why
        elif enough:
            self.notes += doubts(name, everywhere, self.table.beginning(place))
        if not kind and found.missing < 1 and np.nanmin(everywhere) == np.nanmax(everywhere):
            found.left_out = "it is always the same"  # a missing number becomes the mean, and so that value
        if found.missing < 1:
            found.holds = f"{np.nanmin(numbers):g} to {np.nanmax(numbers):g}"
        trained = self.trained.get(name, column)
        found.column = {key: value for key, value in column.items() if key in trained}  # older versions stored fewer
