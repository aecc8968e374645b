"""Locks, by which only one process at a time works in a run's folder.

They are the operating system's file locks, which a process loses when it dies, however it dies. Some file systems have
no locks, and on others no machine sees the locks of another. So the process that holds a folder also writes its name
into the lock file, and every few seconds renews the file's modification time as a heartbeat. A process that gets the
lock, but finds another's name in the file, first waits whether a heartbeat comes.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import lock_descriptor, unlock_descriptor

from proj.errors import UserError

BEAT = 4.0  # seconds between two heartbeats
SILENCE = 3 * BEAT  # a process without a heartbeat for so many seconds is dead
warned: set[int] = set()  # device numbers of the file systems without locks that the user has been warned of


def try_lock(file: IO, attempts: int = 4) -> bool:
    """Take the lock if it is free; return whether this process has it now.

    Four attempts take 0.15 s: a process that calls `is_locked` holds the lock for a moment, which should not count.
    Raises OSError where the file system has no locks.
    """
    for attempt in range(attempts):
        time.sleep(0.05 if attempt else 0)
        if lock_descriptor(file.fileno(), blocking=False):
            return True
    return False


def warn_without_locks(folder: Path, error: OSError) -> None:
    """Tell the user, once for each file system, that nothing keeps two processes apart there."""
    device = folder.stat().st_dev
    if device not in warned:
        warned.add(device)
        print(f"The file system of {folder} has no locks ({error.strerror}): start one process at a time there.")


def holder(file: IO) -> tuple[str, str]:
    """(The process whose name is in the lock file, its machine); both empty once it has given the folder back."""
    file.seek(1)  # the lock is on the first byte, which Windows then lets no other process read
    if found := re.search(r"(\d+) on (\S+)", file.read(1000)):
        return f"process {found[1]} on {found[2]}", found[2]
    return "", ""


def is_locked(folder: Path) -> bool:
    """Whether a process, on this machine or another one, holds `folder` now."""
    if not (folder / ".lock").is_file():  # no process has ever worked there; a pipe of somebody else's would not end
        return False
    try:
        with open(folder / ".lock", encoding="utf-8", errors="replace") as file:
            name, host = holder(file)
            if not name:
                return False
            with suppress(OSError):  # of a file system without locks
                if not try_lock(file, attempts=2):
                    return True
                unlock_descriptor(file.fileno())
                if host == socket.gethostname():
                    return False  # the lock is free, so the process of this machine that wrote its name has died
            return time.time() - os.fstat(file.fileno()).st_mtime < SILENCE
    except OSError:  # it may not be read
        return False


@contextmanager
def one_gpu(name: Path, count: int) -> Iterator[int | None]:
    """Wait until one of `count` GPUs that processes share is free, and hold it during the block.

    Yields its number; None where `count` is less than two, so that there is nothing to choose. Each GPU has a lock
    file: <name>0.lock, <name>1.lock and so on. Raises UserError where the file system has no locks.
    """
    if count < 2:
        yield None
        return
    with ExitStack() as stack:
        files = [stack.enter_context(open(f"{name}{index}.lock", "a", encoding="utf-8")) for index in range(count)]
        while True:
            for index, file in enumerate(files):
                try:
                    taken = try_lock(file, attempts=1)
                except OSError as error:
                    raise UserError(
                        f"the file system of {name.parent} has no locks ({error.strerror}), which jobs need to share "
                        "the GPUs: choose another folder with hydra.sweep.dir=…, or a GPU with 'trainer.devices=[0]'"
                    ) from error
                if taken:
                    yield index
                    return
            time.sleep(1)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with the same lock file. Where the lock file cannot be made or
    locked, the block runs without a lock."""
    with ExitStack() as stack:
        with suppress(OSError):  # of a folder that may not be written to
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(path, "a", encoding="utf-8"))
            try:
                lock_descriptor(file.fileno())
            except OSError as error:
                warn_without_locks(path.parent, error)
        yield


def refuse_links(folder: Path) -> None:
    """Raises UserError for a link to a file elsewhere: somebody else's folder may hold one, to have that changed; and
    for a pipe or a device, which might never end."""
    for entry in os.scandir(folder):
        if os.path.exists(entry.path) and not (entry.is_file() or entry.is_dir()):
            raise UserError(f"{entry.path} is no file: remove it.")
        if entry.is_symlink() and not entry.is_dir() and Path(entry.path).resolve().parent != folder.resolve():
            raise UserError(f"{entry.path} is a link to a file elsewhere, which might be changed: put a copy there.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` during the block. Raises UserError that names the process which already holds it."""
    refuse_links(folder)
    path = folder / ".lock"
    # The file is never deleted: a process that has just opened it would otherwise lock a file that nobody else sees.
    with open(path, "a+", encoding="utf-8") as file:
        has_locks = True
        try:
            free = try_lock(file)
        except OSError as error:
            warn_without_locks(folder, error)
            free, has_locks = True, False
        name, host = holder(file)
        if free and name and not (has_locks and host == socket.gethostname()):
            free = not has_heartbeat(path, name)
        if not free:
            raise UserError(
                f"{folder} is in use by {name or 'another process'}. Wait until it ends or stop it; for another run, "
                "choose another folder: hydra.run.dir=… or, for a sweep, sweep_name=…"
            )
        file.truncate(0)
        file.write(f" process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        ended = threading.Event()
        threading.Thread(target=beat, args=(path, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):
                file.truncate(0)
            if has_locks:
                unlock_descriptor(file.fileno())  # closing the file would keep the lock if a forked process has it open


def beat(path: Path, ended: threading.Event) -> None:
    """Renew the lock file's modification time every BEAT seconds until the block of `locked` has ended."""
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(path)


def has_heartbeat(path: Path, name: str) -> bool:
    """Whether the process `name`, which is named in the lock file, is alive: looks for a heartbeat for SILENCE seconds,
    since the lock cannot tell."""
    print(f"{path.parent} was not released by {name}: checking for {SILENCE:.0f} s whether it still runs.", flush=True)
    times, end = set(), time.monotonic() + SILENCE
    while time.monotonic() < end:
        with open(path, "rb") as file:  # opened each time, since a network disk then asks its server for the time
            times.add(os.fstat(file.fileno()).st_mtime_ns)
        if len(times) > 1:
            return True
        time.sleep(BEAT / 4)
    return False
