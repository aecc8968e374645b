"""The networks and their optimizers: shapes, exact values, and what is refused."""

import itertools
import math
import re
from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer
from support.runs import ready
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from proj.checkpoint.file import load_checkpoint, load_model
from proj.config.instantiate import build
from proj.errors import UserError
from proj.models import CNN, MLP, IrisClassifier, WhitenedCNN
from proj.models.classifier import Classifier, augmented_logits
from proj.models.cnn import GlobalMaxPool
from proj.models.optimizers import Muon, orthogonalize
from proj.models.schedules import in_steps, make_schedule
from proj.models.whitened_cnn import whitening_filters
from proj.training.run import train

WITH_SGD = {"lr": 0.1, "momentum": 0.6, "head_lr": 0.02, "bias_lr": 0.05, "sgd_momentum": 0}  # settings of Muon


TWICE = "Conv2d BatchNorm2d ReLU Conv2d BatchNorm2d ReLU"


@pytest.mark.parametrize(
    ("preset", "shape", "count", "layers"),
    (
        ("mnist_dnn", (1, 28, 28), 784 * 128 + 128 + 128 * 10 + 10, None),
        ("arm_mnist", (1, 28, 28), 102_762, "Flatten Linear Tanh Dropout Linear Sigmoid Dropout Linear"),
        ("fashion_mlp", (1, 28, 28), 669_706, None),
        ("iris_tutorial", (4,), 4 * 16 + 16 + 16 * 8 + 8 + 8 * 3 + 3, None),
        # convolutions with bias, two values a channel for each norm, the linear layer on 24×10×10
        (
            "windows_ml_cifar10",
            (3, 32, 32),
            912 + 3612 + 7224 + 14424 + 2 * (12 + 12 + 24 + 24) + 24_010,
            f"{TWICE} MaxPool2d {TWICE} Flatten Linear",
        ),
    ),
)
def test_the_network_of_a_preset_has_its_sources_layers_and_number_of_parameters(
    configure, preset, shape, count, layers
):
    cfg = configure(f"preset={preset}")
    model = build(cfg.model, input_shape=shape, num_classes=3 if shape == (4,) else 10)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert layers in (None, " ".join(type(layer).__name__ for layer in model.network))


@pytest.mark.parametrize("after", ("first", "last"))
@pytest.mark.parametrize("head", ("max", "average", "flatten"))
def test_every_cnn_option_changes_the_network_and_it_still_runs(after, head):
    network = CNN((3, 32, 32), 10, stem=4, widths=[4, 8], pool_after=after, head=head, norm="none", dropout=0.1)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert network.network[-1].in_features == (8 * 7 * 7 if head == "flatten" else 8)
    assert network.network[2].bias is not None  # without a norm, which would take it away again


@pytest.mark.parametrize("words", (("mnist", "mlp"), ("mnist", "cnn"), ("cifar10", "whitened_cnn")), ids="_".join)
def test_no_network_has_a_layer_that_a_gpu_cannot_train_with_deterministic_kernels(configure, words):
    """torch's own list of them; with one, `trainer.deterministic=true` ends in an error on a GPU."""
    refused = torch.use_deterministic_algorithms.__doc__.partition("will throw")[2]
    missing = set(re.findall(r"torch\.nn\.(\w+)` when attempting to differentiate a CUDA tensor", refused))
    dataset, model = words
    shape = (3, 32, 32) if dataset == "cifar10" else (1, 28, 28)
    cfg = configure(f"dataset={dataset}", f"model={model}")
    network = build(cfg.model, input_shape=shape, num_classes=10).network
    assert "AdaptiveMaxPool2d" in missing
    assert not missing & {type(layer).__name__ for layer in network.modules()}


@pytest.mark.parametrize("layout", (torch.contiguous_format, torch.channels_last))
def test_global_pooling_gives_the_bits_of_torchs_adaptive_pooling_and_its_gradient_also_where_numbers_are_equal(layout):
    x = torch.randint(0, 4, (8, 16, 5, 3)).float().contiguous(memory_format=layout)
    results = []
    for layer in (GlobalMaxPool(), nn.AdaptiveMaxPool2d(1)):
        given = x.clone().requires_grad_()
        (layer(given).flatten() * torch.arange(128.0)).sum().backward()
        results.append((layer(given), given.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


def test_images_too_small_for_the_groups_are_refused_in_one_sentence():
    with pytest.raises(UserError, match="images of 4×4 are too small for 3 groups"):
        CNN((1, 4, 4), 10, widths=[8, 8, 8])


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    (
        (CNN, {"activation": "Relu"}, "Did you mean 'ReLU'"),
        (CNN, {"norm": "bach"}, "Did you mean 'batch'"),
        (CNN, {"head": "mean"}, "Options: average, flatten, max"),
        (CNN, {"widths": [4, 8], "pool": [2, 2, 2]}, "3 entries for 2 groups"),
        (WhitenedCNN, {"stem": 7}, "even model.stem up to 8, not 7"),
        (WhitenedCNN, {"init": "zero"}, "Options: default, dirac"),
        (MLP, {"hidden": [4, 8], "activation": ["ReLU"]}, "model.activation has 1 entry for 2 hidden layers: give as"),
    ),
)
def test_a_wrong_choice_names_the_right_ones(model, settings, message):
    with pytest.raises(UserError, match=message):
        model((1, 28, 28), 10, **settings)


def test_a_network_that_was_stored_as_a_cnn_with_a_whitening_stem_is_built_as_what_it_is_called_now():
    stored = {"_target_": "proj.models.CNN", "stem": 4, "widths": [4], "whiten": True, "norm_momentum": 0.4}
    assert type(build(stored, input_shape=(1, 8, 8), num_classes=2)) is WhitenedCNN
    del stored["whiten"], stored["norm_momentum"]
    assert type(build(stored, input_shape=(1, 8, 8), num_classes=2)) is CNN


def test_whitened_patches_are_uncorrelated_with_variance_one():
    smooth = nn.functional.avg_pool2d(torch.randn(200, 3, 18, 18), 3, 1)  # neighbours alike, as in photographs
    filters = whitening_filters(smooth, 24)
    assert filters.shape == (24, 3, 2, 2) and torch.equal(filters[:12], -filters[12:])
    outputs = nn.functional.conv2d(smooth, filters[:12]).transpose(0, 1).flatten(1)
    assert torch.allclose(outputs @ outputs.T / outputs.shape[1], torch.eye(12), atol=0.05)


def test_a_whitening_stem_keeps_its_filters_and_trains_its_bias(configure):
    few = ("dataset.batch_size=60", "dataset.val_fraction=0.2", "trainer.max_epochs=1", "test=false", "tta=false")
    few += ("model.widths=[8,16,16]", "~callbacks.dashboard")
    train(cfg := configure("dataset=cifar10", "preset=cifar10_fast", *few))
    model, _ = load_model(f"{cfg.output_dir}/best.ckpt", trust="support")
    model.setup("test")  # of data that may be others: the filters stay those of the training
    data = ready(cfg.dataset)
    expected = whitening_filters(data.prepare(data.splits["train"].inputs, slice(5000), None), 24)
    assert torch.allclose(model.network[0].weight, expected) and not model.network[0].weight.requires_grad
    fresh = build(cfg.model, input_shape=(3, 32, 32), num_classes=10)
    assert not torch.equal(model.network[2].weight, fresh.network[2].weight)


def test_dirac_convolutions_pass_their_input_on():
    network = WhitenedCNN((3, 8, 8), 10, 0, False, widths=[6], norm="none", pool=[1]).network
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(nn.functional.conv2d(x, network[0].weight[:3], padding=1), x)
    assert network[-1].weight.std() < 2 / 6


def test_norms_without_scale_have_only_a_bias_to_train():
    norm = next(m for m in WhitenedCNN((1, 28, 28), 10, stem=8).modules() if isinstance(m, nn.BatchNorm2d))
    assert not norm.weight.requires_grad and norm.bias.requires_grad and norm.momentum == 0.4


@pytest.mark.parametrize("shape", ((8, 40), (40, 8), (6, 6)))
def test_orthogonalize_is_three_newton_schulz_steps_which_bring_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    stepped = matrix / matrix.norm()
    for _ in range(3):
        square = stepped @ stepped.T
        stepped = 3.4445 * stepped + (-4.7750 * square + 2.0315 * square @ square) @ stepped
    assert torch.allclose(orthogonalize(matrix), stepped, atol=1e-5)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.linalg.svdvals(orthogonalize((u * torch.linspace(1, 2, len(v))) @ v))
    assert found.min() > 0.6 and found.max() < 1.3


def test_muon_turns_matrices_and_leaves_head_and_biases_to_sgd():
    network = CNN((1, 8, 8), 3, widths=[4]).network
    before = {name: value.clone() for name, value in network.named_parameters()}
    unused = nn.Parameter(torch.ones(1))  # without a gradient
    optimizer = Muon([*network.parameters(), unused], **WITH_SGD, weight_decay=0)
    network(torch.randn(20, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    head = network[-1].weight
    assert torch.allclose(head, before[f"{len(network) - 1}.weight"] - 0.02 * head.grad)
    filters = before["0.weight"]
    step = network[0].weight - filters * len(filters) ** 0.5 / filters.norm()
    assert torch.linalg.svdvals(step.flatten(1)).max() < 0.13
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 4, 3] and unused == 1


def test_onecycle_keeps_the_ratios_of_muons_rates_and_its_momentum(configure):
    cfg = configure("dataset=digits", "model=mlp", "optimizer=muon", "optimizer.momentum=0.5", "trainer=debug")
    train(cfg)
    groups = load_checkpoint(f"{cfg.output_dir}/last.ckpt")["optimizer_states"][0]["param_groups"]
    assert [group["max_lr"] for group in groups] == pytest.approx([0.1, 0.005])
    assert groups[0]["momentum"] == 0.5


@pytest.mark.parametrize("by", ("adamw", "sgd"))
def test_what_muon_does_not_turn_takes_the_steps_of_torchs_adamw_or_of_its_sgd_with_nesterov_momentum(by):
    torch.manual_seed(0)
    network, other = (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)) for _ in range(2))
    other.load_state_dict(network.state_dict())
    _, bias, *head = other.parameters()
    if by == "adamw":
        muon = Muon(network.parameters(), lr=0.1, momentum=0.6, weight_decay=0.1, adam_lr=0.01)
        theirs = torch.optim.AdamW([bias, *head], lr=0.01, weight_decay=0.1)
    else:
        muon = Muon(network.parameters(), **WITH_SGD | {"sgd_momentum": 0.8})
        groups = [{"params": [bias], "lr": 0.05}, {"params": head, "lr": 0.02}]
        theirs = torch.optim.SGD(groups, momentum=0.8, nesterov=True)
    for _ in range(3):
        for one, two in zip(network.parameters(), other.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            two.grad = one.grad.clone()
        muon.step()
        theirs.step()
    pairs = zip([*network.parameters()][1:], [*other.parameters()][1:], strict=True)
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in pairs)


def test_a_run_of_an_older_version_goes_on_with_the_steps_of_its_muon():
    weights = [nn.Parameter(torch.eye(3)), nn.Parameter(torch.ones(3)), nn.Parameter(torch.eye(3))]
    copies = ([nn.Parameter(weight.clone()) for weight in weights] for _ in range(2))
    today, stored = (Muon(copy, **WITH_SGD, weight_decay=0.01) for copy in copies)
    state = stored.state_dict()
    for group in state["param_groups"]:
        group["muon"] = group.pop("by") == "muon"
    stored.load_state_dict(state)
    for optimizer in (today, stored):
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.ones_like(weight)
        optimizer.step()
    ends = ([weight for group in one.param_groups for weight in group["params"]] for one in (today, stored))
    assert all(map(torch.equal, *ends))


@pytest.mark.parametrize("steps", (1, 3, 4, 5))
def test_a_run_of_few_steps_has_a_schedule(configure, steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    schedule = make_schedule(build(configure().scheduler), optimizer, steps, "max")
    for _ in range(steps):
        optimizer.step()
        schedule.step()


def test_lightnings_own_validate_reports_the_metrics(configure):
    data = build(configure().dataset)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (metrics,) = trainer.validate(IrisClassifier((4,), 3), data, verbose=False)
    assert metrics.keys() == {f"val/{name}" for name in ("loss", "acc", "balanced_acc", "macro_f1")}
    assert 0 <= metrics["val/acc"] <= 1


def test_test_time_augmentation_averages_the_moves_and_their_mirror_images():
    x = torch.randn(2, 1, 4, 4)
    seen = []
    logits = augmented_logits(lambda x: seen.append(x) or x.flatten(1)[:, :3], x, mirror=True)
    assert len(seen) == 6 and torch.equal(seen[0], x) and torch.equal(seen[1], x.flip(3))
    assert torch.equal(seen[2][:, :, 1:, 1:], x[:, :, :-1, :-1])
    assert torch.equal(seen[4][:, :, :-1, :-1], x[:, :, 1:, 1:])
    weights = (1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8)
    assert torch.allclose(logits, sum(w * x.flatten(1)[:, :3] for w, x in zip(weights, seen, strict=True)))


def test_predict_step_gives_probabilities():
    model = MLP((4,), 3).eval()
    x, y = torch.randn(6, 4), torch.zeros(6)
    assert torch.allclose(model.predict_step((x, y), 0).sum(1), torch.ones(6))
    assert torch.equal(model.predict_step(x, 0), model.predict_step((x, y), 0))


def test_the_loss_of_a_network_in_bfloat16_has_all_bits_of_a_float():
    model = MLP((4,), 3, loss=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))).to(torch.bfloat16)
    y = torch.arange(20) % 3
    loss, logits = model._step((torch.randn(20, 4, dtype=torch.bfloat16), y), "train")
    assert loss == nn.functional.cross_entropy(logits.float(), y, torch.tensor([1.0, 2.0, 3.0]))


PAIRS = [("iris", "iris"), ("iris", "mlp"), *itertools.product(("digits", "mnist", "cifar10"), ("mlp", "cnn"))]


@pytest.mark.parametrize(("dataset", "model"), PAIRS)
def test_every_pair_overfits_one_batch(configure, dataset, model):
    cfg = configure(f"dataset={dataset}", f"model={model}", "model.loss.label_smoothing=0")
    data = ready(cfg.dataset)
    network: Classifier = build(cfg.model, input_shape=data.input_shape, num_classes=data.num_classes)
    x, y = (part[:20] for part in next(iter(data.train_dataloader())))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02 if dataset == "iris" else 0.003)
    for _ in range(300 if dataset == "iris" else 40):
        optimizer.zero_grad()
        loss = network.loss(network(x), y)
        if loss < 0.1:
            return
        loss.backward()
        optimizer.step()
    raise AssertionError(f"the loss is still {loss}")


RATES = {"cosine": [0.1, 0.0933, 0.075, 0.05, 0.025, 0.0067], "step": [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]}
RATES |= {"onecycle": [0.004, 0.097, 0.075, 0.0413, 0.0117, 0.0]}


@pytest.mark.parametrize(("scheduler", "expected"), RATES.items(), ids=RATES)
def test_schedules_span_the_whole_run(configure, scheduler, expected):
    cfg = configure(f"scheduler={scheduler}", "optimizer=sgd", "optimizer.lr=0.1")
    optimizer = build(cfg.optimizer)([nn.Parameter(torch.zeros(1))])
    schedule, rates = make_schedule(build(cfg.scheduler), optimizer, 6, "max"), []
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected, abs=1e-4)


def test_steps_in_a_schedules_settings_are_those_of_the_run():
    for value, expected in {"steps": 100, "steps/3": 33, "steps/400": 1, 7: 7, "cos": "cos", None: None}.items():
        assert in_steps("T_max", value, 100) == expected


def test_steps_of_a_run_without_an_end_are_refused():
    with pytest.raises(UserError, match=r"scheduler\.T_max=steps/3 needs a run of known length"):
        in_steps("T_max", "steps/3", math.inf)


def test_a_narrow_whitening_stem_keeps_the_components_of_most_variance():
    smooth = nn.functional.avg_pool2d(torch.randn(200, 3, 18, 18), 3, 1)
    every = whitening_filters(smooth, 24)[:12]
    size = every.flatten(1).norm(dim=1)  # a filter divides by its component's deviation
    assert torch.equal(size, size.sort().values) and torch.equal(whitening_filters(smooth, 8)[:4], every[:4])


def test_muon_takes_the_weight_decay_of_a_step_from_biases_and_head_and_turns_no_matrix_by_it():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = Muon(network.parameters(), **WITH_SGD, weight_decay=0.01)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    (matrix, *others), (its_start, *starts) = network.parameters(), before
    assert torch.allclose(matrix, its_start * 2 / its_start.norm())
    assert all(torch.allclose(now, 0.99 * start) for now, start in zip(others, starts, strict=True))


@pytest.mark.parametrize("mode", ("min", "max"))
def test_a_plateau_that_names_no_mode_takes_that_of_the_monitor(mode):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    assert make_schedule(partial(ReduceLROnPlateau), optimizer, 10, mode).mode == mode
    assert make_schedule(partial(ReduceLROnPlateau, mode="max"), optimizer, 10, mode).mode == "max"


def test_the_network_of_iris_takes_a_table_of_ones_own_whose_rows_have_several_dimensions():
    assert IrisClassifier((5, 4), 3)(torch.zeros(2, 5, 4)).shape == (2, 3)
    assert next(iter(IrisClassifier((4,), 3).network.state_dict())) == "0.weight"  # as in checkpoints
