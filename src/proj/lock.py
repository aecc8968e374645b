"""One process at a time writes into a run's folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proj.errors import UserError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`; the kernel lets go of it when the process dies, however it dies.

    Raises UserError that names the process which holds it.
    """
    with open(folder / ".lock", "a+") as file:  # never deleted: a waiting process would hold a file that is gone
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"{folder} is in use by {file.read().strip() or 'another process'}. Wait until it ends or stop it; for "
                "a second run, choose another hydra.run.dir."
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
