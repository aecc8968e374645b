"""What callbacks and models carry beside their weights survives a stop, or is named at the start."""

import collections
import copy
import math
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import DeviceStatsMonitor, ModelCheckpoint, OnExceptionCheckpoint, TQDMProgressBar
from omegaconf import OmegaConf
from support.runs import break_off, changed_by_stops, curves, rewritten
from torchmetrics import Metric

from proj.checkpoint.file import load_checkpoint
from proj.checkpoint.writing import AtomicCheckpointIO, refuse_reserved_names
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.models import MLP
from proj.system.run_folder import RunFolder
from proj.training.robustness.attributes import Attributes, copy_attributes, keeps_its_state
from proj.training.robustness.plain_values import NotPlain, equal, plain_attribute, put
from proj.training.robustness.start import newest_checkpoint
from proj.training.run import train

LIGHTNINGS = "lightning.pytorch.callbacks"
WORDS = ("dataset=digits", "model=mlp", "model.hidden=[8]", "model.dropout=0.2", "dataset.batch_size=200")
WORDS += ("trainer.max_epochs=3", "save_every=0", "test=false", "~callbacks.dashboard")


class Schedule(Callback):
    """Counts in attributes of many kinds, and changes the model, the data and the trainer by them."""

    def __init__(self):
        self.epochs, self.recent, self.seen = 0, collections.deque(maxlen=3), collections.defaultdict(int)
        self.sums, self.steps, self.mean = np.zeros(2), torch.zeros(()), None

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs += 1
        trainer.gradient_clip_val = 1 / self.epochs
        trainer.datamodule.shift = self.epochs
        pl_module.network[1].weight.requires_grad_(self.epochs != 2)
        for module in pl_module.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.1 * self.epochs

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.recent.append(float(outputs["loss"]))
        self.seen[batch_idx] += 1
        self.sums += batch_idx
        self.steps += 1
        self.mean = np.mean(list(self.recent))
        with torch.no_grad():
            pl_module.network[-1].weight.add_(1e-3 * (self.mean + self.seen[0] + self.sums.sum() + self.steps))


class Written(Schedule):
    """The same, with a state_dict that has NumPy's numbers and arrays in it."""

    def state_dict(self):
        same = {name: getattr(self, name) for name in ("epochs", "sums", "steps", "mean")}
        return {**same, "recent": list(self.recent), "seen": dict(self.seen)}

    def load_state_dict(self, state):
        self.recent.extend(state.pop("recent"))
        self.seen.update(state.pop("seen"))
        vars(self).update(state, sums=np.asarray(state["sums"]))


class Shadow(Callback):
    def on_fit_start(self, trainer, pl_module):
        self.copy = copy.deepcopy(pl_module.network)


class Pointers(Callback):
    """Points at what the run has, and counts nothing."""

    def setup(self, trainer, pl_module, stage):
        self.trainer, self.weights, self.network = trainer, list(pl_module.parameters()), pl_module.network
        self.path, self.function, self.settings = Path("x"), len, {"rate": 0.1}


class Late(Callback):
    """Its state cannot be read from epoch 2 on."""

    def state_dict(self):
        return {"plain": 1, "odd": self.odd}

    odd = None

    def on_train_epoch_start(self, trainer, pl_module):
        self.odd = Path("x") if trainer.current_epoch == 1 else None


class Writes(Callback):
    def on_validation_end(self, trainer, pl_module):
        trainer.save_checkpoint(Path(trainer.default_root_dir, "last.ckpt"))


class Median(Metric):
    """Keeps a list of tensors."""

    def __init__(self):
        super().__init__()
        self.add_state("kept", [], dist_reduce_fx="cat")

    def update(self, values):
        self.kept.append(values)

    def compute(self):
        return torch.cat(self.kept).median()


class Ranked(MLP):
    """With such a metric."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        self.median = Median()

    def training_step(self, batch, batch_idx):
        loss, logits = self._step(batch, "train")
        self.median.update(logits.detach().softmax(1).amax(1))
        return loss

    def on_train_epoch_end(self):
        self._publish({"train/sureness": self.median.compute()})
        self.median.reset()


class Logging(MLP):
    """Gives `self.log` numbers and a metric: of every batch, the first ones, one epoch, and an epoch's start."""

    def __init__(self, num_classes, **settings):
        super().__init__(num_classes=num_classes, **settings)
        from torchmetrics.classification import MulticlassF1Score  # here, since it takes seconds

        self.f1 = MulticlassF1Score(num_classes)

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.log("train/began", float(self.current_epoch + 1))

    def training_step(self, batch, batch_idx):
        loss, logits = self._step(batch, "train")
        self.f1(logits.detach(), batch[1])
        self.log("train/f1", self.f1, on_step=True, on_epoch=True)
        for name, reduce in (("mean", "mean"), ("sum", "sum"), ("max", max), ("min", torch.min)):
            self.log(f"train/{name}", loss, on_step=False, on_epoch=True, reduce_fx=reduce, sync_dist=True)
        if batch_idx == 0:
            self.log("train/first", loss, rank_zero_only=True)
        if batch_idx < 2:
            self.log("train/early", loss, on_step=True, on_epoch=True)
        if self.current_epoch == 0:
            self.log("train/once", loss, on_step=False, on_epoch=True)
        return loss


SCHEDULE = "_target_=test_attributes.Schedule"
CASES = {
    "accumulation and NumPy": f"+callbacks.w._target_={LIGHTNINGS}.GradientAccumulationScheduler "
    "+callbacks.w.scheduling={1:2} +callbacks.x._target_=test_attributes.Written",
    "averages and attributes": f"callbacks=average +callbacks.x.{SCHEDULE} +callbacks.y.{SCHEDULE}",
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_stopped_ends_with_the_same_bits_whatever_its_callbacks_carry(
    configure, tmp_path, monkeypatch, capsys, case
):
    words = (*WORDS, *CASES[case].split())
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, ((1, 0), (1, 4))) == []
    assert "exactly" not in capsys.readouterr().out


def test_a_metric_with_a_list_of_tensors_is_saved_and_goes_on_with_the_same_bits(configure, tmp_path, monkeypatch):
    words = (*WORDS, "model._target_=test_attributes.Ranked")
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, ((1, 4),), Ranked) == []
    assert load_checkpoint(tmp_path / "stopped" / "last.ckpt")["resume"]["callback_metrics"]["train/sureness"] > 0.1
    assert "kept" not in copy_attributes(Median(), set())[0]  # a second time, beside what the metric saves


def test_what_a_model_logs_itself_is_of_the_whole_epoch_in_which_a_run_is_stopped(configure, tmp_path, monkeypatch):
    words = (*WORDS, "model._target_=test_attributes.Logging", "trainer.log_every_n_steps=2", "monitor=train/mean")
    stops = ((0, 2), (1, 0), (1, 4))
    assert changed_by_stops(configure, monkeypatch, tmp_path, words, stops, Logging) == []
    shown = curves(tmp_path / "stopped")
    names = ("f1_epoch", "f1_step", "mean", "sum", "max", "min", "first", "began")
    assert all(len(shown[f"train/{name}"]) >= 3 for name in names)


@pytest.mark.parametrize(
    ("target", "said"),
    (
        ("test_attributes.Shadow", ["Shadow cannot be resumed exactly: a checkpoint cannot hold its copy (Seq"]),
        (
            f"{LIGHTNINGS}.ModelPruning",
            ["The state of the callback ModelPruning cannot be resumed exactly. A"],
        ),
        ("test_attributes.Pointers", []),
        (f"{LIGHTNINGS}.LearningRateMonitor", []),
    ),
)
def test_a_callback_whose_state_cannot_be_kept_is_named_at_the_start_and_no_other(configure, capsys, target, said):
    words = [f"+callbacks.x._target_={target}", "trainer.max_epochs=1"]
    words += ["+callbacks.x.pruning_fn=l1_unstructured"] if "Pruning" in target else []
    train(configure(*words))
    lines = [line for line in capsys.readouterr().out.splitlines() if "exactly" in line]
    assert len(lines) == len(said) and all(part in line for part, line in zip(said, lines, strict=True))


def test_a_state_that_cannot_be_read_is_named_and_the_last_good_checkpoint_stays(configure, tmp_path):
    words = (*WORDS, "+callbacks.x._target_=test_attributes.Late")
    with pytest.raises(UserError, match=r"callbacks\.Late\.odd holds pathlib\.\S+ .*saved before is intact"):
        train(configure(*words))
    last, previous = (load_checkpoint(tmp_path / "run" / f"{name}.ckpt") for name in ("last", "best"))
    assert last["resume"]["batch"] and last["epoch"] == previous["epoch"] == 0
    assert newest_checkpoint(tmp_path / "run")[0].name == "last.ckpt"


def test_numpys_numbers_are_saved_as_plain_values(tmp_path):
    path, few = tmp_path / "a.ckpt", {"a": [np.bool_(True), (np.float32(0.1),)]}
    values = {"fraction": np.float64(0.1), "number": np.int64(3), "several": np.arange(3), "within": few}
    weights = torch.nn.Linear(1, 1).state_dict()
    AtomicCheckpointIO().save_checkpoint({"proj": {}, "state_dict": weights, np.int64(7): 8, **values}, str(path))
    read = load_checkpoint(path)
    assert read[7] == 8 and read["state_dict"]._metadata == weights._metadata
    assert read["within"]["a"] == [True, (float(np.float32(0.1)),)]
    assert all(np.array_equal(read[name], values[name]) for name in ("fraction", "number", "several"))


@pytest.mark.parametrize("named", ("lambda", "lock"))
def test_what_no_file_can_hold_is_named_and_nothing_is_written(tmp_path, named):
    value = {"lambda": lambda: 0, "lock": threading.Lock()}[named]
    odd = {"proj": {}, "callbacks": {"mine": value}}
    with pytest.raises(UserError, match=rf"this one's callbacks\.mine holds .*{named}.*saved before is intact"):
        AtomicCheckpointIO().save_checkpoint(odd, str(tmp_path / "a.ckpt"))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def stopped(configure, monkeypatch):
    """The configuration and the folder of a run that has died in its second epoch."""
    cfg = configure("trainer.max_epochs=2", "save_every=0")
    break_off(monkeypatch, cfg, 1, 4)
    return cfg, Path(cfg.output_dir)


@pytest.mark.parametrize("change", (lambda known: known.update(odd=Path("x")), lambda known: known.pop("resume")))
def test_where_the_last_checkpoint_is_refused_the_one_before_is_used(stopped, capsys, change):
    cfg, folder = stopped
    with rewritten(folder / "last.ckpt") as checkpoint:
        change(checkpoint)
    content = (folder / "last.ckpt").read_bytes()
    assert train(cfg)["epochs"] == 2
    assert (folder / "last.ckpt.refused").read_bytes() == content
    assert "It was renamed to last.ckpt.refused; the previous" in capsys.readouterr().out


def test_a_checkpoint_from_which_no_run_can_go_on_is_one_sentence(stopped):
    cfg, folder = stopped
    (folder / "previous.ckpt").unlink()
    (folder / "last.ckpt").write_bytes((folder / "best.ckpt").read_bytes())
    with pytest.raises(UserError, match=r"No run can resume from .*last\.ckpt: another"):
        train(cfg)
    assert (folder / "last.ckpt").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    (
        (["+callbacks.best.save_last=true"], r"write .*last\.ckpt, .*leave its save_last out"),
        (["callbacks.best.filename=last"], r"write .*last\.ckpt"),
        ([f"+callbacks.x._target_={LIGHTNINGS}.ModelCheckpoint", "+callbacks.x.filename=Previous"], "Previous"),
        ([f"+callbacks.x._target_={LIGHTNINGS}.ModelCheckpoint", "+callbacks.x.filename=best"], r"best\.ckpt"),
        ([f"+callbacks.x._target_={LIGHTNINGS}.OnExceptionCheckpoint", "+callbacks.x.filename=last"], "last"),
        (["+callbacks.x._target_=test_attributes.Writes"], r"a callback wants to write .*last\.ckpt"),
    ),
)
def test_a_callback_that_would_write_the_runs_own_checkpoints_is_refused(configure, tmp_path, words, said):
    words = [*words, f"+callbacks.x.dirpath={tmp_path}/run"] if "+callbacks.x.filename" in words[-1] else words
    with pytest.raises(UserError, match=said):
        train(configure(*words, "save_every=0", "trainer.max_epochs=2"))
    kept = tmp_path / "run" / "last.ckpt"
    assert not kept.exists() or "resume" in load_checkpoint(kept)


def test_a_checkpoint_of_the_same_name_in_another_folder_is_the_callbacks_own(tmp_path):
    other = ModelCheckpoint(dirpath=tmp_path / "other", filename="last", save_last=True)
    refuse_reserved_names(SimpleNamespace(checkpoint_callbacks=[other], checkpoint_callback=None), tmp_path)
    writer, path = AtomicCheckpointIO(tmp_path), tmp_path / "other/last.ckpt"
    writer.save_checkpoint({"proj": {}}, str(path))
    assert path.is_file()
    writer.remove_checkpoint(str(path))
    assert not path.exists()


def test_a_run_that_begins_or_goes_on_deletes_no_curves_of_other_programs(tmp_path):
    run = RunFolder(tmp_path)
    names = ("events.out.tfevents.1.host.1.0", "events.out.tfevents.9999999999.host.1.0")
    ours = "events.out.tfevents.2.host.1.0.proj"
    for lengths, left in (({}, None), ({ours: 3}, b"cur")):
        for name in (*names, ours):
            (tmp_path / name).write_bytes(b"curves")
        run.rewind_curves(lengths)
        assert [(tmp_path / name).read_bytes() for name in names] == [b"curves", b"curves"]
        assert ((tmp_path / ours).read_bytes() if (tmp_path / ours).exists() else None) == left


def test_a_setting_of_its_own_does_not_follow_the_one_at_the_top(configure, tmp_path):
    cfg = configure("callbacks=early_stopping", "callbacks.early_stopping.monitor=val/loss")
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    before, cfg = cfg.seed, stored_config(tmp_path, ["monitor=train/acc", "callbacks.best.mode=max"])
    assert cfg.callbacks.best.monitor == "train/acc" and cfg.callbacks.early_stopping.monitor == "val/loss"
    for more, seed in (([], 4), (["dataset.seed=5"], 5), ([f"dataset.seed={before}"], before)):
        assert stored_config(tmp_path, ["seed=4", *more]).dataset.seed == seed


def test_callbacks_that_change_no_result_and_our_own_are_kept_without_their_attributes():
    assert all(map(keeps_its_state, (TQDMProgressBar(), OnExceptionCheckpoint("."), Attributes())))
    assert not keeps_its_state(DeviceStatsMonitor())


def test_an_attribute_comes_back_in_its_class_and_no_change_of_it_is_missed():
    for value in ({1, 2}, (1, [2.5]), collections.Counter("aab"), np.arange(3), np.float64(0.1), None):
        holder = SimpleNamespace(value=copy.deepcopy(value))
        put(holder, "value", plain_attribute(value))
        assert type(holder.value) is type(value) and str(holder.value) == str(value)
    put(holder := SimpleNamespace(value=np.float64(0.1)), "value", None)
    assert holder.value is None
    with pytest.raises(NotPlain):
        plain_attribute(np.datetime64("2026-01-01"))  # whose item no checkpoint can hold
    unlike = ((1, 1.0), ([], [1]), (torch.zeros(2), torch.zeros(2).long()), (torch.zeros(()), None))
    unlike += (({"a": 1, "b": 2}, {"b": 2, "a": 1}), (0.1, math.nan))
    assert not any(equal(one, other) for one, other in unlike)
    assert equal({"a": [math.nan, torch.zeros(2)]}, {"a": [float("nan"), torch.zeros(2)]})
