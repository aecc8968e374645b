"""One process at a time writes into a run's folder.

The system's own locks see to that, and a process that dies lets go of them, however it dies. They do not help on a file
system that has no locks, nor on one whose locks are not seen by other machines. So the process that holds a folder also
writes its name into the lock's file and gives a sign of life there every few seconds (the file's time). Whoever finds a
name in the file of a lock that is free waits for such a sign before it takes the folder.
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

BEAT = 4.0  # seconds between two signs of life
SILENCE = 3 * BEAT  # after so long without one, the process is dead
told: set[int] = set()  # the file systems without locks of which the user has been told


def take(file: IO, attempts: int = 4) -> bool:
    """Whether this process has the lock now. Tries for 0.15 s, since `is_locked` holds it for a moment.

    Raises OSError where the file system has no locks.
    """
    for attempt in range(attempts):
        time.sleep(0.05 if attempt else 0)
        if lock_descriptor(file.fileno(), blocking=False):
            return True
    return False


def say_without_locks(folder: Path, error: OSError) -> None:
    """Tell the user, once for each file system, that nothing keeps two processes apart there."""
    device = folder.stat().st_dev
    if device not in told:
        told.add(device)
        print(f"The file system of {folder} has no locks ({error.strerror}): start one process at a time there.")


def holder(file: IO) -> tuple[str, str]:
    """The process that has written its name into the lock's file, and its machine; both empty after it gave it back."""
    file.seek(1)  # the first byte is the one that is locked, which Windows lets no other process read
    if found := re.search(r"(\d+) on (\S+)", file.read()):
        return f"process {found[1]} on {found[2]}", found[2]
    return "", ""


def is_locked(folder: Path) -> bool:
    """Whether a process works in `folder` now, here or on another machine: the one that has written its name there."""
    try:
        with open(folder / ".lock", encoding="utf-8") as file:
            name, host = holder(file)
            if not name:
                return False
            with suppress(OSError):  # a file system without locks
                if not take(file, attempts=2):
                    return True
                unlock_descriptor(file.fileno())
                if host == socket.gethostname():
                    return False  # on this machine it would have the lock, so it has died
            return time.time() - os.fstat(file.fileno()).st_mtime < SILENCE
    except OSError:  # no process has ever worked there
        return False


@contextmanager
def one_of(name: Path, count: int) -> Iterator[int | None]:
    """Wait for one of `count` things that processes share, and hold it: yields its number, or None of a single thing.

    The locks are files beside each other, <name>0.lock, <name>1.lock and so on.
    Raises UserError where the file system has no locks.
    """
    if count < 2:
        yield None
        return
    with ExitStack() as stack:
        files = [stack.enter_context(open(f"{name}{index}.lock", "a", encoding="utf-8")) for index in range(count)]
        while True:
            for index, file in enumerate(files):
                try:
                    taken = take(file, attempts=1)
                except OSError as error:
                    raise UserError(
                        f"the file system of {name.parent} has no locks ({error.strerror}), and by locks jobs share "
                        "the GPUs: choose another folder with hydra.sweep.dir=…, or a GPU with trainer.devices=[0]"
                    ) from error
                if taken:
                    yield index
                    return
            time.sleep(1)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same lock file."""
    with ExitStack() as stack:
        with suppress(OSError):  # a folder that can only be read
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(path, "a", encoding="utf-8"))
            try:
                lock_descriptor(file.fileno())
            except OSError as error:
                say_without_locks(path.parent, error)
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`. Raises UserError that names the process which holds it."""
    path = folder / ".lock"
    # It is never deleted: a process that waits would hold a file that is gone.
    with open(path, "a+", encoding="utf-8") as file:
        has_locks = True
        try:
            free = take(file)
        except OSError as error:
            say_without_locks(folder, error)
            free, has_locks = True, False
        name, host = holder(file)
        if free and name and not (has_locks and host == socket.gethostname()):
            free = not is_alive(path, name)
        if not free:
            raise UserError(
                f"{folder} is in use by {name or 'another process'}. Wait until it ends or stop it; for another run, "
                "choose another folder: hydra.run.dir=… or, for a sweep, sweep_name=…"
            )
        file.truncate(0)
        file.write(f" process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        ended = threading.Event()
        threading.Thread(target=give_signs_of_life, args=(path, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):
                file.truncate(0)
            if has_locks:
                unlock_descriptor(file.fileno())  # closing it would not do while a forked process has it open


def give_signs_of_life(path: Path, ended: threading.Event) -> None:
    """Renew the time of the lock's file until the block of `locked` has ended."""
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(path)


def is_alive(path: Path, name: str) -> bool:
    """Whether the process that has written its name there gives a sign of life, where no lock can tell."""
    print(f"{path.parent} was not given back by {name}: looking for {SILENCE:.0f} s whether it still runs.", flush=True)
    times, end = set(), time.monotonic() + SILENCE
    while time.monotonic() < end:
        with open(path, "rb") as file:  # opened each time: a network disk then asks its server
            times.add(os.fstat(file.fileno()).st_mtime_ns)
        if len(times) > 1:
            return True
        time.sleep(BEAT / 4)
    return False
