"""Imported by the tests' fork server, so that the commands that are forked from it need not import it all again."""

import gc
import importlib
import os
import tempfile
from contextlib import redirect_stdout, suppress
from pathlib import Path

from support import speed

MODULES = (
    "proj.train",  # first, since it puts off some of the imports of those that follow
    "proj.sweep",
    "proj.pictures.tensorboard",
    "proj.training.progress_bar",
    "proj.training.run",
    "proj.models",
    "proj.data",
    "proj.sweeps.job",
    "proj.sweeps.summary",
    "proj.sweeps.folder",
    "proj.reports.report",
    "proj.use.evaluation",
    "proj.use.prediction",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher",
    "optuna.importance",  # this and the next two are what a search imports, which takes seconds
    "pandas",
    "sklearn.ensemble",
    "narwhals",
    "torchvision",
    "support.runs",
)

for name in MODULES:
    with suppress(ImportError):
        importlib.import_module(name)
speed.speed_up()


def train_once() -> None:
    """Train for an epoch, since much is slow the first time: Hydra loads its grammar, torch traces its first graph."""
    import torch
    from hydra.core.hydra_config import HydraConfig

    import proj

    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        config = proj.configure("dataset=digits", "trainer=debug", f"hydra.run.dir={Path(folder, 'run')}")
        if not torch.cuda.is_available():  # CUDA cannot be used in a fork of a process that has used it
            proj.train(config)
    HydraConfig.instance().cfg = None  # which a command without Hydra, as resume=…, must not find


with suppress(Exception):  # the tests themselves then meet the same error
    train_once()
os.register_at_fork(after_in_child=gc.freeze)  # a garbage collection would otherwise copy the memory that forks share
