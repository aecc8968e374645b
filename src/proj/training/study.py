"""Optuna's study of a search: a file in the sweep's folder, which any number of processes read and write."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import lock_descriptor
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from proj.errors import UserError
from proj.system.run_folder import SweepFolder

FORMAT = 1  # of study.log; a change that an older version would read wrongly makes it one more


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same lock file.

    The system's lock ends with its process, however that ends. On a file system without locks Optuna's takes its place:
    a file that is there or not, which others remove where a dead process has left it for 30 s.
    """
    with open(path, "ab") as file:
        instead = None
        try:
            lock_descriptor(file.fileno())
        except OSError:
            instead = JournalFileOpenLock(str(path))
            instead.acquire()
        try:
            yield
        finally:
            if instead:
                instead.release()


class Journal(JournalFileBackend):
    """Optuna's file of one line for each operation.

    A full disk or a power cut leaves half a line, to which Optuna itself would append; then it could not read the file.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self.file = file

    def append_logs(self, logs: list[dict]) -> None:
        """Raises OSError where there is no room; the next process takes back the half that had room."""
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs).encode()
        with one_at_a_time(self.file.with_name(f"{self.file.name}.lock")), open(self.file, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            if file.read(1) not in (b"", b"\n"):
                end = self.file.read_bytes().rfind(b"\n") + 1
                file.truncate(end)
            file.seek(end)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, begun where there is none.

    Raises UserError for one that a newer version has begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = SweepFolder(folder).study
    storage = JournalStorage(Journal(file))
    # Its name is the folder's when the search began. An older version began another study where that had changed.
    there = optuna.get_all_study_summaries(storage, include_best_trial=False)
    largest = max(there, key=lambda study: study.n_trials, default=None)
    name = largest.study_name if largest else folder.absolute().name
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, **settings)
    if not there:
        study.set_user_attr("format", FORMAT)
    if (number := study.user_attrs.get("format", FORMAT)) > FORMAT:
        raise UserError(
            f"{file} has format {number}, and this version of proj reads formats up to {FORMAT}: "
            "continue the search with the newer version that began it."
        )
    return study
