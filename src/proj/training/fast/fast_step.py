"""The backward pass and the optimizer step without torch's Python overhead, which is nearly a fifth of a backward pass
on Iris, and most of a small step of fused Adam or AdamW."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

KERNEL_SETTINGS = ("amsgrad", "lr", "weight_decay", "eps", "maximize")  # the settings of a group that the kernel takes


def backward(loss: Tensor) -> None:
    """The same as `loss.backward()`, which is called unless the loss is a float32 scalar on the CPU.

    On other devices the engine has its own threads, for which torch does more; and it refuses a loss that is no scalar.
    """
    if type(loss) is Tensor and loss.is_cpu and loss.ndim == 0 and loss.dtype == torch.float32:
        engine, ones = torch.autograd.Variable._execution_engine, (torch.ones_like(loss),)
        engine.run_backward((loss,), ones, False, False, (), allow_unreachable=True, accumulate_grad=True)
    else:
        loss.backward()


def step_of(optimizer: Optimizer) -> Callable[[], object]:
    """The function to call for a step of an optimizer. It must be one that `steps_plainly`."""
    is_fused_adam = type(optimizer) in (Adam, AdamW) and all(map(has_usual_settings, optimizer.param_groups))
    # The kernel takes tensors of one device and dtype.
    uniform = all(len({(p.device, p.dtype) for p in group["params"]}) == 1 for group in optimizer.param_groups)
    return partial(fused_step, optimizer) if is_fused_adam and uniform else optimizer.step


def has_usual_settings(group: dict) -> bool:
    """Whether `fused_step` handles the settings of a parameter group."""
    return bool(group["fused"]) and not (group["amsgrad"] or group["differentiable"] or isinstance(group["lr"], Tensor))


@torch.no_grad()
def fused_step(optimizer: Adam) -> None:
    """A step with the kernel that `optimizer.step` calls, on the same state.

    `optimizer.step` itself is called for the first step, which creates the state, and if a gradient is missing.
    """
    calls = []
    for group in optimizer.param_groups:
        gradients = [parameter.grad for parameter in group["params"]]
        states = [optimizer.state.get(parameter) for parameter in group["params"]]
        if not (all(states) and has_usual_settings(group)) or any(gradient is None for gradient in gradients):
            optimizer.step()
            return
        moments, squares, steps = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        calls.append((group, gradients, moments, squares, steps))
    for group, gradients, moments, squares, steps in calls:
        beta1, beta2 = group["betas"]
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        settings = {name: group[name] for name in KERNEL_SETTINGS}
        torch._foreach_add_(steps, 1)
        kernel(group["params"], gradients, moments, squares, [], steps, beta1=beta1, beta2=beta2, **settings)
