"""Whether confidence intervals over folds hold, and whether a killed sweep of folds loses anything.

`python benchmarks/folds.py` measures two things:

Coverage. Two linear classifiers, each of which sees one half of the columns, are equally good on average. On each of
`--sets` simulated datasets, a 95 % interval of the difference of their accuracies is computed from all folds (and from
several seeds, each of which draws a bootstrap sample of the training part). The table shows in which share of the
datasets the interval contains the true difference, 0: for Student's interval, and for the one with the corrected
variance that reports use. It goes to benchmarks/results/folds/coverage.json.

Kills. A sweep of five folds is killed `--kills` times with SIGKILL and resumed, and then compared with a sweep that was
never killed: weights, predictions and out_of_fold.csv must be the same to the bit. If they are, a sentence about it
goes to benchmarks/results/folds/kills.json.

Both take less than ten minutes together, and need no data.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process with threads cannot be forked
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from record import record
from support.runs import differences, outcome

import proj.sweeps.summary
import proj.train
import proj.training.run
from proj.reports.verdicts import interval_of_mean

CASES = ((100, 5, 1), (100, 10, 1), (300, 5, 1), (100, 5, 3), (300, 5, 3))  # examples, folds, seeds
SWEEP = [
    "dataset=digits",
    "model=mlp",
    "model.hidden=[32]",
    "model.dropout=0.2",
    "trainer.max_epochs=4",
    "sweep_name=s",
]
SWEEP += ["dataset.folds=5", "dataset.fold=0,1,2,3,4", "save_every=0.05", "~callbacks.progress"]


def difference(draw: np.random.Generator, examples: int, folds: int, seeds: int) -> list[float]:
    """Simulate one dataset: the differences of the accuracies of both classifiers, one for each fold of each seed."""
    y = 2 * draw.integers(0, 2, examples) - 1
    x = draw.standard_normal((examples, 12)) + 0.4 * y[:, None]
    fold, found = draw.permutation(np.arange(examples) % folds), []
    for number in list(range(folds)) * seeds:
        train, test = (fold != number).nonzero()[0], fold == number
        chosen = draw.choice(train, len(train))
        accuracies = []
        for half in (x[:, :6], x[:, 6:]):
            inputs = np.c_[half, np.ones(examples)]
            weights = np.linalg.lstsq(inputs[chosen], y[chosen], rcond=None)[0]
            accuracies.append(((inputs[test] @ weights > 0) == (y[test] > 0)).mean())
        found.append(float(accuracies[0] - accuracies[1]))
    return found


def coverage(sets: int) -> None:
    """Measure the coverage of both intervals on `sets` simulated datasets for each case."""
    rows = []
    for examples, folds, seeds in CASES:
        draw, holding = np.random.default_rng(0), np.zeros(2)
        for _ in range(sets):
            values = difference(draw, examples, folds, seeds)
            intervals = [interval_of_mean(values, overlap) or (0, 0) for overlap in (0, 1 / (folds - 1))]
            holding += [low <= 0 <= high for low, high in intervals]
        rows.append({"examples": examples, "folds": folds, "seeds": seeds})
        rows[-1] |= dict(zip(("student", "corrected"), holding / sets, strict=True))
    template = "| {examples:d} | {folds:d} | {seeds:d} | {student:.1%} | {corrected:.1%} |"
    record("folds/coverage", "| examples | folds | seeds | Student's | corrected |", template, rows)


def start(folder: Path) -> int:
    """Start the sweep in a fork of this process, and return the id of that process."""
    if process := os.fork():
        return process
    code = 1
    try:
        folder.mkdir(exist_ok=True)
        os.chdir(folder)
        for number in (1, 2):
            os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.argv = ["proj.train", "-m", *SWEEP]
        proj.train.main()
        code = 0
    finally:
        os._exit(code)


def kill(times: int) -> None:
    """Kill and resume a sweep `times` times, and compare it with one that was never killed."""
    home = Path(tempfile.mkdtemp())
    whole, killed = home / "whole/outputs/sweeps/s", home / "killed/outputs/sweeps/s"
    began, kills = time.monotonic(), 0
    os.waitpid(start(home / "whole"), 0)
    seconds, draw = time.monotonic() - began, random.Random(0)
    while kills < times:
        process = start(home / "killed")
        time.sleep(seconds * draw.uniform(0.02, 0.4))
        os.kill(process, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(process, 0)[1])
        # Once all five jobs have finished, three of them are deleted, so that there is something left to kill.
        if len(list(killed.glob("*/metrics.json"))) == 5:
            for job in killed.glob("[1-3]_*"):
                shutil.rmtree(job)
    os.waitpid(start(home / "killed"), 0)
    jobs = sorted(file.parent.name for file in whole.glob("*/job.yaml"))
    different = [job for job in jobs if differences(outcome(whole / job), outcome(killed / job))]
    files = [f"{job}/fold.csv" for job in jobs] + ["out_of_fold.csv"]
    different += [file for file in files if (whole / file).read_bytes() != (killed / file).read_bytes()]
    print(f"{kills} kills of a sweep of {len(jobs)} folds; different: {', '.join(different) or 'nothing'}")
    if not different:
        record(
            "folds/kills", "", "", [], f"which also kills a sweep of five folds {kills} times; it ends in the same bits"
        )
    shutil.rmtree(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=600, help="simulated datasets for each case")
    parser.add_argument("--kills", type=int, default=20, help="how often to kill the sweep")
    chosen = parser.parse_args()
    coverage(chosen.sets)
    kill(chosen.kills)


if __name__ == "__main__":
    main()
