"""Commands in processes of their own that are forked from one that has imported torch: it takes seconds to import.

Python's own fork server is that process. It imports, and does nothing else.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from importlib import import_module
from multiprocessing.forkserver import get_inherited_fds
from multiprocessing.reduction import DupFd
from operator import methodcaller

from proj.system.platform import STOP_SIGNALS, printable_output
from proj.system.processes import BAR, die_with_parent


def can_fork() -> bool:
    """Whether this process can have a fork server of its own: on Linux, where it is the command itself.

    A process that a launcher or another fork server has started cannot: the jobs that it forked died with exit code 1.
    """
    alone = multiprocessing.current_process().name == "MainProcess" and not get_inherited_fds()
    return sys.platform == "linux" and alone


class Forked:
    """`python -m <module> <words>`, with the parts of a subprocess.Popen that a job needs.

    preload: the module that the server imports, see `ignore_stops`. files: numbers of the open files that are the
    process's stdout and stderr, and of the terminal for its bar, if it shows one.
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
        if self.process.is_alive():
            os.kill(self.process.pid, number)


class HandedOn:
    """An open file that is handed on to another process, which gets its number there."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple:
        return methodcaller("detach"), (DupFd(self.number),)


def ignore_stops() -> None:
    """Have the fork server ignore the signals that stop its jobs: sent to all processes, they reach it too."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def die_with_starter() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def run(module: str, words: list[str], env: dict[str, str], files: list[int]) -> None:
    """In the new process: what Python does for a command."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    die_with_parent()  # the server, which lives as long as this process
    threading.Thread(target=die_with_starter, daemon=True).start()
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
        import_module(module).main()
    finally:
        atexit._run_exitfuncs()  # which a forked process leaves out
