"""Training time of `preset=cifar10_fast`, compared with its bare network: `python benchmarks/cifar10_fast.py`.

The bare network sets a lower bound for training on full images: it only computes forward and backward passes, always
on the same batch of 2,000 random images, in the precision that the run chooses, for the 8 epochs of the published
recipe. It is compared with two runs that do everything else too (augmentation, Muon, metrics, curves and checkpoints):
one with the preset's own schedule, whose first epochs have smaller images, and one with the published schedule.

Only a few batches of each epoch are computed, and the time is scaled up to whole epochs. The three take turns,
`--rounds` times, and the table shows medians. Takes about ten minutes on one thread of a recent server CPU, needs no
data, and writes benchmarks/results/cifar10_fast.json.
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

from proj.config.compose import configure
from proj.config.instantiate import build
from proj.training.library_defaults import keep_freed_memory
from proj.training.precision import set_precision
from proj.training.run import train

SETTINGS = ("preset=cifar10_fast", "dataset.source._target_=loop.CIFAR10", "test=false", "trainer.limit_val_batches=1")
PUBLISHED = ("dataset.sizes=null", "trainer.max_epochs=8")
STEPS = 24.5  # in an epoch: 49,000 images in batches of 2,000


def project(batches: int, *settings: str) -> float:
    """Estimate the seconds of all training steps of a run from a few batches of each epoch."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        clock = "+callbacks.clock._target_=loop.Clock"
        off = ["~callbacks.progress"]
        limit = f"trainer.limit_train_batches={batches}"
        train(configure(*SETTINGS, *settings, clock, *off, limit, f"hydra.run.dir={folder}/run"))
    return sum(loop.Clock.steps) / batches * STEPS


def bare(batches: int) -> float:
    """Estimate the seconds of the forward and backward passes in 8 epochs from a few of them."""
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
    parser.add_argument("--batches", type=int, default=3, help="batches of 2,000 images to compute in each epoch")
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
