"""The base class of all datamodules: three splits in memory, and one loader factory."""

import math
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from proj.data.batches import Batches
from proj.data.class_names import describe_alike
from proj.data.copies import describe_overlap
from proj.data.facts import Facts
from proj.data.features import pick_view
from proj.data.loaded import Split, check_loaded, columns_of
from proj.data.splitting import draw_parts, stratified
from proj.data.tables.input_column import InputColumn
from proj.errors import UserError
from proj.system.ranks import say
from proj.wording import how_many

__all__ = ["InMemoryDataModule", "Split", "draw_parts", "stratified"]  # what users' own datamodules import from here


def checksum_of(*tensors: Tensor) -> str:
    """CRC-32 of the bytes of all tensors, as 8 hexadecimal digits."""
    crc = 0
    for tensor in tensors:
        crc = zlib.crc32(tensor.cpu().contiguous().numpy(), crc)
    return f"{crc:08x}"


class InMemoryDataModule(LightningDataModule):
    """Three splits that stay in memory, on the training device. (Images that do not fit into it stay on the disk.)

    A subclass implements `load`, which sets `splits` ("train", "val", "test"), `input_shape` (of one example, as the
    network gets it) and `class_names`. It may also set `drawings`, `mean`, `std`, `columns` and `levels`, which `Facts`
    explains. If its inputs are not those of the network, it overrides `prepare`: (the inputs of a split, the index of a
    batch in them, a generator for augmentation or None, the epoch from 0) -> float32 inputs (B, *input_shape).
    kind: "image" or "table": a model that does not accept it is refused before anything is imported. It must be a
        literal, since it is read from the source code. None accepts any model.
    checked_by: also a literal, the full name of a function that is called with the dataset's settings before a run
        starts, without importing torch; it raises UserError if the data does not exist.
    encode: for a frozen network: maps a part's name to its features, which replace its inputs, see `features_of`.
    evaluation_batch_size: limits the memory that an evaluation takes; its results do not depend on it.
    batch_size: of the training; None chooses a power of two between the `batch_sizes`, for about `batches` an epoch.
    fold: (its number, the number of folds), or None. A subclass that supports folds uses this fold as its `fold_part`,
        and sets `whole`, the checksum of all data, and `numbers`, the index of each part's examples in the data.
    """

    kind: str | None = None
    checked_by: str | None = None
    encode: Callable[[str], Tensor | None] | None = None
    evaluation_batch_size = 1000
    batch_sizes, batches = (32, 512), 100
    mix, balanced = None, False  # of the training, see `Batches`
    drawings = False
    mean: list[float] | None = None
    std: list[float] | None = None
    levels: dict[str, list[float]] | None = {}
    target_name: str | None = None  # of a table's column of classes
    fold_part = "test"
    whole: str | None = None
    numbers: dict[str, Tensor] = {}
    left_out: dict[str, int] = {}  # set by `load_all`: the classes that the model does not know, with their counts

    def __init__(self, batch_size: int | None, seed: int, folds: int | None = None, fold: int | None = None) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.fold = (fold, folds) if folds is not None and fold is not None else None
        self.splits: dict[str, Split] = {}
        self.input_shape: tuple[int, ...] = ()
        self.class_names: list[str] = []
        self.columns: list[InputColumn] | None = None  # of a table
        self.described: list[dict[str, str]] = []  # of a table, the rows of columns.csv, see `list_columns`

    def load(self) -> None:
        raise UserError(f"{type(self).__name__} does not say how it loads its splits: write its `load`.")

    def load_all(self, columns: list[InputColumn] | None, class_names: list[str]) -> None:
        """Make all examples the test part, for a model that was trained on other data.

        columns, class_names: the model's, as stored in its `contents`; a table is encoded by them.
        """
        self.load()
        self.columns = columns_of(self)
        inputs, targets = zip(*self.splits.values(), strict=True)
        together = torch.cat if isinstance(inputs[0], Tensor) else inputs[0].together
        numbered = self.numbers.keys() >= self.splits.keys()  # the images of an official test set have no numbers
        self.numbers = {"test": torch.cat([self.numbers[part] for part in self.splits])} if numbered else {}
        self.splits = {"test": Split(together(inputs), torch.cat(targets))}

    def take(self, facts: Facts) -> None:
        """Called before `setup`: make the inputs as a model with these facts needs them, to measure it on this data."""

    @cached_property
    def facts(self) -> Facts:
        """The network's inputs and outputs; available once `setup` has been called."""
        shape, scale = list(self.input_shape), (self.mean, self.std)
        inputs = (shape, self.class_names, self.drawings, *scale, self.columns)
        return Facts(*inputs, self.checksum(), self.levels, self.target_name)

    @cached_property
    def rarest_class(self) -> int:
        """The index of the class with the fewest examples in all parts together, so that folds agree on it; of equally
        rare ones the last."""
        counts = torch.cat([split.targets.cpu() for split in self.splits.values()]).bincount().tolist()
        return min(range(len(counts)), key=lambda label: (counts[label], -label))

    def file_of(self, split: str, index: int) -> str | None:
        """The file that an example comes from, if each has its own; else None."""
        return None

    def example(self, split: str, index: int) -> str:
        """How predictions refer to an example: by its file, its line or its index in the data."""
        return str(int(self.numbers[split][index]) if split in self.numbers else index)

    def prepare(
        self, inputs: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0
    ) -> Tensor:
        return inputs[index] if isinstance(index, slice) else inputs.index_select(0, index)  # faster than inputs[index]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def setup(self, stage: str | None = None) -> None:
        if not hasattr(self, "splits"):
            raise UserError(f"{type(self).__name__}.__init__ must call super().__init__(batch_size, seed).")
        if self.splits:
            return
        self.load()
        if self.fold and not self.whole:
            raise UserError(f"{type(self).__name__} deals no folds: leave dataset.folds out.")
        check_loaded(self, as_kept=type(self).prepare is InMemoryDataModule.prepare)
        if twice := [name for name, count in Counter(self.class_names).items() if count > 1]:
            raise UserError(f"two classes of the data are called {twice[0]!r}: give each a name of its own.")
        say(*describe_alike("classes", self.class_names))
        if not type(self).__module__.startswith("proj."):
            say(*describe_overlap(self.splits))
        size = len(self.splits["train"].targets)
        if self.batch_size is None:
            self.batch_size = self.fitting_batch_size(size)

    def fitting_batch_size(self, examples: int) -> int:
        smallest, largest = self.batch_sizes
        return min(max(2 ** round(math.log2(examples / self.batches)), smallest), largest, examples)

    def checksum(self) -> str:
        """`whole`, or else the CRC-32 of all inputs and targets in the order of the splits; 184 MB take 0.05 s."""
        return self.whole or checksum_of(*(tensor for split in self.splits.values() for tensor in split))

    def chosen_examples(self) -> str | None:
        """CRC-32 of the indices of each part's examples in the data, and of their targets, but not of the inputs. None
        if the indices are not known. (Images of an official test set have none, but are always the same.)"""
        if not self.numbers:
            return None
        where = [self.numbers[part] for part in self.splits if part in self.numbers]
        return checksum_of(*where, *(split.targets for split in self.splits.values()))

    def train_dataloader(self) -> Batches:
        if self.batch_size > (size := len(self.splits["train"].targets)):
            examples = how_many(size, "training example")
            say(f"dataset.batch_size={self.batch_size} is more than the {examples}: all in one batch.")
            self.batch_size = size
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> Batches:
        return self._loader("val")

    def test_dataloader(self) -> Batches:
        return self._loader("test")

    def _loader(self, split: str, shuffle: bool = False) -> Batches:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self.splits[split] = Split(*(tensor.to(device) for tensor in self.splits[split]))
        batch_size = self.batch_size if shuffle else max(self.batch_size or 0, self.evaluation_batch_size)
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        ordered = bool(self.trainer and self.trainer.overfit_batches)  # as Lightning does with its own loaders
        inputs, targets = self.splits[split]
        prepare, mix = self.prepare, self.mix and partial(self.mix, self.num_classes)
        if self.encode and (features := self.encode(split)) is not None:
            inputs, prepare = features, pick_view
        order = (shuffle, self.seed, rank, world, ordered)
        draws = mix is not None or getattr(prepare, "__func__", None) is not InMemoryDataModule.prepare
        return Batches(inputs, targets, batch_size, prepare, *order, mix, self.balanced, draws)
