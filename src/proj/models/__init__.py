from proj.models.classifier import Classifier
from proj.models.cnn import CNN
from proj.models.iris import IrisClassifier
from proj.models.mlp import MLP
from proj.models.optimizers import Muon
from proj.models.pretrained import Pretrained
from proj.models.tabm import TabM
from proj.models.whitened_cnn import WhitenedCNN

__all__ = ["CNN", "MLP", "Classifier", "IrisClassifier", "Muon", "Pretrained", "TabM", "WhitenedCNN"]
