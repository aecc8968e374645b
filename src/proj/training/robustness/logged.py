"""What `self.log` of a user's own has collected in an epoch, for a run that is stopped within it and goes on.

Lightning 2.6 leaves it out of its checkpoints: a mean over the epoch would be one over what came after the stop.
"""

import builtins
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

ARGUMENTS = ("name", "prog_bar", "logger", "on_step", "on_epoch", "enable_graph", "add_dataloader_idx")
ARGUMENTS += ("metric_attribute",)  # those of `self.log` that are plain values


def logged_values(trainer: Trainer) -> list[dict[str, Any]]:
    """What was logged since the epoch began, with the hook and the arguments; of metrics the model has the counts."""
    kept = []
    for metric in trainer.fit_loop.epoch_loop._results.values():
        meta, sync = metric.meta, metric.meta.sync
        if metric.has_reset or sync.group is not None:  # a group of processes is no value for a checkpoint
            continue
        collected = {"value": metric.value, "_forward_cache": metric._forward_cache}
        collected |= {"cumulated_batch_size": getattr(metric, "cumulated_batch_size", None)}  # of a mean
        kept.append(
            {
                "hook": meta.fx,
                "arguments": {name: getattr(meta, name) for name in ARGUMENTS},
                "reduce": (meta.reduce_fx.__name__, meta.reduce_fx in vars(builtins).values()),
                "sync": (sync.should, sync.rank_zero_only),
                "collected": {k: v.detach().cpu() for k, v in collected.items() if isinstance(v, torch.Tensor)},
            }
        )
    return kept


def restore_logged(trainer: Trainer, model: LightningModule, kept: list[dict[str, Any]], batch: int) -> None:
    """As the first batch after a restart begins, log it again, and put in place what was collected.

    batch: its number. In the first batch of an epoch Lightning forgets what was logged before.
    """
    results, modules = trainer.fit_loop.epoch_loop._results, dict(model.named_modules())
    trainer._logger_connector._first_loop_iter = batch == 0
    for one in kept:
        arguments, (reduce, builtin), (sync_dist, alone) = one["arguments"], one["reduce"], one["sync"]
        collected = {name: value.to(model.device) for name, value in one["collected"].items()}
        results.log(
            one["hook"],
            value=collected["value"] if "value" in collected else modules[arguments["metric_attribute"]],
            reduce_fx=getattr(builtins if builtin else torch, reduce),
            batch_size=1,
            sync_dist=sync_dist,
            sync_dist_fn=trainer.strategy.reduce,
            rank_zero_only=alone,
            **arguments,
        )
        vars(results[f"{one['hook']}.{arguments['name']}"]).update(collected)
