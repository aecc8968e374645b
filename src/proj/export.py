"""Export a checkpoint's network: python -m proj.export ckpt=<file> key=value …

  ckpt=<file>      or run=<folder of a run>, whose best.ckpt is taken
  format=onnx      one .onnx file; torch_export: a .pt2 for torch.export.load
  normalize=true   with the normalisation inside: takes uint8 images (batch,
                   height, width, channels), or a table's numbers as they are;
                   without it, normalised float32, as the network does
  raw=true         takes uint8 pictures of any size (batch, height, width,
                   channels), or a table's own columns, each by its name,
                   numbers as float64, words as text; gives probabilities and
                   the class. Default for the ONNX file of a table
  quantize=int8    uses 8-bit integers; prints size, time and accuracy of both
  data_dir=<path>  where the data is now, if it has moved since the training
  output=<file>    default: beside the checkpoint
  trust=<module>   the module of your own classes that the checkpoint uses

The exported network takes batches of any size and gives calibrated logits, as
predict does. The file has the names of the classes, the input's shape and its
normalisation. Before it is written it is compared with the network on test
inputs, or on random ones if the data is not there.
"""

from proj.config.command_line import options

OPTIONS = {
    "format": ("onnx", "torch_export"),
    "normalize": bool,
    "output": str,
    "trust": list,
    "raw": bool,
    "quantize": ("none", "int8"),
    "data_dir": str,
}


def main() -> None:
    with options(OPTIONS, __doc__) as chosen:
        from proj.use.export import export  # imports torch, so only once the command line is understood

        export(**chosen)


if __name__ == "__main__":
    main()
