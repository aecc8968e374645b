"""A step of `preset=cifar10_fast` against its floor, the bare network: `python benchmarks/cifar10_fast.py`.

The floor is forward and backward of the same network on one batch of 2,000 random images, in the precision that the run
chooses; the two take turns. The run trains with everything: augmentation, Muon, tallies, curves, checkpoints.
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

SETTINGS = ("preset=cifar10_fast", "dataset.source._target_=loop.CIFAR10", "test=false", "trainer.max_epochs=1")


def project(batches: int) -> list[float]:
    """Seconds of a training step, one number a run."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        clock = "+callbacks.clock._target_=loop.Clock"
        off = ["~callbacks.progress"]
        limit = f"trainer.limit_train_batches={batches}"
        train(configure(*SETTINGS, clock, *off, limit, f"hydra.run.dir={folder}/run"))
    return loop.Clock.steps[0] / batches


def bare(batches: int) -> float:
    cfg = configure(*SETTINGS)
    network = build(cfg.model, input_shape=(3, 32, 32), num_classes=10).network
    network[0].weight.requires_grad_(False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision, _ = set_precision(cfg.trainer.precision, network, cfg.trainer.accelerator)
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
    return (time.perf_counter() - start) / batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=3, help="of 2,000 images, a measurement")
    chosen = parser.parse_args()
    keep_freed_memory()
    pairs = [(bare(chosen.batches), project(chosen.batches)) for _ in range(chosen.rounds)]
    floor, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    row = {"floor": floor, "whole": whole, "ratio": whole / floor, "minutes": 8 * 24.5 * whole / 60}
    header = "| forward and backward of 2,000 images, s | a step of the run, s | ratio | 8 epochs, minutes |"
    template = "| {floor:.2f} | {whole:.2f} | {ratio:.2f} | {minutes:.0f} |"
    record("cifar10_fast", header, template, [row | {"rounds": chosen.rounds, "batches": chosen.batches}])


if __name__ == "__main__":
    main()
