"""Exports a checkpoint's network into one file, ONNX or torch.export, which runs without this project."""

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
from proj.models.logits import check_outputs
from proj.system.files import refuse_unwritable, write_output
from proj.system.ranks import say
from proj.system.shell import local_path
from proj.use.data import open_or_say_why
from proj.use.quantization import to_int8
from proj.use.raw_columns import RawColumns, texts
from proj.use.raw_pixels import RawPixels

BATCHES = 1, 2, 7  # the sizes at which the exported network is compared with the model
TOLERANCE = 1e-4  # the largest difference allowed, relative to the largest answer or to 1 if that is more


def some_inputs(data, facts: Facts) -> tuple[torch.Tensor, str]:
    """(Seven inputs of the network, "test inputs"); with data=None, (as many, "random inputs")."""
    if data:
        kept = data.splits["test"].inputs
        return data.prepare(kept, torch.arange(max(BATCHES)) % len(kept), None), "test inputs"  # repeats a few
    generator = torch.Generator().manual_seed(0)
    channels, *size = facts.input_shape  # for a table: the number of its inputs, and an empty list
    if facts.mean:
        pixels = torch.randint(256, (max(BATCHES), *size, channels), dtype=torch.uint8, generator=generator)
        return facts.normalizer()(pixels), "random inputs"
    return torch.randn(max(BATCHES), channels, *size, generator=generator), "random inputs"


def make_inputs(x: torch.Tensor, facts: Facts, prepare: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """(The inputs of the exported file, the inputs of the model that follow from them).
    x: some of the model. prepare: the preprocessing inside the exported file, or None."""
    if facts.mean:  # the model's follow from whole levels, even without preprocessing
        pixels = facts.normalizer().undo(x).round().clamp(0, 255).byte()
        x = facts.normalizer()(pixels).contiguous()
        return (pixels if prepare else x), x
    return (prepare.undo(x) if prepare else x), x


def inputs_to_compare(data, facts: Facts, prepare: Any) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Some inputs for `compare`: (as the exported file takes them, as the model does, where they are from)."""
    kept, source = some_inputs(data, facts)
    if isinstance(prepare, RawColumns) and (prepare.dates or not data):
        kept = prepare(prepare.undo(kept))  # one word a column, and each date its own weekday
    given, seen = make_inputs(kept, facts, prepare)
    if prepare and facts.columns:
        seen = seen.clone()  # it may be a view of the data's own tensor
        given[0], seen[0] = torch.nan, 0  # a row of missing values, which become the columns' means
    return given, seen, source


def describe_inputs(given: torch.Tensor, free: Sequence[str], columns: RawColumns | None) -> str:
    """Describe in words what the exported file takes. given: an example. free: the names of its dynamic dimensions."""
    if columns:
        kinds = ["numbers as float64 (batch)"]
        kinds += ["words as strings (batch)"] if any(map(texts, columns.columns)) else []
        kinds += ["dates as float64 seconds since 1970"] if columns.dates else []
        return f"the table's columns by their names, {', '.join(kinds)}"
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
    """Export the network, compare its answers with the model's, write the file, and return the file's path.

    raw: let the file take pictures or a table's columns as they are, and give probabilities; None does so for a table
    with known columns, unless format=torch_export or normalize=true.
    Raises UserError for what the user can fix, and if the answers differ; then no file is written.
    """
    path = Path(local_path(path))
    file = file_to_write(path, format, output)
    model, contents = checkpoints.load_model(path, trust)
    facts = Facts.from_dict(contents)
    raw = bool(facts.columns) and format == "onnx" and not normalize if raw is None else raw
    refuse_to_export(facts, format, normalize, raw, quantize)
    data = open_or_say_why(contents, data_dir)
    if quantize != "none" and not data:
        raise UserError("quantize=int8 needs training examples: name the folder that has them with data_dir=…")
    columns = RawColumns(facts.columns) if raw and facts.columns else None
    prepare = columns or (facts.normalizer() if raw or normalize else None)
    given, seen, source = inputs_to_compare(data, facts, prepare)
    pixels = raw and not columns
    before, after = RawPixels(facts) if pixels else None, nn.Softmax(1) if raw else None
    layers = [layer for layer in (before, prepare, model, after) if layer is not None]
    what, free = "probabilities" if raw else "logits", ("batch", "height", "width") if pixels else ("batch",)
    taken = describe_inputs(given, free, columns)
    described = describe(facts, model) | {"input": taken, "output": what}
    shapes = {place: torch.export.Dim(name) for place, name in enumerate(free)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # they are about torch's own code
        check_outputs(model(seen[:1]), 1, len(facts.class_names))  # training has no batch of one
        program = torch.export.export(nn.Sequential(*layers).eval(), (given[:2],), dynamic_shapes=(shapes,))
        content, exported = to_onnx(program, described, columns) if format == "onnx" else to_pt2(program, described)
        compare(exported, given, model(seen).softmax(1) if raw else model(seen), f"on {source}", what)
    if quantize != "none":
        file = file if output else file.with_stem(f"{file.stem}_int8")
        content = to_int8(content, data, facts.class_names, lambda x: feed(make_inputs(x, facts, prepare)[0], columns))
    write_output(file, content)
    say(f"{file} takes {taken}")
    if model.costs is not None and not raw:
        say("It gives logits only: the largest is not always the class that the threshold chooses; raw=true adds that.")
    return file


def file_to_write(path: Path, format: str, output: str) -> Path:
    """The file to export to. Raises UserError if it ends otherwise than the format, if it would overwrite the
    checkpoint or cannot be written, or if a library that the format needs is missing."""
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if format == "onnx" and not find_spec(name)]:
        raise UserError(f"format=onnx needs {', '.join(missing)}: pip install 'proj[export]', or format=torch_export.")
    ending = ".onnx" if format == "onnx" else ".pt2"
    file = Path(output or path.with_suffix(ending))
    if (real := file.resolve()).exists() and real.samefile(path):  # resolved: in new/../x, new may be missing yet
        raise UserError(f"output={file} is the checkpoint, which it would overwrite: name another file.")
    if file.is_dir():
        raise UserError(
            f"output={output} is a folder: name a file in it, output={file / path.with_suffix(ending).name}"
        )
    if file.suffix not in ("", ending):
        other = "in .pt2 with format=torch_export" if format == "onnx" else "in .onnx with format=onnx"
        raise UserError(f"output={file} should end in {ending}, or {other}.")
    refuse_unwritable(file)
    return file


def describe(facts: Facts, model: Classifier) -> dict[str, str]:
    """The metadata that is stored in the exported file, each value as JSON."""
    costs = None if model.costs is None else model.costs.tolist()
    described = {**facts.to_dict(), "temperature": model.temperature, "costs": costs}
    return {name: json.dumps(value) for name, value in described.items()}


def compare(exported: Any, given: torch.Tensor, answers: torch.Tensor, where: str, what: str) -> None:
    """Print by how much the exported network's answers differ from the model's, `answers`, in batches of all BATCHES.
    given: the inputs of the exported network. Raises UserError if that is more than TOLERANCE."""
    difference = max((exported(given[:size]) - answers[:size]).abs().max().item() for size in BATCHES)
    largest = answers.abs().max().item()
    say(f"{where}, in batches of 1, 2 and 7: {what} up to {largest:.1f} differ by {difference:.1e} at most")
    if not difference <= TOLERANCE * max(largest, 1):  # `not <=` is true for NaN as well
        cause = "a forward that draws random numbers, or mixes the examples of a batch, cannot be exported"
        raise UserError(f"the exported network gives other {what} than the network, so no file was written: {cause}.")


def refuse_to_export(facts: Facts, format: str, normalize: bool, raw: bool, quantize: str) -> None:
    """Raises UserError if the options do not fit the model, or each other."""
    if normalize and not raw and not facts.normalizer():
        words_too = facts.columns and "texts" not in {column.kind for column in facts.columns}
        words = " raw=true is for tables with words as well." if words_too else ""
        raise UserError(f"normalize=true is for images, and for tables that hold numbers only: leave it out.{words}")
    if raw and not facts.columns and not (facts.mean and facts.input_shape[0] in (1, 3)):
        what = "grey or coloured pictures, and for tables whose datamodule describes their columns"
        raise UserError(f"raw=true is for {what}: this model takes something else, so leave it out.")
    if raw or normalize:
        facts.refuse_other_inputs()
    if format != "onnx" and (raw or quantize != "none"):
        raise UserError("raw=true and quantize=int8 are for format=onnx: leave format=torch_export out.")


def feed(x: torch.Tensor, columns: RawColumns | None) -> dict[str, np.ndarray]:
    """The values for an ONNX session, by the names of the file's inputs."""
    return columns.feed(x) if columns else {"input": x.numpy()}


def to_onnx(program, facts: dict[str, str], columns: RawColumns | None):
    """(The content of an ONNX file, a function that runs it on a tensor of inputs). facts: see `describe`.
    columns: for a file that takes each of a table's columns as an input; else None."""
    import onnxruntime  # here, since only the extra proj[export] installs it
    from onnx import TensorProto, helper

    names = {"input_names": ["input"], "output_names": [facts["output"]]}
    exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **names)
    exported.model.metadata_props.update(facts)
    model = exported.model_proto
    if facts["output"] == "probabilities":  # add an output: the name of the class that `decided` chooses
        names, graph = json.loads(facts["class_names"]), model.graph
        graph.initializer.append(helper.make_tensor("class_names", TensorProto.STRING, [len(names)], names))
        costs = json.loads(facts["costs"]) or [1.0] * len(names)
        graph.initializer.append(helper.make_tensor("costs", TensorProto.FLOAT, [len(names)], costs))
        graph.node.append(helper.make_node("Mul", ["probabilities", "costs"], ["weighted"]))
        graph.node.append(helper.make_node("ArgMax", ["weighted"], ["place"], axis=1, keepdims=0))
        graph.node.append(helper.make_node("Gather", ["class_names", "place"], ["class"]))
        graph.output.append(helper.make_tensor_value_info("class", TensorProto.STRING, ["batch"]))
    content = (columns.as_inputs(model) if columns else model).SerializeToString()
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class in common
        cure = "let it compute in float32 if it does in another precision, or give format=torch_export"
        raise UserError(f"onnxruntime cannot run the exported network ({message_of(error, 150)}): {cure}") from error
    return content, lambda x: torch.from_numpy(session.run(None, feed(x, columns))[0])


def to_pt2(program, facts: dict[str, str]):
    """(The content of a .pt2 file, a function that runs it on a tensor of inputs). facts: see `describe`."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=facts)
    file.seek(0)
    return file.getvalue(), torch.export.load(file).module()
