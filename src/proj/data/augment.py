"""Strong augmentation of whole batches, on the device that trains: each image with draws of its own.

torchvision.transforms.v2 draws once a batch, from a generator of the process. Here all draws come from the batch's own
generator, which follows from (seed, epoch, batch), so that a run that goes on draws the same. A step of a small network
takes a millisecond, and a call of torch two microseconds: what is alike for all numbers is one call.
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
    rotate: degrees by which each is turned at most, either way, about its centre.
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
    rotate: float = 0.0

    def change(
        self, images: Tensor, mirrored: Tensor | None, shift: int, normalize: Normalize, generator: torch.Generator
    ) -> Tensor:
        """uint8 (B, H, W, C) -> normalised float32 (B, C, H, W).

        mirrored: (B,) bool, None for none. shift: pixels by which each is moved at most, reflected at the border.
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
        """(B, H, W, 2) column and row, from -1 to 1, from which each pixel of each piece comes.

        piece: see `boxes`. moves: (2, B) pixels by which each is moved, once they are rounded; None for none.
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
        return torch.stack(places, 1).permute(0, 2, 3, 1)  # a plane each: a third of the time of pairs

    def _colours(
        self, means: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """((B, C, C), (B, C, 1)) matrix and constant that give each image its colours. means: (B, C) of channels."""
        grey, colour = grey_and_colour(means.shape[1], means.device)
        scale = brightness * contrast
        matrix = torch.addcmul(grey, saturation[:, None, None], colour).mul_(scale[:, None, None])
        return matrix, (means @ grey.T).mul_((brightness - scale)[:, None])[:, :, None]

    def mix(self, classes: int, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(Images (B, C, H, W), each with parts of the one before it in the shuffled batch, so of any one; (B, classes)
        the shares of the classes in them). targets: (B,)."""
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
    """(7, 2, 1) where each number that `Strong.change` draws begins, and how far it reaches."""
    pairs = [
        [(1, strong.crop), ERASED],  # the areas of the piece and of the erased rectangle
        [(-0.5, 0.5), (-0.5, 0.5)],  # how they are stretched
        [(-1, 1), (-1, 1)],  # where the piece lies, and the rectangle
        [(-1, 1), (-1, 1)],
        [(-shift - 0.5, shift + 0.5), (-shift - 0.5, shift + 0.5)],  # pixels of the move, once they are rounded
        [(1 - strong.brightness, 1 + strong.brightness), (1 - strong.contrast, 1 + strong.contrast)],
        [(1 - strong.saturation, 1 + strong.saturation), (0, 1)],  # and whether a rectangle is erased
    ]
    low, high = torch.tensor(pairs, device=device).unbind(2)
    return low[:, :, None], (high - low)[:, :, None]


@cache
def identity(size: int, device: torch.device) -> Tensor:
    return torch.eye(size, device=device)


@cache
def grey_and_colour(channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(C, C) matrices that leave of an image its grey, and what is not grey in it: nothing but of three channels."""
    whole = identity(channels, device)
    grey = torch.tensor([GREY] * 3, device=device) if channels == 3 else whole
    return grey, whole - grey


@cache
def positions(size: int, device: torch.device) -> Tensor:
    """(size,) the places of the pixels along a side, from -1 to 1."""
    return torch.arange(0.5, size, device=device) * 2 / size - 1


def boxes(areas: Tensor, stretches: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 2, B) lengths and centres, of rows and of columns, of pieces of images; a side and its places are -1 to 1.

    areas: (..., B) shares of the images' areas. stretches: (..., B) from -0.5 to 0.5, for the longest side as a row
        or as a column. places: (..., 2, B) from -1 to 1, for the first and the last that leave the piece in the image.
    """
    logs = areas.log()
    longer = logs.clamp(min=-math.log(RATIO)).mul_(stretches)  # beyond it, a side would be longer than the image's
    half = logs.mul_(0.5)
    lengths = torch.stack([half - longer, half + longer], -2).exp_()
    return lengths, torch.addcmul(places, lengths, places, value=-1)


def turned(places: Tensor, angles: Tensor) -> Tensor:
    """(B, H, W, 2) column and row, from -1 to 1, of pixels, turned about the images' centres by `angles` (B,) radians.

    A side is -1 to 1 whatever its length, so that pixels which are not of a square are stretched to turn.
    """
    height, width = places.shape[1:3]
    columns, rows = places.unbind(3)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return torch.stack([columns * cos - rows * sin * height / width, rows * cos + columns * sin * width / height], 3)


def within(box: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """(B, 1, H, W): 1 where a pixel of a batch lies in the box of its image, see `boxes`, else 0."""
    rows, columns = (
        ((positions(size, x.device) - centre[:, None]).abs_() < length[:, None]).float()
        for size, length, centre in zip(x.shape[2:], *box, strict=True)
    )
    return rows[:, None, :, None] * columns[:, None, None, :]
