"""The loader of a training tells when it begins to make a batch, and goes on within an epoch, also one of one's own.

What is random in a batch and in a validation behind it follows from its place: all generators are seeded by counters.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer

from proj.data.batches import Batches, counter_seed
from proj.errors import UserError

STEP = 1  # the use of `counter_seed` here, apart from the loader's own


class OtherBatches:
    """The batches of another loader, such as torch's DataLoader. An epoch that goes on makes those before its start
    anew, by the same draws, and leaves them out. epoch, start, begin: see `Batches`.
    """

    def __init__(self, loader: Iterable, epoch: int) -> None:
        self.loader = loader
        self.batch_sampler = getattr(loader, "batch_sampler", None)  # that of several processes is told the epoch too
        self.epoch, self.start = epoch, 0
        self.begin: Callable[[int, int], None] | None = None

    sampler, set_epoch = Batches.sampler, Batches.set_epoch

    def __getattr__(self, name: str) -> Any:
        """All else is the loader's own, such as its dataset."""
        if name == "loader":  # of a copy that has none yet
            raise AttributeError(name)
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        start, self.start = self.start, 0
        for batch in range(len(self)):
            if self.begin:
                self.begin(self.epoch, batch)
            if batch == 0:
                batches = iter(self.loader)  # now that the generators are seeded: it draws the order
            try:
                made = next(batches)
            except StopIteration:  # it has fewer than it says
                return
            if batch >= start:
                yield made


def take_loader(trainer: Trainer, begin: Callable[[int, int], None]) -> None:
    """begin: is told the epoch and the batch, before it is made. Raises UserError for a collection of loaders."""
    loop = trainer.fit_loop
    if isinstance(trainer.train_dataloader, list | tuple | dict):
        raise UserError(
            f"{type(trainer.datamodule).__name__}.train_dataloader gives a collection of loaders: return one, of all "
            "examples together, as of torch.utils.data.ConcatDataset."
        )
    if not isinstance(trainer.train_dataloader, Batches | OtherBatches):
        (loader,) = loop._combined_loader.flattened
        loop._combined_loader.flattened = [OtherBatches(loader, trainer.current_epoch)]
        iter(loop._data_fetcher)
    trainer.train_dataloader.begin = begin


def seed_batch(seed: int, epoch: int, batch: int, rank: int) -> None:
    number = counter_seed(seed, epoch, batch, rank, STEP)
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)  # 2 µs; torch.manual_seed takes 357
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)
