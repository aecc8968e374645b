"""Sweeps: checked before they start, frozen, continued, and one table at the end."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import optuna
import pytest
import torch
import yaml
from support import processes
from support.classes import ENV, ends, slow
from support.processes import PATIENCE, wait_for
from support.runs import differences, outcome
from support.sweeps import QUICK, no_training, replace_training, run, sweep

from proj.errors import UserError
from proj.reports.compare import compare
from proj.reports.runs import find_runs
from proj.sweeps.job import train_apart, train_job
from proj.system.locks import is_locked, locked, one_gpu
from proj.system.run_folder import RunFolder
from proj.training.pruning import open_study


def train(folder: Path, *words: str, module="train") -> str:
    """What a sweep says that trains and succeeds."""
    return run(folder, *words, module=module, before=None)


def statuses(folder: Path) -> list[str]:
    return [RunFolder(file.parent).status()[0] for file in sorted(folder.glob("*/job.yaml"))]


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    """The folder in which a sweep of four jobs was run, outputs/sweeps/grid."""
    folder = tmp_path_factory.mktemp("grid")
    (folder / "out.txt").write_text(train(folder, "sweep_name=grid", "seed=1,2", "optimizer.lr=0.01,0.1"))
    return folder


def test_a_sweep_ends_in_a_table_and_the_command_of_its_best_run(grid):
    out = (grid / "out.txt").read_text()
    assert "4 runs (finished), 2 configurations, by val/acc" in out and " ± " in out
    assert (grid / "outputs/sweeps/grid/report.csv").is_file() and (grid / "outputs/sweeps/grid/report.html").is_file()
    again = shlex.split(out.splitlines()[-1].removeprefix("The best again: "))
    best = find_runs([grid / "outputs/sweeps/grid"])
    best = max(best, key=lambda run: run.value("val/acc", "max"))
    assert again[:3] == ["python", "-m", "proj.train"] and f"optimizer.lr={best.config['optimizer.lr']}" in again
    assert f"seed={best.config['seed']}" in again and not any("sweep" in word for word in again)


def test_jobs_are_folders_named_by_number_and_their_own_settings(grid):
    names = [file.parent.name for file in sorted(grid.glob("outputs/sweeps/grid/*/metrics.json"))]
    values = [f"seed={seed},optimizer.lr={lr}" for seed in (1, 2) for lr in (0.01, 0.1)]
    assert names == [f"{number}_{value}" for number, value in enumerate(values)]


def test_command_versions_commit_and_configuration_are_frozen(grid):
    folder = grid / "outputs/sweeps/grid"
    about = yaml.safe_load((folder / "sweep.yaml").read_text())
    assert about["command"].startswith("python -m proj.train -m sweep_name=grid seed=1,2 optimizer.lr=0.01,0.1")
    assert about["versions"]["torch"] == str(torch.__version__).split("+")[0] and len(about["commit"] or "x" * 40) == 40
    assert (folder / "git.diff").is_file() and (folder / "conf/train.yaml").is_file()
    job = yaml.safe_load((folder / "3_seed=2,optimizer.lr=0.1/job.yaml").read_text())
    assert (job["seed"], job["optimizer"]["lr"]) == (2, 0.1)


@pytest.mark.parametrize("module", ["train", "sweep"])
def test_a_finished_sweep_runs_nothing_and_shows_its_table_again(grid, module):
    words = ("sweep_name=grid", "seed=1,2", "optimizer.lr=0.01,0.1")
    words = words if module == "train" else ("resume=outputs/sweeps/grid",)
    assert "4 runs (finished)" in run(grid, *words, module=module, before=no_training)


def test_another_command_under_the_same_name_is_refused(grid):
    code, _, err = sweep(grid, "sweep_name=grid", "seed=1,2,3", before=no_training)
    assert code == 1 and "holds another sweep" in err and "python -m proj.sweep resume=outputs/sweeps/grid" in err


def test_a_command_that_asks_for_more_seeds_is_answered_with_the_command_that_adds_them(grid):
    words = ("sweep_name=grid", "optimizer.lr=0.01,0.1")
    _, _, err = sweep(grid, "seed=1,2,3", *words, before=no_training)
    assert (
        "with 3 seeds in each row, by adding 3: python -m proj.sweep resume=outputs/sweeps/grid seeds=3 rows=all;"
        in err
    )
    assert "with 4 seeds in each row, by adding 3, 4: " in sweep(grid, "seed=1,2,7,8", *words, before=no_training)[2]
    for others in (
        ("seed=2,3,4", *words),
        ("seed=1", *words),
        ("seed=1,2,3", "sweep_name=grid", "optimizer.lr=0.01,0.2"),
    ):
        assert "seeds=" not in sweep(grid, *others, before=no_training)[2]


def test_a_sweep_that_is_running_cannot_be_started_again(grid):
    with locked(grid / "outputs/sweeps/grid"):
        code, _, err = sweep(grid, "resume=outputs/sweeps/grid", module="sweep", before=no_training)
    assert code == 1 and "is in use by process" in err and "sweep_name=…" in err


def test_a_failed_job_stops_no_other_and_is_tried_again(tmp_path):
    words = ("sweep_name=x", "optimizer.lr=1e30,0.1", "optimizer=sgd")
    code, out, err = sweep(tmp_path, *words)
    folder = tmp_path / "outputs/sweeps/x"
    assert code == 1 and "1 of 2 jobs has no result:" in err and "2 runs (1 finished, 1 failed)" in out
    failed = folder / "0_optimizer.lr=1e+30"
    assert f"{failed.name}: failed: the loss turned NaN" in err and "resume=outputs/sweeps/x" in err
    assert "the loss turned NaN" in (failed / "train.log").read_text()
    finished = (folder / "1_optimizer.lr=0.1/metrics.json").stat()
    job = yaml.safe_load((failed / "job.yaml").read_text())
    job["optimizer"]["lr"] = job["scheduler"]["max_lr"] = 0.2  # jobs run as they are frozen
    (failed / "job.yaml").write_text(yaml.safe_dump(job))
    for file in failed.glob("*.ckpt"):
        file.unlink()
    train(tmp_path, "resume=outputs/sweeps/x", module="sweep")
    assert statuses(folder) == ["finished", "finished"]
    assert yaml.safe_load((failed / "config.yaml").read_text())["optimizer"]["lr"] == 0.2
    assert (folder / "1_optimizer.lr=0.1/metrics.json").stat() == finished


def raise_a_bug() -> None:
    import proj.models

    def configure_optimizers(self):
        raise RuntimeError("a bug")

    proj.models.MLP.configure_optimizers = configure_optimizers


def test_the_traceback_of_a_bug_is_in_the_jobs_own_log(tmp_path):
    code, _, err = sweep(tmp_path, "sweep_name=x", "model=mlp,iris", before=raise_a_bug)
    assert code == 1 and "0_model=mlp: failed: RuntimeError: a bug" in err
    logs = [(tmp_path / "outputs/sweeps/x" / name / "train.log") for name in ("0_model=mlp", "1_model=iris")]
    assert "Traceback" in logs[0].read_text() and not (logs[1].is_file() and "Traceback" in logs[1].read_text())


def kill_when_there_are(number: int, files: str, folder: Path, words) -> None:
    """Start a sweep, and kill it once its jobs have left so many files of this name."""
    streams = (folder / "out", folder / "err")
    process = processes.start(folder, "proj.train", *words, streams=streams)
    processes.wait_for(lambda: len(list(folder.glob(f"outputs/sweeps/*/*/{files}"))) >= number, process)
    process.kill()
    process.join()


def test_a_killed_sweep_continues_to_the_bits_of_one_that_was_not(tmp_path, grid):
    words = ("sweep_name=grid", "seed=1,2", "optimizer.lr=0.01,0.1", "save_every=0")
    folder, kept = tmp_path / "outputs/sweeps/grid", {}
    for number, files in ((1, "last.ckpt"), (2, "metrics.json")):
        kill_when_there_are(number, files, tmp_path, ("-m", *words, *QUICK))
        for file in folder.glob("*/metrics.json"):
            assert kept.setdefault(file, file.stat().st_mtime_ns) == file.stat().st_mtime_ns  # never run twice
    train(tmp_path, *words)
    assert len(kept) >= 2
    for job in sorted(folder.glob("*/job.yaml")):
        whole = outcome(grid / "outputs/sweeps/grid" / job.parent.name)
        found = differences(outcome(job.parent), whole)
        assert all(any(word in key for word in ("save_every", "sweep", "data_dir")) for key in found)


@pytest.mark.slow
def test_an_isolated_job_that_dies_costs_itself_alone_and_is_told_of_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ENV["PYTHONPATH"])
    code, out, err = sweep(tmp_path, "sweep_name=x", *ends("die", "break"), "isolate=true")
    assert code == 1 and "failed: its process ended with exit code 7" in err
    folder = tmp_path / "outputs/sweeps/x"
    assert statuses(folder) == ["failed", "failed"]
    (log,) = folder.glob("1_*/train.log")
    assert "Traceback" not in out + err and log.read_text().count("Traceback") == 1 and "a bug" in log.read_text()


def test_a_sweeps_file_names_its_values_and_the_command_line_wins(tmp_path):
    out = run(tmp_path, "sweep=lr_mnist_mlp", "optimizer.lr=0.001,0.002", "seed=7")
    assert "2 runs (finished), 2 configurations" in out and "dataset=mnist model=mlp" in out


SEARCH = ("hydra/sweeper=optuna", "sweep_name=s", "optimizer.lr=tag(log,interval(1e-4,1))", "model=mlp,iris")


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return open_study(folder / "outputs/sweeps/s").trials


def test_a_search_counts_its_trials_over_resumes_and_repeats_none(tmp_path):
    no_pruner = "hydra.sweeper.pruner._target_=optuna.pruners.NopPruner"
    train(tmp_path, *SEARCH, "hydra.sweeper.n_trials=3", no_pruner)
    assert len(trials(tmp_path)) == 3
    frozen = tmp_path / "outputs/sweeps/s/conf/dataset/iris.yaml"
    frozen.write_text(frozen.read_text().replace("batch_size: 10", "batch_size: 21"))
    out = train(tmp_path, "resume=outputs/sweeps/s", "hydra.sweeper.n_trials=5", module="sweep")
    assert "The best again: python -m proj.train" in out
    done = trials(tmp_path)
    assert len({json.dumps(trial.params) for trial in done}) == len(done) == 5
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in done)
    runs = {int(run.folder.name.split("_")[0]): run for run in find_runs([tmp_path / "outputs/sweeps/s"])}
    for trial in done:
        assert trial.value == runs[trial.number].metrics["val/acc"]
        assert runs[trial.number].config["optimizer.lr"] == pytest.approx(trial.params["optimizer.lr"], rel=1e-3)
        assert runs[trial.number].config["dataset.batch_size"] == (10 if trial.number < 3 else 21)  # the frozen conf/
    page = (tmp_path / "outputs/sweeps/s/report.html").read_text()
    assert "The search: val/acc % of each trial" in page and not (tmp_path / "outputs/sweeps/s/search.html").exists()


def test_hopeless_trials_are_pruned_and_failed_ones_tolerated(tmp_path):
    words = [word for word in SEARCH if "interval" not in word and "model" not in word]
    words += ["optimizer=sgd", "optimizer.lr=1e30,1e-9,1", "+hydra.sweeper.pruner.lower=0.6"]
    words += ["hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner"]
    words += ["hydra.sweeper.sampler._target_=optuna.samplers.RandomSampler", "hydra.sweeper.n_trials=10"]
    words += ["hydra.sweeper.seed=1"]  # with which ten trials have all three rates
    code, out, err = sweep(tmp_path, *words)
    states = {trial.params["optimizer.lr"]: trial.state.name for trial in trials(tmp_path)}
    assert states == {"1e+30": "FAIL", "1e-09": "PRUNED", "1": "COMPLETE"}, err
    assert code == 0 and "failed: the loss turned NaN" in out and "pruned in epoch 1, at val/acc" in out
    assert "some of 10 trials repeat others, since only 3 exist" in out


def test_a_report_tells_running_queued_stopped_and_failed_jobs_apart(grid, tmp_path):
    folder = tmp_path / "0_a"
    folder.mkdir()
    (folder / "job.yaml").write_bytes((grid / "outputs/sweeps/grid/0_seed=1,optimizer.lr=0.01/job.yaml").read_bytes())
    (row,) = compare(find_runs([tmp_path]))["rows"]
    assert row["status"] == {"queued": 1} and RunFolder(folder).status() == ("queued", "")
    (folder / "previous.ckpt").touch()  # of a process that was killed before it wrote last.ckpt
    assert RunFolder(folder).status() == ("interrupted", "")
    with locked(folder):
        assert RunFolder(folder).status() == ("running", "")
    (folder / "status.json").write_text('{"status": "failed", "reason": "why"}\n')
    assert RunFolder(folder).status() == ("failed", "why")


def test_processes_beside_each_other_hold_different_devices(tmp_path):
    with one_gpu(tmp_path / ".gpu", 2) as first, one_gpu(tmp_path / ".gpu", 2) as second:
        assert {first, second} == {0, 1}
    with one_gpu(tmp_path / ".gpu", 2) as again, one_gpu(tmp_path / ".gpu", 1) as alone:
        assert again == 0 and alone is None


@pytest.fixture
def apart(configure, tmp_path, monkeypatch):
    """apart(code, said, *signals) -> what a job gives whose process says this, sees these signals come, and ends; and
    the signals that it was sent."""
    run = RunFolder(tmp_path / "0")

    def apart(code: int, said: str, *signals: int) -> tuple[dict | None, list[int]]:
        sent: list[int] = []

        class Process:
            def __init__(self, *words) -> None:
                *_, (_, stderr) = words
                os.write(stderr, said.encode())

            def wait(self) -> int:
                for number in signals:
                    os.kill(os.getpid(), number)
                return code

            def send_signal(self, number: int) -> None:
                sent.append(number)

        monkeypatch.setattr("proj.sweeps.job.Forked", Process)
        run.path.mkdir(exist_ok=True)
        run.write_failure("failed", "no room")
        try:
            return train_apart(configure("log=full", folder=run.path), run.path), sent
        except SystemExit as stop:
            return stop.code, sent

    return apart


def test_a_job_in_a_process_of_its_own_says_once_why_it_failed_and_what_it_warned_of(apart, capsys):
    with pytest.raises(UserError, match=r"^no room$"):
        apart(1, "error: no room\n")
    assert apart(0, "beware\n") == (None, []) and capsys.readouterr().err == "beware\n"
    assert apart(0, "", signal.SIGINT, signal.SIGTERM) == (130, [signal.SIGTERM])  # Ctrl-C has reached it already


def test_a_process_that_only_waits_for_an_isolated_job_imports_no_torch(configure, monkeypatch):
    cfg = configure()
    cfg.isolate = True
    monkeypatch.setattr("proj.sweeps.job.own_gpu", lambda *words: nullcontext())
    monkeypatch.setattr("proj.sweeps.job.train_apart", lambda cfg, folder: {cfg.monitor: 0.5})
    for name in ("torch", "proj.training.run"):
        monkeypatch.setitem(sys.modules, name, None)
    assert train_job(cfg) == 0.5


@pytest.mark.slow
def test_an_isolated_job_saves_where_its_sweep_is_asked_to_stop_and_dies_where_that_is_killed(tmp_path):
    job = tmp_path / "outputs/sweeps/s/0_seed=1"
    words = ["-m", "seed=1,2", "isolate=true", "sweep_name=s", "trainer.max_epochs=60", "save_every=0", *slow(0.1)]
    again = ["proj.sweep", "resume=outputs/sweeps/s", "trust=support"]
    stops = ((["proj.train", *words], signal.SIGKILL), (again, signal.SIGTERM), (again, signal.SIGINT))
    for times_said, (command, number) in enumerate(stops):
        began = time.time()
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=ENV, start_new_session=True)
        # Before the first checkpoint of its life a job only ends: it has nothing to save.
        wait_for(
            lambda began=began: is_locked(job) and any(file.stat().st_mtime > began for file in job.glob("last.ckpt")),
            process,
        )
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        assert process.wait(PATIENCE) == (-number if number == signal.SIGKILL else 128 + number)
        wait_for(lambda: not is_locked(job))
        assert RunFolder(job).status()[0] == "interrupted"
        assert (job / "train.log").read_text().count("Stopped. To continue") == times_said  # nothing by SIGKILL


def stop_between_jobs() -> None:
    import proj.sweeps.grid

    launch = proj.sweeps.grid.GridSweeper.launch

    def launch_and_stop(self, names: list[str]) -> None:
        launch(self, names[:1])
        os.kill(os.getpid(), signal.SIGTERM)

    proj.sweeps.grid.GridSweeper.launch = launch_and_stop


def stop_while_an_object_is_destroyed() -> None:
    class Dying:
        def __del__(self) -> None:  # from which Python lets no exception out
            os.kill(os.getpid(), signal.SIGTERM)

    replace_training(lambda cfg: Dying() and 0.5)


@pytest.mark.parametrize("stop", (stop_between_jobs, stop_while_an_object_is_destroyed))
def test_a_signal_after_a_job_ends_the_sweep_with_the_command_that_goes_on(tmp_path, stop):
    code, out, _ = sweep(tmp_path, "sweep_name=s", "seed=1,2", before=stop)
    assert code == 128 + signal.SIGTERM
    assert out.splitlines()[-1] == "To continue the sweep: python -m proj.sweep resume=outputs/sweeps/s"
    assert statuses(tmp_path / "outputs/sweeps/s") == ["finished", "queued"]


def test_under_hydras_own_sweeper_which_shows_no_lines_a_job_shows_all_that_it_prints(tmp_path):
    assert "0" in run(tmp_path, "hydra/sweeper=basic", "seed=1").splitlines()
