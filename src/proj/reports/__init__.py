"""What the folders of runs say, compared: in the terminal, and as report.html and other files.

report.py        makes the report
runs.py          reads the folders of runs
curves.py        reads their curves
compare.py       runs as rows, the best first
columns.py       the settings that are columns
verdicts.py      the statistics: which row is better
conclusions.py   the sentences about it
table.py         the table in the terminal
page.py          report.html, with page.html
charts.py        its curves, dots and bars
parallel.py      its parallel coordinates
scales.py        the axes of all charts
other_files.py   report.json, .md and .tex
out_of_fold.py   the predictions of all folds
label_issues.py  labels that may be wrong
"""
