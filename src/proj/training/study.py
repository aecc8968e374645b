"""Optuna's study of a search: a file in the sweep's folder, which any number of processes read and write."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from filelock import lock_descriptor
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from proj.errors import refuse_newer
from proj.system.run_folder import SweepFolder

FORMAT = 1  # of study.log; a change that an older version would read wrongly makes it one more


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same lock file; the system's lock ends with its process.

    Without such locks Optuna's takes its place: a file, which others remove where a dead process left it for 30 s.
    """
    with open(path, "ab") as file, ExitStack() as stack:
        try:
            lock_descriptor(file.fileno())
        except OSError:
            instead = JournalFileOpenLock(str(path))
            instead.acquire()
            stack.callback(instead.release)
        yield


class Journal(JournalFileBackend):
    """Optuna's file of a line for each operation. Optuna appends to the half that a full disk has left of a line, and
    cannot read the file after that; here the next process takes the half away."""

    def append_logs(self, logs: list[dict]) -> None:
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
        file = Path(self._file_path)
        with one_at_a_time(file.with_name(f"{file.name}.lock")), open(file, "r+b") as log:
            log.truncate(log.seek(log.read().rfind(b"\n") + 1))
            log.write(lines.encode())
            log.flush()
            os.fsync(log.fileno())


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, begun where there is none.

    Raises UserError for one that a newer version has begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = SweepFolder(folder).study
    storage = JournalStorage(Journal(str(file)))
    # Its name is the folder's when the search began. An older version began another study where that had changed.
    there = optuna.get_all_study_summaries(storage, include_best_trial=False)
    largest = max(there, key=lambda study: study.n_trials, default=None)
    name = largest.study_name if largest else folder.absolute().name
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, **settings)
    if not there:
        study.set_user_attr("format", FORMAT)
    refuse_newer(file, study.user_attrs.get("format", FORMAT), FORMAT, "search")
    return study
