"""Probabilities one can trust: a temperature and the scores for sets of classes, from the validation part.

The temperature makes what the network is 90 % sure of right in 90 % of cases, and changes no order of the classes. A
set of classes that holds the right one with a given probability follows from how unlikely the right classes were (split
conformal prediction). Both are kept in the best checkpoint, which the validation part has also chosen: so they are
measured on the test part.
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
from proj.errors import UserError, how_many
from proj.models.balance import class_counts
from proj.models.logits import trusted
from proj.training.run_length import batches_of_a_round
from proj.training.threshold import fit_decision

TEMPERATURES = 0.01, 100.0  # the lowest and the highest
COVERAGE = 0.95  # where none is asked for
BINS = 15  # of the probability, in which accuracy and confidence are compared


def calibrate(
    trainer: Trainer, best: dict[str, Any], path: str | Path, threshold: str | DictConfig | None = None
) -> dict[str, Any]:
    """Keep a temperature and scores in the best checkpoint, and return the figures for metrics.json: none where logits
    are infinite. The model then has that checkpoint's weights.

    best: the contents of the checkpoint, which lies in `path`. threshold: the setting; where it is given, the decision
    between the classes is fitted and kept too.
    All processes of a run measure the whole validation part, and the first one writes.
    """
    trainer.lightning_module.load_state_dict(best["state_dict"])
    logits, targets = logits_of(trainer, "val")
    if not logits.isfinite().all():
        return {}
    smoothing = float(getattr(trainer.lightning_module.loss, "label_smoothing", 0.0))
    temperature = fit_temperature(trusted(logits, 1.0, smoothing), targets)
    corrected = trusted(logits, temperature, smoothing)
    probabilities = corrected.softmax(1)
    scores = (1 - probabilities.gather(1, targets[:, None])).flatten().sort().values.float()
    best["proj"]["calibration"] = {"temperature": temperature, "smoothing": smoothing, "scores": scores}
    decision = {}
    if threshold is not None:
        data = trainer.datamodule
        decision["threshold"] = fit_decision(threshold, data.class_names, class_counts(data), corrected, targets)
        best["proj"]["calibration"] |= decision
    if trainer.is_global_zero:
        trainer.strategy.checkpoint_io.save_checkpoint(best, str(path))
    return {
        "calibration": {
            "temperature": temperature,
            "examples": len(targets),
            "error_before": calibration_error(logits.softmax(1), targets),
            "error": calibration_error(probabilities, targets),
        },
        **decision,
    }


@torch.no_grad()
def logits_of(trainer: Trainer, part: str, whole: bool = False) -> tuple[Tensor, Tensor]:
    """((N, C) float64 logits, (N,) targets) of the examples of a part, "val" or "test", computed in the run's
    precision: of those that the run measures, or of the whole part. Any process has them all."""
    model, loader = trainer.lightning_module, getattr(trainer.datamodule, f"{part}_dataloader")()
    batches = None if whole else batches_of_a_round(trainer, part, len(loader)) * trainer.world_size
    if isinstance(loader, Batches):
        loader.rank, loader.world = 0, 1
    logits, targets = [torch.empty(0, model.num_classes)], [torch.empty(0, dtype=torch.long)]
    model.to(trainer.strategy.root_device).eval()  # Lightning has taken it to the CPU, and will again
    for batch in islice(loader, batches):  # made outside of the context, in which new numbers may be bfloat16
        with trainer.precision_plugin.val_step_context():
            x, y = trainer.precision_plugin.convert_input(trainer.strategy.batch_to_device(batch))
            logits.append(model(x).cpu())
            targets.append(y.cpu())
    return torch.cat([part.double() for part in logits]), torch.cat(targets)


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature that makes the targets (N,) most likely, by which logits (N, C) are divided.

    One example more counts as answered wrong (Laplace's rule of succession): without a mistake among a few examples,
    the most likely temperature would be 0, and every probability 1.
    """
    mistaken = 1 / (len(targets) + 2)
    right = logits.gather(1, targets[:, None]).flatten()
    wrong = (logits.sum(1) - right) / (logits.shape[1] - 1)
    wanted = ((1 - mistaken) * right + mistaken * wrong).sum()
    low, high = TEMPERATURES
    for _ in range(40):  # halves an interval of factors
        middle = math.sqrt(low * high)
        expected = ((logits / middle).softmax(1) * logits).sum()  # falls as the temperature rises
        low, high = (middle, high) if expected > wanted else (low, middle)
    return high


def calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """The mean distance between confidence and accuracy, over BINS bins of the confidence."""
    confidence, guess = probabilities.float().max(1)
    place = torch.bucketize(confidence, torch.linspace(0, 1, BINS + 1), right=True) - 1

    def sums(values: Tensor) -> Tensor:
        """(BINS + 1,) the sum of the values in each bin."""
        return torch.zeros(BINS + 1).scatter_add(0, place, values)

    counts, right, sure = sums(torch.ones_like(confidence)), sums((guess == targets).float()), sums(confidence)
    gaps = ((right / counts).nan_to_num() - (sure / counts).nan_to_num()).abs()
    return (gaps * (counts / counts.sum())).sum().item()


def most_unlikely(known: dict[str, Any], coverage: float) -> float:
    """How unlikely, 1 minus its probability, a class may be to belong to the set that holds the right class in
    `coverage` of cases. known: a checkpoint's `contents`.

    Of the usual scores this one gives the smallest sets (Sadinle, Lei and Wasserman, 2019), also empty ones, where the
    network is right more often than is asked for. Raises UserError where the checkpoint cannot say it.
    """
    scores = known.get("calibration", {}).get("scores", ())
    count, rank = len(scores), math.ceil(round((len(scores) + 1) * coverage, 9))
    if not count:
        raise UserError(
            f"coverage={coverage:g} takes the figures of a validation, and the checkpoint has none: it is not the best "
            "one of a finished run, or an older version wrote it. Train anew, and take its best.ckpt."
        )
    if rank > count:
        raise UserError(
            f"coverage={coverage:g} takes more than the {how_many(count, 'validation example')} of the training: ask "
            f"for coverage={math.floor(1000 * count / (count + 1)) / 1000:g} or less."
        )
    return scores[rank - 1].item()


def belong(probabilities: Tensor, limit: float) -> Tensor:
    """(N, C) which classes are in the sets, of float64 probabilities (N, C). limit: see `most_unlikely`."""
    return 1 - probabilities <= limit
