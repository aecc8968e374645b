"""One run: training with checkpoints, resume, calibration and test.

The subpackage robustness/ lets a run survive interruptions and errors; fast/ has faster loops over the batches.

run.py               a run from its beginning to its end
build.py             builds the data, the model and the Trainer
fitting.py           refuses settings, networks and losses that do not fit the data or the memory
run_length.py        computes how many batches a run has
precision.py         chooses float32 or bfloat16
threads.py           chooses the number of threads
checkpoints.py       the callbacks that write best.ckpt and other checkpoints
calibration.py       temperature scaling, and prediction sets with a given coverage
threshold.py         the decision for a class if mistakes have different costs
results.py           writes metrics.json, status.json and fold.csv
results_table.py     prints the table at the end
progress_bar.py      the progress bars of a run, and of a sweep's job
loggers.py           builds the loggers; writes metrics.csv
services.py          the loggers for MLflow and Weights & Biases
study.py             the Optuna study of a search, in a file
pruning.py           stops hopeless trials of a search
library_defaults.py  undoes unwanted defaults of Lightning and the C library
"""
