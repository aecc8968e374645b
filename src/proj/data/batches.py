"""The data loader: cuts batches from tensors that stay in memory, on the training device."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor


def counter_seed(*counters: int) -> int:
    """A 63-bit seed, a hash of the `counters`."""
    digest = hashlib.blake2b(repr(counters).encode(), digest_size=8).digest()  # 2 µs, a tenth of numpy's SeedSequence
    return int.from_bytes(digest, "little") >> 1


@dataclass(eq=False, repr=False)
class Batches:
    """An epoch's batches of (inputs, targets); the last one may be smaller, and no example is left out.

    There is no hidden random state: the order of an epoch depends only on (seed, epoch), and the random numbers that
    `prepare` and `mix` draw only on (seed, epoch, batch, rank). With several processes (`rank` of `world`), each batch
    of `world * batch_size` examples is divided among them as evenly as possible.

    inputs: (N, ...) and targets: (N,) int64, on the training device.
    prepare: (inputs, index, generator, epoch) -> (B, ...) float32 inputs of a batch. index is an int64 tensor or a
        slice; generator is None if nothing may be random, as in validation.
    shuffle: whether these are training batches. The next four apply to training only.
    ordered: every epoch has the same batches, with the examples in their order (`trainer.overfit_batches`).
    mix: (inputs, targets, generator) -> a batch whose examples are mixed with each other, targets as (B, classes).
    balanced: examples are drawn with replacement, so that each class is equally probable; an epoch still has N.
    draws: whether `prepare` or `mix` may draw random numbers; if not, they get None as the generator.
    """

    inputs: Tensor
    targets: Tensor
    batch_size: int
    prepare: Callable[[Tensor, Tensor | slice, torch.Generator | None, int], Tensor]
    shuffle: bool = False
    seed: int = 0
    rank: int = 0
    world: int = 1
    ordered: bool = False
    mix: Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]] | None = None
    balanced: bool = False
    draws: bool = True
    epoch: int = field(default=0, init=False)
    # The batch at which the next iteration begins, set when an epoch is resumed. It is not in a `state_dict`, because
    # Lightning 2.6 does not restore that once a scheduler has asked for the number of steps (its issue 20550).
    first_batch: int = field(default=0, init=False)
    begin: Callable[[int, int], None] | None = field(default=None, init=False)  # called with (epoch, batch) before each
    batch_sampler = None  # Lightning looks for this and for `sampler`, and calls `loader.sampler.set_epoch`

    @property
    def sampler(self) -> "Batches":
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.targets), self.batch_size * self.world)
        if self.shuffle and full and rest < 2 * self.world:
            return full  # a tiny rest joins the batch before it, since batch norm cannot train on a single example
        return full + 1 if rest else full

    def size(self, batch: int) -> int:
        """The number of examples in a batch, summed over all processes."""
        step = self.batch_size * self.world
        return step if batch + 1 < len(self) else len(self.targets) - batch * step

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # This is a generator, so it reads the epoch at the first `next`: Lightning 2.6 calls `iter` before `set_epoch`.
        step = self.batch_size * self.world
        if not self.shuffle:
            for start in range(0, len(self.targets), step):
                part = slice(start + self.rank, min(start + step, len(self.targets)), self.world)
                yield self.prepare(self.inputs, part, None, self.epoch), self.targets[part]
            return
        first, self.first_batch = self.first_batch, 0
        device = self.targets.device
        indices = self._order().to(device)
        sizes = [self.size(batch) for batch in range(len(self))]
        parts = zip(indices.split(sizes), self.targets[indices].split(sizes), strict=True)  # views
        draws = torch.Generator(device) if self.draws else None
        for batch, (index, y) in islice(enumerate(parts), first, None):
            if self.begin:
                self.begin(self.epoch, batch)
            if draws:
                draws.manual_seed(counter_seed(self.seed, self.epoch, batch, self.rank))
            if self.world > 1:
                index, y = index[self.rank :: self.world], y[self.rank :: self.world]
            x = self.prepare(self.inputs, index, draws, self.epoch)
            yield self.mix(x, y, draws) if self.mix else (x, y)

    def _order(self) -> Tensor:
        """(N,) indices of the examples in the order of a training epoch, drawn on the CPU, so equal for all devices."""
        size = len(self.targets)
        draws = torch.Generator().manual_seed(counter_seed(self.seed, self.epoch))
        if self.ordered:
            return torch.arange(size)
        if not self.balanced:
            return torch.randperm(size, generator=draws)
        by_class = self.targets.cpu().argsort(stable=True)
        counts = self.targets.cpu().bincount()
        counts = counts[counts > 0]
        first = counts.cumsum(0) - counts
        drawn = torch.randint(len(counts), (size,), generator=draws)
        within = torch.rand(size, generator=draws, dtype=torch.float64) * counts[drawn]
        return by_class[first[drawn] + within.long()]
