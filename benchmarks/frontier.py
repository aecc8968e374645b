"""Validation accuracy against training time for several settings of a dataset: `python benchmarks/frontier.py DATASET`.

The defaults of the image datasets are chosen with it, so it reads no test images. Each setting is trained with three
seeds and validated on a part of the training set. For MNIST and Fashion-MNIST this part is larger than in an ordinary
run, so that small differences show; for CIFAR-10 every seed has another one. MNIST takes about 26 minutes on one thread
of a recent server CPU, Fashion-MNIST 19 minutes and CIFAR-10 90 minutes.

The table goes to benchmarks/results/frontier/<dataset>.json, and a plot beside it. Runs are kept in outputs/frontier;
those that have finished are not trained again. `--set dataset.source._target_=…` trains on another copy of the data.
"""

import argparse
import json
import statistics
from pathlib import Path

import matplotlib
from accuracy import run, spread
from record import RESULTS, record

SIZES = "dataset.sizes="
PLAIN = {  # the names of the rows with the plain network and its defaults
    "mnist": "cnn, 4 epochs",
    "fashion_mnist": "cnn, 8 epochs",
    "cifar10": "cnn, 12 epochs",
}
ROWS = {  # dataset: (settings of the validation part, {name of the row: settings})
    "mnist": (
        f"dataset.val_fraction={1 / 6}",
        {
            PLAIN["mnist"]: "model=cnn",
            "cnn, 5 epochs, small images first": f"model=cnn trainer.max_epochs=5 {SIZES}[16,20,24,28,28]",
            "whitened_cnn, 4 epochs": f"trainer.max_epochs=4 {SIZES}null",
            "whitened_cnn, 6 epochs, more of them small": f"trainer.max_epochs=6 {SIZES}[16,20,20,24,24,28]",
            "whitened_cnn, 5 epochs, small images first": "",
            "whitened_cnn, twice as wide, 12 epochs": "model.widths=[64,128] trainer.max_epochs=12",
        },
    ),
    "fashion_mnist": (
        f"dataset.val_fraction={1 / 6}",
        {
            PLAIN["fashion_mnist"]: "model=cnn",
            "whitened_cnn, 4 epochs": "trainer.max_epochs=4",
            "whitened_cnn, 8 epochs": "",
        },
    ),
    "cifar10": (
        "dataset.val_fraction=0.1 dataset.split_seed={seed}",  # the part of split_seed=0 is easier than others
        {
            "whitened_cnn, batches of 500, Muon with AdamW, 7 epochs": "",
            "whitened_cnn, batches of 2,000, Muon with SGD, 8 epochs (cifar10_fast)": "preset=cifar10_fast",
            "whitened_cnn, batches of 500, Muon with AdamW, 4 epochs": f"trainer.max_epochs=4 {SIZES}[20,24,28,32]",
            PLAIN["cifar10"]: "model=cnn",
        },
    ),
}


def plot(rows: list[dict], file: Path) -> None:
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for row in rows:
        axes.errorbar(row["seconds"], row["accuracy"], row["spread"], fmt="o", capsize=3, label=row["what"])
    axes.set(xlabel="training, processor seconds", ylabel="validation accuracy, %")
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14))  # below, so that it hides no point
    figure.savefig(file, dpi=120, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=ROWS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--set", action="append", default=[], metavar="SETTING", help="a setting to add to every command"
    )
    parser.add_argument("--folder", type=Path, default=Path("outputs/frontier"), help="where the runs are kept")
    chosen = parser.parse_args()
    part, settings = ROWS[chosen.dataset]
    rows = []
    for number, (what, words) in enumerate(settings.items()):
        runs = []
        for seed in range(chosen.seeds):
            folder = chosen.folder / chosen.dataset / f"{number}-{seed}"
            if not (folder / "metrics.json").exists():
                more = [*part.format(seed=seed).split(), "test=false", *words.split(), *chosen.set]
                run(f"dataset={chosen.dataset}", seed, folder, more)
            about = json.loads((folder / "benchmark.json").read_text())
            metrics = json.loads((folder / "metrics.json").read_text())
            runs.append({"accuracy": 100 * metrics["val/acc"], "seconds": about["processor_seconds"]})
        percents, seconds = ([one[name] for one in runs] for name in ("accuracy", "seconds"))
        rows.append(
            {"what": what, "settings": words or "the default", "parameters": metrics["parameters"], "seeds": len(runs)}
            | {"accuracy": statistics.mean(percents), "spread": spread(percents), "seconds": statistics.mean(seconds)}
        )
        print(what, rows[-1]["accuracy"], rows[-1]["seconds"], flush=True)
    header = "| settings | parameters | validation accuracy (seeds) | processor seconds |"
    template = "| {what} | {parameters:,} | {accuracy:.2f} ± {spread:.2f} % ({seeds:d}) | {seconds:,.0f} |"
    record(f"frontier/{chosen.dataset}", header, template, rows)
    plot(rows, RESULTS / "frontier" / f"{chosen.dataset}.png")


if __name__ == "__main__":
    main()
