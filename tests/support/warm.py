"""What the tests' fork server has imported and done, so that no command does it again."""

import gc
import importlib
import os
from contextlib import suppress

from support import speed

MODULES = (
    "proj.train",  # first: what it postpones is then postponed for all that follow
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
    "optuna.importance",  # with pandas and scikit-learn, what a search imports: seconds
    "pandas",
    "sklearn.ensemble",
    "narwhals",
    "torchvision",
)

for name in MODULES:
    with suppress(ImportError):
        importlib.import_module(name)
speed.quicken()
with suppress(Exception):  # which the tests then meet themselves
    # Finds Hydra's plugins and learns its grammar: a quarter of a command's time.
    importlib.import_module("proj.config").configure("hydra.run.dir=unused")
os.register_at_fork(after_in_child=gc.freeze)  # else each collection of garbage would copy what the forks share
