"""Train image and tabular classifiers: dataset × model × optimizer from one command."""

import os
import sys

if sys.argv[:1] == ["-m"]:  # `python -m proj.train` is importing this package: Ctrl-C should print no traceback
    import signal
    from importlib.machinery import PathFinder

    def print_error(kind, error, trace) -> None:
        hiding = hiding_files() if issubclass(kind, ImportError | AttributeError | TypeError) else []
        named = [name for name in hiding if f"'{name}'" in str(error) or f"'{name}." in str(error)]
        if not named and not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        for name in (named or hiding)[:1]:
            whose = "Python's own" if name in sys.stdlib_module_names else "the installed"
            print(f"error: {name}.py in this folder hides {whose} module of that name: rename it.", file=sys.stderr)

    def hiding_files() -> list[str]:
        """The modules imported from files of the working folder that hide others of the same name."""
        elsewhere = [place for place in sys.path if os.path.abspath(place) != os.getcwd()]
        from_here = [name for name, module in [*sys.modules.items()] if is_here(getattr(module, "__file__", None))]
        return [name for name in from_here if PathFinder.find_spec(name, elsewhere)]

    def is_here(file: str | None) -> bool:
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
