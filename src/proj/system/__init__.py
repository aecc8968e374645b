"""What runs need of the machine: files, locks, processes, and the folder that a run leaves."""
