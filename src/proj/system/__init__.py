"""The operating system's side of a run: files, locks, processes, and the layout of a run's folder.

files.py         a file is written whole or not at all, and elsewhere where a command's output has no room
run_folder.py    the names of a run's and a sweep's files, and the status
locks.py         one process at a time in a folder
folders.py       lists a person's folder
names.py         names made fit for a file, a line, or for comparing
platform.py      what Linux, macOS and Windows do differently
processes.py     the processes that train one run together
ranks.py         the number of this process among them
slurm.py         queues a job again, waits for jobs
forked.py        starts jobs as forks of a process that has imported torch
lazy_imports.py  modules whose import is put off until they are used
"""
