"""The graph of a network, as TensorBoard shows it."""

import warnings

import torch
from torch.utils.tensorboard._pytorch_graph import graph

GRAPHS: dict[tuple, tuple] = {}


def graph_of(network: torch.nn.Module, x: torch.Tensor) -> tuple:
    """The network's graph as TensorBoard's protocol buffers, traced once for the runs of a sweep that share it.

    torch.jit keeps each trace for good, 1.4 MiB. To check it would trace again, and import torch.distributed.tensor.
    """
    key = (str(network), x.shape)
    ours = all(type(module).__module__.startswith(("torch", "proj.")) for module in network.modules())
    if key not in GRAPHS or not ours:  # two of one's own may look the same
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*already a ScriptModule")
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # of other batches, which never come
            GRAPHS[key] = graph(torch.jit.trace(network, x, check_trace=False), x)
    return GRAPHS[key]
