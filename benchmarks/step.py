"""Where the time of a training step goes, part by part: `python benchmarks/step.py [--case mlp|cnn]`.

One run with a clock around each part (the parts of a part are taken off it), then whole steps with one known cost put
back at a time. Medians, in µs a step.
"""

import argparse
import contextlib
import functools
import io
import os
import statistics
import tempfile
import time

import loop
import torch
from loop import CIFAR10, MNIST, Clock  # the names that the settings give  # noqa: F401
from record import record

from proj.config.compose import configure
from proj.data.images import ImageDataModule
from proj.models.classifier import Classifier
from proj.models.tallies import Tally
from proj.training.fast_loop import FastEpochLoop
from proj.training.library_defaults import keep_freed_memory
from proj.training.resume import Resume
from proj.training.run import train

OPTIONS = ("light", "strong")
MOVED = ("dataset.flip=true", "dataset.shift=2")  # what both have
PARTS = {  # name: where it is
    "order, cut and normalise the batch": (ImageDataModule, "prepare"),
    "network forward": (Classifier, "forward"),
    "loss and accuracy tallied": (Tally, "update"),
    "the step's loss": (Classifier, "_step"),
    "backward": (torch.Tensor, "backward"),
    "optimizer (Adam, fused)": (torch.optim.Adam, "step"),
    "resume: random numbers of the batch, time for a checkpoint?": (Resume, "on_train_batch_start"),
    "curves, once a window": (Classifier, "on_train_batch_end"),
    "Lightning's counts, loader and hooks": (FastEpochLoop, "advance"),
}


def clock(parts: dict[str, list[float]], stack: list[float], name: str, function):
    @functools.wraps(function)
    def timed(*args, **settings):
        stack.append(0.0)
        start = time.perf_counter()
        result = function(*args, **settings)
        spent = time.perf_counter() - start
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
    return statistics.median(Clock.steps) / loop.CASES[case][2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="mlp", choices=("mlp", "cnn"))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()

    run(chosen.case)  # warms up
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    stack: list[float] = []
    originals = {name: getattr(owner, attribute) for name, (owner, attribute) in PARTS.items()}
    for name, (owner, attribute) in PARTS.items():
        setattr(owner, attribute, clock(parts, stack, name, originals[name]))
    run(chosen.case)
    for name, (owner, attribute) in PARTS.items():
        setattr(owner, attribute, originals[name])
    found = [{"part": name, "time": 1e6 * statistics.median(times)} for name, times in parts.items()]
    record(f"step/{chosen.case}_parts", "| part of a step | µs |", "| {part} | {time:,.0f} |", found)

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
    found = [{"step": row, "time": 1e6 * statistics.median(values)} for row, values in times.items()]
    record(f"step/{chosen.case}_whole", "| whole step | µs |", "| {step} | {time:,.0f} |", found)


if __name__ == "__main__":
    main()
