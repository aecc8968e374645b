"""Reads and writes what a sweep keeps besides its jobs: sweep.yaml (its command and versions), and a copy of conf/."""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import yaml
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from proj.config.compose import CONF
from proj.config.loader import Loader
from proj.config.words import key_of, without_plus
from proj.errors import UserError, refuse_newer
from proj.system.folders import nearest_to, relative
from proj.system.platform import shorter
from proj.system.run_folder import SweepFolder, parse_yaml
from proj.system.shell import as_command

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "omegaconf", "numpy")
FORMAT = 1  # of sweep.yaml; to be raised by a change that older versions would read wrongly
SHOWN = ("sweep_name", "isolate", "log")  # settings that have no influence on what is trained


def job_words(overrides: list[str]) -> list[str]:
    """The overrides that decide what a job trains, in their present spelling, see `without_plus`."""
    return [without_plus(word) for word in overrides if key_of(word) not in SHOWN]


def chooses_jobs(word: str) -> bool:
    """Whether an override of Hydra's decides which jobs a sweep has: any of the sweeper's but n_trials and n_jobs."""
    return bool(re.match(r"[+~]*hydra[./]sweeper\b(?!\.n_trials=|\.n_jobs=)", word))


def chosen_by(overrides: list[str], hydra: list[str]) -> list[str]:
    """The overrides of a command, of its job's and of Hydra's settings, that decide which jobs its sweep has."""
    return [*job_words(overrides), *filter(chooses_jobs, hydra)]


def read_manifest(folder: Path) -> dict:
    """The content of sweep.yaml. Raises UserError if it is missing, damaged, or written by a newer version."""
    file = SweepFolder(folder).manifest
    if not file.is_file():
        above = shorter(folder.resolve().parent)
        hint = f" Give resume={above}" if SweepFolder(above).manifest.is_file() else nearest_to(str(folder))
        raise UserError(f"{folder} is not the folder of a sweep: it has no sweep.yaml.{hint}")
    try:
        content = file.read_bytes()
        manifest = parse_yaml(content) if content.endswith(b"\n") else None
    except (ValueError, yaml.YAMLError):
        manifest = None
    if not isinstance(manifest, dict) or not {"overrides", "hydra", "versions"} <= manifest.keys():
        raise UserError(f"{file} is damaged: put a copy of it back, or begin a new sweep elsewhere.")
    refuse_newer(file, manifest.get("format", FORMAT), FORMAT, "sweep")  # versions before the number wrote none
    return manifest


@contextmanager
def no_folder_if_refused(folder: Path) -> Iterator[None]:
    """Delete the sweep's folder, if it is empty, after an error within: one named by the time exists from the start."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        with suppress(OSError):  # it is not empty, or does not exist
            folder.rmdir()
        raise


def git(*words: str) -> bytes:
    """The output of a git command in the project's folder; empty without git, or if the folder is not a checkout."""
    try:
        return subprocess.run(["git", "-C", str(CONF), *words], capture_output=True).stdout
    except OSError:
        return b""


def config_dirs(config: DictConfig) -> list[str]:
    """The folders that --config-dir and hydra.searchpath name, if any."""
    named = ("command-line", "hydra.searchpath in command-line")
    sources = [one for one in config.hydra.runtime.config_sources if one.provider in named]
    return [os.path.abspath(one.path) for one in sources if one.schema == "file"]


def asks_for(config: DictConfig, manifest: dict) -> bool:
    """Whether a command, with this configuration, asks for the sweep that sweep.yaml, `manifest`, describes."""
    words = config.hydra.overrides
    if chosen_by(words.task, words.hydra) != chosen_by(manifest["overrides"], manifest["hydra"]):
        return False
    if (folders := config_dirs(config)) and "config_dirs" in manifest:  # `python -m proj.sweep` uses the copy
        begun = [relative(folder, manifest["cwd"]) for folder in manifest["config_dirs"]]
        if begun != [relative(folder, os.getcwd()) for folder in folders]:
            return False
    return config.hydra.job.config_name == manifest.get("config_name", "train")


def copies_all(config: DictConfig) -> bool:
    """Whether `copy_conf` copies everything that hydra.searchpath names: folders, but not packages."""
    return not any("://" in place.removeprefix("file://") for place in config.hydra.get("searchpath", []))


def describe(config: DictConfig) -> dict:
    """The entries of sweep.yaml about the command and the installed versions."""
    not_kept = ("hydra.mode=", *(["hydra.searchpath="] if copies_all(config) else []))
    return {
        "format": FORMAT,
        "command": as_command(
            ["python", "-m", "proj.train", *("-m" if word == "--multirun" else word for word in sys.argv[1:])]
        ),
        "overrides": list(config.hydra.overrides.task),
        "hydra": [word for word in config.hydra.overrides.hydra if not word.startswith(not_kept)],
        "config_name": config.hydra.job.config_name,
        "config_dirs": config_dirs(config),
        **runs_with(),
    }


def runs_with() -> dict:
    """The versions of the packages in PACKAGES, and the commit of the project, or None."""
    commit = git("rev-parse", "HEAD").decode().strip() or None
    return {"versions": {name: version(name) for name in PACKAGES}, "commit": commit}


def changed_versions(manifest: dict) -> str:
    """The versions and the commit that differ from those in sweep.yaml, as text; "" if none does."""
    present = runs_with()
    before = {**manifest["versions"], "commit": manifest.get("commit")}
    now = {**present["versions"], "commit": present["commit"]}
    changed = [name for name in now if before.get(name) and now[name] and before[name] != now[name]]
    return ", ".join(f"{name} {before[name][:12]}, {now[name][:12]} now" for name in changed)


def copy_conf(config: DictConfig, target: Path, groups: Iterable[str]) -> None:
    """Copy conf/ and the options in the folders of `config_dirs` to `target`, so that a resume needs none of these.
    groups: groups of options besides those in conf/; other subfolders of such a folder hold no options."""
    names = {path.name for path in CONF.iterdir() if path.is_dir()} | {re.split("[/@]", group)[0] for group in groups}
    files: dict[Path, Path] = {}  # the files to copy, by their paths in the copy
    for folder in filter(Path.is_dir, map(Path, config_dirs(config))):
        nested = {path.name for path in folder.iterdir() if any(path.glob("*.yaml"))}  # options may include those
        within = [file for name in names | nested for file in (folder / name).rglob("*.yaml")]
        found = {file.relative_to(folder): file for file in [*folder.glob("*.yaml"), *within]}
        files = found | files  # the first folder that has it wins, as with Hydra
    files |= {file.relative_to(CONF): file for file in CONF.rglob("*.yaml")}  # Hydra prefers those in conf/
    for place, file in files.items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target / place)


def loader_of_copy(loader: ConfigLoader, conf: Path) -> Loader:
    """A loader that composes from a sweep's copy instead of conf/."""
    path = copy.deepcopy(loader.get_search_path())
    for element in path.get_path():
        if element.path.removeprefix("file://") == str(CONF):
            element.path = f"file://{conf.resolve()}"
    return Loader(path)
