"""Reads command lines: those whose settings Hydra composes, and those of commands that take options as `key=value`."""

import glob
import logging
import os
import re
import signal
import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from proj.config.check_words import refuse_left_out
from proj.config.explain import FULL_ERROR, sentences
from proj.config.flags import flags_and_settings, refuse_dashes, refuse_pasted, without_quotes
from proj.config.words import as_hydra_reads, between_commas
from proj.errors import UserError, choose, nearest
from proj.system.exits import stop_signals_as_exits
from proj.system.folders import nearest_to, runs_near
from proj.system.platform import STOP_SIGNALS, printable_output
from proj.system.ranks import check_environment
from proj.system.run_folder import RunFolder
from proj.system.shell import local_path

SCHEMA = "\n'hydra/launcher/.* is validated"  # the beginning of a warning by Hydra that does not concern the user
AGAIN = "type the same command to do it again."  # said where a signal stops a command
# What an option takes: str, Path (not empty), bool, float (0 to 1), list (of words between commas), or one of a tuple
Kind = type | tuple[str, ...]
PATHS = ("ckpt", "run", "resume", "output", "show", "config_dir")  # options that name files


def run_hydra(command: Callable[[], object]) -> None:
    """Run a function that is decorated with `hydra.main`. Errors end as `sentences` says."""
    with sentences(), stop_signals_as_exits(said=AGAIN):
        if "${" in (here := os.getcwd()):
            raise UserError(f"Hydra takes ${{…}} in the name of {here} for a setting: rename it, or start elsewhere.")
        flags, settings = flags_and_settings(sys.argv[1:])
        refuse_left_out(settings)
        several = "--multirun" in flags
        sys.argv[1:] = [*flags, *(as_hydra_reads(word, several) for word in settings)]
        if "" not in sys.path:
            sys.path.insert(0, "")  # to find the user's own modules in the working folder, as `python -m` does
        os.environ["PROJ_FULL_ERROR"] = str(int(FULL_ERROR))  # the user's wish, for the processes that this one starts
        warnings.filterwarnings("ignore", SCHEMA)
        # An import of torch that a signal breaks off would leave this at Hydra's INFO, and print figures at the exit.
        logging.getLogger("torch").setLevel(logging.WARNING)
        os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises errors instead of printing them
        accept_hydras_help()
        command()


def accept_hydras_help() -> None:
    """Let Hydra 1.3 describe --shell-completion by an object that becomes a text only when it is shown.

    Python 3.14 and later refuse this one when the option is defined
    (https://github.com/facebookresearch/hydra/issues/3121).
    """
    ArgumentParser._check_help = lambda parser, action: None


def take(kinds: Mapping[str, Kind], words: list[str]) -> dict[str, Any]:
    """Remove the options named in `kinds` from a command's words, and return their values.

    Raises UserError for an option that is given twice, unless it takes a list, and for a value that it does not take.
    """
    refuse_dashes(words, kinds)
    found: dict[str, str] = {}
    chosen: dict[str, Any] = {}
    for word in list(words):
        key, equals, value = word.partition("=")
        if not equals or key not in kinds:
            continue
        words.remove(word)
        kind = kinds[key]
        if kind is list:
            chosen[key] = [*chosen.get(key, []), *filter(None, value.split(","))]
            continue
        if key in found:
            raise UserError(f"{key} is given twice: {found[key]} and {word}.")
        found[key] = word
        if kind is bool:
            chosen[key] = choose(key, value.lower(), {"true": True, "false": False})
        elif kind is float:
            chosen[key] = fraction(key, value)
        elif isinstance(kind, tuple):
            chosen[key] = choose(key, value, dict(zip(kind, kind, strict=True)))
        elif kind is Path and not value:
            raise UserError(f"{key}= names no folder: give {key}=<folder>.")
        elif key in ("data_dir", "input"):
            chosen[key] = one_path_or_several(key, value)
        else:
            chosen[key] = kind(local_path(value, f"{key}=") if key in PATHS else value)
    return chosen


def one_path_or_several(key: str, value: str) -> str:
    """The path that the user typed; those of a list, [a.csv,b.csv], are joined like the folders in $PATH."""
    listed = re.fullmatch(r"\[(.+)\]", value)
    if not listed or os.path.lexists(value):
        return local_path(value, f"{key}=")
    return os.pathsep.join(local_path(file.strip("'\""), f"{key}=") for file in between_commas(listed[1]))


def fraction(key: str, value: str) -> float:
    """The value as a number. Raises UserError unless it is between 0 and 1."""
    with suppress(ValueError):
        if 0 < (number := float(value)) < 1:
            return number
    raise UserError(f"{key}={value} should be a number between 0 and 1, such as {key}=0.95.")


def read_options(kinds: Mapping[str, Kind], words: list[str], several: bool = False) -> dict[str, Any]:
    """The values of a command line's options, by name. `path` is the checkpoint that ckpt= or run= names.

    several: whether ckpt= may name several, by a pattern or between commas; `path` is then a list.
    Raises UserError for a word that is none of the options, and if there is no such checkpoint.
    """
    kinds = {"ckpt": str, "run": str, **kinds}
    flags: list[str] = []
    if "config_dir" in kinds:
        refuse_dashes(words, kinds.keys() - {"config_dir"})
        flags, words = flags_and_settings(words)
    # --config-dir=conf is a flag, as of Hydra's commands, and is read as the option config_dir=conf.
    left = [*words, *(flag.replace("--config-dir=", "config_dir=") for flag in flags)]
    chosen = take(kinds, left)
    for word in left:
        key, equals, _ = word.partition("=")
        if not equals:
            raise UserError(f"{word!r} is not of the form key=value, without spaces around the =.{meant(word, kinds)}")
        raise UserError(f"there is no option {key!r}." + nearest(key, kinds))
    checkpoint, folder = chosen.pop("ckpt", ""), chosen.pop("run", "")
    if bool(checkpoint) == bool(folder):
        raise UserError("name either a checkpoint, ckpt=<file>, or a run, run=<folder>, whose best.ckpt is used.")
    paths = [checkpoint_file(file, folder) for file in named_files(checkpoint)]
    if not several and len(paths) > 1:
        only = f"only python -m proj.predict takes several: give one of them, such as ckpt={paths[0]}"
        raise UserError(f"ckpt={checkpoint} names {len(paths)} checkpoints, and {only}")
    return {"path": paths if several else paths[0], **chosen}


def named_files(text: str) -> list[str]:
    """The files between commas, with each pattern replaced by the files that it finds, if any; each file once.
    No shell expands a pattern that follows ckpt=."""
    found: list[str] = []
    for part in re.split(r"(?<=\.ckpt),", text):  # the name of a job's folder has commas, too
        file = local_path(part, "ckpt=")
        found += [file] if os.path.exists(file) else sorted(glob.glob(file)) or [file]
    return [*dict.fromkeys(found)]


def checkpoint_file(checkpoint: str, folder: str) -> Path:
    """The file that ckpt= names, or else the best checkpoint of the run that run= names. Raises UserError if there is
    none."""
    run = RunFolder(folder)
    path = Path(checkpoint or run.checkpoint_of(run.figures()))
    if path.is_dir():
        is_run = RunFolder(path).best.is_file()
        raise UserError(f"{path} is a folder.{f' Give run={path}.' if is_run else runs_near('run', path, run.best)}")
    if folder and os.path.isfile(folder):
        raise UserError(f"{folder} is a file: give ckpt={folder}, or the folder of its run.")
    if not path.is_file():
        hint = runs_near("run", run.path, run.best) if folder else ""
        if folder and run.last.is_file():
            hint = f" Give the last one, ckpt={run.last}, or put {run.best.name} back."
        hint = hint or nearest_to(str(path)) or " Name the folder of a run, run=…, or its best.ckpt, ckpt=…."
        raise UserError(f"there is no checkpoint {path}.{hint}")
    return path


def meant(word: str, kinds: Mapping[str, Kind]) -> str:
    """The end of a message on a word without an equals sign: suggests the option that was meant, or lists all."""
    if os.path.exists(word):
        key = "run" if os.path.isdir(word) else "ckpt"
        if "input" in kinds and not (word.endswith(".ckpt") or RunFolder(word).best.is_file()):
            key = "input"
        return f" Did you mean {key}={word}?"
    return "" if word in kinds else nearest(word, [*kinds, "--help"])


def words_or_help(text: str | None, needed: bool = True) -> list[str]:
    """The words of this command line. If they ask for help (`text`) or the versions, or if words are `needed` and there
    are none, prints what was asked for, or the help, and exits. text: None under python -OO, which drops docstrings."""
    printable_output()
    words = [*map(without_quotes, sys.argv[1:])]
    asked = {word for word in words if not os.path.exists(word)}  # a report's folder may be called help
    with sentences(elsewhere=""):
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # set by proj/__init__.py while the command is imported
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if {"--help", "-help", "-h", "help"} & asked or (needed and not words):
            print((text or "the help is a docstring, which python -OO and PYTHONOPTIMIZE=2 leave out").strip())
            raise SystemExit(0 if words else 1)
        if {"--version", "-version", "version"} & asked:
            print(", ".join(f"{name} {version_of(name)}" for name in ("proj", "hydra-core", "lightning", "torch")))
            raise SystemExit(0)
        refuse_pasted(words)
    return words


def version_of(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return "(not installed)"  # true of `proj` where PYTHONPATH names its folder


@contextmanager
def options(kinds: Mapping[str, Kind], text: str | None, several: bool = False) -> Iterator[dict[str, Any]]:
    """Yields the command line's options to the block that runs the command; --help prints `text` instead.
    several: see `read_options`.

    An error, also one in the block, ends in one sentence and exit code 1. Signals that ask to stop raise SystemExit,
    Ctrl-C too: Lightning 2.6's loops would turn Ctrl-C into exit code 1, and ignore the other signals.
    """
    words = words_or_help(text)
    with sentences(elsewhere=""), stop_signals_as_exits(STOP_SIGNALS, AGAIN):
        check_environment()
        yield read_options(kinds, words, several)
