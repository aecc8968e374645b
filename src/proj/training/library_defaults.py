"""Undoes unwanted defaults of Lightning and the C library."""

import logging
import os
import warnings

import lightning.pytorch

from proj.system.platform import c_library

TESTED = "2.6"  # the minor version of Lightning whose loops and counters `resume` and `fast_loop` follow
# The beginnings of warnings that Lightning, torch and rich give in every run, or for what is intended.
QUIET = (
    "Checkpoint directory .* exists",
    ".*treespec.*LeafSpec",
    ".*jit.trace",
    ".*smaller than the logging",
    ".*dataloader is not resumable",  # `Batches` is
    "You requested to overfit but enabled",  # `Batches` does not shuffle then
    "ReduceLROnPlateau conditioned on metric .* not available",  # before the first validation
    ".*module.s. in eval mode at the start of training",  # a frozen backbone
    "The `srun` command is available",
    'install "ipywidgets"',  # the progress bar prints lines then
)


def is_tested() -> bool:
    """Whether the installed Lightning has the minor version with which resume and speed were tested."""
    return lightning.pytorch.__version__.startswith(f"{TESTED}.")


def quiet_lightning() -> None:
    """Undo what Lightning 2.6 sets on import, and silence what it prints in every run."""
    # Lightning sets this variable, with which torch 2.15 opens NVML in every optimizer step (0.2 ms).
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # Lightning's handlers would print each line a second time
        logger.setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # the results of trainer.profiler=simple
    for message in QUIET:
        warnings.filterwarnings("ignore", message)


def keep_freed_memory() -> None:
    """Keep glibc from returning large freed blocks to the system in every step, which takes a fifth of a CNN's time."""
    if library := c_library():
        library.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD
        library.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
