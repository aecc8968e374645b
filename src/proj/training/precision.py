"""In which numbers a run computes: `trainer.precision=auto` measures what this machine is fast in."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from proj.system.locks import alone
from proj.system.run_folder import read_flat, write_json
from proj.training.changes import processor


def has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 pays: on a GPU that has it, and on a CPU that multiplies matrices 1.5 times as fast in it.

    With AMX a CPU is six times as fast in bfloat16, with AVX2 alone 50 times as slow.
    """
    if device != "cpu":
        return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)

    def seconds(matrix: Tensor) -> float:
        start = time.perf_counter()
        matrix @ matrix
        return time.perf_counter() - start

    plain = torch.ones(512, 512)
    short = plain.bfloat16()
    fastest = min(seconds(plain) for _ in range(5))
    if seconds(short) > 10 * fastest:  # emulated: once is enough
        return False
    return 1.5 * min(seconds(short) for _ in range(5)) < fastest


def measured_once(file: Path) -> bool:
    """`has_fast_bfloat16` of the CPU, as the first run found it of those that share `file`.

    They shall compute in the same numbers, and a second measurement may answer otherwise.

    The file holds an answer for each kind of processor, since bfloat16 can be 50 times as slow on another one.
    """
    with alone(file.with_suffix(".lock")):  # side by side they would also measure each other
        known = read_flat(file)
        if processor() not in known:
            known[processor()] = has_fast_bfloat16("cpu")
            write_json(file, known)
    return known[processor()]


def choose_precision(network: nn.Module, device: str, file: Path | None = None) -> tuple[str, str]:
    """(precision for Lightning's Trainer, why). device: "cpu", "cuda" or another type of torch's.

    file: keeps what was measured, see `measured_once`; without it the machine is measured anew.
    """
    convolves = any(isinstance(module, nn.Conv2d) for module in network.modules())
    if not convolves and sum(parameter.numel() for parameter in network.parameters()) < 1_000_000:
        return "32-true", "a small network gains nothing from bfloat16"
    if measured_once(file) if file and device == "cpu" else has_fast_bfloat16(device):  # of a GPU it is a fact
        return "bf16-mixed", f"{device} is faster in bfloat16"
    return "32-true", f"{device} is not faster in bfloat16"


def set_precision(asked: str, network: nn.Module, accelerator: str, file: Path | None = None) -> tuple[str, str]:
    """(precision for Lightning's Trainer, why), chosen where `asked` is "auto". file: see `choose_precision`.

    On a GPU, float32 products then use TF32 unless the precision is full float32.
    """
    gpu = torch.accelerator.current_accelerator(check_available=True) if accelerator != "cpu" else None
    chosen = choose_precision(network, gpu.type if gpu else "cpu", file) if asked == "auto" else (asked, "as asked for")
    if gpu and gpu.type == "cuda":
        full = chosen[0] in ("32-true", "32", "64-true", "64")
        torch.set_float32_matmul_precision("highest" if full else "high")
        torch.backends.cudnn.allow_tf32 = not full
    return chosen
