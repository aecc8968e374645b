"""best.ckpt is the best, whatever else a run keeps, and its figures are its own."""

import functools
import json
import math
import re
import shutil
import traceback
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import OmegaConf
from support.refusals import refusals
from support.runs import break_off

from proj.checkpoint.file import load_checkpoint
from proj.checkpoint.writing import AtomicCheckpointIO
from proj.config.command_line import read_options
from proj.errors import UserError
from proj.models import Classifier
from proj.reports.runs import read_run
from proj.training.run import train

LIGHTNINGS = "lightning.pytorch.callbacks"
MORE = f"+callbacks.more._target_={LIGHTNINGS}.ModelCheckpoint"
# So high a rate that the best epoch is not the last.
WORDS = ("scheduler=none", "optimizer=sgd", "optimizer.lr=2", "trainer.max_epochs=5", "test=false")
WORDS += ("~callbacks.dashboard",)


SELDOM, LATE = "trainer.check_val_every_n_epoch=2", "callbacks.early_stopping.check_on_train_epoch_end"


class Lowest(ModelCheckpoint):
    """Keeps the lowest of a metric of its own choice."""

    def __init__(self, **settings):
        super().__init__(filename="lowest", monitor="val/loss", mode="min")


class Named(ModelCheckpoint):
    """The best under a name of its own."""

    def __init__(self, **settings):
        super().__init__(filename="mine", monitor="val/acc", mode="max")


def kept(folder) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*.ckpt")} - {"last.ckpt", "previous.ckpt"}


def test_of_epochs_with_the_same_accuracy_the_one_with_the_lowest_loss_is_the_best_also_after_a_stop(
    configure, tmp_path, monkeypatch
):
    words = ("scheduler=none", "optimizer=sgd", "optimizer.lr=1e-4", "trainer.max_epochs=4", "save_every=0")
    for name in ("whole", "stopped"):
        cfg = configure(*words, folder=tmp_path / name)
        if name == "stopped":
            break_off(monkeypatch, cfg, 2, 5)
        metrics = train(cfg)
        curves = read_run(tmp_path / name).curves
        assert len({value for _, value in curves["val/acc"]}) == 1 and metrics["best_epoch"] == 4
        assert metrics["val/loss"] == pytest.approx(min(value for _, value in curves["val/loss"]))


@pytest.mark.parametrize(
    ("words", "count"),
    (
        (("+callbacks.best.save_top_k=3",), 4),
        (("+callbacks.best.save_top_k=2", "callbacks.best.filename=model"), 3),
        (("callbacks.best.filename=model",), 2),
        (("+callbacks.best.every_n_epochs=2", "+callbacks.best.save_top_k=-1"), 3),
        (("+callbacks.best.every_n_epochs=9",), 1),
        (("callbacks.best.filename='{epoch}-{val/acc:.3f}'", "+callbacks.best.save_top_k=-1"), 6),
        ((MORE, "+callbacks.more.monitor=val/acc", "+callbacks.more.mode=max", "+callbacks.more.save_top_k=-1"), 6),
        ((MORE, "+callbacks.more.monitor=val/acc", "+callbacks.more.mode=max", "+callbacks.best.save_top_k=-1"), 7),
    ),
    ids=str,
)
def test_best_ckpt_is_the_best_whatever_else_is_kept(configure, tmp_path, words, count):
    metrics = train(configure(*WORDS, *words))
    points = read_run(tmp_path / "run").curves["val/acc"]
    best = max(value for _, value in points)
    assert metrics["val/acc"] == pytest.approx(best) and metrics["best_epoch"] < 5
    assert metrics["best_epoch"] == next(epoch for epoch, value in points if value == best)
    assert load_checkpoint(tmp_path / "run" / "best.ckpt")["epoch"] + 1 == metrics["best_epoch"]
    found = kept(tmp_path / "run")
    assert len(found) == count and metrics["checkpoint"] == str(tmp_path / "run" / "best.ckpt")
    assert ("model.ckpt" in found) == (words == ("callbacks.best.filename=model",))  # of one alone the very name
    if "{val/acc" in words[0]:
        assert f"epoch={metrics['best_epoch'] - 1}-val_acc={best:.3f}.ckpt" in found


def test_a_run_that_keeps_three_and_is_killed_ends_with_the_same_checkpoints(configure, tmp_path, monkeypatch):
    words = (*WORDS, "save_every=0", "+callbacks.best.save_top_k=3", "callbacks.best.filename=model")
    whole = train(configure(*words, folder=tmp_path / "whole"))
    cfg = configure(*words, folder=tmp_path / "stopped")
    for epoch in (1, 3):
        break_off(monkeypatch, cfg, epoch, 1)
    stopped = train(cfg)
    assert kept(tmp_path / "stopped") == kept(tmp_path / "whole") and len(kept(tmp_path / "whole")) == 4
    assert (stopped["val/acc"], stopped["best_epoch"]) == (whole["val/acc"], whole["best_epoch"])


def test_the_score_is_that_of_the_file_where_a_killed_run_had_gone_further(configure, tmp_path, monkeypatch):
    """best.ckpt can be newer than the checkpoint from which a run goes on, which then trains for fewer epochs."""
    words = ("scheduler=none", "test=false", "~callbacks.dashboard")
    first = train(configure(*words, "trainer.max_epochs=1"))
    shutil.copy(tmp_path / "run" / "last.ckpt", tmp_path / "early.ckpt")
    more = train(configure(*words, "trainer.max_epochs=8"))
    assert more["val/acc"] > first["val/acc"]
    for name in ("metrics.json", "metrics_1_epochs.json", "previous.ckpt"):
        (tmp_path / "run" / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "early.ckpt", tmp_path / "run" / "last.ckpt")
    again = train(configure(*words, "trainer.max_epochs=1"))
    assert (again["val/acc"], again["best_epoch"]) == (more["val/acc"], more["best_epoch"])


def test_a_run_whose_checkpoint_has_another_name_is_found_by_its_folder(configure, tmp_path):
    more = "+callbacks.low={_target_: test_checkpoints.Lowest}"
    deep = "{filename: lowest, monitor: val/macro_f1, mode: max, _target_: lightning.pytorch.callbacks.ModelCheckpoint"
    deep = f"+callbacks.deep={deep}, dirpath: {tmp_path / 'run' / 'deep'}}}"
    metrics = train(configure(*WORDS, "callbacks.best={_target_: test_checkpoints.Named}", more, deep))
    curves = read_run(tmp_path / "run").curves
    losses, means = ([value for _, value in curves[name]] for name in ("val/loss", "val/macro_f1"))
    assert metrics["other_checkpoints"] == {
        "checkpoints/lowest.ckpt": {"val/loss": pytest.approx(min(losses))},
        "deep/lowest.ckpt": {"val/macro_f1": pytest.approx(max(means))},
    }
    assert metrics["checkpoint"].endswith("run/mine.ckpt") and read_run(tmp_path / "run").checkpoint
    assert read_options({}, [f"run={tmp_path / 'run'}"])["path"] == tmp_path / "run" / "mine.ckpt"
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["val/acc"] == metrics["val/acc"]


@pytest.mark.parametrize(
    ("target", "said"),
    (
        ("test_checkpoints.Lowest", "goes by monitor=val/loss: use monitor=val/loss"),
        ("builtins.dict", "callbacks.best._target_=builtins.dict is no ModelCheckpoint: derive it from lightning"),
    ),
)
def test_a_callback_that_does_not_keep_the_best_is_refused(configure, target, said):
    with pytest.raises(UserError, match=said):
        train(configure(*WORDS, f"callbacks.best={{_target_: {target}}}"))


@pytest.mark.parametrize(
    ("words", "modes"),
    (
        ((), ("max", "max", "max")),
        (("monitor=val/loss",), ("min", "min", "min")),
        (("monitor=train/loss", "callbacks.early_stopping.monitor=val/acc"), ("min", "min", "max")),
        (("callbacks.early_stopping.monitor=val_best/loss",), ("max", "max", "min")),
    ),
)
def test_the_mode_follows_a_monitor_that_is_given_alone(configure, words, modes):
    cfg = configure("callbacks=early_stopping", "scheduler=plateau", *words)
    assert (cfg.mode, cfg.scheduler.mode, cfg.callbacks.early_stopping.mode) == modes
    assert cfg.callbacks.best.mode == cfg.mode


def test_the_mode_of_a_job_that_waits_is_that_of_its_monitor(configure, tmp_path):
    (tmp_path / "job.yaml").write_text(
        "monitor: val/loss\nmode: ${mode_of:${monitor},max}\nchoices: {dataset: iris}\ncallbacks:\n  best:\n"
        "    mode: ${mode}\n  early_stopping:\n    monitor: val/acc\n    mode: ${mode_of:${.monitor},${mode}}\n"
    )
    config = read_run(tmp_path).config
    modes = [config[key] for key in ("mode", "callbacks.best.mode", "callbacks.early_stopping.mode")]
    assert modes == ["min", "min", "max"]


@refusals(
    ("monitor=val/loss mode=max", "would keep the worst checkpoint: use mode=min"),
    ("callbacks.best.monitor=val/loss", "callbacks.best.monitor=val/loss: use monitor=val/loss"),
    ("callbacks.best.mode=min", "treats the worst as the best: use callbacks.best.mode=max"),
    ("monitor=val/f1 callbacks.dashboard._target_=mine.X callbacks.best.mode=min", "best.mode=min: use mode=min"),
    ("callbacks=early_stopping callbacks.early_stopping.mode=min", "use callbacks.early_stopping.mode=max"),
    (f"+callbacks.s._target_={LIGHTNINGS}.EarlyStopping +callbacks.s.monitor=val/acc", "+callbacks.s.mode=max"),
    (f"{MORE} +callbacks.more.monitor=val/acc", "use +callbacks.more.mode=max"),
    (f"+callbacks.s._target_={LIGHTNINGS}.EarlyStopping +callbacks.s.monitor=val/f1", "s.monitor=val/f1 does not"),
    ("scheduler=plateau scheduler.mode=min", "use scheduler.mode=max"),
    ("callbacks=early_stopping callbacks.early_stopping.patience=-1", "patience=-1 is not a whole number, 0 or"),
    ("callbacks=average callbacks.average.decay=1", "decay=1 is not a number, 0 or more and below 1"),
    (f"{SELDOM} callbacks=early_stopping {LATE}=true", f"use {LATE}=false"),
    (f"{SELDOM} +callbacks.best.save_on_train_epoch_end=true", "save_on_train_epoch_end=false"),
    ("+callbacks.best.save_on_exception=true", "a run that is stopped saves last.ckpt"),
    ("trainer.limit_val_batches=0", "limit_val_batches=0 is not a number above 0"),
    ("trainer.precision=16-true", "use trainer.precision=bf16-true"),
)
def test_what_would_keep_or_find_no_best_is_refused_at_once(configure, words, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        configure(*words.split())


def test_steps_that_end_before_the_first_validation_are_refused_before_the_first_step(configure):
    words = ("trainer.check_val_every_n_epoch=3", "trainer.max_epochs=9")
    with pytest.raises(UserError, match=r"use trainer\.max_steps=23 or more, or trainer\.check_val_every_n_epoch=1"):
        train(configure(*words, "trainer.max_steps=22", "scheduler=none"))
    assert train(configure(*words, "trainer.max_steps=23", "scheduler=none"))["best_epoch"] == 3


def test_a_run_that_a_callback_ends_before_the_first_validation_says_that_it_has_no_best(configure):
    words = ["callbacks=early_stopping", "trainer.check_val_every_n_epoch=5", "trainer.max_epochs=5"]
    stop = ("monitor=train/loss", "patience=0", "check_on_train_epoch_end=true", "min_delta=9")
    words += [f"++callbacks.early_stopping.{word}" for word in stop]  # no epoch is that much better
    with pytest.raises(UserError, match=r"no validation measured val/acc .* lower trainer\.check_val_every_n_epoch"):
        train(configure(*words))


@pytest.mark.parametrize(("finite", "best"), (((2,), 2), ((), None)))
def test_a_validation_whose_loss_is_nan_is_reported_and_never_the_best(configure, monkeypatch, capsys, finite, best):
    real = Classifier._results

    def results(model: Classifier, split: str) -> dict:
        is_nan = split == "val" and model.current_epoch + 1 not in finite
        return real(model, split) | ({"val/loss": math.nan} if is_nan else {})

    monkeypatch.setattr(Classifier, "_results", results)
    cfg = configure("monitor=val/loss", "scheduler=none", "trainer.max_epochs=3", "test=false")
    if best:
        assert train(cfg)["best_epoch"] == best
    for _ in range(0 if best else 2):  # the second time, the run is resumed
        with pytest.raises(UserError, match=r"no validation measured val/loss as a finite .* gives NaN.*last\.ckpt"):
            train(cfg)
    assert capsys.readouterr().out.count("val/loss is nan in epoch 1, though all weights are finite") == 1


def test_a_callback_of_ones_own_may_measure_another_metric(configure):
    words = ("monitor=val/f1", "callbacks.dashboard._target_=mine.Measures", "callbacks=early_stopping")
    cfg = configure(*words)
    assert (cfg.mode, cfg.callbacks.early_stopping.mode) == ("max", "max")
    assert OmegaConf.select(configure(*words, "mode=min"), "callbacks.early_stopping.mode") == "min"


class Breaks(Callback):
    """Ends a run within its fourth epoch with an error, and notes whether there was a best.ckpt."""

    seen: list[bool] = []

    def on_train_epoch_start(self, trainer, model) -> None:
        self.seen.append(Path(trainer.default_root_dir, "best.ckpt").is_file())
        if trainer.current_epoch == 3:
            raise ZeroDivisionError


@pytest.mark.parametrize(("every", "seen"), ((100, [False] * 4), (0, [False, False, True, True])))
def test_a_small_best_checkpoint_waits_for_the_next_save_and_is_there_at_any_end(configure, tmp_path, every, seen):
    """Every epoch may be better than the one before, and to write a file takes longer than a short epoch."""
    Breaks.seen = []
    words = ("trainer.max_epochs=4", f"save_every={every}", "+callbacks.breaks._target_=test_checkpoints.Breaks")
    with pytest.raises(ZeroDivisionError):
        train(configure(*words))
    assert Breaks.seen == seen
    assert load_checkpoint(tmp_path / "run" / "best.ckpt")["epoch"] < 3


class Weights(Callback):
    """The head's biases after each step, and those of which the validation is."""

    steps: list = []
    validated: list = []

    def on_train_batch_end(self, trainer, model, *batch) -> None:
        self.steps.append(model.network[-1].bias.detach().clone())

    def on_validation_batch_start(self, trainer, model, *batch) -> None:
        self.validated.append(model.network[-1].bias.detach().clone())


@pytest.mark.parametrize(("words", "said"), (((), True), (("callbacks.average.decay=0.5",), False)))
def test_a_run_too_short_for_its_average_says_so(configure, capsys, words, said):
    train(configure("callbacks=average", "trainer.max_epochs=2", "~callbacks.dashboard", *words))
    assert ("at the end, 81% of the average still comes from the initial weights" in capsys.readouterr().out) == said


def test_the_average_of_the_weights_is_what_is_validated_and_kept_as_the_best(configure, tmp_path):
    Weights.steps, Weights.validated = [], []
    words = (
        "callbacks=[early_stopping,average]",
        "callbacks.average.decay=0.75",
        "callbacks.average.update_every_n_steps=2",
    )
    train(configure(*words, "+callbacks.weights._target_=test_checkpoints.Weights", "trainer.max_epochs=1"))
    first, *later = Weights.steps[::2]
    average = functools.reduce(lambda average, weights: 0.75 * average + 0.25 * weights, later, first)
    kept = load_checkpoint(tmp_path / "run" / "best.ckpt")["state_dict"]["network.4.bias"]
    torch.testing.assert_close(Weights.validated[-1], average)
    torch.testing.assert_close(kept, average)
    assert (average - Weights.steps[-1]).abs().max() > 1e-3


class Forgets(Callback):
    """Resets the head at the end of an epoch, as a callback that prunes the weights changes them there."""

    def on_train_epoch_end(self, trainer, model) -> None:
        torch.nn.init.zeros_(model.network[-1].weight)


@pytest.mark.parametrize("words", ((), ("+callbacks.best.save_top_k=2", "callbacks.best.filename=model")))
def test_a_checkpoint_has_the_weights_of_the_validation_also_if_a_callback_changes_them_after_it(
    configure, tmp_path, words
):
    train(configure("trainer.max_epochs=1", "+callbacks.forgets._target_=test_checkpoints.Forgets", *words))
    for name in kept(tmp_path / "run"):
        assert load_checkpoint(tmp_path / "run" / name)["state_dict"]["network.4.weight"].any()


def test_a_large_best_checkpoint_and_those_of_other_callbacks_are_written_at_once(tmp_path):
    writer = AtomicCheckpointIO(tmp_path)
    for name, size, is_there in (("best", 1, False), ("best", 2**19, True), ("of_its_own/other", 1, True)):
        writer.save_checkpoint({"weights": torch.zeros(size)}, f"{tmp_path}/{name}.ckpt")
        assert (tmp_path / f"{name}.ckpt").is_file() == is_there


def test_numpy_values_are_kept_as_plain_ones_and_text_of_numpy_is_refused(tmp_path):
    state = OrderedDict({np.int64(3): [np.float32(0.5), (np.arange(2),)]})
    state._metadata = {"": {"version": 1}}  # as a module's has it
    AtomicCheckpointIO().save_checkpoint({"state": state}, f"{tmp_path}/x.ckpt")
    found = torch.load(tmp_path / "x.ckpt", weights_only=True)["state"]
    assert found[3][0] == 0.5 and found[3][1][0].tolist() == [0, 1] and found._metadata == state._metadata
    with pytest.raises(UserError, match=r"this one's state.words holds numpy"):
        AtomicCheckpointIO().save_checkpoint({"state": {"words": np.array(["text"])}}, f"{tmp_path}/x.ckpt")


def test_no_callback_deletes_a_checkpoint_from_which_the_run_goes_on(tmp_path):
    for name in ("last.ckpt", "previous.ckpt", "lowest.ckpt"):
        (tmp_path / name).touch()
        AtomicCheckpointIO(tmp_path).remove_checkpoint(str(tmp_path / name))
    assert {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt"}


def test_the_error_of_a_checkpoint_that_cannot_be_written_holds_no_view_of_a_buffer(tmp_path):
    """Python 3.12 crashes once such an error is collected as garbage together with what refers to it."""
    (tmp_path / "x.ckpt").mkdir()
    with pytest.raises(OSError) as caught:
        AtomicCheckpointIO().save_checkpoint({"state": torch.zeros(9)}, f"{tmp_path}/x.ckpt")
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    held = [value for frame in frames[1:] for value in frame.f_locals.values()]
    assert any(isinstance(value, bytes) for value in held)
    assert not any(isinstance(value, memoryview) for value in held)
