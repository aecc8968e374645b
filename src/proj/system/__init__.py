"""What runs need of the machine: files, locks, processes, and the folder that a run leaves.

files.py         a file is written whole or not at all, and elsewhere where a command's output has no room
run_folder.py    the names of a run's and a sweep's files, and the status
locks.py         one process at a time in a folder
folders.py       lists a person's folder
names.py         names made fit for a file, a line, or for comparing
platform.py      what Linux, macOS and Windows do differently
processes.py     the processes of one run
ranks.py         which of them this is
slurm.py         queueing again, waiting for jobs
forked.py        jobs forked from a process that has imported torch
lazy_imports.py  modules that are imported once they are used
"""
