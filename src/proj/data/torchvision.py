"""The datamodules for MNIST, Fashion-MNIST and CIFAR-10, which torchvision downloads when they are first needed."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from proj.data.datamodule import Split, checksum_of
from proj.data.groups import describe_duplicates, has_duplicates
from proj.data.images import ImageDataModule
from proj.data.splitting import draw_parts
from proj.errors import UserError, out_of_memory
from proj.system.locks import alone
from proj.system.ranks import say
from proj.wording import how_many


class TorchvisionDataModule(ImageDataModule):
    """The data, targets and classes of a torchvision dataset.

    The official test set is the test part. Folds divide the training set, and each is a validation part.
    source: called as `source(root=…, train=…, download=…)`. download: whether to download what `data_dir` lacks.
    """

    fold_part = "val"
    evaluation_batch_size = 250  # with 1,000 an evaluation takes as long, and with a small CNN 200 MB more

    def __init__(self, source: Callable, data_dir: str, download: bool = True, **settings: Any) -> None:
        super().__init__(**settings)
        if isinstance(source, partial):  # drop the source's own `download`, since the setting of that name decides
            source = partial(source.func, **{k: v for k, v in source.keywords.items() if k != "download"})
        self.source, self.data_dir, self.download = source, Path(data_dir), download
        self.source_class = getattr(source, "func", source)
        self._train = None

    def prepare_data(self) -> None:
        """Download what is missing. Raises UserError if that fails or a file is damaged."""
        if self.splits:
            return
        try:
            self._train = self._open(train=True)
        except RuntimeError as error:  # torchvision: not found, or a wrong checksum
            if not self.download:
                raise UserError(
                    f"{self.source_class.__name__} is missing or damaged in {self.data_dir.absolute()}: name the "
                    "folder that has it, or into which to download it, with data_dir=…"
                ) from error
            there = [folder for folder in (self.data_dir, *self.data_dir.parents) if folder.exists()]
            try:
                with alone(self.data_dir / ".lock"):  # files that another process has downloaded meanwhile are skipped
                    self._download()
            except UserError:
                remove_empty(self.data_dir, there)
                raise

    def _download(self) -> None:
        try:
            self._train = self._open(train=True, download=True)
        except Exception as error:
            if out_of_memory(error):
                raise
            reason = str(error).strip().split("\n")[-1]
            raise UserError(
                f"{self.source_class.__name__} is missing or damaged in {self.data_dir.absolute()} and could not be "
                f"downloaded ({reason}). Name the folder that has it with data_dir=… (or PROJ_DATA_DIR), or use "
                "dataset=digits, which needs no download."
            ) from error

    def load(self) -> None:
        from torchvision.datasets import MNIST  # here, since it takes seconds (none if the source is of torchvision)

        of_train, of_test = self._train or self._open(train=True), self._open(train=False)
        self._train = None
        self.drawings = isinstance(of_train, MNIST)  # its subclasses are Fashion-MNIST, KMNIST, EMNIST and QMNIST
        train, test = self._split(of_train), self._split(of_test)
        names = [str(name) for name in of_train.classes]
        drawn = self._deal(train, names) if self.fold else None
        self.whole = checksum_of(*train, *test) if self.fold else None
        self.set_splits(train, test, names, drawn)

    def _deal(self, train: Split, names: list[str]) -> dict[str, Tensor]:
        """The indices of the fold, "val", and of the rest, "train". Identical images are kept together."""
        images = train.inputs.flatten(1).numpy()
        marks = np.array([hashlib.blake2b(image, digest_size=8).digest() for image in images])
        if has_duplicates(marks):
            alike = torch.zeros_like(train.targets)
            say(*describe_duplicates(marks, train.targets, alike, range(len(marks))))
        groups = np.unique(marks, return_inverse=True)[1]
        how = self.split_seed, groups, self.fold, "different image"
        return draw_parts(train.targets, names, {"val": self.val_fraction}, *how)

    def _open(self, train: bool, download: bool = False):
        given = {"root": str(self.data_dir), "train": train} | ({"download": True} if download else {})
        self._refuse_unfitting(given)
        try:
            return self.source(**given)
        except Exception as error:
            if (isinstance(error, RuntimeError) and "not found" in str(error)) or download or out_of_memory(error):
                raise
            raw = self.data_dir / self.source_class.__name__ / "raw"  # only the MNIST family; CIFAR-10 has checksums
            damaged = [file for file in raw.glob("*-ubyte") if not is_whole_idx(file)]
            files = ", ".join(map(str, sorted(damaged))) or f"A file in {self.data_dir}"
            raise UserError(
                f"{files} is truncated or is not a file of {self.source_class.__name__} ({error}). Delete it and run "
                "again to download it, or name another folder with data_dir=…"
            ) from error

    def _refuse_unfitting(self, given: dict[str, Any]) -> None:
        """Raises UserError for a source that does not take these arguments."""
        try:
            signature(self.source).bind(**given)
        except TypeError as error:
            names = "=…, ".join(given)
            raise UserError(
                f"{self.source_class.__name__} cannot be opened with {names}=… ({error}), as "
                "torchvision.datasets.KMNIST can: +dataset.source.<argument>=… gives it others, else write a dataset "
                "of your own (README.md, Add a dataset)."
            ) from error

    def _split(self, dataset) -> Split:
        if absent := [one for one in ("data", "targets", "classes") if not hasattr(dataset, one)]:
            whole = "a source has data, targets and classes, as torchvision.datasets.KMNIST has"
            raise UserError(f"{self.source_class.__name__} has no {' and no '.join(absent)}: {whole}.")
        images, targets = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets).long()
        name = f"{self.source_class.__name__} in {self.data_dir}"
        if images.dtype != torch.uint8 or images.ndim not in (3, 4) or not images.numel():
            raise UserError(f"{name}: expected uint8 images (N, H, W) or (N, H, W, C), found {tuple(images.shape)}.")
        if len(images) != len(targets):
            both = f"{how_many(len(images), 'image')} but {how_many(len(targets), 'label')}"
            raise UserError(f"{name}: {both}; a file belongs to another set.")
        if not 0 <= targets.min() <= targets.max() < len(dataset.classes):
            raise UserError(f"{name}: labels {targets.min()} to {targets.max()} for {len(dataset.classes)} classes.")
        return Split(images.unsqueeze(-1) if images.ndim == 3 else images, targets)


class MNISTDataModule(TorchvisionDataModule):
    """Handwritten digits (LeCun, Cortes and Burges; CC BY-SA 3.0): 60,000 + 10,000 grey images of 28×28."""


class FashionMNISTDataModule(TorchvisionDataModule):
    """Clothes (Xiao, Rasul and Vollgraf, 2017; MIT): 60,000 + 10,000 grey images of 28×28."""


class CIFAR10DataModule(TorchvisionDataModule):
    """Small photographs (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32×32, ten classes."""


def remove_empty(folder: Path, there: list[Path]) -> None:
    """Remove the empty folders that a failed download has left: those in `folder`, and itself and its parents if new.

    there: those of `folder` and its parents that existed before.
    """
    if folder not in there:
        (folder / ".lock").unlink(missing_ok=True)
    within = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    for path in [*within, folder, *folder.parents]:
        if path not in there:
            with suppress(OSError):  # a folder that is not empty stays
                path.rmdir()


def is_whole_idx(file: Path) -> bool:
    """Whether an IDX file has its full length: 0, 0, 8 (uint8), the number of dimensions, their sizes (4 bytes each,
    big-endian), and the data."""
    content = file.read_bytes()
    end = 4 + 4 * content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    if end <= 4 or len(content) < end:
        return False
    return len(content) == end + int(np.prod(np.frombuffer(content[4:end], ">u4"), dtype=object))
