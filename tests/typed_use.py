"""The public surface as a program of somebody else's uses it. `mypy` reads this file; nothing runs it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor, nn
from typing_extensions import assert_type

import proj.evaluate
import proj.export
import proj.predict
import proj.report
import proj.sweep
from proj import configure, load_model, train
from proj.config import build, stored_config
from proj.data import CIFAR10DataModule, CSVDataModule, DigitsDataModule, ImageFolderDataModule, IrisDataModule
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.splitting import stratified
from proj.errors import UserError
from proj.models import CNN, MLP, Classifier, IrisClassifier, Muon
from proj.train import main

cfg = configure("dataset=digits", "model=mlp")
assert_type(cfg, DictConfig)
assert_type(train(cfg), dict[str, Any])
assert_type(train(stored_config(Path("outputs/run"), ["trainer.max_epochs=3"])), dict[str, Any])
assert_type(build(cfg.dataset), Any)  # whatever its `_target_` names

model, known = load_model("best.ckpt", trust=["linear"])
assert_type(model, Classifier)
assert_type(model.network, nn.Module)
assert_type(known, dict[str, Any])


def networks(x: Tensor, y: Tensor) -> list[Classifier]:
    cnn = CNN((1, 28, 28), 10, widths=[32, 64], head="max")
    mlp = MLP((4,), 3, hidden=(16,), loss=nn.CrossEntropyLoss())
    assert_type(mlp.predict_step((x, y), 0), Tensor)
    assert_type(mlp.training_step((x, y), 0), Tensor)
    assert_type(Muon(mlp.parameters(), 0.1, 0.9, 0.1, 0.1, 0.9, 0.01).step(), float | None)
    return [cnn, mlp, IrisClassifier((4,), 3)]


def data() -> Sequence[InMemoryDataModule]:
    iris = IrisDataModule(batch_size=32, seed=1, split_seed=0, standardize=True)
    digits = DigitsDataModule(test_fraction=0.2, batch_size=32, seed=1, split_seed=0)
    folder = ImageFolderDataModule("photos", 64, 3, 0.2, 1000, "cache", batch_size=32, seed=1)
    table = CSVDataModule("table.csv", "species", [], [], 100, 0.1, 0.2, 0, batch_size=32, seed=1)
    assert_type(digits.splits["train"], Split)
    assert_type(digits.class_names, list[str])
    assert_type(digits.input_shape, tuple[int, ...])
    return [iris, digits, folder, table]


class WineDataModule(InMemoryDataModule):
    def load(self) -> None:
        targets = Tensor([0, 1]).long()
        rest, test = stratified(targets, 0.5, seed=0)
        self.splits = {"train": Split(targets[rest], targets[rest]), "test": Split(targets[test], targets[test])}


class Linear(Classifier):
    def __init__(self, input_shape: tuple[int, ...], num_classes: int, **training: Any) -> None:
        super().__init__(num_classes, **training)
        self.network = nn.Linear(input_shape[0], num_classes)


commands = [main, proj.evaluate.main, proj.predict.main, proj.export.main, proj.report.main, proj.sweep.main]
for command in commands:
    assert_type(command(), None)
try:
    assert issubclass(CIFAR10DataModule, InMemoryDataModule)
except UserError as error:
    print(error)
