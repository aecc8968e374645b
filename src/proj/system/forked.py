"""Runs commands in processes that are forked from one that has already imported torch, which takes seconds.

That process is the fork server of Python's `multiprocessing`. It imports torch and does nothing else.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from multiprocessing.forkserver import get_inherited_fds
from multiprocessing.reduction import DupFd
from operator import methodcaller

from proj.system.platform import STOP_SIGNALS, printable_output
from proj.system.processes import BAR, die_with_parent


def can_fork() -> bool:
    """Whether this process can start a fork server: on Linux, if it is the command that the user typed.

    A process that a launcher or another fork server has started cannot: jobs forked from it died with exit code 1.
    """
    alone = multiprocessing.current_process().name == "MainProcess" and not get_inherited_fds()
    return sys.platform == "linux" and alone


class Forked:
    """A running `python -m <module> <words>`, with those methods of subprocess.Popen that a sweep's job needs.

    preload: the module that the fork server imports beforehand; it calls `block_stops`.
    files: the descriptors of the process's stdout and stderr, and of the terminal if it shows a progress bar.
    """

    def __init__(self, preload: str, module: str, words: list[str], env: dict[str, str], files: list[int]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([preload])
        self.process = context.Process(target=run, args=(module, words, env, [HandedOn(file) for file in files]))
        self.process.start()

    def wait(self) -> int:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.process.pid, number)


class HandedOn:
    """A file descriptor that pickles as a copy: the process that unpickles it gets its own number for the same file."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple:
        return methodcaller("detach"), (DupFd(self.number),)


def block_stops() -> None:
    """Have the fork server block the signals that stop its jobs, since a terminal sends them to every process. A forked
    process gets those that it was sent since its first moment when it unblocks them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def die_with_command() -> None:
    """Wait for the command that asked for this process, and end this process when the command ends."""
    multiprocessing.parent_process().join()
    os._exit(1)


def run(module: str, words: list[str], env: dict[str, str], files: list[int]) -> None:
    """Set up the forked process as Python would set up a new one, and call the module's `main`."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    die_with_parent()  # the parent is the fork server, which outlives this process unless it is killed
    threading.Thread(target=die_with_command, daemon=True).start()
    os.environ.clear()
    os.environ.update(env)
    out, err, *terminal = files
    os.dup2(out, 1)
    os.dup2(err, 2)
    if terminal:
        os.environ[BAR] = f"{terminal[0]} {env[BAR].partition(' ')[2]}"
    printable_output()
    sys.argv = [module, *words]
    try:
        main = import_module(module).main
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process would not call them
