"""Images that stay in their file, where they do not fit into the memory that a run may take."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from proj.data.photos.resized import Resized
from proj.errors import UserError
from proj.system.platform import memory


def refuse_huge(shape: tuple[int, int, int], batch: int) -> None:
    """Raises UserError where a batch alone would not fit into the machine's memory. shape: (H, W, C)."""
    needed, there = 4 * batch * math.prod(shape), memory()
    if there and needed > there:
        raise UserError(
            f"images of {shape[0]}×{shape[1]} pixels take {needed / 1e9:,.0f} GB for a batch of {batch}, and this "
            f"machine has {there / 1e9:,.0f}: choose a smaller dataset.size or dataset.batch_size."
        )


class OnDisk:
    """uint8 images (N, height, width, channels) that stay in a file, in the place of a tensor: those that it is indexed
    with are read to `device`."""

    def __init__(self, images: Resized, numbers: Tensor, device: torch.device | str = "cpu") -> None:
        self.images, self.numbers, self.device = images, numbers, torch.device(device)
        self.shape = torch.Size((len(numbers), *images.shape))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return self.images.read(self.numbers[index.cpu() if isinstance(index, Tensor) else index]).to(self.device)

    def to(self, device: torch.device | str) -> "OnDisk":
        return OnDisk(self.images, self.numbers, device)

    def together(self, parts: Sequence["OnDisk"]) -> "OnDisk":
        return OnDisk(self.images, torch.cat([part.numbers for part in parts]), self.device)
