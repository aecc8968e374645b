"""A column of a table as a network takes it: what its cells hold, and how they become inputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from proj.data.tables.one_column import Column


@dataclass(frozen=True)
class InputColumn(ABC):
    """The base class of the kinds of columns: `NumberColumn`, `AnswerColumn`, `DateColumn`, `WordColumn`, `TextColumn`.

    name: in the table's header. kind: what the cells hold, in a word. width: the number of inputs that a cell becomes.
    Raises ValueError for a name that is no text, and for other fields that cannot be what a subclass describes, such as
    those of a damaged checkpoint.
    """

    name: str
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self._is_sound()):
            raise ValueError(f"{self} does not describe a column of a table.")

    @abstractmethod
    def _is_sound(self) -> bool:
        """Whether the fields that a subclass adds have the types and values that it describes."""

    @property
    def width(self) -> int:
        return 1

    @abstractmethod
    def encode(self, cells: Column, line: Callable[[int], str], decimal: str, marks: str) -> Tensor:
        """(B, width) float32, the inputs that these B cells become. line, decimal, marks: see `NumberColumn.values`."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them, without those that have their default; see `column_from`."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


def standardised(numbers: np.ndarray, mean: float, std: float) -> Tensor:
    """(B, 1) float32 inputs from float64 numbers (B,); a missing one, NaN, becomes 0, which is the mean."""
    return ((torch.from_numpy(numbers) - mean) / std).nan_to_num()[:, None].float()


def mean_and_std(numbers: np.ndarray) -> tuple[float, float]:
    """The mean of a column's numbers in the training part, and their standard deviation, or 1 if all are equal.

    numbers: (N,) float64, NaN if missing: in float32, milliseconds since 1970 that are a minute apart would be equal.
    """
    found = torch.from_numpy(numbers[~np.isnan(numbers)])
    varied = len(found) > 0 and bool((found != found[0]).any())  # rounding may give equal numbers a tiny deviation
    std = float(found.std()) if varied else 0.0
    return float(found.mean()), std or 1.0


def are_words(words: Any) -> bool:
    return isinstance(words, list | tuple) and all(type(word) is str for word in words)


def are_numbers(*values: Any) -> bool:
    return all(type(value) in (int, float) for value in values)
