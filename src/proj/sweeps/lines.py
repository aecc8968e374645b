"""Shows the progress of a sweep: prints a line for each job that ends, with an estimate of the time left.

The process that waits for the jobs reads what they write into their folders, so it does not matter where they run.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import TextIO

from rich.cells import cell_len, set_cell_size

from proj.reports.columns import short_names
from proj.sweeps.folder import Sweep
from proj.sweeps.notes import read_notes
from proj.system.locks import is_locked
from proj.system.names import one_line
from proj.system.platform import may_go_unread
from proj.system.processes import BAR
from proj.system.ranks import is_terminal
from proj.wording import how_many

NOTES_OF_A_JOB, NOTES_OF_A_SWEEP = 8, 20  # the most notes that are shown; the others are counted
TOLD_BY_OPTION = ("dataset", "model", "optimizer")  # groups whose options say by themselves what they are


def show_checking(count: int) -> None:
    """Tell a terminal that `count` jobs are being checked, which also imports torch and may take many seconds."""
    if is_terminal(sys.stdout):
        print(f"checking {how_many(count, 'job')} …", flush=True)


class Lines:
    """Prints the lines about the jobs that a command runs.

    total: the number of the sweep's jobs. done: how many had ended before. shared: the overrides that all jobs have,
    which no line shows.
    """

    def __init__(self, sweep: Sweep, total: int, done: int, shared: list[str]) -> None:
        self.sweep, self.total, self.done, self.shared = sweep, total, done, shared
        self.out, self.width = own_stdout(), shutil.get_terminal_size().columns - 1
        self.times = [time.monotonic()]  # when this command began, then when each of its jobs ended
        self.notes: set[str] = set()  # of all jobs so far: none is shown twice
        self.widest = 0  # the width of the column of settings
        self.title = ""  # the current job, in the terminal's last line until the job's line replaces it
        before = f" ({done} done before)" if done else ""
        if done == total:
            before = ", all done"
        self.write(f"{how_many(total, 'job')} in {sweep.folder}{before}\n")

    @contextmanager
    def following(self, names: list[str], one_by_one: bool) -> Iterator[None]:
        """Print lines about these jobs, which run within the block.

        one_by_one: it is a single job, for which this process waits; a terminal shows its progress bar meanwhile.
        Otherwise jobs end in any order, so a thread looks at their folders every second.
        """
        self.one_by_one, all_ran, over = one_by_one, False, threading.Event()
        self.running: dict[str, tuple[list[int | None], int]] = {}
        self.expect(names)
        watcher = threading.Thread(target=self.watch, args=(over,), daemon=True)
        os.environ[BAR] = ""
        if one_by_one and is_terminal(self.out):
            self.title = f"{self.count(1)}  {shortened(self.settings(names[0]), self.width // 2 - 8)}"
            os.environ[BAR] = f"{self.out.fileno()} {self.title}"
            self.out.write(self.title)
            self.out.flush()
        if not one_by_one:
            watcher.start()
        try:
            yield
            all_ran = True
        finally:
            over.set()
            if not one_by_one:
                watcher.join()
            self.look(all_ran)
            self.write("")
            del os.environ[BAR]

    def expect(self, names: list[str]) -> None:
        """Also print lines about these jobs, which are about to run."""
        self.running |= {name: (self.written(name), self.log_size(name)) for name in names}

    def watch(self, over: threading.Event) -> None:
        while not over.wait(1):
            self.look()

    def look(self, all_ended: bool = False) -> None:
        """Print the lines of the jobs that have ended since the last call. all_ended: none of them is still running."""
        self.running |= {name: ([None, None], 0) for name in self.sweep.find_jobs()}  # begun by workers of a search
        for name in list(self.running):
            if all_ended or self.has_ended(name):
                _, log_size = self.running.pop(name)
                self.times.append(time.monotonic())
                self.write("".join(f"{line}\n" for line in [self.line(name), *self.new_notes(name, log_size)]))

    def write(self, lines: str) -> None:
        """Print whole lines in one write, so that no other process writes between them."""
        if self.title:
            lines, self.title = f"\r{' ' * cell_len(self.title)}\r{lines}", ""
        self.out.write(lines)
        self.out.flush()

    def written(self, name: str) -> list[int | None]:
        """When a job's metrics.json and status.json were written; a job that runs again has old ones at first."""
        files = self.sweep.run_folder(name).metrics, self.sweep.run_folder(name).failure
        return [file.stat().st_mtime_ns if file.is_file() else None for file in files]

    def log_size(self, name: str) -> int:
        log = self.sweep.run_folder(name).log
        return log.stat().st_size if log.is_file() else 0

    def has_ended(self, name: str) -> bool:
        if self.written(name) == self.running[name][0]:
            return False
        run = self.sweep.run_folder(name)
        # A job that still holds its lock is still writing its log.
        return run.status()[0] in ("finished", "failed", "pruned") and not is_locked(run.path)

    def line(self, name: str) -> str:
        """A job's line: how many jobs have ended, this job's settings, its result, the time left for the others."""
        run, count = self.sweep.run_folder(name), f"{self.count()}  "
        status, reason = run.status()
        if status == "finished":
            metrics, monitor = run.read_metrics(), self.sweep.job(name).get("monitor")
            best = f"{monitor} {metrics[monitor]:.4f}" if isinstance(metrics.get(monitor), float) else ""
            outcome = f"  {best}  {duration(metrics.get('seconds', 0)):>6}"
        else:
            why = reason if status == "pruned" else f"{status}: {reason or run.log}"
            outcome = f"  {one_line(' '.join(why.split()))}"
        beside = len(outcome) if status == "finished" else 24  # at least this much of the sentence on a failure
        room = max(self.width - len(count) - beside - len("  about 120 min left"), 12)
        settings = shortened(self.settings(name), room)
        self.widest = max(self.widest, cell_len(settings))
        text = f"{count}{set_cell_size(settings, min(self.widest, room))}{outcome}"
        if status == "finished":
            return f"{text}  {self.left()}".rstrip()
        return text if cell_len(text) <= self.width else f"{set_cell_size(text, self.width - 1)}…"

    @property
    def ended(self) -> int:
        """How many jobs have ended, including those before this command."""
        return self.done + len(self.times) - 1

    def count(self, more: int = 0) -> str:
        """The number of jobs that have ended, plus `more`, out of all, such as 12/300."""
        return f"{self.ended + more:>{len(str(self.total))}}/{self.total}"

    def left(self) -> str:
        """The time that is left at the pace of the jobs so far, in words.
        If jobs run one by one, the first is ignored as soon as there are others, since it includes importing torch."""
        jobs = self.total - self.ended
        if not jobs:
            return ""
        leaves_first_out = self.one_by_one and len(self.times) > 2
        times = self.times[1:] if leaves_first_out else self.times
        pace = (times[-1] - times[0]) / (len(times) - 1)
        return f"about {duration(max(1, round(jobs * pace)))} left"

    def settings(self, name: str) -> str:
        """The overrides that a job does not share, such as cnn lr=0.01 seed=2, with names as short as is unambiguous.
        If its frozen configuration is damaged, the name of its folder is used."""
        job = self.sweep.job(name)
        words = [word for word in job["hydra"]["overrides"]["task"] if word not in self.shared] if job else [name]
        keys = [word.partition("=")[0] for word in words]
        shorts = short_names(keys)
        shown = (
            word.removeprefix(f"{key}=") if key in TOLD_BY_OPTION else f"{shorts[key]}{word.removeprefix(key)}"
            for key, word in zip(keys, words, strict=True)
        )
        return one_line(" ".join(shown))  # a sweep of somebody else may hold names that would control the terminal

    def new_notes(self, name: str, log_size: int) -> list[str]:
        """The notes in a job's log that no job had before, to be printed indented below the job's line."""
        log = self.sweep.run_folder(name).log
        new = [note for note in read_notes(log, log_size) if note not in self.notes]
        shown = new[:NOTES_OF_A_JOB] if len(self.notes) < NOTES_OF_A_SWEEP else []
        self.notes.update(new)
        if more := len(new) - len(shown):
            shown.append(f"{how_many(more, 'note')}{' more' if shown else ''}: {log}")
        margin = " " * len(f"{self.count()}  ")
        return [fill(one_line(line), self.width, initial_indent=margin, subsequent_indent=margin) for line in shown]


def own_stdout() -> TextIO:
    """A copy of this process's stdout, which stays what it is while a job's output goes into the job's log."""
    try:
        copy = os.dup(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):  # not a real file, but a notebook's, a script's or a test's
        return sys.stdout
    os.set_inheritable(copy, True)  # by the process of a job, for its bar
    return may_go_unread(open(copy, "w", encoding=sys.stdout.encoding, errors="backslashreplace"))


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns. The middle is cut out, since the ends distinguish jobs."""
    if cell_len(text) <= width:
        return text
    end = set_cell_size(text[::-1], (width - 1) // 2)[::-1]
    return f"{set_cell_size(text, width - 1 - cell_len(end))}…{end}"


def duration(seconds: float) -> str:
    """A time as text, in a unit of which there are at least three, or else in seconds."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 3 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s" if seconds < 10 else f"{seconds:.0f} s"
