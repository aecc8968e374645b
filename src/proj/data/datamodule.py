"""What the datamodules share: three splits in memory, one loader factory."""

from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from proj.data.batches import Batches
from proj.errors import UserError


class Split(NamedTuple):
    inputs: Tensor  # (N, ...)
    targets: Tensor  # (N,) int64


def stratified(targets: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices (rest, part): `part` holds `fraction` of every class, drawn with `seed`; both ascending."""
    generator = torch.Generator().manual_seed(seed)
    part = torch.zeros(len(targets), dtype=torch.bool)
    for label in targets.unique():
        members = (targets == label).nonzero().flatten()
        chosen = torch.randperm(len(members), generator=generator)[: round(len(members) * fraction)]
        part[members[chosen]] = True
    return (~part).nonzero().flatten(), part.nonzero().flatten()


class InMemoryDataModule(LightningDataModule):
    """Three splits that stay in memory, on the device that trains.

    A subclass writes `load`, which sets `splits` ("train", "val", "test"), `input_shape` (of one example, as the
    network sees it) and `class_names`, and `prepare`, which makes the float32 inputs of a batch.
    `evaluation_batch_size` bounds the memory of an evaluation; its results do not depend on it.
    """

    evaluation_batch_size = 1000

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.splits: dict[str, Split] = {}
        self.input_shape: tuple[int, ...] = ()
        self.class_names: list[str] = []
        self.columns: list[dict] | None = None  # of a table, as `table.encode` takes them

    def load(self) -> None:
        raise TypeError(f"{type(self).__name__} does not say how it loads its splits")

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
        if self.batch_size > (size := len(self.splits["train"].targets)):
            raise UserError(f"dataset.batch_size={self.batch_size} is more than the {size} training examples.")

    def train_dataloader(self) -> Batches:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> Batches:
        return self._loader("val")

    def test_dataloader(self) -> Batches:
        return self._loader("test")

    def predict_dataloader(self) -> Batches:
        return self._loader("test")

    def _loader(self, split: str, shuffle: bool = False) -> Batches:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self.splits[split] = Split(*(tensor.to(device) for tensor in self.splits[split]))
        batch_size = self.batch_size if shuffle else max(self.batch_size, self.evaluation_batch_size)
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return Batches(*self.splits[split], batch_size, self.prepare, shuffle, self.seed, rank, world)
