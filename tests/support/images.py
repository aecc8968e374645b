"""Tiny images in the file formats of the official data sets."""

import pickle
import struct
from pathlib import Path

import numpy as np

TINY_CIFAR10 = "dataset.source._target_=support.classes.CIFAR10"  # torchvision's class without its checksums
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def read_image(file: Path, size: tuple[int, int], channels: int) -> np.ndarray:
    """uint8 (height, width, channels): an image file as a training on photos (not drawings) reads it."""
    from proj.data.photos.image_file import fit_image, open_image  # not at the top, since `conftest` imports no torch

    return fit_image(open_image(file, size, channels, {}), size)[0]


def load_photos(folder: Path, cache: Path, *overrides: str):
    """The datamodule of a folder of photos, set up, without mirroring or shifting."""
    from support.runs import make

    words = (f"data_dir={folder}", f"cache_dir={cache}", "size=8", "batch_size=4", "flip=false", "shift=0")
    return make("image_folder", *words, *overrides)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file, the format of MNIST."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.tobytes())


def draw(labels: np.ndarray, size: int, channels: int, seed: int) -> np.ndarray:
    """uint8 (N, size, size, channels): noise with a bright square whose position depends on the label."""
    images = np.random.default_rng(seed).integers(0, 80, (len(labels), size, size, channels), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 4)
        image[row * 7 : row * 7 + 6, column * 7 : column * 7 + 6] = 255
    return images


def write_official_sets(root: Path) -> None:
    """Write MNIST (KMNIST links to it), FashionMNIST and CIFAR-10 as files: 200 training and 100 test images."""
    labels = {"train": np.arange(200, dtype=np.uint8) % 10, "t10k": np.arange(100, dtype=np.uint8) % 10}
    for name in ("MNIST", "FashionMNIST"):
        for seed, (part, y) in enumerate(labels.items()):
            write_idx(root / name / "raw" / f"{part}-images-idx3-ubyte", draw(y, 28, 1, seed)[..., 0])
            write_idx(root / name / "raw" / f"{part}-labels-idx1-ubyte", y)
    (root / "KMNIST").symlink_to(root / "MNIST")
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        y = labels["train"][:40] if i < 5 else labels["t10k"]
        pixels = draw(y, 32, 3, i).transpose(0, 3, 1, 2).reshape(len(y), -1)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": y.tolist()}, protocol=4))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": CIFAR10_CLASSES}, protocol=4))
