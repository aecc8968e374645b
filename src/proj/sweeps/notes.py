"""Finds the notes in a job's log: warnings, data that was left out, and anything else that not every job prints."""

import os
import re
from pathlib import Path

# The lines that every job prints. Any other line is a note, so an unknown one is shown rather than lost.
ORDINARY = re.compile(
    r"\s|$|.* on .*: [\d,]+ train, |on \S+ with trainer\.precision=|This run (is finished; |goes on )"
    r"|Stopped\. |\[.*\]\[(INFO|DEBUG)\] "
    r"|wandb:(?! (WARNING|ERROR))|\d{4}/\d\d/\d\d [\d:]+ INFO mlflow"
    r"|(test accuracy|classes alike|rarer class|per class|at threshold|threshold:(?!.* since)) "
    r"|(best epoch|parameters|time|checkpoint|dashboard) "
)
WHY_IT_FAILED = re.compile(r"error: |Traceback \(|\[.*\]\[(ERROR|CRITICAL)\] ")  # the job's line says it already
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # rich writes it into files if FORCE_COLOR is set, as in notebooks
SOURCE = re.compile(r"^(\[[^]]*\]\[[^]]*\]\[\w+\] |\S.*:\d+: )")  # begins a log record, or a Python warning


def read_notes(log: Path, start: int) -> list[str]:
    """The notes in a job's log, one line each, without repetitions. start: the log's size in bytes before the job."""
    try:
        with open(log, "rb") as file:
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    notes = list[str]()
    for line in COLOUR.sub("", text).replace("\r", "\n").split("\n"):
        if WHY_IT_FAILED.match(line):
            break
        if not ORDINARY.match(line) and os.path.abspath(line) != os.path.abspath(log.parent):
            note = SOURCE.sub("", line).rstrip()
            notes.append(f"{note} see {log.name}" if note.endswith(":") else note)  # the list that follows is there
    return list(dict.fromkeys(notes))
