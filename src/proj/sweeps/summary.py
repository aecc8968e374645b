"""The end of a sweep: makes the report, prints the command of the best run, and names the jobs without a result."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from proj.config.own_code import changed_code
from proj.config.quoting import as_text
from proj.config.words import key_of
from proj.errors import UserError, file_fault
from proj.reports.compare import Row
from proj.reports.report import report
from proj.sweeps.folder import Sweep
from proj.sweeps.sweep_file import job_words
from proj.sweeps.swept import with_changes
from proj.system.exits import Stopped
from proj.system.folders import absolute
from proj.system.names import one_line
from proj.system.platform import shorter
from proj.system.shell import as_command
from proj.wording import agree, how_many

OWN_DATA = ("proj.data.CSVDataModule", "proj.data.ImageFolderDataModule")


def how_to_continue(sweep: Sweep) -> str:
    # seeds=… may be repeated: seeds that were added already are not added twice.
    more = " seeds={} rows={}".format(*sweep.asked) if sweep.asked else ""
    return f"To continue the sweep: {sweep.resume_command(sweep.unfinished())}{more}"


@contextmanager
def telling_how_to_continue(sweep: Sweep) -> Iterator[None]:
    """Print the command that resumes the sweep if it is stopped within the block, provided that it has begun.
    Raises UserError with that command if a file cannot be written, or if the sweep's folder was moved or deleted."""
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as stop:
        if sweep.files.manifest.is_file():
            print(how_to_continue(sweep))
            if isinstance(stop, Stopped):
                raise SystemExit(stop.code) from None
        raise
    except Exception as error:
        if not sweep.folder.is_dir():
            cure = "continue with python -m proj.sweep resume=<its new place>"
            raise UserError(f"{sweep.folder} was moved or deleted: {cure}.") from error
        if isinstance(error, OSError) and sweep.files.manifest.is_file() and (fault := file_fault(error)):
            raise UserError(f"{fault}. {how_to_continue(sweep)}") from error
        raise


def describe_changes(sweep: Sweep) -> list[str]:
    """Of a sweep whose jobs are all finished, remarks on a Python file of the user that has changed since it began, and
    on a file of the user's own data that was written since it ended: a job that has to run would refuse them."""
    if sweep.unfinished():
        return []
    remarks, anew = list[str](), "For those, begin a new sweep, with another sweep_name."
    if code := changed_code(sweep.manifest.get("code") or {}):
        remarks.append(
            f"{', '.join(code)} changed since this sweep began: its figures are those of the old code. {anew}"
        )
    ended = max((written(sweep.run_folder(name).metrics) for name in sweep.jobs()), default=0.0)
    jobs = [job for name in sweep.jobs() if (job := sweep.job(name))]
    own = {sweep.find_data(job["data_dir"]) for job in jobs if job["dataset"]["_target_"] in OWN_DATA}
    files = (file for place in sorted(own) for file in files_of_data(place, sweep.folder.absolute()))
    newer = next((file for file in files if written(file) > ended > 0), None)
    if newer:
        ended_before = f"{shorter(newer)} was written after this sweep had ended"
        remarks.append(f"{ended_before}: if it holds other data now, these figures are not of it. {anew}")
    return remarks


def files_of_data(place: str, sweep: Path) -> Iterator[Path]:
    """The files of data at `place`: one file or several, or those in a folder. If the sweep is in this folder too, as
    with data_dir=. and outputs/ beside the photos, what holds it is left out, since runs write there."""
    for top in map(Path, place.split(os.pathsep)):
        for entry in sorted(top.iterdir()) if os.access(top, os.R_OK) and top.is_dir() else [top]:
            if not sweep.is_relative_to(entry.absolute()):
                yield from entry.rglob("*") if entry.is_dir() else [entry]


def written(file: Path) -> float:
    """When a file was last written, in seconds; 0 for a folder, and for what is not there."""
    with suppress(OSError):
        return file.stat().st_mtime if file.is_file() else 0.0
    return 0.0


def flags(sweep: Sweep) -> list[str]:
    """The flags with which a new command composes the same configurations as the sweep. The user's own options are
    taken from the sweep's copy of conf/, since their folder may have been deleted or changed."""
    has_own_options = bool(sweep.manifest.get("config_dirs"))
    has_own_options = has_own_options or any("hydra.searchpath=" in word for word in sweep.manifest["hydra"])
    words = [f"--config-dir={shorter(sweep.files.conf)}"] if has_own_options else []
    if (name := sweep.manifest.get("config_name", "train")) != "train":
        words.append(f"--config-name={name}")
    return words


def names_another(words: list[str], place: str) -> bool:
    """Whether the words name other data than at `place`, as a relative path does in another working folder."""
    named = [word.partition("=")[2].strip("'\"") for word in words if key_of(word) == "data_dir"]
    return bool(named) and absolute(named[0]) != place


def best_again(sweep: Sweep, name: str, all_folds: bool) -> str:
    """The command that repeats the training of the job of this name, with the present place of the data.

    all_folds: whether it shall train all folds of the job's configuration, and not only that of the job.
    """
    job = sweep.job(name)
    words = with_changes(job_words(job["hydra"]["overrides"]["task"]), sweep.run_folder(name))
    all_folds = all_folds and "dataset.folds" in map(key_of, words)  # which -m takes for all folds
    if all_folds:
        words = [word for word in words if key_of(word) != "dataset.fold"]
    place = sweep.find_data(job["data_dir"])
    if "data_dir" not in job["dataset"] and not {"dataset", "preset"} & {*map(key_of, words)}:  # nothing reads it
        words = [word for word in words if key_of(word) != "data_dir"]
    elif sweep.manifest.get("data_moved") or place != job["data_dir"] or names_another(words, place):
        place = place if re.fullmatch(r"[\w./-]+", place) else as_text(place)
        words = [*(word for word in words if key_of(word) != "data_dir"), f"data_dir={place}"]
    if all_folds or any(word.startswith("sweep=") for word in words):  # the file of sweep=… is only read with -m
        words = ["-m", *words]
    return as_command(["python", "-m", "proj.train", *flags(sweep), *words])


def summarise(sweep: Sweep, failures: bool = True, missing: int = 0) -> None:
    """Print and write the report. Raises UserError with the names of the jobs without a result, if there are any.

    failures: False for a search, where failed trials alone are no error unless all have failed.
    missing: the number of jobs that have not begun.
    """
    one_is_finished = print_best(sweep, report_on(sweep))
    missing = max(missing, 0)
    left = {name: sweep.run_folder(name).status() for name in sweep.unfinished()}
    if not left and not missing:
        return
    lines = list_without_result(left, missing, len(sweep.jobs()) + missing)
    sentence = "\n".join(lines)
    all_failed = all(status == "failed" for status, _ in left.values()) and not missing
    if failures or not all_failed:
        raise UserError(f"{sentence}\n{how_to_continue(sweep)}")
    if not one_is_finished:  # a search does not repeat failed trials: it needs more
        raise UserError(f"{sentence}\n{how_to_continue(sweep)} hydra.sweeper.n_trials={2 * len(left)}")
    print("\n".join(map(one_line, lines)))


def report_on(sweep: Sweep) -> list[Row]:
    """Print and write the report of the jobs that have a folder, and return its rows."""
    folders = sweep.folders()
    resume = None if sweep.files.study.exists() else lambda: sweep.resume_command(sweep.jobs())
    try:
        return report(folders, sweep.folder, str(sweep.folder), resume)["rows"] if folders else []
    except UserError as error:
        if isinstance(error.__cause__, OSError):  # its advice, to name another folder, is for proj.report only
            raise error.__cause__ from None
        raise


def print_best(sweep: Sweep, rows: list[Row]) -> bool:
    """Print the command that trains the best job again, and return True; False if no job is finished."""
    folders = sweep.folders()
    finished = ([run for run in row["runs"] if run.status == "finished" and run.folder in folders] for row in rows)
    of_its_row = next(filter(None, finished), [])  # the best row, and in a row the best run, come first
    if not of_its_row:
        return False
    best = of_its_row[0]
    all_folds = best.folds > 0 and {run.fold for run in of_its_row} == {*range(best.folds)}
    print(one_line(f"The best again: {best_again(sweep, best.folder.name, all_folds)}"))
    if all_folds and len(rows) == 1:
        together = as_command(["python", "-m", "proj.predict", f"ckpt={sweep.run_folder('*').best}"])
        print(one_line(f"All folds together: {together} input=…"))
    return True


def list_without_result(left: dict[str, tuple[str, str]], missing: int, total: int) -> list[str]:
    """Lines that name the jobs without a result, together those that ended in the same way. left: (status, reason) by
    the job's name. missing: the number of jobs that have not begun. total: that of all jobs."""
    count = len(left) + missing
    lines = [f"{count} of {how_many(total, 'job')} {agree(count, 'has', 'have')} no result:"]
    alike: dict[str, list[str]] = {}
    for name, (status, reason) in left.items():
        alike.setdefault(f"{status}: {reason}" if reason else status, []).append(name)
    for why, names in alike.items():
        others = f" and {len(names) - 3} more" if len(names) > 4 else ""
        lines.append(f"    {', '.join(names[:3] if others else names)}{others}: {why}")
    if missing:
        lines.append(f"    {missing} {agree(missing, 'has', 'have')} not begun")
    return lines
