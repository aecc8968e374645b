"""Whether memory grows over 1,000 epochs of Iris, and over 200 runs in one process: `python benchmarks/memory.py`.

Notes the resident memory after every epoch, and after every run. The tables show it in ten steps; the results, in
benchmarks/results/memory/, also have the growth after the first tenth in percent. Takes about five minutes, and needs
no data.
"""

import argparse
import contextlib
import gc
import io
import resource
import tempfile
from pathlib import Path

from lightning.pytorch import Callback
from record import record

from proj.config.compose import configure
from proj.training.run import train

points: list[float] = []


def resident() -> float:
    """The resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


class Watch(Callback):
    """Appends the resident memory to `points` after each epoch."""

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        points.append(resident())


def report(name: str, what: str) -> None:
    """Record what `points` holds, with a sentence that begins with `what`, and empty it."""
    tenths = [points[(len(points) - 1) * i // 10] for i in range(11)]
    settled = points[len(points) // 10 :]
    growth = 100 * (max(settled) / settled[0] - 1)
    rows = [{"tenth": place, "memory": point} for place, point in enumerate(tenths)]
    sentence = f"{what} from {tenths[0]:.0f} to {tenths[-1]:.0f} MiB"
    record(
        f"memory/{name}", "| tenths | MiB |", "| {tenth:d} | {memory:.0f} |", rows, sentence, growth_in_percent=growth
    )
    points.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        words = [f"trainer.max_epochs={chosen.epochs}", "~callbacks.progress", "save_every=1"]
        words += [f"+callbacks.watch._target_={__name__}.Watch", f"hydra.run.dir={home}/long"]
        with contextlib.redirect_stdout(io.StringIO()):
            train(configure(*words))
        report("epochs", f"over {chosen.epochs:,} epochs of Iris memory goes")
        for run in range(chosen.runs):
            model = ("model=iris", "dataset=digits model=mlp", "dataset=digits model=cnn")[run % 3].split()
            with contextlib.redirect_stdout(io.StringIO()):
                train(configure(*model, "trainer=debug", "~callbacks.progress", f"hydra.run.dir={home}/{run}"))
            gc.collect()
            points.append(resident())
        report("runs", f"over {chosen.runs} runs in one process")


if __name__ == "__main__":
    main()
