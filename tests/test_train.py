"""One run from its command to its figures."""

import itertools
import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from support import processes
from support.classes import ENV, slow
from support.evaluations import evaluate
from support.pages import python_lines
from support.processes import PATIENCE, start, wait_for
from support.runs import events

import proj.config
from proj.checkpoint.file import load_model
from proj.config.new_folder import make_new_folder, new_folder
from proj.errors import UserError
from proj.sweeps.lines import own_stdout
from proj.system.run_folder import RunFolder
from proj.training.results_table import print_table
from proj.training.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The plain command, as a user types it, with three epochs: (process, folder of its run)."""
    home = tmp_path_factory.mktemp("home")
    process = processes.run(home, "proj.train", "trainer.max_epochs=3")
    assert process.returncode == 0, process.stderr
    (folder,) = home.glob("outputs/iris/iris/*")
    return process, folder


def test_plain_command_ends_in_a_table_of_at_most_80_columns(run):
    process, _ = run
    for words in ("test accuracy", "setosa", "best epoch", "parameters", "243", "tensorboard --logdir", "best.ckpt"):
        assert words in process.stdout
    for words in ("few examples", "classes alike"):  # Iris has 15 of each class, or 5
        assert words not in process.stdout
    assert max(map(len, process.stdout.splitlines())) <= 80
    assert "Traceback" not in process.stderr and "arning" not in process.stderr


def test_runs_of_one_script_in_a_job_of_slurm_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    taken = {}
    monkeypatch.setattr("proj.config.new_folder.TAKEN", taken)
    monkeypatch.setattr("proj.config.compose.TAKEN", taken)
    names = [Path(proj.config.configure(f"seed={seed}").output_dir).name for seed in range(3)]
    assert names == ["slurm-7", "slurm-7-2", "slurm-7-3"]


def test_a_thread_other_than_the_main_one_trains_too(configure):
    """Python lets none but the main thread take signals."""
    words = ("trainer.max_epochs=1", "trainer.accelerator=cpu")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(train, configure(*words)).result()["epochs"] == 1


def test_runs_in_threads_have_the_figures_that_each_has_alone(configure, tmp_path):
    """They take turns: all threads draw from the same random generators, and Hydra composes one of them at a time."""

    def figures(seed: int, place: str) -> tuple[float, float]:
        words = ("model=mlp", "model.dropout=0.2", f"seed={seed}", "trainer.max_epochs=2", "trainer.accelerator=cpu")
        metrics = train(configure(*words, folder=tmp_path / place / str(seed)))
        return metrics["val/loss"], metrics["test/loss"]

    alone = [figures(seed, "alone") for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(figures, range(2), ["threads"] * 2)] == alone


def test_the_pages_lines_train_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(python_lines("import configure, train\n\ncfg"), found := {})
    assert found["metrics"] == json.loads(Path(found["metrics"]["folder"], "metrics.json").read_text())
    assert load_model(found["metrics"]["checkpoint"])[1]["config"]["optimizer"]["lr"] == 0.01


def test_paths_that_a_script_sets_are_stored_as_texts(configure, tmp_path):
    cfg = configure("trainer.max_epochs=1")
    cfg.data_dir = tmp_path
    assert train(cfg)["epochs"] == 1
    cfg.output_dir = tmp_path / "other"
    assert train(cfg)["folder"] == str(tmp_path / "other")
    assert OmegaConf.load(tmp_path / "other/config.yaml").data_dir == str(tmp_path)


@pytest.mark.parametrize("stdout", [SimpleNamespace(write=lambda text: None, flush=lambda: None), None])
def test_a_script_that_has_replaced_its_output_trains_evaluates_and_sweeps(configure, monkeypatch, stdout):
    """As scripts do that copy it into a file, and pythonw.exe, which has none."""
    monkeypatch.setattr("sys.stdout", stdout)
    cfg = configure("dataset=digits", "augment=strong", "trainer.max_epochs=1", "trainer.accelerator=cpu")
    assert train(cfg)["epochs"] == 1
    assert evaluate(Path(cfg.output_dir) / "best.ckpt")["acc"] <= 1
    assert own_stdout() is stdout


@pytest.mark.slow
def test_the_plain_command_of_a_fresh_interpreter_warns_of_nothing(command):
    process = command("-m", "proj.train", "trainer.max_epochs=1", fresh=True)
    assert process.returncode == 0 and "arning" not in process.stderr, process.stderr


@pytest.fixture
def table(capsys):
    """table(folder, shares) -> the lines of the table of a run with these accuracies of its classes."""

    def table(folder: str, shares: dict[str, float]) -> list[str]:
        figures = dict.fromkeys(("test/acc", "test/loss", "seconds", "examples_per_second", "parameters", "val/acc"), 0)
        figures |= {"checkpoint": f"{folder}best.ckpt", "folder": folder, "best_epoch": 1, "epochs": 1, "max_epochs": 1}
        print_table(figures | {"test/acc_per_class": shares}, "val/acc")
        return capsys.readouterr().out.replace("\u00a0", " ").splitlines()

    return table


def test_a_runs_table_breaks_no_word_in_a_narrow_terminal(table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = " ".join(table("outputs/", {"versicolor": 1.0, "rare": None}))
    assert "versicolor 100.0%" in text and "parameters     0" in text and "rare" not in text, text
    assert text.startswith("test accuracy  0.00%   loss 0.0000") and "stopped" not in text


def test_what_is_there_to_be_copied_is_in_one_line_and_a_class_beside_its_figure(table, monkeypatch):
    monkeypatch.setattr(RunFolder, "curves", lambda run: ["events"])
    folder, classes = "outputs/[red]" + "a long name/" * 12, dict.fromkeys([f"class {n}" for n in range(20)], 1.0)
    lines = table(folder, classes)
    assert any(line.endswith(f"{folder}best.ckpt") for line in lines)
    assert any(line.endswith(f"tensorboard --logdir '{folder}'") for line in lines)
    assert all(any(f"{name} 100.0%" in line for line in lines) for name in classes)


def test_of_many_classes_the_table_shows_the_least_accurate_and_how_many_more_there_are(table):
    lines = table("nowhere/", {f"class {place}": place / 5000 for place in reversed(range(5000))})
    printed = "\n".join(lines)
    assert "class 39 0.8%" in printed and "class 40 " not in printed and len(lines) < 25
    assert "and 4,960 classes with fewer mistakes: see metrics.json" in printed


def test_metrics_json_holds_the_figures_of_the_table(run):
    metrics = json.loads((run[1] / "metrics.json").read_text())
    assert 0 <= metrics["test/acc"] <= 1 and metrics["test/loss"] > 0
    assert set(metrics["test/acc_per_class"]) == {"setosa", "versicolor", "virginica"}
    assert metrics["epochs"] == 3 and 1 <= metrics["best_epoch"] <= 3
    assert (metrics["dataset"], metrics["model"], metrics["parameters"]) == ("iris", "iris", 243)


def test_curves_have_several_points_an_epoch_and_no_false_ones(run):
    accumulator = events(run[1])
    tags = set(accumulator.Tags()["scalars"])
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "test/loss", "test/acc"} <= tags
    assert {"train/examples_per_second", "train/grad_norm", "lr"} <= tags
    assert not {"hp_metric", "epoch"} & tags
    for tag in tags:
        steps = [event.step for event in accumulator.Scalars(tag)]
        assert steps == sorted(set(steps)), tag
    assert len(accumulator.Scalars("train/loss")) >= 12  # 11 steps an epoch
    assert len(accumulator.Scalars("val/acc")) == 3


def test_dashboard_shows_the_inputs_and_the_graph(digits):
    accumulator = events(digits)
    assert accumulator.Images("views/inputs")[0].width > 60
    assert b"Conv2d" in accumulator.Graph().SerializeToString()


OPTIMIZERS, SCHEDULERS = (
    sorted(file.stem for file in (proj.config.CONF / group).glob("*.yaml")) for group in ("optimizer", "scheduler")
)


@pytest.mark.parametrize(("optimizer", "scheduler"), list(zip(itertools.cycle(OPTIMIZERS), SCHEDULERS)))
def test_every_optimizer_and_every_scheduler_trains(configure, optimizer, scheduler):
    assert len(OPTIMIZERS) <= len(SCHEDULERS)  # or the last optimizers would be left out
    metrics = train(configure(f"optimizer={optimizer}", f"scheduler={scheduler}", "trainer.max_epochs=1", "test=false"))
    assert metrics["epochs"] == 1 and "test/acc" not in metrics


def test_default_digits_learn(configure):
    assert train(configure("dataset=digits", "model=mlp"))["test/acc"] > 0.95


def test_debug_is_two_epochs_of_three_batches_for_any_pair(configure, tmp_path):
    metrics = train(configure("dataset=digits", "trainer=debug"))
    assert metrics["epochs"] == 2
    assert metrics["examples_per_second"] * metrics["seconds"] == pytest.approx(2 * 3 * 64)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"] == 6


def test_a_stopped_run_keeps_its_checkpoint_and_prints_the_command_that_continues(command, tmp_path):
    words = (
        "scheduler=none",
        "trainer.max_epochs=100000",
        "save_every=0.5",
        f"hydra.run.dir={tmp_path}/run",
        *slow(0.02),
    )
    streams = (tmp_path / "out", tmp_path / "err")
    process = start(tmp_path, "proj.train", *words, streams=streams, env=ENV)
    wait_for((tmp_path / "run" / "best.ckpt").exists, process)
    os.kill(process.pid, signal.SIGINT)
    process.join(PATIENCE)
    assert process.exitcode == 130 and "python -m proj.train resume=run" in streams[0].read_text()
    done = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] + 1
    process = command("-m", "proj.train", "resume=run", f"trainer.max_epochs={done + 2}", "trust=support", env=ENV)
    assert process.returncode == 0, process.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == done + 2


def test_runs_of_the_same_instant_never_share_a_folder(tmp_path):
    assert max(Counter(new_folder(f"{tmp_path}/outputs") for _ in range(20)).values()) == 1
    named = new_folder(f"{tmp_path}/outputs")
    Path(named).mkdir(parents=True)  # by another process, after the name was found
    assert make_new_folder(named) != named and len(list(tmp_path.glob("outputs/*"))) == 2
    named = new_folder(f"{tmp_path}/outputs")
    assert make_new_folder(named) == make_new_folder(named) == named  # as of a run that a script starts again
    cfg = OmegaConf.create({"dir": f"${{new_folder:{tmp_path}/outputs}}"})
    assert cfg.dir == cfg.dir != named  # one configuration names one folder


def test_reading_a_configuration_makes_no_folder(command, tmp_path, monkeypatch):
    process = command("-m", "proj.train", "--cfg", "all", "--resolve", "output_dir=x", "choices=null")
    assert process.returncode == 0, process.stderr
    monkeypatch.chdir(tmp_path)
    cfg = proj.config.configure("trainer.max_epochs=1")
    assert cfg.output_dir.startswith("outputs/iris/iris/") and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    (
        ("optimizer.lr", "x", "optimizer.lr=x is not a number above 0"),
        ("mode", "min", "monitor=val/acc mode=min would keep the worst checkpoint"),
        ("seed", None, "seed=null is not a number"),
        ("test", "no", "test=no is not true or false"),  # a text would count as true
        ("dataset.standardize", "false", "dataset.standardize='false', a text, is not true or false"),
        ("output_dir", None, "cfg.output_dir = None is no path"),
    ),
)
@pytest.mark.parametrize("folder", (None, "another"))
def test_a_configuration_that_was_changed_in_python_is_checked_too(configure, tmp_path, key, value, sentence, folder):
    cfg = configure("trainer.max_epochs=1")
    cfg.output_dir = tmp_path / folder if folder else cfg.output_dir
    OmegaConf.update(cfg, key, value)
    with pytest.raises(UserError, match=sentence):
        train(cfg)


@pytest.mark.parametrize("group", ("model", "callbacks"))
def test_an_option_that_a_script_puts_in_the_place_of_a_part_is_answered_with_its_word(configure, group):
    cfg = configure("trainer.max_epochs=1")
    cfg[group] = "mlp"
    with pytest.raises(UserError, match=rf"configure\('{group}=mlp'\)"):
        train(cfg)


def test_a_scheduler_that_a_script_leaves_out_is_answered_with_its_word(configure):
    cfg = configure("trainer.max_epochs=1")
    cfg.scheduler = None
    with pytest.raises(UserError, match=r"configure\('scheduler=none'\)"):
        train(cfg)


def test_what_refers_to_a_setting_follows_its_change_in_python_as_on_the_command_line(configure, tmp_path):
    cfg = configure("trainer.max_epochs=1", "callbacks=early_stopping", "scheduler=plateau")
    cfg.seed, cfg.monitor, cfg.data_dir = 5, "val/loss", str(tmp_path)
    assert (cfg.dataset.seed, cfg.mode, cfg.scheduler.mode) == (5, "min", "min")
    train(cfg)
    stored = OmegaConf.load(tmp_path / "run" / "config.yaml")
    typed = ("seed=5", "monitor=val/loss", "callbacks=early_stopping", "scheduler=plateau", f"data_dir={tmp_path}")
    meant = OmegaConf.to_container(configure("trainer.max_epochs=1", *typed), resolve=True)
    assert OmegaConf.to_container(stored) == meant | {"trainer": stored.trainer}  # whose precision the run chose


def test_what_is_no_configuration_no_word_and_no_file_is_told_what_to_write(tmp_path):
    for wrong in ("dataset=iris", {"dataset": "iris"}, None):
        with pytest.raises(UserError, match=r"as configure makes it: train\(configure\('dataset=iris'\)\)"):
            train(wrong)
    with pytest.raises(UserError, match=r"configure takes texts such as .*, not \['dataset=iris'\]"):
        proj.config.configure(["dataset=iris"])
    with pytest.raises(UserError, match=r"is a folder: name the checkpoint in it, .*best\.ckpt"):
        load_model(tmp_path)
