"""Sweeps and runs on a real Slurm of one node."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.classes import ENV, slow
from support.processes import PATIENCE, wait_for
from support.runs import assert_one_set_of_files, curves
from support.slurm import missing, slurm

from proj.checkpoint.file import load_checkpoint
from proj.training.study import open_study

pytest.importorskip("submitit", reason="not installed: pip install 'proj[slurm]'")
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=str(missing()))]

TRAIN = [sys.executable, "-m", "proj.train"]
WORDS = ["trainer.accelerator=cpu", "~callbacks.progress", "save_every=0.5"]
LAUNCHER = ["hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=2", "hydra.launcher.timeout_min=10"]


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


def test_a_sweep_loses_one_killed_job_and_its_resume_and_a_job_out_of_time_go_on(cluster, tmp_path):
    words = [*TRAIN, "-m", *WORDS, *LAUNCHER, *slow(0.05), "trainer.max_epochs=15", "seed=1,2,3", "sweep_name=s"]
    with open(tmp_path / "output", "w") as output:
        process = subprocess.Popen(words, env=cluster, cwd=tmp_path, stdout=output, stderr=output)
    sweep = tmp_path / "outputs" / "sweeps" / "s"
    killed, late, _ = jobs = [sweep / f"{number}_seed={number + 1}" for number in range(3)]
    wait_for(lambda: (killed / "last.ckpt").exists(), process)
    os.kill(int((killed / ".lock").read_text().split()[1]), signal.SIGKILL)
    wait_for(lambda: (late / "last.ckpt").exists(), process)
    number = next((sweep / ".submitit").glob("*_1")).name
    sh(f"scancel --signal=USR2 {number}", cluster, tmp_path)  # as Slurm does before a job's time is over
    assert process.wait(PATIENCE) == 1
    output = (tmp_path / "output").read_text()
    assert (
        "1 of 3 jobs has no result:\n    0_seed=1: interrupted\nTo continue the sweep: python -m proj.sweep" in output
    )
    assert "Restarts=1" in sh(f"scontrol show job {number}", cluster, tmp_path)
    words = [sys.executable, "-m", "proj.sweep", "resume=outputs/sweeps/s", "trust=support"]
    subprocess.run(words, env=cluster, cwd=tmp_path, check=True, timeout=PATIENCE)
    for job in jobs:
        assert_every_step_once(job)


def test_two_tasks_train_a_job_of_a_sweep_in_one_folder(cluster, tmp_path):
    words = [*TRAIN, "-m", *WORDS, *LAUNCHER, "hydra.launcher.tasks_per_node=2", "trainer.max_epochs=2", "sweep_name=s"]
    process = subprocess.run([*words, "seed=1"], env=cluster, cwd=tmp_path, stdout=subprocess.PIPE, timeout=PATIENCE)
    assert process.returncode == 0 and b"\n1/1    val/acc 0." in process.stdout
    (folder,) = tmp_path.glob("outputs/sweeps/s/0*")
    assert load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["processes"] == 2
    assert_one_set_of_files(folder)
    assert (folder / "train.log").read_text().count("test accuracy") == 1


def test_two_tasks_train_each_trial_of_a_search(cluster, tmp_path):
    words = [*TRAIN, "-m", *WORDS, *LAUNCHER, "hydra.launcher.tasks_per_node=2", "trainer.max_epochs=1", "sweep_name=s"]
    words += ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2"]
    process = subprocess.run(
        [*words, "optimizer.lr=interval(0.01,0.1)"], env=cluster, cwd=tmp_path, stdout=subprocess.PIPE, timeout=PATIENCE
    )
    assert process.returncode == 0 and b"\n3/3  lr=0.0" in process.stdout
    for folder in tmp_path.glob("outputs/sweeps/s/?_*"):
        assert load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["processes"] == 2
        assert_one_set_of_files(folder)
    assert [trial.state.name for trial in open_study(tmp_path / "outputs/sweeps/s").trials] == ["COMPLETE"] * 3


def test_a_run_of_two_tasks_that_gives_way_to_an_urgent_job_goes_on_in_its_folder(cluster, tmp_path):
    words = " ".join(f"'{word}'" for word in [*TRAIN, *WORDS, *slow(0.05), "trainer.max_epochs=15"])
    script = f'sbatch --parsable --ntasks-per-node=2 --mem=2G --open-mode=append -o said --wrap "srun {words}"'
    number = sh(script, cluster, tmp_path).strip()
    folder = tmp_path / "outputs" / "iris" / "iris" / f"slurm-{number}"
    wait_for(lambda: (folder / "last.ckpt").exists())
    sh("sbatch --partition=urgent -n 2 --mem=1G -o urgent --wrap 'sleep 1'", cluster, tmp_path)
    wait_for(lambda: "Restarts=1" in sh(f"scontrol show job {number}", cluster, tmp_path))
    assert not (folder / "metrics.json").exists()
    wait_for(lambda: (folder / "metrics.json").exists())
    assert_one_set_of_files(folder, lives=2)
    assert_every_step_once(folder)
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_a_search_goes_on_without_the_command_that_began_it_and_a_dead_workers_trial_is_taken_by_the_other(
    cluster, tmp_path
):
    words = [*WORDS, *LAUNCHER, *slow(0.05), "trainer.max_epochs=8", "sweep_name=s", "optimizer.lr=interval(0.01,0.1)"]
    words += ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"]
    process = subprocess.Popen([*TRAIN, "-m", *words], env=cluster, cwd=tmp_path, stdout=subprocess.DEVNULL)
    sweep = tmp_path / "outputs" / "sweeps" / "s"
    (first,) = wait_for(lambda: [file.parent for file in sweep.glob("0_*/last.ckpt")], process)
    process.kill()
    process.wait()
    os.kill(int((first / ".lock").read_text().split()[1]), signal.SIGKILL)
    wait_for(lambda: len(list(sweep.glob("*/metrics.json"))) == 4)
    words = [sys.executable, "-m", "proj.sweep", "resume=outputs/sweeps/s", "trust=support"]
    process = subprocess.run(words, env=cluster, cwd=tmp_path, stdout=subprocess.PIPE, timeout=PATIENCE)
    assert process.returncode == 0 and b"4 runs (finished)" in process.stdout
    assert [trial.state.name for trial in open_study(sweep).trials] == ["COMPLETE"] * 4
    for folder in sweep.glob("*_*"):
        assert_every_step_once(folder)


def test_more_seeds_train_on_slurm_too(cluster, tmp_path):
    words = [*TRAIN, "-m", *WORDS, *LAUNCHER, "trainer.max_epochs=1", "optimizer.lr=0.01,0.011", "seed=1"]
    subprocess.run([*words, "sweep_name=s"], env=cluster, cwd=tmp_path, check=True, timeout=PATIENCE)
    words = [sys.executable, "-m", "proj.sweep", "resume=outputs/sweeps/s", "seeds=+1"]
    process = subprocess.run(words, env=cluster, cwd=tmp_path, stdout=subprocess.PIPE, timeout=PATIENCE)
    assert process.returncode == 0 and b"4 runs (finished)" in process.stdout
    sweep = tmp_path / "outputs" / "sweeps" / "s"
    tasks = {file.name.split("_")[0] for file in (sweep / ".submitit").glob("*_*") if file.is_dir()}
    assert len(list(sweep.glob("*_*seed=2/metrics.json"))) == 2 and len(tasks) == 2  # an array of jobs for each command
