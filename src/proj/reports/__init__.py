"""Compares runs: reads their folders, and reports on them in the terminal, in report.html and in other files.

report.py        `report`: makes the whole report
runs.py          reads the folders of runs
curves.py        reads the curves of runs
compare.py       groups the runs into rows, one for each configuration, the best first
inferred.py      fills in what some runs do not say: data, precision, code
columns.py       chooses the settings that are columns of the table
verdicts.py      the statistics: which row is better, and how sure that is
conclusions.py   puts the statistics into sentences
table.py         prints the table in the terminal
page.py          writes report.html, from the template page.html
charts.py        its curves, dots and bars
parallel.py      its chart of parallel coordinates
scales.py        the scales and labels of the charts' axes
other_files.py   writes report.json, .md and .tex
replaced.py      refuses a report that would replace files of the user's own
out_of_fold.py   collects the predictions for the held-out fold of each run
label_issues.py  lists the examples whose labels may be wrong
"""
