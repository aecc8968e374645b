"""The operating system's side of a run: files, locks, processes, and the layout of a run's folder.

files.py         writes a file whole or not at all, or to another place if a command's output has no room
run_folder.py    the names of a run's and a sweep's files, and a run's status
locks.py         lets one process at a time work in a folder
folders.py       lists a user's folder without what operating systems leave in it
names.py         makes names fit for a file or a line, and comparable
platform.py      what Linux, macOS and Windows do differently
shell.py         words as people type them into a shell
exits.py         turns signals that ask a command to stop into exits
processes.py     the processes that train one run together
ranks.py         the number of this process among them
slurm.py         queues a job again, waits for jobs
forked.py        starts jobs as forks of a process that has imported torch
lazy_imports.py  modules whose import is put off until they are used
"""
