"""What makes the tests quicker, in each of their processes.

They share what Hydra has merged of conf/, of which `proj.config.loader` tells. None waits for the disk: what is written
is there for all processes at once, and no test takes the power away. Benchmarks, which use this folder too, do wait.
"""

import hashlib
import os
import pickle
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.utils import JobRuntime
from hydra.types import RunMode

FIRST = "TESTS_MERGED" not in os.environ  # of the processes that share the folder, which have it from each other
MERGED = Path(os.environ.get("TESTS_MERGED") or tempfile.mkdtemp())
os.environ["TESTS_MERGED"] = str(MERGED)
hydras_own = ConfigLoaderImpl.load_configuration


def quicken() -> None:
    """From now on, merge no options here that another process has merged, and in the tests do not wait for the disk."""
    if "TESTS_NEVER_SYNC" in os.environ:
        os.fsync = lambda descriptor: None
    with suppress(ImportError):  # of what another version of Hydra lacks, as the contracts tell
        from proj.config import loader

        loader.merged, ConfigLoaderImpl.load_configuration = shared, loader.load_configuration


def forget() -> None:
    """Of the process that has begun the tests, at their end."""
    if FIRST:
        shutil.rmtree(MERGED)


def shared(loader: ConfigLoaderImpl, name: str, choices: tuple[str, ...], run_mode: RunMode) -> bytes:
    """`merged` of `proj.config.loader`, from a file that is named by what is asked for and what conf/ holds."""
    folders = [Path(one.path) for one in loader.repository.get_sources() if one.scheme() == "file"]
    key = repr((JobRuntime().get("name"), name, choices, run_mode, [contents(folder) for folder in folders]))
    file = MERGED / hashlib.sha256(key.encode()).hexdigest()
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(hydras_own(loader, name, [*choices], run_mode)))
        part.rename(file)
    return file.read_bytes()


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """The files of a folder of options; of a sweep's copy of conf/ they are those of conf/."""
    return [(str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.rglob("*.yaml"))]
