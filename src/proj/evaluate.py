"""Measure a checkpoint: python -m proj.evaluate ckpt=<file> key=value …

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken
  split=test       or val, train; all: every example of data new to the model
  tta=true         average over mirror images and one-pixel moves
  dataset=<name>   another dataset of the same shape, prepared as the model's
  data_dir=<path>  where the data lies, if no longer where the training found it
  sheet=<name>, encoding=cp1251  of that table, if not as in the training
  output=<folder>  instead of the checkpoint's own
  coverage=0.95    how often the sets of classes should hold the right one
  labels=true      list the examples whose own label may be wrong
  importance=false  of a table, do not measure which columns matter
  trust=<module>   of classes of your own that the checkpoint names
  --config-dir=<folder>  of options of your own, such as dataset=wine

Prints loss, accuracy, top-3 accuracy, macro F1, calibration error, how often
the sets of classes hold the right one, and for what each class is taken. Writes
evaluation.json, the confusion matrix, a reliability diagram and the most
confident mistakes with what the network looked at, the pictures into
TensorBoard's files too; evaluation_val.json, evaluation_new_all.json of
data_dir=new and so on for anything but the plain test. Of a table also how
much each column matters, as a picture and as evaluation_importance.csv.
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
        from proj.use.evaluation import evaluate  # torch, once the command line is understood

        evaluate(**chosen)


if __name__ == "__main__":
    main()
