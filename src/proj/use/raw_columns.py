"""A table's own columns as an exported file takes them: one input a column, numbers as they are, words as text."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.facts import Standardize


class RawColumns(nn.Module):
    """(B, columns) float64 codes of cells -> (B, F) float32, what `encode_table` makes of the cells; `undo` goes back.

    columns: of a checkpoint's facts. The code of a number is the number, NaN for a missing one; that of a word its
    place among its column's categories, -1 for any other word and a missing one.
    """

    def __init__(self, columns: list[dict]) -> None:
        super().__init__()
        self.columns = columns
        self.standardize = Standardize([column for column in columns if "categories" not in column])
        self.standardize.dtype = torch.float64
        # Of each input of the network: its column, and the code of its word, None where it is a number.
        places = [(at, code) for at, column in enumerate(columns) for code in codes(column)]
        numbers = [place for place, (_, code) in enumerate(places) if code is None]
        words = [place for place, (_, code) in enumerate(places) if code is not None]
        self.register_buffer("numbers", torch.tensor([places[place][0] for place in numbers], dtype=torch.int64))
        self.register_buffer("words", torch.tensor([places[place][0] for place in words], dtype=torch.int64))
        self.register_buffer("codes", torch.tensor([places[place][1] for place in words], dtype=torch.float64))
        self.register_buffer("order", torch.tensor(numbers + words, dtype=torch.int64).argsort())

    def forward(self, cells: Tensor) -> Tensor:
        parts = []
        if len(self.numbers):
            parts.append(self.standardize(cells[:, self.numbers]))
        if len(self.words):
            parts.append((cells[:, self.words] == self.codes).float())
        return torch.cat(parts, 1)[:, self.order]

    def undo(self, x: Tensor) -> Tensor:
        """A word's inputs may be any numbers: the word is that of the largest one above 0."""
        found = x[:, self.order.argsort()]
        numbers, words = found[:, : len(self.numbers)], found[:, len(self.numbers) :]
        cells = torch.full((len(x), len(self.columns)), -1.0, dtype=torch.float64)
        cells[:, self.numbers] = self.standardize.undo(numbers)
        for place in self.words.unique().tolist():
            largest = words[:, self.words == place].max(1)
            cells[:, place] = torch.where(largest.values > 0, largest.indices.double(), -1.0)
        return cells

    def feed(self, cells: Tensor) -> dict[str, np.ndarray]:
        """What the file takes, by the columns' names; NaN is a missing cell of any column."""
        given = {}
        for column, values in zip(self.columns, cells.T, strict=True):
            texts = [*column.get("categories", []), ""]  # the last one is that of -1
            words = [texts[int(code)] for code in values.nan_to_num(-1).tolist()] if texts[1:] else []
            given[column["name"]] = np.array(words, object) if words else values.numpy()
        return given

    def as_inputs(self, model: Any) -> Any:
        """An ONNX model whose one input are the codes, as one that takes the columns by their names.

        Outputs keep their names where no column has them; else _ follows. All else in the model gets a prefix with
        which no column's name begins.
        """
        from onnx import TensorProto, compose, helper  # which `pip install proj` does not bring

        names = [column["name"] for column in self.columns]
        prefix = free("/", lambda prefix: any(name.startswith(prefix) for name in names))
        outputs = [free(one.name, names.__contains__) for one in model.graph.output]
        model = compose.add_prefix(model, prefix)
        graph, axis = model.graph, helper.make_tensor(f"{prefix}axis", TensorProto.INT64, [1], [1])
        inputs, nodes, cells = [], [], []
        for place, (name, column) in enumerate(zip(names, self.columns, strict=True)):
            code, number, cell = (f"{prefix}{place}{kind}" for kind in ("code", "number", "cell"))
            if words := column.get("categories"):
                keys = {"keys_strings": words, "values_int64s": list(codes(column)), "default_int64": -1}
                nodes.append(helper.make_node("LabelEncoder", [name], [code], domain="ai.onnx.ml", **keys))
                nodes.append(helper.make_node("Cast", [code], [number], to=TensorProto.DOUBLE))
            inputs.append(
                helper.make_tensor_value_info(name, TensorProto.STRING if words else TensorProto.DOUBLE, ["batch"])
            )
            nodes.append(helper.make_node("Unsqueeze", [number if words else name, axis.name], [cell]))
            cells.append(cell)
        nodes.append(helper.make_node("Concat", cells, [graph.input[0].name], axis=1))
        nodes += graph.node
        for one, name in zip(graph.output, outputs, strict=True):
            nodes.append(helper.make_node("Identity", [one.name], [name]))
            one.name = name
        for part, changed in ((graph.input, inputs), (graph.node, nodes)):
            del part[:]
            part.extend(changed)
        graph.initializer.append(axis)
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
        return model


def free(name: str, taken: Callable[[str], bool]) -> str:
    """A name that is not taken: this one, or with as many of its last letter as it takes, an underscore of a word's."""
    while taken(name):
        name += "_" if name[-1:].isalnum() else name[-1]
    return name


def codes(column: dict) -> Sequence[int | None]:
    """The code of each of a column's inputs of the network: its words', or None for its number."""
    return range(len(column["categories"])) if "categories" in column else [None]
