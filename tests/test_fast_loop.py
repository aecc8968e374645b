"""The lean loop gives what Lightning's own gives."""

import functools
import inspect
from collections import Counter

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from support.runs import curves
from torch.nn.utils import get_total_norm
from torch.optim import SGD, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from proj.checkpoint.file import load_checkpoint
from proj.data import DigitsDataModule
from proj.data.datamodule import InMemoryDataModule
from proj.models import MLP, Classifier
from proj.training.fast import fast_loop, plain_step
from proj.training.fast.fast_loop import backward, step_of
from proj.training.run import train

SETTINGS = ("dataset=digits", "model=mlp", "model.dropout=0.2", "trainer.max_epochs=2", "trainer.limit_train_batches=5")


class Recorder(Callback):
    """What every callback sees, in order."""

    calls: list = []

    def on_train_batch_start(self, trainer, model, batch, batch_idx) -> None:
        self.record("start", trainer, model, batch_idx, len(batch[1]))

    def on_before_optimizer_step(self, trainer, model, optimizer) -> None:
        self.record("step", trainer, model, float(get_total_norm([p.grad for p in model.network.parameters()])))
        model.log("norm", 1.0)

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx) -> None:
        self.record("end", trainer, model, batch_idx, float(outputs["loss"]))
        model.log("logged", float(batch_idx), on_step=True, on_epoch=True)

    def on_validation_start(self, trainer, model) -> None:
        self.record("validation", trainer, model)

    def on_train_epoch_end(self, trainer, model) -> None:
        self.record("epoch", trainer, model, float(trainer.callback_metrics["logged_epoch"]))

    def record(self, event: str, trainer: Trainer, model, *values) -> None:
        loop = trainer.fit_loop.epoch_loop
        counts = (trainer.global_step, trainer.current_epoch, loop.batch_progress.state_dict(), trainer.is_last_batch)
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self.calls.append((event, model.training, lr, str(counts), *values))


@pytest.fixture
def steps(configure, tmp_path, calls_of):
    """steps(*settings) -> how many steps of a run go through the fast loop."""
    used = calls_of(fast_loop.FastEpochLoop, "fast_batch")
    NOTED.clear()

    def steps(*settings: str, folder=tmp_path / "run") -> int:
        used.clear()
        train(configure(*SETTINGS, *settings, folder=folder))
        return len(used)

    return steps


@pytest.fixture
def both(steps, tmp_path):
    """both(*settings) -> (folder, calls, fast steps) of the same run in the fast loop and in Lightning's own."""

    def both(*settings: str):
        for fast in ("true", "false"):
            Recorder.calls, folder = [], tmp_path / fast
            recorder = f"+callbacks.recorder._target_={__name__}.Recorder"
            taken = steps(f"fast_loop={fast}", recorder, *settings, folder=folder)
            yield folder, Recorder.calls, taken

    return both


PLAIN = "scheduler=none trainer.precision=bf16-mixed on_nan=skip trainer.val_check_interval=3"  # onecycle but for one


@pytest.mark.parametrize("setting", PLAIN.split())
def test_the_fast_loop_gives_lightnings_bits_calls_and_curves(both, setting):
    (fast, fast_calls, fast_steps), (own, own_calls, own_steps) = both(setting)
    assert (fast_steps, own_steps) == (10, 0)
    assert fast_calls == own_calls
    assert curves(fast) == curves(own)
    left, right = (load_checkpoint(folder / "last.ckpt") for folder in (fast, own))
    assert left["loops"]["fit_loop"] == right["loops"]["fit_loop"]
    assert left["global_step"] == right["global_step"] == 10
    assert all(torch.equal(left["state_dict"][name], value) for name, value in right["state_dict"].items())
    assert str(left["optimizer_states"]) == str(right["optimizer_states"])


@pytest.mark.parametrize("setting", ("gradient_clip_val=0.1", "accumulate_grad_batches=2", "profiler=simple"))
def test_what_is_not_plain_goes_lightnings_own_way(steps, setting):
    assert steps(f"trainer.{setting}", "trainer.max_epochs=1") == 0


class Asked(TorchDispatchMode):
    """Counts the numbers that are asked of a tensor: on a GPU each waits until all steps before are computed."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), settings=None):
        self.count += function.overloadpacket is torch.ops.aten._local_scalar_dense
        return function(*args, **(settings or {}))


class Between(Callback):
    """Counts what the steps ask for between two logs, those of the 1st and the 6th batch."""

    counts: list[int] = []

    def on_train_batch_start(self, trainer, model, batch, batch_idx) -> None:
        trainer.log_every_n_steps = 6
        if batch_idx == 1:
            self.asked = Asked()
            self.asked.__enter__()

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx) -> None:
        if batch_idx == 4:
            self.asked.__exit__(None, None, None)
            self.counts.append(self.asked.count)


@pytest.mark.parametrize("model", ("mlp", "whitened_cnn"))
def test_between_two_logs_no_step_asks_for_a_number(steps, model):
    Between.counts.clear()
    words = (f"model={model}", f"+callbacks.between._target_={__name__}.Between", "test=false")
    assert steps(*words, "trainer.max_epochs=1", "trainer.limit_train_batches=7") == 7
    assert Between.counts == [0]


NOTED: list[str] = []  # the calls of hooks


def hooks(base: type) -> list[str]:
    """The public methods of a class of Lightning's or torch's that a run may call."""
    plain = dir(torch.nn.Module) if issubclass(base, torch.nn.Module) else ()
    names = [name for name in dir(base) if not name.startswith("_") and name not in plain]
    return [name for name in names if inspect.isfunction(inspect.getattr_static(base, name))]


def recording(function, name: str):
    @functools.wraps(function)
    def wrapper(*args, **settings):
        NOTED.append(name)
        return function(*args, **settings)

    return wrapper


class Noting(Callback):
    """Has no hook until a test writes some."""


PLACES = {LightningModule: Classifier, LightningDataModule: InMemoryDataModule, Optimizer: SGD, Callback: Noting}
CALLED = {LightningModule: plain_step.IN_MODEL, Callback: plain_step.IN_CALLBACK, Optimizer: plain_step.IN_OPTIMIZER}
HOOKS_RUN = ("optimizer=sgd", "scheduler=none", f"+callbacks.noting._target_={__name__}.Noting")


def plain(base: type, name: str) -> bool:
    """Whether the fast loop says that a hook may be written without a step's being less plain."""
    return name in CALLED.get(base, ()) or bool(plain_step.OUTSIDE.fullmatch(name))


def write(patch, base: type, names: list[str]) -> None:
    """Write hooks anew where a run finds them, each as it is but for the note that it was called."""
    for name in names:
        function = inspect.getattr_static(PLACES[base], name)
        if inspect.isfunction(function):
            patch.setattr(PLACES[base], name, recording(function, f"{base.__name__}.{name}"))


def test_what_the_fast_loop_calls_itself_is_called_as_often_and_in_the_same_order_as_lightning_does(both, monkeypatch):
    for base in PLACES:
        write(monkeypatch, base, [name for name in hooks(base) if plain(base, name)])
    monkeypatch.setattr(Classifier, "training_step", recording(Classifier.training_step, "training_step"))
    noted = []
    for _, calls, steps in both(*HOOKS_RUN):
        noted.append((list(NOTED), list(calls), steps))
        NOTED.clear()
    (fast, fast_calls, fast_steps), (own, own_calls, own_steps) = noted
    assert (fast_steps, own_steps) == (10, 0) and fast_calls == own_calls
    assert Counter(fast) == Counter(own)
    # Lightning calls the forward and backward pass within torch's step, the fast loop before it.
    step = "Optimizer.step"
    assert [name for name in fast if name != step] == [name for name in own if name != step]
    assert {"Optimizer.step", "Callback.on_train_batch_end", "LightningDataModule.setup"} <= set(fast)


def test_every_other_hook_of_lightning_and_torch_takes_lightnings_own_way(configure, monkeypatch):
    tried = []

    def looks(trainer: Trainer) -> bool:
        (noting,) = (callback for callback in trainer.callbacks if isinstance(callback, Noting))
        owners = (trainer.lightning_module, trainer.datamodule, trainer.optimizers[0], noting)
        assert real(trainer)
        for base, owner in zip(PLACES, owners, strict=True):
            for name in [name for name in hooks(base) if not plain(base, name)]:
                with monkeypatch.context() as patch:
                    write(patch, base, [name])
                    assert not real(trainer), (base, name)
                with monkeypatch.context() as patch:
                    patch.setitem(vars(owner), name, lambda *args: None)
                    assert not real(trainer), (base, name)
                tried.append(name)
        return real(trainer)

    real = fast_loop.is_plain
    monkeypatch.setattr(fast_loop, "is_plain", looks)
    train(configure(*SETTINGS, *HOOKS_RUN, "trainer.max_epochs=1"))
    assert {"configure_gradient_clipping", "zero_grad", "on_before_zero_grad", "transfer_batch_to_device"} <= set(tried)


class Hooked(Callback):
    def on_train_start(self, trainer, model) -> None:
        trainer.optimizers[0].register_step_pre_hook(lambda *args: NOTED.append("before the step"))


class Assigned(Callback):
    def on_train_epoch_start(self, trainer, model) -> None:
        model.on_after_backward = lambda: NOTED.append("after backward")
        trainer.optimizers[0].zero_grad = lambda: NOTED.append("zero") or Optimizer.zero_grad(trainer.optimizers[0])


class OfTheStrategy(Callback):
    def on_train_start(self, trainer, model) -> None:
        backward = trainer.strategy.backward
        trainer.strategy.backward = lambda *args, **settings: NOTED.append("backward") or backward(*args, **settings)


@pytest.mark.parametrize("kind", (Hooked, Assigned, OfTheStrategy))
def test_a_hook_that_comes_during_the_training_is_called_in_lightnings_own_loop(steps, kind):
    assert steps(f"+callbacks.hook._target_={__name__}.{kind.__name__}") == 0 and NOTED


def test_an_optimizer_that_takes_a_closure_trains(steps):
    words = ("optimizer=sgd", "optimizer._target_=torch.optim.LBFGS", "~optimizer.momentum", "~optimizer.nesterov")
    words += ("~optimizer.weight_decay", "~optimizer.fused", "scheduler=none")
    assert steps(*words, "trainer.max_epochs=1") == 0


class Seldom(MLP):
    def configure_optimizers(self):
        made = super().configure_optimizers()
        return {**made, "lr_scheduler": {**made["lr_scheduler"], "frequency": 2}}


def test_a_schedule_that_is_stepped_after_every_second_batch_is_so_in_the_fast_loop(both):
    (_, fast_calls, fast_steps), (_, own_calls, _) = both(f"model._target_={__name__}.Seldom", "scheduler=cosine")
    assert fast_steps == 10 and fast_calls == own_calls
    assert len({rate for _, _, rate, *_ in fast_calls}) == 5


class Validated(Callback):
    """Notes what a validation shows to a callback, and logs in it."""

    def note(self, hook: str, trainer: Trainer, model, *values) -> None:
        loop = trainer.fit_loop.epoch_loop.val_loop
        state = (model.training, trainer.validating, str(loop.batch_progress), loop._has_run)
        Recorder.calls.append((hook, *state, *values))

    def on_validation_start(self, trainer, model) -> None:
        self.note("start", trainer, model, torch.is_inference_mode_enabled())

    def on_validation_epoch_start(self, trainer, model) -> None:
        self.note("epoch start", trainer, model)

    def on_validation_batch_start(self, trainer, model, batch, batch_idx) -> None:
        self.note("batch start", trainer, model, batch_idx, len(batch[1]))

    def on_validation_batch_end(self, trainer, model, outputs, batch, batch_idx) -> None:
        model.log("seen", float(batch_idx), on_step=True, on_epoch=True)
        self.note("batch end", trainer, model, batch_idx, float(outputs.sum()))

    def on_validation_epoch_end(self, trainer, model) -> None:
        model.log("at the end", 2.0)
        self.note("epoch end", trainer, model)

    def on_validation_end(self, trainer, model) -> None:
        self.note("end", trainer, model, {name: float(value) for name, value in trainer.callback_metrics.items()})

    def on_train_epoch_end(self, trainer, model) -> None:
        self.note("trained", trainer, model, float(trainer.callback_metrics["seen_epoch"]))


@pytest.fixture
def validations(calls_of) -> list:
    """One entry for each validation in the fast loop."""
    return calls_of(fast_loop.FastValidationLoop, "_validate")


@pytest.mark.parametrize("words", (("trainer.val_check_interval=2",), ("trainer.limit_val_batches=2",)), ids=str)
def test_a_fast_validation_shows_what_lightnings_does(both, validations, monkeypatch, words):
    monkeypatch.setattr(InMemoryDataModule, "evaluation_batch_size", 100)  # three batches
    words += (f"+callbacks.validated._target_={__name__}.Validated", "trainer.num_sanity_val_steps=1")
    (fast, fast_calls, _), (own, own_calls, _) = both(*words)
    assert len(validations) == (4 if "trainer.val_check_interval=2" in words else 2)  # none of Lightning's own loop

    def told(calls: list) -> list:  # the speed is another in every run
        return [str([part if not isinstance(part, dict) else sorted(part.keys()) for part in call]) for call in calls]

    assert told(fast_calls) == told(own_calls) and "batch end" in {name for name, *_ in fast_calls}
    assert curves(fast) == curves(own)
    left, right = (load_checkpoint(folder / "last.ckpt") for folder in (fast, own))
    assert left["loops"]["fit_loop"] == right["loops"]["fit_loop"]


class Evaluates(MLP):
    def on_validation_model_eval(self) -> None:
        NOTED.append("eval")
        self.eval()


class Validates(MLP):
    def validation_step(self, batch):  # Lightning leaves out what it does not take
        NOTED.append("validation")
        return super().validation_step(batch, 0)


class Loads(DigitsDataModule):
    def val_dataloader(self) -> DataLoader:
        NOTED.append("loader")
        inputs, targets = self.splits["val"]
        return DataLoader(TensorDataset(self.prepare(inputs, slice(None), None), targets), 50)


class Midway(Callback):
    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx) -> None:
        if (trainer.current_epoch, batch_idx) == (1, 3):
            model.on_validation_model_train = lambda: NOTED.append("train") or model.train()


@pytest.mark.parametrize("kind", (Evaluates, Validates, Loads, Midway))
def test_what_a_fast_validation_leaves_out_is_called_where_somebody_has_written_it(steps, validations, kind):
    place = {Loads: "dataset", Midway: "+callbacks.mid"}.get(kind, "model")
    assert steps(f"{place}._target_={__name__}.{kind.__name__}") == 10  # the training's steps are plain
    assert len(validations) == (kind is Midway) and NOTED


@pytest.mark.parametrize("kind", (torch.optim.Adam, torch.optim.AdamW))
def test_a_step_of_fused_adam_is_torchs_to_the_bit(kind):
    settings = {"weight_decay": 0.1} if kind is torch.optim.Adam else {"maximize": True, "betas": (0.8, 0.95)}
    draws, both = torch.Generator().manual_seed(0), []
    start = [torch.randn(3, 2, generator=draws), torch.randn(4, generator=draws)]
    gradients = [[torch.randn(one.shape, generator=draws) for one in start] for _ in range(4)]
    for own in (True, False):
        weights = [torch.nn.Parameter(one.clone()) for one in start]
        groups = [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.5}]
        optimizer = kind(groups, lr=0.1, fused=True, **settings)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, 4)
        for number, ones in enumerate(gradients):
            for weight, gradient in zip(weights, ones, strict=True):
                weight.grad = None if number == 2 and weight is weights[0] else gradient.clone()  # as of a frozen layer
            step_of(optimizer)() if own else optimizer.step()
            schedule.step()
        both.append((str([weight.tolist() for weight in weights]), str(optimizer.state_dict())))
    assert both[0] == both[1]


@pytest.mark.parametrize("settings", ({"amsgrad": True}, {"fused": None}, {"lr": torch.tensor(0.1)}))
def test_another_adam_than_the_plain_fused_one_steps_by_itself(settings):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], **{"fused": True} | settings)
    assert step_of(optimizer) == optimizer.step


@pytest.mark.parametrize("kind", (torch.float32, torch.float64))
def test_a_backward_pass_gives_torchs_gradients(kind):
    def gradients(go_back) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).to(kind)
        for _ in range(2):  # gradients are added to those that are there
            go_back(torch.nn.functional.cross_entropy(network(torch.randn(4, 5, dtype=kind)), torch.arange(4) % 3))
        return [parameter.grad for parameter in network.parameters()]

    assert all(map(torch.equal, gradients(backward), gradients(torch.Tensor.backward)))


@pytest.mark.parametrize("loss", (torch.ones(2, requires_grad=True) * 2, torch.ones(())), ids=("several", "constant"))
def test_a_loss_that_torch_refuses_is_refused(loss):
    for go_back in (backward, torch.Tensor.backward):
        with pytest.raises(RuntimeError, match=r"scalar outputs|does not require grad"):
            go_back(loss)
