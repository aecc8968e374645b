"""Makes a column of any kind from its description in a checkpoint."""

from dataclasses import fields
from typing import Any

import numpy as np

from proj.data.tables.answers import AnswerColumn
from proj.data.tables.date_column import DateColumn
from proj.data.tables.input_column import InputColumn
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.texts import TextColumn
from proj.data.tables.word_column import WordColumn

# The field that tells a kind; a description without any of these is of numbers.
KINDS = {"categories": WordColumn, "text": TextColumn, "parts": DateColumn, "truth": AnswerColumn}


def column_from(described: Any) -> InputColumn:
    """The column that `InputColumn.to_dict` describes. A column itself is returned as it is, since a datamodule of the
    user's own may give either. Raises ValueError or TypeError if this describes no column."""
    if isinstance(described, InputColumn):
        return described
    kind = next((kind for key, kind in KINDS.items() if key in described), NumberColumn)
    if kind is DateColumn:
        described = described | {"parts": [made(NumberColumn, part) for part in described["parts"]]}
    return made(kind, described)


def made(kind: type[InputColumn], described: Any) -> InputColumn:
    """A column of this kind, without the fields that a newer version may have added, and with Python's numbers in place
    of NumPy's. Raises as `column_from` does."""
    if not isinstance(described, dict):
        raise ValueError(f"{described!r} does not describe a column of a table.")
    known = {field.name for field in fields(kind)}
    given = {key: value for key, value in described.items() if key in known}
    return kind(**{key: value.item() if isinstance(value, np.generic) else value for key, value in given.items()})
