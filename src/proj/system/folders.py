"""What lies in a person's folder, without what systems and this program leave there, and what a wrong path may mean."""

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from glob import glob
from pathlib import Path, PurePath

from proj.errors import nearest
from proj.system.platform import WINDOWS
from proj.system.run_folder import RunFolder

# What systems and their disks leave beside a person's files, in lower case: thumbnails, bins, indices.
COMPANIONS = {"__macosx", "icon\r", "temporary items", "network trash folder", "lost+found", "__pycache__"}
COMPANIONS |= {"thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"}
COMPANIONS |= {"found.000", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@__thumb"}


def is_companion(name: str) -> bool:
    """Whether a file or folder is hidden, a system's own, or Office's mark beside a file that somebody has open."""
    return name.startswith((".", "~$")) or name.lower() in COMPANIONS


def entries_in(folder: str) -> list[os.DirEntry]:
    """Files and folders by their names, without hidden ones, those that systems leave, links to folders above, and the
    folders of runs: of one that was started beside the photos, the pictures of an evaluation are no class."""

    def is_left_out(entry: os.DirEntry) -> bool:
        return is_companion(entry.name) or leads_back(entry, folder) or (entry.is_dir() and is_of_a_run(entry.path))

    return sorted((entry for entry in os.scandir(folder) if not is_left_out(entry)), key=lambda entry: entry.name)


def is_of_a_run(folder: str) -> bool:
    run = RunFolder(folder)
    return os.path.isfile(run.record) or os.path.isdir(run.notes)  # also of a folder that may not be read


def leads_back(entry: os.DirEntry, folder: str) -> bool:
    """Whether an entry of a folder is a link to that folder or one above it, in which all would be found again."""
    return entry.is_symlink() and PurePath(os.path.realpath(folder)).is_relative_to(os.path.realpath(entry.path))


def everything_in(folder: str) -> Iterator[os.DirEntry]:
    """What lies in a folder and below it, but for the folders themselves."""
    for entry in entries_in(folder):
        if entry.is_dir():
            yield from everything_in(entry.path)
        else:
            yield entry


def folders_in(folder: str) -> list[str]:
    return [entry.path for entry in entries_in(folder) if entry.is_dir()]


def nearest_to(path: str) -> str:
    """The end of a message on a path that is not there: what has nearly its name, also behind an ending; or of the
    first folder in it that is not there the nearest one in which the rest is."""
    folder, name = os.path.split(path)
    rest, names = "", list[str]()
    while folder and not os.path.lexists(folder):
        rest, (folder, name) = os.path.join(name, rest), os.path.split(folder)
    with suppress(OSError):
        names = sorted(one for one in os.listdir(folder or ".") if one != name and not is_companion(one))
    close = [one for one in names if one.startswith(f"{name}.")] or get_close_matches(name, names, 1)
    meant = os.path.join(folder, close[0], rest).rstrip(os.sep) if close else ""
    return f" Did you mean {meant!r}?" if os.path.lexists(meant) or glob(meant) else ""


def runs_near(option: str, folder: Path, file: Path) -> str:
    """The end of a message on a folder of no run: the ten newest with such a file in it, beside it and in outputs."""
    places = folder, folder / "*", folder.parent / "*", Path("outputs/*/*/*")  # the first may be a pattern
    newest = sorted({one for place in places for one in glob(str(place / file.name))}, key=os.path.getmtime)[-10:]
    found = nearest(f"{option}={folder}", [f"{option}={os.path.dirname(one)}" for one in newest])
    near = "" if "Did you mean" in found else nearest_to(str(folder))
    return f"{near}{found}" or f" Give {option}=<folder of a run>."


def stamp(path: str, stat: os.stat_result) -> tuple[int, int, int]:
    """What is another when a file is: its bytes, its time, and the system's own time of its last change.

    `cp -p` and `rsync -t` keep the first two and cannot keep the third. Windows, memory cards and some network disks
    have no such time: there it is the CRC-32 of three parts of the file, 4 KB at its beginning, middle and end. In
    compressed pictures a change reaches them all.
    """
    changed = stat.st_ctime_ns
    if WINDOWS or changed == stat.st_mtime_ns:  # equal also for a file that was just written
        changed = 0
        with suppress(OSError), open(path, "rb", buffering=0) as file:
            for start in (0, stat.st_size // 2, max(0, stat.st_size - 4096)):
                file.seek(start)
                changed = zlib.crc32(file.read(4096), changed)
    return stat.st_size, stat.st_mtime_ns, changed
