"""Trains on smaller images first, as `dataset.sizes` says, and on whole ones in the end."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from proj.errors import UserError, out_of_memory


def shrunk(images: Tensor, height: int) -> Tensor:
    """Resize images (B, C, H, W) to this height, with the width in proportion."""
    width = max(1, round(images.shape[3] * height / images.shape[2]))
    if height == images.shape[2]:
        return images
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True)


def planned_epochs(trainer: Any, most: int | None) -> int | None:
    """The number of epochs after which the training ends, unless it is stopped early; max_steps may end the last one.
    It is known once the training has begun. most: trainer.max_epochs."""
    if trainer.max_steps < 0:
        return most
    steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
    epochs = math.ceil(trainer.max_steps / steps)
    return epochs if most is None or most < 0 else min(most, epochs)


def size_in(epoch: int, epochs: int, sizes: Sequence[int]) -> int:
    """The height of the images in an epoch of a training of so many epochs, counted from 0: each of the sizes is taken
    equally long, in this order. The last epoch has the last one, also where there are more sizes than epochs."""
    place = epoch * len(sizes) // epochs if epochs >= len(sizes) else ((epoch + 1) * len(sizes) - 1) // epochs
    return sizes[min(place, len(sizes) - 1)]


def describe_end(data: Any, epochs: int, planned: int) -> list[str]:
    """A remark for a training that ended, after `epochs` of the planned ones, before it saw images of the last of
    dataset.sizes."""
    sizes = getattr(data, "sizes", None)
    last = size_in(epochs - 1, planned, sizes) if sizes else None
    if not sizes or last == sizes[-1]:
        return []
    return [
        f"The run ended while dataset.sizes still shrank the training images, to {last} of {sizes[-1]} pixels: a "
        "smaller trainer.max_epochs or dataset.sizes=null suits a run that ends early."
    ]


def check_sizes(sizes: Sequence[int], trainer: Any, input_shape: Sequence[int]) -> None:
    """Raises UserError if the network cannot take images of each size, or if the number of epochs is not known."""
    if (trainer.max_epochs or -1) < 0:
        raise UserError("dataset.sizes needs a number of epochs: give trainer.max_epochs=…, or dataset.sizes=null.")
    network = trainer.lightning_module
    for size in sizes:
        try:
            with network.evaluating():
                network(shrunk(torch.zeros(1, *input_shape, device=network.device, dtype=network.dtype), size))
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            raise UserError(
                f"the network does not take images of size {size}, which dataset.sizes has: give dataset.sizes=null."
            ) from None
