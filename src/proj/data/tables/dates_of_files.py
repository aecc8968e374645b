"""Doubts the dates of a file: whether day and month are swapped, or whether they are unlike those of the training."""

from collections import Counter

import numpy as np
from torch import Tensor

from proj.data.tables.cells import examples_of, is_missing
from proj.data.tables.date_column import DateColumn
from proj.data.tables.date_forms import DAY_FIRST, MONTH_FIRST
from proj.data.tables.date_parts import parts_of
from proj.data.tables.one_column import Column
from proj.data.tables.text_table import Table
from proj.wording import how_many, percent

# So many different dates are not all in the first twelve days of a month by chance: 0.4 ** 20 is 1e-8.
MANY_DATES = 20
FAR, ENOUGH = 10, 5  # standard deviations from the training's mean that are too many; rows that suffice as evidence


def doubt_files(column: DateColumn, seconds: np.ndarray, table: Table, rows: np.ndarray) -> list[str]:
    """A remark on each file whose dates, read in the form of the column, all have a day up to 12, while other files
    have later ones: 3/4/2020 fits both day/month and month/day.

    seconds: (N,) the column's dates. rows: (N,) the rows of the table in which they are.
    """
    if column.date not in (DAY_FIRST, MONTH_FIRST) or len(table.files) == 1:
        return []
    file_of = np.searchsorted([before for _, before in table.files], np.array(table.lines)[rows]) - 1
    is_late, notes = parts_of(seconds)["day"] > 12, []
    for place, (file, _) in enumerate(table.files):
        its_own = file_of == place
        dates = np.unique(seconds[its_own & ~np.isnan(seconds)] // 86_400)
        if len(dates) >= MANY_DATES and not is_late[its_own].any() and is_late.any():
            why = "has no day above 12, others have: are day and month swapped? Write its dates as 2020-01-31"
            notes.append(f"{column.name}: read as {column.date}; {file} {why}")
    return notes


def doubt_new_dates(column: DateColumn, cells: Column, seconds: np.ndarray, inputs: Tensor) -> list[str]:
    """Remarks on the dates of a new table: on those that count as missing, on years far from the training's, and on
    days that all are up to 12. seconds: (B,) the dates. inputs: (B, F), what the cells became, see `encode_table`."""
    words = {word: (times, place) for word, times, place in cells.different() if not is_missing(word)}
    none = Counter({word: times for word, (times, place) in words.items() if np.isnan(seconds[place])})
    total, notes = sum(times for times, _ in words.values()), list[str]()
    if none:
        notes.append(f"{percent(none.total() / total)} count as missing ({examples_of(none)}; read as {column.date})")
    for part in column.parts:
        if part.name == "year":
            far = np.abs(parts_of(seconds)["year"] - part.mean) > FAR * part.std  # false for a missing one
            if far.sum() >= max(ENOUGH, 0.02 * len(far)):
                such = f"{how_many(int(far.sum()), 'date')} such as {cells.at(int(np.flatnonzero(far)[0]))}"
                notes.append(f"{such} are far from the training's years, {part.mean:.0f} ± {part.std:.2g}")
    return [*notes, *doubt_new_days(column, inputs)]


def doubt_new_days(column: DateColumn, inputs: Tensor) -> list[str]:
    """A remark on dates of a new table that, read in the form of the training, all have a day up to 12, while those of
    the training have later ones. inputs: see `doubt_new_dates`."""
    names = [part.name for part in column.parts]
    if column.date not in (DAY_FIRST, MONTH_FIRST) or "day" not in names:
        return []
    found = inputs[inputs.any(1)]  # without missing dates, which are encoded as 0
    place = names.index("day")
    of_training = column.parts[place]
    days = found[:, place] * of_training.std + of_training.mean
    # A mean above 12 proves that the training has days above 12.
    if of_training.mean <= 12 or (days.round() > 12).any() or len(found[:, : place + 1].unique(dim=0)) < MANY_DATES:
        return []
    return [f"read as {column.date}, and no day is above 12: are day and month swapped? Write them as 2020-01-31"]
