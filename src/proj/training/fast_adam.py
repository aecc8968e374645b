"""The step of torch's fused Adam and AdamW without what torch looks up and wraps around it in every step.

That takes longer than the step itself of a small network. The optimizer, its state and the numbers stay torch's.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.adam import adam

GIVEN = ("amsgrad", "lr", "weight_decay", "eps", "maximize", "decoupled_weight_decay")  # of a group to `adam`


def is_usual(group: dict) -> bool:
    """Whether a group of parameters needs no more than `fused_step` gives to `adam`."""
    return bool(group["fused"]) and not (group["amsgrad"] or group["differentiable"] or isinstance(group["lr"], Tensor))


def step_of(optimizer: Optimizer) -> Callable[[], object]:
    """What to call for a step of an optimizer that `steps_plainly`."""
    usual = type(optimizer) in (Adam, AdamW) and all(is_usual(group) for group in optimizer.param_groups)
    return (lambda: fused_step(optimizer)) if usual else optimizer.step


@torch.no_grad()
def fused_step(optimizer: Adam) -> None:
    """A step of all parameters, by the function that `optimizer.step` calls too.

    The first one, which makes the state, and one that leaves parameters out are torch's own.
    """
    calls = []
    for group in optimizer.param_groups:
        parameters = group["params"]
        gradients = [parameter.grad for parameter in parameters]
        states = [optimizer.state.get(parameter) for parameter in parameters]
        if not (all(states) and is_usual(group)) or any(gradient is None for gradient in gradients):
            optimizer.step()
            return
        moments = [[state[name] for state in states] for name in ("exp_avg", "exp_avg_sq")]
        calls.append((group, parameters, gradients, *moments, [], [state["step"] for state in states]))
    for group, *tensors in calls:
        beta1, beta2 = group["betas"]
        adam(*tensors, fused=True, beta1=beta1, beta2=beta2, **{name: group[name] for name in GIVEN})
