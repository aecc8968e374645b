"""Predict the class of images or rows: python -m proj.predict ckpt=<file> input=…

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken; several
                   files, a.ckpt,b.ckpt or a pattern, predict together
  input=<path>     an image or a table, a folder, a pattern ('photos/*') or
                   - for standard input
  output=<file>    a .csv or .jsonl for the probabilities of all classes
  show=<file>      a .png of the first 30 images, each with its prediction;
                   show=true: predictions.png
  coverage=0.95    also the smallest set of classes that holds the right one in
                   95 % of cases; unless that is one class, it is unsure
  invert=auto      if the model learned light drawings on black, invert images
                   with a light border; true: all images, false: none
  sheet=<name>     of a spreadsheet; default: the training's, or the first shown
  encoding=cp1251  of a CSV file; default: as in the training, or detected
  id=<column>      of a table: its cells name the rows, instead of their lines
  max_pixels=<n>   skip larger images; default: as in the training
  trust=<module>   the module of your own classes that the checkpoint uses

Images may have any size, mode and transparency. They are turned upright, fitted
to the model's shape and normalised as in training. Columns of a table are found
by their names, or by their order where it has no header.
"""

from proj.config.command_line import options
from proj.errors import UserError

OPTIONS = {
    "input": str,
    "output": str,
    "show": str,
    "invert": ("auto", "true", "false"),
    "max_pixels": str,
    "trust": list,
    "coverage": float,
    "sheet": str,
    "encoding": str,
    "id": str,
}


def main() -> None:
    with options(OPTIONS, __doc__, several=True) as chosen:
        if not chosen.get("input"):
            raise UserError("name what to look at: input=<image, CSV file, folder, pattern, or - for standard input>.")
        output, show = chosen.get("output", ""), chosen.get("show", "false")
        if output and not output.endswith((".csv", ".jsonl")):
            raise UserError(f"output={output} should end in .csv or .jsonl.")
        if show not in ("true", "false", "") and not show.endswith(".png"):
            raise UserError(f"show={show} should be true, or end in .png.")
        if not chosen.get("max_pixels", "1").isdecimal():
            raise UserError(f"max_pixels={chosen['max_pixels']} should be a whole number.")

        from proj.use.prediction import predict  # imports torch, so only once the command line is understood

        predict(**chosen, show_line=print).refuse_skipped()


if __name__ == "__main__":
    main()
