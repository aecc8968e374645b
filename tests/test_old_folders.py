"""What an earlier version left behind still opens, goes on and is reported.

`old_runs.tar.xz` was made by commit d4ccb87, whose modules lay elsewhere, in the folder /tmp/proj: six runs (one was
killed within its second epoch), a grid and a search that were killed within their last job, and a folder that a run
left which was killed before it had read its data.
"""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from support import processes
from support.evaluations import evaluate

from proj.checkpoint import load_model
from proj.reports.compare import compare
from proj.reports.runs import find_runs, read_run
from proj.system.run_folder import RunFolder
from proj.training.pruning import open_study
from proj.use.prediction import predict

TRAINED = ("iris_finished", "iris_extendable", "digits_cnn", "csv", "photos")


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    """The old folders, in the working folder."""
    with tarfile.open(Path(__file__).with_name("old_runs.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return Path("outputs")


def succeeds(command, *words: str) -> str:
    """What a command says that ends well."""
    process = command("-m", *words)
    assert process.returncode == 0, process.stderr
    return process.stdout


def statuses(folder: Path) -> dict[str, str]:
    return {run.folder.name: run.status for run in find_runs([folder])}


@pytest.mark.parametrize("name", TRAINED)
def test_an_old_checkpoint_measures_what_it_measured_then(outputs, name):
    run = RunFolder(outputs / name)
    before, now = run.read_metrics(), evaluate(run.best)
    assert now["acc"] == pytest.approx(before["test/acc"])
    assert now["loss"] == pytest.approx(before["test/loss"], rel=1e-4)
    assert list(now["acc_per_class"]) == list(before["test/acc_per_class"])


def test_old_checkpoints_predict_rows_and_pictures(outputs):
    predict(RunFolder(outputs / "csv").best, input="table.csv", output="rows.csv")
    predict(RunFolder(outputs / "photos").best, input="photos", output="photos.csv")
    assert len(Path("rows.csv").read_text().splitlines()) == 61
    assert len(Path("photos.csv").read_text().splitlines()) == 25


def test_an_old_checkpoint_names_classes_where_they_are_now(outputs):
    for file in sorted(outputs.rglob("*.ckpt")):
        model, known = load_model(file)
        assert type(model).__module__.startswith("proj.models") and known["config"]["trainer"]["max_epochs"]


def test_an_old_run_that_was_killed_goes_on(outputs, command):
    run = RunFolder(outputs / "iris_killed")
    assert run.status() == ("interrupted", "")
    succeeds(command, "proj.train", f"resume={run.path}")
    assert run.read_metrics()["epochs"] == 3
    assert [epoch for epoch, _ in read_run(run.path).curves["val/acc"]] == [1, 2, 3]


def test_an_old_run_that_is_finished_is_not_trained_again_and_one_without_a_schedule_can_be(outputs, command):
    assert "This run is finished" in succeeds(command, "proj.train", f"resume={outputs / 'iris_finished'}")
    run = RunFolder(outputs / "iris_extendable")
    succeeds(command, "proj.train", f"resume={run.path}", "trainer.max_epochs=3")
    assert run.read_metrics()["epochs"] == 3
    assert json.loads((run.path / "metrics_2_epochs.json").read_text())["epochs"] == 2


def test_old_runs_of_every_state_are_reported(outputs, command):
    expected = dict.fromkeys(TRAINED, "finished") | {"iris_killed": "interrupted", "started": "started"}
    expected |= {"0_seed=0": "finished", "1_seed=1": "interrupted"}
    assert {name: status for name, status in statuses(outputs).items() if "lr=" not in name} == expected
    rows = compare(find_runs([outputs / "sweeps/grid"]))["rows"]
    assert [row["status"] for row in rows] == [{"finished": 1, "interrupted": 1}]
    assert "12 runs" in succeeds(command, "proj.report", "outputs")


RESUME = "proj.sweep resume=outputs/sweeps/grid"
ITS_COMMAND = "proj.train -m sweep_name=grid seed=0,1 trainer.max_epochs=2 save_every=0"


@pytest.mark.parametrize("words", [RESUME, f"{RESUME} log=full", ITS_COMMAND])
def test_an_old_grid_goes_on(outputs, command, words):
    before = (outputs / "sweeps/grid/0_seed=0/metrics.json").stat().st_mtime_ns
    said = succeeds(command, *words.split())
    assert "2 runs (finished)" in said and ("2/2  seed=1  val/acc 0." in said) == ("log=full" not in words)
    assert statuses(outputs / "sweeps/grid") == {"0_seed=0": "finished", "1_seed=1": "finished"}
    assert (outputs / "sweeps/grid/0_seed=0/metrics.json").stat().st_mtime_ns == before


def test_an_old_grid_goes_on_from_another_folder_with_the_data_that_it_began_with_and_a_job_whose_folder_is_gone(
    outputs, tmp_path
):
    folder = outputs / "sweeps/grid"
    shutil.rmtree(folder / "0_seed=0")
    (tmp_path / "other").mkdir()
    process = processes.run(tmp_path / "other", "proj.sweep", "resume=../outputs/sweeps/grid")
    assert process.returncode == 0 and "2 runs (finished)" in process.stdout, process.stderr
    configs = [yaml.safe_load((folder / name / "config.yaml").read_text()) for name in ("0_seed=0", "1_seed=1")]
    assert {config["data_dir"] for config in configs} == {"/tmp/proj/data"}


def test_an_old_search_goes_on_with_the_trial_that_it_was_in(outputs, command):
    folder = outputs / "sweeps/search"
    before, names = [trial.params for trial in open_study(folder).trials], set(statuses(folder))
    assert len(names) == 3
    succeeds(command, "proj.sweep", f"resume={folder}", "hydra.sweeper.n_trials=4")
    trials = open_study(folder).trials
    for trial, old in zip(trials, before, strict=False):
        assert trial.params == pytest.approx(old, rel=1e-3)  # of the trial it was in as it is trained, rounded
    assert len(trials) == 4
    assert all(trial.state.is_finished() for trial in trials) and names < set(statuses(folder))
    configs = [yaml.safe_load(RunFolder(folder / name).config.read_text()) for name in statuses(folder)]
    known = sorted(float(f"{trial.params['optimizer.lr']:.4g}") for trial in trials)
    assert sorted(config["optimizer"]["lr"] for config in configs) == pytest.approx(known)
