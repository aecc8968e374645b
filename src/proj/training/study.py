"""The Optuna study of a search, in a file in the sweep's folder that many processes may read and write."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from filelock import lock_descriptor
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from proj.errors import UserError, message_of, refuse_newer
from proj.system.run_folder import SweepFolder

FORMAT = 1  # the version of study.log, to be raised by a change that older versions would misread


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """A context that only one process at a time enters for a lock file. The system's lock ends with its process.

    If the file system has no locks, Optuna's own is used: a file, which others remove 30 s after its process has died.
    """
    with open(path, "ab") as file, ExitStack() as stack:
        try:
            lock_descriptor(file.fileno())
        except OSError:
            optunas = JournalFileOpenLock(str(path))
            optunas.acquire()
            stack.callback(optunas.release)
        yield


class Journal(JournalFileBackend):
    """Optuna's journal file, with one line for each operation. A full disk may leave half a line, to which Optuna would
    append, and then fail to read the file; here it is removed first."""

    def append_logs(self, logs: list[dict]) -> None:
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
        file = Path(self._file_path)
        with one_at_a_time(file.with_name(f"{file.name}.lock")), open(file, "r+b") as log:
            log.truncate(log.seek(log.read().rfind(b"\n") + 1))
            log.write(lines.encode())
            log.flush()
            os.fsync(log.fileno())


def open_study(folder: Path, **settings) -> optuna.Study:
    """The study of the search in `folder`, created if there is none.

    Raises UserError if a newer version of this program has created it, or its file is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = SweepFolder(folder).study
    try:
        study = read_study(file, folder.absolute().name, settings)
    except OSError:
        raise
    except Exception as error:  # Optuna raises many kinds for lines that it has not written
        reason = f"{file} is damaged ({message_of(error, 100)})"
        raise UserError(f"{reason}: put a copy of it back, or begin a new search elsewhere.") from error
    refuse_newer(file, study.user_attrs.get("format", FORMAT), FORMAT, "search")
    return study


def read_study(file: Path, name: str, settings: dict) -> optuna.Study:
    """The largest study in a file, or a new one with this name if there is none."""
    storage = JournalStorage(Journal(str(file)))
    # A study is named after its folder when the search began. If the folder was renamed since, an older version has
    # created a second study, and the larger one is taken.
    existing = optuna.get_all_study_summaries(storage, include_best_trial=False)
    largest = max(existing, key=lambda study: study.n_trials, default=None)
    name = largest.study_name if largest else name
    study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, **settings)
    if not existing:
        study.set_user_attr("format", FORMAT)
    return study
