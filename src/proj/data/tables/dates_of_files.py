"""Doubts whether a file has day and month the other way round than the others of its table, or than the training."""

import numpy as np
from torch import Tensor

from proj.data.tables.date_column import DateColumn
from proj.data.tables.date_forms import DAY_FIRST, MONTH_FIRST
from proj.data.tables.date_parts import parts_of
from proj.data.tables.text_table import Table

# So many different dates are not all in the first twelve days of a month by chance: 0.4 ** 20 is 1e-8.
EVIDENCE = 20


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
        if len(dates) >= EVIDENCE and not is_late[its_own].any() and is_late.any():
            why = "has no day above 12, others have: are day and month swapped? Write its dates as 2020-01-31"
            notes.append(f"{column.name}: read as {column.date}; {file} {why}")
    return notes


def doubt_new_dates(column: DateColumn, inputs: Tensor) -> list[str]:
    """A remark on dates of a new table that, read in the form of the training, all have a day up to 12, while those of
    the training have later ones. inputs: (B, F), what the column's cells became, see `encode_table`."""
    names = [part.name for part in column.parts]
    if column.date not in (DAY_FIRST, MONTH_FIRST) or "day" not in names:
        return []
    found = inputs[inputs.any(1)]  # without missing dates, which are encoded as 0
    place = names.index("day")
    of_training = column.parts[place]
    days = found[:, place] * of_training.std + of_training.mean
    # A mean above 12 proves that the training has days above 12.
    if of_training.mean <= 12 or (days.round() > 12).any() or len(found[:, : place + 1].unique(dim=0)) < EVIDENCE:
        return []
    return [f"read as {column.date}, and no day is above 12: are day and month swapped? Write them as 2020-01-31"]
