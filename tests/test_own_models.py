"""A model of one's own: its `forward` is what is trained, measured and drawn, and its parts stay as it says."""

import json
import math
import re
from types import SimpleNamespace

import pytest
import torch
from support.runs import curves, events
from torch import Tensor, nn

from proj.checkpoint.file import load_model
from proj.config.explain import explain
from proj.config.instantiate import build
from proj.data.datamodule import InMemoryDataModule
from proj.data.facts import Facts
from proj.errors import UserError
from proj.models import MLP, Classifier
from proj.pictures.graph import graph_of
from proj.sweeps.rehearsal import make_optimizer
from proj.training.build import unused_optimizer
from proj.training.fitting import check_loss, refuse_unfitting
from proj.training.run import train
from proj.use.ensemble import probabilities_of
from proj.use.evaluation import evaluate
from proj.use.export import export
from proj.use.heat_map import heat_map

WORDS = ("~model.activation", "trainer.max_epochs=2")


class Before(Classifier):
    """Has a layer before its network, which cannot take the inputs."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        self.first = nn.Linear(math.prod(input_shape), 8)
        self.network = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.first(x.flatten(1)).relu())


class After(Classifier):
    """Names the classes in another order than its network, which takes the same inputs."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).flip(1)


class Alone(Classifier):
    """Has no network, but a layer."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        self.layer = nn.Linear(math.prod(input_shape), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))


class Untraceable(Alone):
    """Gives torch.jit.trace an error."""

    def forward(self, x: Tensor) -> Tensor:
        assert not torch.jit.is_tracing()
        return super().forward(x)


class Lazy(Classifier):
    """Has layers that take their shapes from what comes."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        layers = nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(num_classes)
        self.network = nn.Sequential(*layers)


class Misshapen(Lazy):
    """Its second layer expects more numbers than the first one gives."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(input_shape, num_classes, **training)
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(9, num_classes))


class Single(Lazy):
    """Is built for a single class."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(input_shape, 1, **training)


class Attends(Lazy):
    """Has a layer of several layers, which expects more numbers than come."""

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(input_shape, num_classes, **training)
        self.network = nn.Sequential(nn.Flatten(), nn.TransformerEncoderLayer(66, 2))


class Mistaken(Lazy):
    """Names a layer that it does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return self.netwrk(x)


class Frozen(Classifier):
    """Keeps the statistics of a norm, which it never trains."""

    modes: list[bool] = []

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        size = math.prod(input_shape)
        self.network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(size, affine=False), nn.Linear(size, num_classes))
        self.network[1].eval()

    def on_train_batch_start(self, batch, batch_idx: int) -> None:
        Frozen.modes.append(self.training and self.network[1].training)


class Scripted(Classifier):
    """Drops all of its inputs while it is trained, in a part that torch compiles."""

    seen: list[tuple[bool, bool]] = []  # of each forward pass: whether it trains, and whether the inputs get through

    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)
        dropped = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Dropout(1.0)))
        self.network = nn.Sequential(dropped, nn.Linear(math.prod(input_shape), num_classes))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        Scripted.seen.append((self.training, bool((logits != logits[0]).any())))
        return logits


class Logs(Alone):
    """Validates and tests as Lightning's documents do: logs what it measures, and returns the loss."""

    metric = "val/acc"

    def validation_step(self, batch, batch_idx: int) -> Tensor:
        logits, targets = self(batch[0]), batch[1]
        self.log(self.metric, (logits.argmax(1) == targets).float().mean())
        return nn.functional.cross_entropy(logits, targets)


class StepsAlone(Alone):
    def test_step(self, batch, batch_idx: int) -> None:
        self.log("test/acc_of_mine", 1.0)


class LooksTwice(Alone):
    """Looks twice at each batch in its test step, as a consistency check does."""

    def test_step(self, batch, batch_idx: int) -> None:
        self(batch[0])
        super().test_step(batch, batch_idx)


class LogsItsTest(Logs):
    def test_step(self, batch, batch_idx: int) -> None:
        logits, targets = self(batch[0]), batch[1]
        self.log("test/acc", (logits.argmax(1) == targets).float().mean())
        self.log("test/loss", nn.functional.cross_entropy(logits, targets))

    def on_test_epoch_end(self) -> None:
        pass


class EndsAlone(Alone):
    def on_test_epoch_end(self) -> None:
        pass


class LogsAnother(Logs):
    metric = "val_acc"


def own(model: type) -> list[str]:
    return ["model=iris", f"model._target_={__name__}.{model.__name__}", *WORDS]


@pytest.mark.parametrize("model", (Before, After, Alone, Lazy))
def test_a_forward_of_ones_own_is_what_training_evaluation_and_augmentation_measure(configure, model, tmp_path):
    metrics = train(configure("dataset=digits", "optimizer.lr=0.02", "tta=true", *own(model)))
    assert metrics["test/acc"] > 0.7 and metrics["test/acc_tta"] > 0.6
    figures = evaluate(tmp_path / "run/best.ckpt", tta=True, trust=[__name__], output=str(tmp_path))
    assert figures["acc"] == pytest.approx(metrics["test/acc_tta"])


@pytest.mark.parametrize(
    ("model", "sentence"),
    (
        (Attends, r"^[^\n]*network\.1\.self_attn, MultiheadAttention\(\), cannot take the shape \(\d+, 64\): [^\n]*66"),
        (Misshapen, r"Misshapen: its network\.2, Linear\(in_features=9, .*, cannot take the shape \(\d+, 8\): "),
        (Single, r"Single is built for 1 class, and the data has 10: let it take num_classes, and pass it on: super"),
        (
            Mistaken,
            r"Mistaken\.forward fails, in test_own_models\.py, line \d+: AttributeError: .* no attribute 'netwrk'",
        ),
    ),
)
def test_an_error_in_a_forward_of_ones_own_is_one_sentence_with_its_place(configure, model, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        train(configure("dataset=digits", *own(model)))
    assert re.search(sentence, json.loads((tmp_path / "run/status.json").read_text())["reason"])  # a sweep shows it


def test_where_a_model_looked_is_asked_of_its_forward_without_what_calibrates_it():
    model = After((1, 2, 2), 2)
    with torch.no_grad():
        model.network[1].weight.copy_(torch.tensor([[0.0, 0, 2, 0], [1, 0, 0, 0]]))
    x = torch.ones(1, 1, 2, 2)
    assert heat_map(model, x, torch.tensor([1])).tolist() == [[[0, 0], [1, 0]]]
    model.register_forward_hook(lambda module, inputs, output: output * 0)
    assert heat_map(model, x, torch.tensor([1])).tolist() == [[[0, 0], [1, 0]]]


def test_a_part_in_evaluation_mode_stays_so_beside_the_dashboard_and_smaller_images(configure, tmp_path):
    """`dataset.sizes` asks the network before the training, and the dashboard traces it."""
    Frozen.modes.clear()
    words = ("dataset=digits", "dataset.sizes=[8]")
    with_dashboard = train(configure(*words, *own(Frozen)))
    assert not any(Frozen.modes) and len(Frozen.modes) > 10
    without = train(configure(*words, *own(Frozen), "~callbacks.dashboard", folder=tmp_path / "other"))
    assert with_dashboard["test/loss"] == without["test/loss"]
    statistics = load_model(tmp_path / "run/best.ckpt", trust=[__name__])[0].network[1]
    assert not statistics.running_mean.any() and (statistics.running_var == 1).all()


def test_a_compiled_part_is_evaluated_in_the_validations_and_trained_after_them(configure):
    Scripted.seen.clear()
    train(configure("dataset=digits", *own(Scripted), "~callbacks.dashboard", "test=false"))
    assert {*Scripted.seen} == {(True, False), (False, True)}


def test_a_validation_step_of_ones_own_chooses_the_best_epoch_by_what_it_logs_and_must_log_it(configure, tmp_path):
    metrics = train(configure(*own(Logs)))
    assert metrics["val/acc"] > 0.5 and metrics["test/acc"] > 0.5
    with pytest.raises(Exception, match="monitor") as raised:
        train(configure(*own(LogsAnother), folder=tmp_path / "other"))
    assert "monitor=val/acc does not exist. Did you mean 'val_acc'?" in explain(raised.value)


def test_a_test_step_of_ones_own_is_evaluated_by_what_it_counts(configure, tmp_path):
    metrics = train(configure("dataset=digits", *own(LooksTwice)))
    found = evaluate(tmp_path / "run/best.ckpt", trust=[__name__], output=str(tmp_path))
    counts = torch.tensor(found["confusion"])
    assert counts.sum() == 269 and (counts.diagonal().sum() / 269).item() == pytest.approx(metrics["test/acc"])


def test_a_test_of_ones_own_that_only_logs_is_reported_by_the_training_and_not_evaluated(configure, tmp_path):
    assert 0 < train(configure("dataset=digits", *own(LogsItsTest)))["test/acc"] <= 1
    with pytest.raises(UserError, match="LogsItsTest only logs its test: its test_step must call that of super"):
        evaluate(tmp_path / "run/best.ckpt", trust=[__name__], output=str(tmp_path))


@pytest.mark.parametrize("model", (StepsAlone, EndsAlone))
def test_a_test_of_ones_own_that_counts_nothing_is_refused_in_training_and_evaluation(configure, model, tmp_path):
    """Else the numbers of the last validation would be in metrics.json as those of the test."""
    train(configure(*own(model), "test=false"))
    sentence = f"{model.__name__} has counted no test example: its test_step and on_test_epoch_end"
    with pytest.raises(UserError, match=f"{sentence}.* The training is saved, and python -m proj.train resume="):
        train(configure(*own(model)))
    with pytest.raises(UserError, match=sentence):
        evaluate(tmp_path / "run/best.ckpt", trust=[__name__], output=str(tmp_path))


@pytest.mark.parametrize(("model", "part"), ((Before, b"first"), (After, b"aten::flip"), (Alone, b"layer")))
def test_the_graph_is_that_of_the_whole_forward_of_ones_own(configure, tmp_path, capsys, model, part):
    train(configure(*own(model), "trainer.max_epochs=1"))
    assert part in events(tmp_path / "run").Graph().SerializeToString()
    assert "has no graph" not in capsys.readouterr().out


def test_a_network_that_cannot_be_traced_costs_the_graph_alone(configure, tmp_path, capsys):
    train(configure("callbacks.dashboard.histograms=true", *own(Untraceable)))
    assert "torch cannot trace its network with its inputs (" in capsys.readouterr().out
    assert (tmp_path / "run/metrics.json").exists() and "val/loss" in curves(tmp_path / "run")


def test_networks_of_ones_own_that_look_the_same_have_graphs_of_their_own():
    class Scales(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return x * 2 if self.scale else x.tanh()

    first, second = (graph_of(Scales(scale), torch.ones(1, 2))[0] for scale in (True, False))
    assert "tanh" in str(second) and "tanh" not in str(first)


def test_a_model_without_a_network_cannot_have_it_compiled(configure):
    with pytest.raises(UserError, match=r"compile=true compiles self\.network, and Alone has none"):
        train(configure("compile=true", *own(Alone)))


class Quiet(nn.Module):
    """A loss of one's own."""

    def __init__(self, weight: list[float] | None = None) -> None:
        super().__init__()


class Few(InMemoryDataModule):
    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__(batch_size, seed)


LOSS = f"model.loss._target_={__name__}.Quiet"
DATA = f"dataset._target_={__name__}.Few"
WITHOUT = [f"~dataset.{name}" for name in ("split_seed", "standardize")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    (
        ([LOSS], r"Quiet takes no label_smoothing: add ~model\.loss\.label_smoothing, which leaves out what conf/ has"),
        (
            ["model.loss._target_=torch.nn.MultiMarginLoss"],
            r"takes no label_smoothing: add ~model\.loss\.label_smoothing",
        ),
        (
            [DATA],
            r"Few takes no split_seed, standardize: add ~dataset\.split_seed ~dataset\.standardize, which",
        ),
        ([DATA, *WITHOUT, "augment=none"], "it augments no images as augment=… says, so leave that out"),
    ),
)
def test_what_a_class_in_anothers_place_does_not_take_is_said_before_a_job_starts_with_what_leaves_it_out(
    configure, words, sentence
):
    with pytest.raises(UserError, match=sentence):
        configure(*words)


def test_a_loss_of_ones_own_takes_its_own_settings(configure):
    assert configure(LOSS, "~model.loss.label_smoothing", "+model.loss.weight=[1,2]").model.loss.weight == [1, 2]


def test_a_class_in_anothers_place_is_made_without_what_is_null_and_no_argument_of_its(configure):
    assert build(configure(DATA, *WITHOUT).dataset).fold is None


class Broken(nn.Module):
    """A loss with a mistake of its author's."""

    def __init__(self, label_smoothing: float = 0.0, where: str = "forward") -> None:
        super().__init__()
        if where != "forward":
            nn.Linear(2, 2, **{where: 1})

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return undefined  # noqa: F821


class Plain(nn.Module):
    """A loss without an __init__ of its own."""


class Given(nn.Module):
    """Gives what `change` makes of the examples' losses."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return type(self).change(nn.functional.cross_entropy(logits, targets, reduction="none"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    (
        (
            lambda losses: losses,
            r"Given gives the shape \(2,\) for a batch of 2, and not a tensor of one number: return",
        ),
        (lambda losses: losses.mean().item(), "Given gives float for a batch of 2, and not a tensor"),
        (lambda losses: (losses.mean(), losses), "Given gives tuple for a batch of 2, and not a tensor"),
        (lambda losses: losses.mean().detach(), "Given gives a number without gradients: leave detach"),
        (lambda losses: losses.sum(), "Given is the sum over the examples: give their mean"),
    ),
    ids=("vector", "float", "tuple", "detached", "sum"),
)
def test_a_loss_of_ones_own_that_cannot_be_learned_from_is_told_what_to_return(monkeypatch, change, sentence):
    monkeypatch.setattr(Given, "change", change, raising=False)
    with pytest.raises(UserError, match=sentence):
        check_loss(Given(), classes=3)


class Derived(MLP):
    """A model of one's own, whose loss is not tried before the training."""


def test_a_loss_of_ones_own_beside_a_model_of_ones_own_is_told_what_to_return(configure, monkeypatch):
    monkeypatch.setattr(Given, "change", lambda losses: losses, raising=False)
    own = [f"{part}._target_={__name__}.{name}" for part, name in (("model", "Derived"), ("model.loss", "Given"))]
    with pytest.raises(UserError, match=r"Given gives the shape \(10,\) for a batch of 10, and not a tensor of one nu"):
        train(configure("model=mlp", *own, "~model.loss.label_smoothing"))


@pytest.mark.parametrize(
    "change", (lambda losses: (losses * torch.rand(())).mean(), lambda losses: -(-losses).exp()[0])
)
def test_a_loss_of_ones_own_may_draw_random_numbers_and_be_negative(monkeypatch, change):
    monkeypatch.setattr(Given, "change", change, raising=False)
    with torch.no_grad():  # of a script
        check_loss(Given(), classes=3)


def test_a_function_is_a_loss_if_it_is_a_partial(configure):
    words = ("model=mlp", "model.loss._target_=torch.nn.functional.cross_entropy", "~model.loss.label_smoothing")
    with pytest.raises(
        UserError, match=r"for a function that takes logits and classes, add \+model\.loss\._partial_=true"
    ):
        train(configure(*words))
    assert train(configure(*words, "+model.loss._partial_=true", "trainer=debug"))["steps"]


class Signs(torch.optim.Optimizer):
    """Calls its closure under no_grad, in which a training switches the gradients on."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure):
        loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad.sign()
        return loss


@pytest.mark.parametrize("target", (f"{__name__}.Signs", "torch.optim.RMSprop"))
def test_an_optimizer_in_anothers_place_is_made_and_tried_as_a_training_uses_it(configure, target):
    """RMSprop has no momentum until its schedule cycles it."""
    without = [f"~optimizer.{name}" for name in ("_partial_", "momentum", "nesterov", "weight_decay", "fused")]
    assert train(configure("optimizer=sgd", f"optimizer._target_={target}", *without, "trainer=debug"))["steps"]


def make_alone(input_shape, num_classes, **training) -> nn.Module:
    return Alone(input_shape, num_classes, **training)


def test_a_function_that_makes_a_model_may_say_that_it_makes_any_module(configure):
    assert train(configure("model=iris", f"model._target_={__name__}.make_alone", *WORDS, "trainer=debug"))["steps"]


class WithoutClosure(Signs):
    def step(self):
        pass


def test_an_optimizer_whose_step_takes_no_closure_is_refused_also_before_the_jobs_of_a_sweep(configure):
    without = [f"~optimizer.{name}" for name in ("betas", "weight_decay", "fused")]
    cfg = configure(f"optimizer._target_={__name__}.WithoutClosure", *without)
    sentence = r"WithoutClosure\.step takes no closure, which Lightning passes it: def step\(self, closure=None\)"
    with pytest.raises(UserError, match=sentence):
        train(cfg)
    with pytest.raises(UserError, match=sentence):
        make_optimizer(cfg)


class HandsOn(Classifier):
    def __init__(self, input_shape, num_classes, **training) -> None:
        super().__init__(num_classes, **training)


@pytest.mark.parametrize(
    ("words", "sentence"),
    (
        (
            ["Broken"],
            r"fails at a batch's logits and classes \(name 'undefined' is not defined, in test_own_models\.py",
        ),
        (
            ["Broken", "+model.loss.where=x"],
            r"Broken: Linear.*unexpected .* 'x', in test_own_models\.py, line",
        ),
        (
            ["Broken", "+model.loss.where=label_smoothing"],
            r"Broken: Linear.*argument 'label_smoothing', in test_own_models\.py, line",
        ),
        (["Plain"], r"Plain takes no label_smoothing: add ~model\.loss\.label_smoothing, which leaves out"),
        (
            [f"Plain model._target_={__name__}.HandsOn", "~model.loss.label_smoothing", "+model.los=1"],
            r"HandsOn takes no activation, los: add ~model\.activation ~model\.los, .*, or leave out \+model\.activ",
        ),
    ),
)
def test_a_mistake_in_ones_own_file_is_named_with_its_line_and_what_its_class_does_not_take_with_what_leaves_it_out(
    configure, words, sentence
):
    words = f"model.loss._target_={__name__}.{' '.join(words)}".split()
    with pytest.raises(UserError, match=sentence):
        train(configure(*words))


class Weighs(nn.Module):
    """A loss that takes more than a batch has."""

    def forward(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets, weights)


def weighs(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return Weighs()(logits, targets, weights)


@pytest.mark.parametrize(
    ("words", "reason"),
    (
        (["Weighs"], r"TypeError: Weighs.* 'weights'"),
        (["weighs", "+model.loss._partial_=true"], r"TypeError: weighs.* 'weights'"),
    ),
)
def test_a_loss_of_ones_own_that_takes_more_beside_a_model_of_ones_own_is_one_sentence(configure, words, reason):
    words = [f"model.loss._target_={__name__}.{words[0]}", "~model.loss.label_smoothing", *words[1:]]
    with pytest.raises(UserError, match=rf"^the loss {words[0].rpartition('.')[2]} fails at .* \({reason}\)\.$"):
        train(configure(*own(After), *words))


def test_float64_as_the_default_of_all_code_is_refused_with_what_trains_in_float64(tmp_path, monkeypatch, configure):
    (tmp_path / "double.py").write_text("import torch\nfrom torch import nn\ntorch.set_default_dtype(torch.float64)\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(UserError, match=r"^torch\.set_default_dtype\(torch\.float64\).* trainer\.precision=64"):
            train(configure("model.loss._target_=double.nn.CrossEntropyLoss"))
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_file_of_ones_own_that_cannot_be_imported_is_named_with_its_line(tmp_path, monkeypatch, configure):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lacking.py").write_text("import torch\nimport nowhere\n")
    with pytest.raises(UserError, match=r"\(No module named 'nowhere', in lacking\.py, line 2\)"):
        train(configure("model.loss._target_=lacking.Loss"))


class Speechless:
    def __init__(self) -> None:
        raise ArithmeticError


def test_an_error_that_says_nothing_is_named_by_its_class_once():
    with pytest.raises(UserError, match=r"\.Speechless: ArithmeticError, in test_own_models\.py, line \d+$"):
        build({"_target_": f"{__name__}.Speechless"})


def test_an_error_in_code_that_belongs_to_no_module_is_left_to_python():
    with pytest.raises(ZeroDivisionError) as caught:
        eval("1 / 0", {})
    assert explain(caught.value) is None


def test_a_network_for_images_is_refused_where_the_inputs_of_data_without_a_kind_are_none(configure):
    cfg = configure("dataset=digits", "model=cnn")
    with pytest.raises(UserError, match=r"^model=cnn takes images .* dataset=digits have the shape \(5, 4\): use"):
        refuse_unfitting(cfg, SimpleNamespace(input_shape=(5, 4)))


class Squeezes(After):
    """Gives a vector for a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze()


def test_a_forward_of_ones_own_that_loses_a_batch_of_one_is_said_by_predict_and_export(configure, tmp_path):
    facts = Facts([3], ["a", "b"], False, None, None, [], "")
    assert probabilities_of(Squeezes((3,), 2), facts, torch.zeros(2, 3)).shape == (2, 2)
    with pytest.raises(UserError, match=r"^the network gives numbers of the shape \(2,\) for a batch of 1, and "):
        probabilities_of(Squeezes((3,), 2), facts, torch.zeros(1, 3))
    train(configure("dataset=digits", *own(Squeezes), "trainer=debug"))
    with pytest.raises(UserError, match=r"^the network gives numbers of the shape \(10,\) for a batch of 1, and "):
        export(tmp_path / "run/best.ckpt", trust=[__name__])


class Ignores(MLP):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Uses(MLP):
    def configure_optimizers(self):
        return self.optimizer(self.parameters())


class Extends(MLP):
    def configure_optimizers(self):
        return super().configure_optimizers()


@pytest.mark.parametrize(("model", "said"), ((MLP, 0), (Ignores, 1), (Uses, 0), (Extends, 0)))
def test_a_model_that_ignores_the_optimizer_of_the_command_says_so(configure, model, said):
    cfg = configure("dataset=iris", "model=mlp", "optimizer=sgd")
    lines = unused_optimizer(cfg, model((4,), 3))
    assert len(lines) == said and all("optimizer=sgd and its settings have no effect" in line for line in lines)
