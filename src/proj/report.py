"""Compare runs, at any time: python -m proj.report <folder> [<folder> …]

  <folder>         of runs, at any depth: outputs, or that of a sweep
  output=<folder>  for the files, instead of the first folder

Takes every run in or below the folders, finished or not, and shows a table of
their configurations, the best first; runs that differ in nothing but the seed
are one row, and of those with the same seed the one that finished last counts.
Writes report.csv (a row a run, every setting and figure) and report.html (the
table, curves, accuracy against time, parallel coordinates, and a search's
history and importances; one file that loads nothing). All of it comes from
config.yaml, run.json, metrics.json, TensorBoard's files and importance.json.
"""

import sys
from pathlib import Path

from proj.config.explain import sentences
from proj.errors import UserError
from proj.reports.report import report
from proj.system.platform import printable_output


def main() -> None:
    printable_output()
    words = sys.argv[1:]
    if not words or {"--help", "-h"} & set(words):
        print(__doc__.strip())
        raise SystemExit(0 if words else 1)
    folders = [Path(word) for word in words if not word.startswith("output=")]
    outputs = [Path(word.removeprefix("output=")) for word in words if word.startswith("output=")]
    with sentences():
        if not folders:
            raise UserError("name the folders to compare: python -m proj.report <folder> [<folder> …]")
        report(folders, *outputs[-1:])


if __name__ == "__main__":
    main()
