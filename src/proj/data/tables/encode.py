"""Encodes the cells of a table as inputs: numbers are standardised, dates split into numbers, words one-hot encoded."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from proj.config.words import typed
from proj.data.tables.cells import Count, examples_of, is_missing, number, number_and_word, sort_key, values
from proj.data.tables.date_parts import parts_of
from proj.data.tables.dates import moments
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.one_column import Column, WholeColumn
from proj.data.tables.text_table import Table
from proj.data.tables.texts import encode_text
from proj.wording import first_of, how_many, percent


def encode_column(cells: Column, column: dict, line: Callable, decimal: str, marks: str) -> Tensor:
    """(B, F) float32, the inputs that the B cells of a column become. decimal, marks, line: see `values`.

    column: the column's description, as a checkpoint stores it in `contents["columns"]`. Its keys depend on its kind:
        {"name", "mean", "std"}: numbers, see `standardised`. There may also be a "unit", such as %; "lenient" and
        "limits", see `values`; and "decimal", see `decimal_marks`.
        {"name", "truth", "mean", "std"}: two answers such as no and yes, which become 0 and 1, see `truth_values`.
        {"name", "date", "parts"}: dates in a form of `date_forms.FORMS`. Each part, named as in `parts_of`, is itself a
        column of numbers. For "lenient", "iso" and "no_end" (9999-12-31 counts as missing) see `moments`.
        {"name", "categories"}: words, with one input for each category: 1 for the cell's word, else 0.
        {"name", "text"}: texts, with one input for each of these words: 1 where the cell holds it, else 0.
    """
    if "text" in column:
        return encode_text(cells, column["text"])
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
    """(B, 1) float32 inputs from a column's float64 numbers (B,); a missing one, NaN, becomes 0, which is the mean."""
    return ((torch.from_numpy(numbers) - column["mean"]) / column["std"]).nan_to_num()[:, None].float()


def width(column: dict) -> int:
    """The number of inputs that a column becomes."""
    several = next((key for key in ("categories", "text", "parts") if key in column), "")
    return len(column[several]) if several else 1


def kind_of(column: dict) -> str:
    """What a column holds: "numbers", "words", "texts", "dates", or "truth" for two answers such as yes and no."""
    kinds = {"categories": "words", "text": "texts", "parts": "dates", "truth": "truth"}
    return next((kind for key, kind in kinds.items() if key in column), "numbers")


def encode_table(
    table: Table, columns: dict[int, dict], rows: np.ndarray, decimal: str | None = None, notes: list[str] | None = None
) -> Tensor:
    """(B, F) float32, the inputs of these B rows of a table, with the inputs of all columns side by side.

    columns: the descriptions of the columns by their index in the table. rows: indices of rows.
    decimal: see `decimal_marks`, which may raise UserError and adds its remarks to `notes`,
    which only a table that is not the training's has.
    """
    numbers = {place: column for place, column in columns.items() if kind_of(column) == "numbers"}
    if notes is not None:
        notes += spell_as_numbers(table, numbers)
    found = decimal_marks(table, numbers, decimal, [] if notes is None else notes)
    marks, widths = MARKS.get(decimal, ".,"), [*map(width, columns.values())]
    encoded = torch.zeros(len(rows), sum(widths))
    for (place, column), part in zip(columns.items(), encoded.split(widths, 1), strict=True):
        cells, decimal = table.columns[place].take(rows), found.get(place, ".")
        part[:] = encode_column(cells, column, lambda at: table.line(rows[at]), decimal, marks)
    return encoded


def words_of(cells: Column) -> Counter[str]:
    """The frequency of each word among the cells, without missing cells."""
    return Counter({word: times for word, times, _ in cells.different() if not is_missing(word)})


def measure_words(name: str, tally: Counter, most: int, asked: bool) -> dict:
    """The description of a column of words for `encode_column`. tally: how often each word occurs in the training part.

    most: the maximum number of categories; the most frequent words are taken. A word that occurs only once teaches
    nothing and is left out, unless the user asked for the column and none of its words occurs twice.
    """
    least = 1 if asked and max(tally.values(), default=0) < 2 else 2
    frequent = [word for word, times in tally.most_common(most) if times >= least]
    return {"name": name, "categories": sorted(frequent, key=sort_key)}


TRUTHS = [("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("nein", "ja"), ("n", "j"), ("non", "oui")]
TRUTHS += [("falsch", "wahr"), ("faux", "vrai"), ("no", "si"), ("no", "sí"), ("off", "on")]
WHOLE_WORDS = [pair for pair in TRUTHS if len(pair[0]) > 1]  # without single letters, which may mean many other things


def truth_codes(words: Sequence[str]) -> dict[str, float]:
    """0 for the first word and 1 for the second, in lower case, in upper case, or capitalized."""
    return {text: float(code) for code, word in enumerate(words) for text in (word.upper(), word.capitalize(), word)}


def answer_codes(words: Sequence[str]) -> dict[str, float]:
    """0 and 1 for each spelling of the two answers: those of the column itself, and those that another table may have
    in their place, such as 0 and 1, or yes and no in another language."""
    own, others = truth_codes(words), [("0", "1"), ("0.0", "1.0"), *WHOLE_WORDS]
    codes = {text: code for pair in others for text, code in truth_codes(pair).items()}
    return {text: code for text, code in codes.items() if text not in own} | own


def truth_values(cells: Column, words: Sequence[str]) -> np.ndarray:
    """(N,) float64, the `answer_codes` of the cells; NaN for any other cell."""
    codes = answer_codes(words)
    return np.array([*codes.values(), np.nan])[cells.among([*codes])]  # for other cells `among` gives -1, the NaN


def spell_as_numbers(table: Table, columns: dict[int, dict]) -> Iterator[str]:
    """Write answers such as yes and no as 0 and 1 in columns of nothing else, if those of the training held 0 and 1
    alone: no other numbers from 0 to 1 have that deviation. Yields a remark on each such column."""
    codes = answer_codes(("0", "1"))
    for place, column in columns.items():
        cells, largest = table.columns[place], column["mean"] * (1 - column["mean"])
        is_binary = largest > 0 and 0.999 < column["std"] ** 2 / largest <= 1.5  # the sample's is n / (n - 1) of it
        if is_binary and cells.numbers is None and (cells.holds(codes) | cells.each(is_missing, bool)).all():
            said = examples_of(words_of(cells) - Counter({"0": len(cells), "1": len(cells)}))
            table.columns[place] = WholeColumn([f"{codes[cell]:g}" if cell in codes else "" for cell in cells])
            yield f"column {column['name']}: answers such as {said} are read as 1 and 0, as the training has them"


def find_truth(words: Collection[str]) -> list[str] | None:
    """The pair of TRUTHS that makes up the different words of a column; None if there is no such pair."""
    both = ([*pair] for pair in TRUTHS if {*map(truth_codes(pair).get, words)} == {0.0, 1.0})
    return next(both, None) if len(words) <= 6 else None


def measure_numbers(name: str, numbers: np.ndarray) -> dict:
    """The description of a column of numbers for `encode_column`. numbers: those of the training part, NaN if missing.

    The mean, the standard deviation and the numbers are float64: in float32, times in milliseconds since 1970 that are
    up to two minutes apart would become equal.
    """
    found = torch.from_numpy(numbers[~np.isnan(numbers)])
    varied = len(found) > 0 and bool((found != found[0]).any())  # rounding may give equal numbers a tiny deviation
    std = float(found.std()) if varied else 0.0
    return {"name": name, "mean": float(found.mean()), "std": std or 1.0}


ORDINALS = {"st", "nd", "rd", "th"}


def units_of(seen: Count) -> Counter:
    """The frequencies of the units in a column of words that are nearly all numbers in different units, with "no unit"
    for plain numbers; empty for any other column. Only the first different words are looked at. Labels such as 1st and
    2nd, or 1. White and 2. Black, have one number a unit; amounts have several."""
    units, total = Counter({"no unit": seen.numbers}), seen.numbers
    different = Counter[str]()  # the number of different amounts in each unit
    for word, times in islice(seen.words.items(), 200):
        total += times
        if (parts := number_and_word(word)) and number(parts[0]):
            units[parts[1]] += times
            different[parts[1]] += 1
    units = +units  # without 0
    are_labels = units.keys() <= ORDINALS or (not seen.numbers and max(different.values(), default=0) <= 1)
    fits = 2 <= len(units) <= 10 and units.total() >= 0.95 * total
    return units if fits and not are_labels else Counter()


def remarks(name: str, seen: Count, is_numeric: bool, kind: str) -> Iterator[str]:
    """Remarks on a column only some of whose cells are plain numbers: how it is used, and which setting changes that.

    seen: the count of its cells. is_numeric: whether it is used as numbers. kind: what a setting says it is, or "".
    """
    limits = Counter() if is_numeric else seen.limits  # in a column of words, limits such as <5 are words
    such = examples_of(seen.missing + seen.words + limits)
    share = (seen.numbers - limits.total()) / max(1, seen.numbers + seen.words.total() + seen.missing.total())
    as_words, as_numbers = (typed(f"dataset.{setting}", name, listed=True) for setting in ("categorical", "numeric"))
    if is_numeric:
        how = "" if kind else f": {as_words} reads all as words"
        if seen.limits:
            limited = f"{examples_of(seen.limits)}; {how_many(seen.limits.total(), 'cell')}"
            yield f"{name}: limits count as the number itself ({limited}){how}"
        if not kind and any(map(str.isalpha, seen.unit)):
            yield f"{name}: numbers in {seen.unit}{how}"
            return
        if seen.negative:
            yield f"{name}: {seen.negative} and the like are negative numbers{how}"
        if seen.missing or (kind and seen.words):
            yield f"{name}: numbers, and {percent(1 - share)} count as missing ({such}){how}"
    elif not kind and share >= 0.2:
        partly = f"although {share:.0%} are numbers, others not ({such})"
        rest = ", and limits as the number itself" if limits else ""
        rest += ", and the others as missing" if seen.words or seen.missing else ""
        yield f"{name}: read as words, {partly}: {as_numbers} reads them as numbers{rest}"
    elif not kind and (units := units_of(seen)):
        amounts = first_of([f"{percent(times / units.total())} in {unit}" for unit, times in units.most_common()], 5)
        how = "write plain numbers in one unit, if they are amounts"
        yield f"{name}: read as words, although nearly all are numbers ({amounts}): {how}"
