"""The base class of image datamodules: uint8 images in memory, which are augmented and normalised batch by batch."""

from typing import Any

import torch
from torch import Tensor

from proj.data.augment import Strong
from proj.data.batches import Batches, counter_seed
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.facts import Facts, Normalize
from proj.data.shrinking import check_sizes, planned_epochs, shrunk, size_in
from proj.data.splitting import stratified
from proj.errors import UserError
from proj.wording import how_many


def partition(images: Tensor, rest: Tensor, part: Tensor) -> Tensor:
    """Reorder `images` in place, since a copy would double the memory: those at `rest` (ascending), then at `part`."""
    held = images[part]
    for start in range(0, len(rest), 1000):
        chunk = rest[start : start + 1000]  # all at or after `start`, so no image is overwritten before it is moved
        images[start : start + len(chunk)] = images[chunk]
    images[len(rest) :] = held
    return images


class ImageDataModule(InMemoryDataModule):
    """Images are uint8 (N, H, W, C) in memory; batches are float32 (B, C, H, W), normalised per channel.

    drawings: True in a subclass for light drawings on black, such as MNIST's; see `Facts`.
    mean, std: for each channel, of pixels in 0..1; None measures them on the training images.
    shift: training images are moved by up to this many pixels, differently in every epoch.
    flip: whether to mirror each training image in every second epoch, half of them in the first one; this is better
        than random flips (Jordan, arXiv 2404.00498). augment: the arguments of `Strong` for further augmentation.
    sizes: heights to which the training images are resized, each for an equal part of the epochs (progressive
        resizing); None keeps their size. The time of a convolutional network grows with the square of the height.
    """

    kind = "image"

    def __init__(
        self,
        val_fraction: float,
        split_seed: int,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        flip: bool = False,
        shift: int = 0,
        augment: dict[str, float] | None = None,
        sizes: list[int] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.val_fraction, self.split_seed = val_fraction, split_seed
        self.mean, self.std, self.flip, self.shift = mean, std, flip, shift
        self.sizes = sizes
        self.strong = Strong(**augment) if augment else None
        self.mix = self.strong.mix if self.strong and self.strong.mixup + self.strong.cutmix else None
        self._normalize: Normalize | None = None
        self._mirrored: Tensor | None = None  # (N,) bool: the training images that are mirrored in the first epoch

    def take(self, facts: Facts) -> None:
        if not facts.mean:
            raise UserError("the model does not take images as this dataset has them: choose another dataset.")
        self.mean, self.std = facts.mean, facts.std

    def train_dataloader(self) -> Batches:
        if self.sizes and self.trainer:
            check_sizes(self.sizes, self.trainer, self.input_shape)
        if self.shift >= (smallest := min(self.input_shape[1:])):
            raise UserError(
                f"dataset.shift={self.shift} moves images of {'×'.join(map(str, self.input_shape[1:]))} pixels out of "
                f"sight: choose dataset.shift={smallest - 1} or less."
            )
        return super().train_dataloader()

    def set_splits(
        self, train: Split, test: Split, class_names: list[str], drawn: dict[str, Tensor] | None = None
    ) -> None:
        """Draw the validation part from the training set, and measure mean and std on the rest.

        drawn: the indices of "train" and "val", if they have been drawn already.
        """
        if train.inputs.shape[1:] != test.inputs.shape[1:]:
            sizes = " and ".join("×".join(map(str, split.inputs.shape[1:])) for split in (train, test))
            raise UserError(f"training and test images differ in size, {sizes}: a file belongs to another set.")
        if drawn:
            rest, part = drawn["train"], drawn["val"]
        else:
            rest, part = stratified(train.targets, self.val_fraction, self.split_seed)
        if not len(part) or not len(rest):
            raise UserError(
                f"dataset.val_fraction={self.val_fraction} of {how_many(len(train.targets), 'example')} leaves "
                f"{len(rest)} for training and {len(part)} for validation: choose another."
            )
        images = partition(train.inputs.contiguous(), rest, part)
        self.splits = {
            "train": Split(images[: len(rest)], train.targets[rest]),
            "val": Split(images[len(rest) :], train.targets[part]),
            "test": test,
        }
        self.numbers = {"train": rest, "val": part}
        height, width, channels = train.inputs.shape[1:]
        self.input_shape, self.class_names = (channels, height, width), class_names
        counts = torch.zeros(channels, 256, dtype=torch.long)  # a histogram of the pixels of each channel
        for images in self.splits["train"].inputs.split(10_000):
            counts += torch.stack([levels.bincount(minlength=256) for levels in images.flatten(0, 2).unbind(1)])
        levels = torch.arange(256)
        self.set_scale(torch.stack([counts @ levels, counts @ levels**2]), int(counts[0].sum()))

    def set_scale(self, sums: Tensor, pixels: int) -> None:
        """Set mean and std from the training images, unless the settings give them.

        sums: (2, C) the sums of all pixels, and of their squares, in 0..255. pixels: their number in a channel.
        """
        mean, square = sums.double() / pixels
        self.mean = self.mean or (mean / 255).tolist()
        self.std = self.std or ((square - mean**2).sqrt() / 255).clamp(min=1e-6).tolist()

    def prepare(
        self, inputs: Tensor, index: Tensor | slice, generator: torch.Generator | None, epoch: int = 0
    ) -> Tensor:
        if generator is None:
            return self.normalize(inputs[index])
        images = self._augmented(inputs, index, generator, epoch)
        if not (self.sizes and self.trainer):
            return images
        return shrunk(images, size_in(epoch, planned_epochs(self.trainer, self.trainer.max_epochs), self.sizes))

    def _augmented(self, inputs: Tensor, index: Tensor, generator: torch.Generator, epoch: int) -> Tensor:
        mirrored = self._is_mirrored(inputs)[index] ^ bool(epoch % 2) if self.flip else None
        if not isinstance(inputs, Tensor):  # the images stay on the disk, so only this batch is read
            inputs, index = inputs[index], torch.arange(len(index), device=index.device)
        if not self.strong and (self.flip or self.shift):
            return self.normalize(crop_and_flip(inputs, index, self.shift, mirrored, generator))
        images = inputs.index_select(0, index)  # ten times as fast as inputs[index]
        if self.strong:
            return self.strong.change(images, mirrored, self.shift, self._normalizer(images), generator)
        return self.normalize(images)

    def _is_mirrored(self, inputs: Tensor) -> Tensor:
        if self._mirrored is None or len(self._mirrored) != len(inputs):
            seeded = torch.Generator().manual_seed(counter_seed(self.seed))
            self._mirrored = torch.randint(0, 2, (len(inputs),), generator=seeded).bool()
        if self._mirrored.device != inputs.device:
            self._mirrored = self._mirrored.to(inputs.device)
        return self._mirrored

    def normalize(self, images: Tensor) -> Tensor:
        return self._normalizer(images)(images)

    def _normalizer(self, images: Tensor) -> Normalize:
        if self._normalize is None or self._normalize.factor.device != images.device:
            for name, numbers in (("mean", self.mean), ("std", self.std)):
                if len(numbers) not in (1, images.shape[-1]):
                    raise UserError(
                        f"dataset.{name}={list(numbers)} has {len(numbers)} numbers, and the images have "
                        f"{how_many(images.shape[-1], 'channel')}: give one number a channel."
                    )
            self._normalize = Normalize(self.mean, self.std).to(images.device)
        return self._normalize


def crop_and_flip(
    images: Tensor, index: Tensor, shift: int, mirrored: Tensor | None, generator: torch.Generator
) -> Tensor:
    """(B, H, W, C), the images at `index`, each randomly moved by up to `shift` pixels; `mirrored` (B,) ones flipped.

    The result is the same as reflection padding, random cropping and flipping of each image, but for the whole batch at
    once: first whole rows are gathered, then the pixels within them. A single index takes three to five times as long.
    """

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (len(index),), generator=generator, device=index.device)

    _, height, width, channels = images.shape
    rows = shifted(height, draw(-shift, shift + 1))
    columns = shifted(width, draw(-shift, shift + 1))
    if mirrored is not None:
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    copied = images.view(-1, width * channels).index_select(0, (index[:, None] * height + rows).flatten())
    values = columns[:, :, None] * channels + torch.arange(channels, device=index.device)  # indices within a row
    batch = copied.view(len(index), height, width * channels)
    return batch.gather(2, values.flatten(1)[:, None].expand_as(batch)).view(len(index), height, width, channels)


def shifted(size: int, by: Tensor) -> Tensor:
    """(B, size) source positions of rows or columns moved by `by` (B,) pixels, reflected at the border."""
    position = torch.arange(size, device=by.device) + by[:, None]
    return size - 1 - (size - 1 - position.abs()).abs()
