"""What lies in a person's folder, without what systems and this program leave there, and what a wrong path may mean."""

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from glob import glob
from pathlib import Path, PurePath

from proj.errors import nearest
from proj.system.platform import WINDOWS
from proj.system.run_folder import RunFolder

# What operating systems and network disks leave beside a user's files (thumbnails, bins, indices), in lower case.
COMPANIONS = {"__macosx", "icon\r", "temporary items", "network trash folder", "lost+found", "__pycache__"}
COMPANIONS |= {"thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"}
COMPANIONS |= {"found.000", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@__thumb"}


def paths_in(data_dir: str) -> list[str]:
    """The paths that data_dir names: itself, or several that are separated like the folders in $PATH."""
    several = re.split(rf"{os.pathsep}(?!\\[^\\])", data_dir)  # not at C:\table.csv, which a run from Windows may name
    return [data_dir] if os.path.exists(data_dir) else several


def absolute(data_dir: str) -> str:
    """The absolute path, or paths, that data_dir names; a ~ stands for the home folder."""
    return os.pathsep.join(os.path.abspath(os.path.expanduser(path)) for path in paths_in(data_dir))


def relative(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """The path from a folder, or the whole path if they lie on different drives of Windows."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return os.path.abspath(path)


def is_companion(name: str) -> bool:
    """Whether a name is that of a hidden file, an operating system's file, or Office's lock file (~$…)."""
    return name.startswith((".", "~$")) or name.lower() in COMPANIONS


def entries_in(folder: str) -> list[os.DirEntry]:
    """The files and folders in a folder, sorted by name, without companions, links that lead back, and the folders of
    runs: if a run was started beside the photos, its pictures must not be taken for a class."""

    def is_left_out(entry: os.DirEntry) -> bool:
        return is_companion(entry.name) or leads_back(entry, folder) or (entry.is_dir() and is_of_a_run(entry.path))

    return sorted((entry for entry in os.scandir(folder) if not is_left_out(entry)), key=lambda entry: entry.name)


def is_of_a_run(folder: str) -> bool:
    run = RunFolder(folder)
    return os.path.isfile(run.record) or os.path.isdir(run.notes)  # os.path gives False where there is no permission


def leads_back(entry: os.DirEntry, folder: str) -> bool:
    """Whether an entry of `folder` is a link to itself, or to that folder or one above it, be it through another link:
    to follow it has no end."""
    if not entry.is_symlink():
        return False
    end = os.path.realpath(entry.path)
    way = map(os.path.realpath, (folder, *PurePath(folder).parents))
    return os.path.islink(end) or (entry.is_dir() and any(PurePath(one).is_relative_to(end) for one in way))


def everything_in(folder: str) -> Iterator[os.DirEntry]:
    """The files in a folder and all folders below it."""
    for entry in entries_in(folder):
        if entry.is_dir():
            yield from everything_in(entry.path)
        else:
            yield entry


def folders_in(folder: str) -> list[str]:
    return [entry.path for entry in entries_in(folder) if entry.is_dir()]


def nearest_to(path: str) -> str:
    """The end of a message on a path that does not exist: suggests the one with the same name and an ending, or else
    with a similar name. If a folder in the path is missing, a similar folder is suggested that has the rest in it."""
    folder, name = os.path.split(path)
    rest, names = "", list[str]()
    while folder != os.path.dirname(folder) and not os.path.lexists(folder):  # a drive may be missing
        rest = os.path.join(name, rest)
        folder, name = os.path.split(folder)
    with suppress(OSError):
        names = sorted(one for one in os.listdir(folder or ".") if one != name and not is_companion(one))
    close = [one for one in names if one.startswith(f"{name}.")] or get_close_matches(name, names, 1)
    meant = os.path.join(folder, close[0], rest).rstrip(os.sep) if close else ""
    return f" Did you mean {meant!r}?" if os.path.lexists(meant) or glob(meant) else ""


def runs_near(option: str, folder: Path, file: Path) -> str:
    """The end of a message on a folder that is no run's: names the run with the most similar name and the nine newest
    others that have such a `file` in it, as a sweep's folder does, or else beside it or in outputs, and what
    `nearest_to` suggests."""
    beside = folder, folder.parent / "*", Path("outputs/*/*/*")  # the first may be a pattern
    found = glob(str(folder / "*" / file.name)) or {one for place in beside for one in glob(str(place / file.name))}
    words = [f"{option}={os.path.dirname(one)}" for one in sorted(found, key=os.path.getmtime)]
    close = get_close_matches(f"{option}={folder}", words, 1, 0.5)
    runs = nearest(f"{option}={folder}", [*close, *[word for word in words if word not in close][-9:]])
    near = "" if "Did you mean" in runs else nearest_to(str(folder))
    return f"{near}{runs}" or f" Give {option}=<folder of a run>."


def stamp(path: str, stat: os.stat_result) -> tuple[int, int, int]:
    """A file's fingerprint, which differs once the file has changed: (size in bytes, time of modification, a third).

    The third is the inode's change time: `cp -p` and `rsync -t` can fake the first two, but not that. Windows, memory
    cards and some network disks have no change time. There it is the CRC-32 of three blocks of 4 KB, at the beginning,
    middle and end of the file: a change of a compressed picture reaches them all.
    """
    changed = stat.st_ctime_ns
    if WINDOWS or changed == stat.st_mtime_ns:  # they are also equal just after the file was written
        changed = 0
        with suppress(OSError), open(path, "rb", buffering=0) as file:
            for start in (0, stat.st_size // 2, max(0, stat.st_size - 4096)):
                file.seek(start)
                changed = zlib.crc32(file.read(4096), changed)
    return stat.st_size, stat.st_mtime_ns, changed
