"""Time per image of torchvision's networks on a CPU, beside their ImageNet accuracy: `python benchmarks/backbones.py`.

Measures the CPU milliseconds per 224×224 image of the forward pass, on one thread, in batches of 16, in float32 and in
bfloat16. The weights are random, since they do not affect the time. In each of `--rounds` rounds every network runs
once in both precisions, and the table shows the medians. Accuracies and numbers of multiply-adds are those that
torchvision publishes. Takes less than a minute, and writes benchmarks/results/backbones.json.
"""

import argparse
import statistics
import time

import torch
from record import record
from torchvision.models import get_model, get_model_weights

NAMES = "shufflenet_v2_x1_0 mobilenet_v3_small mobilenet_v3_large mobilenet_v2 regnet_y_400mf efficientnet_b0 resnet18"
PRECISIONS = {"float32": False, "bfloat16": True}


def milliseconds(network: torch.nn.Module, x: torch.Tensor, bfloat16: bool) -> float:
    """CPU milliseconds per image of one forward pass of the batch `x`."""
    start = time.process_time()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        network(x)
    return 1e3 * (time.process_time() - start) / len(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    networks = {name: get_model(name).eval().to(memory_format=torch.channels_last) for name in NAMES.split()}
    x = torch.randn(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    times: dict[tuple[str, str], list[float]] = {(name, kind): [] for name in networks for kind in PRECISIONS}
    for round_number in range(rounds + 1):
        for name, kind in times:
            spent = milliseconds(networks[name], x, PRECISIONS[kind])
            times[name, kind] += [spent] if round_number else []  # the first round warms up
    rows = []
    for name in networks:
        about = get_model_weights(name).DEFAULT.meta
        rows.append({"name": name, "operations": about["_ops"], "accuracy": about["_metrics"]["ImageNet-1K"]["acc@1"]})
        rows[-1] |= {kind: statistics.median(times[name, kind]) for kind in PRECISIONS}
    header = "| backbone | ImageNet | multiply-adds | ms in float32 | ms in bfloat16 |"
    template = "| `{name}` | {accuracy:.1f} % | {operations:.3f} G | {float32:.1f} | {bfloat16:.1f} |"
    record("backbones", header, template, rows, rounds=rounds)


if __name__ == "__main__":
    main()
