"""Sweeps of many runs: grids and searches, the folder in which they are kept, and their jobs.

grid.py            Hydra's sweeper for a grid: composes, checks and freezes all jobs, then starts them
optuna_sweeper.py  Hydra's sweeper for a search by Optuna, based on that for a grid
swept.py           separates the settings that all jobs share from those that are swept
rehearsal.py       builds once what the jobs build, so that mistakes are found before the first job starts
frozen.py          freezes jobs: the whole configuration of each, in a file in its folder
folder.py          `Sweep`, the folder of a sweep: begins it, and knows which jobs are unfinished
sweep_file.py      reads and writes sweep.yaml, and copies conf/
frozen_loader.py   hands a frozen job to a launcher, in place of Hydra's config loader
job.py             runs one job, in this process or in one of its own
preload.py         imported once by the process from which jobs are forked
trust.py           checks what a sweep's folder, which may come from somebody else, would start
lines.py           prints a line for each job that ends
notes.py           finds the lines of a job's log that are worth showing
summary.py         the end of a sweep: the report, the command of the best run, the jobs without a result
seeds.py           adds more seeds to a finished sweep
search.py          the search space, and the importance of its settings
trials.py          the trials of a search: shares them out among processes, and reports results to Optuna
worker.py          a worker of a search: runs one trial after another where a launcher started it
"""
