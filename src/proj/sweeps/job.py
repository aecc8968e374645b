"""Runs one job of a sweep where a launcher has started it: in this process or in a new one, on a GPU of its own."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from proj.config.allowed_classes import needs_trust, trust_option
from proj.config.compose import resolved
from proj.config.explain import explain
from proj.config.quoting import as_text
from proj.errors import UserError, file_fault
from proj.system.files import write_atomically
from proj.system.forked import Forked, can_fork
from proj.system.locks import one_gpu
from proj.system.platform import STOP_SIGNALS, WINDOWS, ending, printable_output
from proj.system.processes import BAR, die_with_parent, hear_ctrl_c, starts_more
from proj.system.ranks import launched_processes, rank
from proj.system.run_folder import RunFolder, SweepFolder

log = logging.getLogger(__name__)


def run_job(cfg: DictConfig) -> float | None:
    """Train a job and return its best `monitor`; None if it failed: an error would end the launcher, and all jobs."""
    printable_output()  # needed if a launcher has started this process
    if multiprocessing.current_process().name != "MainProcess":  # a joblib worker
        die_with_parent()
    if "basic_launcher" not in HydraConfig.get().launcher["_target_"]:
        os.environ[BAR] = ""  # no progress bars: those of several jobs would overwrite each other
    try:
        kept = SweepFolder(Path(cfg.output_dir).parent).manifest.is_file()  # not with Hydra's own sweeper
        if cfg.log == "line" and rank() == 0 and kept:
            with printing_into(RunFolder(cfg.output_dir).log):
                return train_job(cfg)
        if rank() == 0:
            print(f"\n{Path(cfg.output_dir).name}", flush=True)
        return train_job(cfg)
    except SystemExit as stop:
        if stop.code:
            raise
        return None  # not the first process of this job: the first one reports the failure
    except Exception as error:
        sentence = explain(error)
        if file_fault(error):
            logging.raiseExceptions = False  # the disk may be full for the log as well: print no traceback of that
        log.error("%s", sentence or error, exc_info=sentence is None)
        return None


def train_job(cfg: DictConfig) -> float:
    """Train, in a process of its own if the job needs one, and return the best value of `monitor`."""
    isolated = cfg.isolate and not launched_processes()
    if not isolated:
        from proj.training.run import train  # it imports torch, which a process that only waits does not need
    hear_ctrl_c()  # not before: during an import, Ctrl-C would print a traceback
    folder = Path(cfg.output_dir)
    with own_gpu(cfg, folder.parent):
        apart = isolated or starts_more(cfg.trainer)
        metrics = train_apart(cfg, folder) if apart else train(cfg)
    return metrics[cfg.monitor]


@contextmanager
def printing_into(file: Path) -> Iterator[None]:
    """Append to `file` all output of this process, its libraries and the processes that it starts.
    Each line is written at once, so none is lost if the process is killed."""
    streams, before = (sys.stdout, sys.stderr), [os.dup(1), os.dup(2)]
    with open(file, "a", buffering=1, encoding="utf-8", errors="backslashreplace") as log:
        try:
            for number, stream in enumerate(streams, 1):
                stream.flush()
                os.dup2(log.fileno(), number)
            with redirect_stdout(log), redirect_stderr(log):
                yield
        finally:
            for number, stream in enumerate(streams, 1):
                stream.flush()  # what e.g. a logger wrote to the original stream belongs in the log
                os.dup2(before[number - 1], number)
                os.close(before[number - 1])


def train_apart(cfg: DictConfig, folder: Path) -> dict:
    """`train` in a process of its own, so that a crash ends only this job; return its metrics.
    Raises UserError if it fails, with its output on stderr, or with the reason if that output went into its log."""
    cfg = resolved(cfg)
    run, config = RunFolder(folder), OmegaConf.to_container(cfg, resolve=True)
    write_atomically(run.config, OmegaConf.to_yaml(cfg, resolve=True))
    words = [f"resume={folder}", f"data_dir={as_text(cfg.data_dir)}", *trust_option(needs_trust(config)).split()]
    env = {**os.environ, "PROJ_PARENT": str(os.getpid())}
    if WINDOWS and BAR in env:  # Windows does not pass open files on to a new process
        env[BAR] = ""
    terminal = [int(env[BAR].split()[0])] if env.get(BAR) else []
    asked: list[int] = []
    process: subprocess.Popen | Forked | None = None

    def hand_on(number: int, frame) -> None:
        asked.append(number)
        # Ctrl-C, and any signal on Windows, reaches that process anyway.
        if process and number != signal.SIGINT and not WINDOWS:
            process.send_signal(number)

    with tempfile.TemporaryFile("w+", encoding="locale", errors="replace") as stderr:  # for the job's log
        errors = 2 if cfg.log == "line" else stderr.fileno()
        before = {number: signal.signal(number, hand_on) for number in STOP_SIGNALS}
        try:
            if starts_more(cfg.trainer) or not can_fork():  # Lightning repeats this command for each further process
                command = [sys.executable, "-m", "proj.train", *words]
                process = subprocess.Popen(command, env=env, stderr=errors, pass_fds=terminal)
            else:
                process = Forked("proj.sweeps.preload", "proj.train", words, env, [1, errors, *terminal])
            for number in asked if not WINDOWS else ():  # those that came while it was started
                process.send_signal(number)
            code = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        stderr.seek(0)
        message = stderr.read().strip()
    if message and (asked or not code):
        print(message, file=sys.stderr)
    if asked:
        raise SystemExit(128 + asked[0])
    if code:
        _, reason = run.status()
        if not reason:  # the process could not write why
            reason = f"its process ended with {ending(code)}"
            message = f"{message}\n{reason}".strip()
            run.write_failure("failed", reason)
        raise UserError(message.removeprefix("error: ") or reason)
    return run.read_metrics()


@contextmanager
def own_gpu(cfg: DictConfig, folder: Path) -> Iterator[None]:
    """With joblib on a machine with several GPUs, wait for one that no other job uses, and set it in `cfg`."""
    beside = "joblib" in HydraConfig.get().launcher["_target_"] and cfg.trainer.devices in ("auto", 1)
    if not beside or cfg.trainer.accelerator == "cpu":
        yield
        return
    import torch

    with one_gpu(SweepFolder(folder).gpus, torch.cuda.device_count()) as gpu:
        if gpu is not None:
            cfg.trainer.devices = [gpu]
        yield
