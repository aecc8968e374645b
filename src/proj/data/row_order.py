"""Splits a table in the order of a column, such as the date, so that a model is tested on rows that come later."""

import numpy as np

from proj.data.part_names import PARTS
from proj.data.table_parts import refuse_lacking
from proj.data.tables.date_column import DateColumn, date_remarks, doubt_files
from proj.data.tables.dates import are_since_1970, find_form
from proj.data.tables.decimal_marks import MARKS, decimal_marks
from proj.data.tables.named_column import find_column
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.row_numbers import doubt_far
from proj.data.tables.text_table import Table
from proj.data.tables.timestamps import SINCE_1970, since_1970
from proj.errors import UserError


def split_in_order(
    table: Table,
    rows: np.ndarray,
    part_of: np.ndarray,
    fractions: dict[str, float],
    order: str | int,
    day_first: bool | None,
    decimal: str | None,
) -> list[str]:
    """Make the last training rows the parts in `fractions`, one part after the other. Rows of one value stay together,
    so that a part begins where the value changes, as near to its fraction as possible.

    rows: their indices. part_of: the part of each, see `given_parts`; it is changed. order, day_first, decimal: the
    settings. Returns a line on the parts, and remarks on the column.
    Raises UserError for a row without a date or number, and if all rows that are left have the same one.
    """
    place = find_column(table, "order", order)
    name, cells = table.names[place], table.columns[place].take(rows)
    found, notes = sort_keys(table, place, rows, day_first, decimal)
    left, moved = np.flatnonzero(part_of == 0), list[str]()
    left = left[found[left].argsort(kind="stable")]
    for part, fraction in fractions.items():
        asked = max(1, round(len(left) * fraction))
        changes = np.flatnonzero(np.diff(found[left])) + 1
        if not len(changes):
            same = f"{name} is {cells.at(left[0])} in all {len(left):,} rows that are left for train and {part}"
            raise UserError(f"{same}, and rows of one value stay together: name another column, dataset.order=…")
        start = changes[abs(changes - (len(left) - asked)).argmin()]
        part_of[left[start:]] = PARTS.index(part)
        moved += [f"{part} has {len(left) - start:,} rows, not {asked:,}"] if len(left) - start != asked else []
        left = left[:start]
    numeric = cells.numbers is not None
    unit = next((one for one in SINCE_1970 if numeric and are_since_1970(name, cells, one)), "")

    def shown(row: int) -> str:
        return str(np.datetime64(int(since_1970(found[row], unit)), "s")).replace("T", " ") if unit else cells.at(row)

    lines, end_of_training = list[str](), found[part_of == 0].max(initial=-np.inf)
    for part in PARTS:
        if len(its := np.flatnonzero(part_of == PARTS.index(part))):
            first, last = its[found[its].argmin()], its[found[its].argmax()]
            lines.append(f"{part} {' to '.join(dict.fromkeys((shown(first), shown(last))))}")
            if part != "train" and found[first] < end_of_training:  # only where it has a file of its own
                notes.append(f"{part} begins before train ends: it is no test on rows that come later")
    why = f" ({', '.join(moved)}, since rows of one value stay together)" if moved else ""
    return [f"in the order of {name}: {', '.join(lines)}{why}", *notes]


def sort_keys(
    table: Table, place: int, rows: np.ndarray, day_first: bool | None, decimal: str | None
) -> tuple[np.ndarray, list[str]]:
    """((N,) float64, by which these rows are sorted; remarks on them): the dates in the column of index `place`, in
    seconds since 1970, or else its numbers. Raises UserError for a row that has neither."""
    name, cells, notes = table.names[place], table.columns[place].take(rows), list[str]()

    def line(row: int) -> str:
        return table.line(rows[row])

    form = None if cells.numbers is not None else find_form(name, cells, day_first, True, line)
    column: DateColumn | NumberColumn  # lenient, so that a cell which cannot be read becomes NaN
    if form:
        column = DateColumn(name, form, [], lenient=True, no_end=True, iso=True)
        found = column.moments(cells, line)
    else:
        column = NumberColumn(name, 0.0, 1.0, lenient=True)
        mark = decimal_marks(table, {place: column}, decimal, notes)[place]
        found = column.values(cells, line, mark, MARKS.get(decimal, ".,"))
    if np.isnan(found).all():
        such = f"{name} holds no dates or numbers, such as 2024-01-31, by which to sort the rows"
        raise UserError(f"{such} (its first cell is {cells.at(0)!r}): name another column, dataset.order=…")
    kind = f"date ({form})" if form else "number"
    refuse_lacking(table, place, rows[np.isnan(found)], f"{kind} in {name}", "to sort the rows (dataset.order)")
    if isinstance(column, DateColumn):
        return found, [*date_remarks(column, cells, found), *doubt_files(column, found, table, rows)]
    return found, [*notes, *doubt_far(name, found, "{:.10g}".format)]
