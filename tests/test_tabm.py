"""The network for tables: an ensemble that shares its weights, and inputs that outliers do not move."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.runs import changed_by_stops

from proj.checkpoint.file import load_model
from proj.config.compose import configure
from proj.data.csv_table import CSVDataModule
from proj.data.datamodule import Split
from proj.data.image_folder import ImageFolderDataModule
from proj.models import TabM
from proj.models.balance import WeightedLoss
from proj.models.tabm import FastDropout, Spread
from proj.training.run import train

QUANTILES = [np.linspace(-2, 2, 17).tolist(), [0.0] * 12 + [1.0] * 5, [0.5] * 17]  # numbers, two values, a constant


def made(**settings) -> TabM:
    torch.manual_seed(0)
    return TabM((3,), 4, QUANTILES, 100, **{"members": 5, "width": 8, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV file of numbers, one of which is far out, words and gaps."""
    draw, file = np.random.default_rng(0), tmp_path_factory.mktemp("table") / "table.csv"
    x, word = draw.normal(size=120), draw.choice(["red", "blue", ""], 120)
    x[7] = 1e6
    rows = [f"{a:.3f},{b},{'yes' if a > 0 else 'no'}" for a, b in zip(x, word, strict=True)]
    file.write_text("\n".join(["size,colour,class", *rows]))
    return file


def test_how_full_the_bins_are_tells_where_among_the_quantiles_a_number_lies():
    spread, x = Spread(QUANTILES), torch.linspace(-2, 2, 41)
    with torch.no_grad():
        spread.embed.weight.fill_(1)
        spread.embed.bias.fill_(0)
    filled = spread(torch.stack([x, x * 0, x * 0], 1))[:, 3:]
    assert filled.shape == (41, 8)
    assert torch.allclose(filled[:, 0], torch.linspace(0, 16, 41), atol=1e-5)
    assert torch.equal(filled, filled[:, :1].expand_as(filled))
    beyond = torch.tensor([-9.0, -2.125, 2.125, 9.0])  # a bin is 0.25 wide
    assert spread(torch.stack([beyond, beyond * 0, beyond * 0], 1))[:, 3].tolist() == [-1, -0.5, 16.5, 17]


def test_inputs_stay_within_a_small_range_and_two_values_or_one_have_no_bins():
    spread = Spread(QUANTILES)
    far = spread(torch.tensor([[1e9, 1.0, 0.5], [-1e9, 0.0, 7.0], [3e30, 1.0, 0.5]]))
    assert spread.size == far.shape[1] == 3 + 8
    assert far[:, :3].abs().max() <= 3 and (far[:, 2] == 0).all()
    assert far[0, 0] == 3 and far[1, 0] == -3 and torch.equal(far[0], far[2])


def test_equal_quantiles_make_fewer_bins_and_none_at_all_is_a_network_too():
    few = [[0.0] * 9 + [1.0, 2.0, 3.0] + [4.0] * 5, QUANTILES[0]]
    spread = Spread(few)
    assert spread.start.shape == (2, 16) and (spread.most[0] > 0).sum() == 4
    model = TabM((2,), 3, [QUANTILES[1], QUANTILES[2]], 100)
    assert model(torch.randn(5, 2)).shape == (5, 16, 3)
    assert all(parameter.numel() for parameter in model.parameters())  # of an empty one there is no norm


def test_an_outlier_in_the_training_moves_the_other_inputs_by_little():
    x = np.sort(np.random.default_rng(0).normal(size=1000))
    far = np.append(x[1:], 1e9)
    near, moved = (Spread([np.quantile(values, np.linspace(0, 1, 17)).tolist()]) for values in (x, far))
    inputs = torch.tensor(x[100:900, None], dtype=torch.float32)
    assert torch.allclose(near(inputs)[:, 0], moved(inputs)[:, 0], atol=0.02)


def test_the_probabilities_are_the_mean_of_the_members_that_share_their_weights_and_differ():
    model, x = made(dropout=0.0), torch.randn(7, 3)
    members = model.train()(x).softmax(2)
    assert members.shape == (7, 5, 4) and (members.std(1) > 1e-3).all()
    assert torch.allclose(model.eval()(x).softmax(1), members.mean(1), atol=1e-6)
    shared = [layer.weight.shape for layer in model.network if hasattr(layer, "scale_in")]
    assert shared == [(8, 11), (8, 8)]


def test_only_its_training_computes_in_bfloat16_so_that_test_and_prediction_agree():
    model, x = made(dropout=0.0), torch.randn(7, 3)
    outside = model.train()(x), model.eval()(x)
    with torch.autocast("cpu", torch.bfloat16):
        inside = model.train()(x), model.eval()(x)
    assert not torch.equal(inside[0], outside[0]) and torch.equal(inside[1], outside[1])


def test_probabilities_of_nearly_zero_have_finite_logits():
    model = made().eval()
    with torch.no_grad():
        model.network[-1].bias[:, :, 0] = 1e4
    assert model(torch.randn(3, 3)).isfinite().all()


@pytest.mark.parametrize("weighted", (False, True))
def test_each_member_learns_from_every_example_by_itself(weighted):
    model, x, y = made(dropout=0.0).train(), torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 2, 3])
    loss = model.loss
    if weighted:
        loss = model.weighted_loss = WeightedLoss(model.loss, y.bincount())
    alone = torch.stack([loss(logits, y) for logits in model(x).unbind(1)])
    measured, logits = model._step((x, y), "train")
    assert measured.item() == pytest.approx(alone.mean().item(), rel=1e-5)
    assert logits.shape == (6, 4) and model.tallies["train_"].compute()["confusion"].sum() == 6


@pytest.mark.parametrize("share", (0.001, 0.1, 0.5))
def test_dropout_leaves_out_its_share_of_the_numbers_keeps_their_mean_and_does_nothing_once_trained(share):
    torch.manual_seed(0)
    dropout, x = FastDropout(share), torch.ones(997, 1003, requires_grad=True)
    out = dropout(x)
    out.sum().backward()
    assert torch.equal(out, x.grad)  # what is left out does not learn
    assert (out == 0).double().mean().item() == pytest.approx(share, rel=0.1)
    assert out.mean().item() == pytest.approx(1, rel=0.005) and len(out.unique()) == 2
    assert not torch.equal(dropout(x), out) and torch.equal(dropout.eval()(x), x)


def test_networks_of_other_sizes_are_written_otherwise():
    assert len({str(made(**other).network) for other in ({}, {"members": 3}, {"width": 7}, {"depth": 1})}) == 4


def test_a_table_is_learnt_by_it_unless_another_model_is_named_and_its_checkpoint_stands_alone(table, tmp_path):
    words = ["dataset=csv", f"data_dir={table}", "dataset.target=class", "trainer.max_epochs=3"]
    cfg = configure(*words, f"hydra.run.dir={tmp_path}/run", "~callbacks.progress")
    assert (cfg.monitor, cfg.mode, cfg.dataset.batch_size) == ("val/loss", "min", None)
    train(cfg)
    model, known = load_model(tmp_path / "run" / "best.ckpt")
    assert isinstance(model, TabM) and len(known["measured"]["quantiles"]) == known["input_shape"][0]
    x = torch.randn(5, *known["input_shape"])
    again, _ = load_model(tmp_path / "run" / "best.ckpt")
    assert torch.equal(model(x), again(x))
    assert "quantiles" not in (tmp_path / "run" / "hparams.yaml").read_text()  # of 10,000 columns it takes 4 MB


def test_a_run_that_dies_ends_with_the_same_bits(configure, monkeypatch, tmp_path, table):
    words = ["dataset=csv", f"data_dir={table}", "dataset.target=class", "trainer.max_epochs=3", "model.members=3"]
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, ((0, 1), (2, 1))) == []


@pytest.mark.parametrize(("examples", "width"), ((9_999, 128), (10_000, 256)))
def test_many_examples_have_wider_layers(examples, width):
    model = TabM((3,), 4, QUANTILES, examples)
    assert [layer.weight.shape[0] for layer in model.network if hasattr(layer, "scale_in")] == [width, width]


@pytest.mark.parametrize(
    ("kind", "examples", "size"),
    (
        *((CSVDataModule, *pair) for pair in ((10, 10), (300, 32), (5000, 64), (20_000, 256), (10**7, 512))),
        *((ImageFolderDataModule, *pair) for pair in ((3, 3), (12, 4), (28, 8), (90, 16), (91, 32), (20_000, 32))),
    ),
)
def test_the_batch_that_null_chooses_grows_with_the_data(kind, examples, size):
    data = object.__new__(kind)
    assert data.fitting_batch_size(examples) == size


def test_the_losses_of_validation_and_test_are_not_weighted_by_the_classes():
    model = TabM((3,), 4, QUANTILES, 100, dropout=0.0).eval()
    x, y = torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 2, 3])
    model.weighted_loss = WeightedLoss(model.loss, y.bincount())
    for split in ("val", "test"):
        loss, logits = model._step((x, y), split)
        assert loss == model.loss(logits, y) != model.weighted_loss(logits, y)


def test_the_quantiles_are_those_of_all_training_rows_also_of_a_table_in_order(monkeypatch):
    monkeypatch.setattr("proj.models.tabm.MOST", 10)
    data = SimpleNamespace(splits={"train": Split(torch.arange(100.0)[:, None], torch.zeros(100))})
    (quantiles,) = TabM.measure(data)["quantiles"]
    assert quantiles[0] == 0 and quantiles[-1] >= 90
