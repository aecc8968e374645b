"""A search's workers: they share its study, wait for nobody, and lose and double no trial. No test here trains."""

import errno
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from support import processes, workers
from support.sweeps import QUICK, config, names, run, sweep
from support.workers import SEARCH, assert_each_trial_once

from proj.config.new_folder import make_folder
from proj.errors import UserError
from proj.sweeps.folder import Sweep
from proj.sweeps.optuna_sweeper import OptunaSweeper
from proj.sweeps.search import rounded
from proj.sweeps.trials import Trials
from proj.system import locks
from proj.training.study import one_at_a_time, open_study

SAMPLER = {"_target_": "optuna.samplers.RandomSampler"}


def the_first_waits_for_the_third() -> None:
    """The first trial ends once the third one has begun."""

    def seconds(cfg) -> float:
        if cfg.trial.number == 0:
            processes.wait_for(lambda: list(Path(cfg.output_dir).parent.glob("2_*/lives")))
        return 0.0

    workers.fork_workers()
    workers.train_by_sleeping(seconds)


@pytest.mark.parametrize("jobs", ("hydra.launcher.n_jobs=2", "+hydra.launcher.tasks_per_node=2 hydra.sweeper.n_jobs=2"))
def test_a_trial_of_one_process_or_of_several_starts_when_one_ends_and_waits_for_no_other(tmp_path, jobs):
    words = (*SEARCH, *jobs.split(), "hydra.sweeper.n_trials=5")
    code, out, err = sweep(tmp_path, *words, before=the_first_waits_for_the_third)
    assert code == 0 and out.count("val/acc -0.") == 5 and "5 runs (finished)" in out, err
    assert_each_trial_once(tmp_path / "outputs/sweeps/s", 5)


def test_a_launcher_that_ends_the_program_in_a_thread_of_a_search_leaves_it_waiting_for_nothing(monkeypatch, capsys):
    search = OptunaSweeper(2, 0, OmegaConf.create(), OmegaConf.create())
    search.lines, search.trials, search.launcher = (
        None,
        None,
        SimpleNamespace(launch=lambda *words, **more: sys.exit(3)),
    )
    search.config = OmegaConf.create({"hydra": {"launcher": {"_target_": "Launcher"}}})
    monkeypatch.setattr(search, "stopped", list)
    monkeypatch.setattr(search, "run_trials", lambda trials, launch: launch(0, "0"))
    search.run_side_by_side(2)
    assert capsys.readouterr().out == "the launcher failed: it ended the program with exit code 3\n"


def short_ones() -> None:
    workers.fork_workers()
    workers.train_by_sleeping(workers.lengths(0.1))


def test_a_search_whose_processes_are_killed_anywhere_runs_each_trial_once(tmp_path):
    folder, words = tmp_path / "outputs/sweeps/s", (*SEARCH, "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=8")
    process = processes.start(tmp_path, "proj.train", "-m", *words, *QUICK, before=short_ones)
    (life,) = processes.wait_for(lambda: [file for file in folder.glob("1_*/lives") if file.read_text()], process)
    os.kill(int(life.read_text().split()[2]), signal.SIGKILL)  # a worker; the other one goes on alone
    processes.wait_for(lambda: list(folder.glob("4_*/lives")), process)
    process.kill()
    process.join()
    code, _, err = sweep(tmp_path, *words, before=short_ones)
    assert code == 0, err
    assert_each_trial_once(folder, 8)


def test_the_study_has_the_values_that_were_trained_whatever_their_kind(tmp_path):
    words = ["optimizer.lr=tag(log,interval(1e-4,1))", "model.dropout=interval(0.100123,0.100129)", "model=mlp"]
    words += ["optimizer.weight_decay=interval(0,0.123456)", "dataset.batch_size=interval(5,9)", "seed=1,2"]
    run(tmp_path, "sweep_name=s", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", *words)
    folder = tmp_path / "outputs/sweeps/s"
    trials = open_study(folder).trials
    assert len({trial.params["model.dropout"] for trial in trials}) > 3
    for trial, name in zip(trials, names(folder), strict=True):
        trained = OmegaConf.create(config(folder / name))
        for key, value in trial.params.items():
            assert str(OmegaConf.select(trained, key)) == str(value), key
            assert trial.distributions[key]._contains(trial.distributions[key].to_internal_repr(value))


def test_a_fraction_is_rounded_to_four_digits_within_its_interval():
    for low, high, value, expected in (
        (1e-4, 0.1, 0.0123456, 0.01235),
        (0, 0.5, 0.123456, 0.1235),
        (-1, 1, -0.123456, -0.1235),
        (0.12344, 1, 0.123441, 0.12344),  # four digits are below the interval
        (0, 0.12346, 0.123459, 0.12346),
        (1000.1, 1000.2, 1000.123456, 1000.1235),  # four digits would be the same for all
        (3, 3, 3.0, 3.0),
    ):
        assert rounded(value, FloatDistribution(low, high)) == expected
        assert rounded(expected, FloatDistribution(low, high)) == expected
    assert rounded(123456, IntDistribution(1, 10**6, log=True)) == 123456
    assert rounded("0.123456", CategoricalDistribution(["0.123456", "1.0"])) == "0.123456"


@pytest.mark.parametrize("sampler", ("RandomSampler", "TPESampler", "QMCSampler"))
def test_workers_and_searches_that_go_on_choose_what_one_process_chooses(tmp_path, sampler, monkeypatch):
    monkeypatch.setattr(Trials, "without_result", lambda trials: [])  # no job is run
    space = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
    goal, sampler = OmegaConf.create({"monitor": "y", "mode": "max"}), {"_target_": f"optuna.samplers.{sampler}"}
    found = []
    for count in (1, 8):
        sweep = Sweep(make_folder(tmp_path / str(count)))
        for _ in range(count):
            trials = Trials(sweep, goal, space, 99, sampler, 0)
            for _ in range(16 // count):
                number, params = trials.take()
                trials.study.tell(number, params["y"])
                trials.held[number].close()
        found.append([trial.params for trial in open_study(sweep.folder).trials])
    assert found[0] == found[1]
    assert len({params["x"] for params in found[0]}) == 16


def test_a_search_that_goes_on_keeps_the_kinds_of_numbers_that_its_study_has(tmp_path):
    goal, first = OmegaConf.create({"monitor": "val/acc", "mode": "max"}), FloatDistribution(1, 9)
    searches = []
    for number, kind in enumerate((first, IntDistribution(1, 9))):  # as another version chooses
        searches.append(Trials(Sweep(tmp_path), goal, {"x": kind}, 99, SAMPLER, 0))
        assert searches[-1].take()[0] == number
    assert [trial.distributions["x"] for trial in open_study(tmp_path).trials] == [first, first]


def test_a_trial_that_a_process_on_another_machine_holds_is_left_to_it_while_it_gives_signs_of_life(
    tmp_path, monkeypatch
):
    space, goal = {"x": FloatDistribution(0, 1)}, OmegaConf.create({"monitor": "val/acc", "mode": "max"})

    def taken() -> int:
        trials = Trials(Sweep(tmp_path), goal, space, 99, SAMPLER, 0)
        number, _ = trials.take()
        trials.held[number].close()
        return number

    for number in range(2):
        assert taken() == number  # and nobody tells what became of it
        (tmp_path / f".trials/{number}/.lock").write_text(" process 7 on elsewhere")
    assert taken() == 2
    for name in ("BEAT", "SILENCE"):
        monkeypatch.setattr(locks, name, 0.1)
    time.sleep(0.2)  # longer than silence is
    assert taken() == 0


def test_half_a_line_that_a_full_disk_left_in_the_study_costs_no_other_line(tmp_path):
    study, space = open_study(tmp_path), {"x": FloatDistribution(0, 1)}
    study.tell(study.ask(space), 1.0)
    with open(tmp_path / "study.log", "a") as log:
        log.write('{"op_code":4,"worker_id":"a-')
    study.ask(space)
    assert len(study.trials) == len(open_study(tmp_path).trials) == 2


@pytest.mark.parametrize("line", ["no JSON", "[" * 100_000, '{"op_code": 99}'])
def test_a_damaged_study_is_one_sentence(tmp_path, line):
    open_study(tmp_path)
    with open(tmp_path / "study.log", "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserError, match=r"study\.log is damaged .*put a copy of it back"):
        open_study(tmp_path)


def test_where_the_disk_has_no_locks_a_file_that_is_there_keeps_processes_apart(tmp_path, monkeypatch):
    def lock_descriptor(*args, **kwargs):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("proj.training.study.lock_descriptor", lock_descriptor)
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count() -> bool:
        for _ in range(20):
            with one_at_a_time(tmp_path / "lock"):
                number = int(counter.read_text())
                time.sleep(0.001)
                counter.write_text(str(number + 1))
        return True

    children = [processes.forked(count) for _ in range(3)]  # no two at once, which filelock refuses
    assert all(processes.answer_of(*child) for child in children)
    assert counter.read_text() == "60"
