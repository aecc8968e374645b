"""How well probabilities are calibrated on test images: `python benchmarks/calibration.py [ROW ...]`.

Measures the calibration error before and after temperature scaling, how often a prediction set for a coverage of 95 %
contains the right class, and how many classes such a set has. Each row is trained with three seeds in the folders
outputs/calibration/<row>/<seed>, and then measured with `evaluate`. Seeds that have finished are not trained again, and
an interrupted one resumes. The three default rows take about 35 minutes on one thread of a recent server CPU, most of
them for CIFAR-10. Each row is written to benchmarks/results/calibration/<row>.json.

Each seed also has another validation part (`dataset.split_seed`): the temperature is fitted on that part, and a single
one may happen to be easier or harder than the test part. `--set` adds a setting to every command of a dataset, as in
benchmarks/accuracy.py.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from record import record

from proj.use.evaluation import evaluate

HEADER = (
    "| `python -m proj.train …` | calibration error before | after | right class in the set (0.95) | classes | seeds |"
)
TEMPLATE = "| `{command}` | {before:.2%} | {after:.2%} | {covered:.2%} | {classes:.2f} | {seeds:d} |"
ROWS = {  # row: (dataset, settings)
    "mnist": ("mnist", "dataset=mnist"),
    "fashion_mnist": ("fashion_mnist", "dataset=fashion_mnist"),
    "cifar10": ("cifar10", "dataset=cifar10"),
    "mnist_mlp": ("mnist", "dataset=mnist model=mlp"),
    "fashion_mnist_mlp": ("fashion_mnist", "dataset=fashion_mnist model=mlp"),
    "digits": ("digits", "dataset=digits"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: mnist fashion_mnist cifar10")
    parser.add_argument(
        "--set", nargs=2, action="append", default=[], metavar=("DATASET", "SETTING"), help="add a setting"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("outputs/calibration"), help="where the runs are kept")
    parser.add_argument("--trust", default="", help="modules with classes of your own, as in the other commands")
    chosen = parser.parse_args()
    for row in chosen.rows or list(ROWS)[:3]:
        dataset, settings = ROWS[row]
        found = []
        for seed in range(chosen.seeds):
            folder = chosen.folder / row / str(seed)
            if not (folder / "metrics.json").is_file():
                extra = [setting for name, setting in chosen.set if name == dataset]
                seeds = [f"seed={seed}", f"dataset.split_seed={seed}"]
                words = [*settings.split(), *seeds, f"hydra.run.dir={folder}", *extra]
                subprocess.run([sys.executable, "-m", "proj.train", *words], check=True, stdout=subprocess.DEVNULL)
            found.append(evaluate(folder / "best.ckpt", trust=list(filter(None, chosen.trust.split(",")))))
        sets = [one["coverage"] for one in found]
        row_of = {
            "command": settings,
            "seeds": len(found),
            "before": statistics.mean(one["calibration_error_before"] for one in found),
            "after": statistics.mean(one["calibration_error"] for one in found),
            "covered": statistics.mean(one["measured"] for one in sets),
            "classes": statistics.mean(one["classes"] for one in sets),
        }
        record(f"calibration/{row}", HEADER, TEMPLATE, [row_of])


if __name__ == "__main__":
    main()
