from proj.data.csv_table import CSVDataModule
from proj.data.image_folder import ImageFolderDataModule
from proj.data.images import ImageDataModule
from proj.data.sklearn import DigitsDataModule, IrisDataModule
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
