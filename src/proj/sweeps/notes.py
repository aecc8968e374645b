"""What the log of a sweep's job holds beside what every job prints: data that was left out, warnings, and the like."""

import os
import re
from pathlib import Path

# What every job prints. Any other line is a note, so that none is lost which this list does not know.
ORDINARY = re.compile(
    r"\s|$|.* on .*: [\d,]+ train, |on \S+ in |This run is finished; |Stopped\. |\[.*\]\[(INFO|DEBUG)\] "
    r"|wandb:(?! (WARNING|ERROR))|\d{4}/\d\d/\d\d [\d:]+ INFO mlflow"
    r"|(test accuracy|per class|best epoch|parameters|time|checkpoint|dashboard) "
)
WHY_IT_FAILED = re.compile(r"error: |Traceback \(|\[.*\]\[(ERROR|CRITICAL)\] ")  # which the job's line says
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # which rich writes into a file, too, where FORCE_COLOR is set, as in a notebook
SOURCE = re.compile(r"^(\[[^]]*\]\[[^]]*\]\[\w+\] |\S.*:\d+: )")  # of a log record, of a Python warning


def read_notes(log: Path, start: int) -> list[str]:
    """The notes in a job's log, each a line without its details. start: the size that the log had before the job."""
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
            notes.append(SOURCE.sub("", line).rstrip())
    return list(dict.fromkeys(notes))
