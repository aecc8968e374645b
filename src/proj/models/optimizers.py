"""Muon for matrices and convolution filters, with Adam or SGD for the other parameters."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


def orthogonalize(matrix: Tensor) -> Tensor:
    """Approximately U Vᵀ, for a matrix (rows, columns) with the singular value decomposition U S Vᵀ: three
    Newton-Schulz steps bring all singular values near 1, except tiny ones.

    Each step multiplies the matrix M by a polynomial in M Mᵀ, which is small: its side is the shorter side of M. So the
    polynomials are multiplied with each other first, and with M at the end, which takes half the operations. On a GPU
    the two products with M are in bfloat16, which is precise enough; elsewhere they are in the dtype of the matrix.
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
    """The polynomial of `square` = M Mᵀ by which a step multiplies M, with the coefficients of Jordan et al."""
    factor = torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315)
    factor.diagonal().add_(3.4445)
    return factor


class Muon(Optimizer):
    """Updates of matrices are orthogonalized (Jordan et al., "Muon", 2024); other parameters use Adam or SGD.

    Unlike torch.optim.Muon it also takes convolution filters: (out, in, k, k) counts as a matrix of `out` rows. Each
    matrix is kept at the norm √rows, so that `lr` is the angle by which a step turns it. Biases, norms, the last matrix
    (the head, which computes the logits) and what follows it are trained with AdamW at `adam_lr`. If that is None, they
    use Nesterov SGD at `bias_lr` or, in the head, `head_lr`, with a weight decay per step that does not depend on the
    rate, as in the first recipe with Muon (arXiv 2404.00498).
    params: in the order of the network.
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
        # No defaults are given, since OneCycleLR would cycle the momentum of an optimizer that has a default for it.
        super().__init__([group for group in groups if group["params"]], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by = group.get("by") or ("muon" if group["muon"] else "sgd")  # older checkpoints have a flag "muon"
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
    """The update of SGD with Nesterov momentum, for a learning rate of 1."""
    gradient = weight.grad.add(weight, alpha=group["decay"])
    if not state:
        state["velocity"] = torch.zeros_like(weight)
    velocity = state["velocity"].mul_(group["momentum"]).add_(gradient)
    return gradient.add_(velocity, alpha=group["momentum"])


def adam(weight: Tensor, state: dict, group: dict) -> Tensor:
    """The update of AdamW with its usual betas, for a learning rate of 1 (Loshchilov and Hutter, 2019)."""
    if not state:
        state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
    state["step"] += 1
    mean, square = state["mean"].lerp_(weight.grad, 0.1), state["square"].lerp_(weight.grad.square(), 0.001)
    size = (square / (1 - 0.999 ** state["step"])).sqrt_().add_(1e-8)
    return (mean / (1 - 0.9 ** state["step"])).div_(size).add_(weight, alpha=group["decay"])
