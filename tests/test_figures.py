"""What a run prints, keeps and reports is true at every moment."""

import json
import math
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.made_runs import write_events, write_run
from support.runs import curves, in_every_step, rewritten

from proj.checkpoint.file import load_checkpoint
from proj.config.new_folder import refuse_files_of_others
from proj.config.stored_run import stored_config
from proj.data.batches import Batches
from proj.data.sklearn import DigitsDataModule
from proj.errors import UserError
from proj.models import Classifier
from proj.reports.curves import read_scalars
from proj.reports.report import report
from proj.reports.runs import read_run
from proj.system.run_folder import RunFolder
from proj.training.results import validated_at
from proj.training.results_table import print_table
from proj.training.run import train


def read(file: Path) -> dict:
    return json.loads(file.read_text())


class Killed(BaseException):
    """Ends a run on the spot, as SIGKILL does: nothing is caught, saved or written."""


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(7, cfg): train, and die in the training step of this number."""

    def killed_at(step: int, cfg) -> None:
        def die(model, loss, *batch):
            if model.trainer.global_step >= step:
                raise Killed
            return loss

        with monkeypatch.context() as patch, pytest.raises(Killed):
            in_every_step(patch, die)
            train(cfg)

    return killed_at


LONG = ("scheduler=none", "optimizer.lr=0.01")


def test_a_finished_run_that_is_trained_on_and_killed_is_interrupted_and_keeps_its_old_figures(
    configure, tmp_path, killed_at
):
    folder = tmp_path / "run"
    first = train(configure(*LONG, "trainer.max_epochs=2"))
    assert RunFolder(folder).status()[0] == "finished"
    killed_at(40, configure(*LONG, "trainer.max_epochs=6", "save_every=0"))  # an epoch has 11 steps
    assert RunFolder(folder).status()[0] == "interrupted" and not (folder / "metrics.json").exists()
    assert read(folder / "metrics_2_epochs.json") == first
    (row,) = report([tmp_path])["rows"]
    assert row["status"] == {"interrupted": 1} and "test/acc" not in row
    assert row["val/acc"][0] == max(value for _, value in read_run(folder).curves["val/acc"])
    last = train(stored_config(folder, []))
    assert RunFolder(folder).status()[0] == "finished" and last["epochs"] == 6


def test_a_stopped_run_is_as_it_was_after_a_command_that_asks_what_it_cannot_do_and_a_job_of_its_sweep_has_failed(
    configure, tmp_path, killed_at, monkeypatch
):
    run = RunFolder(tmp_path / "run")
    killed_at(40, configure(*LONG, "trainer.max_epochs=6", "save_every=0"))
    run.job.write_text("of a sweep", encoding="utf-8")  # whose job is given a command of its own
    for before in (("interrupted", ""), ("failed", "a reason")):
        assert run.status() == before
        with pytest.raises(UserError, match="has trained 3 epochs already"):
            train(configure(*LONG, "trainer.max_epochs=1"))
        assert run.status() == before
        run.write_failure("failed", "a reason")
    monkeypatch.setenv("PROJ_PARENT", "1")  # as a sweep with isolate=true sets it
    with pytest.raises(UserError, match="has trained 3 epochs already"):
        train(configure(*LONG, "trainer.max_epochs=1"))
    status, reason = run.status()
    assert status == "failed" and "has trained 3 epochs already" in reason


def test_a_stopped_run_that_goes_on_and_fails_has_failed(configure, tmp_path, killed_at, monkeypatch):
    cfg = configure(*LONG, "trainer.max_epochs=6", "save_every=0")
    killed_at(40, cfg)
    in_every_step(monkeypatch, lambda model, loss, *batch: loss * math.nan)
    with pytest.raises(UserError, match="the loss turned NaN"):
        train(cfg)
    assert RunFolder(tmp_path / "run").status()[0] == "failed"


def test_a_finished_run_whose_training_cannot_go_on_stays_finished(configure, tmp_path):
    metrics = train(configure(*LONG, "trainer.max_epochs=2"))
    with pytest.raises(UserError, match=r"other settings.* choose another cfg\.output_dir, or call configure again"):
        train(configure(*LONG, "trainer.max_epochs=3", "optimizer.lr=0.5"))
    assert RunFolder(tmp_path / "run").status()[0] == "finished" and read(tmp_path / "run/metrics.json") == metrics


def test_a_finished_run_killed_before_its_first_new_step_gets_its_figures_back(configure, tmp_path, killed_at):
    first = train(configure(*LONG, "trainer.max_epochs=2"))
    killed_at(22, configure(*LONG, "trainer.max_epochs=4"))
    assert RunFolder(tmp_path / "run").status()[0] == "interrupted"
    again = train(stored_config(tmp_path / "run", ["trainer.max_epochs=2"]))
    times = {"seconds", "examples_per_second"}
    assert {key: again[key] for key in again.keys() - times} == {key: first[key] for key in first.keys() - times}


@pytest.mark.parametrize("finished", (True, False))
def test_a_run_without_its_last_checkpoint_is_not_begun_anew_over_its_best(configure, tmp_path, killed_at, finished):
    folder, cfg = tmp_path / "run", configure("save_every=0", "trainer.max_epochs=3")
    if finished:
        train(cfg)
        (folder / "run.json").unlink()  # as of before there was one
    else:
        killed_at(20, cfg)
    for name in ("last.ckpt", "previous.ckpt"):
        (folder / name).unlink()
    left = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("status.json", ".lock")}
    with pytest.raises(UserError, match=r"without its last\.ckpt.*put last\.ckpt back, choose another hydra\.run\.dir"):
        train(cfg)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in left} == left
    (folder / ("metrics.json" if finished else "run.json")).unlink()  # as the sentence says
    assert train(cfg)["epochs"] == 3


OF_A_RUN = ["run.json", "metrics.json", "metrics.csv", "columns.csv", "loggers.json", "status.json", "fold.csv"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("best.ckpt", r"delete best\.ckpt in .*run to start over"),
        ("config.yaml", r"config\.yaml is another program's and would be overwritten"),
        ("previous.ckpt", r"previous\.ckpt is truncated or is not a checkpoint"),
        *((name, f"holds no run but {name}, and a run would replace it: move it away, or") for name in OF_A_RUN),
    ],
)
def test_what_another_run_or_program_has_left_in_a_folder_is_not_overwritten(configure, tmp_path, name, sentence):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"of: another\n")
    with pytest.raises(UserError, match=sentence):
        train(configure())
    assert (tmp_path / "run" / name).read_bytes() == b"of: another\n"


@pytest.mark.parametrize("name", ["last.ckpt", "job.yaml"])
def test_files_beside_a_checkpoint_or_a_frozen_job_are_of_its_run(tmp_path, name):
    (tmp_path / OF_A_RUN[0]).touch()
    with pytest.raises(UserError, match="holds no run"):
        refuse_files_of_others(RunFolder(tmp_path))
    (tmp_path / name).touch()
    refuse_files_of_others(RunFolder(tmp_path))


def test_a_run_that_was_killed_before_its_first_checkpoint_simply_begins_again(configure, tmp_path, killed_at):
    cfg = configure("trainer.max_epochs=3")
    killed_at(20, cfg)  # after the first validation
    assert (tmp_path / "run/best.ckpt").is_file() and not (tmp_path / "run/last.ckpt").exists()
    (tmp_path / "run/last.ckpt.0a1b2c3d.tmp").touch()  # half of it
    assert train(cfg)["epochs"] == 3
    assert not list(tmp_path.glob("run/*.tmp"))
    assert [epoch for epoch, _ in read_run(tmp_path / "run").curves["val/acc"]] == [1, 2, 3]


def test_a_monitored_metric_of_the_training_is_that_of_the_whole_epoch_also_after_a_kill(
    configure, tmp_path, killed_at, monkeypatch
):
    epochs = []  # right answers of each epoch, counted apart

    def count(model, loss, batch, batch_idx):
        if batch_idx == 0:
            epochs.append([])
        with torch.no_grad():
            epochs[-1].append((model(batch[0]).argmax(1) == batch[1]).float())
        return loss

    words = ("monitor=train/acc", "dataset.batch_size=10", "trainer.max_epochs=3", "trainer.log_every_n_steps=4")
    with monkeypatch.context() as patch:
        in_every_step(patch, count)
        metrics = train(configure(*words))
    means = [float(torch.cat(right).mean()) for right in epochs]
    assert metrics["train/acc"] == pytest.approx(max(means)) and metrics["best_epoch"] == means.index(max(means)) + 1
    killed_at(17, configure(*words, "save_every=0", folder=tmp_path / "killed"))  # within the second epoch
    again = train(configure(*words, folder=tmp_path / "killed"))
    assert (again["train/acc"], again["best_epoch"]) == (metrics["train/acc"], metrics["best_epoch"])
    assert again["test/loss"] == metrics["test/loss"]


def test_the_curves_of_the_training_stay_those_of_the_windows(configure, tmp_path):
    train(configure("monitor=train/loss", "mode=min", "trainer.max_epochs=1", "trainer.log_every_n_steps=1"))
    run = read_run(tmp_path / "run")
    losses = [value for _, value in run.curves["train/loss"]]
    assert len(losses) == 11 and run.metrics["train/loss"] == pytest.approx(sum(losses) / 11, rel=0.02)


def test_all_figures_of_a_run_are_of_its_best_epoch(configure, tmp_path, capsys):
    metrics = train(configure("monitor=val/loss", "trainer.max_epochs=8", "optimizer.lr=0.03"))
    assert f"val/loss {metrics['val/loss']:.4f}" in capsys.readouterr().out
    curves = {name: dict(read_run(tmp_path / "run").curves[name]) for name in ("val/acc", "val/loss")}
    for name in curves:
        assert metrics[name] == curves[name][metrics["best_epoch"]]
    assert metrics["val/loss"] == min(curves["val/loss"].values())
    old = {key: value for key, value in metrics.items() if key != "val/acc"}  # of before metrics.json had both
    (tmp_path / "run/metrics.json").write_text(json.dumps(old) + "\n")
    assert read_run(tmp_path / "run").value("val/acc", "max") == metrics["val/acc"]
    (tmp_path / "run/metrics.json").unlink()
    assert read_run(tmp_path / "run").value("val/acc", "max") == metrics["val/acc"]


def test_of_an_old_best_checkpoint_the_figures_are_those_of_the_validation_after_its_step(tmp_path):
    curves = {"val/acc": [(10, 0.75), (20, 0.5)], "val/loss": [(10, 0.25), (20, 1.0)], "train/acc": [(10, 1.0)]}
    write_events(tmp_path / "events.out.tfevents.1.host.1.0", curves)
    assert validated_at(tmp_path, 10) == {"val/acc": 0.75, "val/loss": 0.25}


def test_every_epoch_of_overfit_batches_has_the_same_batches_in_the_order_of_the_examples(
    configure, tmp_path, monkeypatch
):
    seen = []
    in_every_step(monkeypatch, lambda model, loss, batch, batch_idx: seen.append(batch[1].tolist()) or loss)
    metrics = train(configure("++trainer.overfit_batches=2", "trainer.max_epochs=3", "dataset.batch_size=10"))
    assert len(seen) == 6 and seen[:2] == seen[2:4] == seen[4:]
    assert metrics["examples_per_second"] * metrics["seconds"] == pytest.approx(60)


def test_ordered_batches_of_a_training_leave_no_example_out_and_are_still_augmented():
    def prepare(inputs, index, draws, epoch):
        return inputs[index] + torch.rand((), generator=draws)

    batches = Batches(torch.arange(9.0), torch.arange(9), 4, prepare, shuffle=True, ordered=True)
    epochs = []
    for epoch in (0, 1):
        batches.sampler.set_epoch(epoch)
        epochs.append(list(batches))
    for epoch in epochs:
        assert [y.tolist() for _, y in epoch] == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])


def test_a_sanity_check_adds_no_point_and_changes_no_best(configure, tmp_path, killed_at):
    words = ("trainer.num_sanity_val_steps=2", "trainer.max_epochs=4", "save_every=0", "optimizer.lr=0.03")
    plain = train(configure("trainer.max_epochs=4", "optimizer.lr=0.03", folder=tmp_path / "plain"))
    killed_at(25, configure(*words))
    metrics = train(configure(*words))
    a, b = read_run(tmp_path / "plain"), read_run(tmp_path / "run")
    assert b.curves["val/acc"] == a.curves["val/acc"] and [x for x, _ in b.curves["val/acc"]] == [1, 2, 3, 4]
    assert metrics["test/loss"] == plain["test/loss"]


@pytest.mark.parametrize(
    ("word", "most", "epochs"),
    (("max_steps=15", 9, 2), ("val_check_interval=0.5", 2, 2), ("check_val_every_n_epoch=2", 4, 4)),
)
def test_epochs_and_examples_are_those_that_were_trained(configure, tmp_path, capsys, word, most, epochs):
    words = (f"trainer.{word}", f"trainer.max_epochs={most}", "optimizer.lr=0.001", "scheduler=none")
    metrics = train(configure(*words))
    steps = 15 if "steps" in word else epochs * 11  # the last of an epoch has 5 examples, the others 10
    assert (metrics["epochs"], metrics["steps"]) == (epochs, steps)
    assert metrics["examples_per_second"] * metrics["seconds"] == pytest.approx(145 if steps == 15 else 105 * epochs)
    assert metrics["best_epoch"] <= epochs
    assert load_checkpoint(tmp_path / "run/best.ckpt")["global_step"] <= 11 * metrics["best_epoch"]
    assert max(x for x, _ in read_run(tmp_path / "run").curves["train/loss"]) == pytest.approx(steps / 11)
    assert "stopped early" not in capsys.readouterr().out  # max_steps is a length like any other


@pytest.mark.parametrize(
    ("scheduler", "most", "said"),
    (("onecycle", 40, True), ("step", 40, True), ("plateau", 40, False), ("onecycle", 1, False)),
)
def test_a_run_that_ends_long_before_its_schedule_is_told_so(configure, capsys, scheduler, most, said):
    stopping = (
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=1",
        "optimizer.lr=1e-9",
        "monitor=val/acc",
    )
    train(configure(*stopping, f"scheduler={scheduler}", f"trainer.max_epochs={most}"))
    line = f"The run ended after 22 steps of the 440 over which scheduler={scheduler} changes the learning rate"
    assert (line in capsys.readouterr().out) == said


def test_a_validation_within_an_epoch_is_no_time_of_the_training(configure, tmp_path, monkeypatch, calls_of):
    hours = calls_of(Classifier, "validation_step")  # each step seems to take one
    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + 3600 * len(hours))
    monkeypatch.setattr("proj.models.measuring.time", clock)
    train(configure("++trainer.val_check_interval=0.5", "trainer.max_epochs=1", "test=false"))
    (file,) = (file for file in tmp_path.glob("run/events.out.tfevents.*"))
    rates = [rate for _, rate in read_scalars(file)["train/examples_per_second"]]
    assert len(hours) == 2 and min(rates) > 1  # the window of 6 batches would take an hour more


def test_an_accuracy_of_a_part_of_the_test_says_so(configure, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(DigitsDataModule, "evaluation_batch_size", 100)
    words = ("dataset=digits", "model=mlp", "trainer.max_epochs=1", "trainer.limit_test_batches=2")
    metrics = train(configure(*words))
    assert (metrics["test_examples"], metrics["test_examples_left_out"]) == (200, 69)
    assert "of 200 of the 269 test examples" in capsys.readouterr().out
    print_table(metrics | {"test_examples": 269, "test_examples_left_out": 0}, "val/acc")
    assert "% of 269 test examples   loss" in capsys.readouterr().out
    write_run(tmp_path / "part", limits=1, changed={"trainer.limit_test_batches": 2})
    report([tmp_path / "part"])
    assert "trainer.limit_test_batches=2" in capsys.readouterr().out


def test_the_best_so_far_is_the_lowest_loss_and_the_highest_accuracy(configure, tmp_path):
    train(configure("optimizer=sgd", "optimizer.lr=1", "scheduler=none", "trainer.max_epochs=6", "test=false"))
    found = {tag: np.array([value for _, value in points]) for tag, points in curves(tmp_path / "run").items()}
    assert np.array_equal(found["val_best/loss"], np.minimum.accumulate(found["val/loss"]))
    assert np.array_equal(found["val_best/acc"], np.maximum.accumulate(found["val/acc"]))


def test_the_best_checkpoint_of_another_run_is_not_tested_as_this_ones(configure, tmp_path):
    words = ("trainer.max_epochs=1", "~callbacks.dashboard")
    for seed in (1, 2):
        cfg = configure(*words, f"seed={seed}", folder=tmp_path / str(seed))
        train(cfg)
    shutil.copy(tmp_path / "1/best.ckpt", tmp_path / "2/best.ckpt")
    (tmp_path / "2/metrics.json").unlink()
    with pytest.raises(UserError, match=r"2/best\.ckpt is of another run \(seed=1, here 2\): put this run's own back"):
        train(cfg)
    with rewritten(tmp_path / "1/best.ckpt", tmp_path / "2/best.ckpt") as checkpoint:
        checkpoint["proj"]["config"]["seed"] = 2
        checkpoint["proj"]["config"]["choices"]["model"] = "cnn"
    with pytest.raises(UserError, match=r"2/best\.ckpt is of another run \(model=cnn, here "):
        train(cfg)
