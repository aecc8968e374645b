"""What Linux, macOS and Windows do differently. Where one lacks something, these functions do without it, so that no
other module has to ask which system this is."""

import ctypes
import errno
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from proj.errors import UserError

WINDOWS = os.name == "nt"

# Signals that ask a run to stop: Ctrl-C, `kill`, Slurm's before a job's time is over, and a closed terminal or window.
ASKS_TO_STOP = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGBREAK")
STOP_SIGNALS = tuple(getattr(signal, name) for name in ASKS_TO_STOP if hasattr(signal, name))
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # `nohup` started the command
    STOP_SIGNALS = tuple(number for number in STOP_SIGNALS if number != signal.SIGHUP)


def printable_output() -> None:
    """Make `print` safe: a character that the encoding lacks is printed as \\xd7, where Python would raise an error.

    Each line is written at once, so that a command that is killed loses none. Once nobody reads the output any more, as
    after `| head` or when the terminal was closed, the command goes on, so that it still writes its files.
    """
    if os.environ.get("COLUMNS") == "0":  # some shells set it where there is no terminal: tables would have no columns
        del os.environ["COLUMNS"]
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # of a notebook's stream, or of one that is closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
            if stream in (sys.__stdout__, sys.__stderr__) and "flush" not in vars(stream):
                may_go_unread(stream)


def open_closed_streams() -> None:
    """Connect standard streams without which this process was started, as by `>&-`, to the null device. Otherwise the
    next file that is opened takes the number of one, and what libraries print there goes into the file."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest free number, which is this
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def may_go_unread(stream: TextIO) -> TextIO:
    """Have the stream accept what is written even when nobody reads it any more; return it."""
    stream.write, stream.flush = or_unread(stream, stream.write), or_unread(stream, stream.flush)
    return stream


def or_unread(stream: TextIO, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, a method of `stream`, wrapped: if nobody reads the stream any more, it is sent to the null device."""

    def called(*text: str) -> Any:
        try:
            return call(*text)
        except OSError as error:
            # A pipe without a reader gives EPIPE, or EINVAL on Windows, and a terminal that was closed gives EIO.
            if error.errno not in (errno.EPIPE, errno.EINVAL, errno.EIO):
                error.filename = "what this command prints"  # for the message of `file_fault`, if a disk is full, say
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return sum(map(len, text))

    return called


# Where Linux keeps the memory limit of a container, in cgroups of version 2 and of version 1.
LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory() -> int | None:
    """The memory of the machine or of the container, in bytes; None where the system does not tell it."""
    found = []
    for file in LIMITS:
        with suppress(OSError, ValueError):  # of the other version's file, which is missing; of "max", for no limit
            found.append(int(file.read_text("ascii")))
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def refuse_no_text(path: Path) -> None:
    """Raises UserError if the path has bytes that are no letters in the locale's encoding: some libraries refuse it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path} has letters that the locale does not know: set PYTHONUTF8=1 or choose another folder."
        ) from error


def shorter(path: Path) -> Path:
    """The path relative to the current folder, if it lies in it; else as it is."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def c_library() -> ctypes.CDLL | None:
    """Linux's C library, for functions that Python does not offer; None on other systems."""
    with suppress(OSError, AttributeError):
        return ctypes.CDLL("libc.so.6")
    return None


def processor() -> str:
    """The processor's model name, or its architecture (such as arm64) where the system does not tell the name."""
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        return re.search(r"model name\s*: (.+)", about)[1]
    except (OSError, TypeError):  # another system than Linux, or another processor than x86
        return (WINDOWS and platform.processor()) or platform.machine()


def usable_cores() -> int:
    """How many cores this process may use: a queue or a container may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ending(code: int) -> str:
    """How a process ended, in words. code: its exit code, or minus the number of the signal that ended it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        name = str(-code)
    return f"signal {name}, often for lack of memory"


def replace(source: Path, target: Path, patience: float = 2.0) -> None:
    """`os.replace`, tried again for `patience` seconds: Windows refuses it while another program has the target open.

    Raises PermissionError that names this as the likely reason.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return os.replace(source, target)
        except PermissionError as error:
            if time.monotonic() > end:
                why = f"{error.strerror or 'Permission denied'}; perhaps another program has it open"
                raise PermissionError(errno.EACCES, why, str(target)) from error
            time.sleep(0.05)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk (fsync). Does nothing on Windows, which cannot open a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # by which some network disks say that they do not support it
            raise
    finally:
        os.close(descriptor)


SEEKING = threading.Lock()


def read_at(file: BinaryIO, count: int, start: int) -> bytes:
    """`count` bytes of a file from `start` on, fewer at its end. Threads and forked processes may share the file."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, start)
    with SEEKING:  # Windows, where a lock among threads is enough: no forked process shares the file's position
        file.seek(start)
        return file.read(count)
