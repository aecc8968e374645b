"""One run: trained, saved, stopped and gone on with, tested.

In two rooms of their own, robustness/ is what lets a run survive, and fast/ the loops over the batches.

run.py               the run from its beginning to its end
build.py             the data, the model and the Trainer
run_length.py        how many batches a run has
precision.py         float32 or bfloat16
threads.py           how many threads it takes
checkpoints.py       the callbacks that keep best.ckpt and others
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
