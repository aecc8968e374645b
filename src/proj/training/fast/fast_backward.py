"""The backward pass on a CPU without what torch asks before it calls its engine, nearly a fifth of that of Iris."""

import torch
from torch import Tensor


def backward(loss: Tensor) -> None:
    """As `loss.backward()`, which is called for all but a plain number on the CPU.

    Elsewhere the engine has threads of its own, for which torch keeps more; and it refuses a loss of several numbers.
    """
    if type(loss) is Tensor and loss.is_cpu and loss.ndim == 0 and loss.dtype == torch.float32:
        engine, ones = torch.autograd.Variable._execution_engine, (torch.ones_like(loss),)
        engine.run_backward((loss,), ones, False, False, (), allow_unreachable=True, accumulate_grad=True)
    else:
        loss.backward()
