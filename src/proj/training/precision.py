"""Chooses the precision of a run: `trainer.precision=auto` takes the one that is fast on this machine."""

import torch
from torch import nn

from proj.models.classifier import Classifier

FEW_MULTIPLICATIONS = 200_000  # multiplications for an example, below which a CPU gains little from bfloat16
FEW_WEIGHTS = 1_000_000  # weights, below which a GPU's kernels are so short that launching them takes most of the time


def has_fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 is faster: on a GPU that supports it, and on a CPU with instructions for it.

    With instructions of AMX or AVX-512 for it, a CPU multiplies matrices several times as fast in bfloat16; without, it
    emulates bfloat16, and a CNN takes ten times as long. The processor's capabilities decide, not a measurement: on a
    busy machine a measurement may give another answer, and two runs with one seed would differ. Arm processors, on
    which nothing was measured, use float32.
    """
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_precision(model: Classifier, device: str) -> tuple[str, str]:
    """(The precision for Lightning's Trainer, the reason). device: a device type of torch, such as "cpu" or "cuda"."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    weights = sum(parameter.numel() for parameter in model.parameters())
    small = model.multiplications < FEW_MULTIPLICATIONS if device == "cpu" else weights < FEW_WEIGHTS
    if small and not convolves:
        return "32-true", "bfloat16 hardly speeds up a small network"
    if has_fast_bfloat16(device):
        return "bf16-mixed", f"{device} is faster in bfloat16"
    return "32-true", f"{device} is not faster in bfloat16"


def set_precision(asked: str, model: Classifier, accelerator: str) -> tuple[str, str]:
    """(The precision for Lightning's Trainer, the reason). It is chosen if `asked` is "auto".

    On a GPU, this also lets float32 products use TF32, unless the precision is full float32. For float64 it converts
    the model: Lightning would do so only after it has loaded a checkpoint into float32 weights, which rounds them.
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
