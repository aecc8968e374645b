"""Train image and tabular classifiers: dataset × model × optimizer from one command."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proj.checkpoint.file import load_model
    from proj.config import configure
    from proj.training.run import train

# Imported when they are first asked for, so that `import proj` takes no time.
HOMES = {"train": "proj.training.run", "configure": "proj.config", "load_model": "proj.checkpoint.file"}
__all__ = ["configure", "load_model", "train"]


def quietly(kind: type[BaseException], *rest: Any) -> None:
    """Ctrl-C ends a command that is still being imported without a traceback."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, *rest)


if sys.argv[:1] == ["-m"]:  # `python -m proj.train` imports this package first
    sys.excepthook = quietly
import_module("proj.system.lazy_imports").postpone()  # before anything imports torch or Lightning


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
