"""Measure a checkpoint: python -m proj.evaluate ckpt=<file> key=value …

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken
  split=test       or val, train; all: every example of data new to the model
  tta=true         average over mirror images and one-pixel moves
  dataset=<name>   another dataset of the same shape, prepared as the model's
  data_dir=<path>  where the data is now, or new data (with split=all)
  sheet=<name>, encoding=cp1251  of that table, if other than in the training
  output=<folder>  for the files, instead of the checkpoint's folder
  coverage=0.95    how often the sets of classes should hold the right one
  labels=true      list the examples whose label may be wrong
  importance=false  do not measure which columns of a table matter
  trust=<module>   the module of your own classes that the checkpoint uses
  --config-dir=<folder>  with options of your own, such as dataset=wine

Prints loss, accuracy, top-3 accuracy, macro F1, calibration error, how often
the sets of classes hold the right one, and for each class the ones it is most
often taken for. Writes evaluation.json, and plots of the confusion matrix, of
the calibration and of the most confident mistakes, with what the network looked
at; the plots go into TensorBoard's files, too. Of a table it also measures how
much each column matters (evaluation_importance.csv and a plot). Anything but
the plain test has a name of its own, such as evaluation_val.json, or
evaluation_new_all.json of data_dir=new split=all.
"""

from proj.config.command_line import options

OPTIONS = {
    "split": ("test", "val", "train", "all"),
    "tta": bool,
    "dataset": str,
    "data_dir": str,
    "output": str,
    "trust": list,
    "config_dir": str,
    "coverage": float,
    "labels": bool,
    "importance": bool,
    "sheet": str,
    "encoding": str,
}


def main() -> None:
    with options(OPTIONS, __doc__) as chosen:
        from proj.use.evaluation import evaluate  # imports torch, so only once the command line is understood

        evaluate(**chosen)


if __name__ == "__main__":
    main()
