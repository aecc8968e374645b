"""Lightning's training loop without what a plain step on one device does not need.

Lightning 2.6 calls every hook of every callback in every step, most of them empty, through a profiler and a closure:
more than the whole step of a small network. Here a step calls the hooks that somebody wrote, in Lightning's order, and
counts as Lightning does: the same weights, curves and checkpoints, to the bit. What is not plain (gradient clipping or
accumulation, several devices, another loader, a hook around the backward pass) goes Lightning's own way.
"""

import lightning.pytorch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision, Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy

from proj.data.batches import Batches
from proj.models.classifier import Classifier

IN_STEP = ("on_before_zero_grad", "on_before_backward", "on_after_backward")
IN_MODEL = ("on_train_batch_start", "optimizer_step", "optimizer_zero_grad", "backward")
IN_MODEL += ("lr_scheduler_step",)
IN_DATA = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


def written(owner: object, hook: str, base: type) -> bool:
    """Whether `owner` has a `hook` of its own, not the empty one of `base`."""
    return hook in vars(owner) or getattr(type(owner), hook) is not getattr(base, hook)


def is_plain(trainer: Trainer) -> bool:
    """Whether a step of this run is forward, backward and the optimizer's step, no hook but the one before that."""
    model, precision = trainer.lightning_module, trainer.precision_plugin
    return (
        lightning.pytorch.__version__.startswith("2.6.")  # whose order of hooks and counts this follows
        and getattr(type(model), "training_step", None) is Classifier.training_step
        and type(trainer.strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and getattr(precision, "scaler", None) is None
        and type(trainer.profiler) is PassThroughProfiler
        and isinstance(trainer.train_dataloader, Batches)  # whose batches are on the device
        and trainer.accumulate_grad_batches == 1
        and not trainer.gradient_clip_val
        and trainer._val_check_time_interval is None
        and trainer.check_val_every_n_epoch is not None
        and all(config.interval == "step" and not config.reduce_on_plateau for config in trainer.lr_scheduler_configs)
        and not any(written(callback, hook, Callback) for callback in trainer.callbacks for hook in IN_STEP)
        and not any(written(model, hook, LightningModule) for hook in IN_STEP + IN_MODEL + IN_DATA)
        and not any(written(trainer.datamodule, hook, LightningDataModule) for hook in IN_DATA)
    )


class FastEpochLoop(_TrainingEpochLoop):
    """The loop over an epoch's batches; `install` puts it into a trainer."""

    def on_run_start(self, data_fetcher) -> None:
        super().on_run_start(data_fetcher)
        self.plain = is_plain(self.trainer)
        if self.plain:
            (self.batches,) = data_fetcher.iterator._iterator.iterators
            self.optimizer, self.precision = self.trainer.optimizers[0], self.trainer.precision_plugin
        self.starts, self.steps, self.ends = (
            [getattr(callback, hook) for callback in self.trainer.callbacks if written(callback, hook, Callback)]
            for hook in ("on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end")
        )

    def advance(self, data_fetcher) -> None:
        if self.restarting or not self.plain:
            super().advance(data_fetcher)
        else:
            self.fast_batch(data_fetcher)

    def fast_batch(self, data_fetcher) -> None:
        trainer, model, optimizer = self.trainer, self.trainer.lightning_module, self.optimizer
        progress, counts = self.batch_progress, self.automatic_optimization.optim_progress.optimizer
        if self.val_loop.restarting:
            self.val_loop.restarting = False
        batch = next(self.batches)
        batch_idx = self.batch_idx + 1
        data_fetcher.fetched += 1
        progress.is_last_batch = data_fetcher.done = data_fetcher.fetched >= data_fetcher.length
        progress.increment_ready()
        connector, results = trainer._logger_connector, self._results
        connector._first_loop_iter = connector._first_loop_iter is None
        results.batch, results.batch_size, results.dataloader_idx = batch, None, None
        current = vars(model)  # `self.log` asks for the hook's name; assigning to a module takes longer
        current["_current_fx_name"] = "on_train_batch_start"
        for start in self.starts:
            start(trainer, model, batch, batch_idx)
        progress.increment_started()

        counts.step.increment_ready()
        current["_current_fx_name"] = "training_step"
        with self.precision.train_step_context():
            loss = model.training_step(batch, batch_idx)
        counts.zero_grad.increment_ready()
        counts.zero_grad.increment_started()
        for group in optimizer.param_groups:  # what optimizer.zero_grad does, less its profiling
            for parameter in group["params"]:
                parameter.grad = None
        counts.zero_grad.increment_completed()
        loss.backward()
        current["_current_fx_name"] = "on_before_optimizer_step"
        for step in self.steps:
            step(trainer, model, optimizer)
        model.on_before_optimizer_step(optimizer)
        optimizer.step()
        counts.step.increment_completed()
        progress.increment_processed()
        for config in trainer.lr_scheduler_configs:
            if (batch_idx + 1) % config.frequency == 0:
                self.scheduler_progress.increment_ready()
                config.scheduler.step()
                self.scheduler_progress.increment_completed()

        outputs = {"loss": loss.detach()}
        current["_current_fx_name"] = "on_train_batch_end"
        for end in self.ends:
            end(trainer, model, outputs, batch, batch_idx)
        model.on_train_batch_end(outputs, batch, batch_idx)
        current["_current_fx_name"] = None
        if results:  # somebody has used `self.log` in this epoch
            connector.on_batch_end()
        progress.increment_completed()
        if results:
            connector.update_train_step_metrics()

    def on_advance_end(self, data_fetcher) -> None:
        validates = self.batch_progress.is_last_batch or (self.batch_idx + 1) % self.trainer.val_check_batch == 0
        if validates or not self.plain or self.trainer.should_stop:
            super().on_advance_end(data_fetcher)
        else:
            self._batches_that_stepped += 1


def install(trainer: Trainer) -> None:
    trainer.fit_loop.epoch_loop.__class__ = FastEpochLoop
