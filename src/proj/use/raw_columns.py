"""A table's own columns as an exported file takes them: one input a column, numbers as they are, words as text."""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.facts import Standardize
from proj.data.tables.date_forms import DURATION, FAR
from proj.data.tables.date_parts import PARTS, date_parts
from proj.data.tables.encode import answer_codes
from proj.data.tables.timestamps import EXCEL, EXCEL_1970, SINCE_1970, since_1970


class RawColumns(nn.Module):
    """(B, columns) float64 codes of cells -> (B, F) float32, what `encode_table` makes of the cells; `undo` goes back.

    columns: of a checkpoint's facts. The code of a number is the number, that of a word what `texts` says; NaN is that
    of a missing one, and of a word that the training did not have. The code of a date are the seconds since 1970, or
    the milliseconds and so on of a column that holds these.
    """

    def __init__(self, columns: list[dict]) -> None:
        super().__init__()
        self.columns = columns
        numbers = [part for column in columns for part in column.get("parts", [column]) if "categories" not in part]
        self.standardize = Standardize(numbers)
        self.standardize.dtype = torch.float64
        self.dates = [place for place, column in enumerate(columns) if "parts" in column]
        units = [SINCE_1970.get(columns[place]["date"], 1) for place in self.dates]
        self.register_buffer("units", torch.tensor(units, dtype=torch.float64))
        excel = [columns[place]["date"] == EXCEL for place in self.dates]
        self.register_buffer("excel", torch.tensor(excel, dtype=torch.bool))
        no_end = [columns[place].get("no_end", False) for place in self.dates]
        self.register_buffer("no_end", torch.tensor(no_end, dtype=torch.bool))
        durations = [columns[place]["date"] == DURATION for place in self.dates]
        self.register_buffer("durations", torch.tensor(durations, dtype=torch.bool))
        # Of each input of the network: its place among the codes and, after these, the parts of the dates; and the code
        # that makes it 1, NaN where it is a number.
        inputs = []
        for place, column in enumerate(columns):
            if "parts" in column:
                first = len(columns) + len(PARTS) * self.dates.index(place)
                inputs += [(first + PARTS.index(part["name"]), nan) for part in column["parts"]]
            elif "categories" in column:
                inputs += [(place, code) for code in texts(column).values()]
            else:
                inputs.append((place, nan))
        places, codes = torch.tensor(inputs, dtype=torch.float64).T
        words = ~codes.isnan()
        self.register_buffer("numbers", places[~words].long())
        self.register_buffer("words", places[words].long())
        self.register_buffer("codes", codes[words])
        self.register_buffer("order", words.long().argsort(stable=True).argsort())  # numbers before words, and back

    def forward(self, cells: Tensor) -> Tensor:
        if self.dates:
            dates = cells[:, self.dates]
            moments = torch.where(self.excel, since_1970(dates, EXCEL), dates / self.units)
            moments = torch.where(self.no_end & (moments >= FAR), nan, moments)
            cells = torch.cat([cells, date_parts(moments).flatten(1)], 1)
        words = (cells[:, self.words] == self.codes).float()
        return torch.cat([self.standardize(cells[:, self.numbers]), words], 1)[:, self.order]

    def undo(self, x: Tensor) -> Tensor:
        """A word's inputs may be any numbers: the word is that of the largest one above 0."""
        numbers, words = x[:, self.order.argsort()].tensor_split([len(self.numbers)], 1)
        unless_known = torch.tensor([2000.0, 1, 1, 0, 0, 0], dtype=torch.float64)  # the PARTS of a date
        parts = unless_known.repeat(len(x), len(self.dates))
        cells = torch.cat([torch.full((len(x), len(self.columns)), nan, dtype=torch.float64), parts], 1)
        cells[:, self.numbers] = self.standardize.undo(numbers)
        for place in self.words.unique().tolist():
            largest = words[:, self.words == place].max(1)
            cells[:, place] = torch.where(largest.values > 0, self.codes[self.words == place][largest.indices], nan)
        for place, column in enumerate(self.columns):
            if "truth" in column:
                answers = cells[:, place]  # a missing one is the mean
                cells[:, place] = torch.where(answers == column["mean"], nan, answers.round().clamp(0, 1))
        cells, parts = cells.tensor_split([len(self.columns)], 1)
        year, month, day, _, hour, hours = parts.reshape(len(x), len(self.dates), len(PARTS)).unbind(2)
        months = (12 * (year.round() - 1970) + month.round() - 1).numpy().astype("datetime64[M]")
        days = torch.from_numpy(months.astype("datetime64[D]").astype("int64")) + day.round() - 1
        seconds = (86_400 * days + (3600 * hour).round()) * self.units + EXCEL_1970 * self.excel
        cells[:, self.dates] = torch.where(self.durations, (3600 * hours).round(), seconds)
        return cells

    def feed(self, cells: Tensor) -> dict[str, np.ndarray]:
        """What the file takes, by the columns' names."""
        given = {}
        for column, values in zip(self.columns, cells.T, strict=True):
            words = {code: text for text, code in (texts(column) or {}).items()}
            named = np.array([words.get(code, "") for code in values.tolist()], object)
            given[column["name"]] = named if words else values.numpy()
        return given

    def as_inputs(self, model: Any) -> Any:
        """An ONNX model whose one input are the codes, as one that takes the columns by their names.

        Outputs keep their names where no column has them; else _ follows. All else in the model gets a prefix with
        which no column's name begins.
        """
        from onnx import TensorProto, compose, helper  # which `pip install proj` does not bring

        names, prefix = [column["name"] for column in self.columns], "/"
        while any(name.startswith(prefix) for name in names):
            prefix += "/"
        outputs = [free(one.name, names) for one in model.graph.output]
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


def texts(column: dict) -> dict[str, float] | None:
    """The code of each text that a column's cells may be; None where the file takes its numbers."""
    if "truth" in column:
        return answer_codes(column["truth"])
    return {word: float(code) for code, word in enumerate(column["categories"])} if "categories" in column else None


def free(name: str, taken: Sequence[str]) -> str:
    return free(f"{name}_", taken) if name in taken else name
