"""Hydra reads and merges conf/ for each configuration, which takes a tenth of a second: the tests let it do so once.

A configuration is then read back as its choices of options were merged, and its values are applied to that, as Hydra
itself applies them after the merge. `test_contracts.py` compares the two.
"""

import hashlib
import os
import pickle
import shutil
import tempfile
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.conf import ConfigSourceInfo
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobRuntime
from omegaconf import DictConfig

hydras_own = ConfigLoaderImpl.load_configuration
FIRST = "TESTS_MERGED" not in os.environ  # of the processes that share the folder, which have it from each other
MERGED = Path(os.environ.get("TESTS_MERGED") or tempfile.mkdtemp())
os.environ["TESTS_MERGED"] = str(MERGED)


def merge_once() -> None:
    """From now on, let this process merge the files of no choice of options that any of the tests' has merged."""
    ConfigLoaderImpl.load_configuration = load_configuration


def forget() -> None:
    """Of the process that has begun the tests, at their end."""
    if FIRST:
        shutil.rmtree(MERGED)


def load_configuration(
    self: ConfigLoaderImpl, config_name, overrides, run_mode, from_shell=True, validate_sweep_overrides=True
) -> DictConfig:
    """As Hydra's. It is asked wherever words are wrong, so that the message is its own."""
    try:
        return values_applied(self, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
    except Exception:
        return hydras_own(self, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)


def values_applied(loader: ConfigLoaderImpl, name, words, run_mode, from_shell, validate) -> DictConfig:
    from hydra._internal.config_loader_impl import get_overrides_dirname  # here: another version of Hydra lacks it

    parsed = OverridesParser.create().parse_overrides(words)
    if validate:
        loader.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
    if any(one.key_or_group == "hydra.searchpath" for one in parsed):
        return hydras_own(loader, name, words, run_mode, from_shell, validate)
    sources = loader.repository.get_sources()
    folders = [Path(one.path) for one in sources if one.scheme() == "file"]
    merges = [one for one in parsed if not one.is_sweep_override()]
    values = [one for one in merges if not any((folder / one.key_or_group).is_dir() for folder in folders)]
    values = [one for one in values if not one.key_or_group.startswith("hydra/")]
    choices = [one.input_line for one in merges if one not in values]
    key = repr((JobRuntime().get("name"), name, run_mode, choices, [contents(folder) for folder in folders]))
    file = MERGED / hashlib.sha256(key.encode()).hexdigest()
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(hydras_own(loader, name, choices, run_mode, from_shell, validate)))
        part.rename(file)
    config = pickle.loads(file.read_bytes())
    loader._apply_overrides_to_config(values, config)
    given = {own: [one.input_line for one in parsed if one.is_hydra_override() == own] for own in (True, False)}
    config.hydra.overrides.hydra, config.hydra.overrides.task = given[True], given[False]
    places = [ConfigSourceInfo(path=one.path, schema=one.scheme(), provider=one.provider) for one in sources]
    config.hydra.runtime.cwd, config.hydra.runtime.config_sources = os.getcwd(), places
    config.hydra.job.override_dirname = get_overrides_dirname(
        [one for one in parsed if not one.is_hydra_override()], **config.hydra.job.config.override_dirname
    )
    return config


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """The files of a folder of options; of a sweep's copy of conf/ they are those of conf/."""
    return [(str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.rglob("*.yaml"))]
