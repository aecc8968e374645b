"""What benchmarks/peers.py adds to this project's own command: a clock, and fewer photos."""

import os
from typing import Any

from lightning.pytorch import Callback
from peer_programs import count, mark
from torchvision.datasets import CIFAR10


class Clock(Callback):
    """Notes when an epoch and its evaluation have ended, and at last how many parameters were trained."""

    def on_train_epoch_end(self, trainer, model) -> None:
        mark(os.environ["PEER_RESULT"])

    def on_train_end(self, trainer, model) -> None:
        mark(os.environ["PEER_RESULT"], parameters=count(model.network.parameters()))


class FewPhotos(CIFAR10):
    """The first 12,000 of CIFAR-10's training images, and its test images; a copy of the files will do."""

    train_list = [[name, None] for name, _ in CIFAR10.train_list]
    test_list = [[name, None] for name, _ in CIFAR10.test_list]
    meta = {**CIFAR10.meta, "md5": None}

    def __init__(self, root: str, train: bool, **settings: Any) -> None:
        super().__init__(root, train, **settings)
        if train:
            self.data, self.targets = self.data[:12_000], self.targets[:12_000]
