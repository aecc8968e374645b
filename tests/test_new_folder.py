"""A new run or sweep in a folder that is another's. No test here trains."""

import os
import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from support import processes
from support.sweeps import GRID, finish_at_once, refused

from proj.config.check import Check
from proj.config.compose import configure
from proj.config.new_folder import make_folder
from proj.errors import UserError
from proj.system.folders import runs_near

SWEEP = "outputs/sweeps/s"


@pytest.mark.parametrize(
    ("folder", "goes_on"),
    [
        (SWEEP, f"proj.sweep resume={SWEEP}"),
        (f"{SWEEP}/0_seed=1", f"proj.train resume={SWEEP}/0_seed=1"),
        (f"{SWEEP}/1_seed=2", f"proj.sweep resume={SWEEP}"),  # a job that has not begun
        (f"{SWEEP}/mine", f"proj.sweep resume={SWEEP}"),
    ],
)
def test_a_run_is_refused_where_it_would_pass_for_a_job_of_a_sweep(
    ended_sweep, tmp_path, mistake, monkeypatch, folder, goes_on
):
    ended_sweep(*GRID)
    for file in (tmp_path / SWEEP / "1_seed=2").iterdir():
        if file.name != "job.yaml":
            file.unlink()
    monkeypatch.chdir(tmp_path)
    said = mistake("proj.train", f"hydra.run.dir={folder}")
    assert said.startswith(f"error: {folder} is a sweep's folder or within one") and said.endswith(goes_on)
    with pytest.raises(UserError, match="would be taken for one of its jobs"):
        configure(f"hydra.run.dir={folder}")
    process = processes.run(tmp_path, *shlex.split(goes_on), before=finish_at_once)
    assert process.returncode == 0, process.stderr


def test_a_folder_that_is_named_by_one_beside_it_is_made_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = OmegaConf.create({"dir": "a/../b"})
    Check().name_folder(where)
    make_folder(Path(where.dir))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_job_that_has_not_begun_is_told_of_its_sweep(tmp_path, mistake, monkeypatch):
    (tmp_path / "s/0_seed=1").mkdir(parents=True)
    (tmp_path / "s/0_seed=1/job.yaml").write_text("seed: 1\n")
    monkeypatch.chdir(tmp_path)
    assert mistake("proj.train", "resume=s/0_seed=1").endswith("resume its sweep, python -m proj.sweep resume=s")


def test_a_sweep_is_refused_in_the_folder_of_a_run_which_could_then_not_go_on(ended_sweep, tmp_path):
    ended_sweep(*GRID)
    job = f"{SWEEP}/0_seed=1"
    said = refused(tmp_path, f"hydra.sweep.dir={job}", "seed=1,2")
    assert f"{job} is the folder of a run: choose another" in said
    assert not (tmp_path / job / "sweep.yaml").exists()


def test_who_names_a_sweep_where_a_run_belongs_is_told_of_its_runs_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("s9/0_dataset=iris,seed=1", "s9/1_dataset=iris,seed=2", "b3"):
        Path(name).mkdir(parents=True)
        Path(name, "best.ckpt").touch()
    said = runs_near("run", Path("s9"), Path("s9/best.ckpt"))
    assert said == " Options: run=s9/0_dataset=iris,seed=1, run=s9/1_dataset=iris,seed=2."
    assert "Did you mean 'run=b3'?" in runs_near("run", Path("b4"), Path("b4/best.ckpt"))
    for number in range(12):  # newer ones
        Path(f"later{number}").mkdir()
        Path(f"later{number}", "best.ckpt").touch()
        os.utime(f"later{number}/best.ckpt", times=(2e9 + number,) * 2)
    said = runs_near("run", Path("b4"), Path("b4/best.ckpt"))
    newest = ", ".join(f"run=later{number}" for number in (10, 11, *range(3, 10)))
    assert said == f" Did you mean 'run=b3'? Options: run=b3, {newest}."
