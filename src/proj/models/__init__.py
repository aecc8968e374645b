"""The networks, and what all of them share.

classifier.py    the base class of all models: step, loss, optimizer, activations
measuring.py     computes and logs the metrics of training, validation and test
metrics.py       the torchmetrics classes behind them
logits.py        turns logits into calibrated probabilities and a class
balance.py       handles classes of unequal size
schedules.py     learning rate schedules
optimizers.py    Muon
mlp.py           `MLP`
cnn.py           `CNN`
whitened_cnn.py  `WhitenedCNN`, the network of the CIFAR-10 speed records
iris.py          `IrisClassifier`, the network of the usual tutorial
tabm.py          `TabM`, for tables
pretrained.py    `Pretrained`, for photos
backbones.py     pretrained networks of torchvision and timm, and their weights
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
