"""Imported by the tests' fork server, so that the commands that are forked from it need not import it all again."""

import gc
import importlib
import os
from contextlib import suppress

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
with suppress(Exception):  # the tests themselves then meet the same error
    # Has Hydra find its plugins and load its grammar, which is a quarter of a command's time.
    importlib.import_module("proj.config").configure("hydra.run.dir=unused")
os.register_at_fork(after_in_child=gc.freeze)  # a garbage collection would otherwise copy the memory that forks share
