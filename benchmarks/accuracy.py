"""Accuracy and time of every recipe of the README, as its table: `python benchmarks/accuracy.py [ROW ...]`.

Each row is the command that it names, for several seeds, one after the other, in outputs/accuracy/<row>/<seed>; what is
finished is not run again, what was stopped goes on. `--set` adds settings to every command of a data set, for example
`--set cifar10 dataset.source._target_=cifar10_jpeg.CIFAR10` for another copy of the data.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROWS = {  # row: (data set, settings, seeds, what the accuracy should reach)
    "mnist_dnn": ("mnist", "preset=mnist_dnn", 3, 0.973),
    "arm_mnist": ("mnist", "preset=arm_mnist", 3, 0.968),
    "windows_ml_cifar10": ("cifar10", "preset=windows_ml_cifar10", 3, 0.68),
    "fashion_mlp": ("fashion_mnist", "preset=fashion_mlp", 3, 0.80),
    "iris_tutorial": ("iris", "preset=iris_tutorial", 10, None),
    "iris": ("iris", "dataset=iris model=iris", 10, 0.93),
    "digits_mlp": ("digits", "dataset=digits model=mlp", 3, None),
    "digits_cnn": ("digits", "dataset=digits model=cnn", 3, 0.98),
    "mnist_mlp": ("mnist", "dataset=mnist model=mlp", 3, 0.982),
    "mnist_cnn": ("mnist", "dataset=mnist model=cnn", 3, 0.994),
    "fashion_mnist_mlp": ("fashion_mnist", "dataset=fashion_mnist model=mlp", 3, 0.895),
    "fashion_mnist_cnn": ("fashion_mnist", "dataset=fashion_mnist model=cnn", 3, 0.93),
    "cifar10_mlp": ("cifar10", "dataset=cifar10 model=mlp", 3, 0.54),
    "cifar10_cnn": ("cifar10", "dataset=cifar10 model=cnn", 3, 0.87),
    "cifar10_fast": ("cifar10", "preset=cifar10_fast", 3, 0.896),
}


def score(shares: list[float]) -> str:
    """Mean ± standard deviation in % (number)."""
    percents = [100 * share for share in shares]
    spread = f" ± {statistics.stdev(percents):.2f}" if len(percents) > 1 else ""
    return f"{statistics.mean(percents):.2f}{spread} % ({len(percents)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: all")
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("DATASET", "SETTING"))
    parser.add_argument("--seeds", type=int, help="instead of each row's own number")
    parser.add_argument("--folder", type=Path, default=Path("outputs/accuracy"))
    parser.add_argument("--only-table", action="store_true", help="of what is finished; run nothing")
    chosen = parser.parse_args()
    print("| command | parameters | test accuracy | aim | fastest, s |\n| --- | ---: | ---: | ---: | ---: |")
    for row in chosen.rows or ROWS:
        dataset, settings, seeds, aim = ROWS[row]
        runs = []
        for seed in range(chosen.seeds or seeds):
            folder = chosen.folder / row / str(seed)
            extra = [setting for name, setting in chosen.set if name == dataset]
            if not (folder / "metrics.json").is_file() and not chosen.only_table:
                words = [*settings.split(), f"seed={seed}", f"hydra.run.dir={folder}", *extra]
                subprocess.run([sys.executable, "-m", "proj.train", *words], check=True, stdout=subprocess.DEVNULL)
            if (folder / "metrics.json").is_file():
                runs.append(json.loads((folder / "metrics.json").read_text()))
        if runs:
            accuracy = score([run["test/acc"] for run in runs])
            if "test/acc_tta" in runs[0]:
                accuracy += f", augmented {score([run['test/acc_tta'] for run in runs])}"
            print(
                f"| `{settings}` | {runs[0]['parameters']:,} | {accuracy} "
                f"| {f'≥ {100 * aim:g} %' if aim else '–'} | {min(run['seconds'] for run in runs):.3g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
