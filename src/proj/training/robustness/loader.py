"""Makes any training loader resumable within an epoch, also a user's own, and calls a function before each batch.

All random generators are seeded before a batch, by counters, so that the random numbers in a batch, and in a validation
after it, depend only on its place in the run.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer

from proj.data.batches import Batches, counter_seed
from proj.errors import UserError
from proj.wording import how_many

STEP = 1  # makes the seeds differ from those that `Batches` derives from the same counters


class OtherBatches:
    """Wraps another loader, such as torch's DataLoader. A resumed epoch makes the batches before `first_batch` again,
    from the same seeds, and drops them. A generator of its own that shuffles is seeded anew for each epoch, from its
    first seed. epoch, first_batch, begin: see `Batches`."""

    def __init__(self, loader: Iterable, epoch: int) -> None:
        self.loader = loader
        self.batch_sampler = getattr(loader, "batch_sampler", None)  # Lightning tells a distributed sampler the epoch
        own = (getattr(one, "generator", None) for one in (loader, getattr(loader, "sampler", None)))
        self.seeds = {one: one.initial_seed() for one in own if isinstance(one, torch.Generator)}
        self.epoch, self.first_batch = epoch, 0
        self.begin: Callable[[int, int], None] | None = None

    sampler, set_epoch = Batches.sampler, Batches.set_epoch

    def __getattr__(self, name: str) -> Any:
        """Any other attribute, such as `dataset`, is the loader's."""
        if name == "loader":  # while this object is copied, it has no loader yet
            raise AttributeError(name)
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        first, self.first_batch = self.first_batch, 0
        for batch in range(len(self)):
            if self.begin:
                self.begin(self.epoch, batch)
            if batch == 0:
                for generator, seed in self.seeds.items():
                    generator.manual_seed(counter_seed(seed, self.epoch))
                batches = iter(self.loader)  # it draws the order, so the generators must be seeded first
            try:
                made = next(batches)
            except StopIteration:  # the loader has fewer batches than its length says
                return
            if batch >= first:
                yield made


def prepare_loader(trainer: Trainer, begin: Callable[[int, int], None]) -> None:
    """Have the training loader, wrapped if it is not `Batches`, call `begin(epoch, batch)` before each batch. Raises
    UserError for a setting that needs `Batches`."""
    loop = trainer.fit_loop
    if not isinstance(trainer.train_dataloader, Batches | OtherBatches):
        if trainer.datamodule.balanced:
            name = f"{type(trainer.datamodule).__name__}.train_dataloader"
            raise UserError(f"balance=sampling has no effect on the loader that {name} gives: use balance=loss.")
        (loader,) = loop._combined_loader.flattened
        loop._combined_loader.flattened = [OtherBatches(loader, trainer.current_epoch)]
        iter(loop._data_fetcher)
    trainer.train_dataloader.begin = begin


def refuse_longer_epoch(trainer: Trainer, steps: int, scheduler: dict | None) -> None:
    """Raises UserError if an epoch has more steps than the first, by which the learning rate is scheduled.

    steps: of the first epoch. scheduler: its settings.
    """
    now, planned = steps_of_epoch(trainer), steps * (trainer.max_epochs or -1)
    is_scheduled = any(str(value).startswith("steps") for value in (scheduler or {}).values())
    if now > steps and is_scheduled and planned > 0 and not 0 < trainer.max_steps <= planned:
        raise UserError(
            f"{type(trainer.datamodule).__name__}.train_dataloader gives epoch {trainer.current_epoch + 1} "
            f"{how_many(now, 'step')}, and the learning rate is scheduled for {steps} in each epoch, as the first has: "
            "start a new run with scheduler=none, or with trainer.max_epochs=-1 and trainer.max_steps=…, those of all."
        )


def steps_of_epoch(trainer: Trainer) -> int:
    return math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)


def seed_batch(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed all global random generators for a batch."""
    number = counter_seed(seed, epoch, batch, rank, STEP)
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)  # 2 µs; torch.manual_seed takes 357
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)
