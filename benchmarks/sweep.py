"""What a sweep costs in addition to the training of its jobs: `python benchmarks/sweep.py`.

Runs a grid of 100 Iris jobs with five epochs each in several ways: as a sweep in one process; with each job in a
process of its own (`isolate=true`); with Hydra's own sweeper; a few of the jobs as separate commands; and the finished
sweep once more, which trains nothing. Wall-clock and CPU seconds are those of whole commands with all processes that
they start. The time of a job beyond the imports is the difference between the sweep and a sweep of a single job,
divided by the number of further jobs; its metrics.json says which part of that is training. Takes about two minutes,
needs no data, and writes benchmarks/results/sweep.json.
"""

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import record

from proj.wording import how_many

SETTINGS = ["trainer.max_epochs=5", "~callbacks.progress"]


def measure(folder: str, *words: str) -> tuple[float, float]:
    """(wall-clock seconds, CPU seconds) of `python -m proj.train <words>`, with all processes that it starts."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "proj.train", *words, *SETTINGS], cwd=folder, capture_output=True, check=True)
    clock = time.perf_counter() - start
    try:
        while True:
            os.wait()  # for the server from which isolated jobs are forked; the prctl in `main` made it our child
    except ChildProcessError:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--commands", type=int, default=5, help="how many jobs to run as separate commands")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # PR_SET_CHILD_SUBREAPER: orphaned processes of a command become children of this process.
    ctypes.CDLL(None).prctl(36, 1)
    grid = ["-m", f"seed=range({arguments.jobs})"]
    with tempfile.TemporaryDirectory() as folder:
        single = [measure(folder, f"seed={seed}") for seed in range(arguments.commands)]
        jobs = arguments.jobs
        rows = {
            how_many(arguments.commands, "command"): (tuple(map(sum, zip(*single, strict=True))), arguments.commands),
            f"{arguments.jobs} jobs, Hydra's own sweeper": (
                measure(folder, *grid, "hydra/sweeper=basic"),
                arguments.jobs,
            ),
            "a sweep of one job": (measure(folder, "-m", "seed=0", "sweep_name=one"), 1),
            f"{arguments.jobs} jobs, a sweep": (measure(folder, *grid, "sweep_name=x"), arguments.jobs),
            f"{arguments.jobs} jobs, isolate=true": (
                measure(folder, *grid, "sweep_name=apart", "isolate=true"),
                arguments.jobs,
            ),
            "the finished sweep again": (measure(folder, *grid, "sweep_name=x"), arguments.jobs),
        }
        files = Path(folder).glob("outputs/sweeps/x/*/metrics.json")
        training = sum(json.loads(file.read_text())["seconds"] for file in files) / jobs
    found = [
        {"what": name, "clock": clock, "processor": processor, "job": processor / of}
        for name, ((clock, processor), of) in rows.items()
    ]
    one, many, apart = (found[place]["processor"] for place in (2, 3, 4))
    sentences = (
        f"A job takes {(many - one) / (jobs - 1):.2f} s beyond the first: {training:.2f} s are its training",
        f"A process of its own costs it {(apart - many) / jobs:.2f} s more",
    )
    template = "| {what} | {clock:.1f} | {processor:.1f} | {job:.2f} |"
    record("sweep", "| | seconds in all | of the processor | processor seconds a job |", template, found, *sentences)


if __name__ == "__main__":
    main()
