"""What Lightning and the C library do unasked, undone."""

import logging
import os
import warnings

import lightning.pytorch

from proj.system.platform import c_library

TESTED = "2.6"  # Lightning's minor version, whose loops and counts `resume` and `fast_loop` follow
# The beginnings of warnings that Lightning and torch give of every run, or of what is meant.
QUIET = (
    "Checkpoint directory .* exists",
    ".*treespec.*LeafSpec",
    ".*jit.trace",
    ".*smaller than the logging",
    ".*dataloader is not resumable",  # it is
    "You requested to overfit but enabled",  # `Batches` does not shuffle then
    "ReduceLROnPlateau conditioned on metric .* not available",  # yet: no validation has been
    ".*module.s. in eval mode at the start of training",  # a frozen backbone
    "The `srun` command is available",
)


def is_tested() -> bool:
    """Whether the installed Lightning has the minor version with which resume and speed were tested."""
    return lightning.pytorch.__version__.startswith(f"{TESTED}.")


def quiet_lightning() -> None:
    """Undo what Lightning 2.6 does on import, and leave out what it says of every run."""
    # torch 2.15 reads it and then opens NVML in every optimizer step: 0.2 ms.
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # they would print each line a second time
        logger.setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # what trainer.profiler=simple has measured
    for message in QUIET:
        warnings.filterwarnings("ignore", message)


def keep_freed_memory() -> None:
    """glibc gives large freed blocks back to the system and faults them in again in every step: a fifth of a CNN's."""
    if library := c_library():
        library.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD
        library.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
