"""The Iris table."""

import torch
from torch.utils.data import random_split

from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.sklearn_table import sklearn_table


class IrisDataModule(InMemoryDataModule):
    """150 flowers (Fisher, 1936): (B, 4) lengths and widths of sepal and petal in cm, three species.

    70, 20 and 10 % for training, validation and test, by `random_split` with `split_seed`.
    standardize: subtract the training part's mean and divide by its standard deviation, per column.
    """

    kind = "table"

    def __init__(self, batch_size: int, seed: int, split_seed: int, standardize: bool) -> None:
        super().__init__(batch_size, seed)
        self.split_seed, self.standardize = split_seed, standardize

    def load(self) -> None:
        table = sklearn_table("iris.csv", (150, 5), classes=3, skiprows=1)
        features, targets = table[:, :-1].float(), table[:, -1].long()
        parts = random_split(range(len(table)), [0.7, 0.2, 0.1], torch.Generator().manual_seed(self.split_seed))
        self.input_shape, self.class_names = (4,), ["setosa", "versicolor", "virginica"]
        train = features[parts[0].indices]
        mean, std = (train.mean(0), train.std(0)) if self.standardize else (torch.zeros(4), torch.ones(4))
        features = (features - mean) / std
        measures = ("sepal_length", "sepal_width", "petal_length", "petal_width")
        self.columns = [
            {"name": name, "mean": float(m), "std": float(s)} for name, m, s in zip(measures, mean, std, strict=True)
        ]
        names = ("train", "val", "test")
        self.splits = {n: Split(features[p.indices], targets[p.indices]) for n, p in zip(names, parts, strict=True)}
