"""Calibrates probabilities by a temperature, and makes prediction sets; both are fitted on the validation part.

With the temperature, predictions with a probability of 90 % are correct in 90 % of cases; the order of the classes does
not change. A prediction set contains the true class with a given probability (split conformal prediction); it follows
from the probabilities of the true classes in validation. Both are stored in the best checkpoint. Since the validation
part was also used to choose that checkpoint, they are evaluated on the test part.

A model that was trained with balance=loss or sampling has learned the probabilities of classes of equal size. They are
calibrated as such: each class counts as much as any other.
"""

import math
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig
from torch import Tensor

from proj.data.batches import Batches
from proj.data.loaded import refuse_other_order
from proj.errors import UserError
from proj.models.balance import note_on_equal_sizes, weights_to_equal_sizes
from proj.models.logits import calibrated_logits
from proj.system.ranks import say
from proj.training.run_length import limited_batches
from proj.training.threshold import NOISE, fit_decision
from proj.wording import how_many

TEMPERATURES = 0.01, 100.0  # the lowest and the highest
COVERAGE = 0.95  # the default
BINS = 15  # the number of bins of the probability, in each of which accuracy and confidence are compared


def calibrate(
    trainer: Trainer, best: dict[str, Any], path: str | Path, threshold: str | DictConfig | None
) -> dict[str, Any]:
    """Store a temperature and scores in the best checkpoint, and return the values for metrics.json ({} if a logit is
    infinite). Afterwards the model has that checkpoint's weights.

    best: the contents of the checkpoint file at `path`. threshold: the setting; unless it is None, the decision between
    the classes is fitted and stored as well.
    Each process of a run computes all logits of the validation part; the first one writes the file.
    """
    trainer.lightning_module.load_state_dict(best["state_dict"])
    logits, targets = logits_of(trainer, "val")
    if not logits.isfinite().all():
        unfitted = " and threshold=… has no effect" if threshold is not None else ""
        say(f"Some logits of the validation part are infinite, so best.ckpt is not calibrated{unfitted}.")
        return {}
    say(*doubt_logits(logits, type(trainer.lightning_module).__name__))
    smoothing = float(getattr(trainer.lightning_module.loss, "label_smoothing", 0.0))
    say(*note_on_equal_sizes(best["proj"]["config"]))
    weights = weights_to_equal_sizes(targets, best["proj"]["config"])
    temperature = fit_temperature(calibrated_logits(logits, 1.0, smoothing), targets, weights)
    if temperature == TEMPERATURES[1]:
        say("On the validation part the model's probabilities are no better than equal ones, which they are made.")
    corrected = calibrated_logits(logits, temperature, smoothing)
    probabilities = corrected.softmax(1)
    scores = (1 - probabilities.gather(1, targets[:, None])).flatten().sort().values.float()
    best["proj"]["calibration"] = {"temperature": temperature, "smoothing": smoothing, "scores": scores}
    decision = {}
    if threshold is not None:
        data = trainer.datamodule
        decision["threshold"] = fit_decision(threshold, data.class_names, data.rarest_class, corrected, targets)
        best["proj"]["calibration"] |= decision
    if trainer.is_global_zero:
        trainer.strategy.checkpoint_io.save_checkpoint(best, str(path))
    return {
        "calibration": {
            "temperature": temperature,
            "examples": len(targets),
            "error_before": calibration_error(logits.softmax(1), targets, weights),
            "error": calibration_error(probabilities, targets, weights),
        },
        **decision,
    }


@torch.no_grad()
def logits_of(trainer: Trainer, part: str, whole: bool = False) -> tuple[Tensor, Tensor]:
    """((N, C) float64 logits, (N,) targets) of a part, "val" or "test", computed in the run's precision.

    They are those of the examples that the run's limits leave, or if `whole`, of all, in the order of the part; each
    process returns all."""
    model, loader = trainer.lightning_module, getattr(trainer.datamodule, f"{part}_dataloader")()
    batches = None if whole else limited_batches(trainer, part, len(loader)) * trainer.world_size
    if isinstance(loader, Batches):
        loader.rank, loader.world = 0, 1
    logits, targets = [torch.empty(0, model.num_classes)], [torch.empty(0, dtype=torch.long)]
    model.to(trainer.strategy.root_device).eval()  # Lightning has moved it to the CPU
    for batch in islice(loader, batches):  # outside of the context below, in which new tensors may be bfloat16
        with trainer.precision_plugin.val_step_context():
            x, y = trainer.precision_plugin.convert_input(trainer.strategy.batch_to_device(batch))
            logits.append(model(x).cpu())
            targets.append(y.cpu())
    if whole:
        refuse_other_order(trainer.datamodule, part, targets)
    return torch.cat([part.double() for part in logits]), torch.cat(targets)


def doubt_logits(logits: Tensor, name: str) -> list[str]:
    """A remark on a network of this name whose outputs (N, C) are probabilities already."""
    if (logits < 0).any() or ((logits.sum(1) - 1).abs() > 0.01).any():
        return []
    return [
        f"The outputs of {name} sum to 1 for each example, as probabilities do, and are taken for logits: leave the "
        "softmax out of its forward, since the loss and all commands apply it to them."
    ]


def fit_temperature(logits: Tensor, targets: Tensor, weights: Tensor | float = 1.0) -> float:
    """The temperature, by which logits (N, C) are divided, that maximises the likelihood of the targets (N,).
    weights: (N,), with which the examples count.

    One more mistake is assumed than there is (Laplace's rule of succession): else, without a mistake among a few
    examples, the temperature would be 0, and every probability 1.
    """
    assumed_error = 1 / (len(targets) + 2)
    right = logits.gather(1, targets[:, None]).flatten()  # (N,)
    wrong = (logits.sum(1) - right) / (logits.shape[1] - 1)  # (N,) the mean logit of the other classes
    # The likelihood is largest where the expected logit under the probabilities equals the one under the targets.
    observed = (((1 - assumed_error) * right + assumed_error * wrong) * weights).sum()
    low, high = TEMPERATURES
    for _ in range(40):  # bisection, on a logarithmic scale
        middle = math.sqrt(low * high)
        expected = (((logits / middle).softmax(1) * logits).sum(1) * weights).sum()  # falls as the temperature rises
        low, high = (middle, high) if expected > observed else (low, middle)
    return high


def calibration_error(probabilities: Tensor, targets: Tensor, weights: Tensor | float = 1.0) -> float:
    """The mean distance between confidence and accuracy, over BINS bins of the confidence. With equal weights, it is
    torchmetrics' `multiclass_calibration_error`, whose import would take seconds.

    probabilities: (N, C). targets: (N,). weights: (N,), with which the examples count."""
    confidence, predicted = probabilities.float().max(1)
    bin_of = torch.bucketize(confidence, torch.linspace(0, 1, BINS + 1), right=True) - 1

    def sums(values: Tensor) -> Tensor:
        """(BINS + 1,) the weighted sum of the values in each bin; the last bin is for a confidence of exactly 1."""
        return torch.zeros(BINS + 1).scatter_add(0, bin_of, (values * weights).float())

    counts, right = sums(torch.ones_like(confidence)), sums((predicted == targets).float())
    gaps = ((right / counts).nan_to_num() - (sums(confidence) / counts).nan_to_num()).abs()
    return (gaps * (counts / counts.sum())).sum().item()


def prediction_set_limit(known: dict[str, Any], coverage: float) -> float:
    """The limit of 1 - probability up to which a class belongs to the prediction set, so that the sets contain the true
    class in `coverage` of cases. known: a checkpoint's `contents`.

    Of the usual scores this one gives the smallest sets (Sadinle, Lei and Wasserman, 2019). They may be empty if the
    network is right more often than `coverage`. Raises UserError if the checkpoint has too few scores, or none.
    """
    scores = known.get("calibration", {}).get("scores", ())
    count = len(scores)
    rank = math.ceil(round((count + 1) * coverage, 9))  # the product may be 1e-15 above a whole number
    if not count:
        raise UserError(
            f"coverage={coverage:g} needs the results of a validation, but the checkpoint has none: it is not the best "
            "one of a finished run, or an older version wrote it. Train again, and use the new best.ckpt."
        )
    if rank > count:
        raise UserError(
            f"coverage={coverage:g} needs more than the {how_many(count, 'validation example')} of the training: use "
            f"coverage={math.floor(1000 * count / (count + 1)) / 1000:g} or less."
        )
    return scores[rank - 1].item()


def in_prediction_set(probabilities: Tensor, limit: float) -> Tensor:
    """(N, C) bool: the classes in the prediction sets. probabilities: (N, C). limit: from `prediction_set_limit`, which
    is rounded, and may be the score of many equal rows of a table, all of which belong to it."""
    return 1 - probabilities <= limit * (1 + NOISE)
