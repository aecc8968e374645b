"""Commands and runs in processes of their own, forks of a server that has imported torch once: seconds less each."""

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
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

PROCESSES = multiprocessing.get_context("forkserver")
PATIENCE = 600  # seconds after which something hangs, also on a busy machine that is ten times slower than ours


@functools.cache
def start_server() -> None:
    """Let the processes that follow be forks of one that has imported `support.warm`."""
    PROCESSES.set_forkserver_preload(["support.warm"])
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(places)):
        forkserver.ensure_running()


def new(work: Callable, *arguments) -> multiprocessing.Process:
    """A process, not started yet, that will do some work."""
    start_server()
    return PROCESSES.Process(target=work, args=arguments)


def child(module: str, words: list[str], folder: Path, streams: list[Path], env: dict, before) -> None:
    atexit._clear()  # what the process that it was forked from does at its own end
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    for number, file in enumerate(streams, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [f"{module}.py", *words]
    sys.modules["__main__"].__spec__ = importlib.util.find_spec(module)  # by which others of a run are started
    if before:
        before()
    try:
        importlib.import_module(module).main()
    finally:
        sys.stdout.flush()
        leave()


def leave() -> None:
    """What Python does where a program ends, and leaves out in a fork: joblib's workers and a Ray end with it."""
    joblib = sys.modules.get("joblib.externals.loky.reusable_executor")
    if getattr(joblib, "_executor", None):
        joblib.get_reusable_executor().shutdown()
    atexit._run_exitfuncs()


def start(folder: Path, module: str, *words: str, streams=(os.devnull, os.devnull), env=None, before=None):
    """A process as of `python -m <module> <words>` in `folder`; it calls `before` first."""
    process = new(child, module, list(words), folder, list(streams), dict(env or os.environ), before)
    process.start()
    return process


def run(folder: Path, module: str, *words: str, env=None, before=None) -> subprocess.CompletedProcess:
    """The finished process of `python -m <module> <words>` in `folder`."""
    with tempfile.TemporaryDirectory() as temporary:
        streams = [Path(temporary, name) for name in ("out", "err")]
        process = start(folder, module, *words, streams=streams, env=env, before=before)
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(words)
        return subprocess.CompletedProcess(words, process.exitcode, *(file.read_text() for file in streams))


def program(folder: Path, *words: str, env=None) -> subprocess.CompletedProcess:
    """The finished process of a fresh `python <words>` in `folder`."""
    settings = {"capture_output": True, "text": True, "timeout": PATIENCE}
    return subprocess.run([sys.executable, *words], cwd=folder, env=env, **settings)


def wait_for(condition: Callable[[], object], process=None, pause=0.02):
    """What `condition` gives once that is true; a failure where the process ends or the time is over before.

    pause: seconds between two looks, longer for one that starts programs.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        ended = process is not None and (process.poll() if hasattr(process, "poll") else process.exitcode) is not None
        assert not ended, "the process has ended"
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(pause)
    return found


def in_child(work: Callable[[], object]):
    """What `work` gives in a forked process, which may watch itself, and die alone."""
    return answer_of(*forked(work))


def forked(work: Callable[[], object]) -> tuple[int, int]:
    """(A process that does some work, what it answers through), for `answer_of`."""
    receives, sends = os.pipe()
    child = os.fork()
    if not child:
        gc.freeze()  # else each collection of garbage would copy what the process was forked with
        try:
            os.write(sends, pickle.dumps(work()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(sends)
    return child, receives


def answer_of(child: int, receives: int):
    """What the work of a `forked` process gave, once it is done."""
    with os.fdopen(receives, "rb") as answer:
        result = answer.read()
    _, status = os.waitpid(child, 0)
    assert status == 0 and result, f"killed by signal {status & 127}, or failed"
    return pickle.loads(result)
