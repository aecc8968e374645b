"""Runs commands, one after the other, in an interpreter that imitates Windows: `python elsewhere.py commands.json`.

commands.json: [["proj.train", "dataset=digits", …], …]. In the working folder, files may only have names that Windows
takes, cannot be replaced or deleted while they are open, and cannot be symbolic links. Functions of `os` that Windows
lacks are deleted. Modules that Windows lacks cannot be imported by this project; other libraries still may, since they
ask for the system's name (Linux), and use what it has.
"""

import builtins
import ctypes
import importlib
import io
import json
import multiprocessing
import os
import re
import signal
import sys
import traceback
import types

HERE = os.getcwd()
MISSING = {"fcntl", "resource", "pwd", "grp", "termios", "posix"}
OURS = ("proj", "hydra_plugins.proj")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)

SIGNALS = types.ModuleType("signal")  # Windows's; other libraries go on with Linux's
for name in dir(signal):
    if not name.startswith("SIG") or name in ("SIGINT", "SIGTERM", "SIGABRT", "SIG_DFL", "SIG_IGN"):
        setattr(SIGNALS, name, getattr(signal, name))
for name in ("preadv", "pread", "fork", "forkpty", "sched_getaffinity", "killpg", "setsid", "mkfifo", "posix_fadvise"):
    delattr(os, name)

real_import, real_open, real_library = builtins.__import__, builtins.open, ctypes.CDLL.__init__


def import_as_on_windows(name, globals=None, *rest, **settings):
    if str((globals or {}).get("__name__")).startswith(OURS):
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name == "signal":
            return SIGNALS
    return real_import(name, globals, *rest, **settings)


def load_library_but_libc(self, name, *rest, **settings):
    if name and os.path.basename(str(name)).startswith("libc."):
        raise OSError(f"{name}: cannot open shared object file")
    real_library(self, name, *rest, **settings)


def refuse_name(path) -> None:
    """Raises OSError for a path in this folder that Windows does not take: for its characters, or for its length below
    the folder of a typical user."""
    path = os.path.abspath(os.fsdecode(path))
    if not path.startswith(HERE + os.sep):
        return
    parts = path[len(HERE) + 1 :].split(os.sep)
    if len(path) - len(HERE) > 260 - len(r"C:\Users\somebody\Documents\projects\proj"):
        raise FileNotFoundError(2, "The system cannot find the path specified", path)
    for part in parts:
        if re.search(r'[<>:"\\|?*\0-\x1f]|[. ]$', part) or DEVICES.fullmatch(part):
            raise OSError(22, "The filename, directory name, or volume label syntax is incorrect", path)


def open_as_on_windows(path, mode="r", *rest, **settings):
    if isinstance(path, str | bytes | os.PathLike):
        if os.fsdecode(path).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", path)
        if set(mode) & set("wxa"):
            refuse_name(path)
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] == "pathlib":
            frame = frame.f_back
        ours = frame.f_globals["__name__"].startswith(OURS)
        if ours and "b" not in mode and settings.get("encoding", (*rest, None, None)[1]) in (None, "locale"):
            raise AssertionError(f"{path} is opened in the encoding of the locale")
    return real_open(path, mode, *rest, **settings)


def is_open(path) -> bool:
    path = os.path.realpath(path)
    for number in real_listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}") == path:
                return True
        except OSError:  # the descriptor of the listing itself is closed by now
            pass
    return False


def refuse_open_files(name: str, place: int) -> None:
    """Have os.<name> raise PermissionError if the file in its argument number `place` is open."""
    real = getattr(os, name)

    def call(*paths, **settings):
        if is_open(paths[place]):
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return real(*paths, **settings)

    setattr(os, name, call)


def mkdir_as_on_windows(path, *rest, **settings):
    refuse_name(path)
    return real_mkdir(path, *rest, **settings)


def os_open_but_folders(path, *rest, **settings):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return real_os_open(path, *rest, **settings)


def refuse_link(*paths, **settings):
    raise OSError(1314, "A required privilege is not held by the client")


real_listdir, real_mkdir, real_os_open = os.listdir, os.mkdir, os.open
builtins.__import__, ctypes.CDLL.__init__ = import_as_on_windows, load_library_but_libc
builtins.open = io.open = open_as_on_windows
os.mkdir, os.open = mkdir_as_on_windows, os_open_but_folders
os.symlink = os.link = refuse_link
for name, place in {"replace": 1, "unlink": 0, "remove": 0, "rename": 0}.items():
    refuse_open_files(name, place)


def main() -> None:
    multiprocessing.set_start_method("spawn")
    with open(sys.argv[1], encoding="utf-8") as file:
        commands = json.load(file)
    for module, *words in commands:
        print(f"$ {module} {' '.join(words)}".encode("ascii", "replace").decode(), flush=True)
        sys.argv = [f"{module}.py", *(os.fsdecode(word.encode()) for word in words)]  # as a shell hands them on
        code = 0
        try:
            importlib.import_module(module).main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            code = traceback.format_exc()
        print(f"exit code {code}".encode("ascii", "backslashreplace").decode(), flush=True)


if __name__ == "__main__":
    main()
