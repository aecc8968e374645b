"""Checks a sweep's folder before the sweep is resumed, since the folder may come from somebody else.

Each job's own configuration is checked by `check_stored`. This file checks Hydra's part, which can start programs: the
launcher, loggers, callbacks, search path and environment. That part is compared with what this installation composes;
only harmless settings may differ, such as numbers and short names like that of a Slurm partition.
"""

import re
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from proj.config.allowed_classes import MOVED, PRUNER, check_destinations, check_stored
from proj.config.compose import CONF
from proj.config.stored_values import check_plain
from proj.errors import UserError
from proj.system.run_folder import SweepFolder, flat

# Settings that may have any value: Hydra fills them in, the resuming command sets them anew, or they are only printed.
FREE = r"hydra\.(overrides|runtime|run|sweep|help|hydra_help|mode|output_subdir|sweeper\.params)(\..*)?"
FREE += r"|hydra\.job\.(override_dirname|config_name)"
# Settings that may be any plain name: no path, no address, nothing that a shell would interpret.
NAMED = (
    r"hydra\.(launcher\.(?!python$)\w+|sweeper\.(sampler|pruner)\.(\w+\.)*(?!_)\w+|job\.env_set\.\w*(THREADS|DEVICES))"
)
SAMPLER = r"optuna\.samplers\.(?!CmaEs)[A-Z]\w*Sampler"  # CmaEsSampler unpickles data from the study's file
# The interpolations that a frozen job may hold: its own settings, the mode of its monitor, and PROJ_DATA_DIR.
REFERENCE = r"\$\{mode_of:\$\{[\w.]+\},(\w+|\$\{[\w.]+\})\}|\$\{(hydra:)?[\w.]+\}|^\$\{oc\.env:PROJ_DATA_DIR,data\}$"


def is_harmless(key: str, value: Any) -> bool:
    """Whether a setting of Hydra's is allowed to differ from what this installation composes."""
    if value is None or isinstance(value, bool | int | float) or re.fullmatch(FREE, key):
        return True
    if key.endswith("._target_"):
        part = re.fullmatch(r"hydra\.sweeper\.(sampler|pruner)(\.wrapped_pruner)*\._target_", key)
        return bool(part and re.fullmatch(SAMPLER if part[1] == "sampler" else PRUNER, str(value), re.ASCII))
    return bool(re.fullmatch(NAMED, key, re.ASCII) and re.fullmatch(r"[\w.,:@%+-]{0,100}", str(value), re.ASCII))


def differences(hydra: DictConfig) -> list[str]:
    """The keys of Hydra's settings that differ and are not harmless: the user has to allow them with `trust=…`."""
    launcher, sweeper = (str(hydra.runtime.choices[f"hydra/{part}"]) for part in ("launcher", "sweeper"))
    # A path would lead to a file of the sweep's from here, too; Hydra's own sweeper would run what was never checked.
    launcher = launcher if re.fullmatch(r"\w+", launcher) else "basic"
    known = as_installed(launcher, sweeper if sweeper in ("grid", "optuna") else "grid")
    found = flat(OmegaConf.to_container(hydra), ".", "hydra.")
    found = {key: MOVED.get(value, value) if isinstance(value, str) else value for key, value in found.items()}
    differing = {key: value for key, value in found.items() if key not in known or known[key] != value}
    return [key for key, value in differing.items() if not is_harmless(key, value)]


@cache
def as_installed(launcher: str, sweeper: str) -> dict[str, Any]:
    """Hydra's settings, flat, as this installation composes them for a launcher and a sweeper."""
    words = [f"hydra/launcher={launcher}", f"hydra/sweeper={sweeper}"]
    return flat(OmegaConf.to_container(composed(CONF, words).hydra), ".", "hydra.")


def composed(conf: Path, words: list[str], name: str = "train") -> DictConfig:
    """What Hydra composes from these overrides and the file `name` in `conf`; nothing that it names is started."""
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(str(conf.resolve())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a launcher's schema, as in `run_hydra`
        return loader.load_configuration(name, words, run_mode=RunMode.MULTIRUN)


def check_files(folder: Path, manifest: dict, trust: Sequence[str]) -> None:
    """Raises UserError if sweep.yaml or the copy of conf/ holds something that no sweep writes there."""
    files = SweepFolder(folder)
    file = files.manifest
    check_plain(manifest, file)
    name = str(manifest.get("config_name", "train"))
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{file} makes Hydra read other files (config_name: {name}): treat it as malicious.")
    words = [*manifest["overrides"], *manifest["hydra"], *(manifest.get("words") or [])]
    if any(not isinstance(word, str) or word.startswith("-") for word in words):
        raise UserError(f"{file} holds what is no setting ({words}): treat it as malicious.")
    primary = files.conf / f"{name.removesuffix('.yaml')}.yaml"  # Hydra takes a search path from no other file there
    named = OmegaConf.select(OmegaConf.load(primary), "hydra.searchpath") if primary.is_file() else None
    for path, elsewhere in ((file, "searchpath" in " ".join(words)), (primary, named)):
        if elsewhere and "hydra.searchpath" not in trust:
            raise UserError(f"{path} makes Hydra read other files. If that is intended, add trust=hydra.searchpath")
    names = [str(name) for name in (manifest.get("jobs") or {})]
    if odd := [name for name in names if Path(name).name != name or name in (".", "..")]:
        raise UserError(f"{file} holds a job that is no folder of the sweep ({odd[0]}): treat it as malicious.")
    for link in filter(Path.is_symlink, (*folder.glob("[0-9]*_*"), files.claims)):
        raise UserError(f"{link} is a link to a folder elsewhere, which would be changed: put the folder itself there.")


def check_sweep(folder: Path, manifest: dict, trust: Sequence[str]) -> DictConfig:
    """Hydra's settings of a sweep that is to be resumed, such as its sweeper.
    Raises UserError if they would start anything that is neither part of this project nor trusted."""
    check_files(folder, manifest, trust)
    words = [*manifest["overrides"], *manifest["hydra"]]
    hydra = composed(SweepFolder(folder).conf, words, manifest.get("config_name", "train")).hydra
    if differing := [key for key in differences(hydra) if key not in trust]:
        what = ", ".join(f"{key}={OmegaConf.select(hydra, key.removeprefix('hydra.'))}" for key in differing)
        raise UserError(
            f"the sweep in {folder} would start its jobs in another way than this project: {what}. If that is your own "
            f"setting, add trust={','.join(sorted({*trust, *differing}))}"
        )
    return hydra


def check_job(config: dict, file: Path, trust: Sequence[str]) -> None:
    """Raises UserError for a frozen job that names what it may not, or interpolates more than its own settings."""
    check_stored(config, file, [word for word in trust if not word.endswith(".py")])  # a changed file's may be gone
    check_destinations(config, file, trust)
    for key, value in flat(config, ".").items():
        if isinstance(value, str) and "${" in re.sub(REFERENCE, "", value, flags=re.ASCII) and key not in trust:
            raise UserError(f"{file} looks up {value} for {key}. If that is your own setting, add trust={key}")


def without_hydra(config: dict | DictConfig) -> dict:
    """A job's configuration without Hydra's part, as plain values."""
    plain = OmegaConf.to_container(config) if OmegaConf.is_config(config) else config
    return {key: value for key, value in plain.items() if key != "hydra"}
