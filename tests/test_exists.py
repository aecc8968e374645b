"""Data of one's own that is not there, or lacks a column that a setting names: told before anything starts."""

import os
from contextlib import nullcontext

import pytest
from omegaconf import OmegaConf
from support.refusals import refusals
from support.tables import write_rows

import proj.data.exists
from proj.config.compose import configure
from proj.data.exists import refuse_absent_columns
from proj.errors import UserError
from proj.sweeps import grid, rehearsal
from proj.system.run_folder import RunFolder

CSV = ("dataset=csv", "data_dir=t.csv")
ROWS = [["a", "b", "y"], *([i % 7, i % 3, "pq"[i % 2]] for i in range(30))]
ABSENT = {
    "no table": (("dataset=csv", "data_dir=none.csv", "dataset.target=y"), "none.csv cannot be read"),
    "no photos": (("dataset=image_folder", "data_dir=none"), "none cannot be read .No such file"),
    "a table without its ending": (("dataset=csv", "data_dir=t", "dataset.target=y"), "t cannot .* mean 't.csv'"),
    "photos that are misspelled": (("dataset=image_folder", "data_dir=emty"), "emty cannot .* mean '.*empty'"),
    "photos without folders": (("dataset=image_folder", "data_dir=empty"), "empty holds no class folders"),
    "no target": (CSV, "dataset.target names no column yet. Options: a, b, y."),
    "another target": ((*CSV, "dataset.target=yy"), "dataset.target=yy is no column of .*t.csv. Did you mean 'y'"),
    "a place beyond": ((*CSV, "dataset.target=3"), "dataset.target=3 is no column"),
    "drop": ((*CSV, "dataset.target=y", "dataset.drop=[a,c]"), "dataset.drop=c is no column"),
    "numeric": ((*CSV, "dataset.target=y", "dataset.numeric=[c]"), "dataset.numeric=c is no column"),
    "text": ((*CSV, "dataset.target=y", "dataset.text=[c]"), "dataset.text=c is no column"),
    "group": ((*CSV, "dataset.target=y", "dataset.group=c"), "dataset.group=c is no column"),
    "order": ((*CSV, "dataset.target=y", "dataset.order=c"), "dataset.order=c is no column"),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder, with a table and an empty folder."""
    write_rows(tmp_path / "t.csv", ROWS)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    proj.data.exists.refuse_absent.cache_clear()
    return tmp_path


SWEPT = {f"{name}, swept": (("-m", "seed=1,2", *ABSENT[name][0]), ABSENT[name][1]) for name in ("no photos", "drop")}


@pytest.mark.parametrize(("words", "sentence"), (ABSENT | SWEPT).values(), ids=ABSENT | SWEPT)
def test_absent_data_is_one_sentence_and_leaves_no_folder(here, mistake, words, sentence):
    before = sorted(os.listdir(here))
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(mistake("proj.train", *words))
    assert [name for name in sorted(os.listdir(here)) if name != "outputs"] == before
    assert not [file for _, _, files in os.walk(here / "outputs") for file in files]


def test_one_job_of_a_sweep_without_its_column_has_none_started(here, mistake):
    words = ("-m", *CSV, "dataset.target=y,z")
    assert "dataset.target=z is no column" in mistake("proj.train", *words)


def test_the_jobs_of_a_sweep_look_for_a_column_once(here, calls_of):
    calls = calls_of(proj.data.exists, "read_table")
    settings = OmegaConf.create({"data_dir": "t.csv", "target": "y", "drop": ["a"]})
    for _ in range(3):
        refuse_absent_columns(settings)
    assert len(calls) == 1


@refusals(("target=z", "dataset.target=z is no column"), ("drop=[z]", "dataset.drop=z is no column"))
def test_of_a_large_file_the_beginning_tells(here, calls_of, words, sentence):
    text = "".join(f'{i},"two\nlines",{"pq"[i % 2]}\n' for i in range(100_000))
    (here / "large.csv").write_text(f"a,b,y\n{text}")
    calls = calls_of(proj.data.exists, "read_table")
    settings = OmegaConf.create({"data_dir": "large.csv", "target": "y", "drop": ["a"]})
    refuse_absent_columns(settings)
    settings.merge_with_dotlist([words])
    with pytest.raises(UserError, match=sentence):
        refuse_absent_columns(settings)
    assert len(calls) == 2


def test_what_takes_long_to_find_out_is_left_to_the_training(here):
    with open(here / "large.csv.gz", "wb") as file:
        file.write(b"\x1f\x8b" + os.urandom(1_000_001))
    (here / "headless.csv").write_text("a,b,y\n" * 200_000)
    for name, target in (("large.csv.gz", "z"), ("headless.csv", 7)):
        refuse_absent_columns(OmegaConf.create({"data_dir": name, "target": target}))


@pytest.mark.parametrize(("launcher", "is_asked"), (("basic_launcher.BasicLauncher", True), ("x.SlurmLauncher", False)))
def test_the_data_of_jobs_on_other_machines_may_be_on_their_disks_alone(monkeypatch, launcher, is_asked):
    dataset = {"_target_": "proj.data.CSVDataModule", "data_dir": "none.csv", "target": "y"}
    hydra = {"launcher": {"_target_": launcher}, "overrides": {"task": []}}
    config = OmegaConf.create({"hydra": hydra, "dataset": dataset})
    monkeypatch.setattr(grid, "check", lambda config: None)
    monkeypatch.setattr(rehearsal, "rehearse", lambda jobs: None)
    sweeper = grid.GridSweeper()
    sweeper.config = config
    monkeypatch.setattr(sweeper, "compose", lambda own: config)
    with pytest.raises(UserError, match="cannot be read") if is_asked else nullcontext():
        sweeper.compose_all([[]])


def test_a_tilde_is_the_home_folder_in_a_file_of_options_and_in_the_variable_too(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    (here / "photos/cat").mkdir(parents=True)
    (here / "own/dataset").mkdir(parents=True)
    (here / "own/dataset/mine.yaml").write_text("defaults: [csv]\ndata_dir: ~/t.csv\ntarget: y\n")
    for variable, words, place in (
        ("~/nowhere", ["dataset=mine"], "t.csv"),
        ("~/t.csv", ["dataset=csv", "dataset.target=y"], "t.csv"),
        ("~/photos", ["dataset=image_folder"], "photos"),
    ):
        monkeypatch.setenv("PROJ_DATA_DIR", variable)
        assert configure(*words, config_dir="~/own").dataset.data_dir == str(here / place)


def test_a_run_with_a_checkpoint_may_be_finished_though_its_data_is_gone(here, mistake):
    words = ("proj.train", *CSV, "dataset.target=y", "hydra.run.dir=run")
    os.remove("t.csv")
    assert "t.csv cannot be read" in mistake(*words) and not os.path.exists("run")
    RunFolder(here / "run").last.parent.mkdir()
    RunFolder(here / "run").last.write_bytes(b"")
    assert "run/last.ckpt is truncated or is not a checkpoint" in mistake(*words)  # the training has looked at it
