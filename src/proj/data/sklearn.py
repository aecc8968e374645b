"""The datamodules for Iris and the 8×8 digits, which scikit-learn ships."""

import os
import warnings
import zlib
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import random_split

from proj.data.datamodule import InMemoryDataModule, Split, checksum_of
from proj.data.images import ImageDataModule
from proj.data.splitting import draw_parts, stratified
from proj.data.tables.number_column import NumberColumn
from proj.errors import UserError


def read_table(name: str, shape: tuple[int, int], skiprows: int = 0) -> Tensor:
    """A data file of scikit-learn as a float64 tensor, its last column the class. It does not import sklearn (seconds).

    Raises UserError for a missing or damaged file.
    """
    file = os.path.join(find_spec("sklearn").submodule_search_locations[0], "datasets", "data", name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # for an empty file, NumPy only warns
            table = torch.from_numpy(np.loadtxt(file, delimiter=",", skiprows=skiprows, encoding="utf-8"))
        if table.shape != shape or not 0 <= table.min() <= table.max() <= 16:
            raise ValueError(f"shape {tuple(table.shape)} or values are not those of the data set")
    except (OSError, EOFError, ValueError, UserWarning, zlib.error) as error:
        raise UserError(
            f"{file} is missing or damaged ({error}): pip install --force-reinstall --no-deps scikit-learn"
        ) from error
    return table


class IrisDataModule(InMemoryDataModule):
    """150 flowers (Fisher, 1936): (B, 4) lengths and widths of sepal and petal in cm, three species.

    `random_split` draws 70, 20 and 10 % for training, validation and test with `split_seed`. With folds, the fold is
    the test part, and 2/9 of the rest the validation part.
    standardize: whether to subtract the mean and divide by the standard deviation of the training part, per column.
    """

    kind = "table"

    def __init__(self, split_seed: int, standardize: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.split_seed, self.standardize = split_seed, standardize

    def load(self) -> None:
        table = read_table("iris.csv", (150, 5), skiprows=1)
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
        scales = zip(measures, mean.tolist(), std.tolist(), strict=True)
        self.columns = [NumberColumn(*scale) for scale in scales]
        self.splits = {name: Split(features[self.numbers[name]], targets[self.numbers[name]]) for name in names}


class DigitsDataModule(ImageDataModule):
    """Handwritten digits of 8×8 (UCI, Alpaydin and Kaynak, 1998; CC BY 4.0).

    There is no official test set: `test_fraction` of every class is drawn, or a fold is taken. No two are identical.
    """

    drawings = True

    def __init__(self, test_fraction: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.test_fraction = test_fraction

    def load(self) -> None:
        table = read_table("digits.csv.gz", (1797, 65))
        images = (table[:, :-1] * (255 / 16)).round().to(torch.uint8).view(-1, 8, 8, 1)  # 0..16 in the file
        targets = table[:, -1].long()
        names = [str(digit) for digit in range(10)]
        if self.fold:
            parts = draw_parts(targets, names, {"test": self.test_fraction}, self.split_seed, fold=self.fold)
            rest, test, self.whole = parts["train"], parts["test"], checksum_of(table)
        else:
            rest, test = stratified(targets, self.test_fraction, self.split_seed)
        self.set_splits(Split(images[rest], targets[rest]), Split(images[test], targets[test]), names)
        self.numbers = {"train": rest[self.numbers["train"]], "val": rest[self.numbers["val"]], "test": test}
