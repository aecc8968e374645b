"""What the datamodules share: three splits in memory, one loader factory."""

import zlib
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from proj.data.batches import Batches
from proj.data.facts import Facts
from proj.data.features import pick_view
from proj.errors import UserError


class Split(NamedTuple):
    inputs: Tensor  # (N, ...), or what is indexed as one: `on_disk.OnDisk`
    targets: Tensor  # (N,) int64


def stratified(targets: Tensor, fraction: float, seed: int, keep: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (rest, part): `part` holds `fraction` of every class, drawn with `seed`; both ascending.

    keep: where it is not 0, `part` holds at least one example of every class, and `rest` at least so many.
    """
    generator = torch.Generator().manual_seed(seed)
    part = torch.zeros(len(targets), dtype=torch.bool)
    for label in targets.unique():
        members = (targets == label).nonzero().flatten()
        count = round(len(members) * fraction)
        if keep:
            count = min(max(count, 1), len(members) - keep)
        chosen = torch.randperm(len(members), generator=generator)[:count]
        part[members[chosen]] = True
    return (~part).nonzero().flatten(), part.nonzero().flatten()


def draw_parts(targets: Tensor, class_names: list[str], fractions: dict[str, float], seed: int) -> dict[str, Tensor]:
    """Indices of each part that `fractions` names, drawn one after the other, and of the rest as "train".

    Raises UserError where there are no two classes, or one has too few examples to be in every part.
    """
    if len(class_names) < 2:
        raise UserError(
            f"a classifier takes two classes or more, and there is {' '.join(class_names) or 'none'} alone."
        )
    counts = targets.bincount(minlength=len(class_names)).tolist()
    few = [(count, name) for count, name in zip(counts, class_names, strict=True) if count <= len(fractions)]
    if few:
        (count, name), more = few[0], f" (so do {len(few) - 1} more of {len(class_names)})" if few[1:] else ""
        raise UserError(
            f"class {name} has {count or 'no'} example{'s' * (count != 1)}{more}, too few to be in each of "
            f"{', '.join(['train', *fractions])}."
        )
    parts, rest = {}, torch.arange(len(targets))
    for keep, (name, fraction) in zip(range(len(fractions), 0, -1), fractions.items(), strict=True):
        left, part = stratified(targets[rest], fraction, seed, keep)
        parts[name], rest = rest[part], rest[left]
    return {"train": rest, **parts}


class InMemoryDataModule(LightningDataModule):
    """Three splits that stay in memory, on the device that trains; images that are too many stay on the disk.

    A subclass writes `load`, which sets `splits` ("train", "val", "test"), `input_shape` (of one example, as the
    network sees it) and `class_names`, and `prepare`, which makes the float32 inputs of a batch. What else it can say
    of its inputs, `drawings`, `mean`, `std`, `columns` and `levels`, is explained in `Facts`.
    kind: "image" or "table", so that a model that takes no such data is refused before anything is imported; a plain
        value, since it is read from the source. None leaves it open.
    encode: gives the features of a part that a frozen network takes in place of its examples, see `features_of`.
    `evaluation_batch_size` bounds the memory of an evaluation; its results do not depend on it.
    """

    kind: str | None = None
    encode: Callable[[str], Tensor | None] | None = None
    evaluation_batch_size = 1000
    drawings = False
    mean: list[float] | None = None
    std: list[float] | None = None
    levels: dict[str, list[float]] | None = {}

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.splits: dict[str, Split] = {}
        self.input_shape: tuple[int, ...] = ()
        self.class_names: list[str] = []
        self.columns: list[dict] | None = None  # of a table, as `table.encode_table` takes them

    def load(self) -> None:
        raise TypeError(f"{type(self).__name__} does not say how it loads its splits")

    def load_all(self, columns: list[dict] | None, class_names: list[str]) -> None:
        """Make all examples the test part, for a model that was trained on others.

        columns, class_names: of that model, as its `contents` has them; a table is encoded by them.
        """
        self.load()
        inputs, targets = zip(*self.splits.values(), strict=True)
        together = torch.cat if isinstance(inputs[0], Tensor) else inputs[0].together
        self.splits = {"test": Split(together(inputs), torch.cat(targets))}

    def take(self, facts: Facts) -> None:
        """Before `setup`: make the inputs as those of another training, of a model that is measured on this data."""

    @cached_property
    def facts(self) -> Facts:
        """What the network takes and gives, once `setup` has been called."""
        shape, scale = list(self.input_shape), (self.mean, self.std)
        return Facts(shape, self.class_names, self.drawings, *scale, self.columns, self.checksum(), self.levels)

    def file_of(self, split: str, index: int) -> str | None:
        """The file that an example is from, where each has one."""
        return None

    def prepare(
        self, inputs: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0
    ) -> Tensor:
        return inputs[index]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        self.load()
        if twice := [name for name, count in Counter(self.class_names).items() if count > 1]:
            raise UserError(f"two classes of the data are called {twice[0]!r}: give each a name of its own.")
        if self.batch_size > (size := len(self.splits["train"].targets)):
            raise UserError(f"dataset.batch_size={self.batch_size} is more than the {size} training examples.")

    def checksum(self) -> str:
        """CRC-32 of all examples and targets, in the order of the splits; 184 MB take 0.05 s."""
        crc = 0
        for split in self.splits.values():
            for tensor in split:
                crc = zlib.crc32(tensor.cpu().contiguous().numpy(), crc)
        return f"{crc:08x}"

    def train_dataloader(self) -> Batches:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> Batches:
        return self._loader("val")

    def test_dataloader(self) -> Batches:
        return self._loader("test")

    def _loader(self, split: str, shuffle: bool = False) -> Batches:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self.splits[split] = Split(*(tensor.to(device) for tensor in self.splits[split]))
        batch_size = self.batch_size if shuffle else max(self.batch_size, self.evaluation_batch_size)
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        ordered = bool(self.trainer and self.trainer.overfit_batches)  # as Lightning does with its own loaders
        inputs, targets = self.splits[split]
        prepare = self.prepare
        if self.encode and (features := self.encode(split)) is not None:
            inputs, prepare = features, pick_view
        return Batches(inputs, targets, batch_size, prepare, shuffle, self.seed, rank, world, ordered)
