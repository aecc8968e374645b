"""A table's own columns as an exported file takes them: one input a column, numbers as they are, words as text."""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.facts import Standardize


class RawColumns(nn.Module):
    """(B, columns) float64 codes of cells -> (B, F) float32, what `encode_table` makes of the cells; `undo` goes back.

    columns: of a checkpoint's facts. The code of a number is the number, that of a word what `texts` says; NaN is that
    of a missing one, and of a word that the training did not have.
    """

    def __init__(self, columns: list[dict]) -> None:
        super().__init__()
        self.columns = columns
        self.standardize = Standardize([column for column in columns if "categories" not in column])
        self.standardize.dtype = torch.float64
        # Of each input of the network: its column, and the code that makes it 1, NaN where it is a number.
        codes = [(texts(column) or {"": nan}).values() for column in columns]
        inputs = [(place, code) for place, its in enumerate(codes) for code in its]
        places, codes = torch.tensor(inputs, dtype=torch.float64).T
        words = ~codes.isnan()
        self.register_buffer("numbers", places[~words].long())
        self.register_buffer("words", places[words].long())
        self.register_buffer("codes", codes[words])
        self.register_buffer("order", words.long().argsort(stable=True).argsort())  # numbers before words, and back

    def forward(self, cells: Tensor) -> Tensor:
        words = (cells[:, self.words] == self.codes).float()
        return torch.cat([self.standardize(cells[:, self.numbers]), words], 1)[:, self.order]

    def undo(self, x: Tensor) -> Tensor:
        """A word's inputs may be any numbers: the word is that of the largest one above 0."""
        numbers, words = x[:, self.order.argsort()].tensor_split([len(self.numbers)], 1)
        cells = torch.full((len(x), len(self.columns)), nan, dtype=torch.float64)
        cells[:, self.numbers] = self.standardize.undo(numbers)
        for place in self.words.unique().tolist():
            largest = words[:, self.words == place].max(1)
            cells[:, place] = torch.where(largest.values > 0, self.codes[self.words == place][largest.indices], nan)
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
    return {word: float(code) for code, word in enumerate(column["categories"])} if "categories" in column else None


def free(name: str, taken: Sequence[str]) -> str:
    return free(f"{name}_", taken) if name in taken else name
