"""The first images of a torchvision dataset, which are read only once, for benchmarks that start many runs."""

import copy
from functools import cache

from hydra.utils import get_class

IMAGES = 600


def first(root: str, train: bool, of: str, download: bool = False):
    """The dataset of the class named `of`, cut to its first 600 images."""
    return copy.deepcopy(_cut(root, train, of))  # since the caller may change it in place


@cache
def _cut(root: str, train: bool, of: str):
    dataset = get_class(of)(root=root, train=train)
    dataset.data, dataset.targets = dataset.data[:IMAGES], dataset.targets[:IMAGES]
    return dataset
