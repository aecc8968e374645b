"""What a model's torchmetrics have counted so far, which Lightning leaves out of its checkpoints."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics import Metric

State = Tensor | list[Tensor]  # a list of all batches' values, such as AUROC keeps


def to_device(state: State, device: torch.device | str) -> State:
    return [part.to(device) for part in state] if isinstance(state, list) else state.to(device)


def metric_states(model: LightningModule) -> dict[str, dict[str, Any]]:
    """On the CPU, the states of those that have counted since they were reset, by their places in the model."""
    return {
        name: {
            "count": metric.update_count,
            "state": {key: to_device(state, "cpu") for key, state in metric.metric_state.items()},
        }
        for name, metric in model.named_modules()
        if isinstance(metric, Metric) and metric.update_count
    }


def restore_metrics(model: LightningModule, states: dict[str, dict[str, Any]]) -> None:
    """Have the model's metrics go on from what `metric_states` gave."""
    modules = dict(model.named_modules())
    for name, known in states.items():
        metric = modules[name]
        for key, state in known["state"].items():
            now = getattr(metric, key)
            state = state.to(now.dtype) if isinstance(now, Tensor) else state  # older versions counted in float32
            setattr(metric, key, to_device(state, model.device))
        metric._update_count, metric._computed = known["count"], None
