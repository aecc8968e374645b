"""The small digits."""

from typing import Any

import torch

from proj.data.datamodule import Split, checksum_of
from proj.data.images import ImageDataModule
from proj.data.parts import draw_parts, stratified
from proj.data.sklearn_table import sklearn_table


class DigitsDataModule(ImageDataModule):
    """Handwritten digits of 8×8 (UCI, Alpaydin and Kaynak, 1998; CC BY 4.0), from scikit-learn's own file.

    They have no official test set: `test_fraction` of every class is taken with `split_seed`, or a fold. No two of them
    are identical.
    """

    drawings = True

    def __init__(self, test_fraction: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.test_fraction = test_fraction

    def load(self) -> None:
        table = sklearn_table("digits.csv.gz", (1797, 65))
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
