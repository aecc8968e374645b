"""Train image and tabular classifiers: dataset × model × optimizer from one command."""

import os
import sys

if sys.argv[:1] == ["-m"]:  # `python -m proj.train` is importing this package: Ctrl-C should print no traceback
    import signal

    def print_error(kind, error, trace) -> None:
        hiding = [name for name in sys.stdlib_module_names if f"'{name}'" in str(error) and is_here(name)]
        if issubclass(kind, ImportError | AttributeError) and hiding:
            said = f"error: {hiding[0]}.py in this folder hides Python's own module of that name: rename it."
            print(said, file=sys.stderr)
        elif not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)

    def is_here(name: str) -> bool:
        file = getattr(sys.modules.get(name), "__file__", None)
        return bool(file) and os.path.dirname(os.path.abspath(file)) == os.getcwd()

    sys.excepthook = print_error
    # Until `words_or_help` restores Python's handler, Ctrl-C ends the process at once: while omegaconf is being
    # imported, it would turn a KeyboardInterrupt into another error.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proj.checkpoint.file import load_model
    from proj.config import configure
    from proj.training.run import train

# The module of each public function. It is imported when the function is first used, so that `import proj` is quick.
MODULE_OF = {"train": "proj.training.run", "configure": "proj.config", "load_model": "proj.checkpoint.file"}
__all__ = ["configure", "load_model", "train"]

import_module("proj.system.lazy_imports").postpone()  # before anything imports torch or Lightning


def __getattr__(name: str) -> Any:
    if name in MODULE_OF:
        return getattr(import_module(MODULE_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
