"""Encodes a table's own columns inside an exported file, which takes each column as an input: numbers, or strings."""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.facts import Standardize
from proj.data.tables.answers import AnswerColumn, answer_codes
from proj.data.tables.date_column import DateColumn
from proj.data.tables.date_forms import DURATION, FAR
from proj.data.tables.date_parts import DATE_PARTS, date_parts
from proj.data.tables.input_column import InputColumn
from proj.data.tables.number_column import NumberColumn
from proj.data.tables.one_column import spellings
from proj.data.tables.texts import TextColumn
from proj.data.tables.timestamps import EXCEL, EXCEL_1970, SINCE_1970, since_1970
from proj.data.tables.word_column import WordColumn
from proj.errors import UserError


class RawColumns(nn.Module):
    """Cells as codes (B, columns) in float64 -> the network's inputs (B, F) in float32, the same as `encode_table`
    computes. `undo` is the inverse.

    columns: as `Facts` describes them. The code of a number is the number itself, that of a word is given by `texts`,
    and that of a date is the seconds since 1970, or milliseconds and so on if the column holds these. A missing cell,
    and a word that the training did not have, has the code NaN. Raises UserError for a column of texts.
    """

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        super().__init__()
        self.columns = columns
        self.dates = {place: column for place, column in enumerate(columns) if isinstance(column, DateColumn)}
        # `forward` first makes one long row: the code of each column, and behind them six parts of each date. For each
        # input of the network: its place in that row, the code of its word, or NaN if the input is a number, and the
        # column that says how it is standardised, which leaves a word as it is.
        inputs, first = [], len(columns)  # `first`: the index of the first part of the next date
        for place, column in enumerate(columns):
            if isinstance(column, TextColumn):
                cannot = f"an exported file cannot look for the words of a text (column {column.name})"
                raise UserError(f"{cannot}: add raw=false, and give it 1 or 0 for each of them, docs/checkpoints.md.")
            if isinstance(column, DateColumn):
                inputs += [(first + DATE_PARTS.index(part.name), nan, part) for part in column.parts]
                first += len(DATE_PARTS)
            elif isinstance(column, WordColumn):
                word = NumberColumn(column.name, 0.0, 1.0)
                inputs += [(place, float(code), word) for code in range(column.width)]
            else:
                inputs.append((place, nan, column))
        places, codes, standards = zip(*inputs, strict=True)
        self.register_buffer("places", torch.tensor(places))
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.float64))
        self.standardize = Standardize(standards)
        self.standardize.dtype = torch.float64

    def forward(self, cells: Tensor) -> Tensor:
        parts = [date_parts(seconds_of(cells[:, place], column)) for place, column in self.dates.items()]
        cells = torch.cat([cells, *parts], 1)[:, self.places]
        return torch.where(self.codes.isnan(), self.standardize(cells), (cells == self.codes).float())

    def undo(self, x: Tensor) -> Tensor:
        """Inputs (B, F) -> codes (B, columns). A column of words gets the word with the largest input, if above 0."""
        numbers = self.codes.isnan()
        defaults = torch.tensor([2000.0, 1, 1, 0, 0, 0], dtype=torch.float64)  # of DATE_PARTS that are no input
        parts = defaults.repeat(len(x), len(self.dates))
        cells = torch.cat([torch.full((len(x), len(self.columns)), nan, dtype=torch.float64), parts], 1)
        cells[:, self.places[numbers]] = self.standardize.undo(x)[:, numbers]
        for place in self.places[~numbers].unique().tolist():
            words = self.places == place
            largest = x[:, words].max(1)
            cells[:, place] = torch.where(largest.values > 0, self.codes[words][largest.indices], nan)
        for place, column in enumerate(self.columns):
            if isinstance(column, AnswerColumn):
                answers = cells[:, place]  # the encoding replaces a missing one by the mean
                cells[:, place] = torch.where(answers == column.mean, nan, answers.round().clamp(0, 1))
        cells, parts = cells.tensor_split([len(self.columns)], 1)
        of_dates = parts.reshape(len(x), len(self.dates), len(DATE_PARTS)).unbind(1)
        for (place, column), of_date in zip(self.dates.items(), of_dates, strict=True):
            means = [(DATE_PARTS.index(part.name), part.mean) for part in column.parts]
            missing = torch.stack([of_date[:, index] == mean for index, mean in means]).all(0)
            cells[:, place] = torch.where(missing, nan, code_of(of_date, column))
        return cells

    def feed(self, cells: Tensor) -> dict[str, np.ndarray]:
        """The values (B,) for each input of the file, by the columns' names, from codes (B, columns)."""
        given = {}
        for column, values in zip(self.columns, cells.T, strict=True):
            words = {code: text for text, code in (texts(column) or {}).items()}
            named = np.array([words.get(code, "") for code in values.tolist()], object)
            given[column.name] = named if words else values.numpy()
        return given

    def as_inputs(self, model: Any) -> Any:
        """Turn an ONNX model with a single input, the codes, into one that takes each column as an input by its name.
        An output keeps its name, or gets _ appended if a column has that name. All other names in the model get a
        prefix with which no column's name begins."""
        from onnx import TensorProto, compose, helper  # here, since only the extra proj[export] installs it

        names, prefix = [column.name for column in self.columns], "/"
        while any(name.startswith(prefix) for name in names):
            prefix += "/"
        outputs = [unused_name(one.name, names) for one in model.graph.output]
        model = compose.add_prefix(model, prefix)
        graph, axis = model.graph, helper.make_tensor(f"{prefix}axis", TensorProto.INT64, [1], [1])
        inputs, nodes = [], []
        for place, (name, column) in enumerate(zip(names, self.columns, strict=True)):
            kind, number = TensorProto.DOUBLE, name
            if known := texts(column):
                kind, number = TensorProto.STRING, f"{prefix}number{place}"
                table = {"keys_strings": list(known), "values_floats": list(known.values()), "default_float": nan}
                nodes.append(helper.make_node("LabelEncoder", [name], [f"{number}_"], domain="ai.onnx.ml", **table))
                nodes.append(helper.make_node("Cast", [f"{number}_"], [number], to=TensorProto.DOUBLE))
            inputs.append(helper.make_tensor_value_info(name, kind, ["batch"]))
            nodes.append(helper.make_node("Unsqueeze", [number, axis.name], [f"{prefix}cell{place}"]))
        cells = [f"{prefix}cell{place}" for place in range(len(names))]
        nodes += [helper.make_node("Concat", cells, [graph.input[0].name], axis=1), *graph.node]
        for one, name in zip(graph.output, outputs, strict=True):
            nodes.append(helper.make_node("Identity", [one.name], [name]))
            one.name = name
        for part, changed in ((graph.input, inputs), (graph.node, nodes)):
            del part[:]
            part.extend(changed)
        graph.initializer.append(axis)
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
        return model


def seconds_of(codes: Tensor, column: DateColumn) -> Tensor:
    """The codes (B,) of a column of dates as seconds since 1970; NaN for a missing date, and for one without an end."""
    form = column.date
    seconds = since_1970(codes, form) if form in SINCE_1970 else codes
    return torch.where(seconds >= FAR, nan, seconds) if column.no_end else seconds


def code_of(parts: Tensor, column: DateColumn) -> Tensor:
    """The codes (B,) of a column of dates, from their parts (B, len(DATE_PARTS)) as `date_parts` gives them. A year,
    month or day that is no input of the network is replaced by one with which the weekday is right."""
    form, given = column.date, [part.name for part in column.parts]
    if form == DURATION:
        return (3600 * parts[:, -1]).round()
    choices = {"year": range(2000, 2028, 4), "month": range(1, 13), "day": range(1, 8)}  # leap years have every day
    for place, name in enumerate(choices):
        if name not in given:
            for value in choices[name]:
                other_weekday = (days_of(parts) + 3) % 7 != parts[:, 3].round()
                parts[other_weekday, place] = value
    seconds = 86_400 * days_of(parts) + (3600 * parts[:, 4]).round()
    return seconds * SINCE_1970.get(form, 1) + (EXCEL_1970 if form == EXCEL else 0)


def days_of(parts: Tensor) -> Tensor:
    """The days since 1970 (B,) of dates that are given as `code_of` takes them."""
    year, month, day = parts[:, :3].round().unbind(1)
    months = (12 * (year - 1970) + month - 1).numpy().astype("datetime64[M]")
    return torch.from_numpy(months.astype("datetime64[D]").astype("int64")) + day - 1


def texts(column: InputColumn) -> dict[str, float] | None:
    """The code of each text that a cell of the column may hold; None if the exported file takes numbers there."""
    if isinstance(column, AnswerColumn):
        return spellings(answer_codes(column.truth))
    if not isinstance(column, WordColumn):
        return None
    return spellings({word: float(code) for code, word in enumerate(column.categories)})


def unused_name(name: str, taken: Sequence[str]) -> str:
    return unused_name(f"{name}_", taken) if name in taken else name
