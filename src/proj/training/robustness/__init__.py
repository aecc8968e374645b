"""A run that is killed, stopped or fails loses nothing, and says what to type.

resume.py         a killed run goes on to the same bits: saves last.ckpt, and sets what Lightning does not
start.py          afresh, or from the newest checkpoint that is whole
changes.py        refuses to go on with other settings or data
counters.py       the counts of Lightning, of metrics and of `self.log` that `resume.py` saves
loader.py         tells of each batch that begins, seeds all generators for it, goes on within an epoch
attributes.py     what callbacks, the model and the data have changed in themselves, for `resume.py`
plain_values.py   the values that a checkpoint can hold
moved_folder.py   callbacks whose files have moved with the run's folder
run_end.py        whether a run has come to its end
signals.py        Ctrl-C, Slurm's and other signals that stop a run
divergence.py     a loss that turns NaN stops the run, or its step is left out
enough_memory.py  refuses a network that does not fit into the memory
faults.py         a full disk, too little memory, a dead process: one sentence
"""
