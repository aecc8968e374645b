"""How time and memory grow with batches, images and width; the memory of default runs: `python benchmarks/growth.py`.

The part `defaults` measures the peak memory of the default runs; `growth` measures the training time per image and the
peak memory of runs with more and more images in a batch, training images, and channels of the CNN. Images are random,
with the shapes and numbers of the real datasets, so no data is needed.

Each measurement is a process of its own, forked from this one after all imports. Its memory is the peak that the kernel
reports minus the memory at the fork, so that it is what the run adds to the imported libraries. The tables go to
benchmarks/results/growth/, the plot to benchmarks/growth.png. Both parts take less than half an hour together.
"""

import argparse
import contextlib
import io
import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import loop
import torch
from loop import Clock
from record import record

from proj.config.compose import configure
from proj.training.run import train

PAIRS = [
    *((dataset, model) for dataset in ("mnist", "fashion_mnist", "cifar10") for model in ("mlp", "cnn")),
    *(("digits", "mlp"), ("digits", "cnn"), ("iris", "iris"), ("iris", "mlp")),
]


class ManyImages(loop.RandomImages):
    """MNIST with random images, of which `count` are for training. `measure` sets `count` before each run."""

    shape = (28, 28)
    count = 60_000

    def __init__(self, root: str, train: bool) -> None:
        super().__init__(root, train)
        if train:
            repeats = -(-ManyImages.count // len(self.targets))
            self.data = self.data.repeat(repeats, 1, 1)[: ManyImages.count]
            self.targets = self.targets.repeat(repeats)[: ManyImages.count]


def resident() -> float:
    """The resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def in_own_process(work: Callable[[], tuple]) -> tuple:
    """Call `work` in a fork of this process: (*what it returned, the MB by which the peak exceeds the start)."""

    def child(connection) -> None:
        before, result = resident(), work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        connection.send((*result, peak - before))

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(there,))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def measure(words: list[str], count: int = 60_000) -> tuple[float, float]:
    """(µs per training image, peak MB) of a run in a process of its own. count: the training images of ManyImages."""

    def work() -> tuple[float]:
        torch.set_num_threads(1)
        ManyImages.count = count
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            off = ("~callbacks.progress", "+callbacks.clock._target_=loop.Clock")
            cfg = configure(*words, f"hydra.run.dir={folder}/run", *off)
            train(cfg)
        images = cfg.dataset.batch_size * cfg.trainer.limit_train_batches
        return (1e6 * min(Clock.steps) / images,)

    return in_own_process(work)


def source(name: str) -> str:
    """The setting that reads the random images of a class in this file or in loop.py."""
    return f"dataset.source._target_={'growth' if name == 'ManyImages' else 'loop'}.{name}"


def defaults() -> None:
    """Measure the peak memory of every pair of dataset and model in PAIRS."""
    rows = [{"run": "`model=mlp`"}, {"run": "`model=cnn` (Iris: `model=iris`)"}]
    for dataset, model in PAIRS:
        words = [f"dataset={dataset}", f"model={model}", "trainer.max_epochs=1", "trainer.limit_train_batches=10"]
        if dataset not in ("digits", "iris"):
            words.append(source("CIFAR10" if dataset == "cifar10" else "MNIST"))
        rows[model != "mlp"][dataset] = measure(words)[1]
    datasets = list(rows[0])[1:]
    template = "| {run} | " + " | ".join(f"{{{name}:,.0f}}" for name in datasets) + " |"
    record("growth/defaults", f"| run, MB | {' | '.join(datasets)} |", template, rows)


def batches(model: str) -> list[tuple[int, float, float]]:
    """(batch size, µs per image, peak MB) for growing batches."""
    rows = []
    for size in (32, 64, 128, 256, 512, 1024, 2048, 4096):
        steps = max(2, (16384 if model == "mlp" else 4096) // size)
        words = ["dataset=mnist", f"model={model}", source("MNIST"), f"dataset.batch_size={size}", "test=false"]
        rows.append((size, *measure([*words, "trainer.max_epochs=2", f"trainer.limit_train_batches={steps}"])))
    return rows


def images() -> list[tuple[int, float, float]]:
    """(number of training images, µs per image, peak MB)."""
    words = ["dataset=mnist", "model=mlp", source("ManyImages"), "dataset.batch_size=512", "test=false"]
    words += ["trainer.max_epochs=2", "trainer.limit_train_batches=17"]
    return [(count, *measure(words, count)) for count in (10_000, 30_000, 60_000, 125_000, 250_000, 500_000)]


def widths() -> list[tuple[int, float, float]]:
    """(factor of the CNN's default widths, µs per image, peak MB)."""
    rows = []
    for factor in (1, 2, 3, 4):
        sizes = ",".join(str(32 * factor * 2**i) for i in range(2))
        words = ["dataset=mnist", "model=cnn", source("MNIST"), f"model.widths=[{sizes}]", "test=false"]
        rows.append((factor, *measure([*words, "trainer.max_epochs=1", "trainer.limit_train_batches=8"])))
    return rows


def sentences_of(curves: dict[str, list[tuple[int, float, float]]]) -> tuple[str, str]:
    """The sentences about the curves as docs/speed.md has them, with the measured numbers."""
    times = [time for _, time, _ in curves["cnn, batch size"]]
    beyond = [f"{memory - 784e-6 * count:.0f} MB with {count:,}" for count, _, memory in curves["images"]]
    return (
        f"level for the CNN (batch 4,096: {100 * (times[-1] / min(times) - 1):.0f} % above the best)",
        f"Beyond the images themselves a run takes {beyond[0]} images and {beyond[-1]}",
    )


def draw(curves: dict[str, list[tuple[int, float, float]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(11, 5.5), layout="constrained")
    titles = ("batch size", "training images", "width of the CNN")
    groups = (("mlp, batch size", "cnn, batch size"), ("images",), ("width",))
    for column, (title, names) in enumerate(zip(titles, groups, strict=True)):
        for name in names:
            x, time, memory = zip(*curves[name], strict=True)
            label = name.split(",")[0] if "," in name else None
            axes[0, column].plot(x, time, marker="o", label=label)
            axes[1, column].plot(x, memory, marker="o", label=label)
            if name == "images":
                axes[1, column].plot(x, [784 * count / 1e6 for count in x], "k--", label="the images themselves")
        for axis, what in zip(axes[:, column], ("µs an image", "peak memory, MB"), strict=True):
            axis.set_xlabel(title)
            axis.set_ylabel(what)
            if axis is not axes[0, 0]:
                axis.set_ylim(0)
            axis.grid(alpha=0.3)
            if title != "width of the CNN":
                axis.set_xscale("log", base=2 if title == "batch size" else 10)
                if title == "batch size":
                    axis.set_xticks(x[::2], [f"{size:,}" for size in x[::2]])
            else:
                axis.set_xticks([1, 2, 3, 4], ["×1", "×2", "×3", "×4"])
            if axis.get_legend_handles_labels()[0]:
                axis.legend(frameon=False)
    axes[0, 0].set_yscale("log")
    figure.savefig(Path(__file__).with_name("growth.png"), dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="defaults or growth; default: both")
    parts = parser.parse_args().parts or ["defaults", "growth"]
    if "defaults" in parts:
        defaults()
    if "growth" in parts:
        curves = {"mlp, batch size": batches("mlp"), "cnn, batch size": batches("cnn"), "images": images()}
        curves["width"] = widths()
        rows = [dict(zip(("x", "time", "memory"), row, strict=True), of=of) for of in curves for row in curves[of]]
        template = "| {of} | {x:,} | {time:,.1f} | {memory:,.0f} |"
        record("growth/curves", "| | of | µs an image | peak memory, MB |", template, rows, *sentences_of(curves))
        draw(curves)


if __name__ == "__main__":
    import growth  # as a module of this name, since the settings name its class growth.ManyImages

    growth.main()
