from proj.models.classifier import Classifier
from proj.models.cnn import CNN
from proj.models.iris import IrisClassifier
from proj.models.mlp import MLP

__all__ = ["CNN", "MLP", "Classifier", "IrisClassifier"]
