"""What goes into a network: how a picture or a row of a table becomes its input, kept with every checkpoint."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.class_names import classes_among, spelling
from proj.data.photos.image_file import MAX_PIXELS, fit_image, open_image
from proj.data.tables.date_forms import FORMS, SINCE_1970
from proj.data.tables.date_parts import PARTS
from proj.data.tables.encode import kind_of
from proj.errors import UserError
from proj.system.ranks import say

FORMAT = 2  # of what a checkpoint says about itself; 1 had no `levels`, those from before it was counted have none
DRAWN = ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST")  # torchvision's classes of light drawings on black


@dataclass(frozen=True)
class Facts:
    """What a network takes and gives. A datamodule has them once it is set up, a checkpoint and an exported file carry
    them, and whatever makes an input from a file asks them.

    input_shape: (C, H, W) of an image, (F,) of a row. class_names: in the order of the logits.
    drawings: whether the images are light drawings on black, such as MNIST's. Then a file's picture is inverted where
        its border is light, and padded to the shape; else it is taken as it is, and its middle cut out.
    mean, std: one number a channel, of pixels in 0..1; None where the datamodule makes its inputs in its own way.
    columns: of a table, as `encode_table` takes them; None where the datamodule does not say.
    data: the checksum of the examples.
    levels: the values that become black and white, of whole numbers of more than 8 bits a pixel, "I", and of numbers
        with fractions, "F". A kind that is not named, since the training met none, goes by what each file holds. None
        in checkpoints from before there were levels: then 0 and 65535, and 0 and 1 or 255.
    target: the name of a table's column of classes, which may stand elsewhere in another one. None where the datamodule
        does not say.
    """

    input_shape: list[int]
    class_names: list[str]
    drawings: bool
    mean: list[float] | None
    std: list[float] | None
    columns: list[dict] | None
    data: str
    levels: dict[str, list[float]] | None = None
    target: str | None = None

    @property
    def kind(self) -> str:
        return "image" if len(self.input_shape) == 3 else "table"

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, "kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, contents: dict[str, Any]) -> "Facts":
        """From a checkpoint's `contents`, which also hold other things; a checkpoint from before `format` says in its
        configuration what it lacks here.

        Raises UserError for what describes no input.
        """
        try:
            drawn = contents["drawings"] if "drawings" in contents else is_drawn(contents["config"]["dataset"])
            facts = cls(**{field.name: contents.get(field.name) for field in fields(cls)} | {"drawings": drawn})
            sound = facts._is_sound()
        except (KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise UserError("the checkpoint does not say what its network takes: it is damaged, or of another program.")
        return facts

    def _is_sound(self) -> bool:
        if not (is_list_of(self.input_shape, int) and min(self.input_shape) > 0 and is_list_of(self.class_names, str)):
            return False
        if not isinstance(self.target, str | None):
            return False
        scale = [numbers for numbers in (self.mean, self.std) if numbers is not None]
        if len(scale) == 1:
            return False
        if not all(is_list_of(numbers, int, float) and len(numbers) == self.input_shape[0] for numbers in scale):
            return False
        if self.columns is not None and not (is_list_of(self.columns, dict) and all(map(is_column, self.columns))):
            return False
        return all(is_list_of(pair, int, float) and pair[0] < pair[1] for pair in (self.levels or {}).values())

    def read_image(
        self, file: str | Path | BinaryIO, invert: bool | None = None, max_pixels: int = MAX_PIXELS
    ) -> tuple[np.ndarray, bool, bool]:
        """(uint8 (H, W, C) pixels of the first picture in a file, whether they were inverted, whether it has others).

        invert: None inverts what is dark on light where the images are drawings.
        Raises UserError for a network that takes no such images, and what Pillow raises for what is none.
        """
        channels, *size = self.input_shape
        if not self.mean:
            raise UserError("the checkpoint does not say how an image becomes its input: its datamodule sets no mean.")
        if channels not in (1, 3):
            raise UserError(f"the model takes {channels} channels, and images have 1 or 3.")
        image = open_image(file, size, channels, self.levels, max_pixels)
        return *fit_image(image, size, self.drawings, invert), bool(image.info.get("frames"))

    def normalizer(self) -> "Normalize | Standardize | None":
        """What makes the network's inputs from pixels, or from a table's numbers; None where there is no such thing."""
        if self.mean:
            return Normalize(self.mean, self.std)
        if self.columns and {*map(kind_of, self.columns)} == {"numbers"}:
            return Standardize(self.columns)
        return None

    def pixels(self, x: Tensor) -> Tensor:
        """uint8 (B, H, W, 1 or 3) of an image network's inputs (B, C, H, W), as they were before the normalisation."""
        normalizer = self.normalizer()
        levels = normalizer.undo(x) if normalizer else x.permute(0, 2, 3, 1) * 255
        return levels[..., : 3 if levels.shape[3] > 2 else 1].round().clamp(0, 255).byte()


def is_list_of(values: Any, *kinds: type) -> bool:
    """Whether `values` is a list of at least one value, all of these kinds."""
    return isinstance(values, list | tuple) and bool(values) and all(type(value) in kinds for value in values)


def is_column(column: dict) -> bool:
    """Whether `encode_table` can take it."""
    if "categories" in column:
        return is_list_of([column["name"], *column["categories"]], str)
    if "parts" in column:
        known = column["date"] in (*FORMS, *SINCE_1970) and {part["name"] for part in column["parts"]} <= {*PARTS}
        return known and is_list_of([column["name"]], str) and all(map(is_column, column["parts"]))
    if "truth" in column and not (is_list_of(column["truth"], str) and len(column["truth"]) == 2):
        return False
    marks = isinstance(column.get("unit", ""), str) and column.get("decimal", ".") in (".", ",")
    return marks and is_list_of([column["name"]], str) and is_list_of([column["mean"], column["std"]], int, float)


def is_drawn(dataset: dict[str, Any]) -> bool:
    """Whether a stored configuration's images are drawings, for a checkpoint that does not say it."""
    module, _, name = str((dataset.get("source") or {}).get("_target_")).rpartition(".")
    digits = str(dataset["_target_"]).startswith("proj.data.") and dataset["_target_"].endswith(".DigitsDataModule")
    return digits or (module.startswith("torchvision.") and name in DRAWN)


def pair(given: list[str], known: list[str]) -> tuple[list[int], list[str]]:
    """(For each class of the data, `given`, its place among the model's, `known`; the names of those in its order.)

    They are paired by their names; where none is common and there are as many of both, by their order, which is said.
    Raises UserError where the names agree in part only.
    """
    found = classes_among(given, known)
    if len({*found.values()}) == len(given):
        return [found[name] for name in given], known
    if {*map(spelling, given)} & {*map(spelling, known)} or len(given) != len(known):
        raise UserError(
            f"the data has the classes {', '.join(given)} and the model {', '.join(known)}, which cannot be paired: "
            "give the data's classes the model's names, and move the others away."
        )
    pairs = ", ".join(f"{one} is {other}" for one, other in zip(given, known, strict=True))
    say(f"Note: no class of the data has a name of the model's, so they are paired in their order: {pairs}.")
    return list(range(len(known))), given


class Normalize(nn.Module):
    """uint8 (B, H, W, C) pixels -> float32 (B, C, H, W), channels last in memory; `undo` goes back to 0..255.

    mean, std: one number a channel, of pixels in 0..1.
    """

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        mean, std = torch.tensor(mean), torch.tensor(std)
        self.register_buffer("factor", 1 / (255 * std))
        self.register_buffer("offset", -mean / std)

    def forward(self, images: Tensor) -> Tensor:
        rows, width = images.float(), images.shape[2]
        factor, offset = self.factor, self.offset
        if len(factor) > 1:  # torch takes six times as long where a last dimension of three numbers meets them
            rows, factor, offset = rows.flatten(2), factor.repeat(width), offset.repeat(width)
        return rows.mul_(factor).add_(offset).view(images.shape).permute(0, 3, 1, 2)

    def undo(self, x: Tensor) -> Tensor:
        return (x.permute(0, 2, 3, 1).float() - self.offset) / self.factor


class Standardize(nn.Module):
    """(B, F) numbers as they are, NaN for a missing one -> what `encode_table` makes of them; `undo` goes back.

    For columns of numbers alone. They are taken as `dtype`: float32, or float64 where that is too coarse for a column,
    such as one of times in seconds since 1970.
    """

    def __init__(self, columns: list[dict]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([column["mean"] for column in columns], dtype=torch.float64))
        self.register_buffer("std", torch.tensor([column["std"] for column in columns], dtype=torch.float64))
        coarse = bool((self.mean.abs() > 1000 * self.std).any())  # float32 then errs by 1e-4 deviations and more
        self.dtype = torch.float64 if coarse else torch.float32

    def forward(self, x: Tensor) -> Tensor:
        standard = ((x.double() - self.mean) / self.std).float()
        return torch.where(standard.isnan(), 0.0, standard)

    def undo(self, x: Tensor) -> Tensor:
        return (x * self.std + self.mean).to(self.dtype)
