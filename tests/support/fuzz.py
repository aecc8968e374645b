"""Gives mutated copies of files to the functions that read them, and counts how these end."""

import hashlib
import importlib.util
import io
import pickle
import random
import signal
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torchvision

import proj.data.sklearn
from proj.checkpoint.file import load_model
from proj.data import CIFAR10DataModule, DigitsDataModule, IrisDataModule, MNISTDataModule
from proj.errors import UserError
from proj.models import MLP
from support.images import write_idx
from support.processes import in_child

SECONDS = 20  # a reader that takes longer hangs


def mutations(content: bytes, number: int, seed: int) -> Iterator[bytes]:
    """`number` mutations of `content`: changed bits and bytes, deleted, doubled or overwritten pieces, cut ends."""
    draw = random.Random(seed)
    for _ in range(number):
        made = bytearray(content)
        for _ in range(draw.choice((1, 1, 1, 2, 8))):
            place, length = draw.randrange(len(made) + 1), draw.choice((1, 2, 4, 64, 1000))
            piece = bytes(made[place : place + length])
            kind = draw.randrange(7)
            if kind == 0 and piece:
                made[place] ^= 1 << draw.randrange(8)
            elif kind == 1:
                made[place : place + length] = draw.randbytes(length)
            elif kind == 2:
                del made[place : place + length]
            elif kind == 3:
                made[place:place] = piece
            elif kind == 4:
                del made[place:]
            elif kind == 5:
                made[place : place + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
            else:
                other = draw.randrange(len(made) + 1)
                made[other : other + length] = piece
        yield bytes(made)


def sealed(content: bytes, number: int, seed: int) -> Iterator[bytes]:
    """Checkpoints with a mutated pickle and right checksums, so that the mutation reaches the unpickler."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in records if name.endswith("data.pkl")]
    for made in mutations(records[name], number, seed):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for record, data in (records | {name: made}).items():
                archive.writestr(record, data)
        yield file.getvalue()


def survive(files: Iterator[bytes], read: Callable[[bytes], bool], guard: Path) -> Counter:
    """Count how `read` ends for each file: "the same", "other", "refused" (with a UserError), or another error.

    It runs in a process of its own, with SECONDS for each file. read: the file's content -> whether it was read as the
    unmutated file is. guard: where each file is written before it is read, so that one that kills the process is left.
    """

    def count() -> Counter:
        seen: Counter = Counter()

        def watch(event: str, details: tuple) -> None:
            if event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"):
                seen[f"executed {event}"] += 1

        sys.addaudithook(watch)
        for made in files:
            signal.alarm(SECONDS)
            guard.write_bytes(made)
            try:
                seen["the same" if read(made) else "other"] += 1
            except UserError:
                seen["refused"] += 1
            except BaseException as error:
                seen[f"{type(error).__name__}: {error}"[:200]] += 1
        signal.alarm(0)
        return seen

    return in_child(count)


def checkpoint(folder: Path) -> bytes:
    model = MLP((4,), 3, hidden=[8], norm="none")
    known = {"class_names": ["a", "b", "c"], "input_shape": [4], "mean": None, "std": None, "columns": None}
    node = {"_target_": "proj.models.MLP", "hidden": [8], "norm": "none", "loss": {"_target_": "torch.nn.NLLLoss"}}
    contents = {"state_dict": model.state_dict(), "epoch": 3, "proj": known | {"data": "0", "config": {"model": node}}}
    torch.save(contents, folder / "a.ckpt")
    return (folder / "a.ckpt").read_bytes()


def same(a, b) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a == b


def fuzz_checkpoints(folder: Path, number: int, seed: int, seal: bool) -> Counter:
    content, file = checkpoint(folder), folder / "mutated.ckpt"
    expected, known = load_model(folder / "a.ckpt")

    def read(made: bytes) -> bool:
        file.write_bytes(made)
        model, said = load_model(file)
        return same(said, known) and same(dict(model.state_dict()), dict(expected.state_dict()))

    return survive((sealed if seal else mutations)(content, number, seed), read, folder / "last")


def splits_of(data) -> list[bytes]:
    data.prepare_data()
    data.setup()
    return [tensor.numpy().tobytes() for split in data.splits.values() for tensor in split]


def fuzz_images(folder: Path, number: int, seed: int, name: str) -> Counter:
    """Mutate each file of a tiny data set in its official format; CIFAR-10 with checksums, as torchvision's has."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    labels = np.arange(40, dtype=np.uint8) % 10
    settings = {"batch_size": 4, "seed": 0, "val_fraction": 0.25, "split_seed": 0, "data_dir": str(folder)}
    if name == "MNIST":
        raw = folder / "MNIST" / "raw"
        for part in ("train", "t10k"):
            write_idx(raw / f"{part}-images-idx3-ubyte", images)
            write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
        files, module, source = sorted(raw.iterdir()), MNISTDataModule, torchvision.datasets.MNIST
    else:
        raw = folder / "cifar-10-batches-py"
        raw.mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (40, 3072), dtype=np.uint8)
        (raw / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(digit) for digit in range(10)]}))
        for part in ("data_batch_1", "test_batch"):
            (raw / part).write_bytes(pickle.dumps({"data": pixels, "labels": labels.tolist()}))
        files, module = sorted(raw.iterdir()), CIFAR10DataModule
        sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in files}

        class source(torchvision.datasets.CIFAR10):
            url = "http://127.0.0.1:9/none"
            train_list = [["data_batch_1", sums["data_batch_1"]]]
            test_list = [["test_batch", sums["test_batch"]]]
            meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}

    source.mirrors = ["http://127.0.0.1:9/"]
    expected, seen = splits_of(module(source=source, **settings)), Counter()
    for i, file in enumerate(files):
        whole = file.read_bytes()

        def read(made: bytes, file=file) -> bool:
            file.write_bytes(made)
            return splits_of(module(source=source, **settings)) == expected

        seen += survive(mutations(whole, number // len(files), seed + i), read, folder / "last")
        file.write_bytes(whole)
    return seen


def fuzz_tables(folder: Path, number: int, seed: int, name: str) -> Counter:
    file = {"iris": "iris.csv", "digits": "digits.csv.gz"}[name]
    data = Path(importlib.util.find_spec("sklearn").origin).parent / "datasets" / "data" / file
    target = folder / "datasets" / "data" / file
    target.parent.mkdir(parents=True)
    here = proj.data.sklearn
    real = here.find_spec
    here.find_spec = lambda name: SimpleNamespace(submodule_search_locations=[str(folder)])

    def module():
        if name == "iris":
            return IrisDataModule(batch_size=4, seed=0, split_seed=20, standardize=True)
        return DigitsDataModule(batch_size=4, seed=0, split_seed=0, val_fraction=0.2, test_fraction=0.2)

    def read(made: bytes) -> bool:
        target.write_bytes(made)
        return splits_of(module()) == expected

    try:
        target.write_bytes(data.read_bytes())
        expected = splits_of(module())
        return survive(mutations(data.read_bytes(), number, seed), read, folder / "last")
    finally:
        here.find_spec = real


FUZZ = {
    "checkpoint": lambda folder, number, seed: fuzz_checkpoints(folder, number, seed, seal=False),
    "checkpoint, checksums right": lambda folder, number, seed: fuzz_checkpoints(folder, number, seed, seal=True),
    "MNIST": lambda folder, number, seed: fuzz_images(folder, number, seed, "MNIST"),
    "CIFAR-10": lambda folder, number, seed: fuzz_images(folder, number, seed, "CIFAR-10"),
    "Iris": lambda folder, number, seed: fuzz_tables(folder, number, seed, "iris"),
    "digits": lambda folder, number, seed: fuzz_tables(folder, number, seed, "digits"),
}
# A mutation of a file without a checksum may be valid in its format; the data's checksum in a checkpoint shows it.
MAY_DIFFER = ("checkpoint, checksums right", "MNIST", "Iris")
