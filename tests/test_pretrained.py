"""model=pretrained: a backbone with weights from a file that the test makes, and a new last layer."""

import errno
import shutil
import signal
import time
import urllib.error
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision.models
from PIL import Image
from support.evaluations import evaluate
from support.photos import write_photos
from support.runs import changed_by_stops, differences, outcome, run
from torch import nn

from proj.checkpoint.file import load_model
from proj.data import MNISTDataModule, features
from proj.data.datamodule import Split
from proj.errors import UserError
from proj.models import Pretrained, backbones
from proj.models.backbones import find, load_weights
from proj.training.build import build_data_and_model
from proj.training.run import train
from proj.use.export import export
from proj.use.prediction import predict

BACKBONE = "shufflenet_v2_x0_5"
WORDS = ["dataset=mnist", "model=pretrained", f"model.backbone={BACKBONE}", "model.size=32", "model.views=2"]
WORDS += ["dataset.batch_size=30", "trainer.precision=32-true", "trainer.max_epochs=2", "~callbacks.dashboard"]
LONG = [*WORDS, "save_every=0", "seed=3", "dataset.batch_size=45", "~callbacks.progress"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A file of random weights, whose norms have the statistics of random pictures."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(BACKBONE)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        network(torch.randn(32, 3, 32, 32))
    file = tmp_path_factory.mktemp("weights") / "shufflenet.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture
def words(weights, tmp_path):
    return [*WORDS, f"model.weights={weights}", f"model.cache_dir={tmp_path}/cache"]


def body_of(checkpoint: Path) -> dict:
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    return {name.removeprefix("network.1."): value for name, value in state.items() if name.startswith("network.1.")}


def forbidden(*args, **settings):
    raise AssertionError("this is not to be called")


def test_the_head_trains_on_features_and_what_is_deployed_takes_pictures_with_no_other_file(
    configure, words, weights, tmp_path, monkeypatch, capsys
):
    own = tmp_path / "own.pth"
    own.write_bytes(weights.read_bytes())
    words[-2] = f"model.weights={own}"
    metrics = train(configure(*words, "trainer.max_epochs=10", "optimizer.lr=0.01", "tta=true"))
    before = torch.load(weights, weights_only=True)
    body = body_of(tmp_path / "run" / "best.ckpt")
    assert all(torch.equal(value, before[name]) for name, value in body.items())
    assert metrics["test/acc"] > 0.5

    own.unlink()
    monkeypatch.setattr(torch.hub, "download_url_to_file", forbidden)
    path = tmp_path / "run" / "best.ckpt"
    again = evaluate(path)
    assert again["acc"] == metrics["test/acc"] and again["loss"] == pytest.approx(metrics["test/loss"], abs=1e-4)
    assert evaluate(path, tta=True)["acc"] == metrics["test/acc_tta"]  # of pictures, which alone can be mirrored
    Image.fromarray(np.full((20, 30), 200, np.uint8)).save(tmp_path / "picture.png")
    assert predict(path, str(tmp_path / "picture.png"))[0]["class"] in load_model(path)[1]["class_names"]
    assert export(path, format="torch_export").is_file()


def test_every_picture_goes_through_a_frozen_backbone_once_and_through_a_new_one_again(
    configure, words, tmp_path, monkeypatch
):
    words.append("trainer.max_epochs=1")
    first = train(configure(*words, "dataset.shift=1", folder=tmp_path / "first"))
    files = sorted(file.name.split("-", 1)[1] for file in (tmp_path / "cache").glob("*.npz"))
    assert [name.split("-", 1)[1] for name in files] == ["test-0.npz", "train-0.npz", "train-1.npz", "val-0.npz"]
    made, real = [], features.cached

    def cached(file, key, make):
        return real(file, key, lambda: made.append(file.name) or make())

    monkeypatch.setattr(features, "cached", cached)
    next(tmp_path.glob("cache/*-val-0.npz")).write_bytes(b"PK damaged")
    again = train(configure(*words, "dataset.shift=1", "optimizer.lr=0.004", "seed=5", folder=tmp_path / "again"))
    assert [name.split("-")[-2] for name in made] == ["val"]  # the seeds and rates of a sweep share the others
    assert again["test/acc"] != first["test/acc"] or again["test/loss"] != first["test/loss"]
    made.clear()
    train(configure(*words, "dataset.shift=2", folder=tmp_path / "other"))
    assert [name.rsplit("-", 2)[1:] for name in made] == [["train", "1.npz"]]  # the plain views are as before
    made.clear()
    for word in ("trainer.precision=bf16-mixed", "model.size=40"):
        train(configure(*words, "dataset.shift=2", word, folder=tmp_path / word))
        assert len(made) == 4, word
        made.clear()


def test_features_for_which_there_is_no_room_are_used_and_said(tmp_path, monkeypatch, capsys):
    def full(*args, **arrays):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert features.cached(tmp_path / "a.npz", "key", lambda: torch.ones(2)).tolist() == [1, 1]
    assert "0 MB of features, could not be kept (No space left on device)" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] in ([], ["a.lock"])


@pytest.mark.parametrize("place", (6, 8, 10))  # of the version, the flags and the method, in a record of the directory
def test_features_whose_file_has_a_wrong_bit_anywhere_are_made_anew(tmp_path, place):
    made = [features.cached(tmp_path / "a.npz", "key", lambda: torch.ones(2))]
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(b"PK\1\2") + place] ^= 0x80 if place == 6 else 0x21
    (tmp_path / "a.npz").write_bytes(content)
    made += [features.cached(tmp_path / "a.npz", "key", lambda: torch.zeros(2)) for _ in range(2)]
    assert [one.tolist() for one in made] == [[1, 1], [0, 0], [0, 0]]


def test_pictures_of_more_channels_than_the_weights_take_are_refused():
    with pytest.raises(UserError, match="takes pictures of 1 or 3 channels, and the data has 4"):
        Pretrained((4, 32, 32), 2, BACKBONE, weights=None)


@pytest.mark.parametrize(("shape", "is_said"), (((3, 32, 128), True), ((1, 128, 40), True), ((3, 48, 64), False)))
def test_long_pictures_of_which_less_than_half_is_seen_are_said(capsys, shape, is_said):
    data = type("Data", (), {"mean": [0.5] * shape[0], "std": [0.5] * shape[0]})
    Pretrained(shape, 2, BACKBONE, weights=None, train="all").begin(data)
    assert ("sees only the middle, less than half" in capsys.readouterr().out) == is_said


def test_each_fold_has_features_of_its_own_also_of_mixed_and_cropped_views(configure, words, tmp_path):
    words += ["dataset.folds=2", "trainer.max_epochs=1", "augment=strong"]
    first = train(configure(*words, "dataset.fold=0", folder=tmp_path / "0"))
    kept = {file.name for file in (tmp_path / "cache").glob("*.npz")}
    second = train(configure(*words, "dataset.fold=1", folder=tmp_path / "1"))
    anew = train(configure(*words, "dataset.fold=1", "model.cache_dir=null", folder=tmp_path / "anew"))
    figures = ("val/acc", "val/loss", "test/acc", "test/loss")
    assert [second[name] for name in figures] == [anew[name] for name in figures] != [first[name] for name in figures]
    assert len(kept) == 4 and len({file.name for file in (tmp_path / "cache").glob("*.npz")}) == 8


@pytest.mark.parametrize("how", ["head", "all"])
def test_a_run_that_is_stopped_goes_on_to_the_same_bits_without_the_weights_file(
    configure, words, tmp_path, monkeypatch, calls_of, how
):
    extra = ["save_every=0", "seed=3", "dataset.shift=1", f"model.train={how}", "dataset.batch_size=90"]
    reads = calls_of(backbones, "read_weights")
    assert not changed_by_stops(configure, monkeypatch, tmp_path, [*words, *extra], [(1, 1)])
    assert len(reads) == 4  # as each of the two runs began: before the pictures are read, and into the network


def test_all_trains_lower_layers_more_slowly_and_leaves_the_norms_their_statistics(configure, words, tmp_path, weights):
    cfg = configure(*words, "model.train=all", "model.layer_decay=0.5", "optimizer.lr=0.008")
    _, model = build_data_and_model(cfg)
    groups = model.optimizer(model.trained()).param_groups
    assert [group["lr"] for group in groups] == [0.008, 0.004, 0.002, 0.001, 0.0005]
    assert groups[0]["params"][0] is model.network[-1].weight
    assert groups[-1]["params"][-1] is model.network[1].conv1[0].weight
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    train(cfg)
    before, after = torch.load(weights, weights_only=True), body_of(tmp_path / "run" / "best.ckpt")
    for name in after:
        assert torch.equal(after[name], before[name]) == ("running" in name or "num_batches" in name), name


def test_pictures_are_made_as_the_weights_were_trained():
    recipe = find("mobilenet_v3_large").recipe
    transform = torchvision.models.MobileNet_V3_Large_Weights.DEFAULT.transforms()
    grey = torch.randint(0, 256, (1, 300, 400), dtype=torch.uint8)
    for picture in (grey, grey[:, :28, :40], torch.randint(0, 256, (3, 50, 40), dtype=torch.uint8)):
        model = Pretrained(tuple(picture.shape), 2, weights=None)
        data = type("Data", (), {"mean": [0.3] * len(picture), "std": [0.7] * len(picture)})
        model.begin(data)
        x = (picture[None] / 255 - 0.3) / 0.7
        expected = transform(picture.expand(3, -1, -1))
        made = model.network[0](x)[0]
        assert made.shape == expected.shape == (3, recipe.crop, recipe.crop)
        assert (made - expected).abs().max() < 0.05  # torchvision rounds to 256 levels in between


def test_photos_are_kept_as_large_as_the_weights_want_them(configure, tmp_path, weights):
    words = [
        "dataset=image_folder",
        f"data_dir={write_photos(tmp_path / 'photos', 8, ('blue', 'red'))}",
        f"dataset.cache_dir={tmp_path}/cache",
    ]
    words += ["model=pretrained", f"model.weights={weights}", f"model.backbone={BACKBONE}", "dataset.batch_size=4"]
    cfg = configure(*words)
    assert cfg.model.cache_dir == f"{tmp_path}/cache"  # beside the resized images
    assert build_data_and_model(cfg)[0].input_shape == (3, 256, 256)
    assert build_data_and_model(configure(*words, "dataset.size=40"))[0].input_shape == (3, 40, 40)
    cfg = configure(*words, "model.size=28", "trainer.max_epochs=1")
    assert train(cfg)["test/acc"] >= 0
    assert load_model(tmp_path / "run" / "best.ckpt")[1]["input_shape"] == [3, 32, 32]


def test_weights_saved_from_a_wrapped_network_are_those_of_the_network(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    network = find(BACKBONE).make(32)
    load_weights(network, {f"module._orig_mod.{name}": value for name, value in state.items()}, "file")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    with pytest.raises(UserError, match="of another network"):
        load_weights(network, {"other": torch.zeros(3)}, "file")


def test_weights_that_are_missing_are_said_before_any_picture_is_read(configure, words, monkeypatch):
    monkeypatch.setattr(MNISTDataModule, "prepare_data", lambda self: pytest.fail("the pictures were read first"))
    with pytest.raises(UserError, match="there is no such file"):
        build_data_and_model(configure(*words, "model.weights=nowhere.pth"))


@pytest.mark.parametrize("how", ["head", "all"])
def test_the_head_mixes_no_pictures_so_that_the_dashboard_shows_none_that_are(configure, words, how):
    data, model = build_data_and_model(configure(*words, "augment=strong", f"model.train={how}"))
    model.trainer = trainer = SimpleNamespace(datamodule=data, fast_dev_run=False)
    assert data.mix and trainer
    model.setup("fit")
    assert bool(data.mix) == (how == "all")


@pytest.fixture(scope="module")
def damaged(weights, tmp_path_factory) -> Path:
    """A folder with files that hold no weights of this network."""
    folder, state, whole = (
        tmp_path_factory.mktemp("damaged"),
        torch.load(weights, weights_only=True),
        weights.read_bytes(),
    )
    (folder / "text.pth").write_text("no weights")
    for name, place in (("bit", len(whole) // 2), ("directory", whole.rindex(b"PK\x01\x02"))):
        (folder / f"{name}.pth").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    torch.save({"a": print}, folder / "code.pth")
    torch.save([1, 2], folder / "list.pth")
    torch.save({"state_dict": {**state, "conv1.0.weight": torch.zeros(24, 3, 5, 5)}}, folder / "other.pth")
    torch.save({name: value for name, value in state.items() if "conv1" not in name}, folder / "part.pth")
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.backbone=shuflenet_v2_x0_5"], "Did you mean 'shufflenet_v2_x0_5'?"),
        (["model.backbone=squeezenet1_1"], "it has no single linear layer at its end"),
        (["model.backbone=mobilenet_v3_small"], "missing"),
        (["model.backbone=vit_b_16", "model.size=40"], "takes no pictures of 40×40 pixels (Input shape indivisible by"),
        (["model.backbone=alexnet"], "takes no pictures of 32×32 pixels (Given input size: (256x1x1)."),
        (["model.backbone=hf_hub:someone/something"], "does not exist"),
        (["model.weights=nowhere.pth"], "model.weights=nowhere.pth: there is no such file"),
        (["model.weights={folder}/text.pth"], "text.pth"),
        (["model.weights={folder}/bit.pth"], "bit.pth is damaged: "),
        (["model.weights={folder}/directory.pth"], "directory.pth cannot be read as a file of weights"),
        (["model.weights={folder}/code.pth"], "holds other things than weights"),
        (["model.weights={folder}/list.pth"], "holds no weights as torch.save(network.state_dict(), file)"),
        (["model.weights={folder}/other.pth"], "conv1.0.weight is (24, 3, 5, 5) and not (24, 3, 3, 3)."),
        (["model.weights={folder}/part.pth"], "conv1.0.weight is missing and not (24, 3, 3, 3)"),
        (["model.weights=default"], "f707e7126e.pth and put it at {folder}/hub/checkpoints/shufflenetv2_x0.5-f7"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(configure, words, damaged, monkeypatch, settings, message):
    monkeypatch.setenv("TORCH_HOME", str(damaged))

    def no_network(*args, **named):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    settings = [word.format(folder=damaged) for word in settings]
    with pytest.raises(UserError) as error:
        build_data_and_model(configure(*words, *settings))
    assert message.format(folder=damaged) in str(error.value) and "\n" not in str(error.value)


def test_weights_that_lie_in_torchs_folder_are_taken_if_their_checksum_is_right(
    configure, words, weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "shufflenetv2_x0.5-f707e7126e.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(weights.read_bytes())
    monkeypatch.setattr(torch.hub, "download_url_to_file", forbidden)
    with pytest.raises(UserError, match="is damaged: delete it"):
        build_data_and_model(configure(*words, "model.weights=default"))


def test_a_checkpoint_of_a_network_that_computes_its_own_widths_is_opened(configure, tmp_path, capsys):
    words = [*WORDS, "model.backbone=regnet_y_400mf", "model.weights=null", "model.cache_dir=null"]
    train(configure(*words, "trainer.max_steps=1", "test=false"))
    assert load_model(tmp_path / "run" / "best.ckpt")[1]["config"]["model"]["backbone"] == "regnet_y_400mf"
    assert "the frozen network is random; model.train=all trains it" in capsys.readouterr().out


@pytest.mark.slow
def test_every_classifier_of_torchvision_works_but_those_that_end_in_a_convolution(monkeypatch):
    """A loop: to list them when the tests are collected would import torch's compiler."""
    for name in ("uniform_", "normal_", "fill_", "zero_"):  # no weights are drawn: half of the time
        monkeypatch.setattr(torch.Tensor, name, lambda weights, *args, **settings: weights)
    for name in torchvision.models.list_models(module=torchvision.models):
        backbone = find(name)
        refused = pytest.raises(UserError) if name.startswith("squeezenet") else nullcontext()
        with torch.device("meta"), refused:
            backbone.body(backbone.recipe.crop)


@pytest.mark.skipif(not find_spec("timm"), reason="timm is an extra")
def test_a_backbone_of_timms_trains(configure, weights, tmp_path):
    words = [*WORDS, "model.backbone=test_resnet.r160_in1k", "model.weights=null", "model.cache_dir=null"]
    train(configure(*words, "trainer.max_epochs=1"))
    assert load_model(tmp_path / "run" / "best.ckpt")[0].network[0].recipe.crop == 32


@pytest.mark.slow
@pytest.mark.parametrize("how", ["head", "all"])
def test_ten_kills_at_any_time_end_in_the_same_bits(tmp_path, weights, how, data_dir):
    words = [*LONG, f"model.weights={weights}", f"model.train={how}", f"data_dir={data_dir}", "trainer.max_epochs=4"]
    words += [f"model.cache_dir={tmp_path}/cache", "dataset.shift=1"]
    start = time.monotonic()
    assert run(tmp_path / "whole", words) == 0
    seconds = time.monotonic() - start
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # so that it may be killed in the first pass too
    codes = [run(tmp_path / "stopped", words, after=seconds * 0.03 * (number + 1)) for number in range(10)]
    assert codes.count(-signal.SIGKILL) >= 3
    assert run(tmp_path / "stopped", words) == 0
    assert not differences(outcome(tmp_path / "whole"), outcome(tmp_path / "stopped"))


class Seeded:
    """Data whose augmentation depends on its seed, and on the epoch's random numbers."""

    def __init__(self, seed):
        self.seed, self.splits = seed, {"train": Split(torch.arange(6.0)[:, None], torch.zeros(6).long())}

    def checksum(self):
        return "0"

    def prepare(self, inputs, index, generator, epoch=0):
        return inputs[index] + (0 if generator is None else self.seed + torch.rand(len(index), 1, generator=generator))


def test_the_views_whose_features_are_kept_are_alike_for_all_seeds():
    one, two = (features.features_of(Seeded(seed), "train", 3, nn.Identity(), None, "") for seed in (1, 2))
    assert torch.equal(one, two) and not torch.equal(one[1], one[2])
