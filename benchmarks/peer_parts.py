"""Classes that benchmarks/peers.py adds to the command of this project: a clock, and a smaller CIFAR-10."""

import os
from typing import Any

from lightning.pytorch import Callback
from peer_programs import count, mark
from torchvision.datasets import CIFAR10


class Clock(Callback):
    """Writes the time after each epoch and its evaluation, and the number of trained parameters at the end."""

    def on_train_epoch_end(self, trainer, model) -> None:
        mark(os.environ["PEER_RESULT"])

    def on_train_end(self, trainer, model) -> None:
        mark(os.environ["PEER_RESULT"], parameters=count(model.network.parameters()))


class FewPhotos(CIFAR10):
    """CIFAR-10 with only its first 12,000 training images, and all test images.

    There are no checksums, so that another copy of the files, such as one of JPEG quality, can be read as well.
    """

    train_list = [[name, None] for name, _ in CIFAR10.train_list]
    test_list = [[name, None] for name, _ in CIFAR10.test_list]
    meta = {**CIFAR10.meta, "md5": None}

    def __init__(self, root: str, train: bool, **settings: Any) -> None:
        super().__init__(root, train, **settings)
        if train:
            self.data, self.targets = self.data[:12_000], self.targets[:12_000]
