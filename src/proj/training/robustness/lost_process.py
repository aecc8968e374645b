"""Says which of the processes that train one run together has died, and ends the command.

If one of them dies, the first one mostly notices it in their next exchange, and ends with an error. While it waits for
one that has not begun yet, it would not notice: Lightning's own observer then kills it without a word.
"""

import os
import sys
import threading
import time
from subprocess import Popen

from lightning.pytorch.strategies.launchers import subprocess_script as launcher

from proj.config.allowed_classes import resume_command
from proj.system.platform import STOP_SIGNALS, ending
from proj.system.ranks import say
from proj.system.run_folder import RunFolder

# Seconds after another process's death in which the first one may end by itself: it may be saving a checkpoint.
PATIENCE = 10.0
SECONDS = 2.0  # in which a process that is dying has ended: its connections are closed a moment before
others: list[Popen] = []  # those that Lightning has started for this process's run; empty once the run has ended


def observe(run: RunFolder) -> None:
    """Observe the processes that Lightning will start for this run, in place of Lightning's own observer."""

    def begin(started: list[Popen]) -> None:
        others[:] = started
        threading.Thread(target=end_after_death, args=(run,), daemon=True).start()

    launcher._launch_process_observer = begin


def lost() -> Popen | None:
    """One of the others that has ended by an error or a signal; None if none does within SECONDS."""
    end = time.monotonic() + SECONDS
    while True:
        for process in others:
            if process.poll():
                return process
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)


def death() -> str | None:
    """Which of the others has died and how, in words; None if all live, or have ended well."""
    if process := lost():
        place = f"process {others.index(process) + 2} of {len(others) + 1} (process id {process.pid})"
        return f"{place} of this run ended with {ending(process.returncode)}"
    return None


def end_after_death(run: RunFolder) -> None:
    """Once another process has died, end this one too, unless it ends by itself: say why, and how to continue.

    Ctrl-C, say, ends a process that is still importing, and not this one, which waits for it within torch.
    """
    while not (process := lost()):
        if all(process.returncode == 0 for process in others):
            return
    code = process.returncode
    signal = -code if code < 0 else code - 128
    asked = signal in STOP_SIGNALS
    time.sleep(PATIENCE)
    if process not in others:  # this process goes on after the run: it is a sweep's, or a notebook's
        return
    command, reason = resume_command(run.path), death()
    if asked:
        print(f"\nStopped. To continue:\n    {command}", flush=True)
    else:
        run.write_failure("failed", reason)
        say(f"error: {reason}. To continue: {command}", file=sys.stderr)
    for process in others:
        process.kill()
    os._exit(128 + signal if asked else 1)
