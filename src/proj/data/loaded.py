"""What the `load` of a datamodule sets, its three splits, and the checks of those of a user's own class."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from proj.data.part_names import PARTS
from proj.data.tables.column_kinds import column_from
from proj.data.tables.input_column import InputColumn
from proj.errors import UserError
from proj.system.ranks import say
from proj.wording import how_many


class Split(NamedTuple):
    inputs: Tensor  # (N, ...), or `resized.OnDisk`, which is indexed like a tensor
    targets: Tensor  # (N,) int64


def check_loaded(data: Any, as_kept: bool) -> None:
    """Raises UserError if the datamodule's `load` has not set what the training needs, and reports what looks wrong.

    as_kept: whether the network gets the inputs as they are kept. Another `prepare` may take other inputs, such as
    photos on the disk, and turn them into others.
    """
    name = type(data).__name__
    if wrong := {*PARTS} ^ data.splits.keys():
        sets = f"no {min(wrong & {*PARTS})} part" if wrong & {*PARTS} else f"a part {min(wrong)!r}"
        raise UserError(f"{name}.load sets {sets}: self.splits takes train, val and test.")
    if (classes := len(data.class_names)) < 2:
        raise UserError(f"{name}.load sets {how_many(classes, 'class name')}, and a network needs two or more.")
    if other := [one for one in data.class_names if not isinstance(one, str)]:
        raise UserError(f"{name}.load sets class_names that are no texts: give {str(other[0])!r} for {other[0]!r}.")
    if isinstance(data.input_shape, list | tuple):
        data.input_shape = tuple(map(int, data.input_shape))  # x.shape[1:], too, is as a checkpoint can hold it
    data.class_names = list(data.class_names)
    for part, split in data.splits.items():
        if not (isinstance(split, Split) and all(isinstance(one, Tensor) for one in split[not as_kept :])):
            what = "no Split(inputs, targets) of two tensors, as README.md shows it"
            raise UserError(f"{name}.load gives its {part} part {what}.")
        if len(split.inputs) != len(split.targets) or not len(split.targets):
            counts = f"{len(split.inputs)} inputs and {len(split.targets)} targets"
            raise UserError(f"{name}.load gives its {part} part {counts}.")
        if as_kept:
            check_inputs(data, part, split.inputs)
        check_targets(name, part, split.targets, classes)
    if as_kept and data.kind == "image":
        check_images(data)
    data.columns = columns_of(data)


def columns_of(data: Any) -> list[InputColumn] | None:
    """The columns of the data. A class of the user's own may give their descriptions, as a checkpoint holds them.
    Raises UserError for what describes none."""
    try:
        return None if data.columns is None else [*map(column_from, data.columns)]
    except (TypeError, ValueError) as error:
        example = '{"name": "height", "mean": 1.7, "std": 0.1}'
        raise UserError(f"{type(data).__name__}.load sets columns that are not such as {example} ({error}).") from error


def refuse_other_order(data: Any, part: str, labels: list[Tensor]) -> None:
    """Raises UserError if the labels that a part's loader gave are not those of the part, so that an answer is not that
    of the example at its place. labels: those of each batch."""
    if not torch.equal(torch.cat(labels).cpu(), data.splits[part].targets.cpu()):
        raise UserError(
            f"{type(data).__name__}.{part}_dataloader gives other examples than its splits, or in another order: make "
            f"it of self.splits[{part!r}] without shuffle or a sampler, or leave it out."
        )


def shape_and_type(tensor: Tensor, shape: torch.Size) -> str:
    """A shape, and the tensor's dtype and, unless it is dense, its layout: (5, 4) in float32, (5, 4) in float32 as
    sparse_coo."""
    layout = "" if tensor.layout == torch.strided else f" as {tensor.layout}"
    return f"{tuple(shape)} in {tensor.dtype}{layout}".replace("torch.", "")


def check_inputs(data: Any, part: str, inputs: Tensor) -> None:
    """Raises UserError for inputs that are not of `input_shape`, in float32; reports NaN."""
    gives = f"{type(data).__name__}.load gives its {part} part"
    right = f"{data.input_shape} in float32"
    given = shape_and_type(inputs, inputs.shape[1:])
    if given != right:
        raise UserError(f"{gives} inputs of the shape {given}, and not {right}.")
    if inputs.requires_grad:
        raise UserError(f"{gives} inputs with the graph of the network that made them: give inputs.detach().")
    if not math.isfinite(sum(inputs.aminmax())):
        say(f"{gives} NaN or infinite inputs, with which a network answers NaN: replace them there.")


def check_targets(name: str, part: str, targets: Tensor, classes: int) -> None:
    """Raises UserError for targets that are no indices of classes."""
    given = shape_and_type(targets, targets.shape)
    if targets.ndim == 1 and given.endswith("int64"):
        least, most = (int(one) for one in targets.aminmax())
        if least >= 0 and most < classes:
            return
        given = f"{least} to {most}"
    right = f"whole numbers (int64), 0 to {classes - 1} for its {how_many(classes, 'class')}"
    raise UserError(
        f"{name}.load gives its {part} part other targets than {right}, one for each example (not {given})."
    )


def check_images(data: Any) -> None:
    """Raises UserError for a shape, or a `mean` and `std`, that images cannot have; reports those that look wrong.

    `predict` and exported files make an input from a file as (pixels / 255 - mean) / std, so that the inputs must be
    made in this way, too, if `load` sets mean and std.
    """
    name, shape, (mean, std) = type(data).__name__, data.input_shape, (data.mean, data.std)
    if len(shape) != 3:
        cure = "give x.unsqueeze(1)" if len(shape) == 2 else "kind = 'table' takes any other shape"
        raise UserError(f"{name}.load sets input_shape={shape}, and images have (channels, height, width): {cure}.")
    if shape[2] <= 4 < shape[0]:
        say(
            f"{name}.load sets input_shape={shape}, which is {shape[0]} channels of {shape[1]}×{shape[2]} pixels: if "
            "it should be (height, width, channels), give x.permute(0, 3, 1, 2)."
        )
    if mean is None and std is None:
        return
    numbers = [one.tolist() if hasattr(one, "tolist") else one for one in (mean, std)]
    if not all(isinstance(one, list | tuple) and len(one) == shape[0] for one in numbers):
        raise UserError(f"{name}.load sets other mean and std than two lists of {how_many(shape[0], 'number')} each.")
    data.mean, data.std = ([float(value) for value in one] for one in numbers)
    scale, offset = (torch.tensor(one).view(-1, 1, 1) for one in (data.std, data.mean))
    inputs = data.splits["train"].inputs[:1000]
    least, most = (float(one) for one in (inputs * scale + offset).aminmax())
    is_pixels = bool((inputs >= 0).all() and (inputs <= 1).all()) and min(data.mean) > 0
    if least < -0.01 or most > 1.01 or is_pixels:
        found = "0 to 1, as pixels are" if is_pixels else f"made from pixels of {255 * least:.0f} to {255 * most:.0f}"
        say(
            f"{name}.load sets mean and std, with which predict makes inputs as (pixels / 255 - mean) / std, and its "
            f"own inputs are {found}: make them in the same way, or leave mean and std out."
        )
