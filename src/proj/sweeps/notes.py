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
WRAPPED = 80  # columns, at which a long sentence goes on in the next line, indented as details are
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
    notes, before = list[str](), ""  # the line before, of a note
    for line in COLOUR.sub("", text).replace("\r", "\n").split("\n"):
        if WHY_IT_FAILED.match(line):
            break
        goes_on = before and re.match(r" {4}[^' ]", line)  # and is not what to type
        if goes_on and len(before) + len(line.split()[0]) >= WRAPPED:
            notes[-1] += f" {line.strip()}"
            before = line
        elif not ORDINARY.match(line) and os.path.abspath(line) != os.path.abspath(log.parent):
            notes.append(SOURCE.sub("", line).rstrip())
            before = line
        else:
            before = ""
    return list(dict.fromkeys(notes))
