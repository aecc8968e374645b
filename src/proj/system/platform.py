"""What Linux, macOS and Windows do differently. What a system lacks is left out here, so that no other module asks."""

import ctypes
import errno
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from proj.errors import UserError

WINDOWS = os.name == "nt"

# What asks a run to stop: Ctrl-C, `kill`, Slurm before a job's time is over, and the closing of its terminal or window.
ASKS_TO_STOP = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGBREAK")
STOP_SIGNALS = tuple(getattr(signal, name) for name in ASKS_TO_STOP if hasattr(signal, name))
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # `nohup` started the command
    STOP_SIGNALS = tuple(number for number in STOP_SIGNALS if number != signal.SIGHUP)


def local_path(path: str | os.PathLike[str], option: str = "") -> str:
    """A path as somebody has typed it, with the home in place of ~, which shells leave as it is after an equals sign.

    option: what was typed before it, such as `ckpt=`.
    Raises UserError for what names no file of this machine: an address, a path of Windows's elsewhere, and one in
    quotation marks, which a shell takes away only where it reads them.
    """
    if not isinstance(path, str | os.PathLike) or isinstance(text := os.fspath(path), bytes):
        raise UserError(f"{option}{path!r} is no path: give a text or a pathlib.Path.")
    found = os.path.expanduser(text)
    if os.path.lexists(found):
        return found
    if address := re.fullmatch(r"(\w[\w+.-]*)://(.*)", text):
        how = f"type {option}{address[2]}" if address[1] == "file" else "copy what is there, and name the copy"
        raise UserError(f"{option}{text} is an address, where a path of this machine is needed: {how}.")
    if marked := re.fullmatch(r"(['\"])(.+)\1", text):
        command = as_command([option + marked[2]])
        raise UserError(f"{option}{text} has quotation marks that no shell has read: type {command}")
    if not WINDOWS and re.match(r"([A-Za-z]:|\.\.?)\\", text):
        raise UserError(f"{option}{text} is a path of Windows: here / stands between folders, as in data/photos.")
    return found


def absolute(paths: str) -> str:
    """A path, or several with `os.pathsep` between them, from the root of the file system on."""
    return os.pathsep.join(map(os.path.abspath, [paths] if os.path.exists(paths) else paths.split(os.pathsep)))


def printable_output() -> None:
    """Print what the terminal's encoding lacks as \\xd7, where Python would end the command with an error.

    Each line is written at once, also into a file or a pipe, so that a killed command loses none. A command goes on
    where nobody reads any more, as after `| head` or in a terminal that was closed: what it writes into files is whole.
    """
    if os.environ.get("COLUMNS") == "0":  # of a shell without a terminal: tables would have no columns at all
        del os.environ["COLUMNS"]
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a notebook's own stream, or one that is closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
            if stream in (sys.__stdout__, sys.__stderr__) and "flush" not in vars(stream):
                may_go_unread(stream)


def may_go_unread(stream: TextIO) -> TextIO:
    """The stream, which from now on takes what is written also where nobody reads any more."""
    stream.write, stream.flush = or_unread(stream, stream.write), or_unread(stream, stream.flush)
    return stream


def or_unread(stream: TextIO, call: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a stream, after which all goes to the null device once nobody can read the stream any more."""

    def called(*text: str) -> Any:
        try:
            return call(*text)
        except OSError as error:
            # Windows says EINVAL of such a pipe, and a terminal that was closed gives EIO.
            if error.errno not in (errno.EPIPE, errno.EINVAL, errno.EIO):
                error.filename = "what this command prints"  # for `file_fault`: the disk of its file may be full
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return sum(map(len, text))

    return called


# Where Linux says what a container may take, in its newer and its older way.
LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory() -> int | None:
    """The bytes of memory that the machine has, or the container; None where the system does not say it."""
    found = []
    for file in LIMITS:
        with suppress(OSError, ValueError):  # of the other way, or "max": no limit
            found.append(int(file.read_text("ascii")))
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def refuse_no_text(path: Path) -> None:
    """Raises UserError where the locale does not know all letters of a path, which some libraries then refuse."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path} has letters that the locale does not know: set PYTHONUTF8=1 or choose another folder."
        ) from error


def shorter(path: Path) -> Path:
    """A path as it is typed here, which is shorter within the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def as_command(words: list[str]) -> str:
    """The words as a person types them into the shell of this system."""
    return subprocess.list2cmdline(words) if WINDOWS else shlex.join(words)


def c_library() -> ctypes.CDLL | None:
    """The C library of Linux, for what Python itself does not offer; None on other systems."""
    with suppress(OSError, AttributeError):
        return ctypes.CDLL("libc.so.6")
    return None


def processor() -> str:
    """The name of the processor, or its kind (such as arm64) where the system does not tell the name."""
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        return re.search(r"model name\s*: (.+)", about)[1]
    except (OSError, TypeError):  # another system than Linux, or another processor than x86
        return (WINDOWS and platform.processor()) or platform.machine()


def usable_cores() -> int:
    """The cores that this process may use, which a queue or a container can make fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ending(code: int) -> str:
    """How a process ended, from its exit code; a negative one is the number of the signal that ended it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        name = str(-code)
    return f"signal {name}, often for lack of memory"


def replace(source: Path, target: Path, patience: float = 2.0) -> None:
    """`os.replace`. Windows refuses it while another program has the target open: try again for `patience` seconds.

    Raises PermissionError that says so.
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
    """Have the names in a folder written to the disk. Windows cannot open a folder and is left to do it by itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # which is how some network disks say that they have no such thing
            raise
    finally:
        os.close(descriptor)


SEEKING = threading.Lock()


def read_at(file: BinaryIO, count: int, start: int) -> bytes:
    """`count` bytes of a file from `start` on, fewer at its end. Threads and forked processes may share the file."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, start)
    with SEEKING:  # Windows, which forks no process, so that none shares the file's position
        file.seek(start)
        return file.read(count)
