"""Many runs: the grid, the search, and what a sweep keeps.

grid.py            Hydra's sweeper for a grid: composes, checks and freezes all jobs, then starts them
optuna_sweeper.py  Hydra's sweeper for a search, on top of that
swept.py           the settings that all jobs share, and those that are swept
rehearsal.py       what its jobs build, built once before the first one starts
folder.py          `Sweep`, the folder: freezes a job (`Sweep.freeze`), tells which are unfinished
sweep_file.py      sweep.yaml and the copy of conf/
frozen.py          hands a launcher the frozen job, in place of Hydra's config loader
job.py             runs one job, in this process or in one of its own
preload.py         imported once, before jobs are forked
trust.py           what a sweep's folder from somebody else may decide
lines.py           a line for each job that ends
notes.py           what of a job's log is shown
summary.py         the end: report, best again, what is left
seeds.py           more seeds for a sweep that is done
search.py          the space of a search, and the importance of its settings
trials.py          the trials of a search, taken and told
worker.py          a worker of a search on a launcher
"""
