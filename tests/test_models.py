import pytest
import torch
from torch import nn

from proj.config import build
from proj.errors import UserError
from proj.models import CNN, MLP, IrisClassifier
from proj.models.classifier import Classifier, Tally


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("preset", "shape", "count"),
    (
        ("mnist_dnn", (1, 28, 28), 784 * 128 + 128 + 128 * 10 + 10),
        ("arm_mnist", (1, 28, 28), 102_762),
        ("fashion_mlp", (1, 28, 28), 669_706),
        ("iris_tutorial", (4,), 4 * 16 + 16 + 16 * 8 + 8 + 8 * 3 + 3),
        # convolutions with bias, two values a channel for each norm, the linear layer on 24×10×10
        ("windows_ml_cifar10", (3, 32, 32), 912 + 3612 + 7224 + 14424 + 2 * (12 + 12 + 24 + 24) + 24_010),
    ),
)
def test_presets_have_their_sources_number_of_parameters(configure, preset, shape, count):
    cfg = configure(f"preset={preset}")
    model = build(cfg.model, input_shape=shape, num_classes=3 if shape == (4,) else 10)
    assert parameters(model) == count


def test_windows_ml_network_is_layer_by_layer_its_source(configure):
    model = build(configure("preset=windows_ml_cifar10").model, input_shape=(3, 32, 32), num_classes=10)
    conv, norm, act = "Conv2d", "BatchNorm2d", "ReLU"
    layers = [type(layer).__name__ for layer in model.network]
    assert layers == [conv, norm, act] * 2 + ["MaxPool2d"] + [conv, norm, act] * 2 + ["Flatten", "Linear"]
    assert model.network[-1].in_features == 24 * 10 * 10


def test_arm_mnist_applies_tanh_then_sigmoid_with_dropout(configure):
    model = build(configure("preset=arm_mnist").model, input_shape=(1, 28, 28), num_classes=10)
    names = [type(layer).__name__ for layer in model.network]
    assert names == ["Flatten", "Linear", "Tanh", "Dropout", "Linear", "Sigmoid", "Dropout", "Linear"]


def test_networks_give_one_logit_a_class():
    assert MLP((3, 8, 8), 7)(torch.zeros(5, 3, 8, 8)).shape == (5, 7)
    assert CNN((1, 28, 28), 10)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert IrisClassifier((4,), 3)(torch.zeros(2, 4)).shape == (2, 3)


@pytest.mark.parametrize("after", ("first", "last"))
@pytest.mark.parametrize("head", ("max", "average", "flatten"))
def test_every_cnn_option_changes_the_network_and_it_still_runs(after, head):
    network = CNN((3, 32, 32), 10, stem=4, widths=[4, 8], pool_after=after, head=head, norm="none", dropout=0.1)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert network.network[-1].in_features == (8 * 7 * 7 if head == "flatten" else 8)


def test_images_too_small_for_the_groups_are_refused_in_one_sentence():
    with pytest.raises(UserError, match="images of 4×4 are too small for 3 groups"):
        CNN((1, 4, 4), 10, widths=[8, 8, 8])


@pytest.mark.parametrize(
    ("settings", "message"),
    (
        ({"activation": "Relu"}, "Did you mean 'ReLU'"),
        ({"norm": "bach"}, "Did you mean 'batch'"),
        ({"head": "mean"}, "Options: average, flatten, max"),
        ({"widths": [4, 8], "pool": [2, 2, 2]}, "3 entries for 2 groups"),
    ),
)
def test_a_wrong_choice_names_the_right_ones(settings, message):
    with pytest.raises(UserError, match=message):
        CNN((1, 28, 28), 10, **settings)


def test_tally_agrees_with_torchmetrics():
    from torchmetrics.functional.classification import multiclass_accuracy

    tally, logits, y = Tally(4), torch.randn(50, 4), torch.randint(0, 4, (50,))
    for part in (slice(0, 20), slice(20, 50)):
        tally.update(nn.functional.cross_entropy(logits[part], y[part]), logits[part], y[part])
    made = tally.compute()
    assert made["acc"] == pytest.approx(multiclass_accuracy(logits, y, 4, average="micro").item())
    assert made["loss"].item() == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert torch.allclose(made["acc_per_class"], multiclass_accuracy(logits, y, 4, average=None))


def test_accuracy_never_exceeds_one():
    """One published recipe reports 112 %: it compares with one-hot labels."""
    tally = Tally(10)
    for _ in range(3):
        y = torch.randint(0, 10, (64,))
        tally.update(torch.tensor(0.0), nn.functional.one_hot(y, 10).float(), y)
    assert tally.compute()["acc"] == 1


def test_predict_step_gives_probabilities():
    model = MLP((4,), 3).eval()
    x, y = torch.randn(6, 4), torch.zeros(6)
    assert torch.allclose(model.predict_step((x, y), 0).sum(1), torch.ones(6))
    assert torch.equal(model.predict_step(x, 0), model.predict_step((x, y), 0))


@pytest.mark.parametrize(
    ("dataset", "model"),
    [("iris", "iris"), ("iris", "mlp"), *((d, m) for d in ("digits", "mnist", "cifar10") for m in ("mlp", "cnn"))],
)
def test_every_pair_overfits_one_batch(configure, dataset, model):
    cfg = configure(f"dataset={dataset}", f"model={model}", "model.loss.label_smoothing=0")
    data = build(cfg.dataset)
    data.prepare_data()
    data.setup()
    network: Classifier = build(cfg.model, input_shape=data.input_shape, num_classes=data.num_classes)
    x, y = (part[:20] for part in next(iter(data.train_dataloader())))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02 if dataset == "iris" else 0.003)
    for _ in range(300 if dataset == "iris" else 40):
        optimizer.zero_grad()
        loss = network.loss(network(x), y)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    (
        ("none", [0.1] * 6),
        ("cosine", [0.1, 0.0933, 0.075, 0.05, 0.025, 0.0067]),
        ("step", [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
    ),
)
def test_schedules_span_the_whole_run(configure, scheduler, expected):
    class Trainer:
        estimated_stepping_batches = 6

    cfg = configure(f"scheduler={scheduler}", "optimizer=sgd", "optimizer.lr=0.1")
    model = IrisClassifier((4,), 3, optimizer=build(cfg.optimizer), scheduler=build(cfg.scheduler))
    model._trainer = Trainer()
    model._fabric = None
    made = Classifier.configure_optimizers(model)
    rates = []
    for _ in range(6):
        optimizer = made["optimizer"] if isinstance(made, dict) else made
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if isinstance(made, dict):
            made["lr_scheduler"]["scheduler"].step()
    assert rates == pytest.approx(expected, abs=1e-4)


def test_onecycle_rises_to_the_learning_rate_and_falls_to_zero(configure):
    cfg = configure("scheduler=onecycle", "optimizer=sgd", "optimizer.lr=0.1")
    optimizer = build(cfg.optimizer)([nn.Parameter(torch.zeros(1))])
    scheduler = build(cfg.scheduler).func(optimizer, **{**build(cfg.scheduler).keywords, "total_steps": 100})
    rates = []
    for _ in range(99):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert max(rates) == pytest.approx(0.1) and 0 < rates.index(max(rates)) < 40 and rates[-1] < 1e-3
