"""One run: trained, saved, stopped and gone on with, tested.

run.py               the run from its beginning to its end
build.py             the data, the model and the Trainer
start.py             afresh, or from the newest checkpoint that is whole
resume.py            a killed run goes on to the same bits: saves last.ckpt, and sets what Lightning does not
counters.py          the counts of Lightning and of metrics that `resume.py` saves
logged.py            what `self.log` has collected in an epoch, for `resume.py`
attributes.py        what callbacks have changed in themselves and in the model, for `resume.py`
plain_values.py      the values that a checkpoint can hold
moved_folder.py      callbacks whose files have moved with the run's folder
changes.py           refuses to go on with other settings or data
signals.py           Ctrl-C, Slurm's and other signals that stop a run
seeding.py           all generators, seeded for each batch
checkpoints.py       the callbacks that keep best.ckpt and others
divergence.py        a loss that turns NaN stops the run, or its step is left out
faults.py            a full disk, too little memory, a dead process: one sentence
enough_memory.py     refuses a network that does not fit into the memory
precision.py         float32 or bfloat16
threads.py           how many threads it takes
run_length.py        how many batches a run has, and whether it is done
fast_loop.py         Lightning's training loop without what a plain step does not need
fast_validation.py   its validation loop likewise
plain_step.py        whether a run's steps are plain
fast_adam.py         the step of fused Adam
fast_backward.py     the backward pass on a CPU
calibration.py       a temperature that makes probabilities true, and sets of classes
threshold.py         which class is named, where mistakes cost unlike
results.py           metrics.json, the table at the end, status.json, fold.csv
progress_bar.py      the bar of a run, and that of a sweep's job
loggers.py           where the curves go, and metrics.csv
services.py          MLflow and Weights & Biases
study.py             the file of a search by Optuna
pruning.py           stops a hopeless trial
library_defaults.py  undoes what Lightning and the C library do unasked
"""
