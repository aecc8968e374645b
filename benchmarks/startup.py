"""Time of short commands from start to end, compared with the bare imports: `python benchmarks/startup.py`.

Measures whole processes with one thread: the imports of a script written by hand, followed by one optimizer step; short
runs on Iris, digits and a CSV table, each with validation, test, checkpoints and TensorBoard; and commands that should
answer at once, such as `--help`, beside the import of Hydra alone. They take turns, `--rounds` times; the table shows
medians of the CPU seconds and their ratios to the first row. Seven rounds take about two minutes. Needs no data, and
writes benchmarks/results/startup.json.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sklearn
from record import record

IMPORTS = """import torch, torchvision, lightning.pytorch, torchmetrics, hydra
weights = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.Adam([weights], lr=1e-3)
weights.sum().backward()
optimizer.step()
"""
COMMAND = ["-m", "proj.train"]
ROWS = {
    "`import torch, torchvision, lightning, torchmetrics, hydra`, one step": ["-c", IMPORTS],
    "`python -m proj.train trainer.max_epochs=5` (Iris)": [*COMMAND, "trainer.max_epochs=5"],
    "`dataset=digits trainer.max_epochs=1`": [*COMMAND, "dataset=digits", "trainer.max_epochs=1"],
    "`dataset=csv …` (150 rows, five epochs)": [
        *(*COMMAND, "dataset=csv", "data_dir=table.csv", "dataset.target=species", "trainer.max_epochs=5")
    ],
    "`import hydra`": ["-c", "import hydra"],
    "`--help`": [*COMMAND, "--help"],
    "`--cfg job`": [*COMMAND, "--cfg", "job"],
    "`optimiser=adam` (an error)": [*COMMAND, "optimiser=adam"],
}


def write_table(folder: str) -> None:
    """Write Iris as table.csv, with a header and the names of the species."""
    _, *rows = (Path(sklearn.__file__).parent / "datasets/data/iris.csv").read_text().split()
    species = "setosa", "versicolor", "virginica"
    lines = [",".join([*row.split(",")[:4], species[int(row.split(",")[4])]]) for row in rows]
    Path(folder, "table.csv").write_text("\n".join(["a,b,c,d,species", *lines, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    times: dict[str, list[tuple[float, float]]] = {row: [] for row in ROWS}
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        write_table(folder)
        for _ in range(rounds + 1):
            for row, words in ROWS.items():
                before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                subprocess.run([sys.executable, *words], cwd=folder, capture_output=True)
                after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                times[row].append((cpu, wall))
    rows = []
    for row, values in times.items():
        # The first round is left out, since it reads the files into the disk cache.
        cpu, wall = (statistics.median(column) for column in zip(*values[1:], strict=True))
        rows.append({"command": row, "processor": cpu, "clock": wall})
        rows[-1]["ratio"] = cpu / rows[0]["processor"]
    template = "| {command} | {processor:.2f} | {clock:.2f} | {ratio:.2f} |"
    record("startup", "| command | CPU seconds | wall seconds | ratio |", template, rows, rounds=rounds)


if __name__ == "__main__":
    main()
