"""The datamodules, what each kind of data becomes, and the batches that the training takes.

datamodule.py     what all datamodules share: three splits in memory, one loader factory
sklearn.py        Iris and the digits
torchvision.py    MNIST, Fashion-MNIST and CIFAR-10
image_folder.py   photos of one's own, found, read and resized by photos/
csv_table.py      a table of one's own, read and understood by tables/
images.py         what all datamodules of images share, and light augmentation: moved and mirrored
augment.py        strong augmentation: turned, coloured, erased, mixed
batches.py        cuts an epoch into batches, by draws that follow from seed, epoch and batch
features.py       what a frozen network makes of the images, kept in files
facts.py          how a picture or a row becomes a network's input, as a checkpoint keeps it
there.py          whether one's own data is there, asked before a run starts
parts.py          draws training, validation and test parts, or deals folds
part_names.py     the names of files and folders that are such parts
table_parts.py    the rows of a table that are in each part
copied_class.py   columns of a table that say the class itself
groups.py         examples that stay in one part: of one group, or identical
class_names.py    classes that are one, written in two ways
rare_classes.py   classes that are left out
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `as` says that a name is for others, too
    from proj.data.csv_table import CSVDataModule as CSVDataModule
    from proj.data.image_folder import ImageFolderDataModule as ImageFolderDataModule
    from proj.data.images import ImageDataModule as ImageDataModule
    from proj.data.sklearn import DigitsDataModule as DigitsDataModule
    from proj.data.sklearn import IrisDataModule as IrisDataModule
    from proj.data.torchvision import CIFAR10DataModule as CIFAR10DataModule
    from proj.data.torchvision import FashionMNISTDataModule as FashionMNISTDataModule
    from proj.data.torchvision import MNISTDataModule as MNISTDataModule

# Imported when they are first asked for: `there.py` takes no torch along.
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
