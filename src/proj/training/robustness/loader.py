"""The loader of a training tells when it begins to make a batch, and goes on within an epoch, also one of one's own."""

from collections.abc import Callable, Iterable, Iterator

from lightning.pytorch import Trainer

from proj.data.batches import Batches


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

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        start, self.start = self.start, 0
        for batch in range(len(self)):
            if self.begin:
                self.begin(self.epoch, batch)
            if batch == 0:
                batches = iter(self.loader)  # now that the generators are seeded: it draws the order
            made = next(batches)
            if batch >= start:
                yield made


def take_loader(trainer: Trainer, begin: Callable[[int, int], None]) -> None:
    """begin: is told the epoch and the batch, before it is made."""
    loop = trainer.fit_loop
    if not isinstance(trainer.train_dataloader, Batches | OtherBatches):
        (loader,) = loop._combined_loader.flattened
        loop._combined_loader.flattened = [OtherBatches(loader, trainer.current_epoch)]
        iter(loop._data_fetcher)
    trainer.train_dataloader.begin = begin
