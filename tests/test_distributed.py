"""Several processes: those that train one run together, and the jobs of a sweep side by side."""

import importlib
import itertools
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from support import processes
from support.processes import wait_for
from support.runs import TWO, assert_one_set_of_files, curves, differences, free_ports, outcome, run, run_two

from proj.config.explain import sentences
from proj.data.batches import Batches
from proj.errors import UserError
from proj.models.metrics import Tally
from proj.sweeps.job import own_gpu
from proj.system.processes import fit_to_processes, let_the_first_process_report, starts_more
from proj.system.ranks import SRUN, TORCHRUN, launched_processes
from proj.system.run_folder import RunFolder
from proj.system.slurm import slurm_name
from proj.training.results import failure_recorded
from proj.training.robustness import lost_process
from proj.training.robustness.faults import run_errors

# Iris: the last of an epoch's 11 batches has 5 examples, of which one process gets 3 and the other 2.
MATCHED = ["model=mlp", "model.norm=none", "trainer.max_epochs=3", "trainer.log_every_n_steps=1", "~callbacks.progress"]
ONE = [*MATCHED, "trainer=cpu", "dataset.batch_size=10"]
DIGITS = [*TWO, "seed=2"]
HALVES = [*MATCHED, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "dataset.batch_size=5"]


def assert_same_curves(one: Path, two: Path) -> None:
    a, b = curves(one), curves(two)
    assert a.keys() == b.keys() and {"train/loss", "val/loss", "test/loss"} < a.keys()
    for tag, points in b.items():
        assert a[tag] == [(step, pytest.approx(value, rel=1e-4, abs=1e-5)) for step, value in points], tag


def test_two_processes_with_half_the_batch_train_as_one_with_all_of_it(tmp_path):
    assert run(tmp_path / "one", words=[*ONE, "optimizer=sgd"]) == 0  # whose steps are as long as its gradients
    assert run_two(tmp_path / "two", [*HALVES, "optimizer=sgd"]) == [0, 0]
    assert_same_curves(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize(("examples", "size", "world"), ((105, 5, 2), (105, 10, 1), (1301, 8, 4), (23, 4, 3)))
@pytest.mark.parametrize("shuffle", (True, False))
def test_processes_share_out_every_batch_of_one_process_evenly_and_no_example_comes_twice(
    examples, size, world, shuffle
):
    def loader(size: int, rank=0, world=1) -> Batches:
        x, y = torch.arange(float(examples)), torch.arange(examples)
        return Batches(x, y, size, lambda x, i, *rest: x[i], shuffle, 1, rank, world)

    loaders, seen = [loader(size, rank, world) for rank in range(world)], []
    for number, (*shares, (_, whole)) in enumerate(zip(*loaders, loader(size * world), strict=True)):
        sizes = [len(share) for _, share in shares]
        assert sum(sizes) == loaders[0].size(number) and max(sizes) - min(sizes) <= 1 <= min(sizes)
        labels = [int(label) for _, share in shares for label in share]
        assert sorted(labels) == sorted(whole.tolist())
        seen += labels
    assert sorted(seen) == list(range(examples))


def test_a_process_without_a_share_of_the_last_batch_leaves_the_mean_alone():
    tally, logits, y = Tally(3), torch.eye(3), torch.arange(3)
    tally.update(torch.tensor(0.5), logits, y)
    tally.update(torch.tensor(float("nan")), logits[:0], y[:0])
    assert tally.compute()["loss"] == 0.5 and tally.compute()["confusion"].sum() == 3


def test_the_processes_are_those_that_torchrun_or_srun_started(monkeypatch):
    assert launched_processes() is None and slurm_name() is None
    for name in (*SRUN, *TORCHRUN):
        monkeypatch.setenv(name, "0")
    for name, value in {"JOB_ID": 7, "STEP_NUM_TASKS": 6, "STEP_NUM_NODES": 3, "STEP_TASKS_PER_NODE": "2(x3)"}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    assert launched_processes() == (2, 3) and slurm_name() == "slurm-7"
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "4,1(x2)")
    with pytest.raises(UserError, match="give srun --ntasks-per-node"):
        launched_processes()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert launched_processes() is None
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert launched_processes() == (2, 4)
    trainer = OmegaConf.create({"devices": "auto", "strategy": "auto", "num_nodes": 1})
    fit_to_processes(trainer)
    assert trainer == {"devices": 2, "strategy": "ddp", "num_nodes": 4}
    with pytest.raises(UserError, match="devices=1, but 2 processes were started: leave it out"):
        fit_to_processes(OmegaConf.create({"devices": 1, "strategy": "ddp", "num_nodes": 4}))


ALONE = ((0, "auto", "auto", "auto"), (2, "cpu", "auto", "auto"), (2, "gpu", 1, "auto"), (2, "gpu", [1], "auto"))
SEVERAL = ((2, "auto", "auto", "auto"), (0, "cpu", 2, "auto"), (1, "gpu", 1, "ddp"))


@pytest.mark.parametrize("job", (*ALONE, *SEVERAL))
def test_a_job_for_which_lightning_starts_processes_is_known(monkeypatch, job):
    gpus, *settings = job
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    trainer = OmegaConf.create(dict(zip(("accelerator", "devices", "strategy"), settings, strict=True)))
    assert starts_more(trainer) == (job in SEVERAL)


def test_jobs_side_by_side_take_a_gpu_each(configure, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("proj.config.check.OF_A_SWEEP", {})

    def job(*words: str):
        return configure("hydra/launcher=joblib", "trainer.accelerator=gpu", *words)

    first, second, third, beside = job(), job(), job(), configure("hydra/launcher=joblib", "trainer=cpu")
    with own_gpu(first, tmp_path), own_gpu(beside, tmp_path):
        with own_gpu(second, tmp_path):
            assert (first.trainer.devices, second.trainer.devices, beside.trainer.devices) == ([0], [1], 1)
        with own_gpu(third, tmp_path):
            assert third.trainer.devices == [1]
        with own_gpu(several := job("trainer.devices=2"), tmp_path):
            assert several.trainer.devices == 2


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> dict:
    """The outcome of a run of two processes that nobody stops."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    assert run_two(folder, DIGITS) == [0, 0]
    return outcome(folder)


@pytest.mark.slow
def test_torchrun_trains_one_run_in_one_folder(command, tmp_path, unbroken):
    (port,) = free_ports(1)
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}", "-m", "proj.train")
    process = command(*torchrun, *DIGITS, "trainer=default", "trainer.devices=auto", fresh=True)
    assert process.returncode == 0, process.stderr
    (folder,) = tmp_path.glob("outputs/digits/mlp/*")
    assert process.stdout.count("test accuracy") == 1
    assert_one_set_of_files(folder)
    assert differences(unbroken, outcome(folder)) == []


@pytest.mark.slow
def test_a_killed_first_process_takes_the_other_along_and_the_run_goes_on_to_the_same_bits(command, tmp_path, unbroken):
    process = processes.start(tmp_path, "proj.train", *DIGITS, "hydra.run.dir=run")
    wait_for((tmp_path / "run" / "last.ckpt").exists, process)
    (other,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.join()
    status = Path(f"/proc/{other}/status")
    wait_for(lambda: not status.exists() or "State:\tZ" in status.read_text())
    assert not (tmp_path / "run" / "metrics.json").exists()
    process = command("-m", "proj.train", "resume=run")
    assert process.returncode == 0, process.stderr
    assert differences(unbroken, outcome(tmp_path / "run")) == []


@pytest.mark.slow
def test_a_search_trains_both_processes_of_a_trial_alike_and_prunes_both(command, tmp_path):
    pruner = ["._target_=optuna.pruners.ThresholdPruner", ".lower=0.6", ".n_warmup_steps=1"]
    words = [f"++hydra.sweeper.pruner{word}" for word in pruner]
    words += ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "optimizer.lr=1e-9,0.05", "sweep_name=s"]
    process = command("-m", "proj.train", "-m", *HALVES, *words)
    assert process.returncode == 0, process.stderr
    sweep = tmp_path / "outputs" / "sweeps" / "s"
    (good,), (bad,) = sweep.glob("*0.05"), sweep.glob("*1e-09")
    assert json.loads((bad / "status.json").read_text())["status"] == "pruned"
    said = (good / "train.log").read_text()
    assert said.count("test accuracy") == 1 and "Traceback" not in said + (bad / "train.log").read_text()
    assert_one_set_of_files(good)
    assert run(tmp_path / "one", words=[*ONE, "optimizer.lr=0.05"]) == 0
    assert_same_curves(tmp_path / "one", good)


def test_a_run_that_goes_on_leaves_its_command_to_the_processes_that_lightning_starts(monkeypatch):
    command, seen = ["proj.train", "resume=run", "trust=linear", "seed=1"], []
    monkeypatch.setattr(sys, "argv", list(command))
    train = importlib.import_module("proj.train")
    monkeypatch.setattr(train, "stored_config", lambda *stored: seen.append(stored))
    monkeypatch.setattr(train, "trained", lambda cfg: seen.append(list(sys.argv)))
    train.main()
    assert seen == [(Path("run"), ["seed=1"], ["linear"]), command]


@pytest.mark.parametrize(
    ("word", "keeps"), (("trainer.fast_dev_run=true", False), ("+trainer.fast_dev_run=False", True))
)
def test_hydra_writes_nothing_for_a_run_that_saves_nothing(monkeypatch, word, keeps):
    monkeypatch.setattr(sys, "argv", ["proj.train", word])
    train = importlib.import_module("proj.train")
    monkeypatch.setattr(train, "run_hydra", lambda job: None)
    train.main()
    assert ("hydra.output_subdir=null" not in sys.argv) == keeps


@pytest.mark.parametrize(("parents", "left"), (([7, 7, 7, 7, 1, 1], [1]), ([7] * 100, [])))
def test_another_process_reports_an_error_only_if_the_first_one_has_not_ended_by_it(monkeypatch, parents, left):
    monkeypatch.setenv("LOCAL_RANK", "1")
    clock, before, exits = itertools.count(), iter(parents), []
    monkeypatch.setattr("proj.system.processes.time", SimpleNamespace(monotonic=lambda: next(clock), sleep=int))
    monkeypatch.setattr("os.getppid", lambda: next(before))
    monkeypatch.setattr("os._exit", exits.append)
    let_the_first_process_report.cache_clear()
    with pytest.raises(SystemExit, match="all have it"), sentences():
        raise UserError("all have it")
    let_the_first_process_report.cache_clear()
    assert exits == left


@pytest.fixture
def killed():
    """The other processes of a run: one that trains, and one that was killed."""
    both = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    both[1].kill()
    lost_process.others[:] = both
    yield both
    lost_process.others.clear()
    both[0].kill()
    for process in both:
        process.communicate()


def test_the_first_process_says_which_one_has_died_and_how_to_continue(killed, tmp_path):
    with pytest.raises(UserError) as error, run_errors(tmp_path, 1), failure_recorded(tmp_path):
        raise RuntimeError("Connection closed by peer [127.0.0.1]:1")
    said = rf"process 3 of 3 \(process id {killed[1].pid}\) of this run ended with signal SIGKILL"
    assert re.search(rf"{said}.* resume={tmp_path}", str(error.value))
    assert re.match(said, RunFolder(tmp_path).status()[1])


def test_a_process_that_dies_while_the_first_one_waits_for_it_ends_the_run_with_a_sentence(
    killed, tmp_path, monkeypatch, capsys
):
    exits: list[int] = []
    monkeypatch.setattr("os._exit", exits.append)
    monkeypatch.setattr(lost_process, "PATIENCE", 0)
    lost_process.end_after_death(RunFolder(tmp_path))
    assert re.search(rf"error: process 3 of 3 .*SIGKILL.* resume={tmp_path}$", capsys.readouterr().err)
    assert exits == [1] and killed[0].wait() == -signal.SIGKILL
    status, reason = RunFolder(tmp_path).status()
    assert status == "failed" and "process 3 of 3" in reason


def test_a_process_that_goes_on_after_a_run_in_which_another_one_died_is_not_ended(killed, tmp_path, monkeypatch):
    died: list[str] = []

    def end_of_the_run(seconds):
        with pytest.raises(UserError, match="process 3 of 3"), run_errors(tmp_path, 1):
            raise RuntimeError("Connection closed by peer [127.0.0.1]:1")

    killed[1].wait()
    monkeypatch.setattr(lost_process.time, "sleep", end_of_the_run)
    monkeypatch.setattr("os._exit", died.append)
    lost_process.end_after_death(RunFolder(tmp_path))
    assert not died and not RunFolder(tmp_path).failure.exists()


def test_ctrl_c_that_ends_another_process_while_the_first_one_waits_for_it_stops_the_run(
    killed, tmp_path, monkeypatch, capsys
):
    exits: list[int] = []
    monkeypatch.setattr("os._exit", exits.append)
    monkeypatch.setattr(lost_process, "PATIENCE", 0)
    ends_so = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)"
    stopped = subprocess.Popen([sys.executable, "-c", ends_so])
    stopped.wait()
    lost_process.others.insert(0, stopped)
    lost_process.end_after_death(RunFolder(tmp_path))
    assert exits == [130] and "Stopped. To continue:" in capsys.readouterr().out
    assert not RunFolder(tmp_path).failure.exists()
