"""What the terminal shows while a sweep runs: a line for each job that ends, and how long the rest takes at this pace.

The process that waits for the jobs prints it, from what they leave in their folders, wherever a launcher runs them.
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

from proj.config.words import short_names
from proj.errors import how_many
from proj.sweeps.folder import Sweep
from proj.sweeps.notes import read_notes
from proj.system.locks import is_locked
from proj.system.platform import may_go_unread
from proj.system.processes import BAR

NOTES_OF_A_JOB, NOTES_OF_A_SWEEP = 8, 20  # so many are shown; the others are counted


class Lines:
    """Prints the lines of one command.

    total: jobs of the sweep. done: those that had ended before. shared: words of all jobs, which no line shows.
    """

    def __init__(self, sweep: Sweep, total: int, done: int, shared: list[str]) -> None:
        self.sweep, self.total, self.done, self.shared = sweep, total, done, shared
        self.out, self.width = own_stdout(), shutil.get_terminal_size().columns - 1
        self.times = [time.monotonic()]  # when this command began, and when each of its jobs ended
        self.notes: set[str] = set()  # that jobs have had so far: each is shown once
        self.widest = 0  # of the settings so far, which form a column
        self.title = ""  # stands in the terminal's last line until a job's line takes its place
        before = f" ({done} done before)" if done else ""
        if done == total:
            before = ", all done"
        self.write(f"{how_many(total, 'job')} in {sweep.folder}{before}\n")

    @contextmanager
    def following(self, names: list[str], one_by_one: bool) -> Iterator[None]:
        """Tell of these jobs, which run within.

        one_by_one: it is a single job, which this process runs or waits for, and a terminal shows its bar meanwhile.
        Other jobs end in any order, so that their folders are looked at every second.
        """
        self.one_by_one, all_ran, over = one_by_one, False, threading.Event()
        self.running: dict[str, tuple[list[int | None], int]] = {}
        self.expect(names)
        watcher = threading.Thread(target=self.watch, args=(over,), daemon=True)
        os.environ[BAR] = ""
        if one_by_one and self.out.isatty():
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
        """Tell of these jobs, too, which are about to run."""
        self.running |= {name: (self.written(name), self.log_size(name)) for name in names}

    def watch(self, over: threading.Event) -> None:
        while not over.wait(1):
            self.look()

    def look(self, all_ended: bool = False) -> None:
        """Print the lines of the jobs that have ended since the last look. all_ended: none of them runs any more."""
        self.running |= {name: ([None, None], 0) for name in self.sweep.find_jobs()}  # of workers of a search
        for name in list(self.running):
            if all_ended or self.has_ended(name):
                _, log_size = self.running.pop(name)
                self.times.append(time.monotonic())
                self.write("".join(f"{line}\n" for line in [self.line(name), *self.new_notes(name, log_size)]))

    def write(self, lines: str) -> None:
        """Print whole lines, at once, so that no other process writes between them."""
        if self.title:
            lines, self.title = f"\r{' ' * cell_len(self.title)}\r{lines}", ""
        self.out.write(lines)
        self.out.flush()

    def written(self, name: str) -> list[int | None]:
        """When a job's result and the reason of its failure were written: a job that is tried again has old ones."""
        files = self.sweep.run(name).metrics, self.sweep.run(name).failure
        return [file.stat().st_mtime_ns if file.is_file() else None for file in files]

    def log_size(self, name: str) -> int:
        log = self.sweep.run(name).log
        return log.stat().st_size if log.is_file() else 0

    def has_ended(self, name: str) -> bool:
        if self.written(name) == self.running[name][0]:
            return False
        run = self.sweep.run(name)
        return run.status()[0] in ("finished", "failed", "pruned") and not is_locked(run.path)  # else it still prints

    def line(self, name: str) -> str:
        """How many jobs have ended, this one's settings, what became of it, how long the rest takes."""
        run, count = self.sweep.run(name), f"{self.count()}  "
        status, reason = run.status()
        if status == "finished":
            metrics, monitor = run.read_metrics(), self.sweep.job(name).get("monitor")
            best = f"{monitor} {metrics[monitor]:.4f}" if isinstance(metrics.get(monitor), float) else ""
            outcome = f"  {best}  {duration(metrics.get('seconds', 0)):>6}"
        else:
            why = reason if status == "pruned" else f"{status}: {reason or run.log}"
            outcome = f"  {' '.join(why.split())}"
        beside = len(outcome) if status == "finished" else 24  # of a failure's sentence, so much at least
        room = max(self.width - len(count) - beside - len("  about 120 min left"), 12)
        settings = shortened(self.settings(name), room)
        self.widest = max(self.widest, cell_len(settings))
        text = f"{count}{set_cell_size(settings, min(self.widest, room))}{outcome}"
        if status == "finished":
            return f"{text}  {self.left()}".rstrip()
        return text if cell_len(text) <= self.width else f"{set_cell_size(text, self.width - 1)}…"

    @property
    def ended(self) -> int:
        """How many jobs have ended, also before this command."""
        return self.done + len(self.times) - 1

    def count(self, more: int = 0) -> str:
        """Of the jobs that have ended, such as 12/300."""
        return f"{self.ended + more:>{len(str(self.total))}}/{self.total}"

    def left(self) -> str:
        """How long the rest takes at the pace of this command.

        Of jobs one by one, the first counts only while it is the only one: its time is that of importing torch, too.
        """
        jobs = self.total - self.ended
        if not jobs:
            return ""
        leaves_first_out = self.one_by_one and len(self.times) > 2
        times = self.times[1:] if leaves_first_out else self.times
        pace = (times[-1] - times[0]) / (len(times) - 1)
        return f"about {duration(max(1, round(jobs * pace)))} left"

    def settings(self, name: str) -> str:
        """What a job has for itself, such as lr=0.01 seed=2: of each name the last part, where that tells which it is.

        What was frozen for it may be damaged; then its folder's name says the same.
        """
        job = self.sweep.job(name)
        words = [word for word in job["hydra"]["overrides"]["task"] if word not in self.shared] if job else [name]
        keys = [word.partition("=")[0] for word in words]
        shorts = short_names(keys)
        return " ".join(f"{shorts[key]}{word.removeprefix(key)}" for key, word in zip(keys, words, strict=True))

    def new_notes(self, name: str, log_size: int) -> list[str]:
        """The notes in a job's log that no other job had before, indented below the job's line."""
        log = self.sweep.run(name).log
        new = [note for note in read_notes(log, log_size) if note not in self.notes]
        shown = new[:NOTES_OF_A_JOB] if len(self.notes) < NOTES_OF_A_SWEEP else []
        self.notes.update(new)
        if more := len(new) - len(shown):
            shown.append(f"{how_many(more, 'note')}{' more' if shown else ''}: {log}")
        margin = " " * len(f"{self.count()}  ")
        return [fill(line, self.width, initial_indent=margin, subsequent_indent=margin) for line in shown]


def own_stdout() -> TextIO:
    """A copy of this process's stdout, which stays what it is while a job's output goes into the job's log."""
    try:
        copy = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file, but a notebook's or a test's
        return sys.stdout
    os.set_inheritable(copy, True)  # by the process of a job, for its bar
    return may_go_unread(open(copy, "w", encoding=sys.stdout.encoding, errors="backslashreplace"))


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns: what is too long loses its middle, since the ends tell jobs apart."""
    if cell_len(text) <= width:
        return text
    end = set_cell_size(text[::-1], (width - 1) // 2)[::-1]
    return f"{set_cell_size(text, width - 1 - cell_len(end))}…{end}"


def duration(seconds: float) -> str:
    """In the unit that a person would choose."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 3 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s" if seconds < 10 else f"{seconds:.0f} s"
