"""Strong augmentation of whole batches on the training device, with different random numbers for each image.

torchvision.transforms.v2 draws once for a whole batch, from the process's global generator. Here all random numbers
come from a generator seeded by (seed, epoch, batch), so that a resumed run repeats them. What most changes need is
drawn by one call, and scaled by another: a torch call takes 2 µs, and a whole step of a small network only 1 ms.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from proj.data.facts import Normalize

# As in torchvision: the greatest aspect ratio of a crop, the range of the erased area, the weights of R, G, B in grey.
RATIO, ERASED, GREY = 4 / 3, (0.02, 0.33), [0.299, 0.587, 0.114]


@dataclass(frozen=True)
class Strong:
    """What `augment=strong` does to the images of a training batch, in addition to flipping and shifting them.

    crop: the smallest share of the image's area that a random crop keeps before it is resized; 1 means no cropping.
    rotate: the greatest angle of a random rotation about the centre, in degrees.
    brightness, contrast, saturation: with x, the image is changed by a random factor from 1 - x to 1 + x.
    erase: the share of the images in which a random rectangle becomes 0, the dataset's `mean` before normalising.
    mixup: the share of the images that are blended with another one (Zhang et al., arXiv 1710.09412). cutmix: the share
        of the rest that get a rectangle of another (Yun et al., arXiv 1905.04899). Labels are mixed in proportion.
    """

    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    rotate: float = 0.0

    def change(
        self, images: Tensor, mirrored: Tensor | None, shift: int, normalize: Normalize, generator: torch.Generator
    ) -> Tensor:
        """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W).

        mirrored: (B,) bool, which images to flip; None for none. shift: the greatest random shift in pixels.
        """
        low, reach = ranges(self, shift, images.device)
        draws = torch.addcmul(low, reach, torch.rand(7, 2, len(images), generator=generator, device=images.device))
        areas, stretches, places, moves = draws[0], draws[1], draws[2:4], draws[4]
        (brightness, contrast), (saturation, which) = draws[5:]
        areas[1].mul_(which < self.erase)
        lengths, centres = boxes(areas, stretches, places)
        piece, erased = (lengths[0], centres[0]), (lengths[1], centres[1])
        x = images.permute(0, 3, 1, 2).float().contiguous()
        places = self._places(x, mirrored, piece, moves if shift else None)
        if self.rotate:
            turns = torch.rand(len(x), generator=generator, device=x.device).mul_(2).sub_(1)
            places = turned(places, turns * math.radians(self.rotate))
        x = F.grid_sample(x, places, "bilinear", "border", align_corners=False)
        matrix, constant = self._colours(x.mean((2, 3)), brightness, contrast, saturation)
        x = torch.baddbmm(constant, matrix, x.flatten(2)).view_as(x).clamp_(0, 255)
        x.mul_(normalize.factor.view(-1, 1, 1)).add_(normalize.offset.view(-1, 1, 1))
        return x.addcmul_(x, within(erased, x), value=-1) if self.erase else x

    def _places(self, x: Tensor, mirrored: Tensor | None, piece: tuple[Tensor, Tensor], moves: Tensor | None) -> Tensor:
        """(B, H, W, 2) sampling grid for `grid_sample`: the (column, row), from -1 to 1, that each output pixel shows.

        piece: the crop, see `boxes`. moves: (2, B) shift in pixels, not yet rounded; None for no shift.
        """
        axes = []
        for axis, (size, length, centre) in enumerate(zip(x.shape[2:], *piece, strict=True)):
            if moves is not None:
                centre = centre.add(moves[axis].round(), alpha=2 / size)
            places = torch.addcmul(centre[:, None], length[:, None], positions(size, x.device))
            if moves is not None:
                places = places.clamp(-1, 1).mul_(2).sub_(places)  # reflected at the border
            axes.append(places)
        rows, columns = axes
        if mirrored is not None:
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        shape = (len(x), *x.shape[2:])
        places = [columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)]
        return torch.stack(places, 1).permute(0, 2, 3, 1)  # stacking along axis 3 takes three times as long

    def _colours(
        self, means: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The colour jitter of each image: a matrix (B, C, C), a constant (B, C, 1). means: (B, C) of its pixels."""
        grey, colour = grey_and_colour(means.shape[1], means.device)
        scale = brightness * contrast
        matrix = torch.addcmul(grey, saturation[:, None, None], colour).mul_(scale[:, None, None])
        return matrix, (means @ grey.T).mul_((brightness - scale)[:, None])[:, :, None]

    def mix(self, classes: int, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(Mixed images (B, C, H, W), the shares of the classes in them (B, classes)). targets: (B,) int64.

        Each image is mixed with the one before it, which is a random one, since the batch is shuffled.
        """
        draws = torch.rand(6, len(x), generator=generator, device=x.device)
        blended = draws[0] < self.mixup
        cut = ~blended & (draws[1] < self.cutmix)
        share = draws[2]
        part = boxes(share * cut, draws[3].sub_(0.5), draws[4:].mul_(2).sub_(1))
        parts = within(part, x) + (share * blended)[:, None, None, None]  # (B, 1, H, W) in 0..1
        labels = identity(classes, x.device)[targets]
        return torch.lerp(x, x.roll(1, 0), parts), torch.lerp(labels, labels.roll(1, 0), parts.mean((1, 2, 3))[:, None])


@cache
def ranges(strong: Strong, shift: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(One end, the way to the other), each (7, 2, 1), of the range of each number that `Strong.change` draws."""
    pairs = [
        [(1, strong.crop), ERASED],  # the areas of the crop and of the erased rectangle
        [(-0.5, 0.5), (-0.5, 0.5)],  # how far both are stretched
        [(-1, 1), (-1, 1)],  # the rows of the crop and of the rectangle
        [(-1, 1), (-1, 1)],  # their columns
        [(-shift - 0.5, shift + 0.5), (-shift - 0.5, shift + 0.5)],  # the shift in pixels, before it is rounded
        [(1 - strong.brightness, 1 + strong.brightness), (1 - strong.contrast, 1 + strong.contrast)],
        [(1 - strong.saturation, 1 + strong.saturation), (0, 1)],  # the second decides whether a rectangle is erased
    ]
    low, high = torch.tensor(pairs, device=device).unbind(2)
    return low[:, :, None], (high - low)[:, :, None]


@cache
def identity(size: int, device: torch.device) -> Tensor:
    return torch.eye(size, device=device)


@cache
def grey_and_colour(channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Two matrices (C, C): one maps a pixel to its grey, the other to the rest, its colour, which is 0 unless C = 3."""
    whole = identity(channels, device)
    grey = torch.tensor([GREY] * 3, device=device) if channels == 3 else whole
    return grey, whole - grey


@cache
def positions(size: int, device: torch.device) -> Tensor:
    """(size,) the centres of the pixels along a side whose coordinates run from -1 to 1."""
    return torch.arange(0.5, size, device=device) * 2 / size - 1


def boxes(areas: Tensor, stretches: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Rectangles within images: (lengths, centres), both (..., 2, B) for rows and columns. Coordinates run from -1 to 1
    along each side; the length 1 is the whole side.

    areas: (..., B) shares of the images' areas. stretches: (..., B) from -0.5 (as long as possible in one direction) to
        0.5 (in the other). places: (..., 2, B) from -1 to 1, between the two ends that the rectangle can be moved to.
    """
    logs = areas.log()
    longer = logs.clamp(min=-math.log(RATIO)).mul_(stretches)  # of large areas less, so that no side exceeds the image
    half = logs.mul_(0.5)
    lengths = torch.stack([half - longer, half + longer], -2).exp_()
    return lengths, torch.addcmul(places, lengths, places, value=-1)


def turned(places: Tensor, angles: Tensor) -> Tensor:
    """A sampling grid (B, H, W, 2), see `_places`, rotated about the images' centres by `angles` (B,) in radians.

    Coordinates run from -1 to 1 along both sides, so for images that are not square the aspect ratio is compensated.
    """
    height, width = places.shape[1:3]
    columns, rows = places.unbind(3)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return torch.stack([columns * cos - rows * sin * height / width, rows * cos + columns * sin * width / height], 3)


def within(box: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """A mask (B, 1, H, W) of a batch: 1 for pixels within the rectangle of their image, see `boxes`, else 0."""
    rows, columns = (
        ((positions(size, x.device) - centre[:, None]).abs_() < length[:, None]).float()
        for size, length, centre in zip(x.shape[2:], *box, strict=True)
    )
    return rows[:, None, :, None] * columns[:, None, None, :]
