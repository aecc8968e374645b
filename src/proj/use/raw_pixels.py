"""Pictures of any size as a network takes them, by tensor operations alone, so that an exported file can do it.

They give what `fit_image` of `data/photos/image_file.py` makes with Pillow: its bicubic resampling, as a product of
matrices for the columns and one for the rows, each rounded to whole levels. To read a file, turn it upright, and make
it grey or coloured, comes before.
"""

import PIL
import torch
from torch import Tensor, nn

from proj.data.facts import Facts


class RawPixels(nn.Module):
    """uint8 pictures (N, height, width, C), all of one size -> (N, H, W, C) levels of 0..255 in float32.

    facts: of images that have a `mean`. Drawings are inverted where their border is light, and padded with its colour,
    as `PIL.ImageOps.pad` does; of other pictures the largest middle part of the shape is taken, as `fit` does.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.drawings, self.size = facts.drawings, facts.input_shape[1:]

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.permute(0, 3, 1, 2).float()
        (rows, columns), ratio = self.size, self.size[1] / self.size[0]
        # In float64, in which Python computes the same.
        height, width, all_rows, all_columns = (
            torch.scalar_tensor(length, dtype=torch.float64) for length in (*x.shape[2:], *self.size)
        )
        wide, tall = width / height > ratio, width / height < ratio
        if self.drawings:
            light = border(x).mean(1) > 127
            x = torch.where(light[:, None, None, None], with_full_contrast(255 - x), x)
            shown = height, width
            counts = (
                torch.where(wide, (height / width * columns).round(), all_rows),
                torch.where(tall, (width / height * rows).round(), all_columns),
            )
        else:
            shown = torch.where(tall, width / ratio, height), torch.where(wide, ratio * height, width)
            counts = all_rows, all_columns
        down = weights(x.shape[2], height, shown[0], counts[0], rows)
        across = weights(x.shape[3], width, shown[1], counts[1], columns)
        colour = border(x).trunc()[:, :, None, None]
        columns_first, rows_first = to_levels(down @ to_levels(x @ across.T)), to_levels(to_levels(down @ x) @ across.T)
        x = torch.where(takes_rows_first(height - counts[0], width - counts[1]), rows_first, columns_first)
        inside = covered(counts[0], rows)[:, None] & covered(counts[1], columns)
        return torch.where(inside, x, colour).permute(0, 2, 3, 1)


def border(x: Tensor) -> Tensor:
    """(N, C) the median of the outermost levels of x (N, C, height, width)."""
    edges = torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], 2).sort(2).values
    middle = x.shape[2] + x.shape[3]
    return (edges[..., middle - 1] + edges[..., middle]) / 2


def with_full_contrast(x: Tensor) -> Tensor:
    """x (N, C, height, width), each channel's levels stretched to 0 and 255, as Pillow's `autocontrast` does."""
    low, high = x.amin((2, 3), keepdim=True).double(), x.amax((2, 3), keepdim=True).double()
    scale = 255 / (high - low)
    return torch.where(high > low, (x.double() * scale - low * scale).trunc().clamp(0, 255).float(), x)


def covered(count: Tensor, size: int) -> Tensor:
    """(size,) bool: the `count` places in the middle."""
    place = torch.arange(size) - first(count, size)
    return (place >= 0) & (place < count)


def first(count: Tensor, size: int) -> Tensor:
    return ((size - count) * 0.5).round()


def weights(length: int, exact: Tensor, shown: Tensor, count: Tensor, size: int) -> Tensor:
    """(size, length) shares of each of `length` old levels, `exact` in float64, in each of `size` new ones, of which
    the `count` in the middle show the `shown` old ones in the middle: Pillow's bicubic filter."""
    start = ((exact - shown) * 0.5).float()  # Pillow keeps the part's ends in float32
    end = ((exact - shown) * 0.5 + shown).float()
    scale = (end - start).double() / count
    centre = start.double() + (torch.arange(size) - first(count, size) + 0.5)[:, None] * scale
    stretch = scale.clamp(min=1)
    place = torch.arange(length, dtype=torch.float64)
    seen = (place >= (centre - 2 * stretch + 0.5).floor()) & (place < (centre + 2 * stretch + 0.5).floor())
    x = ((place - centre + 0.5) / stretch).abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, -0.5 * (((x - 5) * x + 8) * x - 4)
    cubic = torch.where(x < 1, near, torch.where(x < 2, far, 0.0)) * seen
    return (cubic / cubic.sum(1, keepdim=True)).float()


def takes_rows_first(fewer_rows: Tensor, fewer_columns: Tensor) -> Tensor:
    """() bool: whether Pillow resizes the rows before the columns, as it does since version 13 where a picture loses
    more than twice as many of them (`ImagingResampleInner` in its Resample.c)."""
    is_new = int(PIL.__version__.split(".")[0]) >= 13
    return (fewer_rows > 0) & (fewer_rows > 2 * fewer_columns) & is_new


def to_levels(x: Tensor) -> Tensor:
    return (x + 0.5).floor().clamp(0, 255)
