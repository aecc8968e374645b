"""How an image or a row of a table becomes a network's input; stored in every checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.class_names import classes_among, spelling
from proj.data.photos.image_file import MAX_PIXELS, fit_image, open_image
from proj.data.tables.answers import AnswerColumn
from proj.data.tables.column_kinds import column_from
from proj.data.tables.input_column import InputColumn
from proj.data.tables.number_column import NumberColumn
from proj.errors import UserError
from proj.system.ranks import say
from proj.wording import how_many

FORMAT = 2  # the version of a checkpoint's `contents`; version 1 had no `levels`, and the oldest have no "format"
DRAWN = ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST")  # torchvision's datasets of light drawings on black


@dataclass(frozen=True)
class Facts:
    """The facts about a network's inputs and outputs. A datamodule has them after `setup`; checkpoints and exported
    files store them; and all code that makes an input from a file uses them.

    input_shape: (C, H, W) of an image, (F,) of a row. class_names: in the order of the logits.
    drawings: whether the images are light drawings on black, such as MNIST's. If so, an image file is inverted if its
        border is light, and padded to the input's aspect ratio; if not, the middle of the image is cut out.
    mean, std: for each channel, of pixels in 0..1; None if the datamodule makes its inputs in another way.
    columns: those of a table that become inputs; None if the datamodule does not give them.
    data: the checksum of the training's data.
    levels: the values that become black and white in pixels of more than 8 bits: "I" for integers, "F" for floats. A
        kind that did not occur in the training is missing here, and each file is then scaled by its own values. It is
        None in old checkpoints: then 0 and 65535 are used for integers, and 0 and 1 or 255 for floats.
    target: the name of the column of classes in the training's table, by which it is found in another one. None if the
        datamodule does not give it.
    """

    input_shape: list[int]
    class_names: list[str]
    drawings: bool
    mean: list[float] | None
    std: list[float] | None
    columns: list[InputColumn] | None
    data: str
    levels: dict[str, list[float]] | None = None
    target: str | None = None

    @property
    def kind(self) -> str:
        return "image" if len(self.input_shape) == 3 else "table"

    def to_dict(self) -> dict[str, Any]:
        stored = {field.name: getattr(self, field.name) for field in fields(self)}
        stored["columns"] = self.columns and [column.to_dict() for column in self.columns]
        return {"format": FORMAT, "kind": self.kind, **stored}

    @classmethod
    def from_dict(cls, contents: dict[str, Any]) -> "Facts":
        """The facts in a checkpoint's `contents`. What the oldest checkpoints lack is taken from their configuration.

        Raises UserError if the contents do not describe a network's input.
        """
        try:
            drawn = contents["drawings"] if "drawings" in contents else is_drawn(contents["config"]["dataset"])
            columns = None if contents.get("columns") is None else [*map(column_from, contents["columns"])]
            others = {field.name: contents.get(field.name) for field in fields(cls)}
            facts = cls(**others | {"drawings": drawn, "columns": columns})
            sound = facts._is_sound()
        except (LookupError, TypeError, ValueError, AttributeError):
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
        return all(is_list_of(pair, int, float) and pair[0] < pair[1] for pair in (self.levels or {}).values())

    def refuse_other_inputs(self) -> None:
        """Raises UserError if the columns do not make the inputs: a datamodule of the user's own may add some."""
        made = sum(column.width for column in self.columns or [])
        if self.columns is not None and [made] != list(self.input_shape):
            raise UserError(
                f"the columns of the training's table make {how_many(made, 'input')}, and the network takes "
                f"{list(self.input_shape)}. Its datamodule adds what no table has: call the model of "
                "load_model in Python, or export it with raw=false."
            )

    def read_image(
        self, file: str | Path | BinaryIO, invert: bool | None = None, max_pixels: int = MAX_PIXELS
    ) -> tuple[np.ndarray, bool, bool, tuple[str, float, float] | None]:
        """(uint8 (H, W, C) pixels of the first image in a file, whether they were inverted, whether it holds others,
        the kind, lowest and highest value of pixels of more than 8 bits, if they are such).

        invert: whether to invert the image; None inverts dark drawings on light, if the network takes drawings.
        Raises UserError if the network does not take such images. For a file that is no image, is damaged, or has more
        than max_pixels, it raises errors of many kinds, as Pillow does.
        """
        channels, *size = self.input_shape
        if not self.mean:
            raise UserError("the checkpoint does not say how an image becomes its input: its datamodule sets no mean.")
        if channels not in (1, 3):
            raise UserError(f"the model takes {channels} channels, and images have 1 or 3.")
        image = open_image(file, size, channels, self.levels, max_pixels)
        return *fit_image(image, size, self.drawings, invert), bool(image.info.get("frames")), image.info.get("deep")

    def normalizer(self) -> "Normalize | Standardize | None":
        """The module that makes inputs from pixels or from a table's numbers; None if the inputs need more."""
        if self.mean:
            return Normalize(self.mean, self.std)
        columns = self.columns or []
        return Standardize(columns) if columns and all(isinstance(one, NumberColumn) for one in columns) else None

    def pixels(self, x: Tensor) -> Tensor:
        """Undo the normalisation: float32 inputs (B, C, H, W) -> uint8 pixels (B, H, W, 1 or 3)."""
        normalizer = self.normalizer()
        levels = normalizer.undo(x) if normalizer else x.permute(0, 2, 3, 1) * 255
        return levels[..., : 3 if levels.shape[3] > 2 else 1].round().clamp(0, 255).byte()


def is_list_of(values: Any, *kinds: type) -> bool:
    """Whether `values` is a list or tuple with at least one value, and all of these types."""
    return isinstance(values, list | tuple) and bool(values) and all(type(value) in kinds for value in values)


def is_drawn(dataset: dict[str, Any]) -> bool:
    """Whether the dataset of a stored configuration consists of drawings, for checkpoints that do not say so."""
    module, _, name = str((dataset.get("source") or {}).get("_target_")).rpartition(".")
    digits = str(dataset["_target_"]).startswith("proj.data.") and dataset["_target_"].endswith(".DigitsDataModule")
    return digits or (module.startswith("torchvision.") and name in DRAWN)


def pair(given: list[str], known: list[str]) -> tuple[list[int], list[str]]:
    """(For each class of the data, in `given`, its index among the model's, in `known`; the names to show).

    Classes are paired by their names, and shown by the model's. If no name is common and both have as many, they are
    paired by order, which is printed, and shown by the data's. Raises UserError if only some of the names agree.
    """
    found = classes_among(given, known)
    if len({*found.values()}) == len(given):
        return [found[name] for name in given], known
    if {*map(spelling, given)} & {*map(spelling, known)} or len(given) != len(known):
        raise UserError(
            f"the data has the classes {', '.join(given)} and the model {', '.join(known)}, which cannot be paired: "
            "give the data's classes the model's names, and remove the others."
        )
    pairs = ", ".join(f"{one} is {other}" for one, other in zip(given, known, strict=True))
    say(f"Note: the model knows none of the data's class names, so they are paired in their order: {pairs}.")
    return list(range(len(known))), given


class Normalize(nn.Module):
    """uint8 (B, H, W, C) pixels -> float32 (B, C, H, W), channels last in memory; `undo` goes back to 0..255.

    mean, std: for each channel, of pixels in 0..1.
    """

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        mean, std = torch.tensor(mean), torch.tensor(std)
        self.register_buffer("factor", 1 / (255 * std))
        self.register_buffer("offset", -mean / std)

    def forward(self, images: Tensor) -> Tensor:
        rows, width = images.float(), images.shape[2]
        factor, offset = self.factor, self.offset
        if len(factor) > 1:  # broadcasting over a last dimension of 3 takes six times as long as over whole rows
            rows, factor, offset = rows.flatten(2), factor.repeat(width), offset.repeat(width)
        return rows.mul_(factor).add_(offset).view(images.shape).permute(0, 3, 1, 2)

    def undo(self, x: Tensor) -> Tensor:
        return (x.permute(0, 2, 3, 1).float() - self.offset) / self.factor


class Standardize(nn.Module):
    """(B, F) numbers of a table, NaN if missing -> the float32 inputs that `encode_table` makes; `undo` goes back.

    For tables of numbers only. dtype: of the numbers: float64 if float32 is too coarse for a column, such as times in
    seconds since 1970.
    """

    def __init__(self, columns: Sequence[NumberColumn | AnswerColumn]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([column.mean for column in columns], dtype=torch.float64))
        self.register_buffer("std", torch.tensor([column.std for column in columns], dtype=torch.float64))
        coarse = bool((self.mean.abs() > 1000 * self.std).any())  # float32 would be off by 1e-4 deviations or more
        self.dtype = torch.float64 if coarse else torch.float32

    def forward(self, x: Tensor) -> Tensor:
        standard = ((x.double() - self.mean) / self.std).float()
        return torch.where(standard.isnan(), 0.0, standard)

    def undo(self, x: Tensor) -> Tensor:
        return (x * self.std + self.mean).to(self.dtype)
