"""How long the workers of a search wait, and whether killed workers lose a trial: `python benchmarks/search.py`.

Four workers run trials that only sleep, each from `--seconds` to ten times as long. Both parts take about five minutes.

Waiting. An uninterrupted search shows for which share of their time the workers have no trial, from the start of the
first trial until the start of the last one. For comparison, the same is computed for a search that runs its trials in
batches of four and waits for each batch. The table goes to benchmarks/results/search/<number>_trials.json.

Kills. With trials a tenth as long, a worker, the parent or all of them are killed with SIGKILL at random moments,
`--kills` times, and the search is resumed until it is done. Every trial must have finished exactly once, and the study
must have its result and the values with which it trained. A sentence goes to benchmarks/results/search/kills.json.
"""

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from record import record
from support import processes
from support.workers import SEARCH, assert_each_trial_once, fork_workers, lengths, train_by_sleeping

WORKERS = 4


class Sleep:
    """Prepares the process of a search: its workers are forks, and its trials sleep.

    It is a class with arguments, not a closure, since it must be pickled for that process.
    """

    def __init__(self, shortest: float) -> None:
        self.shortest = shortest

    def __call__(self) -> None:
        fork_workers()
        train_by_sleeping(lengths(self.shortest))


def words(trials: int) -> list[str]:
    """The arguments of the search."""
    return ["-m", *SEARCH, f"hydra.launcher.n_jobs={WORKERS}", f"hydra.sweeper.n_trials={trials}"]


def lives(folder: Path) -> list[tuple[int, float, float]]:
    """(worker, start, end) of each trial that has finished, in the order of their starts."""
    found = []
    for file in folder.glob("outputs/sweeps/s/*/lives"):
        notes = [line.split() for line in file.read_text().splitlines()]
        found += [(int(a[2]), float(a[1]), float(b[1])) for a, b in itertools.pairwise(notes) if b[0] == "ended"]
    return sorted(found, key=lambda life: life[1])


def idle(trials: int, shortest: float) -> None:
    """Measure the share of their time in which the workers wait. shortest: seconds of the shortest trial."""
    with tempfile.TemporaryDirectory() as folder:
        process = processes.start(Path(folder), "proj.train", *words(trials), before=Sleep(shortest))
        process.join()
        assert process.exitcode == 0
        assert_each_trial_once(Path(folder, "outputs/sweeps/s"), trials)
        found = lives(Path(folder))
    first, last = found[0][1], found[-1][1]  # when the last trial has started, no other one is left to wait for
    busy = sum(min(end, last) - start for _, start, end in found)
    row = {
        "trials": trials,
        "shortest": shortest,
        "longest": 10 * shortest,
        "idle": 1 - busy / (WORKERS * (last - first)),
    }
    spans = [end - start for _, start, end in found]
    batches = [spans[place : place + WORKERS] for place in range(0, trials, WORKERS)]
    row["batches"] = 1 - sum(spans) / sum(WORKERS * max(batch) for batch in batches)
    header = "| trials | seconds each | four workers waited | batches of four would have |"
    template = "| {trials:d} | {shortest:g} to {longest:g} | {idle:.1%} | {batches:.1%} |"
    record(f"search/{trials}_trials", header, template, [row])


def kill(kills: int, trials: int, shortest: float, seed: int) -> None:
    """Kill processes of a search `kills` times, resume it, and assert that no trial was lost or run twice."""
    draw, killed = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        while len(killed) < kills:
            process = processes.start(place, "proj.train", *words(trials), before=Sleep(shortest))
            begun = len(list(place.glob("outputs/sweeps/s/*/lives"))) + draw.randint(0, 5)
            while process.exitcode is None and len(list(place.glob("outputs/sweeps/s/*/lives"))) < begun:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 5 * shortest))  # the kill may hit a trial, or come between two or before all
            if process.exitcode is not None:
                break
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            whom = draw.choice(["parent", "worker", "all"]) if workers else "parent"
            for number in {"parent": [], "worker": workers[-1:], "all": workers}[whom]:
                os.kill(int(number), signal.SIGKILL)
            if whom == "worker":
                time.sleep(draw.uniform(0, 10 * shortest))  # the other workers keep running
            process.kill()
            process.join()
            killed.append(whom)
        process = processes.run(place, "proj.train", *words(trials), before=Sleep(0.01))
        assert process.returncode == 0, process.stderr
        assert_each_trial_once(place / "outputs/sweeps/s", trials)
    sentence = f"after {len(killed)} kills of workers, of the parent or of all, each of {trials} trials had one result"
    record("search/kills", "", "", [], sentence, kills={whom: killed.count(whom) for whom in sorted(set(killed))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3.0, help="the shortest trial; 0 leaves the first part out")
    parser.add_argument("--kills", type=int, default=20, help="0 leaves the second part out")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    arguments = parser.parse_args()
    if arguments.seconds:
        idle(arguments.trials, arguments.seconds)
    if arguments.kills:
        kill(arguments.kills, max(arguments.trials, 4 * arguments.kills), (arguments.seconds or 3) / 10, arguments.seed)


if __name__ == "__main__":
    main()
