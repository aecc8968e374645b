"""One process at a time writes into a run's folder."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from proj.errors import UserError


def take(file: IO, attempts: int = 4) -> None:
    """Retries for 0.15 s, since `is_locked` holds it for a moment. Raises BlockingIOError if it is still taken."""
    for attempt in range(1, attempts + 1):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == attempts:
                raise
            time.sleep(0.05)


def is_locked(folder: Path) -> bool:
    """Whether a process works in `folder` now."""
    try:
        with open(folder / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never begun, or a file system without locks
        pass
    return False


@contextmanager
def one_of(name: Path, count: int) -> Iterator[int | None]:
    """Hold one of `count` things that processes share, by files <name>0.lock, …; wait for one. None of 0 or 1."""
    if count < 2:
        yield None
        return
    with ExitStack() as stack:
        files = [stack.enter_context(open(f"{name}{index}.lock", "a")) for index in range(count)]
        while True:
            for index, file in enumerate(files):
                with suppress(BlockingIOError):
                    take(file, attempts=1)
                    yield index
                    return
            time.sleep(1)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same lock file."""
    with ExitStack() as stack:
        with suppress(OSError):  # read-only, or a file system without locks
            file.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(open(file, "a")), fcntl.LOCK_EX)
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`; the kernel lets go of it when the process dies, however it dies.

    Raises UserError that names the process which holds it.
    """
    with open(folder / ".lock", "a+") as file:  # never deleted: a waiting process would hold a file that is gone
        try:
            take(file)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"{folder} is in use by {file.read().strip() or 'another process'}. Wait until it ends or stop it; for "
                "another run, choose another folder: hydra.run.dir=… or, for a sweep, sweep_name=…"
            ) from None
        except OSError:  # a file system without locks
            yield
            return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing it would not do while a forked process has it open
