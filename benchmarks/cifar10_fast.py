"""`preset=cifar10_fast` against its floor, the bare network: `python benchmarks/cifar10_fast.py`.

The floor is forward and backward of the same network on one batch of 2,000 random images of full size, in the precision
that the run chooses, for the 8 epochs of the recipe as it was published. The run trains with everything: augmentation,
Muon, tallies, curves, checkpoints; with the preset's own sizes of the images, and with the published schedule.
They take turns, and a few batches stand for each epoch.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time

import loop
import torch
from record import record
from torch.nn import functional as F

from proj.config.compose import build, configure
from proj.training.library_defaults import keep_freed_memory
from proj.training.precision import set_precision
from proj.training.run import train

SETTINGS = ("preset=cifar10_fast", "dataset.source._target_=loop.CIFAR10", "test=false", "trainer.limit_val_batches=1")
PUBLISHED = ("dataset.sizes=null", "trainer.max_epochs=8")
STEPS = 24.5  # of an epoch: 49,000 images in batches of 2,000


def project(batches: int, *settings: str) -> float:
    """Seconds of all training steps of a run, from a few batches of each epoch."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        clock = "+callbacks.clock._target_=loop.Clock"
        off = ["~callbacks.progress"]
        limit = f"trainer.limit_train_batches={batches}"
        train(configure(*SETTINGS, *settings, clock, *off, limit, f"hydra.run.dir={folder}/run"))
    return sum(loop.Clock.steps) / batches * STEPS


def bare(batches: int) -> float:
    """Seconds of forward and backward in 8 epochs."""
    cfg = configure(*SETTINGS)
    model = build(cfg.model, input_shape=(3, 32, 32), num_classes=10)
    network = model.network
    network[0].weight.requires_grad_(False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision, _ = set_precision(cfg.trainer.precision, model, cfg.trainer.accelerator)
    network.to(device)
    x = torch.randn(2000, 3, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (2000,), device=device)
    start = time.perf_counter()
    for _ in range(batches):
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = F.cross_entropy(network(x), y, label_smoothing=0.2)
        loss.backward()
        network.zero_grad()
    loss.item()
    return (time.perf_counter() - start) / batches * STEPS * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=3, help="of 2,000 images, a measurement")
    chosen = parser.parse_args()
    keep_freed_memory()
    measures = (bare, project, lambda batches: project(batches, *PUBLISHED))
    rounds = [[measure(chosen.batches) for measure in measures] for _ in range(chosen.rounds)]
    names = ["bare network, forward and backward, 8 epochs of full images", "`preset=cifar10_fast`"]
    names.append(f"`preset=cifar10_fast {' '.join(PUBLISHED)}`")
    times = [statistics.median(column) for column in zip(*rounds, strict=True)]
    rows = [{"what": name, "seconds": time, "ratio": time / times[0]} for name, time in zip(names, times, strict=True)]
    facts = {"rounds": chosen.rounds, "batches": chosen.batches}
    record(
        "cifar10_fast",
        "| training | seconds | ratio |",
        "| {what} | {seconds:,.0f} | {ratio:.2f} |",
        [rows[0] | facts, *rows[1:]],
    )


if __name__ == "__main__":
    main()
