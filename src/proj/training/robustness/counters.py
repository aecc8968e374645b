"""Corrects, saves and restores what has been counted when a run is stopped within an epoch.

Lightning 2.6 counts a batch as begun before any callback can save, and an epoch as done wherever the training ends;
these counters are private. Its checkpoints contain neither the states of torchmetrics nor the values collected by
`self.log`, so that a mean over the epoch would only include what came after the stop.
"""

import builtins
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.loop import _Loop
from torch import Tensor
from torchmetrics import Metric

State = Tensor | list[Tensor]  # metrics such as AUROC keep a list with the values of all batches
ARGUMENTS = ("name", "prog_bar", "logger", "on_step", "on_epoch", "enable_graph", "add_dataloader_idx")
ARGUMENTS += ("metric_attribute",)  # the arguments of `self.log` whose values a checkpoint can hold


def count_batch_as_not_begun(checkpoint: dict) -> None:
    """Correct a checkpoint that is saved at the start of a batch, which Lightning has already counted as begun.

    The epoch remains counted as begun, even at its first batch: its `on_train_epoch_start` has been called, and
    Lightning must not call it again.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["ready"] = counts["started"] = counts["processed"] = counts["completed"]
    progress["is_last_batch"] = False


def count_epoch_as_not_done(checkpoint: dict) -> None:
    """Correct a checkpoint that is saved when a limit, such as max_steps, has ended the training within an epoch."""
    checkpoint["epoch"] -= 1
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
    for counts in (progress["total"], progress["current"]):
        counts["processed"] -= 1
        counts["completed"] -= 1


def set_restarting(trainer: Trainer) -> None:
    """Set the `restarting` of Lightning's fit loop to whether the checkpoint was saved within an epoch.

    With max_steps the fit loop assumes this of every checkpoint, and skips the next epoch. Its own setter of the
    attribute assumes the same, so that of its base class is called.
    """
    epochs = trainer.fit_loop.epoch_progress.current
    _Loop.restarting.fset(trainer.fit_loop, epochs.ready != epochs.processed)


def clear_restarting(trainer: Trainer, batches_that_stepped: int) -> None:
    """Reset `restarting` at the first batch after a resume: with it Lightning skips ReduceLROnPlateau in this epoch.

    batches_that_stepped: the step at which the loggers continue.
    """
    _Loop.restarting.fset(trainer.fit_loop, False)
    trainer.fit_loop.epoch_loop._batches_that_stepped = batches_that_stepped


def to_device(state: State, device: torch.device | str) -> State:
    return [part.to(device) for part in state] if isinstance(state, list) else state.to(device)


def metric_states(model: LightningModule) -> dict[str, dict[str, Any]]:
    """The states, on the CPU, of all metrics that were updated since their last reset, by their names in the model."""
    return {
        name: {
            "count": metric.update_count,
            "state": {key: to_device(state, "cpu") for key, state in metric.metric_state.items()},
        }
        for name, metric in model.named_modules()
        if isinstance(metric, Metric) and metric.update_count
    }


def restore_metrics(model: LightningModule, states: dict[str, dict[str, Any]]) -> None:
    """Set the model's metrics to the states that `metric_states` returned."""
    modules = dict(model.named_modules())
    for name, saved in states.items():
        metric = modules[name]
        for key, state in saved["state"].items():
            now = getattr(metric, key)
            state = state.to(now.dtype) if isinstance(now, Tensor) else state  # older versions counted in float32
            setattr(metric, key, to_device(state, model.device))
        metric._update_count, metric._computed = saved["count"], None


def logged_values(trainer: Trainer) -> list[dict[str, Any]]:
    """The values logged since the epoch began, each with its hook and arguments; see `metric_states` for metrics."""
    kept = []
    for metric in trainer.fit_loop.epoch_loop._results.values():
        meta, sync = metric.meta, metric.meta.sync
        if metric.has_reset or sync.group is not None:  # a checkpoint cannot hold a process group
            continue
        collected = {"value": metric.value, "_forward_cache": metric._forward_cache}
        collected |= {"cumulated_batch_size": getattr(metric, "cumulated_batch_size", None)}  # only means have it
        kept.append(
            {
                "hook": meta.fx,
                "arguments": {name: getattr(meta, name) for name in ARGUMENTS},
                "reduce": (meta.reduce_fx.__name__, meta.reduce_fx in vars(builtins).values()),
                "sync": (sync.should, sync.rank_zero_only),
                "collected": {k: v.detach().cpu() for k, v in collected.items() if isinstance(v, Tensor)},
            }
        )
    return kept


def restore_logged(trainer: Trainer, model: LightningModule, kept: list[dict[str, Any]], batch: int) -> None:
    """At the start of the first batch after a resume, log the values again, and restore what was collected.

    kept: from `logged_values`. batch: its number. In the first batch of an epoch Lightning drops earlier values.
    """
    results, modules = trainer.fit_loop.epoch_loop._results, dict(model.named_modules())
    trainer._logger_connector._first_loop_iter = batch == 0
    for entry in kept:
        arguments, (reduce, builtin), (sync_dist, first_rank_only) = entry["arguments"], entry["reduce"], entry["sync"]
        collected = {name: value.to(model.device) for name, value in entry["collected"].items()}
        results.log(
            entry["hook"],
            value=collected["value"] if "value" in collected else modules[arguments["metric_attribute"]],
            reduce_fx=getattr(builtins if builtin else torch, reduce),
            batch_size=1,
            sync_dist=sync_dist,
            sync_dist_fn=trainer.strategy.reduce,
            rank_zero_only=first_rank_only,
            **arguments,
        )
        vars(results[f"{entry['hook']}.{arguments['name']}"]).update(collected)
