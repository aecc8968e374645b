"""Logits whose softmax are probabilities one can trust, and the class that follows from these."""

import math

from torch import Tensor


def trusted(logits: Tensor, temperature: float, smoothing: float) -> Tensor:
    """(N, C) logits without what label smoothing has added, divided by a temperature, in the same order.

    Trained with label smoothing, a network gives each class `smoothing / C` too much, and all of them too little. A
    hundredth of each probability stays, so that no two become the same.
    """
    if smoothing:
        known = logits.log_softmax(1)
        rest = (known.exp() - smoothing / logits.shape[1]).clamp(min=1e-30).log()
        logits = rest.maximum(known - math.log(100))
    return logits if temperature == 1 else logits / temperature


def decided(probabilities: Tensor, costs: Tensor | None) -> Tensor:
    """(N,) the class that each of N examples is given: the most probable one; with costs, what it costs to miss an
    example of each class, the one that is likely to cost the least."""
    return (probabilities if costs is None else probabilities * costs.to(probabilities)).argmax(1)
