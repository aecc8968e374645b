"""Images that stay in their file, where they do not fit into the memory that a run may take."""

from collections.abc import Sequence

import torch
from torch import Tensor

from proj.data.photos.resized import Resized


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
