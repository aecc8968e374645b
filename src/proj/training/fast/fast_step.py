"""What a step calls of torch, without what torch looks up and wraps around it: the backward pass on a CPU, nearly a
fifth of that of Iris, and the step of fused Adam and AdamW, most of a small one."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

GIVEN = ("amsgrad", "lr", "weight_decay", "eps", "maximize")  # of a group to the kernel


def backward(loss: Tensor) -> None:
    """As `loss.backward()`, which is called for all but a plain number on the CPU.

    Elsewhere the engine has threads of its own, for which torch keeps more; and it refuses a loss of several numbers.
    """
    if type(loss) is Tensor and loss.is_cpu and loss.ndim == 0 and loss.dtype == torch.float32:
        engine, ones = torch.autograd.Variable._execution_engine, (torch.ones_like(loss),)
        engine.run_backward((loss,), ones, False, False, (), allow_unreachable=True, accumulate_grad=True)
    else:
        loss.backward()


def step_of(optimizer: Optimizer) -> Callable[[], object]:
    """What to call for a step of an optimizer that `steps_plainly`."""
    usual = type(optimizer) in (Adam, AdamW) and all(map(is_usual, optimizer.param_groups))
    alike = all(len({(p.device, p.dtype) for p in group["params"]}) == 1 for group in optimizer.param_groups)
    return partial(fused_step, optimizer) if usual and alike else optimizer.step


def is_usual(group: dict) -> bool:
    return bool(group["fused"]) and not (group["amsgrad"] or group["differentiable"] or isinstance(group["lr"], Tensor))


@torch.no_grad()
def fused_step(optimizer: Adam) -> None:
    """A step by the kernel that `optimizer.step` calls too, on the state that it has.

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
        calls.append((group, gradients, moments, squares, steps))
    for group, gradients, moments, squares, steps in calls:
        beta1, beta2 = group["betas"]
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        settings = {name: group[name] for name in GIVEN}
        torch._foreach_add_(steps, 1)
        kernel(group["params"], gradients, moments, squares, [], steps, beta1=beta1, beta2=beta2, **settings)
