"""Scales pictures of any size to a network's input shape by tensor operations only, so that an exported file can.

The result is that of `fit_image` in `data/photos/image_file.py`, which uses Pillow: its bicubic resampling is written
here as a matrix product along the columns and one along the rows, each rounded to whole levels as Pillow does.
Whoever runs the exported file still has to read the picture, turn it upright, and make it grey or coloured.
"""

import PIL
import torch
from torch import Tensor, nn

from proj.data.facts import Facts


class RawPixels(nn.Module):
    """uint8 pictures (N, height, width, C), all of one size -> float32 (N, H, W, C), whole levels in 0..255.

    facts: of an image model, with a `mean`. If it was trained on light drawings on black, pictures with a light border
    are inverted, and all are padded with the colour of their border, as `PIL.ImageOps.pad` does. Else the largest
    middle part that has the shape H : W is taken, as `PIL.ImageOps.fit` does.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.drawings, self.size = facts.drawings, facts.input_shape[1:]

    def forward(self, pictures: Tensor) -> Tensor:
        x = pictures.permute(0, 3, 1, 2).float()
        (rows, columns), ratio = self.size, self.size[1] / self.size[0]
        # In float64, like the Python floats with which ImageOps computes the same sizes.
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
        down = resize_matrix(x.shape[2], height, shown[0], counts[0], rows)
        across = resize_matrix(x.shape[3], width, shown[1], counts[1], columns)
        colour = border(x).trunc()[:, :, None, None]
        columns_first, rows_first = to_levels(down @ to_levels(x @ across.T)), to_levels(to_levels(down @ x) @ across.T)
        x = torch.where(takes_rows_first(height - counts[0], width - counts[1]), rows_first, columns_first)
        inside = covered(counts[0], rows)[:, None] & covered(counts[1], columns)
        return torch.where(inside, x, colour).permute(0, 2, 3, 1)


def border(x: Tensor) -> Tensor:
    """(N, C): the median level of the pixels along the four edges of x (N, C, height, width)."""
    edges = torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], 2).sort(2).values
    middle = x.shape[2] + x.shape[3]
    return (edges[..., middle - 1] + edges[..., middle]) / 2


def with_full_contrast(x: Tensor) -> Tensor:
    """x (N, C, height, width) with the levels of each channel stretched to 0..255, as Pillow's `autocontrast` does."""
    low, high = x.amin((2, 3), keepdim=True).double(), x.amax((2, 3), keepdim=True).double()
    scale = 255 / (high - low)
    return torch.where(high > low, (x.double() * scale - low * scale).trunc().clamp(0, 255).float(), x)


def covered(count: Tensor, size: int) -> Tensor:
    """(size,) bool: whether each index is among the `count` in the middle."""
    place = torch.arange(size) - first_covered(count, size)
    return (place >= 0) & (place < count)


def first_covered(count: Tensor, size: int) -> Tensor:
    return ((size - count) * 0.5).round()


def resize_matrix(length: int, exact: Tensor, shown: Tensor, count: Tensor, size: int) -> Tensor:
    """(size, length): the weight of each old row (or column) of pixels in each new one, by Pillow's bicubic filter.
    The `count` rows in the middle of the `size` new ones show the `shown` rows in the middle of the `length` old ones.
    exact: `length` as a float64 tensor."""
    start = ((exact - shown) * 0.5).float()  # Pillow stores both ends of the part that is shown in float32
    end = ((exact - shown) * 0.5 + shown).float()
    scale = (end - start).double() / count
    centre = start.double() + (torch.arange(size) - first_covered(count, size) + 0.5)[:, None] * scale
    stretch = scale.clamp(min=1)
    place = torch.arange(length, dtype=torch.float64)
    seen = (place >= (centre - 2 * stretch + 0.5).floor()) & (place < (centre + 2 * stretch + 0.5).floor())
    x = ((place - centre + 0.5) / stretch).abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, -0.5 * (((x - 5) * x + 8) * x - 4)
    cubic = torch.where(x < 1, near, torch.where(x < 2, far, 0.0)) * seen
    return (cubic / cubic.sum(1, keepdim=True)).float()


def takes_rows_first(fewer_rows: Tensor, fewer_columns: Tensor) -> Tensor:
    """() bool: whether Pillow resizes the rows before the columns. Since version 13 it does if a picture loses more
    than twice as many rows as columns (`ImagingResampleInner` in its Resample.c)."""
    is_new = int(PIL.__version__.split(".")[0]) >= 13
    return (fewer_rows > 0) & (fewer_rows > 2 * fewer_columns) & is_new


def to_levels(x: Tensor) -> Tensor:
    return (x + 0.5).floor().clamp(0, 255)
