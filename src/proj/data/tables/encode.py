"""Tables of text: numbers are standardised, dates become several of them, words one input each."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from proj.config.words import typed
from proj.data.tables.cells import Count, examples_of, in_order, is_missing, number, number_and_word, values
from proj.data.tables.date_parts import parts_of
from proj.data.tables.dates import moments
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.one_column import Column
from proj.data.tables.text_table import Table
from proj.errors import first_of, how_many


def encode_column(cells: Column, column: dict, line: Callable, decimal: str, marks: str = ".,") -> Tensor:
    """(B, F) float32 inputs of a network from the B cells of a column. decimal, marks, line: see `values`.

    column: one of a checkpoint's `contents["columns"]`. {"name", "mean", "std"}: numbers, see `standardised`. They may
        also have "unit", such as %, "lenient" and "limits", see `values`, and "decimal", see `decimal_marks`.
        {"name", "truth", "mean", "std"}: a number, 0 or 1, for the two words of "truth", see `truth_values`.
        {"name", "date", "parts"}: dates of a form of `date_forms.FORMS`; each part, by its name in `parts_of`, is a
        column of numbers. They may be "lenient" too, with "iso"; with "no_end" a date such as 9999-12-31 is none.
        {"name", "categories"}: words, an input for each of them, 1 or 0; all 0 for a missing or other one.
    """
    if "categories" in column:
        found = torch.from_numpy(cells.among(column["categories"]))
        known = found >= 0
        encoded = torch.zeros(len(cells), len(column["categories"]))
        encoded[known.nonzero().flatten(), found[known]] = 1
        return encoded
    if "parts" in column:
        parts = parts_of(moments(column, cells, line))
        return torch.cat([standardised(parts[part["name"]], part) for part in column["parts"]], 1)
    if "truth" in column:
        return standardised(truth_values(cells, column["truth"]), column)
    return standardised(values(column, cells, line, decimal, marks), column)


def standardised(numbers: np.ndarray, column: dict) -> Tensor:
    """(B, 1) float32 inputs from the float64 numbers of a column; a missing one, NaN, becomes the mean, 0."""
    return ((torch.from_numpy(numbers) - column["mean"]) / column["std"]).nan_to_num()[:, None].float()


def width(column: dict) -> int:
    """How many inputs a column becomes."""
    return len(column.get("categories", column.get("parts", [column])))


def kind_of(column: dict) -> str:
    """What a column holds: "numbers", "words", "dates", or in "truth" the words of yes and no."""
    kinds = {"categories": "words", "parts": "dates", "truth": "truth"}
    return next((kind for key, kind in kinds.items() if key in column), "numbers")


def encode_table(
    table: Table, columns: dict[int, dict], rows: np.ndarray, decimal: str | None = None, notes: list[str] | None = None
) -> Tensor:
    """`encode_column` for these rows of columns of a table, beside each other.

    columns: by their places in the table. decimal: see `decimal_marks`, which also says what is refused.
    notes: what can be doubted of decimal marks is added to them.
    """
    numbers = {place: column for place, column in columns.items() if kind_of(column) == "numbers"}
    found = decimal_marks(table, numbers, decimal, [] if notes is None else notes)
    marks, widths = MARKS.get(decimal, ".,"), [*map(width, columns.values())]
    encoded = torch.zeros(len(rows), sum(widths))
    for (place, column), part in zip(columns.items(), encoded.split(widths, 1), strict=True):
        cells, decimal = table.columns[place].take(rows), found.get(place, ".")
        part[:] = encode_column(cells, column, lambda at: table.line(rows[at]), decimal, marks)
    return encoded


def words_in(cells: Column) -> Counter[str]:
    """How often each of the words comes; missing cells are none."""
    return Counter({word: times for word, times, _ in cells.different() if not is_missing(word)})


def measure_words(name: str, tally: Counter, most: int, asked: bool = False) -> dict:
    """A column of words as `encode_column` takes it, from those in the training part, without missing ones.

    most: how many words become inputs, the most frequent; one that comes once tells nothing and becomes none, but where
    none comes twice and the user asks for the column.
    """
    least = 1 if asked and max(tally.values(), default=0) < 2 else 2
    frequent = [word for word, times in tally.most_common(most) if times >= least]
    return {"name": name, "categories": sorted(frequent, key=in_order)}


TRUTHS = [("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("nein", "ja"), ("n", "j"), ("non", "oui")]
TRUTHS += [("falsch", "wahr"), ("faux", "vrai"), ("no", "si"), ("no", "sí"), ("off", "on")]
WHOLE_WORDS = [pair for pair in TRUTHS if len(pair[0]) > 1]  # single letters may stand for much else


def truth_codes(words: Sequence[str]) -> dict[str, float]:
    """0 and 1 for two words, in lower or upper case or with a capital letter."""
    return {text: float(code) for code, word in enumerate(words) for text in (word.upper(), word.capitalize(), word)}


def answer_codes(words: Sequence[str]) -> dict[str, float]:
    """`truth_codes` of a column's words, after 0, 1 and those of other programs and languages, as of a new table."""
    own, others = truth_codes(words), [("0", "1"), ("0.0", "1.0"), *WHOLE_WORDS]
    codes = {text: code for pair in others for text, code in truth_codes(pair).items()}
    return {text: code for text, code in codes.items() if text not in own} | own


def truth_values(cells: Column, words: Sequence[str]) -> np.ndarray:
    """`answer_codes`, NaN for all else."""
    codes = answer_codes(words)
    return np.array([*codes.values(), np.nan])[cells.among([*codes])]  # -1 is the last


def find_truth(words: Collection[str]) -> list[str] | None:
    """Those of TRUTHS that a column has, by its words, each but once; None for a column of something else."""
    both = ([*pair] for pair in TRUTHS if {*map(truth_codes(pair).get, words)} == {0.0, 1.0})
    return next(both, None) if len(words) <= 6 else None


def measure_numbers(name: str, numbers: np.ndarray) -> dict:
    """A column of numbers as `encode_column` takes it, from those in the training part, NaN for a missing one.

    The mean and the deviation are float64, and so are the numbers that they standardise: float32 would take the
    milliseconds since 1970 for the same within two minutes.
    """
    found = torch.from_numpy(numbers[~np.isnan(numbers)])
    varied = len(found) > 0 and bool((found != found[0]).any())  # of equal numbers rounding would leave a little
    std = float(found.std()) if varied else 0.0
    return {"name": name, "mean": float(found.mean()), "std": std or 1.0}


def units_of(seen: Count) -> Counter:
    """How often each word stands beside a number, in a column of words where nearly all cells hold one of several such
    words, or some a number alone; an empty counter for another column. Its first words tell."""
    units, total = Counter({"no unit": seen.numbers}), seen.numbers
    for word, times in islice(seen.words.items(), 200):
        total += times
        if (parts := number_and_word(word)) and number(parts[0]):
            units[parts[1]] += times
    units = +units  # without 0
    return units if 2 <= len(units) <= 10 and units.total() >= 0.95 * total else Counter()


def remarks(name: str, seen: Count, is_numeric: bool, kind: str) -> Iterator[str]:
    """What is to be said of a column whose cells are in part numbers: what it is taken for, and what changes that.

    kind: what the settings say it is, or "".
    """
    limits = Counter() if is_numeric else seen.limits  # which are words then
    such = examples_of(seen.missing + seen.words + limits)
    share = (seen.numbers - limits.total()) / max(1, seen.numbers + seen.words.total() + seen.missing.total())
    as_words, as_numbers = (typed(f"dataset.{setting}", name, listed=True) for setting in ("categorical", "numeric"))
    if is_numeric:
        how = "" if kind else f": {as_words} takes all for words"
        if seen.limits:
            limited = f"{examples_of(seen.limits)}; {how_many(seen.limits.total(), 'cell')}"
            yield f"{name}: limits count as the number itself ({limited}){how}"
        if not kind and any(map(str.isalpha, seen.unit)):
            yield f"{name}: numbers in {seen.unit}{how}"
            return
        if seen.negative:
            yield f"{name}: {seen.negative} and the like are negative numbers{how}"
        if seen.missing or (kind and seen.words):
            yield f"{name}: numbers, and {1 - share:.0%} are taken for missing ones ({such}){how}"
    elif not kind and share >= 0.2:
        in_part = f"{share:.0%} are numbers, others not ({such})"
        yield f"{name}: words, though {in_part}: {as_numbers} takes it for numbers, and the others for missing"
    elif not kind and (units := units_of(seen)):
        amounts = first_of([f"{times / units.total():.0%} in {unit}" for unit, times in units.most_common()], 5)
        how = "write plain numbers in one unit, if they are amounts"
        yield f"{name}: words, though nearly all are numbers ({amounts}): {how}"
