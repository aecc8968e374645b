"""Sweeps and runs on a real Slurm of one node."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.classes import ENV, slow
from support.processes import PATIENCE, run, start, wait_for
from support.runs import assert_one_set_of_files, curves
from support.slurm import missing, slurm

from proj.checkpoint.file import load_checkpoint
from proj.training.study import open_study

pytest.importorskip("submitit", reason="not installed: pip install 'proj[slurm]'")
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=str(missing()))]

WORDS = ["trainer.accelerator=cpu", "~callbacks.progress", "~callbacks.dashboard", "save_every=0.5"]
LAUNCHER = ["hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=2", "hydra.launcher.timeout_min=10"]
SEARCH = ["hydra/sweeper=optuna", "hydra.sweeper.n_jobs=2"]
SWEEP = "outputs/sweeps/s"
AGAIN = ["proj.sweep", f"resume={SWEEP}", "trust=support"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment in which commands reach it."""
    with slurm(tmp_path_factory.mktemp("slurm")) as env:
        yield {**ENV, **env, "PYTHONPATH": ENV["PYTHONPATH"]}


def sh(command: str, env: dict, cwd: Path) -> str:
    return subprocess.run(command, shell=True, env=env, cwd=cwd, capture_output=True, text=True, check=True).stdout


def assert_every_step_once(folder: Path) -> None:
    steps = [step for step, _ in curves(folder)["val/acc"]]
    assert steps == sorted(set(steps)) and len(steps) == json.loads((folder / "metrics.json").read_text())["epochs"]


def test_a_sweep_loses_one_killed_job_and_its_resume_and_a_job_out_of_time_go_on_and_so_do_more_seeds(
    cluster, tmp_path
):
    words = [*WORDS, *LAUNCHER, *slow(0.05), "trainer.max_epochs=15", "seed=1,2", "sweep_name=s"]
    process = start(tmp_path, "proj.train", "-m", *words, streams=[tmp_path / "out", tmp_path / "err"], env=cluster)
    sweep = tmp_path / SWEEP
    killed, late, _ = jobs = [sweep / f"{number}_seed={number + 1}" for number in range(3)]
    wait_for(lambda: (killed / "last.ckpt").exists(), process)
    os.kill(int((killed / ".lock").read_text().split()[1]), signal.SIGKILL)
    wait_for(lambda: (late / "last.ckpt").exists(), process)
    number = next((sweep / ".submitit").glob("*_1")).name
    sh(f"scancel --signal=USR2 {number}", cluster, tmp_path)  # as Slurm does before a job's time is over
    process.join(PATIENCE)
    assert process.exitcode == 1
    lost = "1 of 2 jobs has no result:\n    0_seed=1: interrupted\nTo continue the sweep: python -m proj.sweep"
    assert lost in (tmp_path / "err").read_text()
    assert "Restarts=1" in sh(f"scontrol show job {number}", cluster, tmp_path)
    process = run(tmp_path, *AGAIN, "seeds=+1", env=cluster)
    assert process.returncode == 0 and "3 runs (finished)" in process.stdout, process.stderr
    tasks = {file.name.split("_")[0] for file in (sweep / ".submitit").glob("[0-9]*")}
    assert len(tasks) == 3  # those of the sweep are an array; then come what it lost, and the new seed
    for job in jobs:
        assert_every_step_once(job)


def test_two_tasks_train_each_trial_of_a_search_in_one_folder(cluster, command, tmp_path):
    words = [*WORDS, *LAUNCHER, "hydra.launcher.tasks_per_node=2", "trainer.max_epochs=1", "sweep_name=s"]
    words += ["optimizer.lr=interval(0.01,0.1)", *SEARCH, "hydra.sweeper.n_trials=2"]
    process = command("-m", "proj.train", "-m", *words, env=cluster, fresh=True)  # its module is __main__, and pickled
    assert process.returncode == 0 and "\n2/2  lr=0.0" in process.stdout, process.stderr
    for folder in tmp_path.glob(f"{SWEEP}/?_*"):
        assert load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["processes"] == 2
        assert_one_set_of_files(folder)
        assert (folder / "train.log").read_text().count("test accuracy") == 1
    assert [trial.state.name for trial in open_study(tmp_path / SWEEP).trials] == ["COMPLETE"] * 2


def test_a_run_of_two_tasks_that_gives_way_to_an_urgent_job_goes_on_in_its_folder(cluster, tmp_path):
    train = [sys.executable, "-m", "proj.train", *WORDS, *slow(0.05), "trainer.max_epochs=15"]
    words = " ".join(f"'{word}'" for word in train)
    script = f'sbatch --parsable --ntasks-per-node=2 --mem=2G --open-mode=append -o said --wrap "srun {words}"'
    number = sh(script, cluster, tmp_path).strip()
    folder = tmp_path / "outputs" / "iris" / "iris" / f"slurm-{number}"
    wait_for(lambda: (folder / "last.ckpt").exists())
    sh("sbatch --partition=urgent -n 2 --mem=1G -o urgent --wrap 'sleep 1'", cluster, tmp_path)
    wait_for(lambda: "Restarts=1" in sh(f"scontrol show job {number}", cluster, tmp_path), pause=1)
    assert not (folder / "metrics.json").exists()
    wait_for(lambda: (folder / "metrics.json").exists())
    assert_one_set_of_files(folder, lives=2)
    assert_every_step_once(folder)
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_a_search_goes_on_without_the_command_that_began_it_and_a_dead_workers_trial_is_taken_by_the_other(
    cluster, tmp_path
):
    words = [*WORDS, *LAUNCHER, *slow(0.05), "trainer.max_epochs=8", "sweep_name=s", "optimizer.lr=interval(0.01,0.1)"]
    process = start(tmp_path, "proj.train", "-m", *words, *SEARCH, "hydra.sweeper.n_trials=4", env=cluster)
    sweep = tmp_path / SWEEP
    (first,) = wait_for(lambda: [file.parent for file in sweep.glob("0_*/last.ckpt")], process)
    process.kill()
    process.join()
    os.kill(int((first / ".lock").read_text().split()[1]), signal.SIGKILL)
    wait_for(lambda: len(list(sweep.glob("*/metrics.json"))) == 4)
    process = run(tmp_path, *AGAIN, env=cluster)
    assert process.returncode == 0 and "4 runs (finished)" in process.stdout, process.stderr
    assert [trial.state.name for trial in open_study(sweep).trials] == ["COMPLETE"] * 4
    for folder in sweep.glob("?_*"):
        assert_every_step_once(folder)
