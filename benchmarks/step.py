"""Where the time of a training step goes, or in the case `iris` that of an epoch: `python benchmarks/step.py`.

Parts: one run with a clock around each of its parts. The time of a part that runs within another one is subtracted from
the outer one. The table shows medians in µs per step, and for Iris means in µs per epoch; it goes to
benchmarks/results/step/<case>_parts.json.

Whole steps (except for Iris): the same run with one setting changed at a time, such as another augmentation or
Lightning's own loop. These runs take turns, `--rounds` times; their medians go to
benchmarks/results/step/<case>_whole.json. `--case` chooses the run: `mlp` (the default), `cnn` or `iris`. Images are
random, so no data is needed. The MLP takes about a minute.
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
from loop import CIFAR10, MNIST, Clock  # the settings name these classes as __main__.MNIST …  # noqa: F401
from record import record

from proj.config.compose import configure
from proj.data.datamodule import InMemoryDataModule
from proj.data.images import ImageDataModule
from proj.models.classifier import Classifier
from proj.models.metrics import Tally
from proj.pictures.tensorboard import Curves, Dashboard
from proj.training.checkpoints import Best
from proj.training.fast import fast_loop
from proj.training.fast.fast_loop import FastEpochLoop, FastValidationLoop
from proj.training.library_defaults import keep_freed_memory
from proj.training.robustness.divergence import Divergence
from proj.training.robustness.resume import Resume
from proj.training.run import train

OPTIONS = ("light", "strong")
MOVED = ("dataset.flip=true", "dataset.shift=2")  # which both augmentations have in common
PARTS = {  # the parts of a step. name: (the class or module, its function)
    "order, cut and normalise the batch": (ImageDataModule, "prepare"),
    "network forward": (Classifier, "forward"),
    "loss and answers kept": (Tally, "update"),
    "the step's loss": (Classifier, "_step"),
    "backward": (fast_loop, "backward"),
    "optimizer (Adam, fused)": (fast_loop, "fused_step"),
    "resume: random numbers of the batch, time for a checkpoint?": (Resume, "on_train_batch_start"),
    "figures, once a window": (Classifier, "on_train_batch_end"),
    "Lightning's counts, loader and hooks": (FastEpochLoop, "fast_batch"),
}
OF_AN_EPOCH = {  # the further parts of an epoch, outside its steps
    "order and cut the batches": (InMemoryDataModule, "prepare"),
    "figures of the validation": (Classifier, "on_validation_epoch_end"),
    "validation: its hooks, training and evaluation mode": (FastValidationLoop, "run"),
    "are the weights finite?": (Divergence, "check"),
    "curves": (Curves, "log_metrics"),
    "curves and pictures, once a second to their file": (Curves, "write"),
    "the dashboard's pictures": (Dashboard, "_draw"),
    "best checkpoint": (Best, "on_train_epoch_end"),
    "last checkpoint, once, at the end": (Resume, "_save"),
}


def clock(parts: dict[str, list[float]], stack: list[float], name: str, function):
    """Wrap a function so that each call appends its seconds, without those of clocked calls within, to parts[name].

    stack: for each clocked call that is running, the seconds of the clocked calls within it.
    """

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
    """Seconds of a step, or of the whole training for Iris."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        words = loop.settings_of(case, f"{folder}/run", bar)
        train(configure(*words, *settings))
    return statistics.median(Clock.steps) / loop.CASES[case][2] if loop.CASES[case][2] else Clock.whole


def record_parts(case: str, epochs: int) -> None:
    """Record the time of each part, per step, or per epoch if `epochs`, the number of epochs of the run, is given."""
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

    run(chosen.case)  # to warm up
    record_parts(chosen.case, loop.CASES[chosen.case][1] if chosen.case == "iris" else 0)
    if chosen.case == "iris":
        return

    def logging_step(self, batch, batch_idx):
        loss, _ = self._step(batch, "train")
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def with_self_log() -> float:
        """A step that logs its loss with `self.log`, as in Lightning's examples; it runs in Lightning's own loop."""
        from proj.models import CNN, MLP

        for network in (MLP, CNN):
            network.training_step = logging_step
        try:
            return run(chosen.case)
        finally:
            for network in (MLP, CNN):
                del network.training_step

    def with_nvml() -> float:
        import proj.training.run as module

        # `quiet_lightning` unsets the variable below, which Lightning sets.
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
        "and with `self.log` in every step": with_self_log,
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
