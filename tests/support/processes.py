"""Runs commands in processes that are forked from a server which has imported torch: that saves seconds for each."""

import atexit
import functools
import gc
import importlib
import importlib.util
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from unittest import mock

PROCESSES = multiprocessing.get_context("forkserver")
PATIENCE = 600  # seconds: what takes longer hangs, even on a busy machine that is ten times slower than usual


@functools.cache
def start_server() -> None:
    """Start the fork server, which imports `support.warm`; processes from PROCESSES are forked from it.

    Where xdist's controller has started one, take that: see `share_server`.
    """
    server = forkserver._forkserver
    if address := os.environ.get("TESTS_FORK_SERVER"):
        server._forkserver_address, server._forkserver_alive_fd = address, os.pipe()[1]
        server.ensure_running = resource_tracker.ensure_running
        return
    PROCESSES.set_forkserver_preload(["support.warm"])
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(places)):
        server.ensure_running()


def share_server() -> None:
    """In xdist's controller: start one fork server for all workers, since each takes twelve seconds of a processor."""
    if sys.version_info < (3, 14):  # later ones ask for a key, which no other process has
        start_server()
        os.environ["TESTS_FORK_SERVER"] = forkserver._forkserver._forkserver_address


def new(work: Callable, *arguments) -> multiprocessing.Process:
    """A process that will call `work(*arguments)`; it is not started yet."""
    start_server()
    return PROCESSES.Process(target=work, args=arguments)


def child(module: str, words: list[str], folder: Path, streams: list[Path], env: dict, before) -> None:
    """In the forked process: set up what `python -m <module> <words>` would have, and call the module's `main`."""
    atexit._clear()  # the functions that the fork server would call at its own end
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    for number, file in enumerate(streams, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [f"{module}.py", *words]
    # Lightning starts the other processes of a run by the name of this module.
    sys.modules["__main__"].__spec__ = importlib.util.find_spec(module)
    if before:
        before()
    try:
        importlib.import_module(module).main()
    finally:
        sys.stdout.flush()
        leave()


def leave() -> None:
    """Do what Python does when a program ends, but not when a fork ends: it stops joblib's workers, and Ray."""
    joblib = sys.modules.get("joblib.externals.loky.reusable_executor")
    if getattr(joblib, "_executor", None):
        joblib.get_reusable_executor().shutdown()
    atexit._run_exitfuncs()


def start(folder: Path, module: str, *words: str, streams=(os.devnull, os.devnull), env=None, before=None):
    """Start a process that is like `python -m <module> <words>` in `folder`. It first calls `before`, if given."""
    process = new(child, module, list(words), folder, list(streams), dict(env or os.environ), before)
    process.start()
    return process


def run(folder: Path, module: str, *words: str, env=None, before=None) -> subprocess.CompletedProcess:
    """Run `start`'s process to its end; return its exit code and its output."""
    with tempfile.TemporaryDirectory() as temporary:
        streams = [Path(temporary, name) for name in ("out", "err")]
        process = start(folder, module, *words, streams=streams, env=env, before=before)
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(words)
        return subprocess.CompletedProcess(words, process.exitcode, *(file.read_text() for file in streams))


def program(folder: Path, *words: str, env=None) -> subprocess.CompletedProcess:
    """Run `python <words>` in `folder` in a new interpreter, not a fork; return its exit code and its output."""
    settings = {"capture_output": True, "text": True, "timeout": PATIENCE}
    return subprocess.run([sys.executable, *words], cwd=folder, env=env, **settings)


def wait_for(condition: Callable[[], object], process=None, pause=0.02):
    """Call `condition` until it returns a true value, and return that. Fails if `process` ends before, or after
    PATIENCE.

    pause: seconds between two calls; longer for a condition that starts programs.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        ended = process is not None and (process.poll() if hasattr(process, "poll") else process.exitcode) is not None
        assert not ended, "the process has ended"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(pause)
    return found


def in_child(work: Callable[[], object]):
    """Call `work` in a forked process, so that it may change or kill its process; return its result."""
    return answer_of(*forked(work))


def forked(work: Callable[[], object]) -> tuple[int, int]:
    """Start a forked process that calls `work`; return (its id, the pipe with its result) for `answer_of`."""
    receives, sends = os.pipe()
    child = os.fork()
    if not child:
        gc.freeze()  # a garbage collection would otherwise copy the memory that the fork shares with its parent
        try:
            os.write(sends, pickle.dumps(work()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(sends)
    return child, receives


def answer_of(child: int, receives: int):
    """Wait for a `forked` process, and return its result."""
    with os.fdopen(receives, "rb") as answer:
        result = answer.read()
    _, status = os.waitpid(child, 0)
    assert status == 0 and result, f"killed by signal {status & 127}, or failed"
    return pickle.loads(result)
