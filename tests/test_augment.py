"""Augmentation: the group `augment`, and what its strong option does to the images and labels of a batch."""

import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.refusals import refusals
from support.runs import WORDS, differences, events, outcome, ready, run
from torch.utils._python_dispatch import TorchDispatchMode

from proj.data.augment import Strong, boxes, turned, within
from proj.data.facts import Normalize
from proj.data.shrinking import describe_end, planned_epochs, shrunk, size_in
from proj.errors import UserError
from proj.models.classifier import Classifier
from proj.training.run import train

PIXELS = Normalize([0.0], [1 / 255])  # leaves 0..255 as it is


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_light_is_what_dataset_and_model_say_none_takes_it_away_and_neither_adds_a_setting(configure):
    light, none = (configure("dataset=cifar10", f"augment={name}").dataset for name in ("light", "none"))
    assert configure("dataset=cifar10").dataset == light and (light.flip, light.shift) == (True, 2)
    assert none == {**light, "flip": False, "shift": 0, "sizes": None, "augment": None}
    assert configure("preset=cifar10_fast", "augment=none").dataset.sizes is None
    tables = [configure("dataset=iris", f"augment={name}").dataset for name in ("light", "none")]
    assert tables[0] == tables[1] and not {"flip", "shift", "augment"} & tables[0].keys()


@pytest.mark.parametrize("name", ("digits", "mnist"))
def test_strong_mirrors_and_moves_what_light_mirrors_and_moves(configure, name):
    light, strong = (configure(f"dataset={name}", f"augment={option}").dataset for option in ("light", "strong"))
    assert not strong.flip and (strong.flip, strong.shift) == (light.flip, light.shift) and strong.augment


def test_without_its_changes_strong_is_light():
    images, mirrored = torch.randint(0, 256, (40, 8, 6, 3), dtype=torch.uint8), torch.arange(40) % 2 == 0
    made = Strong().change(images, mirrored, 2, PIXELS, draws())
    seen = set()
    for image, flip, one in zip(images, mirrored, made, strict=True):
        padded = torch.from_numpy(np.pad(image.flip(1) if flip else image, ((2, 2), (2, 2), (0, 0)), "symmetric"))
        crops = {(r, c): padded[r : r + 8, c : c + 6].permute(2, 0, 1) for r in range(5) for c in range(5)}
        found = [place for place, crop in crops.items() if torch.allclose(one, crop.float(), atol=0.01)]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 5  # each image is moved by its own draw


def test_a_piece_has_the_share_that_crop_allows_and_nothing_from_outside_the_image():
    ramp = torch.arange(64.0).expand(64, 64).to(torch.uint8)
    images = torch.stack([ramp, ramp.T, ramp], 2).expand(500, -1, -1, -1).contiguous()
    made = Strong(crop=0.25).change(images, None, 0, PIXELS, draws())
    widths = (made[:, 0, :, -1] - made[:, 0, :, 0]).mean(1) / 63
    heights = (made[:, 1, -1] - made[:, 1, 0]).mean(1) / 63
    area, ratio = widths * heights, widths / heights
    assert 0.22 < area.min() < 0.3 and area.max() > 0.95 and ratio.min() > 0.72 and ratio.max() < 1.39
    (height, width), _ = boxes(torch.tensor([0.9, 1.0]), torch.tensor([0.5, -0.5]), torch.zeros(2, 2))
    assert torch.allclose(height * width, torch.tensor([0.9, 1.0])) and max(height.max(), width.max()) <= 1


@pytest.mark.parametrize(("height", "width"), ((8, 8), (8, 4)))
def test_an_image_is_turned_about_its_centre_and_each_by_an_angle_of_its_own(height, width):
    images = torch.rand(300, 1, height, width)
    places = Strong()._places(images, None, (torch.ones(2, 300), torch.zeros(2, 300)), None)
    quarter = F.grid_sample(images, turned(places, torch.full((300,), torch.pi / 2)), align_corners=False)
    top = (height - width) // 2
    middle, found = images[:, :, top : top + width], quarter[:, :, top : top + width]  # the square that stays within
    assert torch.allclose(found, middle.rot90(1, (2, 3)), atol=1e-4)
    bar = torch.zeros(300, height, width, 1, dtype=torch.uint8)
    bar[:, height // 2 - 1 : height // 2 + 1] = 200  # level before it is turned
    made = Strong(rotate=30).change(bar, None, 0, PIXELS, draws())
    tilt = made[:, 0, : height // 2, 0].sum(1) - made[:, 0, : height // 2, -1].sum(1)  # left end up, or right
    assert tilt.min() < -20 and tilt.max() > 20 and len(tilt.unique()) > 250


def test_colours_change_each_image_by_a_factor_of_its_own_and_grey_stays_grey():
    images = torch.randint(85, 100, (200, 4, 4, 3), dtype=torch.uint8)
    plain = images.permute(0, 3, 1, 2).float()

    def changed(**settings) -> torch.Tensor:
        return Strong(**settings).change(images, None, 0, PIXELS, draws())

    factor = (changed(brightness=0.3) / plain).flatten(1)
    assert factor.std(1).max() < 1e-4 and 0.7 <= factor.min() < 0.73 and 1.27 < factor.max() <= 1.3001
    spread = changed(contrast=0.5).std((1, 2, 3)) / plain.std((1, 2, 3))
    assert spread.min() < 0.6 and spread.max() > 1.4
    luma = torch.tensor([0.299, 0.587, 0.114])
    coloured = changed(saturation=0.9)
    assert torch.allclose(*(torch.einsum("bchw,c->bhw", x, luma) for x in (coloured, plain)), atol=0.3)
    assert (coloured - plain).abs().max() > 5
    grey = images[..., :1].expand(-1, -1, -1, 3)
    made = Strong(saturation=0.9).change(grey, None, 0, PIXELS, draws())
    assert (made - grey.permute(0, 3, 1, 2)).abs().max() < 0.1
    single = Strong(0.5, 0.3, 0.3, 0.3).change(images[..., :1], None, 0, PIXELS, draws())  # of one channel
    assert single.shape == (200, 1, 4, 4) and single.min() >= 0


def test_a_rectangle_is_erased_in_so_many_images_as_the_setting_says():
    white = torch.full((1000, 20, 20, 1), 255, dtype=torch.uint8)
    zeros = Strong(erase=0.25).change(white, None, 0, Normalize([0.5], [0.5]), draws()) == 0
    erased = zeros.float().mean((1, 2, 3))
    assert 0.2 < (erased > 0).float().mean() < 0.3 and 0.25 < erased.max() < 0.37
    heights, widths = (zeros.any(axis).sum((1, 2)) for axis in (3, 2))
    ratios = (heights / widths)[heights.minimum(widths) >= 8]  # of a rectangle of whole pixels
    assert len(ratios) > 50 and ratios.max() < 1.5 and ratios.min() > 0.66
    box = boxes(torch.tensor([0.3, 0.0]), torch.rand(2) - 0.5, 2 * torch.rand(2, 2) - 1)
    mask = within(box, torch.zeros(2, 1, 100, 100))
    assert mask[0].mean().item() == pytest.approx(0.3, abs=0.01) and not mask[1].any()


def test_the_rectangle_of_another_image_lies_anywhere_and_is_no_likelier_on_one_side():
    targets = torch.arange(2000) % 2
    x = targets.float().view(-1, 1, 1, 1).expand(-1, 1, 16, 16)
    made, _ = Strong(cutmix=1.0).mix(2, x, targets, draws())
    taken = (made != x).float().mean((0, 1))  # by pixel: the share of the images in which it is of another
    assert torch.allclose(taken, taken.flip(0), atol=0.06) and torch.allclose(taken, taken.flip(1), atol=0.06)
    assert 0.1 < taken.min() < taken[7, 7]


@pytest.mark.parametrize("settings", ({"mixup": 0.5}, {"cutmix": 0.5}, {"mixup": 0.5, "cutmix": 0.5}))
def test_labels_are_mixed_in_the_shares_of_the_pixels(settings):
    targets = torch.randint(0, 2, (400,), generator=draws())
    x = targets.float().view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    made, shares = Strong(**settings).mix(2, x, targets, draws())
    assert shares.shape == (400, 2) and torch.allclose(shares.sum(1), torch.ones(400))
    assert torch.allclose(made.mean((1, 2, 3)), shares[:, 1], atol=1e-6)
    other = targets != targets.roll(1)
    mixed = ((shares[other] > 0) & (shares[other] < 1)).any(1).float().mean()
    assert abs(mixed - (0.5 if len(settings) == 1 else 0.75)) < 0.1


def test_a_batch_is_drawn_by_seed_epoch_and_place_alone(configure):
    data = ready(configure("dataset=cifar10", "augment=strong", "dataset.batch_size=50").dataset)

    def batches(epoch: int, start: int = 0) -> list[torch.Tensor]:
        loader = data.train_dataloader()
        loader.epoch, loader.first_batch = epoch, start
        torch.rand(start + 1)
        return [torch.cat([x.flatten(1), y], 1) for x, y in loader]

    first, again, other = batches(0), batches(0, start=2), batches(1)
    assert all(map(torch.equal, first[2:], again)) and not torch.equal(first[0], other[0])
    val = next(iter(data.val_dataloader()))
    assert val[1].dtype == torch.int64 and torch.equal(val[0], next(iter(data.val_dataloader()))[0])


def test_mixed_examples_count_as_right_by_their_largest_share():
    model = Classifier(3)
    model.network = torch.nn.Identity()
    logits = torch.eye(3)
    loss, _ = model._step((logits, torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 0.1, 0.9]])), "train")
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 0.1, 0.9]]))
    assert loss == expected and model._results("train")["train/acc"] == pytest.approx(2 / 3)


@refusals(
    (["dataset=iris"], "augment=strong changes images, and the dataset is a table"),
    (["dataset=digits", "model.loss._target_=torch.nn.MultiMarginLoss"], "takes no mixed labels.*augment.mixup=0"),
    (["dataset=digits", "dataset.augment.crop=0"], "dataset.augment.crop=0 is not a number above 0, 1 at most"),
    (["dataset=digits", "dataset.augment.erase=1.2"], "dataset.augment.erase=1.2 is not a number, 0 to 1"),
    (["dataset=digits", "dataset.augment.cutmix=many"], "dataset.augment.cutmix=many is not a number"),
    (["dataset=digits", "model=pretrained", "dataset.augment.mixup=0.5"], "has no effect on model.train=head"),
)
def test_what_strong_cannot_do_is_one_sentence(configure, words, sentence):
    with pytest.raises(UserError, match=sentence):
        configure(*words, "augment=strong")


def test_the_dashboard_shows_what_the_training_sees(trained):
    shown = {}
    for name in ("none", "strong"):
        folder = trained("dataset=digits", "model=mlp", f"augment={name}", "callbacks.dashboard.histograms=false")
        (shown[name],) = (image.encoded_image_string for image in events(folder).Images("views/inputs"))
    assert shown["none"] != shown["strong"]


def test_training_images_grow_with_the_epochs_and_others_keep_their_size(configure):
    data = ready(configure("dataset=cifar10", "dataset.sizes=[16,24,32]").dataset)
    inputs, index = data.splits["train"].inputs, torch.arange(4)
    whole = data.prepare(inputs, index, draws(), 0)
    assert whole.shape == (4, 3, 32, 32)  # outside of a run, which alone has a length
    data.trainer = SimpleNamespace(max_epochs=6, max_steps=-1)
    heights = [data.prepare(inputs, index, draws(), epoch).shape[2] for epoch in range(8)]
    assert heights == [16, 16, 24, 24, 32, 32, 32, 32]
    assert torch.equal(data.prepare(inputs, index, draws(), 4), whole)
    small = data.prepare(inputs, index, draws(), 0)
    assert torch.allclose(small.mean((2, 3)), whole.mean((2, 3)), atol=0.1)
    assert data.prepare(inputs, index, None, 0).shape == (4, 3, 32, 32)
    stripes = (torch.arange(12) % 3 == 0).float().expand(1, 1, 18, 12).transpose(2, 3)
    grey = shrunk(stripes, 4)  # of all pixels, not of every third
    assert grey.shape == (1, 1, 4, 6) and (grey[:, :, 1:3] - 1 / 3).abs().max() < 0.1


def test_the_last_epoch_sees_whole_images_however_many_there_are():
    for epochs in range(1, 20):
        heights = [size_in(epoch, epochs, [16, 20, 24, 28, 28]) for epoch in range(epochs)]
        assert heights == sorted(heights) and heights[-1] == 28
        assert epochs < 5 or heights[0] == 16
    trainer = SimpleNamespace(max_epochs=5, max_steps=60, num_training_batches=100, accumulate_grad_batches=2)
    assert planned_epochs(trainer, trainer.max_epochs) == 2
    trainer.max_steps = 1000
    assert planned_epochs(trainer, trainer.max_epochs) == 5
    trainer.max_epochs = -1
    assert planned_epochs(trainer, trainer.max_epochs) == 20


def test_a_run_that_ends_on_shrunk_images_says_so(configure, tmp_path, capsys):
    words = ("dataset=digits", "model=cnn", "model.widths=[8]", "dataset.sizes=[6,8]", "trainer.limit_train_batches=3")
    words += ("trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "~callbacks.dashboard")
    early = ("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "+callbacks.early_stopping.min_delta=9")
    for end, said in ((early, True), (("trainer.max_steps=4",), False)):
        train(configure(*words, *end, "trainer.max_epochs=9", folder=tmp_path / end[0]))
        out = " ".join(capsys.readouterr().out.split())
        assert re.findall(r"still shrank the training images, to (. of .) pixels: a smaller", out) == ["6 of 8"] * said
        assert ("stopped early" in out) == said
    data = SimpleNamespace(sizes=[6, 8])  # the fifth of nine epochs is the last one of the first half
    assert [bool(describe_end(data, epochs, 9)) for epochs in (5, 6)] == [True, False]


def test_a_batch_takes_a_hundred_calls_of_torch_at_most_whose_number_is_what_a_small_network_waits_for():
    calls = []

    class Counted(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), settings=None):
            if not function.is_view:
                calls.append(function)
            return function(*arguments, **(settings or {}))

    strong, images = Strong(0.5, 0.3, 0.3, 0.3, 0.25, 0.25, 0.25), torch.zeros(8, 6, 6, 3, dtype=torch.uint8)
    for _ in range(2):  # the first one makes what all batches share
        calls.clear()
        with Counted():
            x = strong.change(images, torch.arange(8) < 4, 2, PIXELS, draws())
            strong.mix(10, x, torch.arange(8), draws())
    assert len(calls) < 100


@pytest.mark.slow
@pytest.mark.parametrize("changes", (["augment=strong"], ["dataset.sizes=[6,7,8]", "model=cnn", "model.widths=[8]"]))
def test_a_run_that_changes_its_images_and_draws_classes_ends_in_the_same_bits_when_it_was_killed(tmp_path, changes):
    words = [word for word in WORDS if "model" not in word or "model=cnn" not in changes]
    words += [*changes, "balance=sampling"]
    go = partial(run, words=words)
    assert go(tmp_path / "whole") == 0 and go(tmp_path / "killed", dies="writing a checkpoint") != 0
    assert go(tmp_path / "killed") == 0
    assert differences(outcome(tmp_path / "whole"), outcome(tmp_path / "killed")) == []
