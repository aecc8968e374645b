"""A sweep whose jobs joblib's workers train side by side: one of them dies, the sweep goes on, and gets more seeds."""

import os
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support import processes
from support.classes import ENV, dies
from support.sweeps import QUICK

from proj.checkpoint.file import load_checkpoint

pytestmark = pytest.mark.slow
JOBS = "0_seed=1", "1_seed=3", "2_seed=2", "3_seed=4"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("joblib")


@pytest.fixture(scope="module")
def swept(place) -> tuple[CompletedProcess, dict[Path, bytes], CompletedProcess]:
    """(A sweep of three jobs, the last of which takes its worker along; its results; the sweep as it goes on)."""
    env = {name: value for name, value in ENV.items() if name != "OMP_NUM_THREADS"}
    words = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,3,2", *dies(place, times=2)]
    words += ["save_every=0", "trainer=cpu", "sweep_name=s", *QUICK]
    # A program of its own, whose module is __main__, and pickled.
    first = processes.program(place, "-m", "proj.train", "-m", *words, env=env)
    results = {file: file.read_bytes() for file in place.glob("outputs/sweeps/s/*/metrics.json")}
    again = ["resume=outputs/sweeps/s", "trust=support", "isolate=true", "seeds=+1"]
    return first, results, processes.run(place, "proj.sweep", *again, env=env)


def test_a_worker_that_dies_ends_the_command_which_says_how_to_continue(swept):
    first, results, _ = swept
    assert first.returncode == 1 and len(results) < 3, first.stderr
    assert "To continue the sweep: python -m proj.sweep resume=outputs/sweeps/s trust=support" in first.stderr


def test_a_job_that_dies_in_a_process_of_its_own_takes_no_worker_along_and_goes_on_beside_the_new_seed(swept, place):
    *_, again = swept
    assert again.returncode == 0 and "4 runs (finished)" in again.stdout, again.stderr
    assert (place / "died1").exists() and "failed: its process ended with exit code 7" in again.stdout


def test_what_was_finished_stays_and_all_others_have_their_result_and_their_share_of_the_cores(swept, place):
    _, results, _ = swept
    assert all(file.read_bytes() == content for file, content in results.items())
    for name in JOBS:
        folder = place / "outputs/sweeps/s" / name
        assert (folder / "metrics.json").exists() and "test accuracy" in (folder / "train.log").read_text()
        threads = load_checkpoint(folder / "last.ckpt")["resume"]["environment"]["threads"]
        assert threads == max(1, os.cpu_count() // 2)


def test_each_job_is_one_whole_line_numbered_in_the_order_in_which_they_end(swept):
    _, results, again = swept
    shown = [line for line in again.stdout.splitlines() if re.match(r" *\d+/\d+  \S", line)]
    counted = [f"{number}/3" for number in range(len(results) + 1, 4)]  # of which one has failed
    assert [line.split("  ")[0] for line in shown] == [*counted, "3/4", "4/4"]
    assert sorted(line.split()[1] for line in shown[-2:]) == ["seed=2", "seed=4"]
