"""What a short run takes in all, against the imports that it cannot do without: `python benchmarks/startup.py`.

Whole processes take turns, `--rounds` times: `import lightning.pytorch, torchvision` with the making of an optimizer,
the Iris run (5 epochs, test, table), and the answers that should come at once. The table gives medians of CPU seconds.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = (
    "import lightning.pytorch, torchvision, torch; torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], fused=True)"
)
RUN = ["-m", "proj.train", "trainer.max_epochs=5"]
ROWS = {
    "the imports and an optimizer": ["-c", IMPORTS],
    "`python -m proj.train trainer.max_epochs=5`": RUN,
    "the same, no progress bar or dashboard": [*(*RUN, "~callbacks.dashboard", "~callbacks.progress")],
    "`python -m proj.train --help`": ["-m", "proj.train", "--help"],
    "`python -m proj.train --cfg job`": ["-m", "proj.train", "--cfg", "job"],
    "`python -m proj.train optimiser=adam` (an error)": ["-m", "proj.train", "optimiser=adam"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    times: dict[str, list[tuple[float, float]]] = {row: [] for row in ROWS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for row, words in ROWS.items():
                before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                subprocess.run([sys.executable, *words], cwd=folder, env=os.environ, capture_output=True)
                after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                times[row].append((cpu, wall))
    base = None
    print("| command | CPU seconds | wall seconds | ratio |\n| --- | ---: | ---: | ---: |")
    for row, values in times.items():
        cpu, wall = (statistics.median(column) for column in zip(*values[1:], strict=True))  # the first warms the disk
        base = base or cpu
        print(f"| {row} | {cpu:.2f} | {wall:.2f} | {cpu / base:.2f} |")


if __name__ == "__main__":
    main()
