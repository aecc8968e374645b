"""A table of one's own."""

from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from proj.data.cells import in_order, is_missing, is_no_number, is_number
from proj.data.column_list import list_columns, wrapped
from proj.data.columns import Columns
from proj.data.csv_file import Table, counts, find_columns, has_header, is_unnamed, read_table
from proj.data.datamodule import InMemoryDataModule, Split, checksum_of, draw_parts
from proj.data.facts import Facts
from proj.data.named_column import find_column
from proj.data.rare_classes import describe_rare, rare_classes
from proj.data.table import MARKS, encode_table
from proj.errors import UserError, choose, nearest

SETTINGS = ("drop", "categorical", "numeric", "dates", "day_first", "group", "max_categories", "decimal")


class CSVDataModule(InMemoryDataModule):
    """A table of one's own in a CSV file: (B, F) inputs as `encode_table` makes them, classes from one of its columns.

    target: that column, by its name, or by its place: 0 the first, -1 the last.
    drop: columns to leave out; categorical: columns whose numbers are names; numeric: columns whose other cells are
    missing numbers; dates: likewise of dates; max_categories: see `measure_words`.
    header: whether the first row names the columns; decimal: "point" or "comma"; day_first: whether 1/2/2000 is in
    February; None finds each of them out. min_examples: see `rare_classes`.
    `test_fraction` of every class is the test part, `val_fraction` of the rest the validation part, drawn with
    `split_seed`; rows without a class, whose cell is empty, are left out: NA may be a class.
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
        dates: list[str | int] | None = None,
        day_first: bool | None = None,
        min_examples: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.file, self.target, self.drop, self.categorical = Path(data_dir), target, drop, categorical
        self.numeric, self.header, self.decimal = numeric or [], header, decimal
        self.dates, self.day_first, self.min_examples = dates or [], day_first, min_examples
        self.max_categories, self.split_seed = max_categories, split_seed
        self.group = group
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
        table, target = self._read()
        labels = table.column(target)
        labelled = [row for row, label in enumerate(labels) if label]
        if labels and not labelled:
            raise UserError(f"{self.file} has no class in {table.names[target]}: name another column, dataset.target=…")
        unlabelled = len(labels) - len(labelled)
        groups = None if self.group is None else self._groups(table, labelled)
        classes = [labels[row] for row in labelled]
        rare = rare_classes(classes, groups, 1 + len(self.fractions), self.fold, self.min_examples)
        if rare:
            common = np.array([label not in rare for label in classes])
            groups = None if groups is None else groups[common]
            labelled = [labelled[place] for place in common.nonzero()[0]]
        self.class_names = sorted({*classes} - rare.keys(), key=in_order)
        codes = {name: code for code, name in enumerate(self.class_names)}
        targets = torch.tensor([codes[labels[row]] for row in labelled], dtype=torch.int64)
        parts = draw_parts(targets, self.class_names, self.fractions, self.split_seed, groups, self.fold)
        lines = torch.tensor(table.lines)[torch.tensor(labelled)]
        self.numbers = {name: lines[part] for name, part in parts.items()}
        if self.fold:
            cells = "".join(text for texts in table.texts for text in texts)
            self.whole = checksum_of(torch.frombuffer(bytearray(cells.encode()), dtype=torch.uint8))
        training = [labelled[i] for i in parts["train"].tolist()]
        settings = {name: getattr(self, name) for name in SETTINGS}
        whole = Columns(table, target, training, settings, self.known, self.notes)
        columns = whole.measure()
        if not columns:
            raise UserError(f"{self.file} has no column to learn {table.names[target]} from.")
        self.columns = [*columns.values()]
        x = encode_table(table, [*columns], self.columns, self.decimal)[torch.tensor(labelled)]
        self.input_shape = tuple(x.shape[1:])
        self.splits = {name: Split(x[parts[name]], targets[parts[name]]) for name in ("train", "val", "test")}
        say = rank_zero_only(print)
        self.described = list_columns(whole, columns, say)
        if words := [name for name in self.class_names if is_no_number(name)]:
            say(f"taken for classes: {', '.join(words)}; a row whose class is not known has an empty cell")
        if unlabelled:
            say(f"rows left out, without {table.names[target]}: {unlabelled:,}")
        if rare:
            say(wrapped(describe_rare(rare, len(classes) - len(labelled))))

    def load_all(self, columns: list[dict], class_names: list[str]) -> None:
        """Every row that has a class becomes the test part, as a model takes it that was trained on another table.

        Raises UserError for a missing column or an unknown class.
        """
        table, target = self._read()
        codes, names = {name: code for code, name in enumerate(class_names)}, [column["name"] for column in columns]
        places, labels = find_columns(names, table.names), table.column(target)
        labelled = [row for row, label in enumerate(labels) if label]
        missing = [name for name, place in zip(names, places, strict=True) if place is None]
        strange = [labels[row] for row in labelled if labels[row] not in codes]
        if missing:
            what = f"no column {missing[0]!r}, which the model takes." + nearest(missing[0], table.names)
            raise UserError(f"{self.file} has {what}")
        if strange:
            what = f"a class {strange[0]!r}, which the model does not know." + nearest(strange[0], class_names)
            raise UserError(f"{self.file} has {what}")
        if not labelled:
            raise UserError(f"{self.file} has no row with a class.")
        x = encode_table(table, places, columns, self.decimal)[torch.tensor(labelled)]
        self.input_shape, self.columns, self.class_names = tuple(x.shape[1:]), columns, class_names
        self.splits = {"test": Split(x, torch.tensor([codes[labels[row]] for row in labelled]))}
        self.numbers = {"test": torch.tensor([table.lines[row] for row in labelled])}

    def _read(self) -> tuple[Table, int]:
        """(The file's table, the place of the target). Raises UserError for a file that is none."""
        try:
            with open(self.file, "rb") as file:
                table = read_table(file, str(self.file))
        except OSError as error:
            raise UserError(
                f"{self.file} cannot be read ({error.strerror}): name a CSV file with data_dir=path/to/table.csv"
            ) from error
        width, header = len(table.first), self.header
        if header is None:
            place = self.target if type(self.target) is int and -width <= self.target < width else None
            said = isinstance(self.target, str) or (place is None and str(self.target) in table.first)
            header = said or has_header(table, place)
            if (header and not said and any(map(is_number, table.first))) or (not header and counts(table.first)):
                kind, other = ("names of the columns", "false") if header else ("an example", "true")
                row = shorten(", ".join(table.first), 60, placeholder=" …")
                self.notes.append(f"the first row, {row}, is taken for {kind}: dataset.header={other} if it is not")
        table.take_header(header)
        return table, find_column(table, "target", self.target)

    def _groups(self, table: Table, rows: list[int]) -> np.ndarray:
        """The group of each of these rows. Raises UserError for one that has none."""
        place = find_column(table, "group", self.group)
        cells = table.column(place)
        if missing := [table.lines[row] for row in rows if is_missing(cells[row])]:
            more = f" (so have {len(missing) - 1:,} more rows)" if missing[1:] else ""
            raise UserError(
                f"{self.file}: line {missing[0]} has no {table.names[place]}{more}, which tells what belongs together "
                "(dataset.group): fill it in, or take such rows out."
            )
        return np.array([cells[row] for row in rows])
