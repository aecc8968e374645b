"""The known data sets: their parts, their batches, their augmentation, and files that are damaged or missing."""

import gzip
import http.server
import math
import threading
import time
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from support.images import write_idx

from proj.data import MNISTDataModule
from proj.data.batches import Batches
from proj.data.datamodule import InMemoryDataModule, Split
from proj.data.facts import Facts
from proj.data.images import ImageDataModule, crop_and_flip, partition
from proj.data.splitting import draw_parts, stratified
from proj.data.tables.number_column import NumberColumn
from proj.errors import UserError

ALL = ("iris", "digits", "mnist", "fashion_mnist", "cifar10")


def rows(split) -> set[bytes]:
    return {row.numpy().tobytes() for row in split.inputs}


@pytest.mark.parametrize("name", ALL)
def test_splits_have_the_stated_shape_and_classes(load, name):
    data = load(name)
    x, y = next(iter(data.train_dataloader()))
    assert x.shape[1:] == data.input_shape and x.dtype == torch.float32
    assert y.dtype == torch.int64 and set(y.tolist()) <= set(range(data.num_classes))
    assert len(data.class_names) == (3 if name == "iris" else 10)


@pytest.mark.parametrize("name", ("digits", "mnist", "cifar10"))
def test_validation_and_test_never_overlap_with_training(load, name):
    splits = load(name).splits
    train, val, test = (rows(splits[split]) for split in ("train", "val", "test"))
    assert not train & val and not train & test and not val & test


def test_validation_holds_the_same_share_of_every_class(load):
    counts = load("mnist", "dataset.val_fraction=0.2").splits["val"].targets.bincount()
    assert counts.tolist() == [4] * 10


def test_another_training_seed_leaves_the_validation_part_fixed(load):
    a, b = load("digits", "seed=1"), load("digits", "seed=2")
    assert torch.equal(a.splits["val"].inputs, b.splits["val"].inputs)
    assert not torch.equal(next(iter(a.train_dataloader()))[1], next(iter(b.train_dataloader()))[1])


def test_the_official_test_set_is_the_test_set(load, data_dir):
    raw = np.fromfile(data_dir / "MNIST/raw/t10k-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 28, 28, 1)
    assert np.array_equal(load("mnist").splits["test"].inputs.numpy(), raw)


def test_iris_is_split_as_in_the_tutorial(load):
    splits = load("iris").splits
    assert [len(split.targets) for split in splits.values()] == [105, 30, 15]
    order = torch.randperm(150, generator=torch.Generator().manual_seed(20))  # what random_split does
    species = torch.arange(150) // 50
    assert torch.equal(splits["test"].targets, species[order[135:]])


def test_iris_is_standardised_on_its_training_part(load):
    train = load("iris").splits["train"].inputs
    assert train.mean(0).abs().max() < 1e-5 and (train.std(0) - 1).abs().max() < 1e-5
    assert load("iris", "dataset.standardize=false").splits["train"].inputs.max() == pytest.approx(7.9)


@pytest.mark.parametrize("name", ("mnist", "cifar10"))
def test_training_pixels_are_normalised_per_channel(load, name):
    data = load(name, "dataset.flip=false", "dataset.shift=0")
    x = torch.cat([x for x, _ in data.train_dataloader()])
    assert x.mean((0, 2, 3)).abs().max() < 1e-4 and (x.std((0, 2, 3)) - 1).abs().max() < 1e-3


def test_given_mean_and_deviation_scale_to_plus_minus_one(load):
    x, _ = next(iter(load("cifar10", "dataset.mean=[0.5,0.5,0.5]", "dataset.std=[0.5,0.5,0.5]").test_dataloader()))
    assert x.min() >= -1 and x.max() == pytest.approx(1)


def batches(examples: int, size: int, seed=0) -> Batches:
    """Batches of numbers, shuffled."""
    x = torch.arange(float(examples))
    return Batches(x, torch.arange(examples), size, lambda x, i, draws, epoch: x[i], shuffle=True, seed=seed)


@pytest.mark.parametrize(("examples", "sizes"), ((10, [4, 4, 2]), (9, [4, 5])))  # one left over joins those before it
def test_every_example_comes_once_an_epoch_and_the_last_batch_is_used(examples, sizes):
    parts = [y.tolist() for _, y in batches(examples, 4)]
    assert [len(part) for part in parts] == sizes and len(batches(examples, 4)) == len(sizes)
    assert sorted(y for part in parts for y in part) == list(range(examples))


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed: int, epoch: int) -> list[int]:
        made = batches(50, 8, seed)
        made.set_epoch(epoch)
        torch.rand(seed + 3)  # what else draws random numbers does not matter
        return torch.cat([y for _, y in made]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize(("width", "channels"), ((8, 3), (11, 3), (8, 1)))
def test_augmentation_equals_padding_cropping_and_flipping_each_image(width, channels):
    images = torch.randint(0, 256, (6, 8, width, channels), dtype=torch.uint8)
    padded = torch.nn.functional.pad(images.permute(0, 3, 1, 2).float(), (2, 2, 2, 2), mode="reflect")
    index = torch.tensor([5, 0, 3, 3, 3, 3, 3, 3, 3, 3])
    mirrored = torch.tensor([True, False] * 5)
    made = crop_and_flip(images, index, 2, mirrored, torch.Generator().manual_seed(1))
    seen = set()
    for i, flip, image in zip(index.tolist(), mirrored, made.permute(0, 3, 1, 2).float(), strict=True):
        crops = {(r, c): padded[i, :, r : r + 8, c : c + width] for r in range(5) for c in range(5)}
        found = [place for place, crop in crops.items() if torch.equal(image, crop.flip(2) if flip else crop)]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 5  # each image has its own draw


@pytest.mark.parametrize("shift", (8, 17))
def test_images_are_moved_by_less_than_their_size(load, shift):
    with pytest.raises(UserError, match=f"dataset.shift={shift} moves images of 8×8 .*: choose dataset.shift=7 or"):
        load("digits", f"dataset.shift={shift}").train_dataloader()
    next(iter(load("digits", "dataset.shift=7").train_dataloader()))
    assert len(load("digits", f"dataset.shift={shift}").test_dataloader())  # a checkpoint from before can be measured


def test_two_classes_of_one_name_are_refused(load, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.MNIST.classes", ["a"] * 10)
    with pytest.raises(UserError, match="two classes of the data are called 'a'"):
        load("mnist")


def test_partition_is_indexing_without_a_copy():
    images = torch.arange(5000).view(-1, 1, 1, 1)
    rest, part = stratified(torch.arange(5000) % 7, 0.3, seed=0)
    expected = torch.cat([images[rest], images[part]])
    assert torch.equal(partition(images, rest, part), expected) and torch.equal(images, expected)


def test_every_part_has_its_share_of_every_class_and_at_least_one_example():
    targets, names, fractions = torch.tensor([0, 0, 0, 1] * 100), ["a", "b"], {"test": 0.2, "val": 0.25}
    parts, of_one, of_four = (
        draw_parts(targets, names, fractions, 0, groups) for groups in (None, np.arange(400), np.arange(400) // 4)
    )
    assert all(torch.equal(part, of_one[name]) for name, part in parts.items())
    sizes = {"train": [180, 60], "test": [60, 20], "val": [60, 20]}
    assert sizes == {name: targets[part].bincount().tolist() for name, part in parts.items()}
    assert sizes == {name: targets[part].bincount().tolist() for name, part in of_four.items()}
    rare = draw_parts(torch.tensor([0] * 9 + [1] * 3), names, {"test": 0.5, "val": 0.5}, 0)
    assert all((part >= 9).sum() == 1 for part in rare.values())


def test_every_image_is_mirrored_in_every_second_epoch_half_of_them_in_the_first(load):
    data, other = (load("cifar10", "dataset.shift=0", "dataset.batch_size=180", f"seed={seed}") for seed in (0, 1))
    plain = data.normalize(data.splits["train"].inputs)

    def mirrored(epoch: int, data=data) -> list[bool]:
        everything = torch.arange(len(plain))
        x = data.prepare(data.splits["train"].inputs, everything, torch.Generator(), epoch)
        flipped = [not torch.equal(made, image) for made, image in zip(x, plain, strict=True)]
        expected = [image.flip(2) if flip else image for flip, image in zip(flipped, plain, strict=True)]
        assert torch.equal(x, torch.stack(expected))
        return flipped

    assert mirrored(0) == mirrored(2) == [not flag for flag in mirrored(1)]
    assert 60 < sum(mirrored(0)) < 120  # of 180
    assert mirrored(0, other) != mirrored(0)


def test_a_validation_part_of_no_example_is_refused(load):
    with pytest.raises(UserError, match=r"val_fraction=0.01 of 200 examples leaves 200 for training and 0 for val"):
        load("mnist", "dataset.val_fraction=0.01")


def test_evaluation_batches_are_never_augmented(load):
    data = load("cifar10")
    assert torch.equal(next(iter(data.val_dataloader()))[0], next(iter(data.val_dataloader()))[0])
    assert torch.equal(next(iter(data.val_dataloader()))[0][:5], data.normalize(data.splits["val"].inputs[:5]))


def test_another_torchvision_class_takes_the_place_by_one_override(load):
    data = load("mnist", "dataset.source._target_=torchvision.datasets.KMNIST")
    assert data.class_names[:2] == ["o", "ki"]


def test_missing_data_says_where_it_was_looked_for_and_what_to_type(load, tmp_path, monkeypatch):
    def refuse(*args, **settings):
        raise OSError("network unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(UserError, match=f"MNIST is missing .*{tmp_path}/none.*data_dir=.*dataset=digits"):
        load("mnist", f"data_dir={tmp_path}/none")


def write_mnist(folder: Path, train=20, test=20, labels=20, size=28, test_size=28, classes=10) -> Path:
    """MNIST's four files with so many images, labels and classes; the folder of the files."""
    raw = folder / "MNIST" / "raw"
    for part, count, side in (("train", train, size), ("t10k", test, test_size)):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.zeros((count, side, side), np.uint8))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(labels, dtype=np.uint8) % classes)
    return raw


def test_files_that_do_not_belong_together_are_refused(load, tmp_path):
    for settings, sentence in (
        ({"labels": 19}, "20 images but 19 labels"),
        ({"test_size": 14}, "28×28×1 and 14×14×1"),
        ({"classes": 20}, "labels 0 to 19 for 10 classes"),
    ):
        write_mnist(tmp_path, **settings)
        with pytest.raises(UserError, match=sentence):
            load("mnist", f"data_dir={tmp_path}")


@pytest.mark.parametrize("content", (b"<html>not found</html>", b"\0\0\x08\x03" + bytes(20)))
def test_a_truncated_or_foreign_idx_file_is_named(load, tmp_path, content):
    (write_mnist(tmp_path) / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is truncated or is not a file of MNIST"):
        load("mnist", f"data_dir={tmp_path}")


def test_a_truncated_cifar_batch_is_named(load, tmp_path, data_dir):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for file in (data_dir / "cifar-10-batches-py").iterdir():
        (folder / file.name).write_bytes(file.read_bytes()[: 5000 if file.name == "data_batch_3" else None])
    with pytest.raises(UserError, match=r"A file in .* is truncated or is not a file of CIFAR10"):
        load("cifar10", f"data_dir={tmp_path}")


@pytest.mark.parametrize(
    ("source", "sentence"),
    (
        ("SVHN", "SVHN cannot be opened with root=…, train=… .*'train'.*: .dataset.source.<argument>=… g"),
        ("EMNIST", "EMNIST cannot be opened with .*'split'.*as torchvision.datasets.KMNIST can"),
        ("VisionDataset", "VisionDataset cannot be opened with"),
    ),
)
def test_a_source_that_is_opened_otherwise_is_not_called_a_damaged_file(load, source, sentence):
    with pytest.raises(UserError, match=sentence):
        load("mnist", f"dataset.source._target_=torchvision.datasets.{source}")


class Digits:
    """A source that has its data, and takes no download=…"""

    classes = [*"0123456789"]

    def __init__(self, root: str, train: bool) -> None:
        self.data = torch.arange(100, dtype=torch.uint8).repeat_interleave(16).reshape(100, 4, 4)
        self.targets = torch.arange(100) % 10


class Absent:
    def __init__(self, root: str, train: bool) -> None:
        raise RuntimeError("Dataset not found.")


def test_only_a_source_whose_data_is_missing_has_to_take_download(load):
    assert len(load("mnist", f"dataset.source._target_={__name__}.Digits").splits["test"].targets) == 100
    with pytest.raises(UserError, match=r"Absent cannot be opened with root=…, train=…, download=… .*'download'"):
        load("mnist", f"dataset.source._target_={__name__}.Absent")


def test_a_source_without_classes_is_one_sentence(load, monkeypatch):
    monkeypatch.delattr(torchvision.datasets.MNIST, "classes")
    with pytest.raises(UserError, match="MNIST has no classes: a source has data, targets and classes, as"):
        load("mnist")


def test_a_batch_larger_than_the_data_has_all_of_it_and_says_so(load, capsys):
    loader = load("iris", "dataset.batch_size=106").train_dataloader()
    assert [len(y) for _, y in loader] == [105] == [len(load("iris").splits["train"].targets)]
    said = "dataset.batch_size=106 is more than the 105 training examples: all in one batch."
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("name", "file"), (("iris", "iris.csv"), ("digits", "digits.csv.gz")))
@pytest.mark.parametrize("damage", ("missing", "cut off", "empty", "another file", "another class"))
def test_a_damaged_file_of_scikit_learns_is_named(load, tmp_path, monkeypatch, name, file, damage):
    def make(change) -> bytes:
        text = change(opened(original).read().decode()).encode()
        return gzip.compress(text) if file.endswith("gz") else text

    original = Path(find_spec("sklearn").origin).parent / "datasets" / "data" / file
    opened = gzip.open if file.endswith("gz") else open
    opened = partial(opened, mode="rb")
    content = {"cut off": original.read_bytes()[:1000], "empty": b"", "another file": b"<html>not found</html>"}
    content["another class"] = make(lambda text: text.rstrip()[:-1] + "77\n")
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    if damage in content:
        (folder / file).write_bytes(content[damage])
    found = SimpleNamespace(submodule_search_locations=[tmp_path])
    monkeypatch.setattr("proj.data.sklearn.find_spec", lambda name: found)
    with pytest.raises(UserError, match=f"{file} is missing or damaged .*pip install --force-reinstall"):
        load(name)


class Serve(http.server.BaseHTTPRequestHandler):
    """Answers with a page, with the first half of a file, or not at all."""

    def do_GET(self) -> None:
        body = {"page": b"<html>Please sign in</html>", "half": bytes(5000), "refuse": b""}[self.server.answers]
        self.send_response(403 if self.server.answers == "refuse" else 200)
        self.send_header("Content-Length", str(len(body) * (2 if self.server.answers == "half" else 1)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "answers"), (("mnist", "page"), ("fashion_mnist", "half"), ("mnist", "refuse"), ("cifar10", "half"))
)
def test_a_download_that_fails_is_one_sentence_and_leaves_no_data(load, tmp_path, monkeypatch, name, answers):
    server = http.server.HTTPServer(("127.0.0.1", 0), Serve)
    server.answers = answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    source = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}[name]
    official = getattr(torchvision.datasets, source)
    if name == "cifar10":
        monkeypatch.setattr(official, "url", f"{url}cifar.tar.gz")
    else:
        monkeypatch.setattr(official, "mirrors", [url])
    word = f"dataset.source._target_=torchvision.datasets.{source}"
    try:
        for _ in range(2):  # what the first leaves does not pass for data
            with pytest.raises(UserError, match=rf"{source} is missing or damaged .* not be downloaded \(.+\)\. N"):
                load(name, f"data_dir={tmp_path}/new/data", word)
    finally:
        server.shutdown()
        server.server_close()
    if answers == "refuse":
        assert not list(tmp_path.iterdir())


def test_of_several_processes_that_need_data_one_downloads_it(tmp_path):
    downloads = []

    def source(root, train, download=False):  # as torchvision's
        if not Path(root, "images").exists():
            if not download:
                raise RuntimeError("Dataset not found.")
            downloads.append(root)
            time.sleep(0.2)
            Path(root, "images").touch()

    settings = {"batch_size": 1, "seed": 0, "val_fraction": 0.1, "split_seed": 0, "mean": None, "std": None}
    data = [MNISTDataModule(source, str(tmp_path / "data"), **settings, flip=False, shift=0) for _ in range(3)]
    threads = [threading.Thread(target=each.prepare_data) for each in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1


def of_images(images: torch.Tensor, facts: Facts | None = None) -> ImageDataModule:
    """The datamodule of images of two classes by turns, which are its test part too; facts: of another training."""
    data, targets = ImageDataModule(batch_size=4, seed=0, val_fraction=0.2, split_seed=0), torch.arange(len(images)) % 2
    if facts:
        data.take(facts)
    data.set_splits(Split(images.clone(), targets), Split(images, targets), ["a", "b"])
    return data


def test_a_channel_of_one_value_alone_becomes_finite_numbers_around_zero():
    """Such as one that a camera has left black: its deviation is 0."""
    images = torch.randint(0, 256, (20, 4, 4, 3), dtype=torch.uint8)
    images[..., 2] = 7
    data = of_images(images)
    for split in data.splits.values():
        x = data.prepare(split.inputs, slice(None), None)
        assert x.isfinite().all() and x[:, 2].abs().max() < 0.01


@pytest.mark.parametrize(("dataset", "draws"), (("iris", False), ("digits", True)))
def test_only_where_something_may_draw_numbers_a_batch_has_a_generator(load, dataset, draws):
    data, seen = load(dataset), []
    loader = data.train_dataloader()
    prepare = loader.prepare
    loader.prepare = lambda inputs, index, generator, epoch: seen.append(generator) or prepare(inputs, index, generator)
    next(iter(loader))
    assert (seen != [None]) == draws


def test_what_a_batch_draws_is_its_own_and_the_same_where_an_epoch_goes_on_from_it():
    def drawn(seed: int, epoch: int, rank: int, start: int = 0) -> list[float]:
        x = torch.arange(20.0)
        made = Batches(x, x, 4, lambda x, i, draws, epoch: torch.rand(1, generator=draws), True, seed, rank, world=2)
        made.first_batch = start
        made.set_epoch(epoch)
        return [number.item() for number, _ in made]

    every = [drawn(seed, epoch, rank) for seed in (0, 1) for epoch in (0, 1) for rank in (0, 1)]
    assert len({number for numbers in every for number in numbers}) == 8 * 3
    assert drawn(0, 0, 0, start=1) == every[0][1:]


def test_images_for_a_model_of_other_images_are_normalised_as_those_were_channel_by_channel():
    images = torch.randint(0, 256, (20, 4, 4, 3), dtype=torch.uint8)
    data = of_images(images, Facts([3, 4, 4], ["a", "b"], False, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], None, ""))
    x = data.prepare(images, slice(None), None)
    for channel, (mean, std) in enumerate(((0.1, 0.4), (0.2, 0.5), (0.3, 0.6))):
        assert torch.allclose(x[:, channel], (images[..., channel] / 255 - mean) / std, atol=1e-5)
    assert x.is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(UserError, match="does not take images as this dataset has them: choose another dataset"):
        of_images(images, Facts([3, 4, 4], ["a", "b"], False, None, None, None, ""))


def test_the_normalisation_is_that_of_all_training_images_however_many_there_are():
    images = (torch.arange(15_000) // 60).to(torch.uint8).view(-1, 1, 1, 1)  # ever lighter
    data = of_images(images)
    std, mean = torch.std_mean(data.splits["train"].inputs.double() / 255, correction=0)
    assert data.mean == pytest.approx([mean.item()]) and data.std == pytest.approx([std.item()])


def test_the_examples_of_an_official_set_have_names_of_their_own_where_all_parts_are_measured(load):
    data = load("mnist")
    data.load_all(None, data.class_names)
    assert len({data.example("test", place) for place in range(300)}) == 300 == len(data.splits["test"].targets)


def test_an_example_keeps_its_number_where_all_parts_are_measured(load):
    data = load("iris", "dataset.folds=5", "dataset.fold=1")  # whose parts are drawn in another order than they stand
    rows = {data.example(part, k): x for part, split in data.splits.items() for k, x in enumerate(split.inputs)}
    data.load_all(data.columns, data.class_names)
    assert all(torch.equal(rows[data.example("test", k)], x) for k, x in enumerate(data.splits["test"].inputs))


def test_a_datamodule_of_ones_own_that_loads_nothing_is_named():
    with pytest.raises(UserError, match="InMemoryDataModule does not say how it loads its splits: write its `load`"):
        InMemoryDataModule(batch_size=1, seed=0).setup()


def test_classes_that_are_too_small_beside_a_fold_are_said_with_the_fold():
    targets = torch.tensor([0] * 10 + [1] * 2)
    with pytest.raises(UserError, match="beside fold 0 of 2, class b has 1 example, too few to be in each of train, v"):
        draw_parts(targets, ["a", "b"], {"test": 0.2, "val": 0.2}, 0, fold=(0, 2))


def own(splits: dict, names=("a", "b"), shape=(3,)) -> InMemoryDataModule:
    """A datamodule of one's own, whose `load` sets these."""

    class Own(InMemoryDataModule):
        def load(self) -> None:
            self.splits, self.class_names, self.input_shape = splits, names, shape

    return Own(batch_size=2, seed=0)


def with_columns(columns) -> InMemoryDataModule:
    x = torch.arange(4.0).view(4, 1)
    data = own({part: Split(x, torch.tensor([0, 1, 0, 1])) for part in ("train", "val", "test")}, shape=(1,))
    data.columns = columns
    return data


def test_columns_of_ones_own_may_be_descriptions_with_numpy_numbers():
    data = with_columns([{"name": "height", "mean": np.float64(1.5), "std": np.float32(0.5)}])
    data.setup()
    assert data.facts.columns == [NumberColumn("height", 1.5, 0.5)] and type(data.facts.columns[0].mean) is float
    again = with_columns([{"name": "height", "mean": 1.5, "std": 0.5}])
    again.load_all(data.facts.columns, data.class_names)
    assert again.columns == data.facts.columns


@pytest.mark.parametrize("columns", ([{"name": "height"}], ["height"], [{"name": 1, "mean": 0.0, "std": 1.0}]))
def test_columns_of_ones_own_that_describe_none_are_one_sentence(columns):
    with pytest.raises(UserError, match=r'Own\.load sets columns that are not such as \{"name": "height", "mean": 1'):
        with_columns(columns).setup()


@pytest.mark.parametrize(
    ("test", "val", "said"),
    (
        (slice(0, 40), slice(0, 40), "40 of 40 test examples have the same inputs as a training example"),
        (slice(36, 76), slice(0, 40), "4 of 40 test examples have"),
        (slice(37, 77), slice(40, 80), None),
        (slice(40, 80), slice(0, 40), "40 of 40 validation examples have"),
    ),
)
@pytest.mark.parametrize("shape", ((3,), (3, 20, 20)))
def test_parts_of_ones_own_that_overlap_are_said(capsys, test, val, said, shape):
    x, y = torch.randn(80, *shape, generator=torch.Generator().manual_seed(0)), torch.arange(80) % 2
    parts = {"train": slice(0, 40), "val": val, "test": test}
    own({name: Split(x[part], y[part]) for name, part in parts.items()}, shape=shape).setup()
    out = capsys.readouterr().out
    assert said in out if said else "same inputs" not in out


RIGHT = {"train": [0, 1], "val": [0, 1], "test": [0, 1]}


@pytest.mark.parametrize(
    ("targets", "inputs", "names", "sentence"),
    (
        (RIGHT, torch.zeros(2, 3), "ab", None),
        ({"train": [0, 1], "test": [0, 1]}, torch.zeros(2, 3), "ab", "Own.load sets no val part: self.splits takes t"),
        (RIGHT | {"other": [0, 1]}, torch.zeros(2, 3), "ab", "Own.load sets a part 'other': self.splits takes tra"),
        (RIGHT, torch.zeros(2, 3), "a", "Own.load sets 1 class name, and a network needs two or more"),
        (RIGHT | {"train": [0, 2]}, torch.zeros(2, 3), "ab", "its train part other targets than .* 0 to 1 for its 2"),
        (RIGHT | {"train": [1, 2]}, torch.zeros(2, 3), "ab", r"0 to 1 for its 2 classes, .* \(not 1 to 2\)"),
        (RIGHT | {"val": [0.0, 1.0]}, torch.zeros(2, 3), "ab", "its val part other targets than whole numbers"),
        (RIGHT | {"test": [[0], [1]]}, torch.zeros(2, 3), "ab", r"its 2 classes, one for each example \(not \(2, 1\)"),
        (RIGHT, torch.zeros(0, 3), "ab", "its train part 0 inputs and 2 targets"),
        (RIGHT, torch.zeros(2, 4), "ab", r"inputs of the shape \(4,\) in float32, and not \(3,\) in float32"),
        (RIGHT, torch.zeros(2, 3).double(), "ab", r"\(3,\) in float64, and not \(3,\) in float32"),
        (RIGHT, torch.zeros(2, 3).to_sparse(), "ab", r"\(3,\) in float32 as sparse_coo, and not \(3,\) in float32"),
        (RIGHT, torch.zeros(2, 3).requires_grad_(), "ab", r"the network that made them: give inputs\.detach\(\)"),
        (RIGHT, torch.zeros(2, 3), [0, 1], "class_names that are no texts: give '0' for 0."),
    ),
)
def test_what_ones_own_datamodule_has_not_set_or_no_network_takes_is_one_sentence(targets, inputs, names, sentence):
    splits = {part: Split(inputs, torch.tensor(y)) for part, y in targets.items()}
    with pytest.raises(UserError, match=sentence) if sentence else nullcontext():
        own(splits, [*names], [3]).setup()


ZEROS, ZERO_ONE = torch.zeros(2, 3), torch.tensor([0, 1])


@pytest.mark.parametrize(
    "split",
    (
        (ZEROS, ZERO_ONE),
        torch.utils.data.TensorDataset(ZEROS, ZERO_ONE),
        Split(ZEROS.numpy(), ZERO_ONE),
        Split(ZEROS, ZERO_ONE.numpy()),
    ),
    ids=("tuple", "dataset", "inputs_of_numpy", "targets_of_numpy"),
)
def test_parts_of_ones_own_data_that_are_no_split_of_tensors_are_told_to_be_one(split):
    with pytest.raises(UserError, match=r"^Own\.load gives its train part no Split\(inputs, targets\) of two tensors"):
        own(dict.fromkeys(RIGHT, split)).setup()


def test_the_names_of_ones_own_classes_may_be_an_array_and_the_shape_that_of_a_tensor():
    data = own(dict.fromkeys(RIGHT, Split(ZEROS, ZERO_ONE)), np.array(["a", "b"]), ZEROS.shape[1:])
    data.setup()
    assert (type(data.class_names), data.class_names) == (list, ["a", "b"])
    assert (type(data.input_shape), data.input_shape) == (tuple, (3,))


def test_inputs_of_ones_own_data_that_are_no_numbers_are_said_with_their_part(capsys):
    splits = {part: Split(torch.eye(3)[:2], ZERO_ONE) for part in RIGHT}
    splits["test"].inputs[1, 2] = math.nan
    own(splits).setup()
    assert capsys.readouterr().out == (
        "Own.load gives its test part NaN or infinite inputs, with which a network answers NaN: replace them there.\n"
    )


@pytest.mark.parametrize("cut", (lambda y: stratified(y, 0.5, 0), lambda y: draw_parts(y, ["a", "b"], {"val": 0.5}, 0)))
@pytest.mark.parametrize(
    ("targets", "given"),
    (
        (torch.tensor([0.0, 1.0]), r"\(2,\) in float32"),
        (torch.eye(2).long(), r"\(2, 2\) in int64"),
        (torch.tensor([-1, 1]), "as low as -1"),
        (torch.tensor([True, False]), r"\(2,\) in bool"),
    ),
)
def test_classes_of_ones_own_data_that_cannot_be_divided_are_told_to_be_whole_numbers(cut, targets, given):
    with pytest.raises(UserError, match=f"^the classes to divide are whole numbers from 0, .* and not {given}.$"):
        cut(targets)


def own_images(images: torch.Tensor, **facts) -> InMemoryDataModule:
    """A datamodule of one's own with these float32 images."""
    data = own(dict.fromkeys(RIGHT, Split(images, ZERO_ONE)), shape=images.shape[1:])
    data.kind = "image"
    for name, value in facts.items():
        setattr(data, name, value)
    return data


@pytest.mark.parametrize(
    ("shape", "sentence"),
    (((2, 8, 9), r"=\(8, 9\), and .* give x.unsqueeze\(1\).$"), ((2, 3), r"=\(3,\), and .* kind = 'table' takes any")),
)
def test_images_of_ones_own_have_channels_rows_and_columns(shape, sentence):
    with pytest.raises(UserError, match=rf"^Own.load sets input_shape{sentence}"):
        own_images(torch.zeros(shape)).setup()


def test_images_of_ones_own_whose_channels_seem_to_come_last_are_said(capsys):
    own_images(torch.zeros(2, 8, 9, 3)).setup()
    assert "if it should be (height, width, channels), give x.permute(0, 3, 1, 2)." in capsys.readouterr().out


def test_images_of_ones_own_that_predict_would_make_otherwise_are_said(capsys):
    """With a mean and a deviation, predict and exported files normalise the pixels of a file by these."""
    pixels = torch.linspace(0, 1, 2 * 3 * 4 * 5).view(2, 3, 4, 5)
    mean, std = torch.full((3,), 0.5), np.full(3, 0.25)
    data = own_images((pixels - 0.5) / 0.25, mean=mean, std=std)
    data.setup()
    assert (data.mean, data.std) == ([0.5] * 3, [0.25] * 3) and "sets mean" not in capsys.readouterr().out
    own_images(pixels, mean=mean, std=std).setup()
    assert "its own inputs are 0 to 1, as pixels are: make them in the same way" in capsys.readouterr().out
    own_images(pixels * 255, mean=mean, std=std).setup()
    assert "its own inputs are made from pixels of 128 to 16384: make" in capsys.readouterr().out
    with pytest.raises(UserError, match="other mean and std than two lists of 3 numbers each"):
        own_images(pixels, mean=0.5, std=0.25).setup()


def test_data_of_ones_own_that_calls_no_init_of_its_base_class_says_so():
    class Own(InMemoryDataModule):
        def __init__(self) -> None:
            pass

    with pytest.raises(UserError, match=r"Own\.__init__ must call super\(\)\.__init__\(batch_size, seed\)"):
        Own().setup()
