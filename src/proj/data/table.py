"""Tables of text: columns of numbers are standardised, columns of words become one input a word."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from textwrap import shorten

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from proj.data.datamodule import InMemoryDataModule, Split, draw_parts
from proj.errors import UserError, nearest

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # in any case


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def number(text: str) -> float | None:
    """The number that a cell holds, within float32, NaN where it is missing, None where it holds something else."""
    try:
        value = float(text) if "_" not in text else math.inf  # Python takes 1_000
    except ValueError:
        value = math.inf
    return value if abs(value) < 3e38 else math.nan if is_missing(text) else None


def encode(rows: list[list[str]], columns: list[dict], first: int = 1) -> Tensor:
    """(B, F) float32 inputs of a network, from B rows of text whose cells are in the order of `columns`.

    columns: a checkpoint's `contents["columns"]`. {"name", "mean", "std"}: numbers, standardised; a missing one becomes
        the mean, 0. {"name", "categories"}: words, an input for each of them, 1 or 0; all 0 for a missing or other one.
    first: what messages call the first row.
    Raises UserError that names the row and the column of what is no number, or a row of another length.
    """
    for place, row in enumerate(rows, first):
        if len(row) != len(columns):
            names = ", ".join(column["name"] for column in columns)
            raise UserError(f"row {place} has {len(row)} values for {len(columns)} columns: {names}.")
    encoded = torch.zeros(len(rows), sum(len(column.get("categories", "1")) for column in columns))
    start = 0
    for index, column in enumerate(columns):
        texts = [row[index].strip() for row in rows]
        if "categories" in column:
            codes = {word: code for code, word in enumerate(column["categories"])}
            found = torch.tensor([codes.get(text, -1) for text in texts])
            end = start + len(codes)
            encoded[:, start:end] = found[:, None] == torch.arange(len(codes))
        else:
            numbers = [number(text) for text in texts]
            if None in numbers:
                place = numbers.index(None)
                raise UserError(
                    f"row {place + first}, column {column['name']}: {texts[place]!r} is no number; leave the cell "
                    "empty if it is not known."
                )
            end = start + 1
            standard = (torch.tensor(numbers, dtype=torch.float64) - column["mean"]) / column["std"]
            encoded[:, start] = standard.nan_to_num()
        start = end
    return encoded


class Standardize(nn.Module):
    """(B, F) numbers as they are -> what `encode` makes of them; `undo` goes back. For columns of numbers alone."""

    def __init__(self, columns: list[dict]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([column["mean"] for column in columns]))
        self.register_buffer("std", torch.tensor([column["std"] for column in columns]))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def undo(self, x: Tensor) -> Tensor:
        return x * self.std + self.mean


def measure(name: str, texts: list[str], words: bool, most: int) -> dict:
    """A column as `encode` takes it, from its cells in the training part: numbers, if 95 % of the filled ones are.

    words: take numbers for words too. most: how many words become inputs, the most frequent; one that comes once tells
    nothing and becomes none.
    Raises UserError if all cells are empty.
    """
    filled = [text for text in texts if not is_missing(text)]
    if not filled:
        raise UserError(f"column {name} is empty in all training rows: leave it out with 'dataset.drop=[{name}]'.")
    numbers = [value for value in map(number, filled) if value is not None]
    if words or len(numbers) < 0.95 * len(filled):
        frequent = Counter(filled).most_common(most)
        return {"name": name, "categories": sorted((word for word, count in frequent if count > 1), key=in_order)}
    values = torch.tensor(numbers, dtype=torch.float64)
    std = float(values.std()) if len(set(numbers)) > 1 else 0.0  # of equal numbers rounding would leave a little
    return {"name": name, "mean": float(values.mean()), "std": std or 1.0}


def in_order(word: str) -> tuple:
    """Sorts numbers by their value, before words."""
    value = number(word)
    return (True, 0, word) if value is None or math.isnan(value) else (False, value, word)


def read_table(lines: Iterable[str], name: str) -> list[list[str]]:
    """The rows of a CSV file's lines, blank ones left out, the header among them if there is one.

    The separator (comma, semicolon, tab or |) is the one that cuts the first lines into the most pieces, all alike;
    beside semicolons a number may have a decimal comma.
    Raises UserError for what is no CSV file in UTF-8, for no row, and for a row of another length than the first.
    """

    def pieces(separator: str) -> tuple[bool, list[int]]:
        lengths = [len(row) for row in csv.reader(head, delimiter=separator, skipinitialspace=True) if row]
        return len(set(lengths)) == 1 and lengths[0] > 1, lengths[:1]

    lines, rows = iter(lines), []
    try:
        head = list(islice(lines, 20))
        separator = max(";,\t|", key=pieces)
        reader = csv.reader(chain(head, lines), delimiter=separator, skipinitialspace=True)
        for row in reader:
            row = [cell.strip() for cell in row]
            if any(row):
                rows.append(row)
                if len(row) != len(rows[0]):
                    lengths = f"{len(row)} in line {reader.line_num}, {len(rows[0])} in the first"
                    raise UserError(f"{name} has rows of different numbers of values: {lengths}.")
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{name} is no CSV file in UTF-8 ({error}): save the table as one.") from error
    if not rows:
        raise UserError(f"{name} is empty.")
    if separator == ";":
        rows = [[re.sub(r"^([-+]?\d+),(\d+)$", r"\1.\2", cell) for cell in row] for row in rows]
    return rows


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it holds no number, and nothing that comes again in its column."""
    if any(number(cell) is not None and not is_missing(cell) for cell in rows[0]):
        return False
    return not any(cell and cell in {row[place] for row in rows[1:1000]} for place, cell in enumerate(rows[0]))


class CSVDataModule(InMemoryDataModule):
    """A table of one's own in a CSV file: (B, F) inputs as `encode` makes them, classes from one of its columns.

    target: that column, by its name, or by its place: 0 the first, -1 the last.
    drop: columns to leave out; categorical: columns whose numbers are names; max_categories: see `measure`.
    `test_fraction` of every class is the test part, `val_fraction` of the rest the validation part, drawn with
    `split_seed`; rows without a class are left out.
    """

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
        **settings,
    ) -> None:
        super().__init__(**settings)
        self.file, self.target, self.drop, self.categorical = Path(data_dir), target, drop, categorical
        self.max_categories, self.split_seed = max_categories, split_seed
        self.fractions = {"test": test_fraction, "val": val_fraction}

    def load(self) -> None:
        rows, first, target, labelled = self._read()
        words = {self._place("categorical", key) for key in self.categorical}
        inputs = set(range(len(self.names))) - {target, *(self._place("drop", key) for key in self.drop)}
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
        missing = [name for name in names if name not in self.names]
        strange = [rows[i][target] for i in labelled if rows[i][target] not in codes]
        if missing:
            what = f"no column {missing[0]!r}, which the model takes." + nearest(missing[0], self.names)
            raise UserError(f"{self.file} has {what}")
        if strange:
            what = f"a class {strange[0]!r}, which the model does not know." + nearest(strange[0], class_names)
            raise UserError(f"{self.file} has {what}")
        if not labelled:
            raise UserError(f"{self.file} has no row with a class.")
        places = [self.names.index(name) for name in names]
        x = encode([[row[place] for place in places] for row in rows], columns, first)
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
        self.names = rows.pop(0) if first == 2 else [""] * len(rows[0])
        self.names = [name or f"column {place}" for place, name in enumerate(self.names)]
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise UserError(f"{self.file} has two columns {twice[0]!r}: give each a name of its own.")
        target = self._place("target", self.target)
        return rows, first, target, [i for i, row in enumerate(rows) if row[target].lower() not in MISSING - {"none"}]

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
        if unlabelled:
            print(f"rows left out, without {self.names[self._place('target', self.target)]}: {unlabelled:,}")
