"""Test accuracy and training time of presets and defaults, over several seeds: `python benchmarks/accuracy.py [ROW …]`.

Each row of the tables in docs/results.md is one command, which is trained with several seeds, one after the other, in
the folders outputs/accuracy/<row>/<seed>. The benchmark may be stopped at any time: seeds that have finished are not
trained again, and an interrupted one resumes. Once all seeds of a row have finished, their mean is written to
benchmarks/results/accuracy/<row>.json. All rows together take about five hours on one thread of a recent server CPU;
`iris_tutorial` takes less than a minute.

`--set` adds a setting to every command of a dataset, for example
`--set cifar10 dataset.source._target_=cifar10_jpeg.CIFAR10` to read another copy of the data.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from record import machine, record, stamp

NO_SOURCE = "–"
CLAIM = "“112 %” (tested on the training set, against one-hot labels)"
PUBLISHED = "dataset.sizes=null trainer.max_epochs=8"  # the schedule that the source of the recipe published
# row: (dataset, settings, number of seeds, the accuracy that we aim for, what the source of the recipe reports)
ROWS = {
    "mnist_dnn": ("mnist", "preset=mnist_dnn", 10, 0.973, "81 → 95 % within epoch 1"),
    "arm_mnist": ("mnist", "preset=arm_mnist", 10, 0.968, NO_SOURCE),
    "windows_ml_cifar10": ("cifar10", "preset=windows_ml_cifar10", 3, 0.68, "65 % after 2 epochs, 70 % after 5"),
    "fashion_mlp": ("fashion_mnist", "preset=fashion_mlp", 10, 0.80, CLAIM),
    "iris_tutorial": ("iris", "preset=iris_tutorial", 10, None, "77 % validation"),
    "iris": ("iris", "dataset=iris model=iris", 10, 0.93, NO_SOURCE),
    "iris_folds": ("iris", "-m dataset=iris dataset.folds=5 dataset.fold=0,1,2,3,4", 10, None, NO_SOURCE),
    "digits_mlp": ("digits", "dataset=digits model=mlp", 10, None, NO_SOURCE),
    "digits_cnn": ("digits", "dataset=digits model=cnn", 10, 0.98, NO_SOURCE),
    "mnist_mlp": ("mnist", "dataset=mnist model=mlp", 10, 0.982, NO_SOURCE),
    "mnist": ("mnist", "dataset=mnist", 10, 0.996, NO_SOURCE),
    "mnist_best": ("mnist", "preset=mnist_best", 3, 0.997, NO_SOURCE),
    "mnist_cnn": ("mnist", "dataset=mnist model=cnn", 10, 0.994, NO_SOURCE),
    "fashion_mnist_mlp": ("fashion_mnist", "dataset=fashion_mnist model=mlp", 10, 0.895, NO_SOURCE),
    "fashion_mnist": ("fashion_mnist", "dataset=fashion_mnist", 10, 0.94, NO_SOURCE),
    "fashion_best": ("fashion_mnist", "preset=fashion_best", 3, 0.95, NO_SOURCE),
    "fashion_mnist_cnn": ("fashion_mnist", "dataset=fashion_mnist model=cnn", 3, 0.93, NO_SOURCE),
    "cifar10_mlp": ("cifar10", "dataset=cifar10 model=mlp", 10, 0.54, NO_SOURCE),
    "cifar10": ("cifar10", "dataset=cifar10", 3, 0.89, NO_SOURCE),
    "cifar10_cnn": ("cifar10", "dataset=cifar10 model=cnn", 3, 0.87, NO_SOURCE),
    "cifar10_fast": ("cifar10", "preset=cifar10_fast", 3, 0.905, NO_SOURCE),
    "cifar10_published": ("cifar10", f"preset=cifar10_fast {PUBLISHED}", 3, None, "94 % of the original, augmented"),
}
HEADER = (
    "| `python -m proj.train …` | parameters | the source reports | test accuracy (seeds) | aim | seconds | training |"
)
TEMPLATE = (
    "| `{command}`{copy} | {parameters:,} | {source} | {accuracy:.2f} ± {spread:.2f} % ({seeds:d}) | {aim} | {time:} "
    "| {training:} |"
)


def run(settings: str, seed: int, folder: Path, extra: list[str]) -> None:
    """Train one seed, and write the commit and the CPU seconds into the file benchmark.json of its folder.

    A run that resumes has no CPU seconds there (None), since those before its interruption are unknown.
    """
    about, resumes = stamp(), folder.exists()
    place = f"hydra.sweep.dir={folder}" if "-m " in settings else f"hydra.run.dir={folder}"
    words = [*settings.split(), f"seed={seed}", place, *extra]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "proj.train", *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (folder / "benchmark.json").write_text(json.dumps(about | {"processor_seconds": None if resumes else used}))


def result(settings: str, folder: Path) -> dict:
    """The results of one seed: means over its folds, or those of its single run, with what `run` wrote beside them.

    Returns {} if a run or a fold has not finished yet.
    """
    found = [json.loads(file.read_text()) for file in sorted(folder.rglob("metrics.json"))]
    if len(found) < (5 if "folds" in settings else 1):
        return {}
    means = {
        name: statistics.mean(one[name] for one in found) for name in ("test/acc", "test/acc_tta") if name in found[0]
    }
    about, ended = folder / "benchmark.json", max(file.stat().st_mtime for file in folder.rglob("metrics.json"))
    date = datetime.fromtimestamp(ended, timezone.utc).isoformat(timespec="minutes")
    known = {"commit": None, "dirty": None, "date": date, "processor_seconds": None}
    known |= json.loads(about.read_text()) if about.exists() else {}
    return {**known, **means, "parameters": found[0]["parameters"], "seconds": min(one["seconds"] for one in found)}


def spread(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def write(row: str, runs: list[dict], settings: str, aim: float | None, source: str, command: str) -> None:
    """Print a row and write its result file. Its commit and date are those of the oldest run."""
    percents, fastest = [100 * one["test/acc"] for one in runs], min(one["seconds"] for one in runs)
    cells = {"command": settings, "parameters": runs[0]["parameters"], "source": source, "fastest": fastest}
    cells |= {"accuracy": statistics.mean(percents), "spread": spread(percents), "seeds": len(runs)}
    cells |= {"aim": f"≥ {100 * aim:g} %" if aim else "–"}
    cells |= {"time": f"{fastest:,.0f}" if fastest >= 10 else f"{fastest:.1f}"}
    cells |= {"copy": ", a JPEG copy" if "jpeg" in command else ""}
    cells |= {"training": f"{max(fastest, 1):.0f} s" if fastest < 60 else f"{fastest / 60:.0f} min"}
    header, template = HEADER, TEMPLATE
    if "test/acc_tta" in runs[0]:
        augmented = [100 * one["test/acc_tta"] for one in runs]
        header += " with augmentation |"
        template += " {augmented:.2f} ± {augmented_spread:.2f} % |"
        cells |= {"augmented": statistics.mean(augmented), "augmented_spread": spread(augmented)}
    oldest = min(runs, key=lambda one: one["date"])
    about = {name: oldest[name] for name in ("commit", "dirty", "date")} | {"command": command}
    about["machine"] = machine() | {"load": None}  # the load at this moment says nothing about the runs
    record(f"accuracy/{row}", header, template, [cells | {"runs": runs}], **about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="default: all")
    parser.add_argument(
        "--set", nargs=2, action="append", default=[], metavar=("DATASET", "SETTING"), help="add a setting"
    )
    parser.add_argument("--seeds", type=int, help="how many, instead of the number in ROWS")
    parser.add_argument("--folder", type=Path, default=Path("outputs/accuracy"), help="where the runs are kept")
    parser.add_argument("--only-table", action="store_true", help="train nothing; write rows that have finished")
    chosen = parser.parse_args()
    for row in chosen.rows or ROWS:
        dataset, settings, seeds, aim, source = ROWS[row]
        extra, runs = [setting for name, setting in chosen.set if name == dataset], []
        for seed in range(chosen.seeds or seeds):
            folder = chosen.folder / row / str(seed)
            if not result(settings, folder) and not chosen.only_table:
                run(settings, seed, folder, extra)
            if found := result(settings, folder):
                runs.append({"seed": seed, **found})
                print(f"{row} seed {seed}: {found['test/acc']:.2%} in {found['seconds']:.3g} s", flush=True)
        if len(runs) >= 3:  # a mean over fewer seeds says too little
            shown = " ".join(["python benchmarks/accuracy.py", row, *(f"--set {dataset} {word}" for word in extra)])
            write(row, runs, settings, aim, source, shown)


if __name__ == "__main__":
    main()
