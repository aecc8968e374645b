"""The command lines of what starts from a checkpoint: `key=value` words."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proj.config.explain import sentences
from proj.config.words import flags_and_settings
from proj.errors import UserError, choose, nearest
from proj.system.platform import printable_output, refuse_no_text
from proj.system.processes import look_at_environment
from proj.system.run_folder import RunFolder, read

# Of an option: str, bool, list (of words between commas), or all that there is to choose from.
Kind = type | tuple[str, ...]


def read_options(kinds: Mapping[str, Kind], words: list[str]) -> dict[str, Any]:
    """The words of a command line as arguments of these kinds, and ckpt= or run= as one more, `path`.

    Raises UserError for a word that fits none, and where there is no such checkpoint.
    """
    kinds = {"ckpt": str, "run": str, **kinds}
    chosen: dict[str, Any] = {"ckpt": "", "run": ""}
    if "config_dir" in kinds:
        flags, words = flags_and_settings(words)
        words += [flag.replace("--config-dir=", "config_dir=") for flag in flags]
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in kinds:
            what = f"there is no option {key!r}" if equals else f"{word!r} is not of the form key=value"
            raise UserError(f"{what}." + nearest(key, kinds))
        if chosen.get(key):
            raise UserError(f"{key} is given twice: {key}={chosen[key]} and {word}.")
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
    run = RunFolder(folder)
    path = Path(checkpoint or run.checkpoint_of(read(run.metrics)))
    if path.is_dir():
        raise UserError(f"{path} is a folder: of a run, give run={path}")
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}.")
    return {"path": path, **chosen}


def words_or_help(text: str, needed: bool = True) -> list[str]:
    """The words of this command line; `text` and the end of the command where they ask for help, or where some are
    `needed` and there are none."""
    printable_output()
    words = sys.argv[1:]
    if {"--help", "-h"} & set(words) or (needed and not words):
        print(text.strip())
        raise SystemExit(0 if words else 1)
    return words


def take(key: str, words: list[str]) -> str | None:
    """Take `key=value` out of a command's words, and return the value; None where there is none.

    Raises UserError where it is given twice.
    """
    found = [word for word in words if word.startswith(f"{key}=")]
    if len(found) > 1:
        raise UserError(f"{key} is given twice: {' and '.join(found)}.")
    words[:] = [word for word in words if word not in found]
    return os.path.expanduser(found[0].partition("=")[2]) if found else None


def take_folder(words: list[str]) -> Path | None:
    """Take `resume=<folder>` out of a command's words. Raises UserError where it names none, or several."""
    folder = take("resume", words)
    if folder == "":
        raise UserError("resume= names no folder: give resume=<folder>.")
    return Path(folder) if folder else None


@contextmanager
def options(kinds: Mapping[str, Kind], text: str) -> Iterator[dict[str, Any]]:
    """The command line's options, for the command within; --help prints `text` instead.

    A mistake, here or within, ends in one sentence and exit code 1.
    """
    words = words_or_help(text)
    with sentences():
        look_at_environment()
        yield read_options(kinds, words)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes the folder of `path`. Raises UserError where that, or what is written there, fails."""
    refuse_no_text(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"{path} could not be written ({error.strerror}): name another place, output=…") from error
