"""The decision for a class if mistakes have different costs, or if F1 or balanced accuracy is to be maximised. It is
fitted on the validation part."""

import re
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from proj.config.quoting import within_a_word
from proj.config.settings.ranges import COST
from proj.data.class_names import classes_among
from proj.errors import UserError, nearest
from proj.models.metrics import Tally
from proj.system.shell import as_command

# What a threshold may maximise, from the numbers of true and false positives, and false and true negatives.
VALUES: dict[str, Callable[..., Tensor]] = {
    "f1": lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn).clamp(min=1),
    "balanced": lambda tp, fp, fn, tn: (tp / (tp + fn) + tn / (tn + fp)) / 2,
}
NOISE = 1e-4  # log odds that differ by less may be those of equal examples in batches of different sizes
RATES = ("acc", "balanced_acc", "macro_f1")  # the metrics that are measured of any decision


def threshold_text(threshold: str | DictConfig | None) -> str:
    """The setting as text, as the user types it, by which two settings can be compared."""
    if OmegaConf.is_dict(threshold):
        return f"{{{','.join(f'{name}:{cost}' for name, cost in threshold.items())}}}"
    return "null" if threshold is None else str(threshold)


def costs_of(threshold: str | DictConfig) -> dict[str, float] | None:
    """The costs of missing a class, by class name as typed; None if the setting is not about costs."""
    if OmegaConf.is_dict(threshold):
        return {str(name): float(cost) for name, cost in threshold.items()}
    if not threshold.startswith("{"):
        return None
    return {name.strip("\"'"): float(cost) for name, cost in re.findall(rf"{COST}(?=[,}}])", threshold[1:])}


def index_of(name: str, names: list[str]) -> int:
    """The index of the class with this name, or -1. Spellings are matched, since Hydra turns true into True."""
    return classes_among([name], names).get(name, -1)


def check_threshold(threshold: str | DictConfig | None, names: list[str]) -> None:
    """Raises UserError for a class that does not exist or has two costs, for costs without a class, and for a setting
    for two classes if there are more."""
    if threshold is None:
        return
    costs = costs_of(threshold)
    if costs == {}:
        raise UserError(
            f"threshold={{}} names no class: say what it costs to miss one, such as {example_of_costs(names[0])}."
        )
    typed_for: dict[int, str] = {}  # the name that was typed for the class of this index
    for name in threshold.split(":", 1)[1:] if costs is None else costs:
        index = index_of(name, names)
        if index < 0:
            raise UserError(f"threshold={name} does not exist.{nearest(name, names)}{quoting_hint(threshold)}")
        if (other := typed_for.setdefault(index, name)) != name:
            raise UserError(f"threshold gives {names[index]} two costs, as {other} and as {name}: leave one out.")
    if costs is None and len(names) != 2:
        raise UserError(
            f"threshold={threshold} is for two classes, not {len(names)}: say what it costs to miss one, such as "
            f"{example_of_costs(names[0])}, or leave it out."
        )


def example_of_costs(name: str) -> str:
    """An example of the setting, quoted for a shell: this class is five times as bad to miss."""
    is_plain = re.fullmatch(r"[^,:{}'\"]+", name) and name.lower() != "null"
    return as_command([f"threshold={{{name if is_plain else within_a_word(name)}:5}}"])


def quoting_hint(threshold: str | DictConfig) -> str:
    """The end of a message on an unknown class, if Hydra has read its name as a number, such as 1_000; else ""."""
    if all(isinstance(key, str) for key in threshold):  # the keys of a dict, or the letters of a text
        return ""
    example = as_command(["threshold={'1_000':5}"])
    return f" Write the name of a class that reads as a number in quotation marks, such as {example}."


def cost_of_each_class(threshold: str | DictConfig, names: list[str]) -> list[float] | None:
    """The cost of missing each class, in their order, by default 1; None if the setting is not about costs."""
    if (asked := costs_of(threshold)) is None:
        return None
    by_index = {index_of(name, names): cost for name, cost in asked.items()}
    return [by_index.get(index, 1.0) for index in range(len(names))]


def fit_decision(
    threshold: str | DictConfig, names: list[str], rarest: int, logits: Tensor, targets: Tensor
) -> dict[str, Any]:
    """The decision, as the checkpoint and metrics.json store it: "asked", the setting, "costs", see `decided`, and
    "missing", what the setting says that it costs to miss an example of each class, if it is about costs.

    With more than two classes, the costs are those of the setting. With two, there are also "class", the positive class
    (the one that costs more to miss, or by default the rarer one), the "probability" from which on it is chosen, and
    the value of what is optimised (F1, balanced accuracy or mean cost) on the validation part, at this probability and
    at 0.5.
    rarest: the index of the class with the fewest examples. logits: (N, num_classes), calibrated, and targets: (N,), of
    the validation part.
    """
    asked, costs = threshold_text(threshold), cost_of_each_class(threshold, names)
    if costs and len(names) > 2:
        return {"asked": asked, "costs": costs, "missing": costs}
    word, _, named = ("cost", "", "") if costs else threshold.partition(":")
    if costs and costs[0] != costs[1]:
        positive = costs.index(max(costs))
    else:
        positive = index_of(named, names) if named else rarest
    is_positive = targets == positive
    decision = {"asked": asked, "class": names[positive]} | ({"missing": costs} if costs else {})
    if is_positive.all() or not is_positive.any():
        return {**decision, "costs": [1.0, 1.0], "probability": 0.5}

    def negative_cost(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
        """The negative mean cost of an example, so that a larger value is better."""
        return -(costs[positive] * fn + costs[1 - positive] * fp) / len(targets)

    value = negative_cost if costs else VALUES[word]
    # With two classes, the difference of their logits is the log odds of the positive one.
    boundary, best, at_zero = best_boundary(logits[:, positive] - logits[:, 1 - positive], is_positive, value)
    of_other, of_positive = torch.tensor([boundary, -boundary], dtype=torch.float64).sigmoid().tolist()
    return {
        **decision,
        "costs": [of_other, of_positive] if positive else [of_positive, of_other],
        "probability": of_other,
        word: abs(best),
        f"{word}_at_0.5": abs(at_zero),  # log odds of 0 are a probability of 0.5
    }


def best_boundary(scores: Tensor, positive: Tensor, value: Callable[..., Tensor]) -> tuple[float, float, float]:
    """(The boundary above which a score is called positive, the value at that boundary, the value at a boundary of 0).

    Candidates are 0 and the middles between neighbouring scores; of equally good ones, the nearest to 0 is taken.
    scores: (N,) float64. positive: (N,) bool. value: a function of the counts (N + 1,) of tp, fp, fn and tn.
    """
    order = scores.argsort(descending=True)
    scores, tp = scores[order], torch.cat([torch.zeros(1), positive[order].cumsum(0)]).double()
    fp = torch.arange(len(tp)) - tp  # if the first 0, 1, … N examples are called positive
    values = value(tp, fp, tp[-1] - tp, fp[-1] - fp)
    padded = torch.cat([scores[:1] + 2, scores, scores[-1:] - 2])  # for a boundary above all scores, and one below
    boundaries = (padded[1:] + padded[:-1]) / 2
    # No boundary lies between equal scores, but one above all and one below may.
    separates = torch.cat([torch.tensor([True]), scores[1:] < scores[:-1] - NOISE, torch.tensor([True])])
    zero = int((scores > 0).sum())
    boundaries[zero], separates[zero] = 0.0, True
    best = values[separates].max()
    equal = (separates & (values == best)).nonzero().flatten()
    return boundaries[equal[boundaries[equal].abs().argmin()]].item(), best.item(), values[zero].item()


def at_threshold(decision: dict[str, Any], names: list[str], predicted: Tensor, targets: Tensor) -> dict[str, float]:
    """The metrics of examples whose classes are `predicted`, (N,), by a decision from `fit_decision`. Those of the
    positive class are left out if no example is of it, since nothing can then be found or missed.

    names: of the classes. targets: (N,) the true classes.
    """
    size = len(names)
    tally = Tally(size)
    tally.update(torch.tensor(0.0), F.one_hot(predicted, size), targets)
    found = tally.compute()
    measured = torch.tensor([found[name] for name in RATES], dtype=torch.float32)  # float32 like all other metrics
    figures = dict(zip(RATES, measured.tolist(), strict=True))
    index, confusion = names.index(decision.get("class", names[0])), found["confusion"]
    positives, tp = confusion[index].sum(), confusion[index, index]
    if "class" in decision and positives:
        called_positive = confusion[:, index].sum()
        figures |= {"precision": (tp / called_positive.clamp(min=1)).item()}
        figures |= {"recall": (tp / positives).item()}
        figures |= {"f1": (2 * tp / (called_positive + positives)).item()}
    if "missing" in decision:
        figures["cost"] = (torch.tensor(decision["missing"])[targets] * (predicted != targets)).mean().item()
    return figures


def summary(decision: dict[str, Any], cost: float | None = None) -> str:
    """A line on the decision, for the end of a training. cost: the mean cost of a test example, if that is known."""
    on_test = "" if cost is None else f" (test: an example costs {cost:.4f})"
    if "probability" not in decision:
        return f"threshold: the class with the smallest expected cost, in predict, evaluate and exported files{on_test}"
    word = next((word for word in (*VALUES, "cost") if word in decision), "")
    line = f"threshold: class {decision['class']} from a probability of {decision['probability']:.4g} on"
    if not word:
        return f"{line}, since the validation part has no example of one class to fit another one"
    what = {"f1": "F1", "balanced": "balanced accuracy", "cost": "an example costs"}[word]
    return f"{line} (validation: {what} {decision[word]:.4f}, at 0.5 {decision[f'{word}_at_0.5']:.4f}){on_test}"
