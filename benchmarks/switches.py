"""What each switch, such as `compile`, does to time and accuracy: `python benchmarks/switches.py [SETTING ...]`.

Trains the MNIST CNN with one switch turned the other way at a time, always with the same seed, in processes that take
turns, `--rounds` times. The table shows medians of the time per training image in the last epoch, of the time of the
whole training (with compilation), and of the test accuracy. Without SETTINGs, 3 epochs of 40 batches are trained, and
2,000 images are tested. Needs MNIST, takes a few minutes, and writes benchmarks/results/switches.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from record import record
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SWITCHES = {
    "as it is": [],
    "`trainer.precision=32-true`": ["trainer.precision=32-true"],
    "`trainer.precision=bf16-mixed`": ["trainer.precision=bf16-mixed"],
    "`model.channels_last=false`": ["model.channels_last=false"],
    "`optimizer.fused=null`": ["optimizer.fused=null"],
    "`compile=true`": ["compile=true"],
    "`fast_loop=false`": ["fast_loop=false"],
}


def measure(words: list[str]) -> tuple[float, float, float]:
    """Train with these arguments: (µs per image in the last epoch, seconds of the whole training, test accuracy)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "proj.train", *words, f"hydra.run.dir={folder}/run"]
        subprocess.run(command, check=True, capture_output=True)
        metrics = json.loads(Path(folder, "run", "metrics.json").read_text())
        speeds = EventAccumulator(f"{folder}/run").Reload().Scalars("train/examples_per_second")
    return (
        1e6 / statistics.median(speed.value for speed in speeds[-len(speeds) // 3 :]),  # the last of three epochs
        metrics["seconds"],
        metrics["test/acc"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="SETTING", help="of all runs, instead of the short ones")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    short = ("max_epochs=3", "limit_train_batches=40", "limit_val_batches=1", "limit_test_batches=2")
    settings = chosen.settings or [f"trainer.{word}" for word in short]
    results: dict[str, list[tuple]] = {row: [] for row in SWITCHES}
    for _ in range(chosen.rounds):
        for row, switch in SWITCHES.items():
            results[row].append(measure(["dataset=mnist", "model=cnn", *settings, *switch]))
    base = statistics.median(time for time, _, _ in results["as it is"])
    rows = []
    for row, values in results.items():
        time, whole, accuracy = (statistics.median(column) for column in zip(*values, strict=True))
        rows.append({"switch": row, "time": time, "ratio": time / base, "whole": whole, "accuracy": accuracy})
    template = "| {switch} | {time:,.0f} | {ratio:.2f} | {whole:.1f} | {accuracy:.2%} |"
    header = "| switch | µs an image | ratio | training in all, s | test accuracy |"
    record("switches", header, template, rows, rounds=chosen.rounds)


if __name__ == "__main__":
    main()
