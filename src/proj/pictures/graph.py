"""Traces the graph of a network for TensorBoard."""

import copy
import warnings

import torch
from torch.utils.tensorboard._pytorch_graph import graph

GRAPHS: dict[tuple, tuple] = {}  # by the printed network and the shape of its inputs


def graph_of(model: torch.nn.Module, x: torch.Tensor) -> tuple:
    """The graph of a model's `network`, or of a whole model with a `forward` of a user's own, as TensorBoard's protocol
    buffers. Jobs of a sweep in one process share that of equal networks, because torch.jit never frees the 1.4 MiB of
    a trace."""
    is_its_own = not type(model).forward.__module__.startswith("proj.")
    network = model if is_its_own else copy.copy(model.network)  # the copy has the same weights, and is not compiled
    key = (str(network), x.shape)
    # Two networks with a user's own modules may differ, though they are printed alike: these are always traced.
    comparable = all(type(module).__module__.startswith(("torch", "proj.")) for module in network.modules())
    if key not in GRAPHS or not comparable:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*already a ScriptModule")
            # It warns that the trace may not hold for other inputs, but the trace never gets any.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            # check_trace would trace a second time, and import torch.distributed.tensor.
            GRAPHS[key] = graph(torch.jit.trace(network, x, check_trace=False), x)
    return GRAPHS[key]
