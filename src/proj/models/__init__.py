"""The networks, and what all of them share.

classifier.py    the base of all: step, loss, optimizer, activations
measuring.py     the figures of steps, validations and tests
metrics.py       the counts behind them
logits.py        from logits to probabilities and a class
balance.py       classes of unequal size
schedules.py     learning rates over a run
optimizers.py    Muon
mlp.py           `MLP`
cnn.py           `CNN`
whitened_cnn.py  `WhitenedCNN`, that of the records
iris.py          `IrisClassifier`, that of the tutorial
tabm.py          `TabM`, for tables
pretrained.py    `Pretrained`, for photos
backbones.py     the networks of torchvision and timm, and their weights
"""

from proj.models.classifier import Classifier
from proj.models.cnn import CNN
from proj.models.iris import IrisClassifier
from proj.models.mlp import MLP
from proj.models.optimizers import Muon
from proj.models.pretrained import Pretrained
from proj.models.tabm import TabM
from proj.models.whitened_cnn import WhitenedCNN

__all__ = ["CNN", "MLP", "Classifier", "IrisClassifier", "Muon", "Pretrained", "TabM", "WhitenedCNN"]
