"""TabM, a network for tables: an ensemble of multilayer perceptrons that share most of their weights."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from proj.data.datamodule import InMemoryDataModule
from proj.models.classifier import Classifier, make_activation

MOST = 100_000  # quantiles are computed from at most so many training examples
LARGE = 10_000  # from so many training examples on, layers are wider and there are more bins
BINS, MANY_BINS = 16, 48  # the number of bins of an input, which lie between its quantiles
EMBEDDING = 8  # the number of features into which the bins of an input are embedded


class Spread(nn.Module):
    """Preprocessing: (B, F) inputs -> (B, F + EMBEDDING * F') features in a small range, for F' inputs with bins.

    Each input is centred by its median and scaled by its interquartile range, which are robust against outliers, and
    squashed smoothly into -3..3 (Holzmüller et al., 2024, arXiv 2407.04491). A linear layer also embeds its piecewise
    linear encoding (Gorishniy et al., 2022, arXiv 2203.05556), which has a value for each bin: 0 below the bin, 1 above
    it, linear within it. Beyond the outer bins the values go on linearly, down to -1 and up to 2.
    quantiles: (F, Q), in ascending order. An input with at most two different ones has no bins.
    """

    def __init__(self, quantiles: list[list[float]]) -> None:
        super().__init__()
        found = np.array(quantiles)
        lowest, low, middle, high, highest = found[:, :: (found.shape[1] - 1) // 4].T
        scale = np.where(high > low, high - low, (highest - lowest) / 2)
        edges = {place: steps for place, values in enumerate(found) if len(steps := np.unique(values)) > 2}
        bins = max(map(len, edges.values()), default=1) - 1
        start, width, least, most = np.zeros((4, len(edges), bins))
        width[:] = 1
        for row, steps in enumerate(edges.values()):
            last = len(steps) - 1
            start[row, :last], width[row, :last] = steps[:-1], np.diff(steps)
            most[row, :last] = 1  # the padding of a row keeps the limits 0 and 0
            least[row, 0], most[row, last - 1] = -1, 2
        for name, values in {"start": start, "width": width, "least": least, "most": most}.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        factor = np.divide(1, scale, where=scale > 0, out=np.zeros_like(scale))
        self.register_buffer("center", torch.tensor(middle, dtype=torch.float32))
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float32))
        self.register_buffer("place", torch.tensor([*edges], dtype=torch.int64))
        self.embed = OwnLinear(bins, EMBEDDING, len(edges)) if edges else None
        self.size = len(found) + EMBEDDING * len(edges)

    def extra_repr(self) -> str:
        return f"{len(self.center)}, {tuple(self.start.shape)} bins"

    def forward(self, x: Tensor) -> Tensor:
        near = ((x - self.center) * self.factor).clamp(-1e6, 1e6)  # squares of larger numbers may overflow
        near = near / (1 + (near / 3).square()).sqrt()
        if self.embed is None:
            return near
        filled = (x[:, self.place, None] - self.start) / self.width  # (B, columns, bins)
        return torch.cat([near, self.embed(filled.minimum(self.most).maximum(self.least)).flatten(1)], 1)


class SharedLinear(nn.Module):
    """A linear layer for K ensemble members: (B, K or 1, inputs) -> (B, K, outputs).

    All members share the weights, but each has its own scales of inputs and outputs, and its own bias.
    signs: whether the scales of the inputs start as random signs, which makes the members differ, or as 1.
    """

    def __init__(self, inputs: int, outputs: int, members: int, signs: bool) -> None:
        super().__init__()
        self.weight = nn.Linear(inputs, outputs, bias=False).weight
        start = torch.randint(0, 2, (members, inputs)) * 2.0 - 1 if signs else torch.ones(members, inputs)
        self.scale_in, self.scale_out = nn.Parameter(start), nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-1, 1) * inputs**-0.5)

    def extra_repr(self) -> str:
        return ", ".join(map(str, (*self.weight.T.shape, len(self.bias))))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x * self.scale_in, self.weight) * self.scale_out + self.bias


class OwnLinear(nn.Module):
    """A linear layer for K members that share nothing: (B, K, inputs) -> (B, K, outputs)."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-1, 1) * inputs**-0.5)
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-1, 1) * inputs**-0.5)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.weight.shape))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)


class FastDropout(nn.Dropout):
    """nn.Dropout in two fifths of its time on a CPU: p is rounded to 16 bits, so an int64 draw decides on 4 numbers."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # so many of the 2**16 possible values drop a number
        draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - 2**15
        return x * kept.to(x.dtype).mul_(2**16 / (2**16 - dropped))


class Members(nn.Sequential):
    """The layers of all members: (B, F) -> (B, K, num_classes) logits in training, where each member has its own loss;
    else (B, num_classes), the logarithms of the summed probabilities of the members.

    Mixed precision applies to training only, so that validation, test and all later uses of the model agree.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self(x)
        return super().forward(x).log_softmax(2).logsumexp(1)


class TabM(Classifier):
    """An ensemble of perceptrons that share most of their weights, whose probabilities are averaged (Gorishniy,
    Kotelnikov and Babenko, 2025, arXiv 2410.24210).

    (B, F) -> (B, num_classes) logits.
    quantiles, examples: of the inputs, and the number, of the training examples, from `measure`. members: the number of
    perceptrons. width, depth: of the hidden layers. width=None is 256 from LARGE examples on, else 128.
    """

    accepts = ("table",)

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        quantiles: list[list[float]],
        examples: int,
        members: int = 16,
        width: int | None = None,
        depth: int = 2,
        activation: str = "ReLU",
        dropout: float = 0.1,
        **training: Any,
    ) -> None:
        super().__init__(num_classes, **training)
        # logger=False: a logger would write the quantiles of all columns, which takes half a minute for 10,000 columns.
        self.save_hyperparameters(ignore=["loss", "optimizer", "scheduler"], logger=False)
        width = width or (256 if examples >= LARGE else 128)
        spread = Spread(quantiles)
        layers: list[nn.Module] = [nn.Flatten(), spread, nn.Unflatten(1, (1, spread.size))]
        for place in range(depth):
            inputs = width if place else spread.size
            layers += [SharedLinear(inputs, width, members, signs=not place), make_activation(activation)]
            if dropout:
                layers.append(FastDropout(dropout))
        self.network = Members(*layers, OwnLinear(width, num_classes, members))

    @property
    def multiplications(self) -> int:
        return super().multiplications * self.hparams.members  # each member multiplies by the shared weights

    @classmethod
    def measure(cls, data: InMemoryDataModule) -> dict[str, Any]:
        x = data.splits["train"].inputs.flatten(1)
        some = x[:: math.ceil(len(x) / MOST)].cpu().double().numpy()
        shares = np.linspace(0, 1, 1 + (MANY_BINS if len(x) >= LARGE else BINS))
        return {"quantiles": np.quantile(some, shares, axis=0).T.tolist(), "examples": len(x)}
