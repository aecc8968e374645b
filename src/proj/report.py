"""Compare runs, at any time: python -m proj.report <folder> [<folder> …]

  <folder>         one that holds runs, at any depth: outputs, or a sweep's
  output=<folder>  for the files, instead of the first folder

Takes every run in or below the folders, finished or not. Prints a table of
their configurations, the best first, and whether that one beats the next ones
by more than chance, as far as the seeds tell. Runs that differ only in the seed
are one row; of those with the same seed, the one that finished last counts.
Writes report.csv (a row for each run), report.json (a row for each
configuration), report.md and report.tex (the table, to paste) and report.html
(the table, curves, accuracy against time, parallel coordinates, and a search's
history and importances; one file that loads nothing). Of finished folds also
out_of_fold.csv (the prediction for each example) and label_issues.csv (examples
whose label may be wrong).
"""

import os
from pathlib import Path

from proj.config.command_line import AGAIN, take, words_or_help
from proj.config.explain import sentences
from proj.errors import UserError, nearest
from proj.reports.report import report
from proj.system.exits import stop_signals_as_exits
from proj.system.platform import STOP_SIGNALS
from proj.system.shell import local_path


def main() -> None:
    words = words_or_help(__doc__)
    with sentences(elsewhere=""), stop_signals_as_exits(STOP_SIGNALS, AGAIN):
        output = take({"output": Path}, words).get("output")
        words = [local_path(word) for word in words]
        for word in words:
            key, equals, _ = word.partition("=")
            if word.startswith("-") or (equals and not Path(word).exists()):
                place, options = word.partition("=")[2], ["output", "--help"]
                meant = f" Did you mean {place}, without {key}=?" if os.path.isdir(place) else nearest(key, options)
                raise UserError(f"there is no option {key!r}." + meant)
        if not words:
            raise UserError("name the folders to compare: python -m proj.report <folder> [<folder> …]")
        report([Path(word) for word in words], output)


if __name__ == "__main__":
    main()
