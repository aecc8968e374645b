"""Where the time of a training step goes, part by part, or on Iris that of an epoch:
`python benchmarks/step.py [--case mlp|cnn|iris]`.

One run with a clock around each part (the parts of a part are taken off it), then, of a step, whole steps with one
known cost put back at a time. Medians, in µs a step; of an epoch the mean, in µs an epoch.
"""

import argparse
import contextlib
import functools
import io
import os
import statistics
import tempfile

import loop
import torch
from loop import CIFAR10, MNIST, Clock  # the names that the settings give  # noqa: F401
from record import record

from proj.config.compose import configure
from proj.data.datamodule import InMemoryDataModule
from proj.data.images import ImageDataModule
from proj.models.classifier import Classifier
from proj.models.metrics import Tally
from proj.pictures.tensorboard import Curves, Dashboard
from proj.training.checkpoints import Best
from proj.training.fast import fast_loop, fast_step
from proj.training.fast.fast_loop import FastEpochLoop, FastValidationLoop
from proj.training.library_defaults import keep_freed_memory
from proj.training.robustness.divergence import Divergence
from proj.training.robustness.resume import Resume
from proj.training.run import train

OPTIONS = ("light", "strong")
MOVED = ("dataset.flip=true", "dataset.shift=2")  # what both have
PARTS = {  # of a step; name: where it is
    "order, cut and normalise the batch": (ImageDataModule, "prepare"),
    "network forward": (Classifier, "forward"),
    "loss and answers kept": (Tally, "update"),
    "the step's loss": (Classifier, "_step"),
    "backward": (fast_loop, "backward"),
    "optimizer (Adam, fused)": (fast_step, "fused_step"),
    "resume: random numbers of the batch, time for a checkpoint?": (Resume, "on_train_batch_start"),
    "figures, once a window": (Classifier, "on_train_batch_end"),
    "Lightning's counts, loader and hooks": (FastEpochLoop, "fast_batch"),
}
OF_AN_EPOCH = {  # beside its steps
    "order and cut the batches": (InMemoryDataModule, "prepare"),
    "figures of the validation": (Classifier, "on_validation_epoch_end"),
    "validation: its hooks, training and evaluation mode": (FastValidationLoop, "run"),
    "are the weights finite?": (Divergence, "look"),
    "curves": (Curves, "log_metrics"),
    "curves and pictures, once a second to their file": (Curves, "write"),
    "the dashboard's pictures": (Dashboard, "_draw"),
    "best checkpoint": (Best, "on_train_epoch_end"),
    "last checkpoint, once, at the end": (Resume, "_save"),
}


def clock(parts: dict[str, list[float]], stack: list[float], name: str, function):
    @functools.wraps(function)
    def timed(*args, **settings):
        stack.append(0.0)
        start = loop.now()
        result = function(*args, **settings)
        spent = loop.now() - start
        inner = stack.pop()
        if stack:
            stack[-1] += spent
        parts[name].append(spent - inner)
        return result

    return timed


def run(case: str, *settings: str, bar: bool = False) -> float:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        words = loop.settings_of(case, f"{folder}/run", bar)
        train(configure(*words, *settings))
    return statistics.median(Clock.steps) / loop.CASES[case][2] if loop.CASES[case][2] else Clock.whole


def record_parts(case: str, epochs: int) -> None:
    """One run with a clock around each part. epochs: of the run, where its epochs are measured and not its steps."""
    owners = {**PARTS, **OF_AN_EPOCH} if epochs else PARTS
    parts: dict[str, list[float]] = {name: [] for name in owners}
    stack: list[float] = []
    originals = {name: getattr(owner, attribute) for name, (owner, attribute) in owners.items()}
    for name, (owner, attribute) in owners.items():
        setattr(owner, attribute, clock(parts, stack, name, originals[name]))
    whole = run(case)
    for name, (owner, attribute) in owners.items():
        setattr(owner, attribute, originals[name])
    of_one = (lambda times: sum(times) / epochs) if epochs else statistics.median
    rows = [{"part": name, "time": 1e6 * of_one(times)} for name, times in parts.items() if times]
    if epochs:
        rest = whole - sum(map(sum, parts.values()))
        rows.append(
            {"part": "Lightning's loop over the epochs, its hooks, and the clocks", "time": 1e6 * rest / epochs}
        )
    header = f"| part of {'an epoch' if epochs else 'a step'} | µs |"
    record(f"step/{case}_parts", header, "| {part} | {time:,.0f} |", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="mlp", choices=("mlp", "cnn", "iris"))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()

    run(chosen.case)  # warms up
    record_parts(chosen.case, loop.CASES[chosen.case][1] if chosen.case == "iris" else 0)
    if chosen.case == "iris":
        return

    class WithLog(Classifier):
        def training_step(self, batch, batch_idx):
            loss, _ = self._step(batch, "train")
            self.log("loss", loss, on_step=True, on_epoch=True)
            return loss

    def logged() -> float:
        from proj.models import CNN, MLP

        for network in (MLP, CNN):
            network.training_step = WithLog.training_step
        try:
            return run(chosen.case)
        finally:
            for network in (MLP, CNN):
                del network.training_step

    def with_nvml() -> float:
        import proj.training.run as module

        quiet, module.quiet_lightning = module.quiet_lightning, lambda: None
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
        try:
            return run(chosen.case)
        finally:
            module.quiet_lightning = quiet
            del os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"]

    rows = {
        "as it is": lambda: run(chosen.case),
        "with the progress bar": lambda: run(chosen.case, bar=True),
        **{f"with augment={name}": lambda name=name: run(chosen.case, *MOVED, f"augment={name}") for name in OPTIONS},
        "with Adam not fused": lambda: run(chosen.case, "optimizer.fused=null"),
        "with the NVML check that Lightning asks for": with_nvml,
        "in Lightning's own loop (`fast_loop=false`)": lambda: run(chosen.case, "fast_loop=false"),
        "and with `self.log` in every step": logged,
    }
    times = {row: [] for row in rows}
    for _ in range(chosen.rounds):
        for row, measure in rows.items():
            times[row].append(measure())
    medians = {row: 1e6 * statistics.median(values) for row, values in times.items()}
    found = [{"step": row, "time": time} for row, time in medians.items()]
    plain, light, strong = (medians[row] for row in ("as it is", "with augment=light", "with augment=strong"))
    sentence = (
        f"A step takes {strong / light:.1f} times as long as with light for the smallest network, "
        f"`preset=mnist_dnn` with moved images, {strong / plain:.1f} times as long as where nothing is moved"
    )
    sentences = [sentence] if chosen.case == "mlp" else []
    record(f"step/{chosen.case}_whole", "| whole step | µs |", "| {step} | {time:,.0f} |", found, *sentences)


if __name__ == "__main__":
    main()
