"""Keeps a run safe: after it was killed, stopped or has failed, nothing is lost, and the user reads what to type.

resume.py           saves last.ckpt, and restores what Lightning does not, so that a resumed run gives the same bits
start.py            finds the newest intact checkpoint, or starts from scratch
callback_states.py  mends the states of callbacks in a checkpoint, whose folder may have been moved
changes.py          refuses to resume a run with other settings or data
counters.py         saves and restores the counters of Lightning, of metrics and of `self.log`
loader.py           seeds all random generators before each batch, and resumes within an epoch
attributes.py       saves and restores attributes that callbacks, the model and the data change in training
plain_values.py     converts values to those that a checkpoint can hold, and back
run_end.py          decides whether a run is finished
signals.py          handles Ctrl-C, Slurm's and other signals that stop a run
divergence.py       stops a run whose loss is NaN, or skips such steps
lost_process.py     says which of several processes has died, and ends the others
faults.py           explains a full disk, too little memory or a dead process in one sentence
"""
