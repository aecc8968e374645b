"""Every argument of Lightning's Trainer is a word of the command line, and does what Lightning says."""

import inspect
import io
import math
import re
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import Progress, TextColumn
from support.refusals import refusals
from support.runs import at_batch, changed_by_stops, rewritten

from proj.checkpoint.file import load_checkpoint
from proj.config.check_values import check_trainer
from proj.config.settings.table import below
from proj.config.stored_run import listed_since, stored_config
from proj.errors import UserError
from proj.models import Classifier
from proj.training.progress_bar import ProgressBar
from proj.training.run import train
from proj.training.run_length import training_batches

RANGES = {name: one.range for name, one in below("trainer").items() if one.range}
OWN = {name: one.instead for name, one in below("trainer").items() if one.instead}
PLAIN = ("trainer.max_epochs=3", "scheduler=none", "save_every=0", "model=mlp", "model.dropout=0.2")
PLAIN += ("model.hidden=[16]", "~callbacks.dashboard")
STOPS_LATE = ("callbacks=early_stopping", "+callbacks.early_stopping.stopping_threshold=0.01", "trainer.min_steps=25")


def test_conf_lists_every_argument_of_the_trainer_but_those_that_the_program_sets():
    listed = {key.removeprefix("trainer.") for key in listed_since() if key.startswith("trainer.")}
    there = {*listed, "max_epochs"} - {"_target_"}
    assert there == RANGES.keys()
    assert there | OWN.keys() == inspect.signature(Trainer).parameters.keys() and not there & OWN.keys()


SOME = "gradient_clip_algorithm=value deterministic=true val_check_interval=0.5 profiler=simple min_epochs=1"
OTHERS = "overfit_batches=2 limit_train_batches=null max_time={minutes:3}"


@pytest.mark.parametrize("words", (SOME, OTHERS))
def test_arguments_of_the_trainer_take_no_plus_and_a_run_trains_with_them(configure, words):
    words = [f"trainer.{word}" for word in words.split()]
    assert train(configure("trainer.max_epochs=1", "trainer.gradient_clip_val=1", *words))["epochs"] == 1


STOP = "+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping +callbacks.stop.monitor=val/loss"


@pytest.mark.parametrize("value", (None, "abc", -2, 0, 2.5, {"a": 1}, ["x"], True), ids=str)
def test_no_value_of_an_argument_of_the_trainer_ends_in_a_traceback(configure, monkeypatch, value):
    def fit(*args, **settings):
        raise UserError("it fits")

    monkeypatch.setattr(Trainer, "fit", fit)
    cfg = configure("trainer.max_epochs=1", "~callbacks.dashboard")
    for key in RANGES:
        changed = cfg.copy()
        OmegaConf.update(changed, f"trainer.{key}", value, merge=False)
        with pytest.raises(UserError) as error:
            check_trainer(changed.trainer)
            train(changed)
        sentence = str(error.value)
        assert "\n" not in sentence and (sentence == "it fits" or key in sentence or str(value) in sentence), key


@refusals(
    ("~callbacks.best", "leave ~callbacks.best out"),
    ("callbacks.best=3", "callbacks.best=3 is no class"),
    ("callbacks.best.filename=3", "callbacks.best.filename=3 is not a file's name"),
    ("hydra.output_subdir=../x", "output_subdir=../x leads out of the run's folder"),
    ("callbacks.best.filename=../../x", "filename=../../x leads out of the run's folder: give a name without folders"),
    ("callbacks.best.filename=/tmp/x", "filename=/tmp/x leads out of the run's folder"),
    ("callbacks.best.filename='{epoch:x.y}'", "callbacks.best.filename={epoch:x.y} is not a file's name"),
    ("callbacks=average +callbacks.average.foo=1", "There is no setting 'callbacks.average.foo'. Options: decay, "),
    ("callbacks.best.monitor=null", "callbacks.best.monitor=null: use monitor=val/acc"),
    ("+callbacks.best.save_top_k=0", "save_top_k=0 is not a whole number, 1 or more"),
    ("+callbacks.best.every_n_train_steps=3", "trainer.val_check_interval="),
    ("trainer.min_epochs=5 trainer.max_epochs=2", "trainer.min_epochs=5 is more than trainer.max_epochs=2"),
    ("trainer.check_val_every_n_epoch=40", "trainer.check_val_every_n_epoch=30 or less"),
    ("trainer.check_val_every_n_epoch=null", "such as trainer.val_check_interval=100"),
    ("trainer.fast_dev_run=true trainer.overfit_batches=2", "leave one of them out"),
    ("trainer.strategy=dpp", "trainer.strategy=dpp is not auto, ddp or another strategy of Lightning's"),
    ("trainer.max_epochs=-1", "trainer.max_epochs=-1 has no end: give trainer.max_steps"),
    ("scheduler=step scheduler.step_size=null", "scheduler.step_size=null is not a whole number"),
    ("optimizer=sgd optimizer.nesterov=null", "optimizer.nesterov=null is not true or false"),
    ("dataset=digits dataset.mean=abc", "dataset.mean=abc is not a list of numbers"),
    ("dataset=digits dataset.std=[0]", "dataset.std=[0] is not a list of numbers above 0"),
    ("optimizer=sgd optimizer.momentum=0", "optimizer.momentum=0 has no effect with this scheduler"),
    ("optimizer.betas=[0.5,0.999]", "between 0.85 and 0.95: add +scheduler.cycle_momentum=false"),
)
def test_a_setting_that_cannot_work_is_refused_before_anything_is_made(configure, words, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        configure(*words.split())


def test_a_momentum_that_the_schedule_replaces_is_refused_in_python_too(configure):
    cfg = configure("optimizer=sgd")
    cfg.optimizer.momentum = 0.5
    with pytest.raises(UserError, match=r"optimizer\.momentum=0\.5 has no effect with this scheduler"):
        train(cfg)


@refusals(
    ("scheduler.total_steps=10", "ends after 10 steps, but the run has 330: use scheduler.total_steps=steps"),
    ("scheduler.pct_start=0.5 scheduler._target_=torch.optim.lr_scheduler.StepLR", "StepLR has no max_lr"),
    ("optimizer._target_=torch.optim.RMSprop", r"RMSprop has no betas, fused \(without: ~optimizer.betas"),
    ("optimizer.betas=[a,b]", r"optimizer\.betas=\['a', 'b'\] is not a list of 2, each a number"),
    ("optimizer.betas=[2,2]", "the optimizer does not take its settings: Invalid beta parameter"),
    ("scheduler.pct_start=0.5 +scheduler.anneal_strategy=x", "scheduler.anneal_strategy=x is not cos or linear"),
    ("trainer.limit_val_batches=1e300", "is not a number above 0: 1 or another whole number"),
    ("trainer.max_time=9999999999:00:00:00", "up to 999999999 days"),
    (f"{STOP} +callbacks.stop.min_delta=abc", "callbacks.stop.min_delta=abc is not a number"),
    ("+logger.tensorboard.max_queue=abc", "max_queue=abc is not a whole number"),
    ("+model.loss.weight=[1,2,3]", "balance=loss has unequal classes count alike"),
    ("+callbacks.x._target_=torch.nn.Identity", r"callbacks\.x\._target_=torch\.nn\.Identity is no Callback: derive"),
    ("+logger.x._target_=torch.nn.Identity", r"logger\.x\._target_=torch\.nn\.Identity is no Logger: derive it"),
    ("optimizer._target_=torch.nn.Linear", "is no optimizer: derive it from torch.optim.optimizer.Optimizer"),
    ("scheduler._target_=torch.nn.Linear", "is no scheduler: derive it from torch.optim.lr_scheduler.LRScheduler"),
    ("trainer.max_epochs=-1 trainer.max_time=00:00:00:09", "needs a run of known length"),
    ("trainer.limit_val_batches=0.5", "limit_val_batches=0.5 of 1 val batch is none"),
    ("trainer.overfit_batches=0.01", "trainer.overfit_batches=0.01 of 11 train batches is none"),
    ("trainer.overfit_batches=2 trainer.limit_test_batches=0.5", "limit_test_batches=0.5 of 1 test batch is none"),
    ("trainer.val_check_interval=12", "is more than the 11 batches of an epoch"),
    (
        "trainer.check_val_every_n_epoch=null trainer.val_check_interval=9 trainer.max_steps=4 "
        "trainer.accumulate_grad_batches=2",
        "is more than the 8 batches of the run",
    ),
    ("trainer.accelerator=cpu trainer.devices=[0]", r"devices=\[0\] chooses GPUs, and this run uses none: leave it"),
    ("model=mlp dataset.batch_size=1", "batch norm cannot train on a batch of one example"),
    ("dataset=digits dataset.mean=[1,2]", "channel"),
    ("dataset=digits model=cnn dataset.sizes=[8,16]", "images, which are 8 pixels high: give 8 or less in place of 16"),
    (
        "model=mlp +model.loss.reduction=sum",
        "CrossEntropyLoss is the sum over the examples: give their mean, without",
    ),
    ("model=mlp +model.loss.reduction=none", r"gives the shape \(2,\) for a batch of 2, .*: leave model.loss.red"),
    ("~model.loss.label_smoothing model.loss._target_=torch.nn.NLLLoss", "NLLLoss is 0 if all logits are 0"),
    ("~model.loss.label_smoothing model.loss._target_=torch.nn.MSELoss", "the loss MSELoss"),
    (
        "callbacks=early_stopping callbacks.early_stopping.monitor=val/ap",
        "callbacks.early_stopping.monitor=val/ap is for two classes, not 3: use callbacks.early_stopping.monitor=",
    ),
    (
        "scheduler=plateau trainer.check_val_every_n_epoch=null trainer.val_check_interval=28",
        "trainer.val_check_interval=28 is longer than an epoch of 11 batches: use trainer.check_val_every_n_epoch=",
    ),
    ("monitor=val/auc", "monitor=val/auc is for two classes, not 3: use monitor=val/balanced_acc"),
    ("monitor=val/ap", "monitor=val/ap is for two classes, not 3: use monitor=val/balanced_acc"),
    ("tta=true", "tta=true moves images, and iris has none"),
    ("model=mlp model.hidden=[1000000,1000000000]", "parameters do not fit into the memory: choose a smaller model"),
    ("dataset=digits model=mlp dataset.sizes=[6,8]", "does not take images of size 6, which dataset.sizes has: give"),
    ("dataset=digits model=pretrained dataset.sizes=[6,8]", "shrinks images, and model=pretrained enlarges them"),
    (
        "dataset=digits dataset.sizes=[6,8] scheduler=none trainer.max_epochs=-1 trainer.max_time=00:00:00:09",
        "dataset.sizes needs a number of epochs: give trainer.max_epochs=",
    ),
    ("trainer.num_nodes=2", "num_nodes=2, but this run was started on 1 machine: leave it out"),  # Lightning would wait
    (
        "trainer.accelerator=cpu trainer.devices=99999",
        r"would start 99,999 processes on \d+ cores?: use trainer\.dev",
    ),
    ("trainer.accelerator=cpu trainer.devices=2 trainer.strategy=ddp_spawn", "returns no metrics .* use trainer=ddp"),
    ("logger=mlflow logger.mlflow.tracking_uri=http://127.0.0.1:9", "leave it out with '~logger.mlflow'"),
)
def test_what_lightning_or_torch_would_refuse_later_is_one_sentence_before_the_first_step(
    configure, monkeypatch, words, sentence
):
    if "batch_size" not in words:
        monkeypatch.setattr(Classifier, "training_step", lambda *args: 1 / 0)
    with pytest.raises(UserError, match=sentence) as error:
        train(configure(*words.split()))
    assert "\n" not in str(error.value)


def test_a_run_may_end_by_its_steps_alone_and_half_precision_of_a_gpu_is_said_to_be_none_here(configure, capsys):
    metrics = train(configure("trainer.max_epochs=null", "trainer.max_steps=5", "trainer.precision=16-mixed"))
    assert metrics["steps"] == 5
    assert "on cpu with trainer.precision=bf16-mixed: 16-mixed is for GPUs" in capsys.readouterr().out


def test_fast_dev_run_tries_one_batch_and_leaves_the_run_in_the_folder_as_it_is(configure, tmp_path, capsys):
    train(configure("trainer.max_epochs=1"))
    before = {file: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    assert 0 <= train(configure("trainer.fast_dev_run=true"))["val/acc"] <= 1
    assert "1 batch of training, 1 batch of validation, 1 batch of test went through" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_fast_dev_run_in_a_new_folder_saves_nothing_and_counts_the_batches_that_there_are(configure, tmp_path, capsys):
    train(configure("dataset=digits", "+trainer.fast_dev_run=5", "callbacks=early_stopping", "dataset.batch_size=500"))
    assert not (tmp_path / "run").exists()
    said = capsys.readouterr().out
    assert "fast_dev_run: 3 batches of training, 1 batch of validation, 1 batch of test went through" in said


def test_the_batches_of_a_run_are_those_that_its_limits_leave():
    parts = {"train": 11, "val": 1, "test": 1}
    data = SimpleNamespace(**{f"{part}_dataloader": partial(range, count) for part, count in parts.items()})
    usual = {"max_epochs": 2, "max_steps": -1, "accumulate_grad_batches": 2, "fast_dev_run": False}
    usual |= {"check_val_every_n_epoch": 1, "overfit_batches": 0} | {f"limit_{part}_batches": 1.0 for part in parts}

    def batches(**settings) -> float:
        return training_batches(SimpleNamespace(**usual | settings), data, test=True)

    assert batches() == batches(val_check_interval=11) == 22 and batches(limit_train_batches=0.5) == 10
    assert batches(max_epochs=-1) == math.inf and batches(max_steps=5) == 10
    assert batches(max_steps=7, check_val_every_n_epoch=2) == 14  # an epoch has 6 steps, the last of one batch
    with pytest.raises(UserError, match=r"use trainer\.max_steps=7 or more"):
        batches(max_steps=6, check_val_every_n_epoch=2)


@pytest.mark.parametrize("steps", (5, 22))  # within an epoch, at its end
def test_max_steps_ends_in_a_validation_and_can_be_raised_to_the_bits_of_an_unbroken_run(
    configure, trained, tmp_path, capsys, steps
):
    metrics = train(configure(*PLAIN, f"trainer.max_steps={steps}"))
    assert load_checkpoint(tmp_path / "run" / "last.ckpt")["global_step"] == steps
    assert "val/acc" in metrics and metrics["epochs"] == -(-steps // 11)
    train(configure(*PLAIN, f"trainer.max_steps={steps}"))
    assert capsys.readouterr().out.rstrip().endswith("its figures are in " + f"{tmp_path}/run/metrics.json.")
    train(configure(*PLAIN, f"trainer.max_steps={steps}", "trainer.limit_test_batches=1"))
    assert "metrics.json. trainer.limit_test_batches=1 changed nothing in them." in capsys.readouterr().out
    with pytest.raises(UserError, match=r"limit_train_batches: 1\.0 in the run, 1 now"):
        train(configure(*PLAIN, f"trainer.max_steps={steps}", "trainer.limit_train_batches=1"))
    more = train(configure(*PLAIN, "trainer.max_steps=33"))
    assert more["epochs"] == 3 and f"\nThis run goes on after step {steps}.\n" in capsys.readouterr().out
    left, right = (load_checkpoint(folder / "last.ckpt") for folder in (tmp_path / "run", trained(*PLAIN)))
    assert all(torch.equal(left["state_dict"][name], value) for name, value in right["state_dict"].items())
    assert str(left["optimizer_states"]) == str(right["optimizer_states"])
    assert left["resume"]["stepped"] == right["resume"]["stepped"] and left["epoch"] == right["epoch"]


def test_max_time_ends_in_a_validation_and_can_be_raised_to_the_bits_of_an_unbroken_run(
    configure, trained, tmp_path, monkeypatch
):
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
    with monkeypatch.context() as patch:
        at_batch(patch, 1, 4, lambda loss: patch.setattr("lightning.pytorch.callbacks.timer.time", clock) or loss)
        assert "val/acc" in train(configure(*PLAIN, "trainer.max_time=00:00:30:00"))
    assert load_checkpoint(tmp_path / "run" / "last.ckpt")["global_step"] == 16
    assert train(configure(*PLAIN, "trainer.max_time=01:00:00:00"))["epochs"] == 3
    left, right = (load_checkpoint(folder / "last.ckpt") for folder in (tmp_path / "run", trained(*PLAIN)))
    assert all(torch.equal(left["state_dict"][name], value) for name, value in right["state_dict"].items())


def test_a_run_that_its_epochs_have_ended_within_its_time_can_be_given_more_epochs(configure):
    train(configure(*PLAIN, "trainer.max_time=00:01:00:00", "trainer.max_epochs=1"))
    assert train(configure(*PLAIN, "trainer.max_time=00:01:00:00"))["epochs"] == 3


@pytest.mark.parametrize(
    "words",
    (
        ("trainer.max_steps=22",),
        ("scheduler=plateau", "+scheduler.cooldown=1", "scheduler.patience=0", "trainer.max_steps=33"),
        ("scheduler=plateau", "scheduler.patience=0", "trainer.check_val_every_n_epoch=2", "trainer.max_epochs=5"),
        ("trainer.val_check_interval=3",),
        (*STOPS_LATE, "trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=7"),
        ("scheduler=onecycle", "trainer.max_steps=25", "trainer.accumulate_grad_batches=2"),
    ),
    ids=" ".join,
)
def test_a_run_that_breaks_off_goes_on_to_the_same_bits(configure, tmp_path, monkeypatch, words):
    assert changed_by_stops(configure, monkeypatch, tmp_path, (*PLAIN, *words), ((1, 0), (1, 10))) == []


@pytest.mark.parametrize("every", (1, 2))
def test_plateau_lowers_the_rate_once_the_monitored_metric_no_longer_improves(configure, tmp_path, every):
    words = ("optimizer=sgd", "optimizer.lr=1e-6", "scheduler=plateau", "scheduler.patience=1")
    words += (f"trainer.check_val_every_n_epoch={every}", f"trainer.max_epochs={3 * every}")  # three validations
    for name, more in (("fast", "fast_loop=true"), ("own", "fast_loop=false")):
        train(configure(*words, more, folder=tmp_path / name))
        (optimizer,) = load_checkpoint(tmp_path / name / "last.ckpt")["optimizer_states"]
        assert optimizer["param_groups"][0]["lr"] == pytest.approx(1e-7)


def test_a_run_that_was_begun_before_an_argument_was_listed_goes_on(configure, tmp_path):
    train(configure("trainer.max_epochs=1", "scheduler=none"))
    folder: Path = tmp_path / "run"
    old = ("_target_", "accelerator", "devices", "num_nodes", "strategy", "precision", "max_epochs")

    def forget(config: dict) -> None:
        config["trainer"] = {key: value for key, value in config["trainer"].items() if key in old}

    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    forget(config)
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")
    with rewritten(folder / "last.ckpt") as checkpoint:
        forget(checkpoint["proj"]["config"])
    shutil.copytree(folder, tmp_path / "again")
    assert train(configure("trainer.max_epochs=2", "scheduler=none"))["epochs"] == 2
    cfg = stored_config(tmp_path / "again", ["trainer.max_steps=15", "trainer.max_epochs=2"])
    assert train(cfg)["epochs"] == 2
    assert load_checkpoint(tmp_path / "again" / "last.ckpt")["global_step"] == 15


@pytest.mark.parametrize("words", ("SGD ~optimizer.betas", "Adadelta ~optimizer.betas ~optimizer.fused"))
def test_an_optimizer_without_a_momentum_to_move_trains_with_the_usual_schedule(configure, words):
    words = f"optimizer._target_=torch.optim.{words} trainer.max_epochs=1 test=false".split()
    assert train(configure(*words))["epochs"] == 1


@pytest.mark.parametrize("words", ((), ("fast_loop=false",), ("trainer.check_val_every_n_epoch=2",)), ids=str)
def test_a_run_that_ends_before_a_validation_is_due_by_time_is_validated_at_its_end(configure, words):
    metrics = train(configure("trainer.val_check_interval=00:01:00:00", "trainer.max_epochs=3", "test=false", *words))
    assert metrics["best_epoch"] == (2 if "trainer.check_val_every_n_epoch=2" in words else 3)


def test_a_bar_that_is_never_drawn_is_answered_with_the_word_that_leaves_it_out():
    with pytest.raises(UserError, match=r"refresh_rate=0 is not above 0: '~callbacks\.progress' leaves the bar out"):
        ProgressBar(refresh_rate=0)


def test_the_bar_shows_no_speed_where_none_is_known():
    column = ProgressBar(refresh_rate=10).configure_columns(None)[-1]
    shown = [column.render(SimpleNamespace(speed=speed)).plain for speed in (None, 0.0, 654.354)]
    assert shown == [" " * 8, " " * 8, "654.35it/s"]


@pytest.mark.parametrize(
    ("rate", "leave", "epochs", "validations"), ((1e-9, False, 1, 0), (1e9, False, 3, 3), (1e-9, True, 3, 0))
)
def test_the_bar_shows_epochs_and_validations_that_last_until_it_is_drawn_again_and_the_last_epoch(
    configure, calls_of, rate, leave, epochs, validations
):
    began, added = calls_of(RichProgressBar, "on_train_epoch_start"), calls_of(RichProgressBar, "_add_task")
    removed = calls_of(Progress, "remove_task")
    bar = "+callbacks.bar._target_=proj.training.progress_bar.ProgressBar"
    train(configure("trainer.max_epochs=3", "test=false", bar, f"+callbacks.bar={{refresh_rate:{rate},leave:{leave}}}"))
    assert len(began) == epochs and len(removed) == validations
    assert len(added) == validations + (3 if leave else 1)  # one bar for all epochs, or a line of each


@pytest.mark.parametrize("rate", (1e-9, 1e9))
@pytest.mark.parametrize(
    ("word", "shown"),
    (
        ("trainer.max_epochs=3", "Epoch 3/3 11/11"),
        ("trainer.max_steps=28", "Epoch 3/9 6/11"),
        ("trainer.max_time={seconds:1e-6}", "Epoch 1/9 1/11"),
    ),
)
def test_the_bar_that_remains_is_that_of_the_last_epoch_whatever_ended_the_run(configure, calls_of, rate, word, shown):
    stopped = calls_of(RichProgressBar, "_stop_progress")
    bar = f"+callbacks.bar={{_target_:proj.training.progress_bar.ProgressBar,refresh_rate:{rate}}}"
    train(configure("trainer.max_epochs=9", "test=false", bar, word))
    (remains,) = stopped[-1][0].progress.tasks
    text = f"{remains.description.rpartition(']')[2].rstrip()} {remains.completed:.0f}/{remains.total:.0f}"
    assert text == shown


@pytest.mark.parametrize(("every", "lines", "place"), ((0, 3, "file"), (60, 0, "file"), (0, 3, "notebook")))
def test_a_run_whose_output_goes_where_no_bar_is_shown_tells_once_in_a_while_how_far_it_is(
    configure, capsys, monkeypatch, recwarn, request, every, lines, place
):
    cells: list[str] = []  # what the notebook shows
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr("proj.training.progress_bar.find_spec", lambda name: None, raising=False)
    monkeypatch.setattr("IPython.display.display", lambda shown: cells.append(shown.text))
    request.addfinalizer(rich.reconfigure)  # of the console that all share
    monkeypatch.setattr("proj.training.progress_bar.LINE_INTERVAL", every)
    bar = "+callbacks.bar={_target_:proj.training.progress_bar.ProgressBar,refresh_rate:10,"
    bar += f"console_kwargs:{{force_jupyter:{place == 'notebook'}}}}}"
    train(configure("trainer.max_epochs=3", "test=false", bar))
    told = [
        line
        for line in (capsys.readouterr().out + "".join(cells)).splitlines()
        if re.match(r"Epoch \d/3   loss \d", line)
    ]
    assert len(told) == lines and all("val/acc 0." in line or "val/acc 1." in line for line in told)
    assert not [one for one in recwarn if "ipywidgets" in str(one.message)]


@pytest.mark.parametrize(("epochs", "text"), ((3, "Epoch 3/3"), (-1, "Epoch 3"), (None, "Epoch 3")))
def test_the_bar_names_the_last_epoch_only_where_there_is_one(epochs, text):
    bar = ProgressBar(refresh_rate=10)
    bar._trainer = SimpleNamespace(max_epochs=epochs)
    assert bar._get_train_description(2).rstrip() == text


def test_the_bar_and_its_figures_are_one_line_of_a_terminal_of_80_columns():
    console, clock = Console(width=80, file=io.StringIO()), [0.0]
    columns = [*ProgressBar(refresh_rate=10).configure_columns(None), TextColumn("loss: 0.123 val/acc: 0.987")]
    bar = Progress(*columns, console=console, get_time=lambda: clock[0])
    epoch = bar.add_task("Epoch 100/100", total=469)
    bar.advance(epoch)
    clock[0] = 400 / 1234.56
    bar.advance(epoch, 400)
    console.print(bar.get_renderable())
    (line,) = console.file.getvalue().splitlines()
    assert "401/469" in line and "1234.56it/s" in line and "val/acc: 0.987" in line


@pytest.mark.parametrize("width", (51, 60, 72))
def test_in_a_narrow_terminal_the_bar_leaves_out_what_does_not_fit_and_its_figures_stay_whole(monkeypatch, width):
    console = Console(width=width, file=io.StringIO())
    monkeypatch.setattr("proj.training.progress_bar.get_console", lambda: console)
    columns = [*ProgressBar(refresh_rate=10).configure_columns(None), TextColumn("loss: 0.123 val/acc: 0.987")]
    bar = Progress(*columns, console=console)
    bar.advance(bar.add_task("Epoch 100/100", total=469))
    console.print(bar.get_renderable())
    (line,) = console.file.getvalue().splitlines()
    assert "Epoch 100/100" in line and "1/469" in line and "val/acc: 0.987" in line and "…" not in line
