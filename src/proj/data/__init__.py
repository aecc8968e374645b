from proj.data.digits import DigitsDataModule
from proj.data.images import ImageDataModule
from proj.data.iris import IrisDataModule
from proj.data.torchvision import CIFAR10DataModule, FashionMNISTDataModule, MNISTDataModule

__all__ = [
    "CIFAR10DataModule",
    "DigitsDataModule",
    "FashionMNISTDataModule",
    "ImageDataModule",
    "IrisDataModule",
    "MNISTDataModule",
]
