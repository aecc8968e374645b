"""Images: uint8 in memory, (N, H, W, C); scaled, normalised and augmented a batch at a time on the training device."""

import os
import warnings
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from proj.data.batches import counter_seed
from proj.data.datamodule import InMemoryDataModule, Split, stratified
from proj.errors import UserError


def shifted(size: int, by: Tensor) -> Tensor:
    """(B, size) source positions of rows or columns moved by `by` (B,) pixels, reflected at the border."""
    position = torch.arange(size, device=by.device) + by[:, None]
    return size - 1 - (size - 1 - position.abs()).abs()


def partition(images: Tensor, rest: Tensor, part: Tensor) -> Tensor:
    """`images` with those at `rest` (ascending) first, then those at `part`: in place, since a copy doubles memory."""
    held = images[part]
    for start in range(0, len(rest), 1000):
        chunk = rest[start : start + 1000]  # from `start` on or after it
        images[start : start + len(chunk)] = images[chunk]
    images[len(rest) :] = held
    return images


def crop_and_flip(
    images: Tensor, index: Tensor, shift: int, mirrored: Tensor | None, generator: torch.Generator
) -> Tensor:
    """(B, H, W, C) images at `index`, each with its own move by up to `shift` pixels, those that are `mirrored` (B,)
    flipped.

    One gather for the batch: the same as padding by reflection, cropping and flipping image by image.
    """

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (len(index),), generator=generator, device=index.device)

    _, height, width, _ = images.shape
    rows = shifted(height, draw(-shift, shift + 1))
    columns = shifted(width, draw(-shift, shift + 1))
    if mirrored is not None:
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    return images[index[:, None, None], rows[:, :, None], columns[:, None, :]]


class ImageDataModule(InMemoryDataModule):
    """Images as uint8 (N, H, W, C) in memory; batches are (B, C, H, W) float32, normalised per channel.

    mean, std: one number a channel, of pixels in 0..1; None measures them on the training images.
    shift: each training image is moved by up to this many pixels, anew in every epoch.
    flip: each is mirrored in every second epoch, a random half of them in the first: better than at random (Jordan,
        arXiv 2404.00498).
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        val_fraction: float,
        split_seed: int,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        flip: bool = False,
        shift: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        self.val_fraction, self.split_seed = val_fraction, split_seed
        self.mean, self.std, self.flip, self.shift = mean, std, flip, shift
        self._affine: Tensor | None = None  # (2, C): factor and offset that normalise
        self._mirrored: Tensor | None = None  # (N,) bool: whether a training image is mirrored in the first epoch

    def set_splits(self, train: Split, test: Split, class_names: list[str]) -> None:
        """Take the validation part out of the training set, and the normalisation from what is left."""
        if train.inputs.shape[1:] != test.inputs.shape[1:]:
            sizes = " and ".join("×".join(map(str, split.inputs.shape[1:])) for split in (train, test))
            raise UserError(f"training and test images differ in size, {sizes}: a file belongs to another set.")
        rest, part = stratified(train.targets, self.val_fraction, self.split_seed)
        if not len(part) or not len(rest):
            raise UserError(
                f"dataset.val_fraction={self.val_fraction} of {len(train.targets)} examples leaves {len(rest)} for "
                f"training and {len(part)} for validation: choose another."
            )
        images = partition(train.inputs.contiguous(), rest, part)
        self.splits = {
            "train": Split(images[: len(rest)], train.targets[rest]),
            "val": Split(images[len(rest) :], train.targets[part]),
            "test": test,
        }
        height, width, channels = train.inputs.shape[1:]
        self.input_shape, self.class_names = (channels, height, width), class_names
        counts = [torch.zeros(256, dtype=torch.float64) for _ in range(channels)]
        for images in self.splits["train"].inputs.split(10_000):
            for channel, count in enumerate(counts):
                count += torch.bincount(images[..., channel].flatten(), minlength=256)
        levels = torch.arange(256, dtype=torch.float64) / 255
        means = [(count @ levels / count.sum()) for count in counts]
        deviations = [
            (count @ (levels - mean) ** 2 / count.sum()).sqrt() for count, mean in zip(counts, means, strict=True)
        ]
        self.mean = self.mean or [float(mean) for mean in means]
        self.std = self.std or [max(float(deviation), 1e-6) for deviation in deviations]

    def prepare(
        self, inputs: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0
    ) -> Tensor:
        if generator is None or not (self.flip or self.shift):
            return self.normalize(inputs[index])
        mirrored = self._is_mirrored(inputs)[index] ^ bool(epoch % 2) if self.flip else None
        return self.normalize(crop_and_flip(inputs, index, self.shift, mirrored, generator))

    def _is_mirrored(self, inputs: Tensor) -> Tensor:
        if self._mirrored is None or len(self._mirrored) != len(inputs):
            seeded = torch.Generator().manual_seed(counter_seed(self.seed))
            self._mirrored = torch.randint(0, 2, (len(inputs),), generator=seeded).bool()
        if self._mirrored.device != inputs.device:
            self._mirrored = self._mirrored.to(inputs.device)
        return self._mirrored

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, C) -> float32 (B, C, H, W), channels last in memory."""
        if self._affine is None or self._affine.device != images.device:
            mean, std = torch.tensor(self.mean), torch.tensor(self.std)
            self._affine = torch.stack([1 / (255 * std), -mean / std]).to(images.device)
        return images.float().mul_(self._affine[0]).add_(self._affine[1]).permute(0, 3, 1, 2)


class TorchvisionDataModule(ImageDataModule):
    """A torchvision dataset class, called as `source(root=…, train=…, download=…)`: its data, targets and classes."""

    def __init__(self, source: Callable, data_dir: str, **settings) -> None:
        super().__init__(**settings)
        self.source, self.data_dir = source, Path(data_dir)
        self.source_class = getattr(source, "func", source)
        self._train = None

    def prepare_data(self) -> None:
        """Download what is missing. Raises UserError if that fails or a file is damaged."""
        if self.splits:
            return
        try:
            self._train = self._open(train=True)
        except UserError:
            raise
        except RuntimeError:  # torchvision: not found, or a wrong checksum
            try:
                self._train = self._open(train=True, download=True)
            except Exception as error:
                reason = str(error).strip().split("\n")[-1]
                raise UserError(
                    f"{self.source_class.__name__} is missing or damaged in {self.data_dir.absolute()} and could not "
                    f"be downloaded ({reason}). Name the folder that has it with data_dir=… (or PROJ_DATA_DIR), or use "
                    "dataset=digits, which needs no download."
                ) from error

    def load(self) -> None:
        train, test = self._train or self._open(train=True), self._open(train=False)
        self._train = None
        self.set_splits(self._split(train), self._split(test), [str(name) for name in train.classes])

    def _open(self, **settings):
        try:
            return self.source(root=str(self.data_dir), **settings)
        except Exception as error:
            if (isinstance(error, RuntimeError) and "not found" in str(error)) or settings.get("download"):
                raise
            files = ", ".join(map(str, damaged_files(self.source_class, self.data_dir))) or f"A file in {self.data_dir}"
            raise UserError(
                f"{files} is truncated or is not a file of {self.source_class.__name__} ({error}). Delete it and run "
                "again to download it, or name another folder with data_dir=…"
            ) from error

    def _split(self, dataset) -> Split:
        images, targets = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets).long()
        name = f"{self.source_class.__name__} in {self.data_dir}"
        if images.dtype != torch.uint8 or images.ndim not in (3, 4) or not images.numel():
            raise UserError(f"{name}: expected uint8 images (N, H, W) or (N, H, W, C), found {tuple(images.shape)}.")
        if len(images) != len(targets):
            raise UserError(f"{name}: {len(images)} images but {len(targets)} labels; a file belongs to another set.")
        if not 0 <= targets.min() <= targets.max() < len(dataset.classes):
            raise UserError(f"{name}: labels {targets.min()} to {targets.max()} for {len(dataset.classes)} classes.")
        return Split(images.unsqueeze(-1) if images.ndim == 3 else images, targets)


class MNISTDataModule(TorchvisionDataModule):
    """Handwritten digits (LeCun, Cortes and Burges; CC BY-SA 3.0): 60,000 + 10,000 grey images of 28×28."""


class FashionMNISTDataModule(TorchvisionDataModule):
    """Clothes (Xiao, Rasul and Vollgraf, 2017; MIT): 60,000 + 10,000 grey images of 28×28."""


class CIFAR10DataModule(TorchvisionDataModule):
    """Small photographs (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32×32, ten classes."""


class DigitsDataModule(ImageDataModule):
    """Handwritten digits of 8×8 (UCI, Alpaydin and Kaynak, 1998; CC BY 4.0), from scikit-learn's own file.

    They have no official test set: `test_fraction` of every class is taken with `split_seed`.
    """

    def __init__(self, test_fraction: float, **settings) -> None:
        super().__init__(**settings)
        self.test_fraction = test_fraction

    def load(self) -> None:
        table = sklearn_table("digits.csv.gz", (1797, 65), classes=10)
        images = (table[:, :-1] * (255 / 16)).round().to(torch.uint8).view(-1, 8, 8, 1)  # 0..16 in the file
        targets = table[:, -1].long()
        rest, test = stratified(targets, self.test_fraction, self.split_seed)
        names = [str(digit) for digit in range(10)]
        self.set_splits(Split(images[rest], targets[rest]), Split(images[test], targets[test]), names)


def sklearn_table(name: str, shape: tuple[int, int], classes: int, skiprows: int = 0) -> Tensor:
    """A data file of scikit-learn's as float64, its last column the class, without an import that takes seconds.

    Raises UserError for a missing or damaged file.
    """
    file = os.path.join(find_spec("sklearn").submodule_search_locations[0], "datasets", "data", name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of an empty file
            table = torch.from_numpy(np.loadtxt(file, delimiter=",", skiprows=skiprows))
        if table.shape != shape or not 0 <= table.min() <= table.max() <= 16:
            raise ValueError(f"shape {tuple(table.shape)} or values are not those of the data set")
        if table[:, -1].unique().tolist() != list(range(classes)):
            raise ValueError("other classes")
    except (OSError, EOFError, ValueError, UserWarning, zlib.error) as error:
        raise UserError(
            f"{file} is missing or damaged ({error}): pip install --force-reinstall --no-deps scikit-learn"
        ) from error
    return table


def damaged_files(source_class: type, root: Path) -> list[Path]:
    """The files of a torchvision dataset that are truncated or of another kind: IDX files or pickles."""
    if hasattr(source_class, "train_list"):
        names = [name for name, _ in source_class.train_list + source_class.test_list]
        files = [root / source_class.base_folder / name for name in names]
        return [file for file in files if file.is_file() and not is_whole_pickle(file)]
    files = sorted((root / source_class.__name__ / "raw").glob("*-ubyte"))
    return [file for file in files if not is_whole_idx(file)]


def is_whole_pickle(file: Path) -> bool:
    content = file.read_bytes()
    return content[:1] == b"\x80" and content[-1:] == b"."  # the PROTO and STOP opcodes


def is_whole_idx(file: Path) -> bool:
    """An IDX file of bytes: 0, 0, 8, the number of dimensions, each dimension (4 bytes, big-endian), the content."""
    content = file.read_bytes()
    end = 4 + 4 * content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    if end <= 4 or len(content) < end:
        return False
    return len(content) == end + int(np.prod(np.frombuffer(content[4:end], ">u4"), dtype=object))
