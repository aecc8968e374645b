"""Runs that log into a table, to MLflow and to Weights & Biases, offline, with the real libraries."""

import importlib
import itertools
import json
import multiprocessing
import os
import signal
import struct
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from omegaconf import OmegaConf
from support import processes
from support.runs import TWO, break_off, differences, events, outcome, run_two
from support.sweeps import QUICK
from support.tables import read_rows
from support.workers import fork_workers

import proj
from proj.config.allowed_classes import needs_trust, trust_option
from proj.config.stored_run import stored_config
from proj.errors import UserError
from proj.models import Classifier
from proj.reports.runs import find_runs, read_run
from proj.system.run_folder import RunFolder
from proj.training.loggers import build_loggers
from proj.training.results import failure_recorded
from proj.training.run import train
from proj.training.services import Service

there = all(map(find_spec, ("mlflow", "wandb")))  # to import them takes seconds
pytestmark = pytest.mark.skipif(not there, reason="pip install 'proj[mlflow,wandb]' brings what is tested here")
IRIS = ["dataset=iris", "trainer.max_epochs=2", "save_every=0", "seed=2", "trainer.precision=32-true"]


@pytest.fixture(autouse=True, scope="module")
def offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "WANDB_SILENT", "WANDB_DISABLE_GIT"):
            patch.setenv(name, "true")
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        for name in ("mlflow.store.tracking.sqlalchemy_store", "wandb.sdk.launch"):  # what their first run imports
            importlib.import_module(name)  # once: commands are forks of this process
        yield


def table(folder: Path) -> list[dict[str, str]]:
    """metrics.csv, without the speed, which is another in every run."""
    rows = read_rows(folder / "metrics.csv")
    return [{name: cell for name, cell in row.items() if not name.endswith("per_second")} for row in rows]


def curves_of(rows) -> dict[str, list[tuple[int, float]]]:
    """tag -> [(step, value), …] of (values, step)."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for values, step in rows:
        for tag, value in values.items():
            if value != "" and not tag.endswith("per_second"):
                curves.setdefault(tag, []).append((int(step), float(value)))
    return curves


def open_database(file: Path):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{file}")


def curves_in(client, run) -> dict[str, list[tuple[int, float]]]:
    """The curves that MLflow has of a run."""
    points = {tag: client.get_metric_history(run.info.run_id, tag) for tag in run.data.metrics}
    found = curves_of(({tag: point.value}, point.step) for tag, each in points.items() for point in each)
    return {tag: sorted(points) for tag, points in found.items()}


def records(file: Path):
    """What is in a file of Weights & Biases: a log of LevelDB's after 7 bytes, in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 2**15 - at % 2**15 < 7:  # no room for a header: zeros
            at += 2**15 - at % 2**15
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # all of it, or its last part
            yield Record.FromString(whole)
            whole = b""


def command(folder: Path, module: str, *words: str, before=None) -> int:
    """The exit code of `python -m <module> <words>`, in a fork of this process, which has the libraries."""
    streams = [folder / "out.txt", folder / "err.txt"]
    arguments = (module, list(words), folder, streams, dict(os.environ), before)
    process = multiprocessing.get_context("fork").Process(target=processes.child, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def die_in_the_second_job() -> None:
    real, calls = Classifier.training_step, []

    def training_step(self, *args):
        calls.append(1)
        if len(calls) == 40:  # of 24 in each job
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *args)

    Classifier.training_step = training_step


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nobody stops, with TensorBoard and a table."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(proj.configure(*IRIS, f"hydra.run.dir={folder}", "~callbacks.progress", "logger=[tensorboard,csv]"))
    return folder


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A folder with a sweep of two jobs that was killed in the second one and has gone on."""
    folder = tmp_path_factory.mktemp("swept")
    words = ["-m", *IRIS[:3], *IRIS[4:], "sweep_name=s", "seed=1,2", "logger=[mlflow,wandb]", *QUICK]
    assert command(folder, "proj.train", *words, before=die_in_the_second_job) == -signal.SIGKILL
    killed = folder / "outputs/sweeps/s/1_seed=2"
    assert (killed / "last.ckpt").is_file() and (killed / "loggers.json").is_file()
    assert command(folder, "proj.sweep", "resume=outputs/sweeps/s") == 0, (folder / "err.txt").read_text()
    return folder


NAMES = ["0_seed=1", "1_seed=2"]


@pytest.mark.slow
def test_in_mlflow_a_sweep_is_an_experiment_with_a_run_for_each_job(swept, whole):
    client = open_database(swept / "outputs/mlflow.db")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    runs = client.search_runs([experiment.experiment_id], order_by=["tags.mlflow.runName"])
    assert experiment.name == "s" and [run.info.run_name for run in runs] == NAMES
    assert [run.data.params["seed"] for run in runs] == ["1", "2"]
    assert runs[0].data.params["optimizer.lr"] == "0.03" and {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        found = curves_in(client, run)
        assert all(len({step for step, _ in points}) == len(points) for points in found.values())
        if run.info.run_name == NAMES[1]:
            assert found == curves_of((row, row.pop("step")) for row in table(whole))


@pytest.mark.slow
def test_in_weights_and_biases_a_sweep_is_a_group_with_a_run_for_each_job(swept, whole):
    files = sorted(swept.glob("outputs/sweeps/s/*/wandb/offline-run-*/run-*.wandb"))
    assert [file.parts[-4] for file in files] == NAMES
    for file in files:
        found = list(records(file))
        (run,) = [record.run for record in found if record.HasField("run")][-1:]
        assert (run.project, run.run_group, run.display_name) == ("proj", "s", file.parts[-4])
        config = [update for record in found for one in (record.run.config, record.config) for update in one.update]
        seeds = [json.loads(one.value_json) for one in config if "seed" in (one.key, *one.nested_key)]
        assert seeds and set(seeds) == {int(file.parts[-4][-1])}
        rows = []
        for record in (record for record in found if record.HasField("history")):
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            step = row.pop("trainer/global_step")
            rows.append(({name: value for name, value in row.items() if name[0] != "_"}, step))
        if file.parts[-4] == NAMES[1]:
            assert curves_of(rows) == curves_of((row, row.pop("step")) for row in table(whole))


@pytest.mark.slow
def test_a_sweep_that_logs_to_services_alone_is_reported_with_its_curves(swept):
    runs = find_runs([swept / "outputs"])
    assert len(runs) == 2 and all(len(run.curves["val/acc"]) == 2 for run in runs)


def test_curves_of_a_table_are_those_of_tensorboard(whole):
    """Beside it, the table gets the test's figures too."""
    run = RunFolder(whole)
    from_events = read_run(whole).curves
    for file in run.curves():
        file.rename(whole / f"away {file.name}")
    try:
        assert from_events == read_run(whole).curves
    finally:
        for file in whole.glob("away *"):
            file.rename(whole / file.name.removeprefix("away "))
    assert {"test/acc", "val/loss", "lr"} <= table(whole)[-1].keys() and events(whole).Tags()["images"]


def test_a_table_is_cut_back_to_the_checkpoint(configure, monkeypatch, tmp_path, whole):
    words = [*IRIS, "logger=csv"]
    break_off(monkeypatch, configure(*words), 1, 4)
    stopped = tmp_path / "run"
    with open(stopped / "metrics.csv", "a") as file:  # rows that are newer than the checkpoint, and half of one
        file.write("9,9,9,9,9,9,9,9,\n9,9,9")
    metrics = train(configure(*words))
    assert table(stopped) == table(whole)
    figures = json.loads((whole / "metrics.json").read_text())
    same = [key for key in figures if "second" not in key and key not in ("folder", "checkpoint")]
    assert {key: metrics[key] for key in same} == {key: figures[key] for key in same}
    assert not list(stopped.glob("events*"))


def test_a_table_has_the_learning_rate_as_it_was_typed(configure, tmp_path):
    train(configure(*IRIS, "logger=csv", "scheduler=none", "optimizer.lr=0.001"))
    assert {row["lr"] for row in read_rows(tmp_path / "run/metrics.csv")} - {""} == {"0.001"}


def test_a_run_without_loggers_has_the_same_figures(configure, tmp_path, whole, capsys):
    metrics = train(configure(*IRIS, "logger=none", "callbacks.dashboard.histograms=true"))
    figures = json.loads((whole / "metrics.json").read_text())
    assert all(metrics[key] == figures[key] for key in ("val/acc", "val/loss", "test/acc"))
    left = {file.name for file in (tmp_path / "run").iterdir()}
    assert left == {".lock", "best.ckpt", "last.ckpt", "previous.ckpt", "config.yaml", "metrics.json", "run.json"}
    assert "tensorboard" not in capsys.readouterr().out and read_run(tmp_path / "run").curves == {}


@pytest.fixture
def stored(whole, tmp_path) -> Path:
    """A folder with the configuration of a run that logs to an address."""
    config = yaml.safe_load((whole / "config.yaml").read_text())
    config["logger"]["mlflow"] = {"_target_": "proj.training.services.MLflow", "experiment_name": "mine"}
    config["logger"]["mlflow"]["tracking_uri"] = "http://elsewhere:5000"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_a_file_sends_nothing_to_an_address_that_the_command_does_not_name(stored):
    with pytest.raises(UserError, match=r"elsewhere:5000\): if that is intended, add trust=logger.mlflow.tracking_uri"):
        stored_config(stored, ["save_every=3"])
    cfg = stored_config(stored, [], ["logger.mlflow.tracking_uri"])
    stopped = trust_option(needs_trust(OmegaConf.to_container(cfg)))  # in the command that a stopped run prints
    assert stopped == " trust=logger.mlflow.tracking_uri"
    here = stored_config(stored, ["logger.mlflow.tracking_uri=http://here"])
    assert here.logger.mlflow.tracking_uri == "http://here"


def test_a_run_goes_on_with_fewer_or_more_loggers(stored):
    assert list(stored_config(stored, ["~logger.mlflow"]).logger) == ["csv", "tensorboard"]
    assert stored_config(stored, ["~logger.mlflow", "logger=wandb"]).logger.wandb.project is None


@pytest.mark.parametrize("name", ("mlflow", "wandb"))
def test_a_missing_library_is_named_before_anything_is_made(configure, monkeypatch, tmp_path, name):
    monkeypatch.setattr(proj.config.check_values, "find_spec", lambda library: None)
    with pytest.raises(UserError, match=rf"logger={name} needs .*: pip install 'proj\[{name}\]'$"):
        configure(f"logger=[csv,{name}]")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def runs_in_mlflow(whole, monkeypatch):
    """The runs that MLflow has of single runs on Iris, each with its curves."""
    file = whole.with_name("mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")

    def found() -> list[dict]:
        client = open_database(file)
        experiment = client.get_experiment_by_name("iris")
        runs = client.search_runs([experiment.experiment_id]) if experiment else []
        return [curves_in(client, run) for run in runs]

    return found


def test_a_service_that_is_away_for_a_while_gets_all_in_the_end(configure, monkeypatch, whole, runs_in_mlflow, capsys):
    """A row that it has taken, though it did not say so, is not sent twice."""
    from mlflow import MlflowClient

    real, calls = MlflowClient.log_batch, []

    def log_batch(self, run_id, metrics=(), **rest):
        calls.append(bool(metrics))
        if metrics and sum(calls) == 3:
            real(self, run_id, metrics, **rest)
        if metrics and 3 <= sum(calls) <= 6:
            raise ConnectionError("refused\nby the peer")
        return real(self, run_id, metrics, **rest)

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    monkeypatch.setattr(time, "monotonic", itertools.count(0, 60).__next__)
    before = runs_in_mlflow()
    train(configure(*IRIS[:2], *IRIS[3:], "logger=mlflow", "~callbacks.dashboard"))
    said = capsys.readouterr().out
    assert said.count("MLflow does not take what the run logs (ConnectionError: refused by the peer): the run") == 1
    (run,) = [run for run in runs_in_mlflow() if run not in before]
    assert run == curves_of((row, row.pop("step")) for row in table(whole))


class Away(Service):
    title, name, version = "Away", "away", 0

    def log_hyperparams(self, *params, **more) -> None: ...

    def send(self) -> None:
        raise TimeoutError


def test_an_error_without_a_text_is_named_once(tmp_path, capsys):
    Away().finalize("finished")
    assert "Away does not take what the run logs (TimeoutError): the run continues" in capsys.readouterr().out
    with pytest.raises(AssertionError), failure_recorded(tmp_path):
        raise AssertionError
    assert RunFolder(tmp_path).status() == ("failed", "AssertionError")


def test_a_run_that_was_killed_before_its_first_checkpoint_is_one_run(configure, monkeypatch, runs_in_mlflow):
    before = len(runs_in_mlflow())
    words = [*IRIS, "save_every=100", "logger=mlflow", "~callbacks.dashboard"]
    break_off(monkeypatch, configure(*words), 0, 5)
    assert len(runs_in_mlflow()) == before + 1
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", lambda self, *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(configure(*words))
    assert len(runs_in_mlflow()) == before + 1


def test_a_service_without_a_login_stops_a_run_before_it_begins(configure, monkeypatch):
    import wandb

    def init(**settings):
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", init)
    sentence = r"^logger=wandb cannot start \(.*: No API key configured\. Use `wandb login`.*\): .*'~logger\.wandb'$"
    with pytest.raises(UserError, match=sentence):
        train(configure("logger=wandb"))


def test_a_row_of_step_zero_that_weights_and_biases_has_is_not_sent_again(monkeypatch, tmp_path):
    run = SimpleNamespace(step=1, summary={"trainer/global_step": 0}, offline=False)
    monkeypatch.setattr(proj.training.services.WandB, "experiment", run)
    monkeypatch.setattr(proj.training.services, "OPEN", [])
    service = proj.training.services.WandB(tmp_path, {"name": "a", "id": "a"}, begun=True)
    assert service.lacks({"loss": 1.0}, 0) == {} and service.lacks({"loss": 1.0}, 1) == {"loss": 1.0}
    run.summary.clear()  # of a run that has no row
    service = proj.training.services.WandB(tmp_path, {"name": "a", "id": "a"}, begun=True)
    assert service.lacks({"loss": 1.0}, 0) == {"loss": 1.0}


def test_one_process_of_several_sends(configure, monkeypatch, tmp_path):
    monkeypatch.setenv("LOCAL_RANK", "1")
    cfg = configure("logger=[tensorboard,mlflow]", "logger.mlflow.tracking_uri=http://127.0.0.1:9")
    (tmp_path / "run").mkdir()
    loggers = build_loggers(tmp_path / "run", OmegaConf.to_container(cfg), None)
    assert [type(logger).__name__ for logger in loggers] == ["Curves", "Table", "DummyLogger"]
    assert not (tmp_path / "run" / "loggers.json").exists()


@pytest.mark.slow
def test_two_jobs_at_once_make_and_share_one_database(tmp_path):
    words = [*IRIS[:3], *IRIS[4:], "sweep_name=s", "seed=1,2", "logger=mlflow", "hydra/launcher=joblib", *QUICK]
    assert command(tmp_path, "proj.train", "-m", *words, before=fork_workers) == 0, (tmp_path / "err.txt").read_text()
    client = open_database(tmp_path / "outputs/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["0_seed=1", "1_seed=2"]
    assert all(len(client.get_metric_history(run.info.run_id, "val/acc")) == 2 for run in runs)


@pytest.mark.slow
def test_two_processes_that_train_together_are_one_run_for_all_loggers_also_after_a_kill(tmp_path):
    words = [*TWO, "logger=[tensorboard,csv,mlflow]"]
    assert run_two(tmp_path / "whole", words) == [0, 0]
    assert run_two(tmp_path / "killed", words, signal.SIGKILL) == [-signal.SIGKILL] * 2
    assert run_two(tmp_path / "killed", words) == [0, 0]
    assert differences(outcome(tmp_path / "whole"), outcome(tmp_path / "killed")) == []
    expected = table(tmp_path / "whole")
    assert table(tmp_path / "killed") == expected
    client = open_database(tmp_path / "mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["mlp killed", "mlp whole"]
    expected = curves_of((row, row.pop("step")) for row in expected)
    assert all(curves_in(client, run) == expected for run in runs)
