"""The command lines of what starts from a checkpoint: `key=value` words."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proj.config.explain import sentences
from proj.errors import UserError, choose, nearest
from proj.system.platform import printable_output
from proj.system.run_folder import RunFolder

# Of an option: str, bool, list (of words between commas), or all that there is to choose from.
Kind = type | tuple[str, ...]


def read_options(kinds: Mapping[str, Kind], words: list[str]) -> dict[str, Any]:
    """The words of a command line as arguments of these kinds, and ckpt= or run= as one more, `path`.

    Raises UserError for a word that fits none, and where there is no such checkpoint.
    """
    kinds = {"ckpt": str, "run": str, **kinds}
    chosen: dict[str, Any] = {"ckpt": "", "run": ""}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in kinds:
            what = f"there is no option {key!r}" if equals else f"{word!r} is not of the form key=value"
            raise UserError(f"{what}." + nearest(key, kinds))
        kind = kinds[key]
        if kind is bool:
            chosen[key] = choose(key, value.lower(), {"true": True, "false": False})
        elif kind is list:
            chosen[key] = value.split(",")
        elif isinstance(kind, tuple):
            chosen[key] = choose(key, value, dict(zip(kind, kind, strict=True)))
        else:
            chosen[key] = os.path.expanduser(value)  # shells leave ckpt=~/… as it is
    checkpoint, folder = chosen.pop("ckpt"), chosen.pop("run")
    if bool(checkpoint) == bool(folder):
        raise UserError("name either a checkpoint, ckpt=<file>, or a run, run=<folder>, whose best.ckpt is taken.")
    path = Path(checkpoint or RunFolder(folder).best)
    if path.is_dir():
        raise UserError(f"{path} is a folder: of a run, give run={path}")
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}.")
    return {"path": path, **chosen}


@contextmanager
def options(kinds: Mapping[str, Kind], text: str) -> Iterator[dict[str, Any]]:
    """The command line's options, for the command within; --help prints `text` instead.

    A mistake, here or within, ends in one sentence and exit code 1.
    """
    printable_output()
    words = sys.argv[1:]
    if not words or {"--help", "-h"} & set(words):
        print(text.strip())
        raise SystemExit(0 if words else 1)
    with sentences():
        yield read_options(kinds, words)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes the folder of `path`. Raises UserError where that, or what is written there, fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"{path} could not be written ({error.strerror}): name another place, output=…") from error
