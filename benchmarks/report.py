"""Time to make a report about a sweep of 300 runs: `python benchmarks/report.py`.

Writes 300 made-up runs: 100 configurations, as in a sweep of learning rates and dropout, with three seeds each. A run
has 20 epochs and 660 points of curves. The report is made three times in one process after the imports, and the fastest
time is recorded, with the size of report.html. Takes less than a minute, and writes benchmarks/results/report.json.
"""

import argparse
import contextlib
import io
import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from record import record

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def make(folder: Path, runs: int) -> None:
    """Write `runs` made-up runs, whose accuracies depend on their settings and on chance."""
    from support.made_runs import write_run

    draw = random.Random(0)
    for group in range(math.ceil(runs / 3)):
        model, optimizer = draw.choice(("mlp", "cnn")), draw.choice(("adam", "adamw", "sgd"))
        lr, dropout = float(f"{10 ** draw.uniform(-4, -1):.2g}"), draw.choice((0.0, 0.1, 0.2, 0.3, 0.5))
        level = 0.97 - 0.05 * (math.log10(lr) + 2.5) ** 2 - 0.1 * dropout**2 + 0.01 * (model == "cnn")
        for seed in range(min(3, runs - 3 * group)):
            write_run(
                folder / f"{3 * group + seed}_lr={lr},model={model},optimizer={optimizer},seed={seed}",
                accuracy=min(0.999, level + draw.gauss(0, 0.005)),
                epochs=20,
                seconds=(40 if model == "cnn" else 8) * draw.uniform(0.9, 1.6),
                finished=draw.random() > 0.02,
                points=30,
                shape=lambda share: (1 - math.exp(-6 * share)) * (1 - 0.03 * draw.random() * (1 - share)),
                model=model,
                optimizer=optimizer,
                lr=lr,
                dropout=dropout,
                seed=seed,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="a folder in which to make and keep the runs and the report")
    arguments = parser.parse_args()
    start = time.perf_counter(), time.process_time()
    from proj.reports.report import report

    print(f"imports: {time.perf_counter() - start[0]:.2f} s, CPU time {time.process_time() - start[1]:.2f} s")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        make(folder, arguments.runs)
        times = []
        for _ in range(3):
            start = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                report([folder])
            times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        wall, cpu = min(times)
        size = os.path.getsize(folder / "report.html") / 1e6
    row = {"runs": arguments.runs, "clock": wall, "processor": cpu, "page": size}
    sentences = f"{arguments.runs} runs take {cpu:.1f} s of one core", f"one file of {size:.0f} MB that loads nothing"
    template = "| {runs:d} | {clock:.1f} | {processor:.1f} | {page:.1f} |"
    record("report", "| runs | seconds | of the processor | report.html, MB |", template, [row], *sentences)


if __name__ == "__main__":
    main()
