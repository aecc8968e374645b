"""What the columns of a table are taken for, and how that is said."""

from dataclasses import dataclass
from textwrap import shorten

from lightning.pytorch.utilities import rank_zero_only

from proj.config.words import typed
from proj.data.cells import count, is_no_number, values
from proj.data.csv_file import Table, counts, is_unnamed
from proj.data.named_column import find_column
from proj.data.table import MARKS, decimals, measure_numbers, measure_words, remarks
from proj.errors import UserError

NOTES = 10  # remarks on columns are printed at most


@dataclass
class Columns:
    """The columns of a table beside `target`, the place of that with the classes.

    drop, categorical, numeric, group, max_categories, decimal: see `CSVDataModule`.
    known: the columns of another training, by their names; they are taken as they were then.
    notes: sentences on what can be doubted are added to them.
    """

    table: Table
    target: int
    drop: list[str | int]
    categorical: list[str | int]
    numeric: list[str | int]
    group: str | int | None
    max_categories: int
    decimal: str | None
    known: dict[str, dict]
    notes: list[str]

    def inputs(self) -> dict[int, str]:
        """The columns to learn from, by their places: "numbers" or "words" where a setting says it, else ""."""
        table, kinds = self.table, dict.fromkeys(range(len(self.table.names)), "")
        for setting, kind in (("numeric", "numbers"), ("categorical", "words")):
            kinds |= {find_column(table, setting, key): kind for key in getattr(self, setting)}
        groups = [] if self.group is None else [find_column(table, "group", self.group)]
        for place in {self.target, *groups, *(find_column(table, "drop", key) for key in self.drop)}:
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
                numbers_rows = numbers_rows or (all(map(str.isdecimal, cells)) and len(set(cells)) == len(cells))
                if numbers_rows or not any(cells):
                    del kinds[place]
                    self.notes.append(f"left out, since it {'numbers the rows' if any(cells) else 'is empty'}: {name}")
            elif numbers_rows:
                self.notes.append(f"{name} numbers the rows: {typed('dataset.drop', name, listed=True)} leaves it out")
        return kinds

    def measure(self, kinds: dict[int, str], training: list[int]) -> dict[int, dict]:
        """The columns as `encode_table` takes them, by their places, from the rows of the training part."""
        table, numbers, columns = self.table, {}, {}
        lines = [table.lines[row] for row in training]

        def cells_of(place: int) -> list[str]:
            cells = table.column(place)
            return [cells[row] for row in training]

        for place, kind in kinds.items():
            name, cells = table.names[place], cells_of(place)
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
            column = extras | measure_numbers(extras["name"], values(extras["name"], cells_of(place), lines, *how))
            if marks[place] == "," or any("," in text for text in table.texts[place]):
                column["decimal"] = marks[place]
            known = self.known.get(column["name"], column)  # an older version stored less of a column
            columns[place] = {key: value for key, value in column.items() if key in known}
        return {place: columns[place] for place in kinds}


@rank_zero_only
def describe(
    columns: list[dict], lonely: list[str], class_names: list[str], target: str, unlabelled: int, notes: list[str]
) -> None:
    """Say what the columns were taken for."""
    numbers = [column["name"] for column in columns if "mean" in column]
    words = [f"{c['name']} ({len(c['categories'])})" for c in columns if "categories" in c]
    lists = {"numbers": numbers, "words": words, "left out, hardly a word comes twice": lonely}
    for what, names in lists.items():
        if names:
            print(shorten(f"{what}: {', '.join(names)}", 200, placeholder=" …"))
    print(*notes[:NOTES], sep="\n", end="\n" * bool(notes))
    if len(notes) > NOTES:
        print(f"… and {len(notes) - NOTES} more remarks of this kind")
    if words := [name for name in class_names if is_no_number(name)]:
        print(f"taken for classes: {', '.join(words)}; a row whose class is not known has an empty cell")
    if unlabelled:
        print(f"rows left out, without {target}: {unlabelled:,}")
