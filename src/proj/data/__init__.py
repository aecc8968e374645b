from proj.data.csv_table import CSVDataModule
from proj.data.digits import DigitsDataModule
from proj.data.image_folder import ImageFolderDataModule
from proj.data.images import ImageDataModule
from proj.data.iris import IrisDataModule
from proj.data.torchvision import CIFAR10DataModule, FashionMNISTDataModule, MNISTDataModule

__all__ = [
    "CIFAR10DataModule",
    "CSVDataModule",
    "DigitsDataModule",
    "FashionMNISTDataModule",
    "ImageDataModule",
    "ImageFolderDataModule",
    "IrisDataModule",
    "MNISTDataModule",
]
