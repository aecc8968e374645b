"""All generators seeded by counters: what is random in a batch or a validation follows from its place in the run."""

import random

import numpy as np
import torch

from proj.data.batches import counter_seed

BATCH, VALIDATION = 1, 2  # the two uses of `counter_seed` here, apart from each other and from the loader's


def seed_batch(seed: int, epoch: int, batch: int, rank: int) -> None:
    seed_all(counter_seed(seed, epoch, batch, rank, BATCH))


def seed_validation(seed: int, epoch: int) -> None:
    seed_all(counter_seed(seed, epoch, VALIDATION))


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)  # 2 µs; torch.manual_seed takes 357
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
