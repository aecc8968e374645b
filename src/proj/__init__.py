"""Train image and tabular classifiers: dataset × model × optimizer from one command."""

from importlib import import_module

# Imported when they are first asked for, so that `import proj` takes no time.
HOMES = {"train": "proj.training.run", "configure": "proj.config", "load_model": "proj.checkpoint.file"}
__all__ = list(HOMES)


def __getattr__(name: str):
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
