"""The folder of a new run or sweep: it is named when the configuration is read, and made when the run starts."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from omegaconf import OmegaConf

from proj.system.processes import agree
from proj.system.slurm import slurm_name

NAMED: set[str] = set()  # by the time, in this process, and not made yet
TAKEN: set[str] = set()  # by the configurations that this process has composed in Python


def new_folder(parent: str, name: str | None = None) -> str:
    """What `${new_folder:…}` in conf/ stands for: a folder named by the time, of which there is none yet.

    With a name, a folder of that name, which may be there. In a job of Slurm's that is the job's, with a number for the
    second and later ones of a process: they are the same where the job is queued again. Makes nothing.
    """
    if name:
        return str(Path(parent, name))
    if name := slurm_name():
        return next(one for one in numbered(str(Path(parent, name))) if one not in TAKEN)
    by_time = str(Path(parent, f"{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    folder = next(name for name in numbered(by_time) if name not in NAMED and not Path(name).exists())
    NAMED.add(folder)
    return folder


def numbered(folder: str) -> Iterator[str]:
    yield folder
    yield from (f"{folder}-{number}" for number in count(2))


def make_new_folder(folder: str) -> str:
    """Make a folder that `new_folder` has named by the time, and return it; any other is returned as it is.

    Two runs of the same instant get two folders, since only one of them can make each.
    """
    if folder not in NAMED:
        return folder
    NAMED.remove(folder)

    def make() -> str:
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        names = numbered(folder)
        while True:
            with suppress(FileExistsError):
                Path(name := next(names)).mkdir()
                return name

    return agree(make)


OmegaConf.register_new_resolver("new_folder", new_folder, use_cache=True, replace=True)
