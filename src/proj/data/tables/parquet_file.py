"""Reads a Parquet file, a column at a time."""

import math
import re
from array import array
from typing import BinaryIO

from proj.data.tables.cells import cell_text
from proj.data.tables.text_table import CELLS, Table, most_cells, refuse_too_many
from proj.errors import UserError
from proj.system.platform import memory


def read_parquet(stream: BinaryIO, name: str) -> Table | None:
    """The table in a Parquet file; its first row has number 2, as in a CSV file. None if it has no column."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{name} is a Parquet file, which needs pip install 'proj[parquet]'.") from None
    file = ParquetFile(stream)
    index = re.compile(r"__index_level_\d+__")  # the index of a pandas table: in CSV the first column, without a name
    names = sorted(file.schema_arrow.names, key=lambda one: not index.fullmatch(one))
    if not names:
        return None
    refuse_too_many(file.metadata.num_rows * len(names), most_cells(), name)
    table = Table(name, [index.sub("", one).strip() for one in names], 1, [])
    table.is_named = True
    table.take_header(True)  # before reading, since two columns of one name could not be told apart
    size, most = 0, (memory() or math.inf) / 2  # a column's text is there twice while its pieces are joined
    for column, one in zip(table.columns, names, strict=True):
        kind = file.schema_arrow.field(one).type
        pieces = (batch.column(0) for batch in file.iter_batches(CELLS, columns=[one]))
        if pyarrow.types.is_timestamp(kind):
            moments = file.read(columns=[one]).column(one).cast(pyarrow.timestamp("us", kind.tz), safe=False)
            days = moments.cast(pyarrow.date32(), safe=False)
            values = days if days.cast(moments.type).equals(moments) else moments
            pieces = (values.slice(start, CELLS) for start in range(0, len(values), CELLS))
        for piece in pieces:
            # In a column of floats 1.0 remains 1.0, since Parquet has another type for columns of whole numbers.
            if pyarrow.types.is_floating(kind):
                numbers = piece.to_numpy(zero_copy_only=False).astype(str).tolist()
                column.add(["" if number == "nan" else number for number in numbers])
                continue
            cells = [cell_text(cell) for cell in piece.to_pylist()]
            size += sum(map(len, cells))  # the file may hold a long text once for a million rows
            if size > most:
                why = "do not fit into this machine's memory: write the file without that column"
                raise UserError(f"{name}: the texts in column {one} {why}.")
            column.add(cells)
    table.lines = array("i", range(2, len(table.columns[0]) + 2))
    return table
