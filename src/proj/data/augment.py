"""Strong augmentation of whole batches, on the device that trains: each image with draws of its own.

torchvision.transforms.v2 draws once a batch, from a generator of the process. Here all draws come from the batch's own
generator, which follows from (seed, epoch, batch), so that a run that goes on draws the same.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from proj.data.facts import Normalize

# As in torchvision: how much longer one side of a piece or rectangle may be, which shares are erased, what is grey.
RATIO, ERASED, GREY = 4 / 3, (0.02, 0.33), [0.299, 0.587, 0.114]


@dataclass(frozen=True)
class Strong:
    """What `augment=strong` does to the images of a training batch, beside mirroring and moving them.

    crop: an image becomes a piece of at least this share of its area, enlarged to the whole; 1 leaves it whole.
    brightness, contrast, saturation: factors of 1 - x to 1 + x.
    erase: the share of the images of which a rectangle takes the mean colour.
    mixup: the share that is blended with another image (Zhang et al., arXiv 1710.09412). cutmix: the share of the
        others that have a rectangle of another (Yun et al., arXiv 1905.04899). Labels are divided as the pixels are.
    """

    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def change(
        self, images: Tensor, mirrored: Tensor | None, shift: int, normalize: Normalize, generator: torch.Generator
    ) -> Tensor:
        """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W).

        mirrored: (B,) bool, None for none. shift: pixels by which each is moved at most, reflected at the border.
        """
        draws = torch.rand(14, len(images), generator=generator, device=images.device)
        x = images.permute(0, 3, 1, 2).float().contiguous()
        x = F.grid_sample(x, self._places(x, mirrored, shift, draws[:6]), "bilinear", "reflection", align_corners=False)
        matrix, constant = self._colours(x.mean((2, 3)), draws[6:9])
        x = torch.baddbmm(constant, matrix, x.flatten(2)).view_as(x).clamp_(0, 255)
        x.mul_(normalize.factor.view(-1, 1, 1)).add_(normalize.offset.view(-1, 1, 1))
        if self.erase:
            area = ERASED[0] + (ERASED[1] - ERASED[0]) * draws[9]
            x.mul_(1 - rectangles(area * (draws[10] < self.erase), draws[11:], x)[:, None])
        return x

    def _places(self, x: Tensor, mirrored: Tensor | None, shift: int, draws: Tensor) -> Tensor:
        """(B, H, W, 2) column and row, from -1 to 1, from which each pixel of each piece comes."""
        lengths = sides(1 - (1 - self.crop) * draws[0], draws[1])
        centres = (1 - lengths) * (2 * draws[2:4] - 1)
        moves = ((2 * draws[4:] - 1) * (2 * shift + 1) / 2).round() * 2  # a pixel is 2 of the image's size
        rows, columns = (
            torch.addcmul((centre + move / size)[:, None], length[:, None], positions(size, x.device))
            for size, length, centre, move in zip(x.shape[2:], lengths, centres, moves, strict=True)
        )
        if mirrored is not None:
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        shape = (len(x), *x.shape[2:])
        return torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], 3)

    def _colours(self, means: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """((B, C, C), (B, C, 1)) matrix and constant that give each image its colours. means: (B, C) of channels."""
        grey, colour = grey_and_colour(means.shape[1], means.device)
        strengths = (self.brightness, self.contrast, self.saturation)
        draws = (2 * draws - 1)[:, :, None, None]
        brightness, contrast, saturation = (1 + most * draw for most, draw in zip(strengths, draws, strict=True))
        matrix = brightness * contrast * (grey + saturation * colour)
        return matrix, brightness * (1 - contrast) * (grey @ means[:, :, None])

    def mix(self, classes: int, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch (B, C, H, W) in which images have parts of the one before, which in a shuffled batch is any; and
        (B, classes) the shares of the classes in each. targets: (B,)."""
        draws = torch.rand(6, len(x), generator=generator, device=x.device)
        blended = draws[0] < self.mixup
        cut = ~blended & (draws[1] < self.cutmix)
        parts = rectangles(draws[2] * cut, draws[3:], x) + (draws[2] * blended)[:, None, None]  # (B, H, W) in 0..1
        labels = F.one_hot(targets, classes).to(x.dtype)
        shares = parts.mean((1, 2))[:, None]
        return torch.lerp(x, x.roll(1, 0), parts[:, None]), torch.lerp(labels, labels.roll(1, 0), shares)


@cache
def grey_and_colour(channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(C, C) matrices that leave of an image its grey, and what is not grey in it: nothing but of three channels."""
    whole = torch.eye(channels, device=device)
    grey = torch.tensor([GREY] * 3, device=device) if channels == 3 else whole
    return grey, whole - grey


@cache
def positions(size: int, device: torch.device) -> Tensor:
    """(size,) the places of the pixels along a side, from -1 to 1."""
    return torch.arange(0.5, size, device=device) * 2 / size - 1


def sides(area: Tensor, draws: Tensor) -> Tensor:
    """(2, B) heights and widths, as shares of an image's, of pieces that have these (B,) shares of its area."""
    most = (-area.log()).clamp(max=math.log(RATIO))  # beyond it, a side would be longer than the image's
    stretch = (most * (draws - 0.5)).exp()
    return torch.stack([stretch, 1 / stretch]) * area.sqrt()


def rectangles(area: Tensor, draws: Tensor, x: Tensor) -> Tensor:
    """(B, H, W): 1 in a rectangle of its own in each image of a batch, else 0. area: see `sides`. draws: (3, B)."""
    lengths = sides(area, draws[0])
    centres = (1 - lengths) * (2 * draws[1:] - 1)
    rows, columns = (
        ((positions(size, x.device) - centre[:, None]).abs() < length[:, None]).float()
        for size, length, centre in zip(x.shape[2:], lengths, centres, strict=True)
    )
    return rows[:, :, None] * columns[:, None, :]
