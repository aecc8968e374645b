"""The data files that come with scikit-learn."""

import os
import warnings
import zlib
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from proj.errors import UserError


def sklearn_table(name: str, shape: tuple[int, int], skiprows: int = 0) -> Tensor:
    """A data file of scikit-learn's as float64, its last column the class, without an import that takes seconds.

    Raises UserError for a missing or damaged file.
    """
    file = os.path.join(find_spec("sklearn").submodule_search_locations[0], "datasets", "data", name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of an empty file
            table = torch.from_numpy(np.loadtxt(file, delimiter=",", skiprows=skiprows, encoding="utf-8"))
        if table.shape != shape or not 0 <= table.min() <= table.max() <= 16:
            raise ValueError(f"shape {tuple(table.shape)} or values are not those of the data set")
    except (OSError, EOFError, ValueError, UserWarning, zlib.error) as error:
        raise UserError(
            f"{file} is missing or damaged ({error}): pip install --force-reinstall --no-deps scikit-learn"
        ) from error
    return table
