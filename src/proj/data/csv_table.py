"""A table of one's own."""

import os
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from proj.config.words import typed
from proj.data.cells import count, in_order, is_missing, is_no_number, is_number, values
from proj.data.csv_file import Table, counts, find_columns, has_header, is_unnamed, where
from proj.data.datamodule import InMemoryDataModule, Split, draw_parts
from proj.data.facts import Facts
from proj.data.named_column import find_column
from proj.data.table import MARKS, decimals, encode_table, measure_numbers, measure_words, remarks
from proj.data.table_file import open_table
from proj.data.table_files import HOW, Found, find_tables, join
from proj.errors import UserError, choose, nearest

FRACTION = 0.15  # of conf/dataset/csv.yaml: another one was asked for
NOTES = 10  # remarks on columns are printed at most


class CSVDataModule(InMemoryDataModule):
    """A table of one's own: (B, F) inputs as `encode_table` makes them, classes from one of its columns.

    data_dir: its file, or a folder, a pattern or several files, see `find_tables`; sheet, encoding: see `read_table`.

    target: that column, by its name, or by its place: 0 the first, -1 the last.
    drop: columns to leave out; categorical: columns whose numbers are names; numeric: columns whose other cells are
    missing numbers; max_categories: see `measure_words`.
    header: whether the first row names the columns; decimal: "point" or "comma"; None finds either out.
    `test_fraction` of every class is the test part, `val_fraction` of the rest the validation part, drawn with
    `split_seed`, where no files are these parts; rows without a class, whose cell is empty, are left out: NA may be a
    class.
    group: the column, no input, whose rows of one value are all in the same part.
    """

    kind = "table"

    def __init__(
        self,
        data_dir: str,
        target: str | int | None,
        drop: list[str | int],
        categorical: list[str | int],
        max_categories: int,
        val_fraction: float,
        test_fraction: float,
        split_seed: int,
        numeric: list[str | int] | None = None,
        header: bool | None = None,
        decimal: str | None = None,
        group: str | int | None = None,
        sheet: str | int | None = None,
        encoding: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.file, self.target, self.drop, self.categorical = Path(data_dir), target, drop, categorical
        self.numeric, self.header, self.decimal = numeric or [], header, decimal
        self.max_categories, self.split_seed = max_categories, split_seed
        self.group, self.sheet, self.encoding = group, sheet, encoding
        self.fractions = {"test": test_fraction, "val": val_fraction}
        self.known: dict[str, dict] = {}  # the columns of another training, by their names
        self.notes: list[str] = []
        if header not in (None, True, False):
            raise UserError(f"dataset.header={header} is not true or false.")
        if decimal is not None:
            choose("dataset.decimal", str(decimal), MARKS)

    def take(self, facts: Facts) -> None:
        """Read the file as that training did, whose version may have taken a column for something else."""
        self.known = {column["name"]: column for column in facts.columns or []}
        if self.known:
            self.header = not all(map(is_unnamed, self.known))

    def load(self) -> None:
        table, target, parts_of_files = self._read()
        labels = table.column(target)
        labelled = np.flatnonzero(labels.among([""]) < 0)
        if len(labels) and not len(labelled):
            raise UserError(f"{self.file} has no class in {table.names[target]}: name another column, dataset.target=…")
        labels = labels.take(labelled)
        self.class_names = sorted((label for label, *_ in labels.different()), key=in_order)
        targets = torch.from_numpy(labels.among(self.class_names))
        groups = None if self.group is None else self._groups(table, labelled)
        parts = self._parts(table, labelled, targets, groups, parts_of_files)
        self.numbers = {name: torch.from_numpy(np.array(table.lines)[labelled[part]]) for name, part in parts.items()}
        if self.fold:
            self.whole = table.checksum()
        columns = self._measure(table, self._inputs(table, target), labelled[parts["train"]])
        used = [place for place, column in columns.items() if column.get("categories") != []]
        if not used:
            raise UserError(f"{self.file} has no column to learn {table.names[target]} from.")
        self.columns = [columns[place] for place in used]
        order = torch.cat([parts[name] for name in ("train", "val", "test")])  # each part is a piece of one tensor
        x, y = encode_table(table, used, self.columns, self.decimal, rows=labelled[order]), targets[order]
        self.input_shape = tuple(x.shape[1:])
        sizes = [len(parts[name]) for name in ("train", "val", "test")]
        pieces = zip(("train", "val", "test"), x.split(sizes), y.split(sizes), strict=True)
        self.splits = {name: Split(inputs, targets) for name, inputs, targets in pieces}
        lonely = [column["name"] for place, column in columns.items() if place not in used]
        self._describe(lonely, table.names[target], len(table.lines) - len(labelled))

    def load_all(self, columns: list[dict], class_names: list[str]) -> None:
        """Every row that has a class becomes the test part, as a model takes it that was trained on another table.

        Raises UserError for a missing column or an unknown class.
        """
        table, target, _ = self._read()
        names, labels = [column["name"] for column in columns], table.column(target)
        places, labelled = find_columns(names, table.names), np.flatnonzero(labels.among([""]) < 0)
        missing = [name for name, place in zip(names, places, strict=True) if place is None]
        strange = [label for label, *_ in labels.different() if label and label not in class_names]
        if missing:
            what = f"no column {missing[0]!r}, which the model takes." + nearest(missing[0], table.names)
            raise UserError(f"{self.file} has {what}")
        if strange:
            what = f"a class {strange[0]!r}, which the model does not know." + nearest(strange[0], class_names)
            raise UserError(f"{self.file} has {what}")
        if not len(labelled):
            raise UserError(f"{self.file} has no row with a class.")
        x = encode_table(table, places, columns, self.decimal, rows=labelled)
        self.input_shape, self.columns, self.class_names = tuple(x.shape[1:]), columns, class_names
        self.splits = {"test": Split(x, torch.from_numpy(labels.take(labelled).among(class_names)))}
        self.numbers = {"test": torch.from_numpy(np.array(table.lines)[labelled])}

    def example(self, split: str, index: int) -> str:
        return where(self.files, int(self.numbers[split][index]))

    def _read(self) -> tuple[Table, int, list[str]]:
        """(The table, the place of the target, the part that each of its files is, or "").

        Raises UserError for a file that is no table, or has other columns than the first.
        """
        found = find_tables(str(self.file))
        try:
            tables = [open_table(file, self.sheet, self.encoding, hint=bool(self.known)) for file in found.files]
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read ({error.strerror}): {HOW}") from error
        header = self._has_header(tables[0])
        for table in tables:
            table.take_header(header)
        target = find_column(tables[0], "target", self.target)
        name = tables[0].names[target]
        for part, table in zip(found.parts, tables, strict=True):
            if part not in ("", "train") and name not in table.names:
                raise UserError(
                    f"{table.file} has no column {name}, so that it cannot be the {part} part: train with "
                    f"data_dir={found.files[0]}, and python -m proj.predict input={table.file} says its classes."
                )
        self._say(found, [note for table in tables for note in table.notes])
        table = join(tables)
        self.files = table.files
        return table, target, found.parts

    @rank_zero_only
    def _say(self, found: Found, notes: list[str]) -> None:
        """Print which files are read, where there are several, and what was found out about them."""
        names = [os.path.relpath(file, os.path.commonpath(found.files + found.left_out)) for file in found.files]
        if any(found.parts):
            drawn = [f"{part} is drawn from train" for part in self.fractions if part not in found.parts]
            pairs = [f"{part} is {name}" for part, name in zip(found.parts, names, strict=True)]
            print(shorten(f"parts: {', '.join(pairs + drawn)}", 200, placeholder=" …"))
        elif len(names) > 1:
            print(shorten(f"one table of {len(names)} files: {', '.join(names)}", 200, placeholder=" …"))
        if found.left_out:
            print(shorten(f"files left out, which are no parts: {', '.join(found.left_out)}", 200, placeholder=" …"))
        print(*notes[:NOTES], sep="\n", end="\n" * bool(notes))

    def _has_header(self, table: Table) -> bool:
        width, header = len(table.first), self.header
        if header is None:
            place = self.target if type(self.target) is int and -width <= self.target < width else None
            said = isinstance(self.target, str) or (place is None and str(self.target) in table.first)
            header = said or has_header(table, place)
            if (header and not said and any(map(is_number, table.first))) or (not header and counts(table.first)):
                kind, other = ("names of the columns", "false") if header else ("an example", "true")
                row = shorten(", ".join(table.first), 60, placeholder=" …")
                self.notes.append(f"the first row, {row}, is taken for {kind}: dataset.header={other} if it is not")
        return header

    def _parts(
        self, table: Table, rows: np.ndarray, targets: Tensor, groups: np.ndarray | None, parts_of_files: list[str]
    ) -> dict[str, Tensor]:
        """Indices of the three parts among these rows: those that have files, and those that are drawn."""
        starts = [before for _, before in table.files]
        file_of = np.searchsorted(starts, np.array(table.lines)[rows]) - 1
        part_of = np.array(parts_of_files)[file_of]
        files = {part: table.files[parts_of_files.index(part)][0] for part in ("val", "test") if part in parts_of_files}
        given = {part: torch.from_numpy(np.flatnonzero(part_of == part)) for part in files}
        rest = torch.from_numpy(np.flatnonzero(~np.isin(part_of, [*files])))
        for part, file in files.items():
            if not len(given[part]):
                raise UserError(f"{file} has no row with a class, so that it cannot be the {part} part: move it away.")
            if strange := {*targets[given[part]].tolist()} - {*targets[rest].tolist()}:
                raise UserError(f"{file} has a class {self.class_names[min(strange)]!r}, which the training has not.")
            if groups is not None and len(both := np.intersect1d(groups[given[part]], groups[rest])):
                raise UserError(f"{both[0]} (dataset.group) is in {file} and in the training: it may not be in both.")
            useless = [f"{part}_fraction"] * (self.fractions[part] != FRACTION) + ["folds"] * bool(self.fold)
            if useless and not self.known:
                raise UserError(f"dataset.{useless[0]} has no use, since {file} is the {part} part: leave it out.")
        fractions = {part: fraction for part, fraction in self.fractions.items() if part not in files}
        own = None if groups is None else groups[rest]
        drawn = draw_parts(targets[rest], self.class_names, fractions, self.split_seed, own, self.fold)
        return {part: rest[indices] for part, indices in drawn.items()} | given

    def _groups(self, table: Table, rows: np.ndarray) -> np.ndarray:
        """The group of each of these rows. Raises UserError for one that has none."""
        place = find_column(table, "group", self.group)
        cells = table.column(place).take(rows)
        words = np.array(cells.words, dtype=object)
        missing = rows[np.array([is_missing(word) for word in words], bool)[cells.codes]]
        if len(missing):
            more = f" (so have {len(missing) - 1:,} more rows)" if len(missing) > 1 else ""
            line = table.lines_of(missing)[0]
            raise UserError(
                f"{self.file}: line {line} has no {table.names[place]}{more}, which tells what belongs together "
                "(dataset.group): fill it in, or take such rows out."
            )
        return words[cells.codes]

    def _inputs(self, table: Table, target: int) -> dict[int, str]:
        """The columns to learn from, by their places: "numbers" or "words" where a setting says it, else ""."""
        kinds = dict.fromkeys(range(len(table.names)), "")
        for setting, kind in (("numeric", "numbers"), ("categorical", "words")):
            kinds |= {find_column(table, setting, key): kind for key in getattr(self, setting)}
        groups = [] if self.group is None else [find_column(table, "group", self.group)]
        for place in {target, *groups, *(find_column(table, "drop", key) for key in self.drop)}:
            del kinds[place]
        if self.known:
            return {
                place: "words" if "categories" in self.known[name] else "numbers"
                for place, name in enumerate(table.names)
                if place in kinds and name in self.known
            }
        for place in [place for place, kind in kinds.items() if not kind]:
            name, cells = table.names[place], table.column(place)
            numbers_rows = len(cells) > 2 and counts(cells)
            if is_unnamed(name) and table.headed:
                numbers_rows = numbers_rows or (all(map(str.isdecimal, cells)) and len(cells.words) == len(cells))
                if numbers_rows or not any(cells):
                    del kinds[place]
                    self.notes.append(f"left out, since it {'numbers the rows' if any(cells) else 'is empty'}: {name}")
            elif numbers_rows:
                self.notes.append(f"{name} numbers the rows: {typed('dataset.drop', name, listed=True)} leaves it out")
        return kinds

    def _measure(self, table: Table, kinds: dict[int, str], training: np.ndarray) -> dict[int, dict]:
        """The columns as `encode_table` takes them, by their places, from the rows of the training part."""
        numbers, columns, lines = {}, {}, table.lines_of(training)
        for place, kind in kinds.items():
            name, cells = table.names[place], table.column(place).take(training)
            seen = count(cells)
            if not (seen.numbers or seen.words or seen.missing):
                drop = typed("dataset.drop", name, listed=True)
                raise UserError(f"column {name} is empty in all training rows: leave it out with {drop}.")
            if kind == "numbers" and not seen.numbers:
                raise UserError(f"column {name} has no number in the training rows: leave it out of dataset.numeric.")
            lenient = self.known[name].get("lenient", False) if self.known else kind == "numbers"
            if kind == "numbers" or (not kind and seen.mostly_numbers):
                extras = {"unit": seen.unit} if seen.unit else {}
                numbers[place] = {"name": name, **extras, **({"lenient": True} if lenient else {})}
            else:
                columns[place] = measure_words(name, cells, self.max_categories)
            if not self.known:
                self.notes += remarks(name, seen, place in numbers, kind)
        marks = decimals(table, numbers, self.decimal, self.notes)
        for place, extras in numbers.items():
            how = (marks[place], MARKS.get(self.decimal, ".,"), extras.get("unit", ""), extras.get("lenient", False))
            cells = table.column(place).take(training)
            column = extras | measure_numbers(extras["name"], values(extras["name"], cells, lines, *how))
            if marks[place] == "," or any("," in text for text in table.column(place).texts):
                column["decimal"] = marks[place]
            known = self.known.get(column["name"], column)  # an older version stored less of a column
            columns[place] = {key: value for key, value in column.items() if key in known}
        return {place: columns[place] for place in kinds}

    @rank_zero_only
    def _describe(self, lonely: list[str], target: str, unlabelled: int) -> None:
        """Say what the columns were taken for."""
        numbers = [column["name"] for column in self.columns if "mean" in column]
        words = [f"{c['name']} ({len(c['categories'])})" for c in self.columns if "categories" in c]
        lists = {"numbers": numbers, "words": words, "left out, hardly a word comes twice": lonely}
        for what, names in lists.items():
            if names:
                print(shorten(f"{what}: {', '.join(names)}", 200, placeholder=" …"))
        print(*self.notes[:NOTES], sep="\n", end="\n" * bool(self.notes))
        if len(self.notes) > NOTES:
            print(f"… and {len(self.notes) - NOTES} more remarks of this kind")
        if words := [name for name in self.class_names if is_no_number(name)]:
            print(f"taken for classes: {', '.join(words)}; a row whose class is not known has an empty cell")
        if unlabelled:
            print(f"rows left out, without {target}: {unlabelled:,}")
