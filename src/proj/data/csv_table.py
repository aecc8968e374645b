"""A table of one's own."""

from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from proj.data.csv_file import (
    find_columns,
    has_header,
    in_order,
    is_missing,
    is_numeric,
    named,
    read_table,
    with_decimal_points,
)
from proj.data.datamodule import InMemoryDataModule, Split, draw_parts
from proj.data.table import encode, encode_file, measure
from proj.errors import UserError, nearest


class CSVDataModule(InMemoryDataModule):
    """A table of one's own in a CSV file: (B, F) inputs as `encode` makes them, classes from one of its columns.

    target: that column, by its name, or by its place: 0 the first, -1 the last.
    drop: columns to leave out; categorical: columns whose numbers are names; max_categories: see `measure`.
    `test_fraction` of every class is the test part, `val_fraction` of the rest the validation part, drawn with
    `split_seed`; rows without a class, whose cell is empty, are left out: NA may be a class.
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
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.file, self.target, self.drop, self.categorical = Path(data_dir), target, drop, categorical
        self.max_categories, self.split_seed = max_categories, split_seed
        self.fractions = {"test": test_fraction, "val": val_fraction}

    def load(self) -> None:
        rows, first, target, labelled = self._read()
        words = {self._place("categorical", key) for key in self.categorical}
        inputs = set(range(len(self.names))) - {target, *(self._place("drop", key) for key in self.drop)}
        numeric = [i for i in inputs - words if is_numeric(row[i] for row in rows)]
        rows = with_decimal_points(rows, numeric, self.names, first)
        labels = [rows[i][target] for i in labelled]
        self.class_names = sorted(set(labels), key=in_order)
        codes = {name: code for code, name in enumerate(self.class_names)}
        targets = torch.tensor([codes[label] for label in labels], dtype=torch.int64)
        parts = draw_parts(targets, self.class_names, self.fractions, self.split_seed)
        training = [rows[labelled[i]] for i in parts["train"].tolist()]
        columns = {
            i: measure(self.names[i], [row[i] for row in training], i in words, self.max_categories)
            for i in sorted(inputs)
        }
        used = [i for i, column in columns.items() if column.get("categories") != []]
        if not used:
            raise UserError(f"{self.file} has no column to learn {self.names[target]} from.")
        self.columns = [columns[i] for i in used]
        x = encode([[row[i] for i in used] for row in rows], self.columns, first)[torch.tensor(labelled)]
        self.input_shape = tuple(x.shape[1:])
        self.splits = {name: Split(x[parts[name]], targets[parts[name]]) for name in ("train", "val", "test")}
        self._describe(len(rows) - len(labelled), [self.names[i] for i in columns if i not in used])

    def load_all(self, columns: list[dict], class_names: list[str]) -> None:
        """Every row that has a class becomes the test part, as a model takes it that was trained on another table.

        Raises UserError for a missing column or an unknown class.
        """
        rows, first, target, labelled = self._read()
        codes, names = {name: code for code, name in enumerate(class_names)}, [column["name"] for column in columns]
        places = find_columns(names, self.names)
        missing = [name for name, place in zip(names, places, strict=True) if place is None]
        strange = [rows[i][target] for i in labelled if rows[i][target] not in codes]
        if missing:
            what = f"no column {missing[0]!r}, which the model takes." + nearest(missing[0], self.names)
            raise UserError(f"{self.file} has {what}")
        if strange:
            what = f"a class {strange[0]!r}, which the model does not know." + nearest(strange[0], class_names)
            raise UserError(f"{self.file} has {what}")
        if not labelled:
            raise UserError(f"{self.file} has no row with a class.")
        x = encode_file([[row[place] for place in places] for row in rows], columns, first)
        x = x[torch.tensor(labelled)]
        self.input_shape, self.columns, self.class_names = tuple(x.shape[1:]), columns, class_names
        self.splits = {"test": Split(x, torch.tensor([codes[rows[i][target]] for i in labelled]))}

    def _read(self) -> tuple[list[list[str]], int, int, list[int]]:
        """(Rows, the number of the first in the file, place of the target, indices of rows with a class); sets `names`.

        Raises UserError for a file that is no table.
        """
        try:
            with open(self.file, newline="", encoding="utf-8-sig") as lines:
                rows = read_table(lines, str(self.file))
        except OSError as error:
            raise UserError(
                f"{self.file} cannot be read ({error.strerror}): name a CSV file with data_dir=path/to/table.csv"
            ) from error
        first = 2 if isinstance(self.target, str) or has_header(rows) else 1
        self.names = named(rows.pop(0) if first == 2 else [""] * len(rows[0]), str(self.file))
        target = self._place("target", self.target)
        return rows, first, target, [i for i, row in enumerate(rows) if row[target]]

    def _place(self, setting: str, key: str | int | None) -> int:
        """The place of a column that a setting names. Raises UserError if there is none."""
        if key in self.names:
            return self.names.index(key)
        if type(key) is int and -len(self.names) <= key < len(self.names):
            return key % len(self.names)
        what = f"{setting}={key} is no column of {self.file}" if key is not None else f"{setting} names no column yet"
        raise UserError(f"dataset.{what}." + nearest(str(key or ""), self.names))

    @rank_zero_only
    def _describe(self, unlabelled: int, left_out: list[str]) -> None:
        """Say what the columns were taken for."""
        numbers = [column["name"] for column in self.columns if "mean" in column]
        words = [f"{c['name']} ({len(c['categories'])})" for c in self.columns if "categories" in c]
        notes = {"numbers": numbers, "words": words, "left out, hardly a word comes twice": left_out}
        for note, names in notes.items():
            if names:
                print(shorten(f"{note}: {', '.join(names)}", 200, placeholder=" …"))
        if words := [name for name in self.class_names if is_missing(name)]:
            print(f"taken for classes: {', '.join(words)}; a row whose class is not known has an empty cell")
        if unlabelled:
            print(f"rows left out, without {self.names[self._place('target', self.target)]}: {unlabelled:,}")
