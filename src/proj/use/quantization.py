"""Converts an ONNX network to 8-bit integers, and compares its size, time and accuracy with the one in float32."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from proj.use.data import test_on
from proj.wording import share

SEEN = 500  # training examples from which the ranges of the activations are measured
BATCH = 100
QUANTIZED = ("Conv", "Gemm", "MatMul", "MaxPool")
LOST = 0.005  # a larger loss of accuracy is pointed out


def to_int8(content: bytes, data, class_names: list[str], make_inputs: Callable[[Tensor], dict]) -> bytes:
    """The content of an ONNX file with its convolutions and its products with weights in 8-bit integers, by ONNX
    Runtime's static quantisation. Size, time and accuracy before and after, on the test part of `data`, are printed.
    data: the training's datamodule, or another one. class_names: the model's. make_inputs: turns the network's inputs
    into the file's inputs by name. Raises UserError if the classes of the data cannot be paired with the model's."""
    from onnx import load  # here, since only the extra proj[export] installs it
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    test_on(data, "test", class_names)
    train = data.splits["train"].inputs
    parts = iter(torch.linspace(0, len(train) - 1, min(SEEN, len(train))).long().split(BATCH))

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict | None:
            part = next(parts, None)
            return None if part is None else make_inputs(data.prepare(train, part, None))

    with tempfile.TemporaryDirectory() as folder:
        file, prepared = Path(folder, "file.onnx"), Path(folder, "prepared.onnx")
        file.write_bytes(content)
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
        graph = load(prepared).graph
        matrices = {weight.name for weight in graph.initializer if len(weight.dims) < 3}
        # Products without a weight matrix stay in float32: those that resize a picture, and those of an ensemble, whose
        # members' matrices are stacked into one tensor and for which some versions of ONNX Runtime have no kernel.
        others = [node.name for node in graph.node if node.op_type == "MatMul" and not matrices & {*node.input}]
        settings = {"op_types_to_quantize": list(QUANTIZED), "nodes_to_exclude": others, "per_channel": True}
        quantize_static(str(prepared), str(file), Reader(), weight_type=QuantType.QInt8, **settings)
        smaller = file.read_bytes()
    accuracies = []
    print("           size   an example   test accuracy")
    for name, made in {"float32": content, "int8": smaller}.items():
        seconds, accuracy = measure(made, data, class_names, make_inputs)
        accuracies.append(accuracy)
        print(f"{name:<7} {len(made) / 1000:>5,.0f} kB  {1000 * seconds:>8.3f} ms  {share(accuracy):>13}")
    if (lost := accuracies[0] - accuracies[1]) > LOST:
        print(f"int8 costs {100 * lost:.1f} points of accuracy; without quantize=int8 the file keeps them.")
    return smaller


def measure(content: bytes, data, class_names: list[str], make_inputs: Callable[[Tensor], dict]) -> tuple[float, float]:
    """(Seconds for each example in one thread, accuracy) of an ONNX file on the test part of `data`.
    The class is the one that the file names, or if it names none, the one with the largest logit."""
    import onnxruntime

    test, names = data.splits["test"], np.array(class_names, object)
    options, seconds, right = onnxruntime.SessionOptions(), 0.0, 0
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    for part in torch.arange(len(test.targets)).split(BATCH):
        x, start = make_inputs(data.prepare(test.inputs, part, None)), time.perf_counter()
        answers, *classes = session.run(None, x)
        seconds += time.perf_counter() - start
        predicted = classes[0] if classes else names[answers.argmax(1)]
        right += int((predicted == names[test.targets[part].numpy()]).sum())
    return seconds / len(test.targets), right / len(test.targets)
