"""A run of one's own model, data or loader is stopped and ends with the same bits."""

import copy
import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from support.runs import break_off, changed_by_stops
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from proj.checkpoint.file import load_checkpoint
from proj.data import IrisDataModule
from proj.errors import UserError
from proj.models import MLP
from proj.training.robustness.attributes import Attributes, copy_attributes
from proj.training.robustness.loader import OtherBatches
from proj.training.robustness.plain_values import OBJECT
from proj.training.run import train

WORDS = ("dataset=iris", "dataset.batch_size=20", "model=mlp", "model.hidden=[8]", "model.dropout=0.2")
WORDS += ("trainer.max_epochs=3", "scheduler=none", "save_every=0", "test=false", "~callbacks.dashboard")


class Collects(MLP):
    """Learns by what it keeps in a list, a tensor, a buffer that no checkpoint has and three generators."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        self.losses, self.mean = [], torch.zeros(num_classes)
        self.register_buffer("scale", torch.ones(()), persistent=False)
        self.of_torch, self.of_python = torch.Generator().manual_seed(1), random.Random(3)
        self.of_numpy = np.random.default_rng(2)

    def training_step(self, batch, batch_idx):
        loss, logits = self._step(batch, "train")
        self.losses.append(loss.detach())
        self.mean = 0.9 * self.mean + 0.1 * logits.detach().mean(0)
        self.scale *= 1.01
        noise = torch.rand((), generator=self.of_torch) + self.of_numpy.random() + self.of_python.random()
        return loss * self.scale * noise + self.mean.sum() * logits.mean()

    def on_train_epoch_end(self):
        self.log("train/collected", torch.stack(self.losses).mean())
        self.losses.clear()


class Shadow:
    """An average of the weights that is no module, as many write it, beside the model that it belongs to."""

    def __init__(self, model):
        self.model, self.weights, self.history = model, {}, History()

    def update(self):
        for name, weight in self.model.named_parameters():
            self.weights[name] = 0.9 * self.weights.get(name, 0) + 0.1 * weight.detach()
        self.history.norms.append(float(next(iter(self.weights.values())).norm()))


class History:
    def __init__(self):
        self.norms, self.shown = [], print


class Averages(MLP):
    """Is held near an average of its weights."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        self.shadow = Shadow(self)

    def training_step(self, batch, batch_idx):
        self.shadow.update()
        loss, _ = self._step(batch, "train")
        away = sum((p - self.shadow.weights[name]).square().sum() for name, p in self.named_parameters())
        return loss + away + 1e-3 * sum(self.shadow.history.norms) * next(self.parameters()).sum()


class AveragesLate(Averages):
    """Begins its average with the first step: before it, no object is there that could take what was kept."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        self.shadow = None

    def training_step(self, batch, batch_idx):
        self.shadow = self.shadow or Shadow(self)
        return super().training_step(batch, batch_idx)


class ByHand(MLP):
    """Adds up the gradients of three batches before a step."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss, _ = self._step(batch, "train")
        self.manual_backward(loss)
        if batch_idx % 3 == 2:
            self.optimizers().step()
            self.optimizers().zero_grad()
        return loss


class Moves(MLP):
    """Draws numbers for a batch before its step begins."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return (batch[0] + torch.randn(()) + random.random() + np.random.rand(), batch[1])


class Noise(Dataset):
    def __init__(self, inputs, targets, own):
        self.inputs, self.targets, self.own = inputs, targets, own

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        drawn = torch.randn(4) + random.random() + np.float32(np.random.rand()) + self.own.random()
        return self.inputs[index] + drawn, self.targets[index]


class Validated(Callback):
    """Scales the loss by the number of validations, also of the check before the training."""

    count = 0

    def on_validation_end(self, trainer, pl_module):
        self.count += 1

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        trainer.optimizers[0].param_groups[0]["lr"] = 0.01 * self.count


def of_data(monkeypatch, name: str, function) -> None:
    monkeypatch.setattr(f"proj.data.sklearn.IrisDataModule.{name}", function, raising=False)


def draws_and_counts(monkeypatch) -> None:
    """Data that makes its batches by all generators and by how many there were."""

    def prepare(data, inputs, index, generator, epoch=0):
        if generator is None:
            return inputs[index]
        data.made = getattr(data, "made", 0) + 1
        data.own = getattr(data, "own", None) or random.Random(5)
        drawn = torch.randn(()) + random.random() + np.random.rand() + data.own.random()
        return (inputs[index] + drawn * data.made).float()

    of_data(monkeypatch, "prepare", prepare)


def in_torchs_loader(monkeypatch, workers: int = 0) -> None:
    def loader(data):
        data.own = getattr(data, "own", None) or random.Random(5)
        return DataLoader(Noise(*data.splits["train"], data.own), batch_size=20, shuffle=True, num_workers=workers)

    of_data(monkeypatch, "train_dataloader", loader)


STOPS = ((0, 2), (1, 0), (1, 4))


@pytest.mark.parametrize("model", (Collects, Averages, ByHand, Moves))
def test_a_model_of_ones_own_that_is_stopped_ends_with_the_same_bits(configure, tmp_path, monkeypatch, capsys, model):
    words = (*WORDS, f"model._target_={__name__}.{model.__name__}")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, STOPS, model) == []
    assert "exactly" not in capsys.readouterr().out


def test_an_object_that_a_model_makes_in_its_first_step_is_said_to_be_lost(configure, tmp_path, monkeypatch, capsys):
    words = (*WORDS, f"model._target_={__name__}.AveragesLate")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, ((1, 4),), AveragesLate)
    assert "The state of shadow in AveragesLate is lost" in capsys.readouterr().out


def test_data_that_draws_and_counts_goes_on_with_the_same_bits(configure, tmp_path, monkeypatch):
    draws_and_counts(monkeypatch)
    words = (*WORDS, "trainer.val_check_interval=2")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, STOPS) == []


@pytest.mark.parametrize("words", ((), ("trainer.reload_dataloaders_every_n_epochs=1",)), ids=" ".join)
def test_a_loader_of_torchs_goes_on_within_an_epoch(configure, tmp_path, monkeypatch, words):
    in_torchs_loader(monkeypatch)
    assert changed_by_stops(configure, monkeypatch, tmp_path, (*WORDS, *words), STOPS) == []


@pytest.mark.slow
def test_a_loader_of_torchs_with_processes_of_its_own_goes_on_within_an_epoch(configure, tmp_path, monkeypatch):
    in_torchs_loader(monkeypatch, workers=2)
    assert changed_by_stops(configure, monkeypatch, tmp_path, WORDS, STOPS) == []


class Counted(Dataset):
    """Scales an input by how many there were, without random numbers."""

    made = 0

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        self.made += 1
        return self.inputs[index] * (1 + self.made % 5), self.targets[index]


class Alternates(torch.optim.SGD):
    """Halves every second step, which it counts in an attribute."""

    count = 0

    def step(self, closure=None):
        self.count += 1
        self.param_groups[0]["lr"] = 0.1 / (1 + self.count % 2)
        return super().step(closure)


def test_what_an_optimizer_and_a_loaders_dataset_count_and_its_generator_go_on(configure, tmp_path, monkeypatch):
    def loader(data):
        return DataLoader(Counted(*data.splits["train"]), 20, shuffle=True, generator=torch.Generator().manual_seed(3))

    of_data(monkeypatch, "train_dataloader", loader)
    words = (*WORDS, "optimizer=sgd", f"optimizer._target_={__name__}.Alternates")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, STOPS) == []


class Asks(IrisDataModule):
    """Its loader depends on the trainer."""

    def train_dataloader(self):
        return DataLoader(TensorDataset(*self.splits["train"]), batch_size=40 // self.trainer.max_epochs)


def test_a_loader_of_ones_own_may_ask_its_trainer(configure):
    assert train(configure(*WORDS, f"dataset._target_={__name__}.Asks", "trainer.max_epochs=2"))["steps"] == 12


class Grows(IrisDataModule):
    """Its loader has more batches in later epochs."""

    def train_dataloader(self):
        few = 20 if self.trainer.current_epoch == 0 else 60
        return DataLoader(TensorDataset(*(one[:few] for one in self.splits["train"])), batch_size=10)


def test_a_loader_that_grows_is_refused_where_the_rate_is_scheduled_by_its_first_epoch(configure, tmp_path):
    words = [*WORDS, f"dataset._target_={__name__}.Grows", "trainer.reload_dataloaders_every_n_epochs=1"]
    with pytest.raises(UserError, match=r"Grows\.train_dataloader gives epoch 2 6 steps, .* scheduled for 2 in each"):
        train(configure(*words, "scheduler=cosine", "trainer.max_epochs=3"))
    limits = ("trainer.max_epochs=-1", "trainer.max_steps=14")
    assert train(configure(*words, "scheduler=cosine", *limits, folder=tmp_path / "steps"))["epochs"] == 3


@pytest.mark.parametrize("reload", (0, 1))
def test_each_epoch_of_a_loader_of_torchs_has_an_order_of_its_own(configure, monkeypatch, reload):
    in_torchs_loader(monkeypatch)
    seen = []
    monkeypatch.setattr(Moves, "on_after_batch_transfer", lambda model, batch, _: seen.append(batch[1]) or batch)
    train(configure(*WORDS, f"model._target_={__name__}.Moves", f"trainer.reload_dataloaders_every_n_epochs={reload}"))
    epochs = [torch.cat(seen[start : start + 6]) for start in (0, 7, 14)]  # then a validation
    assert all(len(epoch) == 105 for epoch in epochs)
    assert not any(torch.equal(epochs[0], other) for other in epochs[1:])


def test_what_a_callback_asks_of_a_loader_is_answered_by_the_loader_itself():
    loader = DataLoader(range(6), batch_size=2)
    batches = copy.copy(OtherBatches(loader, epoch=0))
    assert batches.dataset is loader.dataset and batches.batch_size == 2 and len(batches) == 3
    with pytest.raises(AttributeError, match="no_such"):
        _ = batches.no_such


def test_a_loader_of_fewer_batches_than_it_says_ends_its_epoch():
    class Short(DataLoader):
        def __len__(self):
            return 5

    assert len(list(OtherBatches(Short(range(6), batch_size=2), epoch=0))) == 3


class Endless(IterableDataset):
    """Has no length."""

    def __iter__(self):
        return itertools.cycle([0])


@pytest.mark.parametrize(
    ("part", "loader", "said"),
    (
        ("train", lambda one: [one, one], r"a collection of loaders: return one, of all examples together"),
        ("val", lambda one: [one, one], r"a collection of loaders: return one, of all examples together"),
        ("test", lambda one: None, r"nothing: return a loader, or leave the method out"),
        ("train", lambda one: DataLoader(Endless()), r"a loader without a length: give its dataset a __len__"),
    ),
)
def test_what_is_no_single_loader_with_a_length_is_refused_with_what_to_return(
    configure, monkeypatch, part, loader, said
):
    one = getattr(IrisDataModule, f"{part}_dataloader")
    of_data(monkeypatch, f"{part}_dataloader", lambda data: loader(one(data)))
    with pytest.raises(UserError, match=rf"IrisDataModule\.{part}_dataloader gives {said}"):
        train(configure(*WORDS, "test=true"))


@pytest.mark.parametrize(
    ("change", "said"),
    (
        (lambda x, y: {"x": x, "y": y}, "a dict"),
        (lambda x, y: (x, y, y), r"\(16, 4\) in float32 and \(16,\) in int64 and \(16,\) in int64"),
        (lambda x, y: (x.double(), y), r"\(16, 4\) in float64 and \(16,\) in int64"),
        (
            lambda x, y: (x.to_sparse(), y.to_sparse()),
            r"\(16, 4\) in float32 as sparse_coo and \(16,\) in int64 as sparse_coo for",
        ),
        (lambda x, y: (x, y.float()), r"targets of \(16,\) in float32, 0 to 2,"),
        (lambda x, y: (x, y + 1), r"targets of \(16,\) in int64, 1 to 3,"),
    ),
    ids=("dict", "three", "float64", "sparse", "float targets", "targets from 1"),
)
def test_batches_of_a_loader_of_ones_own_that_no_step_can_take_are_one_sentence(configure, monkeypatch, change, said):
    def loader(data):
        inputs, targets = data.splits["val"]
        return DataLoader([change(inputs[:16], targets[:16])], batch_size=None)

    of_data(monkeypatch, "val_dataloader", loader)
    right = r"\(inputs, targets\): for each example \(4,\) in float32, and a whole number \(int64\), 0 to 2"
    with pytest.raises(UserError, match=rf"IrisDataModule\.val_dataloader gives {said} .* must be {right}"):
        train(configure(*WORDS))


def test_examples_are_not_drawn_by_class_from_another_loader(configure, monkeypatch):
    in_torchs_loader(monkeypatch)
    with pytest.raises(UserError, match=r"no effect on the loader that IrisDataModule\.train_dataloader gives: use"):
        train(configure(*WORDS, "balance=sampling"))


def test_several_processes_are_told_the_epoch_by_their_own_sampler():
    class Sampler:
        def __len__(self):
            return 2

    loader = DataLoader(Noise(torch.zeros(4, 4), torch.zeros(4), random), sampler=Sampler())
    other = OtherBatches(loader, epoch=0)
    assert other.batch_sampler.sampler is loader.sampler and len(other) == 2
    other.sampler.set_epoch(3)
    assert other.epoch == 3


def test_a_tensor_of_the_model_on_another_device_is_named():
    model = Collects(num_classes=2, input_shape=(2,), hidden=[2])
    model.mean = torch.zeros(2, device="meta")
    kept, left = copy_attributes(model, set())
    assert left.keys() == {"mean"} and kept["losses"] == [] and "network" not in left


def test_gradients_are_kept_of_steps_by_hand_alone(configure, tmp_path, monkeypatch):
    cfg = configure(*WORDS, folder=tmp_path / "run")
    break_off(monkeypatch, cfg, 1, 4)
    state = load_checkpoint(tmp_path / "run" / "last.ckpt")["resume"]
    assert state["gradients"] == [{}] and state["batch"] == 4


def test_steps_by_hand_in_several_processes_are_named_at_the_start(capsys):
    model = ByHand(num_classes=2, input_shape=(2,), hidden=[2])
    trainer = SimpleNamespace(world_size=2, is_global_zero=True, callbacks=[], loggers=[], optimizers=[])
    trainer.lightning_module, trainer.datamodule, trainer.strategy = model, SimpleNamespace(), None
    trainer.train_dataloader = None
    Attributes().on_train_start(trainer, model)
    assert "The state of the model ByHand cannot be resumed exactly. A resumed run" in capsys.readouterr().out
    trainer.world_size = 1
    Attributes().on_train_start(trainer, model)
    assert not capsys.readouterr().out


def test_what_a_callback_counts_in_the_check_before_the_training_is_kept(configure, tmp_path, monkeypatch):
    words = (*WORDS, "trainer.num_sanity_val_steps=1", f"+callbacks.x._target_={__name__}.Validated")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, ((0, 2),)) == []


def test_a_file_sets_no_other_attribute_of_a_module_than_its_buffers_and_what_a_training_may_change():
    class Own(torch.nn.Linear):
        def scaled(self):
            return self.scale

    model = Own(1, 1)
    model.register_buffer("scale", torch.ones(()), persistent=False)
    model.shadow = Shadow(model)
    parts = {"datamodule": SimpleNamespace(), "train_dataloader": None, "lightning_module": model}
    trainer = SimpleNamespace(**parts, callbacks=[], optimizers=[])
    kept = Attributes()
    buffers = {"scale": torch.tensor(2.0), "forward": "of a file"}
    kept.changed = {"model ": {"buffers": buffers, "_modules": {}, "forward": "of a file"}}
    kept.changed["model "] |= {"requires_grad": {"weight": False}, "scaled": "of a file"}
    kept.changed["model "]["shadow"] = {OBJECT: {"weights": {"a": 1}, "update": "of a file"}}
    model.bias.requires_grad_(False)  # which the file does not name
    kept.bring_back(trainer)
    assert model.scale == model.scaled() == 2 and callable(model.forward)
    assert model.shadow.weights == {"a": 1} and callable(model.shadow.update)
    assert not model.weight.requires_grad and not model.bias.requires_grad


def test_what_a_training_adds_or_changes_is_collected_and_nothing_else():
    parts = {"datamodule": SimpleNamespace(size=1, made=2), "lightning_module": torch.nn.Linear(1, 1), "strategy": None}
    parts |= {"train_dataloader": None}
    trainer = SimpleNamespace(**parts, world_size=1, callbacks=[], loggers=[], optimizers=[], is_global_zero=True)
    kept = Attributes()
    kept.on_train_start(trainer, trainer.lightning_module)
    trainer.datamodule.made, trainer.datamodule.last = 3, None
    kept.collect(trainer)
    assert kept.collected == {"data": {"made": 3, "last": None}}


def test_a_loader_of_ones_own_with_its_own_generator_has_another_order_in_each_epoch_and_the_same_again():
    def order(epoch):
        own = torch.Generator().manual_seed(3)
        return torch.cat([*OtherBatches(DataLoader(torch.arange(50), 10, shuffle=True, generator=own), epoch)])

    assert torch.equal(order(1), order(1)) and not torch.equal(order(0), order(1))
