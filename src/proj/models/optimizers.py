"""Muon for matrices and convolution filters, Adam or SGD for the rest."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


def orthogonalize(matrix: Tensor) -> Tensor:
    """About U Vᵀ, for a (rows, columns) matrix U S Vᵀ: three Newton-Schulz steps bring all values of S near 1 but tiny
    ones.

    A step multiplies the matrix M by a polynomial of M Mᵀ, which has the length of its shorter side. So the polynomials
    are multiplied with each other, and M once at the end: half of the operations of three steps on M. The two products
    with M are in bfloat16 on a GPU, which is precise enough, and in the matrix's own type elsewhere.
    """
    tall = len(matrix) > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / (wide.norm() + 1e-7)
    wide = wide.bfloat16() if wide.is_cuda else wide
    square = (wide @ wide.T).float()
    first = newton_schulz(square)
    square = first @ square @ first
    second = newton_schulz(square)
    square = second @ square @ second
    steps = newton_schulz(square) @ second @ first
    result = steps.to(wide.dtype) @ wide
    return (result.T if tall else result).to(matrix.dtype)


def newton_schulz(square: Tensor) -> Tensor:
    """What a step multiplies a matrix by, whose product with its transpose is `square`; the numbers are Jordan's."""
    factor = torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315)
    factor.diagonal().add_(3.4445)
    return factor


class Muon(Optimizer):
    """Steps of orthogonal matrices (Jordan et al., "Muon", 2024), and Adam or SGD where there is no such matrix.

    torch.optim.Muon takes matrices alone, no convolution filters. Here a filter (out, in, k, k) is a matrix of `out`
    rows, and each weight is kept at the norm √rows, so that `lr` is the turn of a step. The last matrix, which gives
    the logits, what comes after it, biases and norms train with AdamW at `adam_lr`; or, as in the first recipe that had
    Muon (arXiv 2404.00498), with Nesterov SGD at `head_lr` and `bias_lr`, with `weight_decay` a step.

    params: in the network's order.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float,
        head_lr: float = 0.0,
        bias_lr: float = 0.0,
        sgd_momentum: float = 0.0,
        weight_decay: float = 0.0,
        adam_lr: float | None = None,
    ) -> None:
        params = list(params)
        head = max((i for i, parameter in enumerate(params) if parameter.ndim > 1), default=0)
        matrices = [p for p in params[:head] if p.ndim > 1]
        biases = [p for p in params[:head] if p.ndim <= 1]
        groups = [{"params": matrices, "lr": lr, "by": "muon", "momentum": momentum, "decay": 0.0}]
        if adam_lr is not None:
            groups.append({"params": biases + params[head:], "lr": adam_lr, "by": "adam", "decay": weight_decay})
        else:
            for part, rate in ((biases, bias_lr), (params[head:], head_lr)):
                decay = weight_decay / rate if rate else 0.0
                groups.append({"params": part, "lr": rate, "by": "sgd", "momentum": sgd_momentum, "decay": decay})
        # OneCycleLR moves the momentum of an optimizer that has a default for it; this one's stays as it is set.
        super().__init__([group for group in groups if group["params"]], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by = group.get("by") or ("muon" if group["muon"] else "sgd")  # as older versions stored it
            change = adam if by == "adam" else nesterov
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                update = change(weight, self.state[weight], group)
                if by == "muon":
                    weight.mul_(len(weight) ** 0.5 / weight.norm())
                    update = orthogonalize(update.flatten(1)).view_as(update)
                weight.add_(update, alpha=-group["lr"])
        return loss


def nesterov(weight: Tensor, state: dict, group: dict) -> Tensor:
    """The step of SGD with Nesterov momentum, at a rate of 1."""
    gradient = weight.grad.add(weight, alpha=group["decay"])
    if not state:
        state["velocity"] = torch.zeros_like(weight)
    velocity = state["velocity"].mul_(group["momentum"]).add_(gradient)
    return gradient.add_(velocity, alpha=group["momentum"])


def adam(weight: Tensor, state: dict, group: dict) -> Tensor:
    """The step of AdamW with its usual averages, at a rate of 1 (Loshchilov and Hutter, 2019)."""
    if not state:
        state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
    state["step"] += 1
    mean, square = state["mean"].lerp_(weight.grad, 0.1), state["square"].lerp_(weight.grad.square(), 0.001)
    size = (square / (1 - 0.999 ** state["step"])).sqrt_().add_(1e-8)
    return (mean / (1 - 0.9 ** state["step"])).div_(size).add_(weight, alpha=group["decay"])
