"""A checkpoint's network as one file that needs neither torch nor this project."""

import io
import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from proj.checkpoint import file as checkpoints
from proj.data.facts import Facts
from proj.errors import UserError, message_of
from proj.models.classifier import Classifier
from proj.system.files import refuse_unwritable, write_output
from proj.system.platform import local_path
from proj.system.ranks import say
from proj.use.data import open_data
from proj.use.quantization import to_int8
from proj.use.raw_columns import RawColumns
from proj.use.raw_pixels import RawPixels

BATCHES = 1, 2, 7  # the sizes at which the exported network is compared with the model
TOLERANCE = 1e-4  # of the largest answer, and of 1


def some_inputs(data, facts: Facts) -> tuple[torch.Tensor, str]:
    """(Seven inputs as a datamodule keeps them, where they are from); of `data`, or random ones where that is None."""
    if data:
        return data.splits["test"].inputs[: max(BATCHES)], "test inputs"
    generator = torch.Generator().manual_seed(0)
    channels, *size = facts.input_shape  # of a table the number of its columns, and nothing
    if facts.mean:
        shape = (max(BATCHES), *size, channels)
        return torch.randint(256, shape, dtype=torch.uint8, generator=generator), "random inputs"
    return torch.randn(max(BATCHES), channels, *size, generator=generator), "random inputs"


def make_inputs(kept: torch.Tensor, facts: Facts, prepare: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """(What the exported file takes, what the model sees of it), from inputs as a datamodule keeps them.

    prepare: what the file does itself: Normalize, Standardize, RawColumns, or None.
    """
    if facts.mean:  # uint8 pixels, which only a file with the normalisation takes as they are
        seen = facts.normalizer()(kept).contiguous()
        return (kept, seen) if prepare else (seen, seen)
    return (prepare.undo(kept), kept) if prepare else (kept, kept)


def inputs_to_compare(data, facts: Facts, prepare: Any) -> tuple[torch.Tensor, torch.Tensor, str]:
    """(What the exported file takes of some inputs, what the model sees of them, where they are from)."""
    kept, source = some_inputs(data, facts)
    if isinstance(prepare, RawColumns) and (prepare.dates or not data):
        kept = prepare(prepare.undo(kept))  # with one word a column, and a weekday that is that of the date
    given, seen = make_inputs(kept, facts, prepare)
    if prepare and facts.columns:
        seen = seen.clone()  # it may be a part of the data's own inputs
        given[0], seen[0] = torch.nan, 0  # a row of missing numbers, which become the columns' means
    return given, seen, source


def what_it_takes(given: torch.Tensor, free: Sequence[str], columns: RawColumns | None) -> str:
    """What an exported file takes, such as `given`, in words. free: the names of the sizes that it leaves open."""
    if columns:
        dates = ", dates as float64 seconds since 1970" if columns.dates else ""
        return f"the table's columns by their names, numbers as float64 (batch) and words as strings (batch){dates}"
    sizes = ", ".join(map(str, [*free, *given.shape[len(free) :]]))
    return f"{given.dtype} ({sizes})".removeprefix("torch.")


def export(
    path: Path,
    format: Literal["onnx", "torch_export"] = "onnx",
    normalize: bool = False,
    output: str = "",
    trust: Sequence[str] = (),
    raw: bool | None = None,
    quantize: Literal["none", "int8"] = "none",
    data_dir: str = "",
) -> Path:
    """Write the network to a file, and return its path, once it gives the same answers at each size of BATCHES.

    raw: None is true of a table whose columns are known, but for format=torch_export and normalize=true.
    Raises UserError where it does not, and leaves no file.
    """
    path = Path(local_path(path))
    file = file_to_write(path, format, output)
    model, contents = checkpoints.load_model(path, trust)
    facts = Facts.from_dict(contents)
    raw = bool(facts.columns) and format == "onnx" and not normalize if raw is None else raw
    refuse_unfitting(facts, format, normalize, raw, quantize)
    data = open_or_say_why(contents, data_dir)
    if quantize != "none" and not data:
        raise UserError("quantize=int8 looks at training examples: name the folder that has them with data_dir=…")
    columns = RawColumns(facts.columns) if raw and facts.columns else None
    prepare = columns or (facts.normalizer() if raw or normalize else None)
    given, seen, source = inputs_to_compare(data, facts, prepare)
    pixels = raw and not columns
    before, after = RawPixels(facts) if pixels else None, nn.Softmax(1) if raw else None
    layers = [layer for layer in (before, prepare, model, after) if layer is not None]
    what, free = "probabilities" if raw else "logits", ("batch", "height", "width") if pixels else ("batch",)
    taken = what_it_takes(given, free, columns)
    described = describe(facts, model) | {"input": taken, "output": what}
    shapes = {place: torch.export.Dim(name) for place, name in enumerate(free)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own code
        program = torch.export.export(nn.Sequential(*layers).eval(), (given[:2],), dynamic_shapes=(shapes,))
        content, exported = to_onnx(program, described, columns) if format == "onnx" else to_pt2(program, described)
        compare(exported, given, model(seen).softmax(1) if raw else model(seen), f"on {source}", what)
    if quantize != "none":
        file = file if output else file.with_stem(f"{file.stem}_int8")
        content = to_int8(content, data, lambda inputs: feed(make_inputs(inputs, facts, prepare)[0], columns))
    write_output(file, content)
    say(f"{file} takes {taken}")
    if model.costs is not None and not raw:
        say("It gives logits alone: their largest is not always the threshold's class, which raw=true gives too.")
    return file


def file_to_write(path: Path, format: str, output: str) -> Path:
    """Raises UserError where the file would be another kind of file than its name says, or takes a checkpoint's place,
    and where a library for it is missing."""
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if format == "onnx" and not find_spec(name)]:
        raise UserError(f"format=onnx needs {', '.join(missing)}: pip install 'proj[export]', or format=torch_export.")
    ending = ".onnx" if format == "onnx" else ".pt2"
    file = Path(output or path.with_suffix(ending))
    if file.exists() and file.samefile(path):
        raise UserError(f"output={file} is the checkpoint, which it would overwrite: name another file.")
    if file.is_dir():
        raise UserError(
            f"output={output} is a folder: name a file in it, output={file / path.with_suffix(ending).name}"
        )
    if {file.suffix, ending} == {".onnx", ".pt2"}:
        other = "torch_export" if format == "onnx" else "onnx"
        raise UserError(f"output={file} is of format={other}: add that, or end it in {ending}.")
    refuse_unwritable(file)
    return file


def describe(facts: Facts, model: Classifier) -> dict[str, str]:
    """What the file says of itself, each as JSON."""
    costs = None if model.costs is None else model.costs.tolist()
    described = {**facts.to_dict(), "temperature": model.temperature, "costs": costs}
    return {name: json.dumps(value) for name, value in described.items()}


def compare(exported: Any, given: torch.Tensor, answers: torch.Tensor, where: str, what: str) -> None:
    """Print how far the exported network's answers are off. Raises UserError where that is too far."""
    difference = max((exported(given[:size]) - answers[:size]).abs().max().item() for size in BATCHES)
    largest = answers.abs().max().item()
    say(f"{where}, in batches of 1, 2 and 7: {difference:.1e} off at most, of {what} up to {largest:.1f}")
    if not difference <= TOLERANCE * max(largest, 1):  # also where it is NaN
        raise UserError(f"the exported network gives other {what} than the network: no file was written.")


def refuse_unfitting(facts: Facts, format: str, normalize: bool, raw: bool, quantize: str) -> None:
    """Raises UserError for what cannot be exported in this way."""
    if normalize and not raw and not facts.normalizer():
        words = " raw=true takes words too." if facts.columns else ""
        raise UserError(
            f"normalize=true is for images and tables of numbers alone, which this is not: leave it out.{words}"
        )
    if raw and not facts.columns and not (facts.mean and facts.input_shape[0] in (1, 3)):
        raise UserError(
            "raw=true is for pictures, grey or in colour, and for tables whose datamodule says its columns, which this "
            "model does not take: leave it out."
        )
    if format != "onnx" and (raw or quantize != "none"):
        raise UserError("raw=true and quantize=int8 are for format=onnx: leave format=torch_export out.")


def open_or_say_why(contents: dict, data_dir: str):
    """The datamodule of a checkpoint's data; None where that cannot be opened, which is printed."""
    try:
        return open_data(contents, data_dir=data_dir, download=False)
    except (UserError, OSError, RuntimeError) as error:
        say(f"The data could not be opened: {message_of(error)}")
        return None


def feed(x: torch.Tensor, columns: RawColumns | None) -> dict[str, np.ndarray]:
    """What an exported file takes, by the names of its inputs."""
    return columns.feed(x) if columns else {"input": x.numpy()}


def to_onnx(program, facts: dict[str, str], columns: RawColumns | None):
    """(The file's content, inputs -> its answers). columns: of a file that takes those of a table."""
    import onnxruntime  # which `pip install proj` does not bring
    from onnx import TensorProto, helper

    names = {"input_names": ["input"], "output_names": [facts["output"]]}
    exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **names)
    exported.model.metadata_props.update(facts)
    model = exported.model_proto
    if facts["output"] == "probabilities":  # the name of the class, see `decided`, is another output
        names, graph = json.loads(facts["class_names"]), model.graph
        graph.initializer.append(helper.make_tensor("class_names", TensorProto.STRING, [len(names)], names))
        costs = json.loads(facts["costs"]) or [1.0] * len(names)
        graph.initializer.append(helper.make_tensor("costs", TensorProto.FLOAT, [len(names)], costs))
        graph.node.append(helper.make_node("Mul", ["probabilities", "costs"], ["weighed"]))
        graph.node.append(helper.make_node("ArgMax", ["weighed"], ["place"], axis=1, keepdims=0))
        graph.node.append(helper.make_node("Gather", ["class_names", "place"], ["class"]))
        graph.output.append(helper.make_tensor_value_info("class", TensorProto.STRING, ["batch"]))
    content = (columns.as_inputs(model) if columns else model).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda x: torch.from_numpy(session.run(None, feed(x, columns))[0])


def to_pt2(program, facts: dict[str, str]):
    """(The file's content, inputs -> its answers)."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=facts)
    file.seek(0)
    return file.getvalue(), torch.export.load(file).module()
