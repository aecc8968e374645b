"""What makes the tests quicker, in each of their processes.

They share what Hydra has merged of conf/, of which `proj.config.loader` tells. Each reads a file of conf/ and a
reference to another setting once, and looks for garbage less often. None waits for the disk: what is written is there
for all processes at once, and no test takes the power away. Benchmarks, which use this folder too, do as users do.
"""

import functools
import gc
import hashlib
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

Plugins.instance()  # which defines the classes of Hydra's plugins anew: what was replaced in one before would be lost
from hydra._internal.core_plugins.file_config_source import FileConfigSource  # noqa: E402

FIRST = "TESTS_MERGED" not in os.environ  # of the processes that share the folder, which have it from each other
MERGED = Path(os.environ.get("TESTS_MERGED") or tempfile.mkdtemp())
os.environ["TESTS_MERGED"] = str(MERGED)
READ: dict[tuple, bytes] = {}
hydras_own, hydras_reading = ConfigLoaderImpl.load_configuration, FileConfigSource.load_config
FOR_USERS = (  # what is replaced, as it is for them
    (omegaconf.base, "parse", omegaconf.base.parse),
    (FileConfigSource, "load_config", hydras_reading),
    (ConfigLoaderImpl, "load_configuration", hydras_own),
)


def quicken() -> None:
    """From now on, merge no options here that another process has merged, and in the tests do what is told above."""
    if "TESTS_NEVER_SYNC" in os.environ:
        os.fsync = lambda descriptor: None
        gc.set_threshold(50_000, 20, 20)  # garbage is looked for a tenth as often
        omegaconf.base.parse = functools.cache(omegaconf.base.parse)
        FileConfigSource.load_config = read_once
    with suppress(ImportError):  # of what another version of Hydra lacks, as the contracts tell
        from proj.config import loader

        loader.merged, ConfigLoaderImpl.load_configuration = shared, loader.load_configuration


def share_operators() -> None:
    """Once something was exported, let other exports take the operators of ONNX that it read: half of their time."""
    if exporter := sys.modules.get("torch.onnx._internal.exporter._registration"):
        registry = exporter.ONNXRegistry
        if isinstance(vars(registry)["from_torchlib"], classmethod):
            registry.from_torchlib = staticmethod(functools.cache(registry.from_torchlib))


def read_once(source: FileConfigSource, config_path: str):
    """What a file of options holds, read again where the file is another."""
    file = Path(source.path, source._normalize_file_name(config_path))
    if not file.is_file():
        return hydras_reading(source, config_path)
    key = (str(file), source.provider, file.read_bytes())
    if key not in READ:
        READ[key] = pickle.dumps(hydras_reading(source, config_path))
    return pickle.loads(READ[key])


def forget() -> None:
    """Of the process that has begun the tests, at their end."""
    if FIRST:
        shutil.rmtree(MERGED)


def shared(loader: ConfigLoaderImpl, name: str, choices: tuple[str, ...]) -> bytes:
    """`merged` of `proj.config.loader`, from a file that is named by what is asked for and what conf/ holds."""
    folders = [Path(one.path) for one in loader.repository.get_sources() if one.scheme() == "file"]
    key = repr((JobRuntime().get("name"), name, choices, [contents(folder) for folder in folders]))
    file = MERGED / hashlib.sha256(key.encode()).hexdigest()
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(hydras_own(loader, name, [*choices], RunMode.RUN)))
        part.rename(file)
    return file.read_bytes()


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """The files of a folder of options; of a sweep's copy of conf/ they are those of conf/."""
    return [(str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.rglob("*.yaml"))]
