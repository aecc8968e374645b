"""Name what images or rows of a table show: python -m proj.predict ckpt=<file> …

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken
  input=<path>     an image or CSV file, a folder, a pattern ('photos/*') or
                   - for standard input
  output=<file>    a .csv or .jsonl for the probabilities of all classes
  show=<file>      a .png of the first 30 images, each with its prediction;
                   show=true: predictions.png
  invert=auto      a model of light drawings on black gets images with a light
                   border inverted; true, false: all images, none
  trust=<module>   of classes of your own that the checkpoint names

Images may have any size, mode and transparency. They are turned upright, fitted
to the model's shape and normalised as in training. Columns of a table are found
by their names, or by their order where it has no header.
"""

from proj.config.command_line import run
from proj.use.prediction import predict


def main() -> None:
    run(predict, __doc__)


if __name__ == "__main__":
    main()
