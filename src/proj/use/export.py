"""A checkpoint's network as one file that needs neither torch nor this project."""

import io
import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch

from proj.checkpoint import file as checkpoints
from proj.config.command_line import writing
from proj.data.facts import Facts
from proj.errors import UserError
from proj.system.files import write_atomically
from proj.use.data import open_data

BATCHES = 1, 2, 7  # the sizes at which the exported network is compared with the model
TOLERANCE = 1e-4  # of the largest logit


def some_inputs(known: dict, facts: Facts) -> tuple[torch.Tensor, str]:
    """(Seven inputs as a datamodule keeps them, where they are from)."""
    try:
        return open_data(known, download=False).splits["test"].inputs[: max(BATCHES)], "test inputs"
    except (UserError, OSError, RuntimeError) as error:
        print(f"The data could not be opened: {error}")
    generator = torch.Generator().manual_seed(0)
    channels, *size = facts.input_shape  # of a table the number of its columns, and nothing
    if facts.mean:
        return torch.randint(
            256, (max(BATCHES), *size, channels), dtype=torch.uint8, generator=generator
        ), "random inputs"
    return torch.randn(max(BATCHES), channels, *size, generator=generator), "random inputs"


def make_inputs(kept: torch.Tensor, facts: Facts, normalize: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """(What the exported file takes, what the model sees of it), from inputs as a datamodule keeps them."""
    prepare = facts.normalizer()
    if facts.mean:  # uint8 pixels, which only `normalize` has the file take as they are
        seen = prepare(kept).contiguous()
        return (kept, seen) if normalize else (seen, seen)
    if not normalize:
        return kept, kept
    given, seen = prepare.undo(kept), kept.clone()
    given[0], seen[0] = torch.nan, 0.0  # missing numbers are the columns' means
    return given, seen


def export(
    path: Path,
    format: Literal["onnx", "torch_export"] = "onnx",
    normalize: bool = False,
    output: str = "",
    trust: Sequence[str] = (),
) -> Path:
    """Write the network to a file, and return its path, once it gives the same logits at each size of BATCHES.

    Raises UserError where it does not, and leaves no file.
    """
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if format == "onnx" and not find_spec(name)]:
        raise UserError(f"format=onnx needs {', '.join(missing)}: pip install 'proj[export]', or format=torch_export.")
    model, known = checkpoints.load_model(path, trust)
    facts = Facts.from_dict(known)
    if normalize and not facts.normalizer():
        raise UserError("normalize=true is for images and tables of numbers alone, which this is not: leave it out.")
    kept, source = some_inputs(known, facts)
    given, seen = make_inputs(kept, facts, normalize)
    network = torch.nn.Sequential(facts.normalizer(), model.network) if normalize else model.network
    kind = f"{given.dtype} (batch, {', '.join(map(str, given.shape[1:]))})".removeprefix("torch.")
    described = {name: json.dumps(value) for name, value in facts.to_dict().items()}
    described |= {"input": kind, "output": "logits"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own code
        program = torch.export.export(network.eval(), (given[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
        content, exported = (to_onnx if format == "onnx" else to_pt2)(program, described)
        difference = max((exported(given[:size]) - model(seen[:size])).abs().max().item() for size in BATCHES)
        largest = model(seen).abs().max().item()
    print(f"on {source}, in batches of 1, 2 and 7: {difference:.1e} off at most, of logits up to {largest:.1f}")
    if not difference <= TOLERANCE * max(largest, 1):  # also where it is NaN
        raise UserError("the exported network gives other logits than the network: no file was written.")
    file = Path(output or path.with_suffix(".onnx" if format == "onnx" else ".pt2"))
    with writing(file):
        write_atomically(file, content)
    print(f"{file} takes {kind}")
    return file


def to_onnx(program, facts: dict[str, str]):
    """(The file's content, inputs -> its logits)."""
    import onnxruntime  # which `pip install proj` does not bring

    names = {"input_names": ["input"], "output_names": ["logits"]}
    exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **names)
    exported.model.metadata_props.update(facts)
    content = exported.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda x: torch.from_numpy(session.run(None, {"input": x.numpy()})[0])


def to_pt2(program, facts: dict[str, str]):
    """(The file's content, inputs -> its logits)."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files=facts)
    file.seek(0)
    return file.getvalue(), torch.export.load(file).module()
