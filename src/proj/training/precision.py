"""In which numbers a run computes: `trainer.precision=auto` takes what this machine is fast in."""

import torch
from torch import nn

from proj.models.classifier import Classifier

SMALL = 200_000  # multiplications by weights for an example: with half of them a CPU gains little from bfloat16
FEW = 1_000_000  # weights: the kernels of such a network are short on a GPU, which waits for their launches


def has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 pays: on a GPU that has it, and on a CPU with instructions for it.

    With AMX a CPU multiplies matrices six times as fast in bfloat16, with AVX-512's instructions up to four times, and
    without either it emulates bfloat16, 50 times as slow. This is what the processor says, not what a stopwatch does,
    which answers otherwise on a busy machine: two runs of one seed then computed in other numbers. Arm's processors,
    on which nothing was measured, compute in float32.
    """
    if device == "cpu":
        known = torch.cpu.get_capabilities()
        return any(known.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_precision(model: Classifier, device: str) -> tuple[str, str]:
    """(precision for Lightning's Trainer, why). device: "cpu", "cuda" or another type of torch's."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    weights = sum(parameter.numel() for parameter in model.parameters())
    small = model.multiplications < SMALL if device == "cpu" else weights < FEW
    if small and not convolves:
        return "32-true", "a small network gains little from bfloat16"
    if has_fast_bfloat16(device):
        return "bf16-mixed", f"{device} is faster in bfloat16"
    return "32-true", f"{device} is not faster in bfloat16"


def set_precision(asked: str, model: Classifier, accelerator: str) -> tuple[str, str]:
    """(precision for Lightning's Trainer, why), chosen where `asked` is "auto".

    On a GPU, float32 products then use TF32 unless the precision is full float32. The model is converted for float64:
    Lightning does so only after it has put a checkpoint's weights into float32, which rounds them.
    """
    gpu = torch.accelerator.current_accelerator(check_available=True) if accelerator != "cpu" else None
    chosen = choose_precision(model, gpu.type if gpu else "cpu") if asked == "auto" else (asked, "as asked for")
    if gpu and gpu.type == "cuda":
        full = chosen[0] in ("32-true", "32", "64-true", "64")
        torch.set_float32_matmul_precision("highest" if full else "high")
        torch.backends.cudnn.allow_tf32 = not full
    if chosen[0] in ("64-true", "64"):
        model.double()
    return chosen
