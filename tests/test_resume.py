"""Runs killed with SIGKILL and continued, against the run that was never stopped."""

import copy
import json
import os
import random
import shutil
import signal
import time
from types import SimpleNamespace

import pytest
import torch
from support.runs import TWO, WORDS, break_off, differences, in_every_step, outcome, run, run_two

from proj.checkpoint.file import load_checkpoint
from proj.config.compose import configure
from proj.config.settings.table import policy
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.training.robustness.callback_states import moved_path
from proj.training.robustness.resume import Resume
from proj.training.robustness.run_end import stopped_early
from proj.training.robustness.start import Start, newest_checkpoint
from proj.training.run import train


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """(folder, outcome, seconds) of the run that nobody stops."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    assert run(folder.with_name("first"), words=[*WORDS, "trainer.max_epochs=1"]) == 0  # starts the server
    start = time.monotonic()
    assert run(folder) == 0
    return folder, outcome(folder), time.monotonic() - start


def test_killed_at_random_moments_a_run_ends_with_the_same_bits(unbroken, tmp_path):
    """Two kills, in runs of several lives each; `python benchmarks/kill.py` does hundreds."""
    draw, kills = random.Random(1), 0
    for number in range(10):
        folder = tmp_path / f"run{number}"
        for _ in range(2):
            kills += run(folder, after=draw.uniform(0.1, 1.0) * unbroken[2]) != 0
        assert run(folder) == 0
        assert differences(unbroken[1], outcome(folder)) == []
        if kills >= 2:
            return
    raise AssertionError("the kills come too late")


def test_killed_at_each_chosen_place_in_turn_a_run_ends_with_the_same_bits(unbroken, tmp_path):
    for dies in ("writing a checkpoint", "in validation", "calibrating", "in the test"):
        assert run(tmp_path / "run", dies=dies) == -signal.SIGKILL, dies
    assert run(tmp_path / "run") == 0
    assert differences(unbroken[1], outcome(tmp_path / "run")) == []


@pytest.fixture(scope="module")
def two_unbroken(tmp_path_factory) -> dict:
    """The outcome of a run of two processes that nobody stops."""
    folder = tmp_path_factory.mktemp("two") / "run"
    assert run_two(folder, TWO) == [0, 0]
    return outcome(folder)


@pytest.mark.parametrize(
    ("stop", "codes"),
    ((signal.SIGTERM, [143, 0]), pytest.param(signal.SIGKILL, [-9, -9], marks=pytest.mark.slow)),
)
def test_two_processes_that_are_stopped_within_an_epoch_end_with_the_same_bits(two_unbroken, tmp_path, stop, codes):
    assert run_two(tmp_path / "run", TWO, stop) == codes
    assert run_two(tmp_path / "run", TWO) == [0, 0]
    assert differences(two_unbroken, outcome(tmp_path / "run")) == []


def test_a_finished_run_says_so_and_does_nothing(unbroken, capsys):
    before = (unbroken[0] / "last.ckpt").stat().st_mtime_ns
    metrics = train(configure(*WORDS, f"hydra.run.dir={unbroken[0]}"))
    assert "finished" in capsys.readouterr().out
    assert metrics["epochs"] == 3 and (unbroken[0] / "last.ckpt").stat().st_mtime_ns == before


def test_a_finished_run_has_the_tests_that_are_asked_for_later(tmp_path):
    words = ("dataset=digits", "model=mlp", "trainer.max_epochs=1", "~callbacks.progress", "~callbacks.dashboard")
    words += (f"hydra.run.dir={tmp_path / 'run'}",)
    assert "test/acc" not in train(configure(*words, "test=false"))
    found = train(configure(*words))
    assert 0 < found["test/acc"] <= 1 and "test/acc_tta" not in found
    assert 0 < train(configure(*words, "tta=true"))["test/acc_tta"] <= 1
    (tmp_path / "run" / "metrics.json").write_text('{"seed":')  # which is measured anew
    assert train(configure(*words))["test/acc"] == found["test/acc"]


def test_a_run_whose_folder_was_moved_keeps_its_best_checkpoint_there(tmp_path):
    words = ("scheduler=none", "optimizer.lr=1e-9", "~callbacks.progress")  # the first epoch stays the best
    train(configure(*words, "trainer.max_epochs=2", f"hydra.run.dir={tmp_path / 'old'}"))
    (tmp_path / "old").rename(tmp_path / "new")
    before = (tmp_path / "new" / "best.ckpt").read_bytes()
    for epochs in (3, 4):
        metrics = train(stored_config(tmp_path / "new", [f"trainer.max_epochs={epochs}"]))
        assert metrics["epochs"] == epochs and metrics["best_epoch"] == 1
        assert metrics["checkpoint"] == str(tmp_path / "new" / "best.ckpt") and not (tmp_path / "old").exists()
    assert (tmp_path / "new" / "best.ckpt").read_bytes() == before


@pytest.mark.parametrize(
    ("path", "old", "name"),
    (
        (r"C:\runs\a\best.ckpt", r"C:\runs\a", "best.ckpt"),
        (r"C:\runs\a\top\one.ckpt", r"C:\runs\a", "top/one.ckpt"),
        ("/runs/a/../../etc/x.ckpt", "/runs/a", "x.ckpt"),
    ),
)
def test_a_checkpoint_of_a_run_from_another_system_is_looked_for_in_its_folder_here(path, old, name):
    assert moved_path(path, old, "/here") == f"/here/{name}"


def test_a_run_that_goes_on_without_its_average_goes_on_from_its_own_weights(tmp_path, monkeypatch):
    words = ("scheduler=none", "~callbacks.progress", "callbacks=average", f"hydra.run.dir={tmp_path / 'run'}")
    train(configure(*words, "trainer.max_epochs=1"))
    own, first = load_checkpoint(tmp_path / "run" / "last.ckpt")["current_model_state"], []
    in_every_step(monkeypatch, lambda model, loss, *batch: first.append(copy.deepcopy(model.state_dict())) or loss)
    train(stored_config(tmp_path / "run", ["trainer.max_epochs=2", "~callbacks.average"]))
    assert own.keys() == first[0].keys() and all(torch.equal(own[name], first[0][name]) for name in own)


def test_a_run_that_goes_on_may_have_another_checkpoint_callback(tmp_path):
    words = ("scheduler=none", "~callbacks.progress", f"hydra.run.dir={tmp_path / 'run'}")
    train(configure(*words, "trainer.max_epochs=1"))
    more = ("_target_=lightning.pytorch.callbacks.ModelCheckpoint", f"dirpath={tmp_path}/more", "filename=more")
    metrics = train(configure(*words, "trainer.max_epochs=2", *(f"+callbacks.more.{word}" for word in more)))
    assert metrics["epochs"] == 2 and metrics["checkpoint"].endswith("run/best.ckpt")
    assert (tmp_path / "more" / "more.ckpt").is_file()


@pytest.mark.parametrize("change", ("seed=4", "trainer.gradient_clip_val=1"))
def test_a_changed_setting_that_matters_is_refused_with_the_difference(unbroken, change):
    key, value = change.split("=")
    with pytest.raises(UserError, match=f"{key}: .* in the run, {value} now"):
        train(configure(*WORDS, change, f"hydra.run.dir={unbroken[0]}"))


FIXED = "optimizer.lr dataset.batch_size trainer.sync_batchnorm trainer.precision trainer.limit_train_batches"
FIXED += " trainer.overfit_batches trainer.accumulate_grad_batches trainer.gradient_clip_algorithm"


def test_the_settings_that_matter_are_known():
    assert {policy(key).resume for key in FIXED.split()} == {"fixed"}


def test_another_monitor_is_refused_as_such_and_not_for_its_direction(unbroken):
    with pytest.raises(UserError, match=r"monitor: val/acc in the run, val/loss now.* To continue it: python"):
        train(stored_config(unbroken[0], ["monitor=val/loss"]))


def test_a_number_of_batches_that_equals_their_share_does_not_accuse_the_file(unbroken):
    with pytest.raises(UserError, match=r"limit_train_batches: 1\.0 in the run, 1 now\)\. To continue it: python"):
        train(stored_config(unbroken[0], ["trainer.limit_train_batches=1"]))


def test_a_configuration_that_was_edited_since_the_run_began_is_named(unbroken, tmp_path):
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("seed: 0\n", "seed: 4\n", 1))
    with pytest.raises(UserError, match=r"config\.yaml was changed after the run began: undo that"):
        train(stored_config(folder, []))


def test_a_run_whose_schedule_is_laid_out_says_so_where_more_epochs_are_asked_for(unbroken):
    with pytest.raises(UserError, match="scheduled for 3 epochs: for another length, start a new run"):
        train(configure(*WORDS, "trainer.max_epochs=4", f"hydra.run.dir={unbroken[0]}"))


def test_a_damaged_newest_checkpoint_is_set_aside_and_the_one_before_is_used(unbroken, tmp_path, capsys):
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    content = bytearray((folder / "last.ckpt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "last.ckpt").write_bytes(content)
    path, _ = newest_checkpoint(folder)
    assert path.name == "previous.ckpt" and (folder / "last.ckpt.damaged").read_bytes() == content
    said = " It was renamed to last.ckpt.damaged; the previous checkpoint is used.\n"
    assert " fails its checksum" in (told := " ".join(capsys.readouterr().out.split()) + "\n") and said in told
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"every checkpoint .* \(previous\.ckpt\.damaged\): start the run anew"):
        newest_checkpoint(folder)
    assert "renamed to previous.ckpt.damaged" in (said := capsys.readouterr().out) and "is used" not in said


@pytest.mark.parametrize("error", (OSError(5, "Input/output error"), RuntimeError("can't allocate memory")))
def test_a_checkpoint_that_cannot_be_read_for_now_is_not_damaged(unbroken, tmp_path, monkeypatch, error):
    shutil.copytree(unbroken[0], tmp_path / "run")

    def fail(*args, **settings):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises((UserError, RuntimeError), match=r"cannot be read \(Input/output error\)|allocate"):
        newest_checkpoint(tmp_path / "run")
    assert not list(tmp_path.glob("run/*.damaged"))


@pytest.mark.parametrize("content", (b"", b"PK\x03\x04", b"<html></html>"))
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    (tmp_path / "best.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=r"best\.ckpt is truncated or is not a checkpoint (?!.*Did you mean)"):
        load_checkpoint(tmp_path / "best.ckpt")


@pytest.mark.parametrize("content", ([1], {"proj": "x"}), ids=str)
def test_a_file_of_another_program_is_told_from_a_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=r"x\.ckpt is not a checkpoint of this project"):
        load_checkpoint(tmp_path / "x.ckpt")


def test_a_malicious_checkpoint_is_named_and_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"state_dict": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match=r"\(posix\.mkdir\), so it was not opened: .* treat it as malicious"):
        load_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "executed").exists()


def test_a_run_that_stopped_early_is_tested_and_not_trained_further(tmp_path, capsys):
    words = [*WORDS, "callbacks=early_stopping", "callbacks.early_stopping.patience=1"]
    words += ["+callbacks.early_stopping.min_delta=1"]  # no epoch is that much better
    assert run(tmp_path / "whole", words=words) == 0
    assert run(tmp_path / "run", words=words, dies="in the test") == -signal.SIGKILL
    assert run(tmp_path / "run", words=words) == 0
    assert differences(outcome(tmp_path / "whole"), outcome(tmp_path / "run")) == []
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == 2
    train(stored_config(tmp_path / "run", []))
    assert "It was stopped early, after epoch 2, and is not trained further." in capsys.readouterr().out


def test_the_time_of_a_run_counts_what_it_took_before_it_was_stopped(tmp_path):
    assert Resume(tmp_path, 0, 30.0, {}, True, {"seconds": 5.0, "lengths": {}}).seconds == 5.0


@pytest.mark.parametrize(("epoch", "is_for_good"), ((0, False), (2, True)))
def test_a_callback_that_ends_a_run_at_its_last_step_ends_it_for_good(epoch, is_for_good):
    stops = SimpleNamespace(stopped_epoch=epoch)
    trainer = SimpleNamespace(should_stop=True, global_step=9, max_steps=9, callbacks=[stops])
    assert stopped_early(trainer) == is_for_good


def test_every_batch_of_every_epoch_draws_numbers_of_its_own(configure, monkeypatch):
    """Dropout would else leave out the same units in every epoch."""
    drawn = []
    in_every_step(monkeypatch, lambda model, loss, *batch: drawn.append(torch.rand(()).item()) or loss)
    train(configure("dataset=iris", "trainer.max_epochs=2", "trainer.limit_train_batches=2", "test=false"))
    assert len(drawn) == len(set(drawn)) == 4


def test_two_processes_calibrate_on_the_whole_validation_part(two_unbroken):
    assert two_unbroken["/metrics.json/calibration/examples"] == 228
    assert len(two_unbroken["/best.ckpt/proj/calibration/scores"]) == 4 * 228  # bytes


def test_fewer_epochs_than_are_done_are_refused_and_no_test_batches_where_there_is_no_test(configure, monkeypatch):
    words = ("scheduler=none", "save_every=0", "test=false", "trainer.limit_test_batches=0.1")
    break_off(monkeypatch, configure(*words, "trainer.max_epochs=4"), 3, 2)
    with pytest.raises(UserError, match=r"has trained 3 epochs already, .*=2: give trainer.max_epochs=3 or more"):
        train(configure(*words, "trainer.max_epochs=2"))
    assert train(configure(*words, "trainer.max_epochs=4"))["epochs"] == 4
    with pytest.raises(UserError, match="has trained 4 epochs already"):
        train(configure(*words, "trainer.max_epochs=2"))  # the figures are not of these


@pytest.mark.parametrize(("early", "asked"), ((True, 1), (False, -1), (False, None), (False, 3)))
def test_a_run_that_stopped_early_or_ends_by_another_limit_takes_any_number_of_epochs(early, asked):
    start = SimpleNamespace(folder="run", checkpoint={"epoch": 3}, state={"stopped_early": early})
    assert Start.refuse_fewer_epochs(start, asked) is None
