"""Train image and tabular classifiers: dataset × model × optimizer from one command."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m proj.train` imports this package first: Ctrl-C ends it without a traceback
    sys.excepthook = lambda kind, *rest: issubclass(kind, KeyboardInterrupt) or sys.__excepthook__(kind, *rest)
    import signal

    # Until the command hears it: omegaconf makes another error of a KeyboardInterrupt while it is imported.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proj.checkpoint.file import load_model
    from proj.config import configure
    from proj.training.run import train

# Imported when they are first asked for, so that `import proj` takes no time.
HOMES = {"train": "proj.training.run", "configure": "proj.config", "load_model": "proj.checkpoint.file"}
__all__ = ["configure", "load_model", "train"]

import_module("proj.system.lazy_imports").postpone()  # before anything imports torch or Lightning


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
