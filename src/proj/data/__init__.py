"""The datamodules, and the loader that cuts their data into batches.

datamodule.py     the base class of all datamodules: three splits in memory, and one loader factory
loaded.py         the three splits that a datamodule's `load` sets, and checks of those of a user's own class
sklearn.py        Iris and the digits
torchvision.py    MNIST, Fashion-MNIST and CIFAR-10
image_folder.py   the user's own photos, which photos/ finds, reads and resizes
listed_photos.py  finds the photos whose classes a table lists
image_names.py    matches the cells of such a table with the names of photos
csv_table.py      the user's own table, which tables/ reads and encodes
images.py         the base class of all image datamodules, with light augmentation: shift and flip
shrinking.py      trains on smaller images first (dataset.sizes)
augment.py        strong augmentation: crop, rotate, colour jitter, erase, MixUp, CutMix
batches.py        the loader; its shuffling and augmentation depend only on seed, epoch and batch
features.py       a frozen network's features of the images, cached in files
facts.py          how an image or a row becomes a network's input, as stored in each checkpoint
exists.py         checks before a run starts that the user's data exists
splitting.py      splits examples into training, validation and test parts, or into folds
part_names.py     recognises files and folders that are named after a part
table_parts.py    assigns the rows of a table to the parts
row_order.py      splits a table by the order of a column, such as the date
copies.py         warns of test examples that are copies of training examples
copied_class.py   warns of columns that reveal the class
groups.py         keeps examples of one group, or identical images, in one part
class_names.py    matches class names that are spelled differently
word_remarks.py   remarks on the words of a table and on its classes
rare_classes.py   leaves out classes with too few examples, and unknown classes
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `as` marks a name as exported
    from proj.data.csv_table import CSVDataModule as CSVDataModule
    from proj.data.image_folder import ImageFolderDataModule as ImageFolderDataModule
    from proj.data.images import ImageDataModule as ImageDataModule
    from proj.data.sklearn import DigitsDataModule as DigitsDataModule
    from proj.data.sklearn import IrisDataModule as IrisDataModule
    from proj.data.torchvision import CIFAR10DataModule as CIFAR10DataModule
    from proj.data.torchvision import FashionMNISTDataModule as FashionMNISTDataModule
    from proj.data.torchvision import MNISTDataModule as MNISTDataModule

# Imported on first use, so that importing `exists.py` from this package does not import torch.
HOMES = {
    "CIFAR10DataModule": "torchvision",
    "CSVDataModule": "csv_table",
    "DigitsDataModule": "sklearn",
    "FashionMNISTDataModule": "torchvision",
    "ImageDataModule": "images",
    "ImageFolderDataModule": "image_folder",
    "IrisDataModule": "sklearn",
    "MNISTDataModule": "torchvision",
}


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"proj.data.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
