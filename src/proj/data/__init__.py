"""The datamodules, what each kind of data becomes, and the batches that the training takes.

datamodule.py     what all datamodules share: three splits in memory, one loader factory
sklearn.py        Iris and the digits
torchvision.py    MNIST, Fashion-MNIST and CIFAR-10
image_folder.py   photos of one's own, found, read and resized by photos/
csv_table.py      a table of one's own, read and understood by tables/
images.py         what all datamodules of images share
crop_and_flip.py  light augmentation: moved and mirrored
augment.py        strong augmentation: turned, coloured, erased, mixed
batches.py        cuts an epoch into batches, by draws that follow from seed, epoch and batch
features.py       what a frozen network makes of the images, kept in files
facts.py          how a picture or a row becomes a network's input, as a checkpoint keeps it
parts.py          draws training, validation and test parts, or deals folds
part_names.py     the names of files and folders that are such parts
table_parts.py    the rows of a table that are in each part
copied_class.py   columns of a table that say the class itself
groups.py         examples that stay in one part: of one group, or identical
class_names.py    classes that are one, written in two ways
rare_classes.py   classes that are left out
"""

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
