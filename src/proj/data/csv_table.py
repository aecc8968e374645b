"""The datamodule for the user's own table."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from proj.data.class_names import ordered, spell_as_training, targets_among
from proj.data.copied_class import describe_copied_class
from proj.data.copies import describe_copies
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.facts import Facts
from proj.data.part_names import PARTS
from proj.data.rare_classes import absent_classes, describe_rare, describe_unknown, rare_classes, rows_with_class
from proj.data.row_order import split_in_order
from proj.data.splitting import draw_parts
from proj.data.table_parts import Examples, given_parts, groups_of_rows, refuse_useless, table_parts
from proj.data.tables.chosen_columns import SETTINGS, dropped_columns
from proj.data.tables.column_list import NOTES, list_columns
from proj.data.tables.columns import Columns
from proj.data.tables.encode import encode_table, spell_as_numbers
from proj.data.tables.header import is_unnamed
from proj.data.tables.input_column import InputColumn
from proj.data.tables.named_column import find_column, how_to_separate, why_absent
from proj.data.tables.new_table import unlike_training
from proj.data.tables.reading import Reading
from proj.data.tables.table_files import describe_files, find_tables, join, open_tables
from proj.data.tables.text_table import Table, where
from proj.data.word_remarks import describe_classes, describe_groups, describe_words
from proj.errors import UserError, nearest
from proj.system.ranks import say


class CSVDataModule(InMemoryDataModule):
    """The user's own table: (B, F) inputs, see `encode_table`, and classes from one of its columns.

    data_dir: a file, a folder, a glob pattern or several files, see `find_tables`. sheet, encoding: see `Reading`.
    target: the column of the classes, by name or by place (0 is the first, -1 the last). Rows without a class are left
    out; NA may be a class, see `missing_marks`. drop: columns to leave out. categorical, text, numeric, dates: columns
    to treat as such; among numbers and dates, any other cell is missing. max_categories, max_words: see
    `measure_words`, `measure_text`. header: whether the first row names the columns. decimal: "point" or "comma".
    day_first: whether 1/2/2000 is in February. For these three, None detects it. min_examples: see `rare_classes`.
    Other parts are drawn with `split_seed`: `test_fraction` of each class, then `val_fraction` of the rest. Three
    columns are no inputs: group, whose rows of one value are in one part; order, by which the last rows are the test
    part, see `split_in_order`; split, which names the part of each row, see `parts_named_in`.
    """

    kind = "table"
    checked_by = "proj.data.exists.refuse_absent_columns"
    is_other: bool | None = None  # whether sheet and encoding are those of another file; None in training

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
        order: str | int | None = None,
        split: str | int | None = None,
        sheet: str | int | None = None,
        encoding: str | None = None,
        dates: list[str | int] | None = None,
        day_first: bool | None = None,
        min_examples: int | None = None,
        text: list[str | int] | None = None,
        max_words: int = 1000,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.file, self.target, self.drop, self.categorical = Path(data_dir), target, drop, categorical
        self.numeric, self.dates, self.text, self.max_words = numeric or [], dates or [], text or [], max_words
        self.header, self.decimal, self.day_first, self.min_examples = header, decimal, day_first, min_examples
        self.max_categories, self.sheet, self.encoding = max_categories, sheet, encoding
        self.group, self.order, self.split, self.split_seed = group, order, split, split_seed
        self.fractions = {"test": test_fraction, "val": val_fraction}
        self.trained, self.notes = dict[str, InputColumn](), list[str]()  # an earlier training's columns, see `take`

    def take(self, facts: Facts) -> None:
        """Read the file as an earlier training did, whose version may have inferred something else about a column."""
        self.trained = {column.name: column for column in facts.columns or []}
        self.class_names = facts.class_names  # their order is kept
        if self.trained:
            self.header = not all(map(is_unnamed, {*self.trained, facts.target} - {None}))
            self.target = facts.target or self.target

    def load(self) -> None:
        table, target, parts_of_files = self._read()
        if not len(table.lines):
            raise UserError(f"{self.file} has no row below its header.")
        if len(table.names) == 1:
            raise UserError(f"{self.file} has no column to learn {table.names[0]} from: {how_to_separate(table)}.")
        examples, given = self._examples(table, target, parts_of_files)
        drawn = {part: fraction for part, fraction in self.fractions.items() if part not in given}
        labels = table.columns[target].take(examples.rows)
        self.class_names = ordered([label for label, *_ in labels.different()], self.class_names)
        targets = torch.from_numpy(labels.among(self.class_names))
        how = {"class_names": self.class_names, "fractions": drawn, "seed": self.split_seed, "fold": self.fold}
        parts = table_parts(given, examples, targets, self.class_names, partial(draw_parts, **how))
        lines = torch.from_numpy(np.array(table.lines)[examples.rows])
        self.numbers = {name: lines[part] for name, part in parts.items()}
        self.whole = table.checksum() if self.fold else None
        rows = examples.rows[examples.part_of == 0]  # all but those of validation and test files, or after the training
        settings = {name: getattr(self, name) for name in SETTINGS}
        training, by_chance = examples.rows[parts["train"]], not (given or self.fold)
        whole = Columns(table, target, training, rows, settings, self.trained, self.notes, by_chance)
        if not (columns := whole.measure()):
            raise UserError(f"{self.file} has no column to learn {table.names[target]} from{whole.why_left_out()}.")
        self.columns = [*columns.values()]
        order = torch.cat([parts[name] for name in PARTS])  # so that each part is a slice of one tensor
        self.notes += spell_as_numbers(table, columns) if given else []  # of files with the other parts
        x, y = encode_table(table, columns, examples.rows[order], self.decimal), targets[order]
        self.input_shape, sizes = tuple(x.shape[1:]), [len(parts[name]) for name in PARTS]
        pieces = zip(PARTS, x.split(sizes), y.split(sizes), strict=True)
        self.splits = {name: Split(inputs, targets) for name, inputs, targets in pieces}
        for part, what in given.items():  # its rows were not used to infer what the columns hold
            there = examples.rows[parts[part].numpy()]
            self.notes += [f"{what}: {one}" for one in unlike_training(table, columns, self.splits[part].inputs, there)]
        self.notes += [] if self.trained else describe_words(self.columns)
        self.described = list_columns(whole)
        if not self.trained:
            dropped = dropped_columns(table, settings)
            say(*describe_copied_class(table, columns, target, dropped, examples.rows[order], x, y.numpy()))
        train, test = self.splits["train"].inputs, self.splits["test"].inputs
        say(*describe_classes(self.class_names), *describe_copies(train, test, [one.width for one in self.columns]))

    def _examples(self, table: Table, target: int, parts_of_files: list[str]) -> tuple[Examples, dict[str, str]]:
        """(The rows whose classes are learnt, for each part that is not drawn what it is, such as a file); prints what
        is left out."""
        labels, name = table.columns[target], table.names[target]
        rows, lines = rows_with_class(table, target, self.class_names)
        if not len(rows):
            raise UserError(f"{self.file} has no class in {name}: name another column, dataset.target=…")
        groups = None if self.group is None else groups_of_rows(table, rows, self.group)
        lines += [] if groups is None else describe_groups(self.group, groups)
        part_of, given = given_parts(table, rows, parts_of_files, self.split, self.fractions)
        if not self.trained:
            refuse_useless(given, self.fractions, self.fold, self.order)
        drawn = {part: fraction for part, fraction in self.fractions.items() if part not in given}
        if self.order is not None:
            lines += split_in_order(table, rows, part_of, drawn, self.order, self.day_first, self.decimal)
            given, drawn = {part: f"the {part} part" for part in drawn} | given, {}
        examples = Examples(rows, part_of, groups)
        labels = labels.take(rows)
        to_draw = examples.take(examples.part_of == 0)  # from these, the parts without a file are drawn
        drawn_labels = table.columns[target].take(to_draw.rows)
        rare = rare_classes(drawn_labels, to_draw.groups, 1 + len(drawn), self.fold, self.min_examples)
        absent = absent_classes(labels, examples.part_of)
        too_few = labels.holds(rare)
        lines += [describe_rare(rare, int(too_few.sum()))] if rare else []
        lines += [describe_unknown(absent, "the training")] if absent else []
        say(*lines)
        return examples.take(~(too_few | labels.holds(absent))), given

    def load_all(self, columns: list[InputColumn], class_names: list[str]) -> None:
        """Make all rows of classes that the model knows the test part, encoded as in the model's training. Raises
        UserError for a missing column, and if there is no such row."""
        self.fractions = {}  # nothing is drawn
        table, target, _ = self._read()
        names, labels = [column.name for column in columns], table.columns[target]
        if missing := [name for name in names if name not in table.names]:
            how = why_absent(table, missing[0], f".{nearest(missing[0], table.names)}")
            raise UserError(f"{self.file} has no column {missing[0]!r}, which the model takes{how}")
        targets, self.left_out = targets_among(labels, class_names)
        rows = np.flatnonzero(targets >= 0)
        if not len(rows):
            strange = next(iter(self.left_out), "")
            what = f"a class {strange!r}, which the model does not know." + nearest(strange, class_names)
            raise UserError(f"{self.file} has {what if strange else 'no row with a class.'}")
        notes = [describe_unknown(self.left_out, "the model")] if self.left_out else []
        if without := int(labels.holds([""]).sum()):
            notes.append(f"rows without {self.target} left out: {without:,}")
        by_place = {table.names.index(column.name): column for column in columns}
        x = encode_table(table, by_place, rows, self.decimal, notes)
        say(*notes, *unlike_training(table, by_place, x, rows))
        self.input_shape, self.columns, self.class_names = tuple(x.shape[1:]), columns, class_names
        self.splits = {"test": Split(x, torch.from_numpy(targets[rows]))}
        self.numbers = {"test": torch.from_numpy(np.array(table.lines)[rows])}

    def example(self, split: str, index: int) -> str:
        return where(self.files, int(self.numbers[split][index]))

    def _read(self) -> tuple[Table, int, list[str]]:
        """(The table, the index of the target column, for each of its files the part that it is, or "").

        Raises UserError for a file that is no table, or lacks a column that the first file has.
        """
        found = find_tables(str(self.file))
        trains = self.is_other is None
        how = Reading(self.sheet, self.encoding, bool(self.is_other), "dataset." if trains else "")
        lists = [*self.drop, *self.categorical, *self.numeric, *self.dates, *self.text]
        settings = [self.target, self.group, self.order, self.split, *lists]
        names = [] if trains else [*dict.fromkeys([*self.trained, *(key for key in settings if isinstance(key, str))])]
        tables = open_tables(found, how, self.header, self.target, self.notes, names)
        if not trains and isinstance(self.target, str) and self.target not in tables[0].names:
            how = why_absent(tables[0], self.target, ": python -m proj.predict works without it.")
            raise UserError(f"{tables[0].file} has no column {self.target} to measure{how}")
        notes = [note for table in tables for note in table.notes][:NOTES]
        say(*describe_files(found, [*self.fractions]), *notes)
        target = find_column(tables[0], "target", self.target)
        self.target_name = name = tables[0].names[target]
        for part, table in zip(found.parts, tables, strict=True):
            if part not in ("", "train") and name not in table.names:
                raise UserError(
                    f"{table.file} has no column {name}, so that it cannot be the {part} part: train with "
                    f"data_dir={found.files[0]}, and python -m proj.predict input={table.file} predicts its classes."
                )
        table = join(tables, self.notes)
        say(*spell_as_training(table, target, found.parts))
        self.files = table.files
        return table, target, found.parts
