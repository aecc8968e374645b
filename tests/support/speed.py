"""Makes the tests faster, in each of their processes.

The processes share the configurations that Hydra has merged (see `proj.config.loader`). In the tests, but not in the
benchmarks, which use this folder too, each process also reads every file of conf/ and every reference to another
setting only once, looks only once for what installed packages offer to Lightning, collects garbage less often, and does
not wait for the disk (fsync), since no test cuts the power.
"""

import functools
import gc
import hashlib
import importlib.metadata
import os
import pickle
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import omegaconf
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.types import RunMode

Plugins.instance()  # imports Hydra's plugins anew: what was replaced in one of their classes before would be lost
from hydra._internal.core_plugins.file_config_source import FileConfigSource  # noqa: E402

FIRST = "TESTS_MERGED" not in os.environ  # whether this is the first of the processes that share the folder MERGED
MERGED = Path(os.environ.get("TESTS_MERGED") or tempfile.mkdtemp())
os.environ["TESTS_MERGED"] = str(MERGED)
READ: dict[tuple, bytes] = {}
CONF = Path(__file__).parents[2] / "conf"
hydra_load, hydra_read = ConfigLoaderImpl.load_configuration, FileConfigSource.load_config
FOR_USERS = (  # (object, name, original) of what is replaced in Hydra and OmegaConf
    (omegaconf.base, "parse", omegaconf.base.parse),
    (FileConfigSource, "load_config", hydra_read),
    (ConfigLoaderImpl, "load_configuration", hydra_load),
)


if "TESTS_NEVER_SYNC" in os.environ:  # before Lightning imports the function, which it calls for every Trainer
    importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)


def speed_up() -> None:
    """From now on, take merged configurations from other processes; in the tests, also do the rest (see above)."""
    if "TESTS_NEVER_SYNC" in os.environ:
        os.fsync = lambda descriptor: None
        gc.set_threshold(50_000, 20, 20)  # collects garbage a tenth as often
        omegaconf.base.parse = functools.cache(omegaconf.base.parse)
        FileConfigSource.load_config = read_once
    with suppress(ImportError):  # of a name that another version of Hydra lacks: tests/test_contracts.py reports it
        from proj.config import loader

        loader.merged, ConfigLoaderImpl.load_configuration = shared, loader.Loader.load_configuration


def share_operators() -> None:
    """After the first export, keep the ONNX operators that it has read for further ones: this halves their time."""
    if exporter := sys.modules.get("torch.onnx._internal.exporter._registration"):
        registry = exporter.ONNXRegistry
        if isinstance(vars(registry)["from_torchlib"], classmethod):
            registry.from_torchlib = staticmethod(functools.cache(registry.from_torchlib))


def read_once(source: FileConfigSource, config_path: str):
    """What Hydra makes of a file of options, which it parses again only if the file has changed."""
    file = Path(source.path, source._normalize_file_name(config_path))
    if not file.is_file():
        return hydra_read(source, config_path)
    key = (str(file), source.provider, file.read_bytes())
    if key not in READ:
        READ[key] = pickle.dumps(hydra_read(source, config_path))
    return pickle.loads(READ[key])


def forget() -> None:
    """At the end of the tests, delete the shared folder, if this is the process that made it."""
    if FIRST:
        shutil.rmtree(MERGED)


def shared(loader: ConfigLoaderImpl, name: str, choices: tuple[str, ...]) -> bytes:
    """`merged` of `proj.config.loader`, kept in a file whose name is a hash of the arguments and of all of conf/."""
    folders = [Path(one.path) for one in loader.repository.get_sources() if one.scheme() == "file"]
    key = repr((JobRuntime().get("name"), name, choices, [contents_of(folder) for folder in folders]))
    file = MERGED / hashlib.sha256(key.encode()).hexdigest()
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(hydra_load(loader, name, [*choices], RunMode.RUN)))
        part.rename(file)
    return file.read_bytes()


def contents_of(folder: Path) -> list[tuple[str, bytes]]:
    """(Relative path, content) of the files in a folder of options: the same for conf/ and for a sweep's copy of it."""
    return contents_of_conf() if folder == CONF else contents(folder)


@functools.cache
def contents_of_conf() -> list[tuple[str, bytes]]:
    """`contents` of conf/, which does not change while the tests run."""
    return contents(CONF)


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """See `contents_of`, but read anew each time."""
    return [(str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.rglob("*.yaml"))]
