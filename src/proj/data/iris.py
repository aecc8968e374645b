"""The Iris table."""

from typing import Any

import torch
from torch.utils.data import random_split

from proj.data.datamodule import InMemoryDataModule, Split, checksum_of
from proj.data.parts import draw_parts
from proj.data.sklearn_table import sklearn_table


class IrisDataModule(InMemoryDataModule):
    """150 flowers (Fisher, 1936): (B, 4) lengths and widths of sepal and petal in cm, three species.

    70, 20 and 10 % for training, validation and test, by `random_split` with `split_seed`; or a fold for the test, and
    the same share of the rest for validation.
    standardize: subtract the training part's mean and divide by its standard deviation, per column.
    """

    kind = "table"

    def __init__(self, split_seed: int, standardize: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.split_seed, self.standardize = split_seed, standardize

    def load(self) -> None:
        table = sklearn_table("iris.csv", (150, 5), skiprows=1)
        features, targets = table[:, :-1].float(), table[:, -1].long()
        self.input_shape, self.class_names = (4,), ["setosa", "versicolor", "virginica"]
        names = ("train", "val", "test")
        if self.fold:
            fractions, self.whole = {"test": 0.1, "val": 0.2 / 0.9}, checksum_of(table)
            self.numbers = draw_parts(targets, self.class_names, fractions, self.split_seed, fold=self.fold)
        else:
            drawn = random_split(range(len(table)), [0.7, 0.2, 0.1], torch.Generator().manual_seed(self.split_seed))
            self.numbers = {name: torch.tensor(part.indices) for name, part in zip(names, drawn, strict=True)}
        train = features[self.numbers["train"]]
        mean, std = (train.mean(0), train.std(0)) if self.standardize else (torch.zeros(4), torch.ones(4))
        features = (features - mean) / std
        measures = ("sepal_length", "sepal_width", "petal_length", "petal_width")
        self.columns = [
            {"name": name, "mean": float(m), "std": float(s)} for name, m, s in zip(measures, mean, std, strict=True)
        ]
        self.splits = {name: Split(features[self.numbers[name]], targets[self.numbers[name]]) for name in names}
