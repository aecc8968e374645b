"""The step of torch's fused Adam and AdamW, without what torch looks up and wraps around it: most of a small one."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.adam import adam

GIVEN = ("amsgrad", "lr", "weight_decay", "eps", "maximize", "decoupled_weight_decay")  # of a group to `adam`


def step_of(optimizer: Optimizer) -> Callable[[], object]:
    """What to call for a step of an optimizer that `steps_plainly`."""
    usual = type(optimizer) in (Adam, AdamW) and all(map(is_usual, optimizer.param_groups))
    return (lambda: fused_step(optimizer)) if usual else optimizer.step


def is_usual(group: dict) -> bool:
    return bool(group["fused"]) and not (group["amsgrad"] or group["differentiable"] or isinstance(group["lr"], Tensor))


@torch.no_grad()
def fused_step(optimizer: Adam) -> None:
    """A step by the function that `optimizer.step` calls too, on the state that it has.

    The first step, which makes the state, and one that leaves parameters out are torch's own.
    """
    calls = []
    for group in optimizer.param_groups:
        gradients = [parameter.grad for parameter in group["params"]]
        states = [optimizer.state.get(parameter) for parameter in group["params"]]
        if not (all(states) and is_usual(group)) or any(gradient is None for gradient in gradients):
            optimizer.step()
            return
        moments, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        calls.append((group, group["params"], gradients, moments, squares, [], steps))
    for group, *tensors in calls:
        beta1, beta2 = group["betas"]
        adam(*tensors, fused=True, beta1=beta1, beta2=beta2, **{name: group[name] for name in GIVEN})
