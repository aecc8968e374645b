"""Detects columns whose numbers were assigned to the rows, such as ids: a network can learn nothing from them."""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from proj.config.quoting import typed
from proj.data.tables.header import is_unnamed
from proj.data.tables.one_column import Column
from proj.wording import agree

# Names that end like this are of numbers that were assigned, not measured: Patient-Nr., order_no, Matrikelnummer.
ASSIGNED = r"(?i:(.*(\b|_))?(nr|no)\.?|.*[a-zäöüß](nr\.?|nummer))"
WITHIN = r"((?i:(\b|_)(id|uid|uuid|guid)(\b|_))|[a-z]I[dD]\b|[a-z]{4}id\b)"
ID = re.compile(rf".*{WITHIN}.*|(?i:index|row[ _.]?names?)|{ASSIGNED}")
# Names of columns whose values identify persons, photos and the like, each of which may have several rows.
PERSON = "patient|subject|participant|person|user|customer|client|donor|household|family|student|session|case|sample"
PERSON += "|proband|teilnehmer|versuchsperson|kunde|sujet|paciente|(file|image|photo|video)([ _]?path)?"
PERSON += "|respondent|pupil|specimen|animal"
GROUP = re.compile(
    rf"(?i:(.*(\b|_))?(id|uid|uuid|guid))|.*[a-z]I[dD]|{ASSIGNED}|"
    rf"(?i:({PERSON})(s|in|en|n)?([ _.-]?(id|nr|no|num|number|code|name)\.?)?)"
)
CODE = re.compile(r"-?(99+|9+[78]|77+|88+)|-[1-9]|[789]")  # what surveys write for "don't know" and the like
OFTEN = 5  # a number that may mark missing values occurs at least so often; beside fewer different ones only a code may
# So far above a scale without gaps, a number is a code: 9 above 1 to 4 or 1 to 5, where a count would have 6, too.
SKIPPED = 4
YEAR = re.compile(r"year|jahr|ann[eé]e|año", re.I)


def id_evidence(name: str, numbers: np.ndarray) -> str:
    """How the numbers of a column show that they are ids, and not measured: "order", "shuffled", "name", or "".

    Ids are whole numbers. If all differ, they are either in "order", or "shuffled" within a range so small that
    measured numbers would repeat. If nearly all differ, the column's "name" may say that they are ids. Years, in a
    column that is named so, are ids only if its name says that as well.
    """
    found = numbers[~np.isnan(numbers)]
    few = len(np.unique(found[:1000])) < 0.5 * min(len(found), 1000)  # a quick test, which settles most columns
    if few or len(found) < max(3, 0.95 * len(numbers)) or (found % 1).any():
        return ""
    low, high, different = found.min(), found.max(), len(np.unique(found))
    named = "name" if ID.fullmatch(name) and different >= 0.9 * len(found) else ""
    if different < len(found) or (YEAR.search(name) and low >= 1500 and high <= 2100):
        return named
    steps = np.diff(found)
    if (steps > 0).all() or (steps < 0).all():
        return "order"
    close = high - low < max(1.6 * len(found), len(found) ** 2 / 20) and len(found) >= 10
    return named or ("shuffled" if close else "")


def doubt_groups(name: str, cells: Column) -> Iterator[str]:
    """A remark on a column that, by its name, identifies persons and the like which have several rows each: one
    person's rows would be in the training part as well as in the test part."""
    different = len(np.unique(cells.codes)) if GROUP.fullmatch(name) else 0
    if 10 <= different < 0.9 * len(cells):
        said = f"{name}: {different:,} values in {len(cells):,} rows: if rows of the same value belong together"
        yield f"{said}, {typed('dataset.group', name)} keeps them in one part"


def doubts(name: str, numbers: np.ndarray, beginning: Sequence[str]) -> Iterator[str]:
    """Remarks on a column of numbers in which `id_evidence` sees no ids: whole numbers without a name may be ids, of
    more than 15 digits float64 loses the last, numbers with leading zeros may be codes, and a number far from all
    others may mark missing values. beginning: the first cells of the column."""
    found = numbers[~np.isnan(numbers)]
    drop, as_words = (typed(f"dataset.{setting}", name, listed=True) for setting in ("drop", "categorical"))
    if is_unnamed(name) and not (found % 1).any() and len(np.unique(found)) >= 0.9 * len(numbers):
        yield f"{name}: whole numbers, nearly all of them different: {drop} leaves them out if they are ids"
    if np.abs(found).max(initial=0) >= 2**53 and any(len(cell) > 15 and cell.isdecimal() for cell in beginning):
        yield f"{name}: numbers of more than 15 digits lose the last ones: {as_words} reads them as words"
    may_be_codes = not any(re.search("[.,+-]", cell) for cell in beginning)  # 1E2, but no 1.5E2 and no 1e-3
    code_form = r"0\d{2,}|\d+E\d+" if may_be_codes else r"0\d{2,}"
    if code := next((cell for cell in beginning if re.fullmatch(code_form, cell, re.I)), None):
        yield f"{name}: numbers such as {code} may be codes: {as_words} reads them as words"
    yield from doubt_far(name, found, "{:.10g}".format)


def doubt_far(name: str, found: np.ndarray, written: Callable[[float], str]) -> Iterator[str]:
    """A remark if the lowest or highest numbers seem to mark missing values, as -999 among lengths.
    written: returns a number as it is written in the file."""
    for lowest in (True, False):
        if far := far_values(found, lowest, written):
            such, share = " and ".join(map(written, sorted(far))), np.isin(found, far).mean()
            are, they_mark = agree(len(far), "is", "are"), agree(len(far), "it marks", "they mark")
            such = f"{such} {are} far from all other values, and {share:.0%} of the column"
            yield f"{name}: {such}: if {they_mark} missing values, empty these cells"


def far_values(found: np.ndarray, lowest: bool, written: Callable[[float], str]) -> list[float]:
    """The lowest (or highest) of these numbers, or up to three codes side by side such as 98 and 99, if they seem to
    mark missing values: they are frequent, and `are_far`. [] if they do not."""
    least = max(OFTEN, 0.01 * len(found))
    others, far = found, list[float]()
    while len(far) < 3 and len(others):
        end = others.min() if lowest else others.max()
        rest = others[others != end]
        if len(others) - len(rest) < least or len(rest) == 0:
            return []
        others, far = rest, [*far, end]
        if are_far(far, others, written):
            return far
    return []


def are_far(far: list[float], others: np.ndarray, written: Callable[[float], str]) -> bool:
    """Whether numbers on one side of all others are so far from them that they seem to mark missing values. far: the
    nearest is last. Codes, which are the only negative number or numbers such as CODE, may be nearer than others."""
    nearest, low, high, different = far[-1], others.min(), others.max(), len(np.unique(others[:1000]))
    are_codes = (nearest < 0 <= low and len(far) == 1) or all(CODE.fullmatch(written(one)) for one in far)
    if not are_codes and (len(far) > 1 or different < OFTEN):
        return False
    is_scale = different > 1 and not (others % 1).any() and different == high - low + 1  # such as 1 to 5
    if are_codes and is_scale and nearest - high >= SKIPPED:
        return True
    ranges = 1.0  # the distance must be larger than so many times the range of the others
    if different < OFTEN:
        ranges = 3.0
    elif are_codes and nearest not in (7, 8, 9):  # which may be counts
        ranges = 0.2
    return different > 1 and max(low - nearest, nearest - high) > ranges * (high - low)
