"""Remarks on columns only some of whose cells are plain numbers."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from proj.config.quoting import typed
from proj.data.tables.cells import Count, examples_of, number, number_and_word
from proj.wording import first_of, how_many, percent

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


def number_remarks(name: str, seen: Count, is_numeric: bool, kind: str) -> Iterator[str]:
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
        yield f"{name}: taken for words, {partly}: {as_numbers} reads them as numbers{rest}"
    elif not kind and (units := units_of(seen)):
        amounts = first_of([f"{percent(times / units.total())} in {unit}" for unit, times in units.most_common()], 5)
        how = "write plain numbers in one unit, if they are amounts"
        yield f"{name}: taken for words, although nearly all are numbers ({amounts}): {how}"
