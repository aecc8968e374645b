"""Muon for matrices and convolution filters, SGD for the rest."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


def orthogonalize(matrix: Tensor) -> Tensor:
    """About U Vᵀ, for a (rows, columns) matrix U S Vᵀ: three Newton-Schulz steps bring all values of S near 1 but tiny
    ones.

    It computes in bfloat16 on a GPU, which is precise enough, and in the matrix's own type elsewhere.
    """
    wide = matrix.bfloat16() if matrix.is_cuda else matrix
    tall = len(wide) > wide.shape[1]
    wide = wide.T if tall else wide
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(3):
        square = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * square + 2.0315 * square @ square) @ wide
    return (wide.T if tall else wide).to(matrix.dtype)


class Muon(Optimizer):
    """Steps of orthogonal matrices (Jordan et al., "Muon", 2024), and Nesterov SGD where there is no such matrix.

    torch.optim.Muon takes matrices alone, no convolution filters. Here a filter (out, in, k, k) is a matrix of `out`
    rows, and each weight is kept at the norm √rows, so that `lr` is the turn of a step. The last matrix, which gives
    the logits, and what comes after it train at `head_lr`, biases and norms at `bias_lr`, with `weight_decay` a step.

    params: in the network's order.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float,
        head_lr: float,
        bias_lr: float,
        sgd_momentum: float,
        weight_decay: float,
    ) -> None:
        params = list(params)
        head = max((i for i, parameter in enumerate(params) if parameter.ndim > 1), default=0)
        body = params[:head]
        sgd = {"muon": False, "momentum": sgd_momentum}
        groups = [
            {"params": [p for p in body if p.ndim > 1], "lr": lr, "muon": True, "momentum": momentum, "decay": 0.0},
            {"params": [p for p in body if p.ndim <= 1], "lr": bias_lr, "decay": weight_decay / bias_lr, **sgd},
            {"params": params[head:], "lr": head_lr, "decay": weight_decay / head_lr, **sgd},
        ]
        super().__init__([group for group in groups if group["params"]], {"momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                gradient = weight.grad.add(weight, alpha=group["decay"])
                state = self.state[weight]
                if not state:
                    state["velocity"] = torch.zeros_like(weight)
                velocity = state["velocity"]
                velocity.mul_(group["momentum"]).add_(gradient)
                update = gradient.add_(velocity, alpha=group["momentum"])
                if group["muon"]:
                    weight.mul_(len(weight) ** 0.5 / weight.norm())
                    update = orthogonalize(update.flatten(1)).view_as(update)
                weight.add_(update, alpha=-group["lr"])
        return loss
