"""What a sweep costs beyond its training: `python benchmarks/sweep.py`.

A grid of 100 Iris jobs of five epochs, as one command; the same jobs in processes of their own (isolate=true), and
through Hydra's own sweeper; a few of them as commands of their own; and the finished sweep once more. Seconds of the
clock and of the processor, for whole processes and all that they start; a job's own training is what its metrics.json
says. What a job costs beyond the imports is the difference between a sweep and one of a job, by the jobs.
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

from proj.errors import how_many

SETTINGS = ["trainer.max_epochs=5", "~callbacks.progress"]


def measure(folder: str, *words: str) -> tuple[float, float]:
    """(clock, processor) seconds of `python -m proj.train <words>`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "proj.train", *words, *SETTINGS], cwd=folder, capture_output=True, check=True)
    clock = time.perf_counter() - start
    try:
        while True:
            os.wait()  # for the server that isolated jobs are forked from, of which this process is the parent by now
    except ChildProcessError:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--commands", type=int, default=5, help="so many of the jobs as commands of their own")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: take over what its children leave
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
